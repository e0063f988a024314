//! How large a cache is, and where its cold tier goes.
//!
//! Promises: what a cache holds whatever happens is reserved when it is built.
//! Never: a bound that is raised later because there is room.

use std::sync::Arc;

use super::Cache;
use super::cold::{Cold, SEGMENTS_MIN};
use super::filling;
use super::flights::Flights;
use super::index::Index;
use super::revocations::Revocations;
use super::shared::{Accounts, Disk, Shared};
use super::state::State;
use super::value::Stored;
use crate::budget::{Node, Reclaimer};
use crate::error::{Error, Result};
use crate::limits::{
    CACHE_KEY_BYTES_MAX, CACHE_MEMORY_BYTES_MIN, CACHE_SEGMENT_BYTES, CACHE_SEGMENTS_MAX,
    CACHE_VALUE_BYTES_MAX,
};
use crate::spill::SpillArea;
use crate::units::ByteSize;

/// Memory of a cache whose builder names none.
const MEMORY_BYTES_DEFAULT: u64 = 8 << 20;
/// Largest key and value where the builder names none.
const KEY_BYTES_DEFAULT: usize = 512;
const VALUE_BYTES_DEFAULT: usize = 256 << 10;
/// One value takes at most this share of the memory.
const VALUE_SHARE: u64 = 4;
/// Middling among the reclaimers: what is lost can be made again.
const RECLAIM_COST_DEFAULT: u32 = 10;

/// What one entry may be, and what losing entries costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) key_bytes_max: usize,
    pub(super) value_bytes_max: usize,
    pub(super) reclaim_cost: u32,
}

/// Bounds of a cache that is about to be built.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::cache::Cache;
/// # use plimsoll::spill::{SpillArea, SpillOptions};
/// # use plimsoll::storage::Disk;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let node = budget.child("cache", 12 << 20)?;
/// let pages = Cache::builder()
///     .memory_bytes(8 << 20)
///     .value_bytes_max(64 << 10)
///     .cold(&area, 256 << 20)
///     .build(&node)?;
/// assert!(pages.can_allocate(64 << 10));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CacheBuilder {
    memory_bytes: u64,
    bounds: Bounds,
    cold: Option<(SpillArea, u64)>,
}

impl CacheBuilder {
    pub(super) fn new() -> Self {
        let bounds = Bounds {
            key_bytes_max: KEY_BYTES_DEFAULT,
            value_bytes_max: VALUE_BYTES_DEFAULT,
            reclaim_cost: RECLAIM_COST_DEFAULT,
        };
        Self { memory_bytes: MEMORY_BYTES_DEFAULT, bounds, cold: None }
    }

    /// Bytes of values in memory, and of the index of both tiers. 8 MiB where it is not called.
    ///
    /// Not in it: two segments in memory where there is a cold tier, 264 KiB each unless values
    /// may be larger, and 48 KiB for makings and what was revoked. The node needs room for those
    /// as well.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// The largest key, in bytes; 512 where it is not called.
    #[must_use]
    pub fn key_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.key_bytes_max = bytes;
        self
    }

    /// The largest value, in bytes; 256 KiB where it is not called. A segment of the cold tier
    /// holds the largest value, so two of those are reserved.
    #[must_use]
    pub fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.bounds.value_bytes_max = bytes;
        self
    }

    /// What losing entries costs compared with other reclaimers of the budget; the lowest is asked
    /// first. 10 where it is not called.
    #[must_use]
    pub fn reclaim_cost(mut self, cost: u32) -> Self {
        self.bounds.reclaim_cost = cost;
        self
    }

    /// Keeps what leaves memory in a file of `area`, of up to `quota_bytes`, which counts in the
    /// area's own quota. The file grows to it and stays until the cache is dropped.
    #[must_use]
    pub fn cold(mut self, area: &SpillArea, quota_bytes: u64) -> Self {
        self.cold = Some((area.clone(), quota_bytes));
        self
    }

    /// Builds it below `node`, with the consumers `hot`, `index` and `cold`, and registers its
    /// reclaimer there. The node's cap bounds what readers still hold as well.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for bounds that do not fit each other;
    /// [`crate::ErrorKind::OutOfBudget`]; [`crate::ErrorKind::Io`] or
    /// [`crate::ErrorKind::TooLarge`] when the cold tier's first segments find no room on disk.
    pub fn build(&self, node: &Node) -> Result<Cache> {
        self.check()?;
        let segments = match &self.cold {
            Some((_, quota_bytes)) => Some(self.segments(*quota_bytes)?),
            None => None,
        };
        let cold_bytes = segments.map_or(0, |(bytes, most)| Cold::cost_bytes(bytes, most));
        let fixed_bytes = Revocations::COST_BYTES + Flights::COST_BYTES + cold_bytes;
        check_node(node, self.memory_bytes + fixed_bytes)?;
        let index = node.consumer("index")?;
        let fixed = index.try_reserve(fixed_bytes)?;
        let (cold, disk) = match (&self.cold, segments) {
            (Some((area, _)), Some((segment_bytes, segments_max))) => {
                let file = area.file("cache")?;
                let bytes = segment_bytes as u64;
                let offsets = [file.extent(bytes)?, file.extent(bytes)?];
                let cold = Cold::new(offsets, (segment_bytes, segments_max), file.tag());
                let reads = node.consumer("cold")?;
                (Some(cold), Some(Disk { file, reads, segment_bytes: bytes }))
            }
            _ => (None, None),
        };
        let state = State::new(Index::new(index.try_reserve(0)?), cold, self.memory_bytes);
        let accounts = Accounts { node: node.clone(), hot: node.consumer("hot")?, index, fixed };
        let shared = Arc::new(Shared::new(state, disk, self.bounds, accounts));
        let reclaimer: Arc<dyn Reclaimer> = shared.clone();
        node.register_reclaimer(Arc::downgrade(&reclaimer))?;
        Ok(Cache { shared })
    }

    fn check(&self) -> Result<()> {
        let Bounds { key_bytes_max, value_bytes_max, .. } = self.bounds;
        let in_memory = ByteSize::new(self.memory_bytes);
        if self.memory_bytes < CACHE_MEMORY_BYTES_MIN {
            return Err(Error::invalid(format!(
                "building a cache in {in_memory}: the least is {}",
                ByteSize::new(CACHE_MEMORY_BYTES_MIN)
            )));
        }
        if !(1..=CACHE_KEY_BYTES_MAX).contains(&key_bytes_max) {
            return Err(Error::invalid(format!(
                "building a cache for keys of {key_bytes_max} bytes: they have 1 to \
                 {CACHE_KEY_BYTES_MAX}; use a digest of what is longer"
            )));
        }
        let share = self.memory_bytes / VALUE_SHARE;
        if value_bytes_max > CACHE_VALUE_BYTES_MAX || Stored::cost_bytes(value_bytes_max) > share {
            return Err(Error::invalid(format!(
                "building a cache for values of {} in {in_memory}: a value takes at most a \
                 {VALUE_SHARE}th of the memory, and {}; lower the one or raise the other",
                ByteSize::new(value_bytes_max as u64),
                ByteSize::new(CACHE_VALUE_BYTES_MAX as u64)
            )));
        }
        Ok(())
    }

    /// Bytes of a segment, and how many of them the quota has room for.
    fn segments(&self, quota_bytes: u64) -> Result<(usize, usize)> {
        let largest = filling::block_bytes(self.bounds.key_bytes_max, self.bounds.value_bytes_max);
        let bytes = largest.max(CACHE_SEGMENT_BYTES);
        let segments = quota_bytes / bytes as u64;
        if segments < SEGMENTS_MIN {
            return Err(Error::invalid(format!(
                "building a cache with a cold tier of {}: the least is {}, {SEGMENTS_MIN} \
                 segments of {}; raise the quota or lower the largest value",
                ByteSize::new(quota_bytes),
                ByteSize::new(SEGMENTS_MIN * bytes as u64),
                ByteSize::new(bytes as u64)
            )));
        }
        let segments = usize::try_from(segments).unwrap_or(CACHE_SEGMENTS_MAX);
        Ok((bytes, segments.min(CACHE_SEGMENTS_MAX)))
    }
}

/// A cache whose node is smaller than itself would lose entries instead of writing them to disk.
fn check_node(node: &Node, bytes: u64) -> Result<()> {
    if node.cap_bytes() >= bytes {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "building a cache below {} with a cap of {}: it takes {} with its segments in memory; \
         raise the cap or lower the cache's memory",
        node.path(),
        ByteSize::new(node.cap_bytes()),
        ByteSize::new(bytes)
    )))
}
