//! All items of a map, each key once.
//!
//! ```text
//!   1  items in memory that the tables do not hold as they are    none comes or goes by a get
//!   2  the tables' newest records, but for keys of 1
//! ```
//!
//! Promises: each key once, whatever is read meanwhile; nothing after an error.
//! Never: the map's lock held between two items.

use super::SpillMap;
use super::merge::Merge;
use crate::collections::codec::Spillable;
use crate::error::{Error, Result};

/// Items of a map. Made by [`SpillMap::iter`].
#[derive(Debug)]
pub struct MapIter<'a, K, V> {
    map: &'a SpillMap<K, V>,
    /// The next slot in memory.
    slot: usize,
    cold: Option<Merge>,
}

impl<'a, K: Spillable + Eq, V: Spillable + Clone> MapIter<'a, K, V> {
    pub(super) fn new(map: &'a SpillMap<K, V>) -> Result<Self> {
        let cold = map.locked().cold.as_ref().map(|cold| cold.records()).transpose()?;
        Ok(Self { map, slot: 0, cold })
    }

    fn hot(&mut self) -> Option<Result<(K, V)>> {
        let tiers = self.map.locked();
        while self.slot < tiers.hot.slots() {
            let number = u32::try_from(self.slot).expect("slots are numbered in 32 bits");
            self.slot += 1;
            if let Some(item) = tiers.hot.item(number).filter(|item| !item.is_clean())
                && let Some(value) = &item.value
            {
                return Some(copied(&item.key).map(|key| (key, value.clone())));
            }
        }
        None
    }

    fn cold(&mut self) -> Result<Option<(K, V)>> {
        let Some(merge) = &mut self.cold else {
            return Ok(None);
        };
        while merge.advance()? {
            let (hash, mut key, value) = merge.record();
            let Some(mut value) = value else { continue };
            if self.map.locked().hot.replaces(hash, key) {
                continue;
            }
            let item = K::decode(&mut key).zip(V::decode(&mut value));
            let item = item.filter(|_| key.is_empty() && value.is_empty());
            return item
                .ok_or_else(|| Error::corrupt("an item read from disk does not decode"))
                .map(Some);
        }
        Ok(None)
    }
}

/// The key once more: keys need not be `Clone`.
fn copied<K: Spillable>(key: &K) -> Result<K> {
    let mut bytes = Vec::with_capacity(key.encoded_bytes());
    key.encode(&mut bytes)?;
    K::decode(&mut &bytes[..]).ok_or_else(|| Error::corrupt("a key does not decode"))
}

impl<K: Spillable + Eq, V: Spillable + Clone> Iterator for MapIter<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Result<(K, V)>> {
        if let Some(item) = self.hot() {
            return Some(item);
        }
        let next = self.cold().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.cold = None;
        }
        next
    }
}
