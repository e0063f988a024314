//! Rows of one side in memory, found by their key.
//!
//! ```text
//!   index (5 B a slot) ──> head of a key          arena, in units of 4 bytes
//!                          [next u32 | last u32 | lengths | key | piece | 0..3 to align]
//!                             └──> the next row of the same key, in the order they came
//! ```
//!
//! Promises: memory that is reserved and fixed at the start; rows of one key in their order.
//! Never: a row that is lost because there was no room; it is refused and nothing has changed.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::spill::{LENGTH_BYTES_MAX, length_at, put_length};

/// Places are counted in these.
const UNIT: usize = 4;
/// Two places before the lengths.
const LINKS: usize = 8;
/// No next row.
const NONE: u32 = u32::MAX;
/// A place and a control byte.
const SLOT_BYTES: usize = size_of::<u32>() + 1;
/// Control bytes beyond the last slot, and the alignment of the first.
const INDEX_HEAD_BYTES: usize = 32;
/// Fewest slots.
const SLOTS_MIN: usize = 16;
/// What 32 bits count in units.
const ARENA_BYTES_MAX: usize = 16 << 30;
/// Another one than those that partition: keys of one partition must not share their bits.
const SEED: u64 = 0x7461_626c;

/// Sizes of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableShape {
    /// A power of two; seven of eight can be used.
    pub(super) slots: usize,
    /// For keys and rows.
    pub(super) arena_bytes: usize,
    /// Whether it remembers which keys were found.
    pub(super) tracked: bool,
}

impl TableShape {
    /// The shape of at most `bytes`, with an index for `keys` but no more than a quarter of it.
    pub(super) fn within(bytes: usize, keys: usize, tracked: bool) -> Self {
        let wished = (keys.saturating_mul(8) / 7).saturating_add(1).next_power_of_two();
        let mut slots = SLOTS_MIN;
        while slots < wished && slots * 2 * SLOT_BYTES <= bytes / 4 {
            slots *= 2;
        }
        let left = bytes.saturating_sub(slots * SLOT_BYTES + INDEX_HEAD_BYTES);
        let arena = if tracked { left - left / 32 } else { left };
        Self { slots, arena_bytes: arena.min(ARENA_BYTES_MAX), tracked }
    }

    /// Keys it has slots for.
    pub(super) fn keys_max(self) -> usize {
        self.slots / 8 * 7
    }

    /// What a table of this shape takes.
    pub(super) fn bytes(self) -> usize {
        let marks = if self.tracked { self.arena_bytes / 32 + 8 } else { 0 };
        self.slots * SLOT_BYTES + INDEX_HEAD_BYTES + self.arena_bytes + marks
    }
}

/// What a row takes in an arena.
pub(super) fn entry_bytes(key: usize, piece: usize) -> usize {
    let length = |n: usize| (n.max(1).ilog2() / 7 + 1) as usize;
    (LINKS + length(key) + length(piece) + key + piece).next_multiple_of(UNIT)
}

/// Rows by key.
pub(super) struct Table {
    index: HashTable<u32>,
    arena: Vec<u8>,
    shape: TableShape,
    /// One bit a unit: whether the key whose head is there was found.
    found: Box<[AtomicU64]>,
    hasher: FixedState,
    _held: Reservation,
}

impl Table {
    pub(super) fn new(shape: TableShape, consumer: &Consumer) -> Result<Self> {
        let held = consumer.try_reserve(shape.bytes() as u64)?;
        let words = if shape.tracked { shape.arena_bytes / UNIT / 64 + 1 } else { 0 };
        Ok(Self {
            index: HashTable::with_capacity(shape.keys_max()),
            arena: Vec::with_capacity(shape.arena_bytes),
            shape,
            found: (0..words).map(|_| AtomicU64::new(0)).collect(),
            hasher: FixedState::with_seed(SEED),
            _held: held,
        })
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Takes in a row; `false` when it finds no room.
    pub(super) fn insert(&mut self, key: &[u8], piece: &[u8]) -> bool {
        let start = self.arena.len();
        if entry_bytes(key.len(), piece.len()) > self.shape.arena_bytes - start {
            return false;
        }
        let hash = self.hash(key);
        let head = self.head(hash, key);
        if head.is_none() && self.index.len() == self.shape.keys_max() {
            return false;
        }
        let own = u32::try_from(start / UNIT).expect("an arena's units fit 32 bits");
        self.arena.extend_from_slice(&NONE.to_le_bytes());
        self.arena.extend_from_slice(&own.to_le_bytes());
        let mut lengths = [0; 2 * LENGTH_BYTES_MAX];
        let end = put_length(&mut lengths, 0, key.len());
        let end = put_length(&mut lengths, end, piece.len());
        self.arena.extend_from_slice(&lengths[..end]);
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(piece);
        self.arena.resize(self.arena.len().next_multiple_of(UNIT), 0);
        match head {
            Some(head) => {
                let last = self.link(head, 4);
                self.set_link(last, 0, own);
                self.set_link(head, 4, own);
            }
            // There is room for one more, so nothing is hashed again.
            None => drop(self.index.insert_unique(hash, own, |_| hash)),
        }
        true
    }

    fn head(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |place| self.entry(*place).0 == key).copied()
    }

    fn link(&self, place: u32, at: usize) -> u32 {
        let start = place as usize * UNIT + at;
        u32::from_le_bytes(self.arena[start..start + 4].try_into().expect("four bytes"))
    }

    fn set_link(&mut self, place: u32, at: usize, to: u32) {
        let start = place as usize * UNIT + at;
        self.arena[start..start + 4].copy_from_slice(&to.to_le_bytes());
    }

    /// Key and piece of a row.
    #[inline]
    fn entry(&self, place: u32) -> (&[u8], &[u8]) {
        let cut = "an entry is whole";
        let at = place as usize * UNIT + LINKS;
        let (key, at) = length_at(&self.arena, at).expect(cut);
        let (piece, at) = length_at(&self.arena, at).expect(cut);
        (&self.arena[at..at + key], &self.arena[at + key..at + key + piece])
    }

    /// The head of a key's rows.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<u32> {
        self.head(self.hash(key), key)
    }

    /// Remembers that the key of `head` was found.
    #[inline]
    pub(super) fn mark(&self, head: u32) {
        let (word, bit) = (&self.found[head as usize / 64], 1 << (head % 64));
        if word.load(Relaxed) & bit == 0 {
            word.fetch_or(bit, Relaxed);
        }
    }

    /// Heads of the keys that were not found.
    pub(super) fn unmarked(&self) -> impl Iterator<Item = u32> {
        self.index
            .iter()
            .copied()
            .filter(|head| self.found[*head as usize / 64].load(Relaxed) & (1 << (head % 64)) == 0)
    }

    /// Pieces of the rows with one key.
    pub(super) fn pieces(&self, head: u32) -> impl Iterator<Item = &[u8]> {
        let mut next = head;
        std::iter::from_fn(move || {
            (next != NONE).then(|| {
                let piece = self.entry(next).1;
                next = self.link(next, 0);
                piece
            })
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Forgets all rows and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.arena.clear();
        self.found.iter().for_each(|word| word.store(0, Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::budget::{Budget, Unmeasured};
    use crate::expr::testing::Random;

    fn table(bytes: usize, keys: usize) -> Table {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let consumer = budget.consumer("table").unwrap();
        Table::new(TableShape::within(bytes, keys, true), &consumer).unwrap()
    }

    #[test]
    fn rows_of_a_key_come_back_in_their_order_until_there_is_no_room() {
        let mut random = Random::new(3);
        let mut table = table(40_000, 500);
        let mut model: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        loop {
            let key = format!("k{}", random.below(300)).into_bytes();
            let piece = vec![b'x'; random.below(200)];
            let before = table.arena.len();
            if !table.insert(&key, &piece) {
                assert_eq!(table.arena.len(), before);
                break;
            }
            assert_eq!(table.arena.len() - before, entry_bytes(key.len(), piece.len()));
            model.entry(key).or_default().push(piece);
        }
        assert!(model.values().map(Vec::len).sum::<usize>() > 200);
        for (key, pieces) in &model {
            let head = table.find(key).unwrap();
            let found: Vec<_> = table.pieces(head).map(<[u8]>::to_vec).collect();
            assert_eq!(found, *pieces);
        }
        assert_eq!(table.find(b"k300"), None);
        let first = table.find(model.keys().next().unwrap()).unwrap();
        table.mark(first);
        assert_eq!(table.unmarked().count(), model.len() - 1);
        table.clear();
        assert!(table.is_empty() && table.insert(b"k", b"") && table.unmarked().count() == 1);
    }

    #[test]
    fn a_full_index_refuses_new_keys_and_takes_rows_of_known_ones() {
        let mut table = table(4_096, 1);
        let keys_max = table.shape.keys_max();
        for number in 0..keys_max {
            assert!(table.insert(&[u8::try_from(number).unwrap()], b"row"));
        }
        assert!(!table.insert(b"another", b"row"));
        assert!(table.insert(&[0], b"again"));
        assert_eq!(table.pieces(table.find(&[0]).unwrap()).count(), 2);
    }
}
