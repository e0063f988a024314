//! What stands under the cache's lock: plain data, and the steps that keep it whole.
//!
//! ```text
//!   put ──> hot ──evicted, worth a write──> cold ──looked up──> both ──evicted──> cold
//!            └────evicted otherwise──> gone
//!   gone as well: over, revoked, replaced; and cold alone, when its segment is reused
//! ```
//!
//! Promises: every entry is hot, cold or both; figures are those of the entries.
//! Never: disk, budget or foreign code: what is given up goes into a [`Freed`].

use std::sync::Arc;

use super::cold::Cold;
use super::entry::{Entry, Life, Line, Place};
use super::freed::Freed;
use super::index::Index;
use super::revocations::Revocations;
use super::sieve::Sieve;
use super::stats::CacheStats;
use super::value::Stored;

/// Time a value must still have to be worth a write.
const COLD_LIFE_US_MIN: u64 = 1_000_000;
/// Entries on disk may take this share of the memory with their keys and slots.
const COLD_INDEX_SHARE: u64 = 2;
/// Chunks without an entry are given back beyond this share of the memory.
const IDLE_SHARE: u64 = 16;

#[derive(Debug)]
pub(super) struct State {
    pub(super) index: Index,
    pub(super) hot: Sieve,
    pub(super) cold: Option<Cold>,
    pub(super) revocations: Revocations,
    /// Of hot values and the index.
    memory_bytes: u64,
    /// What entries that are not in memory take of the index.
    cold_only_bytes: u64,
    sequence: u64,
    /// The latest moment anybody named.
    now_us: u64,
    pub(super) stats: CacheStats,
}

/// Whether a value is written to disk when it leaves memory: it must live on for a while, and
/// where others would be given up for it, it must have been asked for.
fn is_worth_a_write(life: Life, now_us: u64, proven: bool, disk_has_room: bool) -> bool {
    life.stale_until_us.saturating_sub(now_us) >= COLD_LIFE_US_MIN && (proven || disk_has_room)
}

fn index_bytes(entry: &Entry) -> u64 {
    Index::ENTRY_BYTES + entry.own.bytes()
}

fn record_bytes(entry: &Entry) -> u64 {
    entry.key.len() as u64 + u64::from(entry.bytes)
}

impl State {
    pub(super) fn new(index: Index, cold: Option<Cold>, memory_bytes: u64) -> Self {
        Self {
            index,
            hot: Sieve::new(),
            cold,
            revocations: Revocations::new(),
            memory_bytes,
            cold_only_bytes: 0,
            sequence: 0,
            now_us: 0,
            stats: CacheStats::default(),
        }
    }

    pub(super) fn saw(&mut self, now_us: u64) {
        self.now_us = self.now_us.max(now_us);
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.index.bytes() + self.hot.bytes
    }

    /// Whether so many bytes more fit without an entry being put out.
    pub(super) fn has_room(&self, more: u64) -> bool {
        self.used_bytes() + more <= self.memory_bytes
    }

    /// Takes an entry in whose key is not there; it has a value, and there is room.
    pub(super) fn insert(&mut self, entry: Entry) {
        let bytes = entry.value.as_ref().map_or(0, |stored| stored.held_bytes());
        let number = self.index.insert(entry);
        self.hot.push(&mut self.index.entries, number, bytes);
    }

    /// Removes an entry from everywhere.
    pub(super) fn remove(&mut self, number: u32, freed: &mut Freed) {
        self.forget_place(number);
        let bytes = index_bytes(self.index.entries.get(number));
        match self.take_value(number) {
            Some(stored) => freed.value(stored),
            None => self.cold_only_bytes -= bytes,
        }
        let entry = self.index.remove(number);
        // Key and tags first, then what stands for them.
        let Entry { own, key, tags, .. } = entry;
        drop((key, tags));
        freed.index(own);
    }

    /// Takes the value out of memory; the entry is not whole until it has a place or is removed.
    fn take_value(&mut self, number: u32) -> Option<Arc<Stored>> {
        let stored = self.index.entries.get_mut(number).value.take()?;
        self.hot.unlink(&mut self.index.entries, number, stored.held_bytes());
        Some(stored)
    }

    /// Gives a cold entry its value back.
    pub(super) fn promote(&mut self, number: u32, stored: Arc<Stored>) {
        let entry = self.index.entries.get_mut(number);
        self.cold_only_bytes -= index_bytes(entry);
        let bytes = stored.held_bytes();
        entry.value = Some(stored);
        self.hot.push(&mut self.index.entries, number, bytes);
        self.stats.promotions += 1;
    }

    /// Puts the coldest entry out of memory; `false` where none is in memory.
    pub(super) fn evict_one(&mut self, freed: &mut Freed) -> bool {
        let Some(number) = self.hot.victim(&mut self.index.entries) else {
            return false;
        };
        if self.index.entries.get(number).life.is_over(self.now_us) {
            self.remove(number, freed);
            self.stats.expired += 1;
            return true;
        }
        self.stats.evictions += 1;
        if self.index.entries.get(number).place.is_none() && !self.demote(number) {
            self.remove(number, freed);
            return true;
        }
        if let Some(stored) = self.take_value(number) {
            freed.value(stored);
        }
        self.cold_only_bytes += index_bytes(self.index.entries.get(number));
        true
    }

    /// Writes a hot entry's record into the cold tier, where it is worth it and there is room.
    fn demote(&mut self, number: u32) -> bool {
        let entry = self.index.entries.get_mut(number);
        let (Some(cold), Some(stored)) = (self.cold.as_mut(), entry.value.as_ref()) else {
            return false;
        };
        if !is_worth_a_write(entry.life, self.now_us, entry.proven, cold.has_room()) {
            return false;
        }
        let Some(place) = cold.append(entry.sequence, &entry.key, stored.bytes()) else {
            return false;
        };
        entry.place = Some(place);
        cold.items += 1;
        cold.bytes += record_bytes(entry);
        let chain = &mut cold.segment_mut(place.segment).entries;
        chain.push(Line::Cold, &mut self.index.entries, number);
        self.stats.demotions += 1;
        true
    }

    /// Forgets that an entry is on disk.
    fn forget_place(&mut self, number: u32) -> Option<Place> {
        let entry = self.index.entries.get_mut(number);
        let place = entry.place.take()?;
        let bytes = record_bytes(entry);
        let cold = self.cold.as_mut().expect("a place is in the cold tier");
        let chain = &mut cold.segment_mut(place.segment).entries;
        chain.unlink(Line::Cold, &mut self.index.entries, number);
        cold.items -= 1;
        cold.bytes -= bytes;
        Some(place)
    }

    /// Forgets what is in a segment; entries that are not in memory are gone.
    pub(super) fn forget_segment(&mut self, segment: u32, freed: &mut Freed) {
        while let Some(number) =
            self.cold.as_mut().and_then(|cold| cold.segment_mut(segment).entries.oldest())
        {
            if self.index.entries.get(number).value.is_some() {
                self.forget_place(number);
            } else {
                self.remove(number, freed);
                self.stats.cold_given_up += 1;
            }
        }
    }

    fn give_up_oldest(&mut self, freed: &mut Freed) -> bool {
        let Some(segment) = self.cold.as_mut().and_then(Cold::give_up_oldest) else {
            return false;
        };
        self.forget_segment(segment, freed);
        true
    }

    /// Frees up to `steps` entries until `more` bytes fit; whether that is so, or nothing is left.
    /// Stops where a segment is full, so that it is written first.
    pub(super) fn free_up(&mut self, more: u64, steps: usize, freed: &mut Freed) -> bool {
        if self.index.entries.idle_bytes() > self.memory_bytes / IDLE_SHARE {
            freed.index(self.index.trim());
        }
        for _ in 0..steps {
            if self.cold_only_bytes > self.memory_bytes / COLD_INDEX_SHARE
                && self.give_up_oldest(freed)
            {
                continue;
            }
            if self.has_room(more) {
                return true;
            }
            if !self.evict_one(freed) && !self.give_up_oldest(freed) {
                freed.index(self.index.trim());
                return true;
            }
            if self.has_full_segment() {
                break;
            }
        }
        false
    }

    /// Takes up to `steps` entries out of memory, for somebody else; when none is in memory any
    /// more, and `index_too`, the oldest segment for the index it takes. `false` where nothing is
    /// left.
    pub(super) fn shrink(&mut self, steps: usize, index_too: bool, freed: &mut Freed) -> bool {
        let more =
            (0..steps).all(|_| self.evict_one(freed)) || (index_too && self.give_up_oldest(freed));
        freed.index(self.index.trim());
        more
    }

    /// Whether a segment waits for somebody to write it: what leaves memory now is lost.
    pub(super) fn has_full_segment(&self) -> bool {
        self.cold.as_ref().is_some_and(Cold::has_unclaimed)
    }

    /// The figures as of now.
    pub(super) fn figures(&self) -> CacheStats {
        CacheStats {
            hot_items: self.hot.items,
            hot_bytes: self.hot.bytes,
            cold_items: self.cold.as_ref().map_or(0, |cold| cold.items),
            cold_bytes: self.cold.as_ref().map_or(0, |cold| cold.bytes),
            index_bytes: self.index.bytes(),
            ..self.stats
        }
    }
}
