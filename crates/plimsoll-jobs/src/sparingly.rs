//! A look that may become dear, and how often it is worth its time.
//!
//! ```text
//!   looks ─ took 2 ms ─> any time        took 700 ms ─> again when 20 times that has passed
//! ```
//!
//! On PostgreSQL an index keeps what left it until no snapshot is older than that. Beside one long
//! transaction a look at the running jobs, or at the first ready one, passes all that were so for
//! hours.
//!
//! Promises: such looks take no more than their share of the time, and none that is cheap is left
//! out; one that was slow once, since the machine was busy, is not taken for dear.
//! Never: a clock of its own.

use std::time::Duration;

/// Looks that are shorter than this are not counted.
const CHEAP: Duration = Duration::from_millis(10);

/// When it was done, and how long it took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sparingly {
    ended: Option<Duration>,
    /// The last and the one before.
    took: [Duration; 2],
}

impl Sparingly {
    /// Whether it is time, where it may take one part in `share` of it.
    pub(crate) fn is_due(&self, now: Duration, share: u32) -> bool {
        self.is_due_within(now, share, Duration::MAX)
    }

    /// Likewise, and never longer than `most` after the last one.
    pub(crate) fn is_due_within(&self, now: Duration, share: u32, most: Duration) -> bool {
        let took = self.took[0].min(self.took[1]);
        let wait = (took * share).min(most);
        took < CHEAP || self.ended.is_none_or(|ended| now.saturating_sub(ended) >= wait)
    }

    /// It was done.
    pub(crate) fn done(&mut self, began: Duration, ended: Duration) {
        self.ended = Some(ended);
        self.took = [ended.saturating_sub(began), self.took[0]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_slow_twice_is_done_less_often() {
        let at = Duration::from_millis;
        let mut look = Sparingly::default();
        assert!(look.is_due(at(0), 20));
        look.done(at(1_000), at(1_500));
        assert!(look.is_due(at(1_500), 20), "slow once");
        look.done(at(1_500), at(2_100));
        assert!(!look.is_due(at(2_100), 20) && !look.is_due(at(12_099), 20));
        assert!(look.is_due(at(12_100), 20), "20 times the 500 ms have passed");
        assert!(look.is_due_within(at(4_100), 20, at(2_000)), "it has a bound");
        look.done(at(12_100), at(12_105));
        assert!(look.is_due(at(12_105), 20), "cheap again");
    }
}
