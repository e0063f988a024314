//! The one writer thread.
//!
//! ```text
//!   queue (urgent, normal, bulk) ── drain what waits, at most 256 units or 20 ms ──> group
//!   group ── BEGIN IMMEDIATE, each unit in its SAVEPOINT, COMMIT ──> answers to all
//! ```
//!
//! Promises: urgent before normal before bulk; an answer only after the commit; after a failed
//! flush or a panic no further unit is accepted, and nobody is left waiting.
//! Never: waits for company. A lone unit is committed at once; while its commit flushes, others
//! gather, and the next group takes them all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::group::commit_group;
use crate::writer_lane::{WriterLane, poisoned};

/// The writer thread's whole life.
pub(super) fn run(connection: &mut Connection, lane: &WriterLane) {
    while let Some(first) = lane.pop_wait() {
        if lane.poisoned.load(Ordering::Acquire) {
            first.promise.keep(Err(poisoned()));
            continue;
        }
        let run = AssertUnwindSafe(|| commit_group(connection, lane, first));
        if catch_unwind(run).is_err() {
            lane.poisoned.store(true, Ordering::Release);
            tracing::error!("the writer panicked; nothing is written any more");
            if !connection.is_autocommit() {
                drop(connection.execute_batch("rollback"));
            }
        }
    }
}
