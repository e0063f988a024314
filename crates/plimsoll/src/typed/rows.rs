//! Records in memory, measured, with the room that a stable sort of them takes.
//!
//! ```text
//!   reserved = (capacity + scratch(capacity)) * size_of + heap, in steps
//!                          `- sorting's own buffer; it also covers old beside new while doubling
//! ```
//!
//! Promises: bytes are reserved before they are allocated, apart from those a record brings along.
//! Never: a reservation per record; the vector's capacity and the heap grow in steps.

use std::cmp::Ordering;

use super::workspace::Workspace;
use crate::error::Result;

/// First allocation, in bytes.
const FIRST_BYTES: usize = 16 << 10;
/// The standard library's stable sort (driftsort) takes a buffer for all records up to this many
/// bytes, and for half of them beyond.
const FULL_SCRATCH_BYTES: usize = 8_000_000;
/// Records its buffer has at least.
const SCRATCH_ROWS_MIN: usize = 48;

/// A vector and what is reserved for it.
#[derive(Debug)]
pub(super) struct Rows<T> {
    pub(super) items: Vec<T>,
    /// Rows it takes before it must grow or be emptied.
    rows_max: usize,
    rows_bytes: u64,
    heap: HeapBytes,
    /// Largest heap of one record.
    heap_max: u64,
}

/// Bytes behind records, reserved in steps.
#[derive(Debug, Default)]
pub(super) struct HeapBytes {
    used: u64,
    reserved: u64,
}

impl HeapBytes {
    /// Whether `bytes` more are reserved already; they count if so.
    #[inline]
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let fits = self.used + bytes <= self.reserved;
        if fits {
            self.used += bytes;
        }
        fits
    }

    /// Reserves so that `bytes` more fit, and some for the next ones where there is room.
    pub(super) fn grow(&mut self, workspace: &mut Workspace, bytes: u64) -> Result<()> {
        if self.used + bytes <= self.reserved {
            return Ok(());
        }
        let needed = self.used + bytes - self.reserved;
        let step = needed.max((workspace.memory_bytes() / 64).clamp(1 << 10, 1 << 20));
        if step <= workspace.room_bytes() && workspace.grow(step).is_ok() {
            self.reserved += step;
            return Ok(());
        }
        workspace.grow(needed)?;
        self.reserved += needed;
        Ok(())
    }

    /// `bytes` are in use no more.
    pub(super) fn release(&mut self, bytes: u64) {
        self.used -= bytes;
    }

    /// Gives everything back: nothing is in use any more.
    pub(super) fn clear(&mut self, workspace: &mut Workspace) {
        workspace.shrink(self.reserved);
        *self = Self::default();
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }
}

impl<T> Rows<T> {
    pub(super) fn new() -> Self {
        let heap = HeapBytes::default();
        Self { items: Vec::new(), rows_max: 0, rows_bytes: 0, heap, heap_max: 0 }
    }

    /// Appends `item` if there is room; gives it back if not.
    #[inline]
    pub(super) fn push(&mut self, item: T, heap: u64) -> Result<(), T> {
        if self.items.len() >= self.rows_max || heap > self.heap_max || !self.heap.take(heap) {
            return Err(item);
        }
        self.items.push(item);
        Ok(())
    }

    /// Makes room for one record with `heap` bytes behind it, up to `bytes_max` for all of this
    /// and `rows_max` records.
    pub(super) fn make_room(
        &mut self,
        workspace: &mut Workspace,
        heap: u64,
        bytes_max: u64,
        rows_max: usize,
    ) -> Result<bool> {
        workspace.admit(size_of::<T>() as u64 + heap)?;
        self.heap_max = self.heap_max.max(heap);
        if self.rows_bytes + self.heap.used + heap > bytes_max && !self.items.is_empty() {
            return Ok(false);
        }
        self.heap.grow(workspace, heap)?;
        if self.items.len() < self.rows_max {
            return Ok(true);
        }
        if self.items.len() >= rows_max {
            return Ok(false);
        }
        self.grow_rows(workspace, bytes_max, rows_max)
    }

    fn grow_rows(
        &mut self,
        workspace: &mut Workspace,
        bytes_max: u64,
        rows_max: usize,
    ) -> Result<bool> {
        let old = self.items.capacity();
        let first = (FIRST_BYTES / Self::row_bytes()).max(16);
        let wanted = first.max(old.saturating_mul(2)).min(rows_max);
        let free = workspace.room_bytes().min(bytes_max.saturating_sub(self.held_bytes()));
        let rows = Self::rows_within(old, wanted, self.rows_bytes + free);
        let Err(error) = self.grow_to(workspace, rows, rows_max) else {
            return Ok(self.items.len() < self.rows_max);
        };
        // Somebody else has the bytes: what they leave may still do.
        let left = error.refusal().map_or(0, |refusal| refusal.left_bytes);
        let rows = Self::rows_within(old, wanted, self.rows_bytes + left.min(free));
        match self.grow_to(workspace, rows, rows_max) {
            Ok(()) if self.items.len() < self.rows_max => Ok(true),
            _ => Err(error),
        }
    }

    /// The most rows up to `wanted` that `bytes` are enough for, coming from `old`; `old` when it
    /// is not worth copying them all.
    fn rows_within(old: usize, wanted: usize, bytes: u64) -> usize {
        let enough = |rows: usize| Self::growth_bytes(old, rows) <= bytes;
        if enough(wanted) {
            return wanted;
        }
        let (mut low, mut high) = (old, wanted);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if enough(middle) { low = middle } else { high = middle }
        }
        if low - old > old / 4 { low } else { old }
    }

    fn grow_to(&mut self, workspace: &mut Workspace, rows: usize, rows_max: usize) -> Result<()> {
        let old = self.items.capacity();
        if rows > old {
            let transient = Self::growth_bytes(old, rows);
            workspace.grow(transient.saturating_sub(self.rows_bytes))?;
            self.items.reserve_exact(rows - self.items.len());
            let kept = Self::sort_bytes(rows);
            workspace.shrink(transient.max(self.rows_bytes) - kept);
            self.rows_bytes = kept;
        }
        self.rows_max = rows.max(old).min(rows_max);
        Ok(())
    }

    fn row_bytes() -> usize {
        size_of::<T>().max(1)
    }

    /// `rows` and the buffer to sort them.
    fn sort_bytes(rows: usize) -> u64 {
        let full = FULL_SCRATCH_BYTES / Self::row_bytes();
        let scratch = (rows - rows / 2).max(rows.min(full)).max(SCRATCH_ROWS_MIN);
        ((rows + scratch) as u64).saturating_mul(Self::row_bytes() as u64)
    }

    /// What is held at most while `old` rows become `rows`.
    fn growth_bytes(old: usize, rows: usize) -> u64 {
        Self::sort_bytes(rows).max((old + rows) as u64 * Self::row_bytes() as u64)
    }

    fn held_bytes(&self) -> u64 {
        self.rows_bytes + self.heap.used()
    }

    pub(super) fn sort(&mut self, compare: &impl Fn(&T, &T) -> Ordering) {
        // A closure of its own: handed on by reference, the comparison is a call for each pair,
        // and numbers take half as long again to sort.
        self.items.sort_by(|a, b| compare(a, b));
    }

    /// Drops the records and keeps the vector.
    pub(super) fn clear(&mut self, workspace: &mut Workspace) {
        self.items.clear();
        self.heap.clear(workspace);
    }

    /// Drops everything.
    pub(super) fn give_back(&mut self, workspace: &mut Workspace) {
        self.items = Vec::new();
        self.heap.clear(workspace);
        workspace.shrink(std::mem::take(&mut self.rows_bytes));
        self.rows_max = 0;
    }

    /// The sorted records; the buffer for sorting is given back.
    pub(super) fn into_items(self, workspace: &mut Workspace) -> Vec<T> {
        workspace.shrink(self.rows_bytes - (self.items.capacity() * size_of::<T>()) as u64);
        self.items
    }
}
