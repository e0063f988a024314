//! An entry of the cache: its key, its life, and where its value is.
//!
//! ```text
//!   value | place |
//!    yes  |  no   | hot
//!    yes  |  yes  | hot, with a copy on disk: leaving memory costs nothing
//!    no   |  yes  | cold
//! ```
//!
//! Promises: what key and tags hold is reserved for as long as the entry lives.
//! Never: an entry without value and place.

use std::sync::Arc;

use super::value::Stored;
use crate::budget::Reservation;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Neighbours of an entry in one of the lists it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) newer: u32,
    pub(super) older: u32,
}

impl Link {
    pub(super) const APART: Self = Self { newer: NONE, older: NONE };
}

/// A list that entries are in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
    /// Of those in memory.
    Hot,
    /// Of those in one segment on disk.
    Cold,
    /// Of those with the tag of this hash.
    Tag(u64),
}

/// An entry's membership of a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct TagLink {
    pub(super) tag: u64,
    pub(super) link: Link,
}

/// Where a record is: a segment, and its first byte there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) at: u32,
}

/// When a value was made, and until when it serves. Microseconds of the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) made_us: u64,
    pub(super) fresh_until_us: u64,
    pub(super) stale_until_us: u64,
}

impl Life {
    pub(super) fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.stale_until_us
    }

    pub(super) fn is_stale(&self, now_us: u64) -> bool {
        now_us >= self.fresh_until_us
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: u64,
    /// Which of all puts made it: a record on disk carries it too.
    pub(super) sequence: u64,
    pub(super) key: Box<[u8]>,
    pub(super) life: Life,
    pub(super) value: Option<Arc<Stored>>,
    /// Bytes of the value.
    pub(super) bytes: u32,
    /// Used since the hand of the hot tier passed.
    pub(super) used: bool,
    /// Used since it was put in.
    pub(super) proven: bool,
    pub(super) place: Option<Place>,
    pub(super) hot: Link,
    pub(super) cold: Link,
    pub(super) tags: Box<[TagLink]>,
    /// Of key and tags.
    pub(super) own: Reservation,
}

impl Entry {
    pub(super) fn link_mut(&mut self, line: Line) -> &mut Link {
        match line {
            Line::Hot => &mut self.hot,
            Line::Cold => &mut self.cold,
            Line::Tag(tag) => {
                let link = self.tags.iter_mut().find(|link| link.tag == tag);
                &mut link.expect("an entry is in the lists of its own tags").link
            }
        }
    }
}
