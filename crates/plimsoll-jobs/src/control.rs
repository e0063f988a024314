//! What is asked of a job while it runs.
//!
//! ```text
//!   keeper (wishes, lost lease, time) ─┐
//!   worker (shutdown, memory) ─────────┴─> Control ─> Run::stop, looked at by the handler
//! ```
//!
//! Promises: the first reason stays, but that a lost lease is told whatever was asked before.
//! Never: a lock.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use crate::job::Lease;

/// Why a job is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody paused it: save, and give it back.
    Pause,
    /// Somebody cancelled it.
    Cancel,
    /// The worker ends: save, and give it back.
    Shutdown,
    /// Its memory is needed: save, and give it back.
    Memory,
    /// Its time is over.
    Timeout,
    /// It is another's by now: nothing it writes is taken.
    LeaseLost,
}

const STOPS: [Stop; 6] =
    [Stop::Pause, Stop::Cancel, Stop::Shutdown, Stop::Memory, Stop::Timeout, Stop::LeaseLost];

/// One running job, seen from outside.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) lease: Lease,
    /// By the steady clock, in milliseconds; none before it begins.
    deadline_ms: AtomicU64,
    /// Zero for none, else one more than its place among [`STOPS`].
    stop: AtomicU8,
}

impl Control {
    pub(crate) fn new(lease: Lease) -> Self {
        Self { lease, deadline_ms: AtomicU64::new(u64::MAX), stop: AtomicU8::new(0) }
    }

    /// It begins, and is to end by then.
    pub(crate) fn begin(&self, deadline: Duration) {
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        self.deadline_ms.store(deadline_ms, Ordering::Release);
    }

    /// For how long it is over its time.
    pub(crate) fn late(&self, steady: Duration) -> Option<Duration> {
        let deadline = Duration::from_millis(self.deadline_ms.load(Ordering::Acquire));
        steady.checked_sub(deadline)
    }

    pub(crate) fn ask(&self, stop: Stop) {
        let place = STOPS.iter().position(|known| *known == stop).unwrap_or_default();
        let number = u8::try_from(place + 1).unwrap_or_default();
        if stop == Stop::LeaseLost {
            return self.stop.store(number, Ordering::Release);
        }
        // Who was asked before has its reason.
        let _asked_before =
            self.stop.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(crate) fn stop(&self) -> Option<Stop> {
        let number = usize::from(self.stop.load(Ordering::Acquire));
        number.checked_sub(1).and_then(|place| STOPS.get(place).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_no_time_before_it_begins() {
        let control = Control::new(Lease { id: 1, token: 1 });
        assert_eq!(control.late(Duration::from_secs(9)), None);
        control.begin(Duration::from_secs(5));
        assert_eq!(control.late(Duration::from_secs(4)), None);
        assert_eq!(control.late(Duration::from_secs(9)), Some(Duration::from_secs(4)));
    }

    #[test]
    fn the_first_reason_stays_but_for_a_lost_lease() {
        let control = Control::new(Lease { id: 1, token: 1 });
        assert_eq!(control.stop(), None);
        control.ask(Stop::Memory);
        control.ask(Stop::Timeout);
        assert_eq!(control.stop(), Some(Stop::Memory));
        control.ask(Stop::LeaseLost);
        assert_eq!(control.stop(), Some(Stop::LeaseLost));
    }
}
