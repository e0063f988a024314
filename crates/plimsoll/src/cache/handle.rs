//! The cache as its users have it.
//!
//! Promises: each call is a look or a change that is whole, from any thread.
//! Never: a clock of its own: `now_us` is microseconds of the caller's clock, any that does not
//! jump.

use std::sync::Arc;

use super::builder::CacheBuilder;
use super::putting::Put;
use super::shared::Shared;
use super::stats::CacheStats;
use super::terms::Terms;
use super::value::{Look, Stored};
use crate::error::Result;

/// A cache in two tiers. Clones are the same one; it costs what its builder says.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use std::time::Duration;
/// use plimsoll::cache::{Cache, Made, Source, Terms};
/// # use plimsoll::spill::{SpillArea, SpillOptions};
/// # use plimsoll::storage::Disk;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let cache = Cache::builder()
///     .memory_bytes(4 << 20)
///     .cold(&area, 64 << 20)
///     .build(&budget.child("cache", 8 << 20)?)?;
/// let (second, minute) = (1_000_000, Duration::from_secs(60));
/// let terms = Terms::fresh_for(5 * minute).stale_for(minute).tag("sales");
///
/// let wait = Duration::from_secs(2);
/// let made = cache.get_or_make(b"sum of 7d", 0, wait, || {
///     Ok(Made { value: b"81.25".as_slice().into(), terms: terms.clone() })
/// })?;
/// assert_eq!(made.source, Source::Made);
///
/// let look = cache.get(b"sum of 7d", 90 * second).expect("it is fresh");
/// assert_eq!((&*look.value, look.source), (&b"81.25"[..], Source::Hot));
/// assert_eq!((look.age_us, look.stale), (90 * second, false));
/// assert!(cache.get(b"sum of 7d", 301 * second).expect("a minute longer").stale);
///
/// assert_eq!(cache.invalidate_tag("sales"), 1);
/// assert!(cache.get(b"sum of 7d", 91 * second).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    pub(super) shared: Arc<Shared>,
}

impl Cache {
    /// Bounds of a cache, to be built.
    #[must_use]
    pub fn builder() -> CacheBuilder {
        CacheBuilder::new()
    }

    /// The value of a key at `now_us`, fresh or stale. One that was on disk is in memory
    /// afterwards, where the budget has room; without room to read it this is a miss, and so is a
    /// record on disk that is damaged. It may read a block and write a segment of the cold tier,
    /// as [`Cache::turn`], [`Cache::put`] and [`Cache::cleanup`] may.
    #[must_use]
    pub fn get(&self, key: &[u8], now_us: u64) -> Option<Look> {
        self.shared.look(key, now_us)
    }

    /// As [`Cache::get`], but of memory alone: it waits for no disk, so that it has its place in a
    /// future. Finding nothing is no miss yet; ask [`Cache::turn`] or [`Cache::get`] then, on a
    /// thread that may wait for a disk.
    #[must_use]
    pub fn get_hot(&self, key: &[u8], now_us: u64) -> Option<Look> {
        self.shared.look_in_memory(key, now_us)
    }

    /// Puts a value in, in the place of the one there is. Its age counts from `now_us`.
    ///
    /// Where the value was read from somewhere, [`Cache::turn`] or [`Cache::refresh`] is the way:
    /// what is invalidated between the reading and this call is put in here.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] for a key, value or tag beyond its bound;
    /// [`crate::ErrorKind::OutOfBudget`] when the budget refuses. What was there under this key is
    /// gone then: it is not what the caller says the value is.
    pub fn put(&self, key: &[u8], value: &[u8], terms: &Terms, now_us: u64) -> Result<()> {
        let put = Put { key, terms, now_us, begun: None };
        let stored = self.shared.admit(put, value.len()).and_then(|admitted| {
            let stored = Arc::new(Stored::new(value.into(), Some(admitted.value)));
            self.shared.insert(put, &stored, admitted.own)
        });
        if stored.is_err() {
            self.shared.remove_key(key);
        }
        stored.map(drop)
    }

    /// Takes a key away; whether it was there. A value of it in the making is not put in.
    pub fn remove(&self, key: &[u8]) -> bool {
        self.shared.remove_key(key)
    }

    /// Takes everything with this tag away, in time proportional to that; how many entries it was.
    /// A value with the tag in the making is not put in.
    pub fn invalidate_tag(&self, tag: &str) -> u64 {
        self.shared.remove_tag(tag)
    }

    /// Takes everything away; how many entries it was. Nothing in the making is put in.
    pub fn clear(&self) -> u64 {
        self.shared.remove_all()
    }

    /// Brings a key's value into memory; whether it is there now. It is not counted as a hit of a
    /// user, but as a look all the same.
    #[must_use]
    pub fn promote(&self, key: &[u8], now_us: u64) -> bool {
        self.shared.look(key, now_us).is_some()
    }

    /// Whether a value of so many bytes fits now beside those in memory, and the budget has bytes
    /// for it. It is asked and they are given back: the answer is of this moment, and where the
    /// process is short of memory reclaimers have been asked for it.
    #[must_use]
    pub fn can_allocate(&self, bytes: usize) -> bool {
        let cost = Stored::cost_bytes(bytes);
        bytes <= self.shared.bounds.value_bytes_max
            && self.shared.lock().has_room(cost)
            && self.shared.hot.try_reserve(cost).is_ok()
    }

    /// Removes what is over at `now_us`, looking at every entry; how many it was. Entries that are
    /// over go without it when they are looked up or leave memory; this gives their memory back
    /// sooner.
    pub fn expire(&self, now_us: u64) -> u64 {
        self.shared.remove_over(now_us)
    }

    /// Removes what is over, then puts out the coldest half of what is in memory; how many entries
    /// left memory. What is worth it goes to disk.
    pub fn cleanup(&self, now_us: u64) -> u64 {
        let expired = self.shared.remove_over(now_us);
        let half = self.shared.lock().hot.bytes / 2;
        expired + self.shared.evict_to(half, now_us)
    }

    /// The figures so far.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.shared.lock().figures()
    }
}
