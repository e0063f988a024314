//! The line in front of a writer thread.
//!
//! ```text
//!   push ──> urgent ▓  normal ▓▓▓  bulk ▓▓ ──> pop: urgent before normal before bulk
//! ```
//!
//! Promises: bounded; closing wakes the writer; once poisoned every unit is refused.
//! Never: blocks the one who pushes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use plimsoll::limits::WRITES_WAITING_MAX;

use crate::error::{Error, ErrorKind};
use crate::identity::Identity;
use crate::pending::Promise;
use crate::write::{Priority, WriteOutcome, WriteUnit};

/// A unit with the one who waits for it.
pub(crate) struct Job {
    pub(crate) unit: WriteUnit,
    pub(crate) promise: Promise<WriteOutcome>,
    /// As whom its rows are written, where that is not the connection's own role.
    pub(crate) identity: Option<Arc<Identity>>,
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
pub(crate) struct WriterLane {
    queue: Mutex<Queue>,
    pushed: Condvar,
    pub(crate) poisoned: AtomicBool,
    pub(crate) commits: AtomicU64,
    pub(crate) units: AtomicU64,
}

impl WriterLane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over a unit, or answers at once why not.
    pub(crate) fn push(&self, priority: Priority, job: Job) {
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

    /// Transactions at most that it has begun, those within others counted.
    pub(crate) fn transactions(&self) -> u64 {
        self.commits.load(Ordering::Relaxed) + self.units.load(Ordering::Relaxed)
    }

    /// Units in line.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// The next unit if one is there.
    pub(crate) fn pop_now(&self) -> Option<Job> {
        self.lock().pop()
    }

    /// Waits for a unit; `None` once closed and empty.
    pub(crate) fn pop_wait(&self) -> Option<Job> {
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
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.pushed.notify_all();
    }
}

/// What a poisoned writer answers.
pub(crate) fn poisoned() -> Error {
    Error::new(
        ErrorKind::Stopped,
        "a flush to the disk or the writer itself failed, so nothing is written any more: see the \
         log, check the disk, then restart; everything acknowledged before is there",
    )
}
