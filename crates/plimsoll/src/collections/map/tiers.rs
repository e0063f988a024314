//! The two tiers of a map together: what moves between memory and disk, and when.
//!
//! ```text
//!   insert, update ──> hot ── over its bytes or items ──> a quarter of it, coldest first
//!                       ^                                   │ clean: dropped   changed: written
//!   get of a cold item ─┘ as a clean copy, where            v
//!                         another clean one can go         cold
//! ```
//!
//! Promises: reading writes nothing; a batch is in memory until it can be read from disk.
//! Never: more than three quarters of the bytes for items that are not on disk, once any are:
//! the last quarter is for what is read.

use std::hash::{BuildHasher as _, RandomState};

use super::cold::Cold;
use super::hot::{Hot, Item, owned};
use super::scratch::Scratch;
use crate::budget::{Consumer, Reservation};
use crate::collections::builder::Thresholds;
use crate::collections::codec::Spillable;
use crate::error::{Error, Result};
use crate::spill::SpillArea;

/// Part of the items that is evicted together: large batches make few tables.
const BATCH_SHARE: usize = 4;
/// A batch is not made smaller than this because its list of numbers does not fit.
const BATCH_MIN: usize = 256;
/// Slots looked at for a clean item that makes way for one that was read.
const PROMOTE_STEPS: usize = 64;
/// Kept from the budget so that there is room to evict in when the rest of it is in use.
const SLACK_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Tiers<K, V> {
    area: SpillArea,
    consumer: Consumer,
    thresholds: Thresholds,
    hasher: RandomState,
    pub(super) hot: Hot<K, V>,
    pub(super) cold: Option<Box<Cold>>,
    slack: Option<Reservation>,
    /// Keys with a value.
    pub(super) len: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    /// The encoded key of the call, and another.
    key: Scratch,
    scratch: Scratch,
}

/// What the tables hold for a key.
pub(super) struct Found<V> {
    /// `None` after a removal.
    pub(super) value: Option<V>,
    pub(super) bytes: usize,
}

impl<K: Spillable + Eq, V: Spillable> Tiers<K, V> {
    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        thresholds: Thresholds,
    ) -> Result<Self> {
        Ok(Self {
            area: area.clone(),
            consumer: consumer.clone(),
            thresholds,
            hasher: RandomState::new(),
            hot: Hot::new(consumer)?,
            cold: None,
            slack: Some(consumer.try_reserve(SLACK_BYTES)?),
            len: 0,
            hits: 0,
            misses: 0,
            key: Scratch::new(consumer)?,
            scratch: Scratch::new(consumer)?,
        })
    }

    /// Encodes the key of this call; returns its hash.
    #[inline]
    pub(super) fn encode_key(&mut self, key: &K) -> Result<u64> {
        self.key.encode(key)?;
        Ok(self.hasher.hash_one(self.key.bytes()))
    }

    /// The encoded key as a key again.
    pub(super) fn key(&self) -> Result<K> {
        K::decode(&mut self.key.bytes()).ok_or_else(|| {
            Error::invalid(format!(
                "a {} does not decode from what it encoded; correct its Spillable",
                std::any::type_name::<K>()
            ))
        })
    }

    /// What the tables hold for the key of this call.
    pub(super) fn find_cold(&mut self, hash: u64) -> Result<Option<Found<V>>> {
        let Some(cold) = &mut self.cold else {
            return Ok(None);
        };
        cold.find(hash, self.key.bytes(), |value, bytes| {
            let decode = |mut bytes: &[u8]| {
                let value = V::decode(&mut bytes).filter(|_| bytes.is_empty());
                value.ok_or_else(|| Error::corrupt("a value read from disk does not decode"))
            };
            Ok(Found { value: value.map(decode).transpose()?, bytes })
        })
    }

    /// As [`Tiers::find_cold`], without making the value: whether there is one, and the bytes.
    pub(super) fn probe_cold(&mut self, hash: u64) -> Result<Option<(bool, usize)>> {
        match &mut self.cold {
            Some(cold) => {
                cold.find(hash, self.key.bytes(), |value, bytes| Ok((value.is_some(), bytes)))
            }
            None => Ok(None),
        }
    }

    /// Bytes of records on disk that are no longer wanted.
    pub(super) fn add_garbage(&mut self, bytes: usize) {
        if let Some(cold) = &mut self.cold {
            cold.garbage += bytes as u64;
        }
    }

    /// Most bytes of items in memory: filters and directories take theirs first, but never all.
    fn hot_bytes_max(&self) -> u64 {
        let memory = self.thresholds.bytes;
        let index = self.cold.as_ref().map_or(0, |cold| cold.index_bytes());
        memory.saturating_sub(index).max(memory / 4)
    }

    fn fits(&self, owned_bytes: u64) -> bool {
        let need = Hot::<K, V>::item_bytes() + owned_bytes;
        let most = self.hot_bytes_max();
        let items = self.thresholds.items;
        let share = |whole: u64| if self.cold.is_some() { whole - whole / 4 } else { whole };
        self.hot.items() < items
            && self.hot.bytes() + need <= most
            && (self.hot.dirty_items as u64) < share(items as u64)
            && self.hot.dirty_bytes + need <= share(most)
    }

    /// Makes room for an item that owns `owned_bytes` and charges them.
    pub(super) fn make_room(&mut self, owned_bytes: u64) -> Result<()> {
        while !self.fits(owned_bytes) && self.hot.items() > 0 {
            self.evict(self.hot.items().div_ceil(BATCH_SHARE))?;
        }
        loop {
            let refusal = match self.hot.charge(owned_bytes) {
                Ok(()) => match self.hot.room_for_one() {
                    Ok(()) => return Ok(()),
                    Err(refusal) => {
                        self.hot.discharge(owned_bytes);
                        refusal
                    }
                },
                Err(refusal) => refusal,
            };
            // A refusal of the budget is a third threshold.
            if self.hot.items() == 0 {
                return Err(refusal.into());
            }
            self.evict(self.hot.items().div_ceil(BATCH_SHARE))?;
        }
    }

    /// Drops a clean item or two for one that owns `owned_bytes`; whether there is room now.
    pub(super) fn make_clean_room(&mut self, owned_bytes: u64) -> bool {
        let need = Hot::<K, V>::item_bytes() + owned_bytes;
        let most = self.hot_bytes_max();
        while self.hot.bytes() + need > most || self.hot.items() >= self.thresholds.items {
            match self.hot.next_cold(PROMOTE_STEPS, Item::is_clean) {
                Some(number) => drop(self.hot.remove(number)),
                None => return false,
            }
        }
        if self.hot.charge(owned_bytes).is_err() {
            return false;
        }
        let room = self.hot.room_for_one().is_ok();
        if !room {
            self.hot.discharge(owned_bytes);
        }
        room
    }

    /// Evicts up to `wanted` items, the coldest first; returns how many.
    pub(super) fn evict(&mut self, wanted: usize) -> Result<usize> {
        // What was kept for this moment is given back when it has passed.
        self.slack = None;
        let evicted = self.evict_batch(wanted);
        self.slack = self.consumer.try_reserve(SLACK_BYTES).ok();
        if self.slack.is_none() {
            // Slots that are empty now are given back only when they are missed.
            self.hot.compact();
            self.slack = self.consumer.try_reserve(SLACK_BYTES).ok();
        }
        evicted
    }

    fn evict_batch(&mut self, mut wanted: usize) -> Result<usize> {
        let _held = loop {
            match self.consumer.try_reserve((wanted * size_of::<u32>()) as u64) {
                Ok(held) => break held,
                Err(_) if wanted > BATCH_MIN => wanted /= 2,
                Err(refusal) => return Err(refusal.into()),
            }
        };
        let mut victims = Vec::with_capacity(wanted);
        while victims.len() < wanted
            && let Some(number) = self.hot.next_cold(usize::MAX, |item| !item.chosen)
        {
            self.hot.item_mut(number).chosen = true;
            victims.push(number);
        }
        let written = self.write(&mut victims);
        for number in &victims {
            if written.is_ok() {
                self.hot.remove(*number);
            } else {
                self.hot.item_mut(*number).chosen = false;
            }
        }
        written?;
        if let Some(cold) = &mut self.cold {
            let hot = &self.hot;
            cold.tidy(|hash, key| hot.replaces(hash, key))?;
        }
        Ok(victims.len())
    }

    /// Writes those of the victims that are not on disk as a table; sorts them on the way.
    fn write(&mut self, victims: &mut [u32]) -> Result<()> {
        let hot = &self.hot;
        let item = |number: u32| hot.item(number).expect("a victim is an item");
        let dirty = victims.iter().filter(|number| !item(**number).is_clean()).count();
        if dirty == 0 {
            return Ok(());
        }
        victims.sort_unstable_by(|a, b| {
            let (a, b) = (item(*a), item(*b));
            a.hash.cmp(&b.hash).then_with(|| encoded(&a.key).cmp(&encoded(&b.key)))
        });
        if self.cold.is_none() {
            let bytes = self.thresholds.bytes;
            let cold = Cold::new(&self.area, &self.consumer, &self.hasher, bytes)?;
            self.cold = Some(Box::new(cold));
        }
        let cold = self.cold.as_mut().expect("made above");
        let mut writer = cold.writer(dirty as u64, 0)?;
        let mut garbage = 0;
        for item in victims.iter().map(|number| item(*number)).filter(|item| !item.is_clean()) {
            self.key.encode(&item.key)?;
            if let Some(value) = &item.value {
                self.scratch.encode(value)?;
            }
            let value = item.value.as_ref().map(|_| self.scratch.bytes());
            let bytes = writer.push(&mut cold.log, item.hash, self.key.bytes(), value)?;
            garbage += if value.is_some() { 0 } else { bytes as u64 };
        }
        let table = writer.finish(&mut cold.log)?;
        cold.add(table);
        cold.garbage += garbage;
        Ok(())
    }

    /// Counts what an item owns after its value changed in place; evicts when that is too much.
    pub(super) fn recount(&mut self, number: u32) -> Result<()> {
        let item = self.hot.item_mut(number);
        let (before, after) = (item.owned_bytes, owned(&item.key, item.value.as_ref()));
        if after > before && self.hot.charge(after - before).is_err() {
            // It goes to disk with the others, under what was charged for it before.
            return self.evict(self.hot.items()).map(drop);
        }
        self.hot.resized(number, after);
        self.hot.discharge(before.saturating_sub(after));
        if self.hot.dirty_bytes > self.hot_bytes_max() {
            self.evict(self.hot.items().div_ceil(BATCH_SHARE))?;
        }
        Ok(())
    }
}

fn encoded<K: Spillable>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Called for keys that have been encoded before.
    let _encoded_before = key.encode(&mut bytes);
    bytes
}
