//! Where the blocks of a vector are: 16 bytes a block of 64 KiB.
//!
//! ```text
//!   entry | number of its first element u64 | sector << 20 | sectors |
//! ```
//!
//! Promises: the block of an element is found by bisection, in memory.
//! Never: a block without an element.

use crate::budget::Consumer;
use crate::collections::held::{Held, room_for_one};
use crate::error::Result;
use crate::spill::BlockPlace;
use crate::storage::SECTOR_BYTES;

/// Sectors of a block take this many bits: blocks are below 4 GiB, offsets below 64 PiB.
const SECTORS_BITS: u32 = 20;

#[derive(Clone, Copy, Debug)]
struct Entry {
    first: u64,
    place: u64,
}

#[derive(Debug)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// Elements in all blocks.
    items: u64,
    held: Held,
}

impl Index {
    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        Ok(Self { entries: Vec::new(), items: 0, held: Held::new(consumer)? })
    }

    pub(super) fn items(&self) -> u64 {
        self.items
    }

    pub(super) fn blocks(&self) -> usize {
        self.entries.len()
    }

    /// Makes room for one more block.
    pub(super) fn reserve(&mut self) -> Result<()> {
        Ok(room_for_one(&mut self.entries, &mut self.held, usize::MAX)?)
    }

    /// Adds a block, for which [`Index::reserve`] made room.
    pub(super) fn push(&mut self, place: BlockPlace) {
        let sectors = u64::from(place.bytes) / SECTOR_BYTES as u64;
        let place_bits = place.offset / SECTOR_BYTES as u64;
        let packed = place_bits << SECTORS_BITS | sectors;
        self.entries.push(Entry { first: self.items, place: packed });
        self.items += u64::from(place.records);
    }

    /// Takes the last block off.
    pub(super) fn pop(&mut self) -> Option<BlockPlace> {
        let last = self.entries.len().checked_sub(1)?;
        let place = self.place(last);
        self.items = self.entries[last].first;
        self.entries.truncate(last);
        Some(place)
    }

    pub(super) fn place(&self, block: usize) -> BlockPlace {
        let entry = self.entries[block];
        let end = self.entries.get(block + 1).map_or(self.items, |next| next.first);
        let sectors = entry.place & ((1 << SECTORS_BITS) - 1);
        let narrow = |n: u64| u32::try_from(n).expect("it was one when the block was added");
        BlockPlace {
            offset: (entry.place >> SECTORS_BITS) * SECTOR_BYTES as u64,
            bytes: narrow(sectors * SECTOR_BYTES as u64),
            records: narrow(end - entry.first),
        }
    }

    /// The number of the first element of a block.
    pub(super) fn first(&self, block: usize) -> u64 {
        self.entries[block].first
    }

    /// The block of an element that is in one.
    pub(super) fn block_of(&self, item: u64) -> usize {
        self.entries.partition_point(|entry| entry.first <= item) - 1
    }
}
