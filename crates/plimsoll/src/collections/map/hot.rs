//! The items in memory, and which of them were used lately.
//!
//! ```text
//!   table of hashes ──> slot number          slots, in chunks that never move
//!                                            | item | free | item, used | item | ...
//!                                      hand ──────────^   clears `used`, takes what has none
//! ```
//!
//! Recency is CLOCK's (Corbato, "A paging experiment with the Multics system", 1968): a use sets a
//! mark, the hand takes the first item without one. A use costs one store, where LRU moves links.
//!
//! Promises: bytes are reserved before an item is taken in; an item that was used since the hand
//! last passed is not taken before those that were not.
//! Never: an item moved while its number is known.

use hashbrown::HashTable;

use crate::budget::{Consumer, Refusal};
use crate::collections::codec::Spillable;
use crate::collections::held::Held;
use crate::error::Result;

/// Slots that are allocated together.
const CHUNK_SLOTS: usize = 64;
/// What an entry of the table of hashes costs: a number, a byte of the hash, and its share of the
/// eighth that stays empty.
const ENTRY_BYTES: usize = size_of::<u32>() + 2;

/// An item in memory.
#[derive(Debug)]
pub(super) struct Item<K, V> {
    pub(super) hash: u64,
    pub(super) key: K,
    /// `None`: the key was removed, and the tables still have to be told.
    pub(super) value: Option<V>,
    /// What key and value own.
    pub(super) owned_bytes: u64,
    /// Bytes of the record in the tables that this item is equal to; 0 when there is none.
    pub(super) cold_bytes: u32,
    /// Whether a table may hold a record, of any age, for the key.
    pub(super) shadow: bool,
    /// Used since the hand passed.
    used: bool,
    /// About to be evicted.
    pub(super) chosen: bool,
}

impl<K: Spillable, V: Spillable> Item<K, V> {
    pub(super) fn new(hash: u64, key: K, value: Option<V>) -> Self {
        let owned_bytes = owned(&key, value.as_ref());
        Self {
            hash,
            key,
            value,
            owned_bytes,
            cold_bytes: 0,
            shadow: false,
            used: true,
            chosen: false,
        }
    }

    /// Whether the tables hold it as it is, so that it can be dropped.
    pub(super) fn is_clean(&self) -> bool {
        self.cold_bytes > 0
    }
}

pub(super) fn owned<K: Spillable, V: Spillable>(key: &K, value: Option<&V>) -> u64 {
    (key.heap_bytes() + value.map_or(0, V::heap_bytes)) as u64
}

#[derive(Debug)]
enum Slot<K, V> {
    Free(Option<u32>),
    Full(Item<K, V>),
}

#[derive(Debug)]
pub(super) struct Hot<K, V> {
    numbers: HashTable<u32>,
    chunks: Vec<Vec<Slot<K, V>>>,
    free: Option<u32>,
    hand: usize,
    held: Held,
    /// What the items own.
    owned_bytes: u64,
    /// What the table of hashes is charged with.
    numbers_bytes: u64,
    /// Items that are not clean, and their slots with what they own.
    pub(super) dirty_items: usize,
    pub(super) dirty_bytes: u64,
}

impl<K: Spillable + Eq, V: Spillable> Hot<K, V> {
    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        Ok(Self {
            numbers: HashTable::new(),
            chunks: Vec::new(),
            free: None,
            hand: 0,
            held: Held::new(consumer)?,
            owned_bytes: 0,
            numbers_bytes: 0,
            dirty_items: 0,
            dirty_bytes: 0,
        })
    }

    pub(super) fn items(&self) -> usize {
        self.numbers.len()
    }

    /// Of the items: slots in use, what they own, and their entries.
    pub(super) fn bytes(&self) -> u64 {
        self.items() as u64 * Self::item_bytes() + self.owned_bytes
    }

    fn slot_bytes() -> usize {
        size_of::<Slot<K, V>>()
    }

    /// What a chunk costs: its slots, and its place in a list that doubles.
    fn chunk_bytes() -> usize {
        CHUNK_SLOTS * Self::slot_bytes() + 3 * size_of::<Vec<Slot<K, V>>>()
    }

    /// What an item costs beside what it owns.
    pub(super) fn item_bytes() -> u64 {
        (Self::slot_bytes() + ENTRY_BYTES) as u64
    }

    /// Numbers of slots, in use or not.
    pub(super) fn slots(&self) -> usize {
        self.chunks.len() * CHUNK_SLOTS
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &K) -> Option<u32> {
        let same = |number: &u32| self.item(*number).is_some_and(|item| item.key == *key);
        self.numbers.find(hash, same).copied()
    }

    /// Whether the item with this encoded key is newer than what the tables hold.
    pub(super) fn replaces(&self, hash: u64, key: &[u8]) -> bool {
        let same = |number: &u32| {
            let item = self.item(*number).filter(|item| item.hash == hash);
            item.is_some_and(|item| K::decode(&mut &key[..]).is_some_and(|key| key == item.key))
        };
        let number = self.numbers.find(hash, same);
        number.and_then(|number| self.item(*number)).is_some_and(|item| !item.is_clean())
    }

    #[inline]
    pub(super) fn item(&self, number: u32) -> Option<&Item<K, V>> {
        match self.chunks.get(number as usize / CHUNK_SLOTS)?.get(number as usize % CHUNK_SLOTS)? {
            Slot::Full(item) => Some(item),
            Slot::Free(_) => None,
        }
    }

    #[inline]
    pub(super) fn item_mut(&mut self, number: u32) -> &mut Item<K, V> {
        match &mut self.chunks[number as usize / CHUNK_SLOTS][number as usize % CHUNK_SLOTS] {
            Slot::Full(item) => item,
            Slot::Free(_) => panic!("slot {number} of a map is free"),
        }
    }

    #[inline]
    pub(super) fn touch(&mut self, number: u32) {
        self.item_mut(number).used = true;
    }

    /// Charges what an item is going to own.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.held.charge(bytes)
    }

    pub(super) fn discharge(&mut self, bytes: u64) {
        self.held.discharge(bytes);
    }

    /// Takes an item in: its key is not there yet, what it owns has been charged, and
    /// [`Hot::room_for_one`] was called.
    pub(super) fn insert(&mut self, item: Item<K, V>) {
        let number = self.free.expect("room was made");
        if !item.is_clean() {
            self.dirty_items += 1;
            self.dirty_bytes += Self::item_bytes() + item.owned_bytes;
        }
        self.owned_bytes += item.owned_bytes;
        let chunks = &self.chunks;
        self.numbers.insert_unique(item.hash, number, |number| hash_in(chunks, *number));
        let slot = &mut self.chunks[number as usize / CHUNK_SLOTS][number as usize % CHUNK_SLOTS];
        if let Slot::Free(next) = std::mem::replace(slot, Slot::Full(item)) {
            self.free = next;
        }
    }

    pub(super) fn room_for_one(&mut self) -> Result<(), Refusal> {
        let old = self.numbers.capacity();
        if self.numbers.len() == old {
            let new = (2 * old).max(CHUNK_SLOTS);
            // The table takes a power of two of places, of which it fills seven in eight.
            let most = (2 * new * ENTRY_BYTES) as u64;
            self.held.charge(most)?;
            let chunks = &self.chunks;
            self.numbers.reserve(new - old, |number| hash_in(chunks, *number));
            self.recount_numbers(most);
        }
        if self.free.is_none() {
            let first = u32::try_from(self.slots()).expect("4 billion items do not fit in memory");
            self.held.charge(Self::chunk_bytes() as u64)?;
            let mut chunk = Vec::with_capacity(CHUNK_SLOTS);
            let next = (1..CHUNK_SLOTS).zip(first + 1..);
            chunk.extend(next.map(|(_, number)| Slot::Free(Some(number))));
            chunk.push(Slot::Free(None));
            self.chunks.push(chunk);
            self.free = Some(first);
        }
        Ok(())
    }

    /// Corrects what the table of hashes is charged with, `more` of it for a moment only.
    fn recount_numbers(&mut self, more: u64) {
        let now = (self.numbers.allocation_size() as u64).min(self.numbers_bytes + more);
        self.held.discharge(self.numbers_bytes + more - now);
        self.numbers_bytes = now;
    }

    /// Notes that an item is not what the tables hold any more; returns the bytes of the record
    /// that has become garbage.
    pub(super) fn soil(&mut self, number: u32) -> u32 {
        let item = self.item_mut(number);
        let garbage = std::mem::take(&mut item.cold_bytes);
        let bytes = Self::item_bytes() + item.owned_bytes;
        if garbage > 0 {
            self.dirty_items += 1;
            self.dirty_bytes += bytes;
        }
        garbage
    }

    /// Notes that what an item that is not clean owns has changed, and was charged.
    pub(super) fn resized(&mut self, number: u32, owned_bytes: u64) {
        let item = self.item_mut(number);
        let before = std::mem::replace(&mut item.owned_bytes, owned_bytes);
        self.dirty_bytes = self.dirty_bytes - before + owned_bytes;
        self.owned_bytes = self.owned_bytes - before + owned_bytes;
    }

    /// Gives back what an item that is not clean does not own any more.
    pub(super) fn shrunk(&mut self, number: u32) {
        let item = self.item_mut(number);
        let (before, after) = (item.owned_bytes, owned(&item.key, item.value.as_ref()));
        self.resized(number, after);
        self.held.discharge(before.saturating_sub(after));
    }

    pub(super) fn remove(&mut self, number: u32) -> Item<K, V> {
        let hash = self.item_mut(number).hash;
        let entry = self.numbers.find_entry(hash, |other| *other == number);
        entry.map_err(drop).expect("every item has an entry").remove();
        let slot = &mut self.chunks[number as usize / CHUNK_SLOTS][number as usize % CHUNK_SLOTS];
        let Slot::Full(item) = std::mem::replace(slot, Slot::Free(self.free)) else {
            panic!("slot {number} of a map is free");
        };
        self.free = Some(number);
        if !item.is_clean() {
            self.dirty_items -= 1;
            self.dirty_bytes -= Self::item_bytes() + item.owned_bytes;
        }
        self.owned_bytes -= item.owned_bytes;
        self.held.discharge(item.owned_bytes);
        item
    }

    /// Moves the hand over at most `steps` slots, to the next item without a use that `wanted`
    /// agrees to; marks on the way are cleared.
    pub(super) fn next_cold(
        &mut self,
        steps: usize,
        wanted: impl Fn(&Item<K, V>) -> bool,
    ) -> Option<u32> {
        let slots = self.slots();
        for _ in 0..steps.min(2 * slots) {
            let at = self.hand;
            self.hand = (at + 1) % slots;
            let Slot::Full(item) = &mut self.chunks[at / CHUNK_SLOTS][at % CHUNK_SLOTS] else {
                continue;
            };
            if wanted(item) && !std::mem::take(&mut item.used) {
                return Some(u32::try_from(at).expect("slots are numbered in 32 bits"));
            }
        }
        None
    }

    /// Items with a value; the others mark removals.
    pub(super) fn valued(&self) -> usize {
        let all = self.chunks.iter().flatten();
        all.filter(|slot| matches!(slot, Slot::Full(item) if item.value.is_some())).count()
    }

    /// Moves items together and gives back the chunks that are empty then.
    pub(super) fn compact(&mut self) {
        let (mut low, mut high) = (0, self.slots());
        self.free = None;
        loop {
            let full = |at: &usize| matches!(self.slot(*at), Slot::Full(_));
            low += (low..high).take_while(full).count();
            high -= (low..high).rev().take_while(|at| !full(at)).count();
            if low >= high {
                break;
            }
            let (from, to) = (high - 1, low);
            let item = std::mem::replace(self.slot_mut(from), Slot::Free(None));
            if let Slot::Full(item) = &item
                && let Some(number) =
                    self.numbers.find_mut(item.hash, |number| *number as usize == from)
            {
                *number = u32::try_from(to).expect("slots are numbered in 32 bits");
            }
            *self.slot_mut(to) = item;
        }
        let chunks = low.div_ceil(CHUNK_SLOTS);
        let given_back = (self.chunks.len() - chunks) * Self::chunk_bytes();
        self.chunks.truncate(chunks);
        for at in low..self.slots() {
            let number = u32::try_from(at).expect("slots are numbered in 32 bits");
            *self.slot_mut(at) = Slot::Free(self.free.replace(number));
        }
        self.hand = 0;
        self.held.discharge(given_back as u64);
        let chunks = &self.chunks;
        self.numbers.shrink_to_fit(|number| hash_in(chunks, *number));
        self.recount_numbers(0);
    }

    fn slot(&self, at: usize) -> &Slot<K, V> {
        &self.chunks[at / CHUNK_SLOTS][at % CHUNK_SLOTS]
    }

    fn slot_mut(&mut self, at: usize) -> &mut Slot<K, V> {
        &mut self.chunks[at / CHUNK_SLOTS][at % CHUNK_SLOTS]
    }
}

fn hash_in<K, V>(chunks: &[Vec<Slot<K, V>>], number: u32) -> u64 {
    match &chunks[number as usize / CHUNK_SLOTS][number as usize % CHUNK_SLOTS] {
        Slot::Full(item) => item.hash,
        Slot::Free(_) => panic!("slot {number} of a map is free"),
    }
}
