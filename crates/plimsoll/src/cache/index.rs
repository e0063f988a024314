//! Where the entry of a key is, and which entries have a tag.
//!
//! ```text
//!   hash of key ──> numbers ──> entries
//!   hash of tag ──> tags ─────> chain of entries, the newest first
//! ```
//! A tag is its hash of 64 bits under a key of this cache: two that meet are invalidated together,
//! which costs a making and never a stale value.
//!
//! Promises: chunks and tables are reserved before they are allocated; a tag without entries takes
//! no room.
//! Never: an entry that its key or its tags do not find.

use hashbrown::HashTable;

use super::chain::Chain;
use super::entries::Entries;
use super::entry::{Entry, Line};
use crate::budget::Reservation;

/// Fewest places of a table.
const PLACES_MIN: usize = 64;

#[derive(Debug)]
struct Tag {
    hash: u64,
    entries: Chain,
}

#[derive(Debug)]
pub(super) struct Index {
    pub(super) entries: Entries,
    numbers: HashTable<u32>,
    tags: HashTable<Tag>,
    /// Of chunks and tables.
    held: Reservation,
    tables_bytes: u64,
    /// What keys and tags of entries hold by their own reservations.
    own_bytes: u64,
}

/// What one more item may cost a table: all of its next size, or nothing.
fn growth_bytes<T>(table: &HashTable<T>, more: usize) -> u64 {
    if table.len() + more <= table.capacity() {
        return 0;
    }
    // A power of two of places, of which seven in eight are filled, with a byte each beside.
    let buckets = (next_items(table, more) * 8 / 7 + 1).next_power_of_two();
    (buckets * (size_of::<T>() + 1) + PLACES_MIN) as u64
}

fn next_items<T>(table: &HashTable<T>, more: usize) -> usize {
    (2 * table.capacity()).max(PLACES_MIN).max(table.len() + more)
}

impl Index {
    /// What an entry takes beside key and tags.
    pub(super) const ENTRY_BYTES: u64 = (Entries::SLOT_BYTES + size_of::<u32>() + 2) as u64;

    pub(super) fn new(none: Reservation) -> Self {
        Self {
            entries: Entries::default(),
            numbers: HashTable::new(),
            tags: HashTable::new(),
            held: none,
            tables_bytes: 0,
            own_bytes: 0,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.held.bytes() + self.own_bytes
    }

    /// Bytes to reserve before one more entry with so many tags is inserted.
    pub(super) fn growth_bytes(&self, tags: usize) -> u64 {
        self.entries.growth_bytes()
            + growth_bytes(&self.numbers, 1)
            + growth_bytes(&self.tags, tags)
    }

    /// Grows by what [`Index::growth_bytes`] says, which was reserved; gives the rest back.
    pub(super) fn grow(&mut self, tags: usize, reserved: Reservation) -> Reservation {
        self.held.merge(reserved);
        let entries = &self.entries;
        if growth_bytes(&self.numbers, 1) > 0 {
            let more = next_items(&self.numbers, 1) - self.numbers.len();
            self.numbers.reserve(more, |number| entries.get(*number).hash);
        }
        if growth_bytes(&self.tags, tags) > 0 {
            let more = next_items(&self.tags, tags) - self.tags.len();
            self.tags.reserve(more, |tag| tag.hash);
        }
        let chunk_bytes = self.entries.growth_bytes();
        if chunk_bytes > 0 {
            self.entries.grow();
        }
        self.recount()
    }

    /// Splits off what tables and chunks do not take.
    fn recount(&mut self) -> Reservation {
        self.tables_bytes = (self.numbers.allocation_size() + self.tags.allocation_size()) as u64;
        let taken = self.tables_bytes + self.entries.chunks_bytes();
        let spare = self.held.bytes().saturating_sub(taken);
        self.held.split(spare)
    }

    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let same = |number: &u32| *self.entries.get(*number).key == *key;
        self.numbers.find(hash, same).copied()
    }

    /// The oldest entry with the tag.
    pub(super) fn oldest_of(&self, tag: u64) -> Option<u32> {
        self.tags.find(tag, |known| known.hash == tag)?.entries.oldest()
    }

    /// Takes an entry in whose key is not there; there is room.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        self.own_bytes += entry.own.bytes();
        let hash = entry.hash;
        let number = self.entries.insert(entry);
        let entries = &self.entries;
        self.numbers.insert_unique(hash, number, |number| entries.get(*number).hash);
        for at in 0..self.entries.get(number).tags.len() {
            let tag = self.entries.get(number).tags[at].tag;
            let known = self.tags.entry(tag, |known| known.hash == tag, |known| known.hash);
            let mut known = known.or_insert(Tag { hash: tag, entries: Chain::EMPTY });
            known.get_mut().entries.push(Line::Tag(tag), &mut self.entries, number);
        }
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> Entry {
        let hash = self.entries.get(number).hash;
        let found = self.numbers.find_entry(hash, |other| *other == number);
        found.map_err(drop).expect("every entry is in the table").remove();
        for at in 0..self.entries.get(number).tags.len() {
            let tag = self.entries.get(number).tags[at].tag;
            let found = self.tags.find_entry(tag, |known| known.hash == tag);
            let mut known = found.map_err(drop).expect("a tag of an entry is in the table");
            known.get_mut().entries.unlink(Line::Tag(tag), &mut self.entries, number);
            if known.get().entries.is_empty() {
                known.remove();
            }
        }
        let entry = self.entries.remove(number);
        self.own_bytes -= entry.own.bytes();
        entry
    }

    /// Gives empty chunks and tables that are much too large back.
    pub(super) fn trim(&mut self) -> Reservation {
        self.entries.trim();
        let entries = &self.entries;
        if self.numbers.len() < self.numbers.capacity() / 4 {
            let places = 2 * self.numbers.len();
            self.numbers.shrink_to(places, |number| entries.get(*number).hash);
        }
        if self.tags.len() < self.tags.capacity() / 4 {
            self.tags.shrink_to(2 * self.tags.len(), |tag| tag.hash);
        }
        self.recount()
    }
}
