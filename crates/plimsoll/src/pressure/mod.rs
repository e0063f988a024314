//! From samples of used bytes to a level of pressure.
//!
//! Promises: a rise shows at once, a fall after a dwell and below a lower mark, so that a reading
//! that trembles at a mark does not flip the level; once use is low the level always comes down.
//! Never: a clock or a reading of its own, or a level that stays by itself.
//!
//! ```text
//!   used / limit   .70   .75       .85   .90       .90   .95
//!                   │     │         │     │         │     │
//!      normal ──────┼─────┴> warning┼─────┴> critical ────┴> emergency     up: at once
//!      normal <─────┴─────── warning<┴────── critical<┴────── emergency     down: after the dwell
//! ```
//! A fall goes straight to the level the sample calls for; the dwell counts from the last change.

use std::fmt;

/// How close the process is to its limit, and so what it should do about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Below 75 %: everything is admitted.
    #[default]
    Normal,
    /// From 75 %: caches shrink.
    Warning,
    /// From 90 %: new work waits.
    Critical,
    /// From 95 %: new work is refused.
    Emergency,
}

/// Levels above normal with the share of the limit, in hundredths, they begin at.
const MARKS: [(Level, u64); 3] =
    [(Level::Emergency, 95), (Level::Critical, 90), (Level::Warning, 75)];
/// A level is left this many hundredths below where it begins.
const HYSTERESIS_PERCENT: u64 = 5;
/// A level stands at least this long before a lower one follows: longer than the allocator takes
/// to give pages back after the load has gone.
pub const DWELL_MS: u64 = 2_000;

impl Level {
    /// The level of one sample by itself.
    ///
    /// ```
    /// use plimsoll::pressure::Level;
    /// assert_eq!(Level::of(48, 64), Level::Warning);
    /// ```
    #[must_use]
    pub fn of(used_bytes: u64, limit_bytes: u64) -> Self {
        Self::above_marks(used_bytes, limit_bytes, 0)
    }

    fn above_marks(used_bytes: u64, limit_bytes: u64, lowered_percent: u64) -> Self {
        MARKS
            .into_iter()
            .find(|(_, percent)| reaches(used_bytes, limit_bytes, percent - lowered_percent))
            .map_or(Self::Normal, |(level, _)| level)
    }

    /// Its name in metrics and pages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The level over time.
///
/// ```
/// use plimsoll::pressure::{Gauge, Level};
/// let mut gauge = Gauge::default();
/// assert_eq!(gauge.update(58, 64, 0), Level::Critical);
/// // Lower now, but not for long enough.
/// assert_eq!(gauge.update(20, 64, 500), Level::Critical);
/// assert_eq!(gauge.update(20, 64, 2_000), Level::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    level: Level,
    changed_ms: u64,
}

impl Gauge {
    /// Takes a sample at `now_ms` of any clock and returns the level.
    pub fn update(&mut self, used_bytes: u64, limit_bytes: u64, now_ms: u64) -> Level {
        // A clock that was set back must not keep the level for the time it lost.
        self.changed_ms = self.changed_ms.min(now_ms);
        let rise = Level::of(used_bytes, limit_bytes);
        let fall = Level::above_marks(used_bytes, limit_bytes, HYSTERESIS_PERCENT);
        let dwelt = now_ms - self.changed_ms >= DWELL_MS;
        let next = if rise > self.level {
            rise
        } else if fall < self.level && dwelt {
            fall
        } else {
            self.level
        };
        if next != self.level {
            self.level = next;
            self.changed_ms = now_ms;
        }
        self.level
    }

    /// The level as of the last sample.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }
}

/// A second reading of the same gauge, in five grades at 50, 70, 85 and 95 %, without memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Below 50 %.
    None,
    /// From 50 %.
    Low,
    /// From 70 %.
    Medium,
    /// From 85 %.
    High,
    /// From 95 %.
    Critical,
}

impl Grade {
    /// The grade of one sample.
    ///
    /// ```
    /// use plimsoll::pressure::Grade;
    /// assert_eq!(Grade::of(45, 64).as_str(), "MEDIUM");
    /// ```
    #[must_use]
    pub fn of(used_bytes: u64, limit_bytes: u64) -> Self {
        [(Self::Critical, 95), (Self::High, 85), (Self::Medium, 70), (Self::Low, 50)]
            .into_iter()
            .find(|(_, percent)| reaches(used_bytes, limit_bytes, *percent))
            .map_or(Self::None, |(grade, _)| grade)
    }

    /// Its name in pages and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether `used` is at least `percent` hundredths of `limit`, exactly.
fn reaches(used_bytes: u64, limit_bytes: u64, percent: u64) -> bool {
    u128::from(used_bytes) * 100 >= u128::from(limit_bytes) * u128::from(percent)
}

#[cfg(test)]
mod tests;
