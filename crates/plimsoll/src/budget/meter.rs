//! From a reading of memory to the bytes that may be reserved.
//!
//! Promises: every byte is counted once, as reserved or as measured; filling a reservation moves
//! nothing; heap nobody reserved is not forgotten while reservations are still empty.
//! Never: a result that depends on who asks, or a clock.
//!
//! ```text
//!  0                                                              limit
//!  ├─ outside ─┼─ unreserved ─┼───────── reservable ─────┼─ headroom ─┤
//!  │ code,     │ heap nobody  │ reserved │     left      │ 8 %, at    │
//!  │ stacks    │ asked for    │          │               │ least 4 MiB│
//! ```
//!
//! `outside = resident - allocator's resident`, and
//! `unreserved = max(allocator's resident - reserved, live unreserved heap)`.
//!
//! Why the second term: a reservation is made before its bytes are allocated. Until they are, the
//! plain difference is short by the empty part, and the heap of the process itself would be lent
//! out twice. The live unreserved heap U is not measurable, but it lies between
//! `allocated - reserved` and `allocated`; the last estimate is kept inside these two and sinks
//! slowly to the lower one, so that a burst long gone is forgotten.
//!
//! A process with a limit of 64 MiB (headroom 5.1), in MiB:
//!
//! ```text
//!  moment                   resident allocator allocated reserved unreserved reservable  left
//!  started                        14         8         7        0          8       44.9  44.9
//!  30 reserved, still empty       14         8         7       30          7       45.9  15.9
//!  the 30 are filled              44        38        37       30          8       44.9  14.9
//!  freed, pages kept              44        38         7        0         38       14.9  14.9
//!  purged before a refusal        14         8         7        0          8       44.9  44.9
//! ```
//!
//! It cannot swing: between two readings `reservable` stands still and `left` falls by exactly
//! what is reserved; at a reading `left = limit - headroom - outside - max(allocator's resident,
//! U + reserved)`, which filling a reservation does not change.

use std::ops::RangeInclusive;

use super::probe::MemorySample;
use crate::limits::{HEADROOM_BYTES_MIN, HEADROOM_PERCENT};

/// The estimate sinks by this part of its excess per regular reading: half in about 4 s at ten
/// readings a second, longer than a reservation usually stays empty.
const SINK_DIVISOR: u64 = 64;
/// A purge walks every arena: below this gain it is not worth its milliseconds.
const PURGE_BYTES_MIN: u64 = 1 << 20;

/// Bytes kept free between what may be reserved and `limit_bytes`: 8 %, at least 4 MiB, but no
/// more than an eighth of a limit below 32 MiB.
///
/// ```
/// use plimsoll::budget::headroom_bytes;
/// assert_eq!(headroom_bytes(16 << 20), 2 << 20);
/// assert_eq!(headroom_bytes(32 << 20), 4 << 20);
/// assert_eq!(headroom_bytes(100 << 20), 8 << 20);
/// ```
#[must_use]
pub const fn headroom_bytes(limit_bytes: u64) -> u64 {
    // Divided in two steps so that no limit overflows.
    let share = limit_bytes / 100 * HEADROOM_PERCENT + limit_bytes % 100 * HEADROOM_PERCENT / 100;
    let eighth = limit_bytes / 8;
    let least = if eighth < HEADROOM_BYTES_MIN { eighth } else { HEADROOM_BYTES_MIN };
    if share > least { share } else { least }
}

/// Whether a reading came in its turn or because somebody is about to be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// One of the evenly spaced readings: the estimate may sink.
    Regular,
    /// Taken before a refusal: many of these say nothing about how much time has passed.
    OnDemand,
}

/// The last reading and what it means.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    sample: MemorySample,
    live_unreserved_bytes: u64,
    unreserved_bytes: u64,
    /// What the last purge could not give back, or less where there is less since.
    purged_slack_bytes: u64,
}

impl Meter {
    /// Takes in a reading made while what was reserved moved between the ends of `reserved_bytes`.
    ///
    /// The lower end counts for what is resident: bytes in doubt are measured ones until the next
    /// reading. The upper end counts for the live heap, whose estimate sinks slowly: a reservation
    /// dropped while the reading is made, with its bytes still in it, must not leave them there.
    pub(super) fn observe(
        &mut self,
        sample: MemorySample,
        reserved_bytes: RangeInclusive<u64>,
        reading: Reading,
    ) {
        let (reserved_min, reserved_max) = reserved_bytes.into_inner();
        let live_max = sample.allocator_allocated_bytes;
        let live_min = live_max.saturating_sub(reserved_max);
        let mut live = self.live_unreserved_bytes.clamp(live_min, live_max);
        if reading == Reading::Regular {
            live -= (live - live_min) / SINK_DIVISOR;
        }
        self.live_unreserved_bytes = live;
        self.unreserved_bytes =
            sample.allocator_resident_bytes.saturating_sub(reserved_min).max(live);
        self.purged_slack_bytes = self.purged_slack_bytes.min(sample.slack_bytes());
        self.sample = sample;
    }

    /// The most that may be reserved in total until the next reading.
    pub(super) fn reservable_bytes(&self, limit_bytes: u64) -> u64 {
        limit_bytes
            .saturating_sub(headroom_bytes(limit_bytes))
            .saturating_sub(self.outside_bytes())
            .saturating_sub(self.unreserved_bytes)
    }

    /// Resident, but not the allocator's: code, stacks, page tables of files.
    pub(super) fn outside_bytes(&self) -> u64 {
        self.sample.resident_bytes.saturating_sub(self.sample.allocator_resident_bytes)
    }

    pub(super) fn unreserved_bytes(&self) -> u64 {
        self.unreserved_bytes
    }

    /// Pages the allocator holds without using them.
    pub(super) fn slack_bytes(&self) -> u64 {
        self.sample.slack_bytes()
    }

    /// Whether a purge would give back more than the last one left.
    pub(super) fn purge_pays(&self) -> bool {
        self.slack_bytes() >= self.purged_slack_bytes.saturating_add(PURGE_BYTES_MIN)
    }

    /// The last reading was made after a purge.
    pub(super) fn purged(&mut self) {
        self.purged_slack_bytes = self.slack_bytes();
    }

    pub(super) fn sample(&self) -> MemorySample {
        self.sample
    }
}

#[cfg(test)]
mod tests;
