//! What becomes of an attempt that failed, and when the next one is.
//!
//! ```text
//!   error, timeout   attempts + 1, exceptions + 1 ─┬─ either is used up ─> failed
//!   asked for later  attempts + 1                 ─┘        neither     ─> retrying, at its time
//! ```
//!
//! The time between attempts is exponential backoff with full jitter: a random part of
//! `base · 2^(attempts - 1)`, at most an hour (Brooker, "Exponential Backoff And Jitter", 2015).
//!
//! Promises: pure.
//! Never: a random number of its own; it is given one.

use crate::job::Trying;
use crate::state::State;

/// Before the second attempt, at most.
pub const BACKOFF_BASE_MS: u64 = 5_000;
/// Before any attempt, at most.
pub const BACKOFF_MS_MAX: u64 = 3_600_000;

/// How an attempt ended that did not complete its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an error, or beyond its time.
    Failed,
    /// Its work asked to be tried again after this long.
    Later {
        /// From now.
        after_ms: u64,
    },
    /// It cannot succeed, however often it is tried.
    Hopeless,
}

/// What becomes of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// [`State::Retrying`] or [`State::Failed`].
    pub state: State,
    /// Its next time.
    pub not_before_micros: Option<i64>,
    /// Attempts that count, this one among them.
    pub attempts: u32,
    /// Of those, with an error.
    pub exceptions: u32,
}

/// Judges an attempt. `random` is uniform over all its values.
#[must_use]
pub fn judge(
    ended: Ended,
    trying: Trying,
    (attempts, exceptions): (u32, u32),
    now_micros: i64,
    random: u64,
) -> Verdict {
    let attempts = attempts.saturating_add(1);
    let is_error = !matches!(ended, Ended::Later { .. });
    let exceptions = exceptions.saturating_add(u32::from(is_error));
    let used_up = attempts >= trying.tries_max || exceptions >= trying.exceptions_max.max(1);
    if used_up || ended == Ended::Hopeless {
        return Verdict { state: State::Failed, not_before_micros: None, attempts, exceptions };
    }
    let wait_ms = match ended {
        Ended::Later { after_ms } => after_ms.min(366 * 86_400_000),
        Ended::Failed | Ended::Hopeless => backoff_ms(attempts, random),
    };
    let wait = i64::try_from(wait_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let not_before_micros = Some(now_micros.saturating_add(wait));
    Verdict { state: State::Retrying, not_before_micros, attempts, exceptions }
}

/// How long to wait behind so many attempts.
#[must_use]
pub fn backoff_ms(attempts: u32, random: u64) -> u64 {
    let doubled = BACKOFF_BASE_MS.checked_shl(attempts.saturating_sub(1).min(32));
    let most = doubled.unwrap_or(BACKOFF_MS_MAX).min(BACKOFF_MS_MAX);
    random % (most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRYING: Trying = Trying { tries_max: 3, exceptions_max: 2, timeout_ms: 1 };

    #[test]
    fn an_attempt_is_repeated_until_tries_or_exceptions_are_used_up() {
        let judged = |ended, before| judge(ended, TRYING, before, 1_000, 7);
        let first = judged(Ended::Failed, (0, 0));
        assert_eq!((first.state, first.attempts, first.exceptions), (State::Retrying, 1, 1));
        assert_eq!(first.not_before_micros, Some(1_000 + 7_000));
        assert_eq!(judged(Ended::Failed, (1, 1)).state, State::Failed, "exceptions");
        let later = judged(Ended::Later { after_ms: 2 }, (1, 1));
        assert_eq!((later.state, later.exceptions), (State::Retrying, 1));
        assert_eq!(later.not_before_micros, Some(3_000));
        assert_eq!(judged(Ended::Later { after_ms: 2 }, (2, 0)).state, State::Failed, "tries");
        assert_eq!(judged(Ended::Hopeless, (0, 0)).state, State::Failed);
    }

    #[test]
    fn a_backoff_is_a_random_part_of_a_bound_that_doubles_up_to_an_hour() {
        assert_eq!(backoff_ms(1, u64::MAX - 1) / (BACKOFF_BASE_MS + 1), 0);
        for attempts in 1..100 {
            let most = (0..200).map(|n| backoff_ms(attempts, n * 104_729)).max().unwrap_or(0);
            let bound = BACKOFF_MS_MAX.min(BACKOFF_BASE_MS << (attempts - 1).min(30));
            assert!(most <= bound && most > bound / 2, "{attempts}: {most} of {bound}");
        }
    }
}
