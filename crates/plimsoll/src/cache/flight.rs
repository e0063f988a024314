//! One value in the making, and those who wait for it.
//!
//! ```text
//!            maker finishes ──> Made: all have it
//!   Making ─ maker fails ─────> Failed: all are told
//!     ^ └─── maker is gone ───> Vacant ── the first who looks takes over ─┐
//!     └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Promises: a waiter is woken by every outcome, a panic of the maker among them.
//! Never: two makers of one flight.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::value::Look;
use crate::budget::Reservation;
use crate::error::ErrorKind;

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
    waiting: Mutex<Waiters>,
    changed: Condvar,
    /// Of key and flight.
    _own: Reservation,
}

#[derive(Clone, Debug)]
pub(super) enum Stage {
    Making,
    Vacant,
    Made(Look),
    Failed(ErrorKind, Arc<str>),
}

#[derive(Debug)]
pub(super) struct Waiters {
    pub(super) stage: Stage,
    pub(super) waiters: usize,
    /// Of those that are futures, by their number.
    wakers: Vec<(u64, Waker)>,
    next: u64,
}

impl Waiters {
    /// The answer, if there is one; a vacancy is taken.
    pub(super) fn answer(&mut self) -> Option<Stage> {
        match &self.stage {
            Stage::Making => None,
            Stage::Vacant => Some(std::mem::replace(&mut self.stage, Stage::Making)),
            done => Some(done.clone()),
        }
    }

    /// A number for one who waits.
    pub(super) fn join(&mut self) -> u64 {
        self.waiters += 1;
        self.next += 1;
        self.next
    }

    /// Notes whom to wake; what was noted before is returned, to be dropped outside.
    pub(super) fn note(&mut self, number: u64, waker: Waker) -> Option<Waker> {
        match self.wakers.iter_mut().find(|(other, _)| *other == number) {
            Some((_, known)) => Some(std::mem::replace(known, waker)),
            None => {
                self.wakers.push((number, waker));
                None
            }
        }
    }

    pub(super) fn leave(&mut self, number: u64) -> Option<Waker> {
        self.waiters -= 1;
        let at = self.wakers.iter().position(|(other, _)| *other == number)?;
        Some(self.wakers.swap_remove(at).1)
    }
}

impl Flight {
    pub(super) fn new(hash: u64, key: &[u8], own: Reservation) -> Self {
        let waiters = Waiters { stage: Stage::Making, waiters: 0, wakers: Vec::new(), next: 0 };
        let (waiting, changed) = (Mutex::new(waiters), Condvar::new());
        Self { hash, key: key.into(), waiting, changed, _own: own }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves on, and wakes all who wait.
    pub(super) fn set(&self, stage: Stage) {
        let woken = {
            let mut waiters = self.lock();
            waiters.stage = stage;
            std::mem::take(&mut waiters.wakers)
        };
        self.changed.notify_all();
        for (_, waker) in woken {
            waker.wake();
        }
    }

    /// Waits on this thread for an answer, at most `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> Option<Stage> {
        let waiters = self.lock();
        let making = |waiters: &mut Waiters| matches!(waiters.stage, Stage::Making);
        let waited = self.changed.wait_timeout_while(waiters, timeout, making);
        waited.unwrap_or_else(PoisonError::into_inner).0.answer()
    }
}
