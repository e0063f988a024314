//! Where the time comes from.
//!
//! Promises: everything that depends on the time asks here, so that a test moves it.
//! Never: a lease that is judged by the wall clock; see `rescue`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall clock and a steady one.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970, UTC. May jump.
    fn now_micros(&self) -> i64;

    /// Since some moment, never backwards.
    fn steady(&self) -> Duration;
}

/// The machine's.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    began: std::time::Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { began: std::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now_micros(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }
}
