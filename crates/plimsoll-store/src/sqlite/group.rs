//! One commit for the units that wait.
//!
//! Promises: a unit that fails is rolled back alone; every other unit of the group is committed;
//! nobody is answered before the commit; a failed commit fails the whole group.
//! Never: more than 20 ms of units in one group, so that another process's writer gets its turn.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plimsoll::limits::{GROUP_UNITS_MAX, WRITE_SLICE_MS_MAX};
use rusqlite::Connection;

use super::apply::apply;
use super::failure::{explain, is_failed_flush};
use super::memory::has_dangling_keys;
use super::turns;
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Promise;
use crate::write::WriteOutcome;
use crate::writer_lane::{Job, WriterLane};

type Answer = (Promise<WriteOutcome>, Result<WriteOutcome>);

/// Commits `first` and whatever waits behind it.
pub(super) fn commit_group(connection: &Connection, lane: &WriterLane, first: Job) {
    if let Err(e) = connection.execute_batch("begin immediate") {
        return first.promise.keep(Err(explain("beginning a write", &e)));
    }
    let until = Instant::now() + Duration::from_millis(WRITE_SLICE_MS_MAX);
    let mut answers: Vec<Answer> = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next {
        // A unit whose caller has gone before it began is not begun.
        if !job.promise.is_abandoned() {
            let outcome = in_savepoint(connection, job.unit);
            answers.push((job.promise, outcome));
        }
        let room = answers.len() < GROUP_UNITS_MAX && Instant::now() < until;
        // A statement that rolled the whole transaction back (disk full) ends the group.
        next = if room && !connection.is_autocommit() { lane.pop_now() } else { None };
    }
    if cfg!(feature = "sabotage-early-answer") {
        answers.drain(..).for_each(|(promise, outcome)| promise.keep(outcome));
    }
    let began = Instant::now();
    let committed = commit(connection);
    let took = began.elapsed();
    match committed {
        Ok(()) => {
            lane.commits.fetch_add(1, Ordering::Relaxed);
            lane.units.fetch_add(answers.len() as u64, Ordering::Relaxed);
            for (promise, outcome) in answers {
                promise.keep(outcome);
            }
        }
        Err((error, flush_failed)) => {
            if flush_failed {
                lane.poisoned.store(true, Ordering::Release);
                tracing::error!(error = %error, "a flush failed; the writer stops");
            }
            for (promise, outcome) in answers {
                // What failed by itself keeps its own reason.
                promise.keep(outcome.and_then(|_| Err(error.clone())));
            }
        }
    }
    turns::leave_free(took);
}

fn in_savepoint(connection: &Connection, unit: crate::WriteUnit) -> Result<WriteOutcome> {
    let fail = |e| explain("writing", &e);
    connection.prepare_cached("savepoint unit").and_then(|mut s| s.execute([])).map_err(fail)?;
    let trial = unit.trial;
    let applied = apply(connection, unit).and_then(|outcome| {
        // A deferred foreign key is checked by the commit, where it would fail the whole group.
        if outcome.refused.is_empty() && has_dangling_keys(connection) {
            let text =
                "writing: FOREIGN KEY constraint failed: a row refers to one that is not there";
            return Err(Error::new(ErrorKind::Conflict, text));
        }
        Ok(outcome)
    });
    match applied {
        // Refused rows are reported, so that the caller can leave them out and send the rest.
        Ok(outcome) if trial || !outcome.refused.is_empty() => {
            connection.execute_batch("rollback to unit; release unit").map_err(fail)?;
            Ok(outcome)
        }
        Ok(outcome) => {
            let mut release = connection.prepare_cached("release unit").map_err(fail)?;
            release.execute([]).map_err(fail)?;
            Ok(outcome)
        }
        Err(error) => {
            if !connection.is_autocommit() {
                connection.execute_batch("rollback to unit; release unit").map_err(fail)?;
            }
            Err(error)
        }
    }
}

fn commit(connection: &Connection) -> Result<(), (Error, bool)> {
    if connection.is_autocommit() {
        let error = Error::new(
            ErrorKind::DiskFull,
            "the transaction was rolled back as a whole: the disk is full or failed",
        );
        return Err((error, false));
    }
    connection.execute_batch("commit").map_err(|e| {
        let flush_failed = is_failed_flush(&e);
        let error = explain("committing", &e);
        // The transaction may still be open; without this every later begin would fail.
        if !connection.is_autocommit() {
            drop(connection.execute_batch("rollback"));
        }
        (error, flush_failed)
    })
}
