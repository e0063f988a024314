//! A bounded table whose entries keep their slot until they are removed.
//!
//! Promises: insert, look-up and removal are O(1), and the table never exceeds its bound.
//! Never: a slot that is read after its entry was removed; that is a bug and panics.

use std::ops::{Index, IndexMut};

/// Entries by slot; slots of removed entries are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Option<T>>,
    free: Vec<usize>,
    entries_max: usize,
}

impl<T> Slab<T> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), entries_max }
    }

    /// Puts `entry` into a free slot, or gives `None` when the table is full.
    pub(super) fn insert(&mut self, entry: T) -> Option<usize> {
        if let Some(slot) = self.free.pop() {
            self.slots[slot] = Some(entry);
            return Some(slot);
        }
        if self.slots.len() == self.entries_max {
            return None;
        }
        self.slots.push(Some(entry));
        Some(self.slots.len() - 1)
    }

    pub(super) fn remove(&mut self, slot: usize) -> T {
        let entry = self.slots[slot].take();
        self.free.push(slot);
        entry.expect("a slot is removed once, by its owner")
    }

    /// The entry of a slot that may have been given up meanwhile.
    pub(super) fn get(&self, slot: usize) -> Option<&T> {
        self.slots.get(slot)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }
}

impl<T> Index<usize> for Slab<T> {
    type Output = T;

    fn index(&self, slot: usize) -> &T {
        self.slots[slot].as_ref().expect("a handle keeps its slot")
    }
}

impl<T> IndexMut<usize> for Slab<T> {
    fn index_mut(&mut self, slot: usize) -> &mut T {
        self.slots[slot].as_mut().expect("a handle keeps its slot")
    }
}
