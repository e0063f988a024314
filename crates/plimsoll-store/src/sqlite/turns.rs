//! Turns of the processes that write to one file.
//!
//! ```text
//!   this process   ▓▓▓▓▓▓ commit ▓▓▓▓▓▓░░▓▓▓▓▓▓ commit ..      ░ left free where flushes are slow
//!   another one     . . . . . . . . . . .▓▓▓▓▓▓                . looks, once a millisecond
//! ```
//!
//! SQLite wakes nobody when its lock is free: who waits looks again, at last every 100 ms, and a
//! writer with work in line has taken it again within microseconds. On a disk whose flushes take a
//! second another process met a free lock by chance alone, and its leases ended.
//!
//! Promises: of two processes that write without a pause each has its turn.
//! Never: a rest on a disk that is fast enough for turns to come by themselves.

use std::thread::park_timeout;
use std::time::Duration;

use plimsoll::limits::DATABASE_BUSY_MS_MAX;

/// Between two looks at a lock that another process holds.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Commits that take less leave others their turn by chance, soon enough.
const SLOW: Duration = Duration::from_millis(20);
/// The part of a slow commit's time for which the lock is left free.
const REST_PART: u32 = 16;
/// And no longer: ten looks of another process.
const REST_MAX: Duration = Duration::from_millis(10);

/// Whether to look again at a lock, behind so many looks.
pub(super) fn again(looks: i32) -> bool {
    let looks_max = i32::try_from(DATABASE_BUSY_MS_MAX).unwrap_or(i32::MAX);
    if looks >= looks_max {
        return false;
    }
    // There is no signal: the lock is another process's.
    park_timeout(LOOK_EVERY);
    true
}

/// Leaves the lock free behind a commit that took so long.
pub(super) fn leave_free(took: Duration) {
    if let Some(rest) = rest(took) {
        park_timeout(rest);
    }
}

fn rest(took: Duration) -> Option<Duration> {
    (took >= SLOW).then(|| (took / REST_PART).min(REST_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slow_commits_are_followed_by_a_rest_and_it_has_a_bound() {
        let millis = Duration::from_millis;
        assert_eq!(rest(millis(19)), None);
        assert_eq!(rest(millis(32)), Some(millis(2)));
        assert_eq!(rest(millis(1_000)), Some(REST_MAX));
    }

    #[test]
    fn whoever_waits_gives_up_in_the_end() {
        assert!(again(0));
        assert!(!again(5_000));
    }
}
