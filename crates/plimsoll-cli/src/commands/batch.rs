//! `plimsoll batch`: jobs that belong together, directly on the database.
//!
//! Promises: a batch that cannot be cancelled says what it is instead.
//! Never: a server needed for it.

use std::io::Write as _;

use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::record::Timestamp;
use plimsoll_jobs::{Batch, Queue, batch_document};
use plimsoll_store::catalogue::Pack;

use crate::args::{BatchCommand, BatchesArgs, Global};
use crate::exit::{Outcome, stdout};
use crate::{jobs, setup};

pub(crate) fn run(
    global: &Global,
    command: &BatchCommand,
    packs: &[Pack],
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let opened = jobs::open(&setup, packs)?;
    let queue = jobs::queue(&opened.store);
    let outcome = match command {
        BatchCommand::List(args) => list(&queue, args),
        BatchCommand::Show(args) => show(&queue, &args.batch, args.json),
        BatchCommand::Cancel(args) => {
            let id = queue.show_batch(&args.batch).wait()?.batch;
            queue.cancel_batch(&id)?;
            show(&queue, &id, args.json)
        }
    };
    opened.store.close()?;
    outcome
}

fn list(queue: &Queue, args: &BatchesArgs) -> anyhow::Result<Outcome> {
    let batches = queue.batches(args.limit).wait()?;
    let mut out = stdout();
    if args.json {
        let data: Vec<_> = batches.iter().map(batch_document).collect();
        writeln!(out, "{}", serde_json::Value::Array(data))?;
        return Ok(Outcome::Done);
    }
    if batches.is_empty() {
        writeln!(std::io::stderr(), "there are no batches")?;
    }
    for batch in batches {
        let over = batch.total.saturating_sub(batch.pending);
        let (id, name, state) = (&batch.batch, name(&batch), batch.state());
        writeln!(out, "{id:<32} {state:<10} {over} of {} jobs over  {name}", batch.total)?;
    }
    Ok(Outcome::Done)
}

/// Whoever began it may have named it with a line's end.
fn name(batch: &Batch) -> String {
    plimsoll::error::excerpt(&batch.name).to_string()
}

fn show(queue: &Queue, id: &str, as_json: bool) -> anyhow::Result<Outcome> {
    let batch = queue.show_batch(id).wait()?;
    let mut out = stdout();
    if as_json {
        writeln!(out, "{}", batch_document(&batch))?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "batch {}: {}", batch.batch, name(&batch))?;
    writeln!(out, "  {}", batch.state())?;
    let over = batch.total.saturating_sub(batch.pending);
    let Batch { total, completed, failed, cancelled, .. } = batch;
    writeln!(
        out,
        "  {over} of {total} jobs are over: {completed} completed, {failed} failed, {cancelled} \
         cancelled"
    )?;
    if let Some(job) = batch.failure {
        writeln!(out, "  the first that failed is job {job}; see plimsoll jobs show {job}")?;
    }
    writeln!(out, "  began {}", Timestamp::from_micros(batch.created_micros))?;
    if let Some(at) = batch.finished_micros {
        writeln!(out, "  over  {}", Timestamp::from_micros(at))?;
    }
    Ok(Outcome::Done)
}
