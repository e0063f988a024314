//! A hash table of groups in a workspace of fixed size.
//!
//! ```text
//!   index (hashbrown, 5 B a slot)          arena (chunks of up to 1 MiB)
//!   [tag 7 bits | place u32] ────────────> [key length | hash | key | state] [text] [entry]..
//!        low 32 bits of the hash
//! ```
//!
//! The index doubles from 16 slots on; while it does, the old one and the new one both count.
//! Rehashing walks the arena from its start to its end with the hashes that stand there, so that
//! no key is read again. Finding is one look at the index and one at the entry.
//!
//! Promises: index and chunks together never exceed the workspace; the same rows in the same
//! order with the same seed give the same table, read back in the same order.
//! Never: a group that is lost because there was no room: [`Full`] says so before anything is
//! changed.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use crate::aggregate::{Arena, Entries, Full, Group, GroupRef, Layout, Place};
use crate::error::{Error, Result};
use crate::limits::GROUP_TABLE_BYTES_MAX;

/// Slots of the first index.
const SLOTS_MIN: usize = 16;
/// A place and a control byte.
const SLOT_BYTES: usize = size_of::<u32>() + 1;
/// Control bytes beyond the last slot, and the alignment of the first.
const INDEX_HEAD_BYTES: usize = 32;
/// What a group takes beside key, state and texts, at most: 8 bytes at the head of its entry, up
/// to 3 to align it, and between 5.7 and 11.4 in the index.
pub const GROUP_OVERHEAD_BYTES: usize = 23;
/// The least workspace: one index, one chunk and a little.
const WORKSPACE_BYTES_MIN: usize = 8 << 10;

/// Groups by key. Who makes one has reserved its workspace; it takes memory as it fills.
///
/// A group costs its key, its state, its texts with 4 to 7 bytes each and the room they were given
/// to grow, and at most [`GROUP_OVERHEAD_BYTES`]. The last chunk may be empty, and up to a quarter
/// of a workspace of very small groups stays unused where the index finds no room to double.
///
/// ```
/// use plimsoll::aggregate::{self, Layout};
/// use plimsoll::group::Table;
/// use plimsoll::record::{Column, ColumnType, Schema, Value, ValueRow};
/// let schema = Schema {
///     columns: vec![
///         Column::nullable("city", ColumnType::Text),
///         Column::nullable("qty", ColumnType::Int),
///     ],
/// };
/// let layout = Layout::new(&aggregate::parse("sum(qty), max(city)", &schema)?)?;
/// let mut table = Table::new(1 << 20, &layout, 7)?;
/// for (city, qty) in [("Bern", 2), ("Oslo", 5), ("Bern", 3)] {
///     let row = [Value::Text(city.into()), Value::Int(qty)];
///     let mut group = table.upsert(city.as_bytes()).expect("a megabyte holds two groups");
///     layout.update(&mut group, &ValueRow(&row)).expect("and their texts");
/// }
/// let mut values = Vec::new();
/// for group in table.iter() {
///     layout.finish(group, &mut values)?;
/// }
/// assert_eq!(table.len(), 2);
/// assert_eq!(values[..2], [Value::Int(5), Value::Text("Bern".into())]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Debug)]
pub struct Table {
    index: HashTable<u32>,
    arena: Arena,
    hasher: FixedState,
    workspace_bytes: usize,
}

impl Table {
    /// An empty table for groups of `layout`. Of two tables with one `seed`, [`Table::hash`] is
    /// the same.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a workspace below 8 KiB, [`crate::ErrorKind::TooLarge`]
    /// for one beyond [`crate::limits::GROUP_TABLE_BYTES_MAX`].
    pub fn new(workspace_bytes: usize, layout: &Layout, seed: u64) -> Result<Self> {
        if workspace_bytes < WORKSPACE_BYTES_MIN {
            return Err(Error::invalid(format!(
                "a table of groups in {workspace_bytes} bytes: it takes at least \
                 {WORKSPACE_BYTES_MIN}; give it more"
            )));
        }
        if workspace_bytes > GROUP_TABLE_BYTES_MAX {
            return Err(Error::too_large(format!(
                "a table of groups in {workspace_bytes} bytes: it takes at most \
                 {GROUP_TABLE_BYTES_MAX}; give it less, or take one table per thread"
            )));
        }
        let index = HashTable::with_capacity(SLOTS_MIN / 8 * 7);
        let mut arena = Arena::new(workspace_bytes, layout.state_bytes());
        arena.set_max(workspace_bytes - index_bytes(SLOTS_MIN));
        Ok(Self { index, arena, hasher: FixedState::with_seed(seed), workspace_bytes })
    }

    /// The hash of a key: the table uses its low half, [`super::Plan::partition`] its high one.
    #[must_use]
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// The group of `key`, a new one if there is none.
    ///
    /// # Errors
    /// [`Full`] when a new group finds no room; the table is as before. From a table of no group
    /// it means that the key alone is too large for the workspace.
    pub fn upsert(&mut self, key: &[u8]) -> Result<Group<'_>, Full> {
        self.upsert_hashed(self.hash(key), key)
    }

    /// As [`Table::upsert`], for who has the key's [`Table::hash`] already.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    pub fn upsert_hashed(&mut self, hash: u64, key: &[u8]) -> Result<Group<'_>, Full> {
        let found = self.find_or_insert(hash, key)?;
        Ok(self.group(found))
    }

    /// Where the group of `key` is, a new one if there is none, for [`Table::group`].
    ///
    /// A large table is not in the processor's caches, and finding a group is two waits for
    /// memory. Who looks for the groups of a batch of rows (64 to 1 024) before adding the first
    /// row to its group has the processor wait for several at a time.
    ///
    /// # Errors
    /// As [`Table::upsert`].
    #[inline]
    pub fn find_or_insert(&mut self, hash: u64, key: &[u8]) -> Result<Found, Full> {
        let low = low_half(hash);
        let arena = &self.arena;
        let found = self.index.find(spread(low), |place| {
            let entry = arena.entry(Place(*place));
            entry.hash == low && is_same(entry.key, key)
        });
        match found {
            Some(place) => {
                arena.touch(Place(*place));
                Ok(Found(Place(*place)))
            }
            None => self.insert(low, key).map(Found),
        }
    }

    /// Has the processor fetch what [`Table::find_or_insert`] is going to look at: who does so for
    /// all keys of a batch before finding the first waits for memory once.
    #[inline]
    pub fn touch(&self, hash: u64) {
        // The first place with the key's tag is nearly always the right one.
        if let Some(place) = self.index.find(spread(low_half(hash)), |_| true) {
            self.arena.touch_entry(Place(*place));
        }
    }

    /// The group that was found since the table was last cleared.
    ///
    /// # Panics
    /// It may, when the table was cleared in between; else the group is some other one.
    #[inline]
    pub fn group(&mut self, found: Found) -> Group<'_> {
        Group::new(&mut self.arena, found.0)
    }

    #[inline(never)]
    fn insert(&mut self, low: u32, key: &[u8]) -> Result<Place, Full> {
        if self.index.len() == self.index.capacity() {
            self.grow_index()?;
        }
        let place = self.arena.insert(low, key)?;
        // There is room for one more, so nothing is hashed again.
        self.index.insert_unique(spread(low), place.0, |_| spread(low));
        Ok(place)
    }

    fn grow_index(&mut self) -> Result<(), Full> {
        let slots = self.index.num_buckets();
        let (old, new) = (index_bytes(slots), index_bytes(slots * 2));
        if self.arena.held_bytes() + old + new > self.workspace_bytes {
            return Err(Full);
        }
        let mut grown = HashTable::with_capacity(slots * 2 / 8 * 7);
        for entry in self.arena.entries() {
            grown.insert_unique(spread(entry.hash), entry.place.0, |_| spread(entry.hash));
        }
        self.index = grown;
        self.arena.set_max(self.workspace_bytes - new);
        Ok(())
    }

    /// Every group, in the order of the memory.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { arena: &self.arena, entries: self.arena.entries() }
    }

    /// Forgets every group. Index and chunks stay, for the table is filled again.
    pub fn clear(&mut self) {
        self.index.clear();
        self.arena.clear();
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What index and chunks take, in bytes; at most the workspace.
    #[must_use]
    pub fn bytes(&self) -> usize {
        index_bytes(self.index.num_buckets()) + self.arena.held_bytes()
    }

    /// Of these, what texts take that were placed again.
    #[must_use]
    pub fn garbage_bytes(&self) -> usize {
        self.arena.garbage_bytes()
    }
}

/// See [`Table::find_or_insert`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(Place);

impl<'t> IntoIterator for &'t Table {
    type Item = GroupRef<'t>;
    type IntoIter = Iter<'t>;

    fn into_iter(self) -> Iter<'t> {
        self.iter()
    }
}

/// See [`Table::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'t> {
    arena: &'t Arena,
    entries: Entries<'t>,
}

impl<'t> Iterator for Iter<'t> {
    type Item = GroupRef<'t>;

    fn next(&mut self) -> Option<GroupRef<'t>> {
        self.entries.next().map(|entry| GroupRef::new(self.arena, entry.place))
    }
}

fn index_bytes(slots: usize) -> usize {
    slots * SLOT_BYTES + INDEX_HEAD_BYTES
}

/// Most keys have 8 to 16 bytes: two loads that overlap, where a call would cost more.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.first_chunk::<8>(), one.last_chunk::<8>()) {
        (Some(first), Some(last)) if one.len() <= 16 => {
            other.starts_with(first) && other.ends_with(last)
        }
        _ => one == other,
    }
}

#[allow(clippy::cast_possible_truncation)] // the low half is what is wanted
fn low_half(hash: u64) -> u32 {
    hash as u32
}

/// The index takes its tag from the highest bits and the slot from the lowest.
fn spread(low: u32) -> u64 {
    (u64::from(low) << 32) | u64::from(low)
}

#[cfg(test)]
mod tests;
