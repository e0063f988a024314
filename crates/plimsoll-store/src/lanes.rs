//! The waiting line in front of the reader threads.
//!
//! ```text
//!   push ──> interactive ▓▓        ┐ take: interactive first,
//!            bulk        ▓▓▓▓▓▓▓   ┘ but every fourth pick is bulk's
//! ```
//!
//! Promises: bounded; neither lane starves the other; closing wakes every thread.
//! Never: blocks the one who pushes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::read::ReadLane;

/// Every this many picks, the bulk lane goes first.
const BULK_EVERY: u64 = 4;

struct Line<T> {
    interactive: VecDeque<T>,
    bulk: VecDeque<T>,
    picks: u64,
    open: bool,
}

/// A bounded line of two lanes.
pub(crate) struct Lanes<T> {
    line: Mutex<Line<T>>,
    pushed: Condvar,
    waiting_max: usize,
}

impl<T> Lanes<T> {
    pub(crate) fn new(waiting_max: usize) -> Self {
        let line =
            Line { interactive: VecDeque::new(), bulk: VecDeque::new(), picks: 0, open: true };
        Self { line: Mutex::new(line), pushed: Condvar::new(), waiting_max }
    }

    fn lock(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item in line, or gives it back when the line is full or closed.
    pub(crate) fn push(&self, lane: ReadLane, item: T) -> Result<(), T> {
        let mut line = self.lock();
        if !line.open || line.interactive.len() + line.bulk.len() >= self.waiting_max {
            return Err(item);
        }
        match lane {
            ReadLane::Interactive => line.interactive.push_back(item),
            ReadLane::Bulk => line.bulk.push_back(item),
        }
        drop(line);
        self.pushed.notify_one();
        Ok(())
    }

    /// Waits for an item; `None` once closed and empty.
    pub(crate) fn take(&self) -> Option<T> {
        let mut line = self.lock();
        loop {
            line.picks = line.picks.wrapping_add(1);
            let bulk_first = line.picks.is_multiple_of(BULK_EVERY);
            let picked = if bulk_first {
                line.bulk.pop_front().or_else(|| line.interactive.pop_front())
            } else {
                line.interactive.pop_front().or_else(|| line.bulk.pop_front())
            };
            if picked.is_some() || !line.open {
                return picked;
            }
            // The wait gives the lock back and takes it again in one step, so a push between the
            // look above and the wait cannot be missed.
            line = self.pushed.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Items in line.
    pub(crate) fn waiting(&self) -> usize {
        let line = self.lock();
        line.interactive.len() + line.bulk.len()
    }

    /// Refuses new items and lets the takers finish what is in line.
    pub(crate) fn close(&self) {
        self.lock().open = false;
        self.pushed.notify_all();
    }
}
