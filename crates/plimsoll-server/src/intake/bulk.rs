//! The kind `bulk.update`: changes the rows that a file names.
//!
//! ```text
//!   the file, to its end: every change can be read? ── no: failed, nothing is changed
//!   from the checkpoint on: { 500 changes, checkpoint, fenced } ─> commit ─> the next 500
//!   at its end: { checkpoint: done, fenced } ─> the file goes ─> completed
//! ```
//!
//! Promises: a change and the checkpoint behind it are one transaction under the lease, so that it
//! happens once in the order of the file, whenever the job is killed.
//! Never: a change of a file of which some cannot be read.

use std::fs::File;
use std::sync::Arc;

use plimsoll::format::{Format, Position};
use plimsoll::limits::BODY_BYTES_MAX;
use plimsoll_jobs::{Ending, Handler, JobError, Progress, Run};
use plimsoll_store::{Priority, Store, Write, WriteUnit};
use serde::{Deserialize, Serialize};

use super::import::{failed, plain_bytes, written_by};
use super::{Asked, Intake};
use crate::routes::write::{Change, Changes, NAMED_MAX};
use crate::sealed::Sealed;
use crate::served::Served;

/// Changes of one transaction.
const ROWS: usize = 500;
/// And bytes of them.
const BYTES: usize = 256 << 10;

/// What the changes of a transaction hold at most: the last one may be as large as a row, and they
/// are told to the database once more.
pub(crate) const CHANGES_BYTES: u64 = 2 * (BYTES + BODY_BYTES_MAX) as u64;

/// See the module.
pub(super) struct Bulk(pub(super) Arc<Intake>);

/// How far it is, and what came of it.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Mark {
    byte_offset: u64,
    line: u64,
    record: u64,
    rows: u64,
    updated: u64,
    missing: u64,
    missing_keys: Vec<String>,
    /// All happened; the file may be gone, and the job is not over yet.
    #[serde(default)]
    done: bool,
}

/// What stays the same while it runs.
struct Work<'r, 'q> {
    run: &'r Run<'q>,
    store: Store,
    served: Arc<Served>,
    /// Of the file, where they are those of the rows.
    bytes: Option<u64>,
}

impl Handler for Bulk {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let intake = &self.0;
        let Some(context) = intake.home.context() else { return Ok(Ending::Stopped) };
        let asked = run.payload::<Sealed<Asked>>()?;
        let asked = intake.unseal(asked).ok_or_else(|| {
            JobError::hopeless("the payload was not made by this server; POST to /bulk-update")
        })?;
        let served = context.tables.whole(&asked.resource).ok_or_else(|| {
            JobError::hopeless(format!("'{}' is not served any more", asked.resource))
        })?;
        let before = run.checkpoint::<Mark>()?;
        if let Some(mark) = before.as_ref().filter(|mark| mark.done) {
            // It was over, but for saying so.
            return Ok(intake.changed(&asked, mark));
        }
        let open = || {
            File::open(intake.upload_path(&asked.token)).map_err(|e| {
                JobError::hopeless(format!("the file cannot be read ({}): send it again", e.kind()))
            })
        };
        let changes = |file: File| {
            let format = Format::from_name(&asked.format).unwrap_or(Format::Ndjson);
            Changes::open(served, Box::new(file), format).map_err(unreadable)
        };
        let file = open()?;
        let bytes = plain_bytes(&file).map_err(|e| JobError::again(e.to_string()))?;
        let store = written_by(&context, &asked)?;
        let work = Work { run, store, served: Arc::clone(served), bytes };
        let mut mark: Mark = match before {
            Some(mark) => mark,
            None if work.can_all_be_read(changes(open()?)?)? => Mark::default(),
            None => return Ok(Ending::Stopped),
        };
        let mut changes = changes(file)?;
        if mark.record > 0 {
            let Mark { byte_offset, line, record, .. } = mark;
            changes.resume_at(Position { byte_offset, line, record }).map_err(unreadable)?;
        }
        while work.some(&mut changes, &mut mark)? {
            if run.stop().is_some() {
                return Ok(Ending::Stopped);
            }
        }
        mark.done = true;
        let _no_rows = work.commit(Vec::new(), &mark)?;
        Ok(intake.changed(&asked, &mark))
    }
}

impl Intake {
    /// All changes happened, and it is written that they did: the file goes, and the job completes.
    fn changed(&self, asked: &Asked, mark: &Mark) -> Ending {
        self.discard(&asked.token);
        let Mark { rows, updated, missing, missing_keys, .. } = mark;
        let result = serde_json::json!({
            "rows": rows, "updated": updated, "missing": missing, "missing_keys": missing_keys,
        });
        Ending::Done { effects: Vec::new(), result: Some(result.to_string().into()) }
    }
}

fn unreadable(error: plimsoll::Error) -> JobError {
    failed(error.into())
}

impl Work<'_, '_> {
    /// Reads all changes; false where it was asked to stop.
    fn can_all_be_read(&self, mut changes: Changes) -> Result<bool, JobError> {
        while let Some(next) = changes.next().map_err(unreadable)? {
            if let Err(mistake) = next {
                let (line, detail) = (mistake.line, mistake.detail);
                let why = format!("nothing is changed: line {line}: {detail}");
                return Err(JobError::hopeless(why));
            }
            if changes.position().record.is_multiple_of(ROWS as u64) && self.run.stop().is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes the next changes; false at the end.
    fn some(&self, changes: &mut Changes, mark: &mut Mark) -> Result<bool, JobError> {
        let (mut names, mut writes, mut bytes) = (Vec::new(), Vec::new(), 0);
        while writes.len() < ROWS && bytes < BYTES {
            let Some(next) = changes.next().map_err(unreadable)? else { break };
            let change: Change = next.map_err(|mistake| JobError::hopeless(mistake.detail))?;
            bytes += change.bytes;
            names.push(change.name(&self.served));
            writes.push(change.write(&self.served));
        }
        if writes.is_empty() {
            return Ok(false);
        }
        let Position { byte_offset, line, record } = changes.position();
        (mark.byte_offset, mark.line, mark.record) = (byte_offset, line, record);
        mark.rows += writes.len() as u64;
        let rows = self.commit(writes, mark)?;
        for (changed, name) in rows.iter().zip(names) {
            if *changed > 0 {
                mark.updated += 1;
            } else {
                mark.missing += 1;
                if mark.missing_keys.len() < NAMED_MAX {
                    mark.missing_keys.push(name);
                }
            }
        }
        Ok(true)
    }

    /// Gives how many rows each write met.
    fn commit(&self, mut writes: Vec<Write>, mark: &Mark) -> Result<Vec<u64>, JobError> {
        let text = serde_json::to_string(mark)
            .map_err(|e| JobError::hopeless(format!("a checkpoint as JSON: {e}")))?;
        let total = self.bytes.map(|bytes| bytes.max(mark.byte_offset));
        let progress = Progress { done: mark.byte_offset, total, unit: Some("bytes".into()) };
        writes.push(self.run.checkpoint_write(&text, &progress)?);
        let now_micros = self.run.queue().now_micros();
        let unit = WriteUnit { writes, now_micros, ..WriteUnit::default() };
        let mut outcome = self.store.write(unit, Priority::Bulk).wait().map_err(failed)?;
        // The last is the checkpoint's own.
        let _own = outcome.rows.pop();
        Ok(outcome.rows)
    }
}
