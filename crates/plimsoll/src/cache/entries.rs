//! The entries, in chunks of slots that never move.
//!
//! ```text
//!   number ──> chunk 0 | entry | free | entry | ... |     64 slots each
//!              chunk 1 gone
//!              chunk 2 | free | entry | ...              empty chunks are given back
//! ```
//!
//! Promises: an entry keeps its number for life; low chunks fill first, so that high ones empty.
//! Never: a chunk that was not reserved by the caller first.

use super::entry::Entry;

/// Slots that are allocated together.
const CHUNK_SLOTS: usize = 64;

#[derive(Debug)]
enum Slot {
    Free(Option<u32>),
    Full(Entry),
}

#[derive(Debug)]
struct Chunk {
    slots: Box<[Slot]>,
    free: Option<u32>,
    used: usize,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    chunks: Vec<Option<Chunk>>,
    /// Chunks below have no free slot.
    first_free: usize,
    /// Chunks that are there, and those of them without an entry.
    held: usize,
    empty: usize,
}

impl Entries {
    /// What an entry takes beside what it owns.
    pub(super) const SLOT_BYTES: usize = size_of::<Slot>();
    /// What a chunk costs: its slots, and its place in a list that doubles.
    const CHUNK_BYTES: u64 =
        (CHUNK_SLOTS * Self::SLOT_BYTES + 3 * size_of::<Option<Chunk>>()) as u64;

    /// Numbers that were ever given out are below.
    pub(super) fn numbers(&self) -> u32 {
        u32::try_from(self.chunks.len() * CHUNK_SLOTS).expect("entries are numbered in 32 bits")
    }

    /// What its chunks are charged with.
    pub(super) fn chunks_bytes(&self) -> u64 {
        self.held as u64 * Self::CHUNK_BYTES
    }

    /// What [`Entries::trim`] would give back.
    pub(super) fn idle_bytes(&self) -> u64 {
        self.empty as u64 * Self::CHUNK_BYTES
    }

    fn free_chunk(&self) -> Option<usize> {
        let free = |chunk: &Option<Chunk>| chunk.as_ref().is_some_and(|c| c.free.is_some());
        let found = self.chunks.get(self.first_free..)?.iter().position(free)?;
        Some(self.first_free + found)
    }

    /// Bytes to reserve before one more entry can be inserted.
    pub(super) fn growth_bytes(&self) -> u64 {
        if self.free_chunk().is_some() { 0 } else { Self::CHUNK_BYTES }
    }

    /// Adds a chunk, which was reserved.
    pub(super) fn grow(&mut self) {
        let gone = self.chunks.iter().position(Option::is_none).unwrap_or(self.chunks.len());
        let first = u32::try_from(gone * CHUNK_SLOTS).expect("entries are numbered in 32 bits");
        let next = (1..CHUNK_SLOTS).zip(first + 1..).map(|(_, number)| Slot::Free(Some(number)));
        let slots = next.chain([Slot::Free(None)]).collect();
        let chunk = Some(Chunk { slots, free: Some(first), used: 0 });
        if gone == self.chunks.len() {
            self.chunks.push(chunk);
        } else {
            self.chunks[gone] = chunk;
        }
        self.first_free = self.first_free.min(gone);
        self.held += 1;
        self.empty += 1;
    }

    fn chunk_mut(&mut self, number: u32) -> (&mut Chunk, usize) {
        let (at, slot) = (number as usize / CHUNK_SLOTS, number as usize % CHUNK_SLOTS);
        (self.chunks[at].as_mut().expect("a chunk with an entry stays"), slot)
    }

    /// Takes an entry in; there is room.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        self.first_free = self.free_chunk().expect("room was made");
        let chunk = self.chunks[self.first_free].as_mut().expect("it has a free slot");
        let number = chunk.free.expect("it has a free slot");
        let slot = &mut chunk.slots[number as usize % CHUNK_SLOTS];
        if let Slot::Free(next) = std::mem::replace(slot, Slot::Full(entry)) {
            chunk.free = next;
        }
        chunk.used += 1;
        self.empty -= usize::from(chunk.used == 1);
        number
    }

    pub(super) fn remove(&mut self, number: u32) -> Entry {
        let (chunk, slot) = self.chunk_mut(number);
        let freed = Slot::Free(chunk.free);
        let Slot::Full(entry) = std::mem::replace(&mut chunk.slots[slot], freed) else {
            panic!("entry {number} of a cache is not there");
        };
        chunk.free = Some(number);
        chunk.used -= 1;
        let emptied = usize::from(chunk.used == 0);
        self.empty += emptied;
        self.first_free = self.first_free.min(number as usize / CHUNK_SLOTS);
        entry
    }

    pub(super) fn find(&self, number: u32) -> Option<&Entry> {
        let chunk = self.chunks.get(number as usize / CHUNK_SLOTS)?.as_ref()?;
        match &chunk.slots[number as usize % CHUNK_SLOTS] {
            Slot::Full(entry) => Some(entry),
            Slot::Free(_) => None,
        }
    }

    pub(super) fn get(&self, number: u32) -> &Entry {
        self.find(number).expect("a number in a list or table is an entry's")
    }

    pub(super) fn get_mut(&mut self, number: u32) -> &mut Entry {
        let (chunk, slot) = self.chunk_mut(number);
        match &mut chunk.slots[slot] {
            Slot::Full(entry) => entry,
            Slot::Free(_) => panic!("entry {number} of a cache is not there"),
        }
    }

    /// Gives empty chunks back.
    pub(super) fn trim(&mut self) {
        for chunk in &mut self.chunks {
            if chunk.as_ref().is_some_and(|chunk| chunk.used == 0) {
                *chunk = None;
            }
        }
        self.held -= std::mem::take(&mut self.empty);
        while let Some(None) = self.chunks.last() {
            self.chunks.pop();
        }
        self.first_free = self.first_free.min(self.chunks.len());
    }
}
