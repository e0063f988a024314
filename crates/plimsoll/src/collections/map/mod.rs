//! A map whose cold items are on disk.
//!
//! ```text
//!   memory   hot items by CLOCK | filters 10 bits, directory 2 bits an item on disk
//!   disk     tables of (hash, key)-ordered records in pages of 4 KiB, merged eight at a time
//! ```
//!
//! The numbers behind it: an item of a 16 B key and a 100 B value takes 118 B on disk. An index of
//! places would take 8 to 16 B of memory for each, at five times the memory in data a third to two
//! thirds of it. Filters and directories take 1.5 B, 6 % there, and with 40 times the memory in
//! data half of it; where filters would pass a quarter, tables go without, and a look reads a page
//! in each of those. A look at a cold item asks at most seven filters a level and reads one page.
//! An item is written once, and again for each factor of eight between a batch (3/16 of the
//! memory) and the data.
//!
//! Promises: below both thresholds not one byte is written; reading writes nothing; a key is
//! found once, however often it was written; garbage above half of what lives is merged away.
//! Never: an answer from a filter alone that a key is there.

mod cold;
mod filter;
mod hot;
mod iter;
mod merge;
mod record;
mod scratch;
mod stats;
mod table;
mod tiers;

pub use iter::MapIter;
pub use stats::MapStats;

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::builder::{Builder, Thresholds};
use super::codec::Spillable;
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::spill::SpillArea;
use hot::{Item, owned};
use tiers::Tiers;

/// A map under a threshold of memory: `SpaceTimeDict` with bounds that hold.
///
/// Keys are told apart by their encoding, so equal keys must encode equally. Recency is CLOCK's;
/// reading and writing an item both refresh it. Beside the threshold a map that has spilled
/// reserves three requests of 64 KiB to 1 MiB (1/16 of the threshold), 1 MiB to evict in, and
/// 70 KiB for each of up to eight tables while they are merged.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::collections::SpillMap;
/// use plimsoll::spill::{SpillArea, SpillOptions};
/// use plimsoll::storage::Disk;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let root = tempfile::tempdir()?;
/// let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let consumer = budget.consumer("words")?;
/// let mut words = SpillMap::builder().memory_items(1_000).build(&area, &consumer)?;
/// for number in 0..20_000_u32 {
///     words.insert(format!("word {number}"), 1_u64)?;
/// }
/// assert!(words.update(&"word 7".to_owned(), |count| *count += 1)?);
/// words.evict_cold_items(0.5)?;
/// assert_eq!(words.get(&"word 7".to_owned())?, Some(2));
/// assert_eq!(words.len(), 20_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SpillMap<K, V> {
    area: SpillArea,
    consumer: Consumer,
    thresholds: Thresholds,
    tiers: Mutex<Tiers<K, V>>,
}

impl<K: Spillable + Eq, V: Spillable> SpillMap<K, V> {
    /// Says how much stays in memory, then builds.
    #[must_use]
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }

    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        thresholds: Thresholds,
    ) -> Result<Self> {
        Ok(Self {
            area: area.clone(),
            consumer: consumer.clone(),
            thresholds,
            tiers: Mutex::new(Tiers::new(area, consumer, thresholds)?),
        })
    }

    fn locked(&self) -> MutexGuard<'_, Tiers<K, V>> {
        self.tiers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tiers(&mut self) -> &mut Tiers<K, V> {
        self.tiers.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.locked().len
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives `key` the value; returns whether the key is new. Where a filter says that the key
    /// may be on disk, a page is read to know.
    ///
    /// # Errors
    /// Those of reading, writing and of the quota; [`crate::ErrorKind::OutOfBudget`] when nothing
    /// more can be evicted. A new item is dropped then and the map is as before; a new value of an
    /// item in memory has been taken in.
    pub fn insert(&mut self, key: K, value: V) -> Result<bool> {
        let tiers = self.tiers();
        let hash = tiers.encode_key(&key)?;
        let owned_bytes = owned(&key, Some(&value));
        if let Some(number) = tiers.hot.find(hash, &key) {
            let garbage = tiers.hot.soil(number);
            tiers.add_garbage(garbage as usize);
            tiers.hot.touch(number);
            let before = tiers.hot.item_mut(number).value.replace(value);
            tiers.len += u64::from(before.is_none());
            tiers.recount(number)?;
            return Ok(before.is_none());
        }
        tiers.make_room(owned_bytes)?;
        // Making room used the place for the key.
        tiers.encode_key(&key)?;
        let older = match tiers.probe_cold(hash) {
            Ok(older) => older,
            Err(error) => {
                tiers.hot.discharge(owned_bytes);
                return Err(error);
            }
        };
        let mut item = Item::new(hash, key, Some(value));
        item.shadow = older.is_some();
        tiers.hot.insert(item);
        let lives = older.filter(|(live, _)| *live);
        tiers.add_garbage(lives.map_or(0, |(_, bytes)| bytes));
        tiers.len += u64::from(lives.is_none());
        Ok(lives.is_none())
    }

    /// Changes the value of `key` in place; returns whether there was one. The item is in memory
    /// afterwards, and in use.
    ///
    /// # Errors
    /// Those of reading, and of writing what makes room; then a value in memory has been changed,
    /// and one on disk has not.
    pub fn update(&mut self, key: &K, change: impl FnOnce(&mut V)) -> Result<bool> {
        let tiers = self.tiers();
        let hash = tiers.encode_key(key)?;
        if let Some(number) = tiers.hot.find(hash, key) {
            let Some(value) = &mut tiers.hot.item_mut(number).value else {
                return Ok(false);
            };
            change(value);
            let garbage = tiers.hot.soil(number);
            tiers.add_garbage(garbage as usize);
            tiers.hot.touch(number);
            return tiers.recount(number).map(|()| true);
        }
        let Some(found) = tiers.find_cold(hash)? else {
            return Ok(false);
        };
        let Some(mut value) = found.value else {
            return Ok(false);
        };
        change(&mut value);
        let key = tiers.key()?;
        let mut item = Item::new(hash, key, Some(value));
        item.shadow = true;
        // Making room may merge the record away that was found: it counts as garbage from here.
        tiers.make_room(item.owned_bytes)?;
        tiers.hot.insert(item);
        tiers.add_garbage(found.bytes);
        Ok(true)
    }

    /// Removes `key`; returns whether it was there. Its place on disk is given back when garbage
    /// passes half of what lives.
    ///
    /// # Errors
    /// Those of reading, and of writing what makes room; the key is still there.
    pub fn remove(&mut self, key: &K) -> Result<bool> {
        let tiers = self.tiers();
        let hash = tiers.encode_key(key)?;
        if let Some(number) = tiers.hot.find(hash, key) {
            let item = tiers.hot.item_mut(number);
            if item.value.is_none() {
                return Ok(false);
            }
            if item.shadow {
                item.value = None;
                let garbage = tiers.hot.soil(number);
                tiers.add_garbage(garbage as usize);
                tiers.hot.shrunk(number);
            } else {
                tiers.hot.remove(number);
            }
            tiers.len -= 1;
            return Ok(true);
        }
        let Some((true, bytes)) = tiers.probe_cold(hash)? else {
            return Ok(false);
        };
        let mut item = Item::new(hash, tiers.key()?, None);
        item.shadow = true;
        tiers.make_room(item.owned_bytes)?;
        tiers.hot.insert(item);
        tiers.add_garbage(bytes);
        tiers.len -= 1;
        Ok(true)
    }

    /// Whether there is a value for `key`.
    ///
    /// # Errors
    /// Those of reading.
    pub fn contains(&self, key: &K) -> Result<bool> {
        let mut tiers = self.locked();
        let hash = tiers.encode_key(key)?;
        if let Some(number) = tiers.hot.find(hash, key) {
            return Ok(tiers.hot.item(number).is_some_and(|item| item.value.is_some()));
        }
        Ok(tiers.probe_cold(hash)?.is_some_and(|(live, _)| live))
    }

    /// Evicts this part of the items in memory, those not used lately first; returns how many.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a fraction outside of 0 to 1; those of writing: then all
    /// items are where they were.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::collections::SpillMap;
    /// # use plimsoll::spill::{SpillArea, SpillOptions};
    /// # use plimsoll::storage::Disk;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
    /// # let consumer = budget.consumer("work")?;
    /// let mut prices = SpillMap::builder().build(&area, &consumer)?;
    /// for id in 0..1_000_u32 {
    ///     prices.insert(id, f64::from(id) / 100.0)?;
    /// }
    /// assert_eq!(prices.evict_cold_items(0.5)?, 500);
    /// assert_eq!(prices.get(&7)?, Some(0.07));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn evict_cold_items(&mut self, fraction: f64) -> Result<usize> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(Error::invalid(format!(
                "evicting {fraction} of a map's items: give a fraction from 0 to 1"
            )));
        }
        let tiers = self.tiers();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most all of them
        let wanted = (tiers.hot.items() as f64 * fraction).ceil() as usize;
        let evicted = tiers.evict(wanted)?;
        tiers.hot.compact();
        Ok(evicted)
    }

    /// Drops all items, in memory and on disk.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when somebody else took the bytes an empty map reserves.
    pub fn clear(&mut self) -> Result<()> {
        *self.tiers() = Tiers::new(&self.area, &self.consumer, self.thresholds)?;
        Ok(())
    }

    /// What the map holds and has done.
    #[must_use]
    pub fn stats(&self) -> MapStats {
        MapStats::of(&self.locked())
    }
}

impl<K: Spillable + Eq, V: Spillable + Clone> SpillMap<K, V> {
    /// The value of `key`. What is read from disk is kept in memory where another item that is on
    /// disk, too, can make way. Several threads may ask; they wait for each other.
    ///
    /// # Errors
    /// Those of reading.
    pub fn get(&self, key: &K) -> Result<Option<V>> {
        let tiers = &mut *self.locked();
        let hash = tiers.encode_key(key)?;
        if let Some(number) = tiers.hot.find(hash, key) {
            tiers.hits += 1;
            tiers.hot.touch(number);
            return Ok(tiers.hot.item(number).and_then(|item| item.value.clone()));
        }
        tiers.misses += 1;
        let Some(found) = tiers.find_cold(hash)? else {
            return Ok(None);
        };
        let (Some(value), Ok(bytes)) = (&found.value, u32::try_from(found.bytes)) else {
            return Ok(found.value);
        };
        let mut item = Item::new(hash, tiers.key()?, Some(value.clone()));
        (item.shadow, item.cold_bytes) = (true, bytes);
        if tiers.make_clean_room(item.owned_bytes) {
            tiers.hot.insert(item);
        }
        Ok(found.value)
    }

    /// All items, each key once, in no order; gets may be made meanwhile. Reads 64 KiB of each
    /// table at a time.
    ///
    /// # Errors
    /// Those of reading; [`crate::ErrorKind::OutOfBudget`] for 70 KiB a table.
    pub fn iter(&self) -> Result<MapIter<'_, K, V>> {
        MapIter::new(self)
    }
}
