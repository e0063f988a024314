//! `plimsoll jobs`: what people do to jobs, directly on the database.
//!
//! Promises: a job that cannot be changed so says what it is instead; a wrong name of a kind or
//! queue says which was probably meant.
//! Never: a server needed for it.

use std::io::Write as _;

use anyhow::{anyhow, bail};
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::record::Timestamp;
use plimsoll_jobs::{Job, LIST_MAX, Listing, Queue, Why, document};
use plimsoll_store::catalogue::Pack;

use crate::args::{Global, JobsCommand, ListArgs};
use crate::config::closest;
use crate::exit::{Outcome, Usage, stdout};
use crate::{jobs, setup};

mod add;
mod watch;

pub(crate) fn run(
    global: &Global,
    command: &JobsCommand,
    packs: &[Pack],
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let opened = jobs::open(&setup, packs)?;
    let queue = jobs::queue(&opened.store);
    let outcome = match command {
        JobsCommand::List(args) => list(&queue, args),
        JobsCommand::Show(args) => show(&queue, args.id, args.json),
        JobsCommand::Retry(args) => {
            queue.restart(args.id)?;
            changed(&queue, args.id, args.json)
        }
        JobsCommand::Cancel(args) => {
            queue.cancel(args.id)?;
            changed(&queue, args.id, args.json)
        }
        JobsCommand::Pause(args) => {
            queue.pause(args.id)?;
            changed(&queue, args.id, args.json)
        }
        JobsCommand::Resume(args) => {
            queue.resume(args.id)?;
            changed(&queue, args.id, args.json)
        }
        JobsCommand::Add(args) => add::add(&queue, args),
        JobsCommand::Sql(args) => add::sql(&queue, args),
        JobsCommand::Watch(args) => watch::watch(&queue, args.id, args.json),
    };
    opened.store.close()?;
    outcome
}

/// Why a job does not run.
fn why(queue: &Queue, job: &Job) -> anyhow::Result<Option<Why>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    Ok(runtime.block_on(queue.why(job))?)
}

fn list(queue: &Queue, args: &ListArgs) -> anyhow::Result<Outcome> {
    let listing = Listing {
        state: args.state,
        queue: args.queue.as_deref().map(Into::into),
        kind: args.kind.as_deref().map(Into::into),
        before: args.before,
        rows_max: args.limit,
    };
    let found = queue.list(&listing).wait()?;
    if found.is_empty() {
        expect_known(queue, args)?;
    }
    let mut out = stdout();
    if args.json {
        let now = queue.now_micros();
        let data: Vec<_> = found.iter().map(|job| document(job, None, now)).collect();
        writeln!(out, "{}", serde_json::Value::Array(data))?;
        return Ok(Outcome::Done);
    }
    if found.is_empty() {
        writeln!(std::io::stderr(), "there are no such jobs")?;
    }
    for job in found {
        let (kind, line) = (&job.kind, line(&job));
        writeln!(out, "{:>8} {kind:<24} {:<10} {line}", job.id, job.queue)?;
    }
    Ok(Outcome::Done)
}

/// State and progress in one line.
fn line(job: &Job) -> String {
    let mut text = format!("{:<12}", job.state.name());
    let progress = &job.progress;
    if progress.done > 0 || progress.total.is_some() {
        let unit = progress.unit.as_deref().unwrap_or("done");
        text.push_str(&match progress.total {
            Some(total) if total > 0 => {
                let percent = u128::from(progress.done) * 100 / u128::from(total);
                format!(" {} of {total} {unit}, {percent} %", progress.done)
            }
            _ => format!(" {} {unit}", progress.done),
        });
    }
    if let Some(error) = &job.error {
        text.push_str(&format!(" {}", plimsoll::error::excerpt(error)));
    }
    text.trim_end().to_owned()
}

/// Nothing was found: perhaps because of a name that there is not.
fn expect_known(queue: &Queue, args: &ListArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.queue {
        let queues = queue.queues()?;
        let all = queue.list(&Listing { rows_max: LIST_MAX, ..Listing::default() }).wait()?;
        let names = queues.keys().map(|name| &**name).chain(all.iter().map(|job| &*job.queue));
        unless_known("queue", name, names)?;
    }
    if let Some(kind) = &args.kind {
        let known = jobs::registry()?.kinds().unwrap_or_default();
        let all = queue.list(&Listing { rows_max: LIST_MAX, ..Listing::default() }).wait()?;
        let names = known.iter().map(|name| &**name).chain(all.iter().map(|job| &*job.kind));
        unless_known("kind of job", kind, names)?;
    }
    Ok(())
}

/// Refuses a name that is none of those, with the one that was probably meant.
pub(super) fn unless_known<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str>,
) -> anyhow::Result<()> {
    let mut names: Vec<&str> = known.collect();
    names.sort_unstable();
    names.dedup();
    if names.contains(&name) {
        return Ok(());
    }
    let near = closest(name, names.iter().copied());
    let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let name = plimsoll::error::excerpt(name);
    bail!(Usage(match names.len() {
        0 => format!("there is no {what} '{name}': there are no jobs yet"),
        // More than fit on a screen help nobody.
        1..=50 => format!("there is no {what} '{name}'{near} There are: {}", names.join(", ")),
        _ => format!("there is no {what} '{name}'{near}"),
    }))
}

fn show(queue: &Queue, id: i64, as_json: bool) -> anyhow::Result<Outcome> {
    let job = queue.show(id).wait().map_err(|e| anyhow!("{e}"))?;
    let why = why(queue, &job)?;
    let mut out = stdout();
    if as_json {
        writeln!(out, "{}", document(&job, why.as_ref(), queue.now_micros()))?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "job {id}: {} of the queue {}", job.kind, job.queue)?;
    writeln!(out, "  {}", line(&job))?;
    if let Some(why) = why {
        writeln!(out, "  waits: {}", why.detail)?;
    }
    if let Some(worker) = &job.worker {
        writeln!(out, "  with {worker}")?;
    }
    let (attempts, most) = (job.attempts, job.trying.tries_max);
    let resumed = job.deliveries.saturating_sub(1);
    writeln!(out, "  {attempts} of {most} tries used, {resumed} times taken up again")?;
    writeln!(out, "  enqueued {}", Timestamp::from_micros(job.enqueued_micros))?;
    if let Some(at) = job.finished_micros {
        writeln!(out, "  over     {}", Timestamp::from_micros(at))?;
    }
    writeln!(out, "  payload  {}", job.payload)?;
    if let Some(result) = &job.result {
        writeln!(out, "  result   {result}")?;
    }
    for failure in queue.failures(id).wait()? {
        let at = Timestamp::from_micros(failure.at_micros);
        writeln!(out, "  {at} {}: {}", failure.what, failure.message)?;
    }
    Ok(Outcome::Done)
}

/// What has become of a job.
fn changed(queue: &Queue, id: i64, as_json: bool) -> anyhow::Result<Outcome> {
    let job = queue.show(id).wait()?;
    let mut out = stdout();
    if as_json {
        writeln!(out, "{}", document(&job, None, queue.now_micros()))?;
        return Ok(Outcome::Done);
    }
    let state = job.state.name();
    match job.wish {
        Some(_) => writeln!(out, "job {id} is {state}, and stops where it looks next")?,
        None => writeln!(out, "job {id} is {state}")?,
    }
    Ok(Outcome::Done)
}
