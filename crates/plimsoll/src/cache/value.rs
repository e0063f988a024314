//! A value the cache gives out, and what a look says about it.
//!
//! Promises: a value is reserved until the last reader lets it go, evicted or not.
//! Never: a copy for a reader.

use std::ops::Deref;
use std::sync::Arc;

use super::entry::Life;
use crate::budget::Reservation;

/// What one allocation of `bytes` takes of the allocator: jemalloc's classes, four to each
/// doubling from 128 bytes on, sixteen bytes apart below, and from 16 KiB on a page more.
pub(super) fn allocated_bytes(bytes: usize) -> u64 {
    const SMALL_BYTES_MAX: usize = 14 << 10;
    let class = match bytes {
        0 => 0,
        1..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    };
    let page = if bytes > SMALL_BYTES_MAX { 4096 } else { 0 };
    (class + page) as u64
}

#[derive(Debug)]
pub(super) struct Stored {
    bytes: Box<[u8]>,
    /// `None`: the budget refused, and the maker's bytes are passed on as they are.
    reservation: Option<Reservation>,
}

impl Stored {
    pub(super) fn new(bytes: Box<[u8]>, reservation: Option<Reservation>) -> Self {
        Self { bytes, reservation }
    }

    /// What a value of `bytes` is charged with: itself, and what is shared around it.
    pub(super) fn cost_bytes(bytes: usize) -> u64 {
        const COUNTS_BYTES: usize = 2 * size_of::<usize>();
        allocated_bytes(bytes) + allocated_bytes(COUNTS_BYTES + size_of::<Self>())
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.reservation.as_ref().map_or(0, Reservation::bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes out of the cache. Clones are the same bytes; they stay reserved until the last is
/// dropped, also when the entry has been evicted, replaced or invalidated meanwhile.
#[derive(Clone, Debug)]
pub struct CacheValue {
    stored: Arc<Stored>,
}

impl CacheValue {
    pub(super) fn new(stored: Arc<Stored>) -> Self {
        Self { stored }
    }
}

impl Deref for CacheValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.stored.bytes()
    }
}

impl AsRef<[u8]> for CacheValue {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Memory.
    Hot,
    /// The disk; it is in memory from now on.
    Cold,
    /// Made for this look, or for one that this one waited for.
    Made,
}

impl Source {
    /// The word for a header or a log: `hot`, `cold`, `made`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Cold => "cold",
            Self::Made => "made",
        }
    }
}

/// A value with what an answer says about it.
#[derive(Clone, Debug)]
pub struct Look {
    /// The bytes.
    pub value: CacheValue,
    /// Where they came from.
    pub source: Source,
    /// Microseconds since the value was made: `Age`.
    pub age_us: u64,
    /// Microseconds it is still fresh; 0 for a stale one.
    pub fresh_left_us: u64,
    /// Past its freshness, and served while it is made anew.
    pub stale: bool,
}

impl Look {
    pub(super) fn new(stored: &Arc<Stored>, source: Source, life: Life, now_us: u64) -> Self {
        Self {
            value: CacheValue::new(Arc::clone(stored)),
            source,
            age_us: now_us.saturating_sub(life.made_us),
            fresh_left_us: life.fresh_until_us.saturating_sub(now_us),
            stale: life.is_stale(now_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::allocated_bytes;

    #[test]
    fn an_allocation_is_charged_with_its_class() {
        let classes = [(0, 0), (1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (160, 160)];
        let larger = [(161, 192), (257, 320), (4097, 5120), (14 << 10, 14 << 10)];
        for (bytes, charged) in classes.into_iter().chain(larger) {
            assert_eq!(allocated_bytes(bytes), charged, "{bytes}");
        }
        assert_eq!(allocated_bytes(100_000), (112 << 10) + 4096);
    }
}
