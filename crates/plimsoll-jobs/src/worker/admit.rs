//! Which of the jobs that wait for memory goes next.
//!
//! ```text
//!   waiting, in the order of their claims:   A (2 GiB)   B (1 MiB)   C (1 MiB)
//!     A fits                    -> A
//!     A does not, for a moment  -> B, C pass it
//!     A has waited for 5 s      -> nobody passes: what ends makes room for A
//! ```
//!
//! Promises: pure; a job that fits into an empty worker runs at last, however many small ones come.
//! Never: two jobs at a time where one of them is under suspicion: after a crash a job runs alone,
//! so that the next crash is its own.

use std::time::Duration;

/// A job may be passed this long.
pub(crate) const PASSED_MAX: Duration = Duration::from_secs(5);

/// A job that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    /// It had crashed before.
    pub(crate) alone: bool,
    pub(crate) waited: Duration,
}

/// The place of the one that goes next, among those that wait in order.
pub(crate) fn next(
    waiting: &[Waiting],
    running: usize,
    one_is_alone: bool,
    mut fits: impl FnMut(u64) -> bool,
) -> Option<usize> {
    if one_is_alone {
        return None;
    }
    for (place, job) in waiting.iter().enumerate() {
        let may = !job.alone || running == 0;
        if may && fits(job.bytes) {
            return Some(place);
        }
        if job.waited >= PASSED_MAX {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(bytes: u64, seconds: u64) -> Waiting {
        Waiting { bytes, alone: false, waited: Duration::from_secs(seconds) }
    }

    #[test]
    fn small_jobs_pass_a_large_one_for_a_while_and_not_for_ever() {
        let fits = |bytes| bytes <= 10;
        assert_eq!(next(&[waiting(20, 0), waiting(5, 0)], 1, false, fits), Some(1));
        assert_eq!(next(&[waiting(20, 5), waiting(5, 0)], 1, false, fits), None);
        assert_eq!(next(&[waiting(10, 9), waiting(5, 0)], 1, false, fits), Some(0));
        assert_eq!(next(&[], 0, false, fits), None);
    }

    #[test]
    fn a_job_that_crashed_runs_alone() {
        let suspect = Waiting { alone: true, ..waiting(1, 0) };
        assert_eq!(next(&[suspect], 1, false, |_| true), None);
        assert_eq!(next(&[suspect, waiting(1, 0)], 1, false, |_| true), Some(1));
        assert_eq!(next(&[suspect], 0, false, |_| true), Some(0));
        assert_eq!(next(&[waiting(1, 0)], 1, true, |_| true), None);
    }
}
