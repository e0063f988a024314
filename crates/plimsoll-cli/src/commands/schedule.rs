//! `plimsoll schedule`: jobs at the times of cron lines, directly on the database.
//!
//! Promises: a line, zone or job that is wrong is refused with what may stand there, before
//! anything is written; a name that is none says which was probably meant.
//! Never: a server needed for it.

use std::io::Write as _;

use anyhow::bail;
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::record::Timestamp;
use plimsoll_jobs::{
    LIST_MAX, NewJob, NewSchedule, Queue, Result, Schedule, check_own, schedule_document,
};
use plimsoll_store::catalogue::Pack;

use crate::args::{Global, ScheduleArgs, ScheduleCommand, SchedulesArgs, SetArgs};
use crate::config::closest;
use crate::exit::{Outcome, Usage, stdout};
use crate::{jobs, setup};

pub(crate) fn run(
    global: &Global,
    command: &ScheduleCommand,
    packs: &[Pack],
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let opened = jobs::open(&setup, packs)?;
    let queue = jobs::queue(&opened.store);
    let outcome = match command {
        ScheduleCommand::List(args) => list(&queue, args),
        ScheduleCommand::Set(args) => set(&queue, args),
        ScheduleCommand::Pause(args) => changed(&queue, args, Queue::pause_schedule),
        ScheduleCommand::Resume(args) => changed(&queue, args, Queue::resume_schedule),
        ScheduleCommand::Remove(args) => remove(&queue, args),
    };
    opened.store.close()?;
    outcome
}

fn list(queue: &Queue, args: &SchedulesArgs) -> anyhow::Result<Outcome> {
    let mut out = stdout();
    let (mut behind, mut all): (Option<Box<str>>, Vec<Schedule>) = (None, Vec::new());
    loop {
        let page = queue.schedules(behind.as_deref(), LIST_MAX).wait()?;
        behind = page.last().map(|schedule| schedule.name.clone());
        let is_last = page.len() < LIST_MAX as usize;
        if args.json {
            all.extend(page);
        } else {
            for schedule in &page {
                writeln!(out, "{}", line(schedule))?;
            }
            if is_last && behind.is_none() {
                writeln!(std::io::stderr(), "there are no schedules")?;
            }
        }
        if is_last {
            break;
        }
    }
    if args.json {
        let data: Vec<_> = all.iter().map(schedule_document).collect();
        writeln!(out, "{}", serde_json::Value::Array(data))?;
    }
    Ok(Outcome::Done)
}

fn line(schedule: &Schedule) -> String {
    let Schedule { name, cron, zone, kind, .. } = schedule;
    let next = match (schedule.state(), &schedule.error) {
        ("active", _) => format!("next {}", Timestamp::from_micros(schedule.next_micros)),
        (_, Some(error)) => format!("stopped: {}", plimsoll::error::excerpt(error)),
        (state, None) => state.to_owned(),
    };
    format!("{name:<24} {cron:<16} {zone:<16} {kind:<24} {next}")
}

fn set(queue: &Queue, args: &SetArgs) -> anyhow::Result<Outcome> {
    let wrong = |e: plimsoll_jobs::Error| Usage(e.to_string());
    check_own(&args.kind, &args.payload).map_err(wrong)?;
    let registry = jobs::registry()?;
    let mut job = match registry.declared(&args.kind) {
        Some(_) => registry.job(&args.kind, &*args.payload)?,
        None => NewJob::new(&*args.kind, &*args.payload),
    };
    if let Some(name) = &args.queue {
        job.queue = name.as_str().into();
    }
    job.priority = args.priority.unwrap_or(job.priority);
    job.trying.tries_max = args.tries.unwrap_or(job.trying.tries_max);
    if let Some(time) = args.timeout {
        job.trying.timeout_ms = u64::try_from(time.as_millis())?.max(1);
    }
    let mut new = NewSchedule::new(&*args.name, &*args.cron, job);
    new.zone = args.zone.as_str().into();
    new.overlaps = args.overlaps;
    new.check().map_err(wrong)?;
    queue.set_schedule(&new)?.wait()?;
    show(queue, &args.name, args.json)
}

fn show(queue: &Queue, name: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let schedule = queue.show_schedule(name).wait()?;
    let mut out = stdout();
    match as_json {
        true => writeln!(out, "{}", schedule_document(&schedule))?,
        false => writeln!(out, "{}", line(&schedule))?,
    }
    Ok(Outcome::Done)
}

fn changed(
    queue: &Queue,
    args: &ScheduleArgs,
    change: fn(&Queue, &str) -> Result<()>,
) -> anyhow::Result<Outcome> {
    expect_known(queue, &args.name)?;
    change(queue, &args.name)?;
    show(queue, &args.name, args.json)
}

fn remove(queue: &Queue, args: &ScheduleArgs) -> anyhow::Result<Outcome> {
    expect_known(queue, &args.name)?;
    queue.remove_schedule(&args.name)?;
    let mut out = stdout();
    match args.json {
        true => writeln!(out, "{}", serde_json::json!({"name": args.name, "removed": true}))?,
        false => writeln!(out, "the schedule {} is removed", args.name)?,
    }
    Ok(Outcome::Done)
}

/// Refuses a name that is none, with the one that was probably meant.
fn expect_known(queue: &Queue, name: &str) -> anyhow::Result<()> {
    let all = queue.schedules(None, LIST_MAX).wait()?;
    let names = || all.iter().map(|schedule| &*schedule.name);
    // Behind so many names there may be more.
    if names().any(|known| known == name) || all.len() == LIST_MAX as usize {
        return Ok(());
    }
    let near = closest(name, names()).map(|near| format!("; did you mean {near}?"));
    let name = plimsoll::error::excerpt(name);
    bail!(Usage(format!("there is no schedule '{name}'{}", near.unwrap_or_default())))
}
