//! Rows in memory with their sort entries, in one block of memory that never grows.
//!
//! ```text
//!   0            bytes                free                        words.len() * 8
//!   | rows and long keys | ─────────>        <───────── | entry n | ... | entry 0 |
//!
//!   entry, 24 bytes:  | prefix of the key, 16 bytes as two numbers | at 32 | long 1 | len 31 |
//!   of a short key:   at, len are the row
//!   of a long key:    at is a place  | row at u32 | row len u32 | key len u32 | key |
//! ```
//!
//! A key of at most 16 bytes stands in the entry whole, filled up with zeros; the bytes of rows
//! are compared never, those of long keys only when their prefixes are equal. Where all keys are
//! long, the beginning they share is taken off before prefixes are made.
//!
//! Promises: sorting is stable; an arena that is full says so and keeps what it has.
//! Never: an allocation after the first.

use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::units::ByteSize;

/// Bytes of a key that stand in its entry.
pub const PREFIX_BYTES: usize = 16;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 24;
/// Words of an entry.
const ENTRY_WORDS: usize = ENTRY_BYTES / 8;
/// Places are 32 bits.
pub const ARENA_BYTES_MAX: usize = 4 << 30;
/// Rows are 31 bits.
const ROW_BYTES_MAX: usize = (1 << 31) - 1;
const LONG: u64 = 1 << 31;
/// Bytes before a long key.
const LONG_HEAD_BYTES: usize = 12;

type Entry = [u64; ENTRY_WORDS];

/// Fixed memory for rows and entries.
pub struct Arena {
    words: Vec<u64>,
    /// Bytes of rows a reader put there.
    begun: usize,
    /// Bytes of rows and long keys, up to a whole word.
    bytes: usize,
    entries: usize,
    longs: usize,
    /// Bytes that all keys begin with, where all are long; known once sorted.
    shared: usize,
    _reservation: Reservation,
}

/// One sorted row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorted<'a> {
    /// First 16 bytes of the key, filled up with zeros, as one big-endian number.
    pub prefix: u128,
    /// What the key has beyond them.
    pub extra: &'a [u8],
    /// The row.
    pub row: &'a [u8],
}

impl Arena {
    /// An arena of `bytes`, reserved from `consumer`; pages nobody used are not resident.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(consumer: &Consumer, bytes: usize) -> Result<Self> {
        let words = bytes.min(ARENA_BYTES_MAX) / 8;
        let reservation = consumer.try_reserve((words * 8) as u64)?;
        Ok(Self {
            words: vec![0; words],
            begun: 0,
            bytes: 0,
            entries: 0,
            longs: 0,
            shared: 0,
            _reservation: reservation,
        })
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// What a row took beside its own bytes, on average: its entry and its long key.
    #[must_use]
    pub fn entry_bytes_mean(&self) -> usize {
        let keys = self.bytes - self.begun.next_multiple_of(8);
        ENTRY_BYTES + keys.div_ceil(self.entries.max(1))
    }

    /// Bytes it has in all.
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.begun = 0;
        self.bytes = 0;
        self.entries = 0;
        self.longs = 0;
    }

    /// All of the memory, for a reader that fills it from the start; [`Arena::begin`] follows.
    pub fn room(&mut self) -> &mut [u8] {
        self.clear();
        bytemuck::cast_slice_mut(&mut self.words)
    }

    /// The first `bytes` are rows, to be named through [`Arena::split`]. Called again it forgets
    /// all entries and long keys, but not the rows.
    pub fn begin(&mut self, bytes: usize) {
        self.clear();
        self.begun = bytes;
        self.bytes = bytes.next_multiple_of(8);
    }

    /// The rows that were begun with, and the way to name them.
    pub fn split(&mut self) -> (&[u8], Filler<'_>) {
        let (rows, rest) = self.words.split_at_mut(self.begun.div_ceil(8));
        let filler = Filler {
            base: rows.len() * 8,
            rest,
            bytes: &mut self.bytes,
            entries: &mut self.entries,
            longs: &mut self.longs,
        };
        (&bytemuck::cast_slice(rows)[..self.begun], filler)
    }

    /// Adds a copy of a row. `false` when there is no room.
    pub fn push(&mut self, key: &[u8], row: &[u8]) -> bool {
        self.split().1.push_copied(key, &[row])
    }

    /// The error of a row that an empty arena has no room for.
    #[must_use]
    pub fn too_large(&self, row_bytes: usize, what: &str) -> Error {
        Error::too_large(format!(
            "{what} is {} long with its key, and {} are there for sorting; raise the memory limit",
            ByteSize::new(row_bytes as u64),
            ByteSize::new(self.capacity_bytes() as u64)
        ))
    }

    /// Sorts the rows by key; equal keys keep the order they were added in.
    pub fn sort(&mut self) {
        let all_long = self.longs == self.entries;
        let split = self.words.len() - self.entries * ENTRY_WORDS;
        let (front, back) = self.words.split_at_mut(split);
        let bytes: &[u8] = bytemuck::cast_slice(front);
        let entries: &mut [Entry] = bytemuck::cast_slice_mut(back);
        self.shared = 0;
        if self.longs == 0 {
            // Added last stands first: a place is later in the input the larger it is.
            entries.sort_unstable_by_key(|e| (prefix(e), e[2]));
            return;
        }
        if all_long {
            self.shared = shared_bytes(bytes, entries);
            for entry in entries.iter_mut() {
                let stripped = prefix_of(&long_key(bytes, entry[2])[self.shared..]);
                #[allow(clippy::cast_possible_truncation)] // the two halves
                let halves = [(stripped >> 64) as u64, stripped as u64];
                (entry[0], entry[1]) = (halves[0], halves[1]);
            }
        }
        entries.sort_unstable_by(|a, b| {
            prefix(a).cmp(&prefix(b)).then_with(|| {
                if a[2] & b[2] & LONG != 0 {
                    long_key(bytes, a[2]).cmp(long_key(bytes, b[2])).then(a[2].cmp(&b[2]))
                } else {
                    a[2].cmp(&b[2])
                }
            })
        });
    }

    /// The row at `position` of the order, once sorted.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<Sorted<'_>> {
        (position < self.entries).then(|| {
            let at = self.words.len() - (self.entries - position) * ENTRY_WORDS;
            let entry = self.words[at..at + ENTRY_WORDS].try_into().expect("three words");
            let stripped = self.longs > 0 && self.longs == self.entries;
            read(bytemuck::cast_slice(&self.words), entry, stripped)
        })
    }

    /// Bytes of the rows at `positions` of the order, once sorted.
    pub(super) fn row_bytes(&self, positions: std::ops::Range<usize>) -> u64 {
        positions.filter_map(|position| self.get(position)).map(|row| row.row.len() as u64).sum()
    }

    /// The rows in order, once sorted.
    pub fn iter(&self) -> impl Iterator<Item = Sorted<'_>> {
        let split = self.words.len() - self.entries * ENTRY_WORDS;
        let (front, back) = self.words.split_at(split);
        let bytes: &[u8] = bytemuck::cast_slice(front);
        let entries: &[Entry] = bytemuck::cast_slice(back);
        let stripped = self.longs > 0 && self.longs == self.entries;
        entries.iter().map(move |entry| read(bytes, entry, stripped))
    }
}

/// Names rows of an arena while they are read out of it.
pub struct Filler<'a> {
    /// All behind the rows that were begun with.
    rest: &'a mut [u64],
    /// Where `rest` begins in the arena.
    base: usize,
    bytes: &'a mut usize,
    entries: &'a mut usize,
    longs: &'a mut usize,
}

impl Filler<'_> {
    /// Room between the bytes and the entries.
    fn free_bytes(&self) -> usize {
        self.base + self.rest.len() * 8 - *self.bytes - *self.entries * ENTRY_BYTES
    }

    /// Number of rows named so far.
    #[must_use]
    pub fn len(&self) -> usize {
        *self.entries
    }

    /// Whether no row was named yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self.entries == 0
    }

    /// Adds a row that lies in the arena, under a key of at most 16 bytes, given as
    /// [`Sorted::prefix`]. `false` when there is no room.
    #[inline]
    pub fn push_short(&mut self, at: usize, len: usize, prefix: u128) -> bool {
        if self.free_bytes() < ENTRY_BYTES || len > ROW_BYTES_MAX {
            return false;
        }
        self.put(prefix, (at as u64) << 32 | len as u64);
        true
    }

    /// Adds a row that lies in the arena. `false` when there is no room.
    pub fn push_placed(&mut self, at: usize, len: usize, key: &[u8]) -> bool {
        if key.len() <= PREFIX_BYTES {
            return self.push_short(at, len, prefix_of(key));
        }
        let whole = (LONG_HEAD_BYTES + key.len()).next_multiple_of(8);
        if self.free_bytes() < whole + ENTRY_BYTES || len > ROW_BYTES_MAX {
            return false;
        }
        let narrow = |n: usize| u32::try_from(n).expect("arenas are below 4 GiB").to_le_bytes();
        let place = *self.bytes;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(self.rest);
        let (numbers, rest) = bytes[place - self.base..].split_at_mut(LONG_HEAD_BYTES);
        numbers[..4].copy_from_slice(&narrow(at));
        numbers[4..8].copy_from_slice(&narrow(len));
        numbers[8..].copy_from_slice(&narrow(key.len()));
        rest[..key.len()].copy_from_slice(key);
        *self.bytes += whole;
        *self.longs += 1;
        self.put(prefix_of(key), (place as u64) << 32 | LONG);
        true
    }

    /// Adds a copy of a row, given in parts. `false` when there is no room.
    pub fn push_copied(&mut self, key: &[u8], parts: &[&[u8]]) -> bool {
        let len = parts.iter().map(|p| p.len()).sum::<usize>();
        let whole = len.next_multiple_of(8);
        if self.free_bytes() < whole + ENTRY_BYTES {
            return false;
        }
        let at = *self.bytes;
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(self.rest);
        let mut to = at - self.base;
        for part in parts {
            bytes[to..to + part.len()].copy_from_slice(part);
            to += part.len();
        }
        *self.bytes += whole;
        let pushed = self.push_placed(at, len, key);
        if !pushed {
            *self.bytes = at;
        }
        pushed
    }

    fn put(&mut self, prefix: u128, place: u64) {
        *self.entries += 1;
        let at = self.rest.len() - *self.entries * ENTRY_WORDS;
        let entry: &mut Entry =
            (&mut self.rest[at..at + ENTRY_WORDS]).try_into().expect("three words");
        #[allow(clippy::cast_possible_truncation)] // the two halves
        let halves = [(prefix >> 64) as u64, prefix as u64];
        *entry = [halves[0], halves[1], place];
    }
}

#[inline]
fn read<'a>(bytes: &'a [u8], entry: &Entry, stripped: bool) -> Sorted<'a> {
    let (at, len) = place(entry[2]);
    if entry[2] & LONG == 0 {
        return Sorted { prefix: prefix(entry), extra: &[], row: &bytes[at..at + len] };
    }
    let (row_at, row_len, key) = long(bytes, at);
    let first = if stripped { prefix_of(key) } else { prefix(entry) };
    Sorted { prefix: first, extra: &key[PREFIX_BYTES..], row: &bytes[row_at..row_at + row_len] }
}

#[inline]
fn prefix(entry: &Entry) -> u128 {
    u128::from(entry[0]) << 64 | u128::from(entry[1])
}

/// First bytes of a key as a number, filled up with zeros.
#[must_use]
pub fn prefix_of(key: &[u8]) -> u128 {
    let mut bytes = [0; PREFIX_BYTES];
    let n = key.len().min(PREFIX_BYTES);
    bytes[..n].copy_from_slice(&key[..n]);
    u128::from_be_bytes(bytes)
}

#[allow(clippy::cast_possible_truncation)] // arenas are below 4 GiB
fn place(word: u64) -> (usize, usize) {
    ((word >> 32) as usize, (word & (LONG - 1)) as usize)
}

fn long(bytes: &[u8], at: usize) -> (usize, usize, &[u8]) {
    let number =
        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    let key_at = at + LONG_HEAD_BYTES;
    (number(at), number(at + 4), &bytes[key_at..key_at + number(at + 8)])
}

fn long_key(bytes: &[u8], word: u64) -> &[u8] {
    long(bytes, place(word).0).2
}

/// How many bytes all keys begin with.
fn shared_bytes(bytes: &[u8], entries: &[Entry]) -> usize {
    let Some(first) = entries.first() else { return 0 };
    let first = long_key(bytes, first[2]);
    entries.iter().fold(first.len(), |shared, entry| {
        let key = &long_key(bytes, entry[2]);
        let same = first[..shared].iter().zip(key.iter()).take_while(|(a, b)| a == b).count();
        same.min(shared)
    })
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena({} rows in {} B)", self.entries, self.capacity_bytes())
    }
}
