//! When a job writes its next checkpoint.
//!
//! ```text
//!   Items(n)      every n items             loses at most n items to a kill
//!   Every(t)      every t of work           loses at most t
//!   Measured      every sqrt(2 · c · m)     c: what a checkpoint costs, measured
//!                                           m: time between two failures, an hour unless told
//! ```
//!
//! The last is Young's approximation (J. W. Young, "A first order approximation to the optimum
//! checkpoint interval", CACM 17(9), 1974; Daly 2006 refines it where c is not small against m).
//!
//! Promises: pure but for the steady time it is given; never less often than every 60 s.
//! Never: a checkpoint because of a clock that jumped.

use std::time::Duration;

/// Between two checkpoints at most, whatever was measured: what is lost then is redone.
const MEASURED_MAX: Duration = Duration::from_secs(60);
/// And at least.
const MEASURED_MIN: Duration = Duration::from_millis(50);
/// Taken for the time between two failures where nobody says otherwise.
const FAILURE_EVERY: Duration = Duration::from_secs(3_600);

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Every so many items.
    Items(u64),
    /// Every so much time.
    Every(Duration),
    /// As often as it is worth, from what a checkpoint was seen to cost.
    Measured,
}

/// Says when.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    cadence: Cadence,
    items: u64,
    since: Duration,
    cost: Duration,
}

impl Pacer {
    /// From now on; `steady` is a clock that does not jump.
    #[must_use]
    pub fn new(cadence: Cadence, steady: Duration) -> Self {
        Self { cadence, items: 0, since: steady, cost: Duration::ZERO }
    }

    /// More items were done.
    pub fn did(&mut self, items: u64) {
        self.items = self.items.saturating_add(items);
    }

    /// Whether a checkpoint is due.
    #[must_use]
    pub fn is_due(&self, steady: Duration) -> bool {
        let worked = steady.saturating_sub(self.since);
        match self.cadence {
            Cadence::Items(items) => self.items >= items.max(1),
            Cadence::Every(time) => worked >= time,
            Cadence::Measured => worked >= young(self.cost, FAILURE_EVERY),
        }
    }

    /// A checkpoint was written, and took so long.
    pub fn wrote(&mut self, steady: Duration, took: Duration) {
        self.items = 0;
        self.since = steady;
        // Half of what was known, half of what was seen.
        self.cost = if self.cost.is_zero() { took } else { (self.cost + took) / 2 };
    }
}

fn young(cost: Duration, failure_every: Duration) -> Duration {
    let seconds = (2.0 * cost.as_secs_f64() * failure_every.as_secs_f64()).sqrt();
    Duration::from_secs_f64(seconds).clamp(MEASURED_MIN, MEASURED_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_costs_more_is_written_less_often_within_its_bounds() {
        let hour = Duration::from_secs(3_600);
        let ten = Duration::from_millis(10);
        // sqrt(2 · 0.01 s · 3600 s) = 8.49 s
        assert_eq!(young(ten, hour).as_millis(), 8_485);
        assert_eq!(young(Duration::ZERO, hour), MEASURED_MIN);
        assert_eq!(young(hour, hour), MEASURED_MAX);
        let mut pacer = Pacer::new(Cadence::Measured, Duration::ZERO);
        assert!(pacer.is_due(MEASURED_MIN), "the first one measures");
        pacer.wrote(MEASURED_MIN, ten);
        assert!(!pacer.is_due(Duration::from_secs(8)));
        assert!(pacer.is_due(Duration::from_secs(9)));
    }

    #[test]
    fn items_and_times_are_counted_from_the_last_checkpoint() {
        let mut pacer = Pacer::new(Cadence::Items(3), Duration::ZERO);
        pacer.did(2);
        assert!(!pacer.is_due(Duration::from_secs(99)));
        pacer.did(1);
        assert!(pacer.is_due(Duration::ZERO));
        pacer.wrote(Duration::ZERO, Duration::ZERO);
        assert!(!pacer.is_due(Duration::ZERO));
        let every = Pacer::new(Cadence::Every(Duration::from_secs(5)), Duration::from_secs(10));
        assert!(!every.is_due(Duration::from_secs(14)) && every.is_due(Duration::from_secs(15)));
    }
}
