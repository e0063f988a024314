//! `plimsoll jobs add` and `plimsoll jobs sql`: enqueues a job.
//!
//! Promises: what does not fit one of Plimsoll's own kinds is refused before anything is written;
//! a wrong file is named with the line to add.
//! Never: more of a file read than a payload may have.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use plimsoll_jobs::{NewJob, PAYLOAD_BYTES_MAX, Queue, SQL_KIND, SqlJob, check_own, document};

use crate::args::{AddArgs, HowArgs, SqlArgs};
use crate::exit::{Outcome, Usage, stdout};
use crate::jobs;

pub(super) fn add(queue: &Queue, args: &AddArgs) -> anyhow::Result<Outcome> {
    check_own(&args.kind, &args.payload).map_err(|e| Usage(e.to_string()))?;
    enqueue(queue, &args.kind, &args.payload, &args.how)
}

pub(super) fn sql(queue: &Queue, args: &SqlArgs) -> anyhow::Result<Outcome> {
    let text = read(&args.file)?;
    let wrong = |why: String| Usage(format!("{}: {why}", args.file.display()));
    let job = SqlJob::parse(&text).map_err(wrong)?;
    let payload = serde_json::to_string(&job)?;
    enqueue(queue, SQL_KIND, &payload, &args.how)
}

fn read(file: &Path) -> anyhow::Result<String> {
    let reading = || format!("reading {}", file.display());
    let mut text = String::new();
    let most = PAYLOAD_BYTES_MAX as u64;
    let opened = File::open(file).with_context(reading)?;
    opened.take(most + 1).read_to_string(&mut text).with_context(reading)?;
    if text.len() > PAYLOAD_BYTES_MAX {
        bail!(Usage(format!("{} has more than {most} bytes, which a job keeps", file.display())));
    }
    Ok(text)
}

fn enqueue(queue: &Queue, kind: &str, payload: &str, how: &HowArgs) -> anyhow::Result<Outcome> {
    let registry = jobs::registry()?;
    let mut new = match registry.declared(kind) {
        Some(_) => registry.job(kind, payload)?,
        None => NewJob::new(kind, payload),
    };
    if let Some(name) = &how.queue {
        new.queue = name.as_str().into();
    }
    new.priority = how.priority.unwrap_or(new.priority);
    new.unique_key = how.unique_key.as_deref().map(Into::into);
    new.trying.tries_max = how.tries.unwrap_or(new.trying.tries_max);
    if let Some(time) = how.timeout {
        new.trying.timeout_ms = u64::try_from(time.as_millis())?.max(1);
    }
    if let Some(delay) = how.delay {
        let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
        new.not_before_micros = Some(queue.now_micros().saturating_add(micros));
    }
    new.check().map_err(|e| Usage(e.to_string()))?;
    let enqueued = queue.enqueue(&new)?.wait()?;
    let job = queue.show(enqueued.id).wait()?;
    let mut out = stdout();
    if how.json {
        let why = super::why(queue, &job)?;
        writeln!(out, "{}", document(&job, why.as_ref(), queue.now_micros()))?;
        return Ok(Outcome::Done);
    }
    let was = if enqueued.existed { " and was there already" } else { "" };
    writeln!(out, "job {} is {}{was}", job.id, job.state.name())?;
    Ok(Outcome::Done)
}
