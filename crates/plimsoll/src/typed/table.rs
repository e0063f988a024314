//! A hash table that is measured.
//!
//! ```text
//!   reserved = buckets * (size_of entry + 1 control byte) + heap, in steps
//!              `- old and new at once while it grows
//! ```
//!
//! Promises: bytes are reserved before the table grows.
//! Never: a table that shrinks by itself.

use std::collections::HashMap;
use std::collections::hash_map::IntoIter;
use std::hash::Hash;

use super::rows::HeapBytes;
use super::workspace::Workspace;
use crate::error::Result;

/// Buckets of the first table.
const FIRST_BUCKETS: usize = 16;
/// The standard library's table keeps this many control bytes beyond its buckets.
const CONTROL_BYTES: usize = 16;

/// Entries by key, and what is reserved for them.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    pub(super) map: HashMap<K, V>,
    held: Held,
}

/// What a table holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    table_bytes: u64,
    heap: HeapBytes,
}

impl Held {
    /// Gives it back: the table is gone.
    pub(super) fn give_back(&mut self, workspace: &mut Workspace) {
        self.heap.clear(workspace);
        workspace.shrink(std::mem::take(&mut self.table_bytes));
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    pub(super) fn new() -> Self {
        Self { map: HashMap::new(), held: Held::default() }
    }

    /// Makes room for one more entry with `heap` bytes behind it, which count from now on. The
    /// record that the entry is for was admitted.
    pub(super) fn make_room(&mut self, workspace: &mut Workspace, heap: u64) -> Result<()> {
        if self.map.len() == self.map.capacity() {
            self.grow(workspace)?;
        }
        self.take_heap(workspace, heap)
    }

    /// Counts `bytes` more behind the entries.
    #[inline]
    pub(super) fn take_heap(&mut self, workspace: &mut Workspace, bytes: u64) -> Result<()> {
        if !self.held.heap.take(bytes) {
            self.held.heap.grow(workspace, bytes)?;
            let taken = self.held.heap.take(bytes);
            assert!(taken, "it was reserved");
        }
        Ok(())
    }

    /// `bytes` behind the entries are no more.
    pub(super) fn release_heap(&mut self, bytes: u64) {
        self.held.heap.release(bytes);
    }

    fn grow(&mut self, workspace: &mut Workspace) -> Result<()> {
        let buckets = match self.map.capacity() {
            0 => FIRST_BUCKETS,
            // Seven eighths of the buckets are filled, a power of two.
            full => (full * 8 / 7).next_power_of_two() * 2,
        };
        let bytes = Self::bytes(buckets);
        workspace.grow(bytes)?;
        self.map.reserve(buckets * 7 / 8 - self.map.len());
        workspace.shrink(std::mem::replace(&mut self.held.table_bytes, bytes));
        Ok(())
    }

    fn bytes(buckets: usize) -> u64 {
        (buckets * (size_of::<(K, V)>() + 1) + CONTROL_BYTES) as u64
    }

    /// Drops everything.
    pub(super) fn give_back(&mut self, workspace: &mut Workspace) {
        self.map = HashMap::new();
        self.held.give_back(workspace);
    }

    /// The entries, and what they hold until they are gone.
    pub(super) fn into_entries(self) -> (IntoIter<K, V>, Held) {
        (self.map.into_iter(), self.held)
    }
}
