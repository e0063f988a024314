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

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use plimsoll::limits::WRITES_WAITING_MAX;
use rusqlite::Connection;

use super::group::commit_group;
use crate::error::{Error, ErrorKind};
use crate::pending::Promise;
use crate::write::{Priority, WriteOutcome, WriteUnit};

/// A unit with the one who waits for it.
pub(super) struct Job {
    pub(super) unit: WriteUnit,
    pub(super) promise: Promise<WriteOutcome>,
}

#[derive(Default)]
struct Queue {
    by_priority: [VecDeque<Job>; 3],
    closed: bool,
}

impl Queue {
    fn len(&self) -> usize {
        self.by_priority.iter().map(VecDeque::len).sum()
    }

    fn pop(&mut self) -> Option<Job> {
        self.by_priority.iter_mut().find_map(VecDeque::pop_front)
    }
}

/// What the writer thread and those who hand it units share.
#[derive(Default)]
pub(super) struct WriterLane {
    queue: Mutex<Queue>,
    pushed: Condvar,
    pub(super) poisoned: AtomicBool,
    pub(super) commits: AtomicU64,
    pub(super) units: AtomicU64,
}

impl WriterLane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a unit, or answers at once why not.
    pub(super) fn push(&self, priority: Priority, job: Job) {
        if self.poisoned.load(Ordering::Acquire) {
            return job.promise.keep(Err(poisoned()));
        }
        let mut queue = self.lock();
        if queue.closed {
            drop(queue);
            let gone = Error::new(ErrorKind::Stopped, "the store is shutting down");
            return job.promise.keep(Err(gone));
        }
        if queue.len() >= WRITES_WAITING_MAX {
            drop(queue);
            return job.promise.keep(Err(Error::new(
                ErrorKind::Busy,
                format!("{WRITES_WAITING_MAX} writes wait already; try again"),
            )));
        }
        queue.by_priority[priority as usize].push_back(job);
        drop(queue);
        self.pushed.notify_one();
    }

    /// Units in line.
    pub(super) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// The next unit if one is there.
    pub(super) fn pop_now(&self) -> Option<Job> {
        self.lock().pop()
    }

    fn pop_wait(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.pop() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            // Unlock and sleep are one step: a push after the look above wakes this wait.
            queue = self.pushed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Refuses new units; the thread ends once the line is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.pushed.notify_all();
    }
}

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

pub(super) fn poisoned() -> Error {
    Error::new(
        ErrorKind::Stopped,
        "a flush to the disk or the writer itself failed, so nothing is written any more: see the \
         log, check the disk, then restart; everything acknowledged before is there",
    )
}
