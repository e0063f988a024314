//! Whether a worker looks for jobs again and again, or waits to be told of them.
//!
//! ```text
//!   looks, every poll ── nothing for 2 s ──> says that it waits ── half a second of looks ─┐
//!     ^                                                                                   v
//!     └──── a job was there, or nobody is told any more: takes it back ──── waits, and looks
//!                                                                          once a second
//! ```
//!
//! Promises: pure; it says so once in two seconds at most.
//! Never: a wait without a bound.

use std::time::Duration;

/// Without a job for so long it waits to be told.
const QUIET: Duration = Duration::from_secs(2);
/// Whoever enqueued before it said so has committed by then, or is found by the looks that are
/// left.
const SETTLES: Duration = Duration::from_millis(500);

/// What to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    Nothing,
    /// It waits to be told.
    Waits,
    /// It looks by itself.
    Looks,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Idle {
    /// When the last job was found.
    found: Duration,
    /// Since when it is said that it waits.
    waits: Option<Duration>,
}

impl Idle {
    pub(super) fn new(now: Duration) -> Self {
        Self { found: now, waits: None }
    }

    /// What is to be said behind a look; [`Idle::said`] when it was.
    pub(super) fn looked(&mut self, now: Duration, found: bool, is_told: bool) -> Say {
        if found {
            self.found = now;
        }
        match self.waits {
            None if is_told && now.saturating_sub(self.found) >= QUIET => Say::Waits,
            Some(_) if found || !is_told => Say::Looks,
            _ => Say::Nothing,
        }
    }

    pub(super) fn said(&mut self, now: Duration, said: Say) {
        match said {
            Say::Waits => self.waits = Some(now),
            Say::Looks => self.waits = None,
            Say::Nothing => {}
        }
    }

    pub(super) fn waits(&self) -> bool {
        self.waits.is_some()
    }

    /// Until the next look at most.
    pub(super) fn pause(&self, now: Duration, poll: Duration, net: Duration) -> Duration {
        match self.waits {
            Some(since) if now.saturating_sub(since) >= SETTLES => net,
            _ => poll,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_millis(40);
    const NET: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_worker_waits_to_be_told_behind_two_quiet_seconds_and_looks_again_behind_a_job() {
        let mut idle = Idle::new(at(0));
        assert_eq!(idle.looked(at(1_900), false, true), Say::Nothing);
        assert_eq!(idle.looked(at(2_000), false, true), Say::Waits);
        idle.said(at(2_000), Say::Waits);
        assert_eq!(idle.pause(at(2_400), POLL, NET), POLL, "it settles");
        assert_eq!(idle.pause(at(2_500), POLL, NET), NET);
        assert_eq!(idle.looked(at(3_000), false, true), Say::Nothing);
        assert_eq!(idle.looked(at(4_000), true, true), Say::Looks);
        idle.said(at(4_000), Say::Looks);
        assert_eq!(idle.pause(at(4_000), POLL, NET), POLL);
        assert_eq!(idle.looked(at(5_900), false, true), Say::Nothing);
    }

    #[test]
    fn a_worker_that_is_not_told_never_waits_and_one_that_is_told_no_more_looks_at_once() {
        let mut idle = Idle::new(at(0));
        assert_eq!(idle.looked(at(60_000), false, false), Say::Nothing);
        assert_eq!(idle.pause(at(60_000), POLL, NET), POLL);
        assert_eq!(idle.looked(at(60_000), false, true), Say::Waits);
        idle.said(at(60_000), Say::Waits);
        assert!(idle.waits());
        assert_eq!(idle.looked(at(61_000), false, false), Say::Looks);
    }
}
