//! The k smallest rows of bytes, by normalised keys.
//!
//! Promises: one workspace, reserved and allocated at the start; of equal keys those pushed first
//! are kept, and come first; a row that is not among the k smallest is rejected by one memcmp.
//! Never: a row or a key that is allocated by itself.
//!
//! ```text
//!   table:  | entry | entry | ...            up to 2 k, and a quarter of the workspace
//!             start, lengths, number
//!   arena:  | key row | key row | ...        the rest of the workspace
//!
//!   push ─> key >= cutoff: rejected
//!     └──> room in both? appended ──no──> compact: select the k-th, drop what is above it,
//!                                         move the others together, the k-th is the cutoff
//! ```
//! A compaction has to free a quarter of the table and of the arena, else the row is refused: so
//! its cost is a constant share of the pushes that filled them.

use std::cmp::Ordering;

use super::refused::{Cause, Refused};
use crate::budget::{Consumer, Reservation};

/// The table's part of the workspace, as one of so many. With rows of 96 bytes, as most are or
/// longer, the arena is full before the table is.
const TABLE_SHARE: usize = 4;
/// What a compaction has to free, as one part of so many.
const FREED_SHARE: usize = 4;

/// Keeps the k rows of the smallest keys. A key is compared by its bytes, so that
/// [`crate::record`]'s order needs normalised keys. Rows that several readers push are ordered
/// among equal keys by a number at the end of the key.
///
/// Costs the workspace. The k smallest have to fit it: three quarters are theirs at least.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::topk::Rows;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let top = budget.consumer("top")?;
/// let mut rows = Rows::new(2, 64 << 10, &top)?;
/// for (key, row) in [(b"c", "tea"), (b"a", "cup"), (b"b", "pot"), (b"a", "tin")] {
///     rows.push(key, row.as_bytes())?;
/// }
/// let smallest = rows.finish();
/// let sorted: Vec<&[u8]> = smallest.iter().map(|(_key, row)| row).collect();
/// assert_eq!(sorted, [b"cup", b"tin"]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct Rows {
    k: usize,
    table: Vec<Entry>,
    arena: Vec<u8>,
    table_max: usize,
    arena_max: usize,
    /// The largest of some k rows that are held: nothing from it on is among the k smallest.
    cutoff: Option<Entry>,
    pushed: u64,
    held: Reservation,
}

/// A row in the arena: its key, and then itself.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    key_bytes: usize,
    row_bytes: usize,
    number: u64,
}

impl Entry {
    fn key(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + self.key_bytes]
    }

    fn row(self, arena: &[u8]) -> &[u8] {
        &arena[self.start + self.key_bytes..self.start + self.bytes()]
    }

    fn bytes(self) -> usize {
        self.key_bytes + self.row_bytes
    }

    /// By key; of equal ones the one that was pushed first is the smaller.
    fn compare(self, other: Self, arena: &[u8]) -> Ordering {
        self.key(arena).cmp(other.key(arena)).then(self.number.cmp(&other.number))
    }
}

impl Rows {
    /// Keeps the `k` smallest in `workspace_bytes` of the consumer.
    ///
    /// # Errors
    /// [`Refused`] when the budget does not have the workspace.
    pub fn new(k: usize, workspace_bytes: usize, consumer: &Consumer) -> Result<Self, Refused> {
        let held = consumer.try_reserve(workspace_bytes as u64).map_err(|refusal| Refused {
            k,
            held: 0,
            cause: Cause::Budget(Box::new(refusal)),
        })?;
        let table_max = k.saturating_mul(2).min(workspace_bytes / TABLE_SHARE / size_of::<Entry>());
        let arena_max = workspace_bytes - table_max * size_of::<Entry>();
        let (table, arena) = (Vec::with_capacity(table_max), Vec::with_capacity(arena_max));
        Ok(Self { k, table, arena, table_max, arena_max, cutoff: None, pushed: 0, held })
    }

    /// Offers a row; `false` when it is known not to be among the k smallest.
    ///
    /// # Errors
    /// [`Refused`] when it does not fit beside the k smallest so far; what is held stays.
    pub fn push(&mut self, key: &[u8], row: &[u8]) -> Result<bool, Refused> {
        if self.k == 0 || self.cutoff().is_some_and(|cutoff| key >= cutoff) {
            return Ok(false);
        }
        let bytes = key.len().saturating_add(row.len());
        if !self.has_room(bytes) {
            self.compact();
            // It may have fallen behind the cutoff that was just found.
            if self.cutoff().is_some_and(|cutoff| key >= cutoff) {
                return Ok(false);
            }
            let freed = self.table.len() <= self.table_max - self.table_max / FREED_SHARE
                && self.arena.len() <= self.arena_max - self.arena_max / FREED_SHARE;
            if !freed || !self.has_room(bytes) {
                return Err(self.refused(bytes));
            }
        }
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(row);
        let (key_bytes, row_bytes) = (key.len(), row.len());
        self.table.push(Entry { start, key_bytes, row_bytes, number: self.pushed });
        self.pushed += 1;
        if self.table.len() == self.k {
            // The first k: their largest is a cutoff long before the table is full.
            let arena = &self.arena;
            self.cutoff = self.table.iter().copied().max_by(|a, b| a.compare(*b, arena));
        }
        Ok(true)
    }

    /// A key from which on rows are rejected, so that a reader may skip them; `None` before k
    /// rows. It is the k-th smallest when it is found, and falls with the next compaction.
    #[must_use]
    pub fn cutoff(&self) -> Option<&[u8]> {
        self.cutoff.map(|entry| entry.key(&self.arena))
    }

    /// The k smallest in their order. Sorts what is held.
    #[must_use]
    pub fn finish(mut self) -> SmallestRows {
        self.select();
        let arena = &self.arena;
        self.table.sort_unstable_by(|a, b| a.compare(*b, arena));
        SmallestRows { table: self.table, arena: self.arena, _held: self.held }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.table.len() < self.table_max && bytes <= self.arena_max - self.arena.len()
    }

    fn refused(&self, row_bytes: usize) -> Refused {
        let workspace_bytes = self.table_max * size_of::<Entry>() + self.arena_max;
        let held = self.table.len();
        Refused { k: self.k, held, cause: Cause::Workspace { workspace_bytes, row_bytes } }
    }

    /// Leaves the k smallest in the table, and finds the cutoff.
    fn select(&mut self) {
        if self.table.len() > self.k {
            let arena = &self.arena;
            if self.k > 0 {
                let by_key = |a: &Entry, b: &Entry| a.compare(*b, arena);
                self.cutoff = Some(*self.table.select_nth_unstable_by(self.k - 1, by_key).1);
            }
            self.table.truncate(self.k);
        }
    }

    /// Leaves the k smallest in table and arena.
    fn compact(&mut self) {
        self.select();
        // In order of the arena, so that moving one row down never covers another.
        self.table.sort_unstable_by_key(|entry| entry.start);
        let mut end = 0;
        for entry in &mut self.table {
            self.arena.copy_within(entry.start..entry.start + entry.bytes(), end);
            entry.start = end;
            end += entry.bytes();
        }
        self.arena.truncate(end);
        if let Some(cutoff) = &mut self.cutoff {
            let moved = self.table.iter().find(|entry| entry.number == cutoff.number);
            *cutoff = *moved.expect("the cutoff is one of those that are kept");
        }
    }
}

/// The k smallest rows, smallest first. Holds their bytes until it is dropped.
pub struct SmallestRows {
    table: Vec<Entry>,
    arena: Vec<u8>,
    _held: Reservation,
}

impl SmallestRows {
    /// How many there are: k, or all rows that were pushed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Key and row of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.table.iter().map(|entry| (entry.key(&self.arena), entry.row(&self.arena)))
    }
}

#[cfg(test)]
mod tests;
