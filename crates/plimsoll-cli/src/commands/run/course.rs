//! What is done with a command when.
//!
//! ```text
//!   Running ── two readings over the limit, or its time is over ──> Asked ── grace is over, or
//!      │                                                            ^  │     a quarter more
//!      └─ the command ended, others of it run ─> Left ─ grace ──────┘  └──> Killed ─ 10 s ─> stuck
//! ```
//!
//! Promises: a pure function of readings and times.
//! Never: a kill before it was asked, and one reading taken for the truth: between fork and exec
//! two processes show the same memory.

use std::time::Duration;

/// Readings over the limit, one after the other, before it is asked to stop.
const READINGS: u32 = 2;
/// Once asked, it may take this part of the limit more until it is killed before its grace is over.
const MORE_PART: u64 = 4;
/// What SIGKILL takes at most, but for processes that the kernel holds.
const KILLED: Duration = Duration::from_secs(10);

/// What a command may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of all its processes; without them it is only watched.
    pub(super) memory_bytes: Option<u64>,
    pub(super) time: Option<Duration>,
    /// From SIGTERM to SIGKILL.
    pub(super) grace: Duration,
}

/// Why it was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Memory,
    Time,
    /// Processes that were left when the command itself had ended.
    Left,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    /// SIGTERM to all.
    Ask,
    /// SIGKILL to all, again and again.
    Kill,
    /// It cannot be ended.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Running,
    Left { until: Duration },
    Asked { until: Duration, bytes: u64 },
    Killed { until: Duration },
}

/// The course of one command.
#[derive(Debug)]
pub(super) struct Course {
    bounds: Bounds,
    /// At which it is asked.
    limit_bytes: u64,
    stage: Stage,
    readings: u32,
    why: Option<Why>,
}

impl Course {
    /// Asks at `limit_bytes`.
    pub(super) fn new(bounds: Bounds, limit_bytes: u64) -> Self {
        Self { bounds, limit_bytes, stage: Stage::Running, readings: 0, why: None }
    }

    /// Why it was asked to stop, if it was.
    pub(super) fn why(&self) -> Option<Why> {
        self.why
    }

    /// Whether it was killed.
    pub(super) fn is_killed(&self) -> bool {
        matches!(self.stage, Stage::Killed { .. })
    }

    /// One reading over the limit wants another one soon.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.readings > 0
    }

    /// What follows from a reading at `now`; `over` once the command itself has ended.
    pub(super) fn decide(&mut self, now: Duration, bytes: u64, over: bool) -> Act {
        self.readings = if bytes > self.limit_bytes { self.readings + 1 } else { 0 };
        let exceeds = self.readings >= READINGS;
        let late = self.bounds.time.is_some_and(|time| now >= time);
        match self.stage {
            Stage::Running if over => {
                self.stage = Stage::Left { until: now + self.bounds.grace };
                Act::Nothing
            }
            Stage::Running if exceeds => self.ask(Why::Memory, now, bytes),
            Stage::Running if late => self.ask(Why::Time, now, bytes),
            Stage::Left { until } if exceeds || late || now >= until => {
                self.ask(Why::Left, now, bytes)
            }
            Stage::Asked { until, bytes: then } if now >= until || self.grew(then, bytes) => {
                self.stage = Stage::Killed { until: now + KILLED };
                Act::Kill
            }
            Stage::Killed { until } if now >= until => Act::GiveUp,
            Stage::Killed { .. } => Act::Kill,
            Stage::Running | Stage::Left { .. } | Stage::Asked { .. } => Act::Nothing,
        }
    }

    /// When something is to be done though nothing happens.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.stage {
            Stage::Running => self.bounds.time,
            Stage::Left { until } | Stage::Asked { until, .. } | Stage::Killed { until } => {
                Some(until)
            }
        }
    }

    fn ask(&mut self, why: Why, now: Duration, bytes: u64) -> Act {
        self.why = Some(why);
        self.stage = Stage::Asked { until: now + self.bounds.grace, bytes };
        Act::Ask
    }

    fn grew(&self, then: u64, bytes: u64) -> bool {
        let more = self.bounds.memory_bytes.map(|limit| limit / MORE_PART);
        more.is_some_and(|more| bytes > then.max(self.limit_bytes).saturating_add(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn course() -> Course {
        let bounds = Bounds { memory_bytes: Some(100), time: Some(60 * SECOND), grace: 5 * SECOND };
        Course::new(bounds, 100)
    }

    #[test]
    fn one_reading_over_the_limit_asks_for_another_and_two_ask_it_to_stop() {
        let mut course = course();
        assert_eq!(course.decide(SECOND, 101, false), Act::Nothing);
        assert!(course.is_in_doubt());
        assert_eq!(course.decide(SECOND, 100, false), Act::Nothing);
        assert_eq!(course.decide(SECOND, 200, false), Act::Nothing);
        assert_eq!(course.decide(SECOND, 200, false), Act::Ask);
        assert_eq!(course.why(), Some(Why::Memory));
        assert_eq!(course.decide(6 * SECOND - SECOND / 10, 200, false), Act::Nothing);
        assert_eq!(course.decide(6 * SECOND, 200, false), Act::Kill);
        assert_eq!(course.decide(7 * SECOND, 200, false), Act::Kill);
        assert_eq!(course.decide(16 * SECOND, 200, false), Act::GiveUp);
    }

    #[test]
    fn what_goes_on_growing_is_killed_before_its_grace_is_over() {
        let mut course = course();
        course.decide(SECOND, 150, false);
        assert_eq!(course.decide(SECOND, 150, false), Act::Ask);
        assert_eq!(course.decide(SECOND, 175, false), Act::Nothing);
        assert_eq!(course.decide(SECOND, 176, false), Act::Kill);
    }

    #[test]
    fn the_time_asks_and_what_is_left_behind_has_its_grace_first() {
        let mut late = course();
        assert_eq!(late.due(), Some(60 * SECOND));
        assert_eq!(late.decide(60 * SECOND, 1, false), Act::Ask);
        assert_eq!(late.why(), Some(Why::Time));
        let mut left = course();
        assert_eq!(left.decide(SECOND, 1, true), Act::Nothing);
        assert_eq!(left.decide(5 * SECOND, 1, true), Act::Nothing);
        assert_eq!(left.decide(6 * SECOND, 1, true), Act::Ask);
        assert_eq!(left.why(), Some(Why::Left));
    }

    #[test]
    fn without_a_limit_nothing_is_too_much() {
        let bounds = Bounds { memory_bytes: None, time: None, grace: SECOND };
        let mut course = Course::new(bounds, u64::MAX);
        assert_eq!(course.decide(SECOND, u64::MAX, false), Act::Nothing);
        assert_eq!(course.decide(SECOND, u64::MAX, false), Act::Nothing);
        assert_eq!(course.due(), None);
    }
}
