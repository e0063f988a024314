//! What a map holds and has done.
//!
//! Promises: a copy of one moment.
//! Never: an estimate, but for items on disk: those that are also in memory count in both tiers.

use super::tiers::Tiers;
use crate::collections::codec::Spillable;

/// Figures of a [`SpillMap`](super::SpillMap).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapStats {
    /// Items in memory, with the marks of removals that disk has not been told of.
    pub hot_items: u64,
    /// Of those items.
    pub hot_bytes: u64,
    /// Keys with a value that are only on disk.
    pub cold_items: u64,
    /// Of all records on disk.
    pub cold_bytes: u64,
    /// Of the records on disk that a newer one or a removal replaces, and of marks of removal.
    pub garbage_bytes: u64,
    /// Of filters and directories, in memory.
    pub index_bytes: u64,
    /// Gets that found their key in memory.
    pub hits: u64,
    /// Gets that did not.
    pub misses: u64,
    /// Merges of everything because of garbage.
    pub compactions: u64,
}

impl MapStats {
    pub(super) fn of<K: Spillable + Eq, V: Spillable>(tiers: &Tiers<K, V>) -> Self {
        let hot = &tiers.hot;
        let cold = tiers.cold.as_ref();
        Self {
            hot_items: hot.items() as u64,
            hot_bytes: hot.bytes(),
            cold_items: tiers.len - hot.valued() as u64,
            cold_bytes: cold.map_or(0, |cold| cold.bytes()),
            garbage_bytes: cold.map_or(0, |cold| cold.garbage),
            index_bytes: cold.map_or(0, |cold| cold.index_bytes()),
            hits: tiers.hits,
            misses: tiers.misses,
            compactions: cold.map_or(0, |cold| cold.compactions),
        }
    }
}
