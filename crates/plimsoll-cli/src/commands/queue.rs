//! `plimsoll queue`: queues with their jobs, and what is set of them.
//!
//! Promises: a queue that nobody knows is not made by a typing mistake.
//! Never: a job changed.

use std::io::Write as _;

use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::record::Timestamp;
use plimsoll_jobs::{Queue, QueueState};
use plimsoll_store::catalogue::Pack;

use crate::args::{Global, QueueArgs, QueueCommand, QueuesArgs};
use crate::exit::{Outcome, stdout};
use crate::setup::Setup;
use crate::{jobs, setup};

pub(crate) fn run(
    global: &Global,
    command: &QueueCommand,
    packs: &[Pack],
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let opened = jobs::open(&setup, packs)?;
    let queue = jobs::queue(&opened.store);
    let outcome = match command {
        QueueCommand::List(args) => list(&queue, args),
        QueueCommand::Pause(args) => {
            expect_known(&setup, &queue, &args.queue)?;
            queue.pause_queue(&args.queue)?.wait()?;
            said(&queue, args, "gives out nothing until it is resumed")
        }
        QueueCommand::Resume(args) => {
            expect_known(&setup, &queue, &args.queue)?;
            queue.resume_queue(&args.queue).wait()?;
            said(&queue, args, "goes on")
        }
        QueueCommand::Restart(args) => {
            expect_known(&setup, &queue, &args.queue)?;
            queue.restart_queue(&args.queue)?.wait()?;
            said(&queue, args, "is told: its workers hand back what they have, and end")
        }
    };
    opened.store.close()?;
    outcome
}

fn expect_known(setup: &Setup, queue: &Queue, name: &str) -> anyhow::Result<()> {
    let configured = jobs::queues(&setup.config);
    let queues = queue.queues()?;
    let names = queues.keys().chain(&configured).map(|name| &**name);
    super::jobs::unless_known("queue", name, names)
}

fn shown(name: &str, queue: &QueueState) -> serde_json::Value {
    let time = |micros| Timestamp::from_micros(micros).to_string();
    serde_json::json!({
        "queue": name,
        "paused_at": queue.paused_micros.map(time),
        "concurrency_max": queue.concurrency_max,
        "oldest_ready_at": queue.oldest_micros.map(time),
        "restart_at": queue.restart_micros.map(time),
        "jobs": queue.jobs,
    })
}

fn list(queue: &Queue, args: &QueuesArgs) -> anyhow::Result<Outcome> {
    let mut queues = queue.queues()?;
    if let Some(state) = args.state {
        queues.values_mut().for_each(|queue| queue.jobs.retain(|name, _| *name == state.name()));
        queues.retain(|_, queue| !queue.jobs.is_empty());
    }
    let mut out = stdout();
    if args.json {
        let all: Vec<_> = queues.iter().map(|(name, queue)| shown(name, queue)).collect();
        writeln!(out, "{}", serde_json::Value::Array(all))?;
        return Ok(Outcome::Done);
    }
    if queues.is_empty() {
        writeln!(std::io::stderr(), "there are no such queues")?;
    }
    for (name, queue) in queues {
        let counts: Vec<String> =
            queue.jobs.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let counts = if counts.is_empty() { "no jobs".to_owned() } else { counts.join(", ") };
        let paused = if queue.paused_micros.is_some() { ", paused" } else { "" };
        writeln!(out, "{name:<16} {counts}{paused}")?;
    }
    Ok(Outcome::Done)
}

fn said(queue: &Queue, args: &QueueArgs, what: &str) -> anyhow::Result<Outcome> {
    let mut out = stdout();
    if args.json {
        let state = queue.queues()?.get(&*args.queue).cloned().unwrap_or_default();
        writeln!(out, "{}", shown(&args.queue, &state))?;
    } else {
        writeln!(out, "the queue {} {what}", args.queue)?;
    }
    Ok(Outcome::Done)
}
