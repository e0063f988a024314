//! A vector that goes to disk when it no longer fits.
//!
//! ```text
//!   push ─> head: Vec<T> ── a threshold, or the budget refuses ──> all of it to blocks
//!                                                                    │
//!   push ────────────────────────────────> tail, one block ── full ──┘
//! ```
//!
//! Promises: below both thresholds not one byte is written; an element is found by its number
//! with at most one block read; gets from several threads at once.
//! Never: an element changed in place, which a block of a log cannot offer: pop and push.

mod cache;
mod drain;
mod index;
mod iter;
mod spilled;

pub use drain::Drain;
pub use iter::Iter;

use super::builder::{Builder, Thresholds};
use super::codec::Spillable;
use super::held::{Held, room_for_one};
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::SpillArea;
use spilled::Spilled;

/// A growable list under a threshold of memory: `SpaceTimeArray` with bounds that hold.
///
/// In memory an element costs its size and what it owns. Once spilled, the vector costs, whatever
/// its length, a block of 64 KiB, three requests of 64 KiB to 1 MiB (1/16 of the threshold), up
/// to eight cached blocks, and 16 bytes for every 64 KiB on disk; an iterator reads ahead with
/// three requests more, or two where there is no room, and decodes 8 KiB at a time.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::collections::SpillVec;
/// use plimsoll::spill::{SpillArea, SpillOptions};
/// use plimsoll::storage::Disk;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let root = tempfile::tempdir()?;
/// let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let consumer = budget.consumer("results")?;
/// let mut results = SpillVec::builder().memory_items(1_000).build(&area, &consumer)?;
/// results.extend(0..100_000_u64)?;
/// assert!(results.is_spilled());
/// assert_eq!(results.get(99_999)?, Some(99_999));
/// let sum = results.iter()?.sum::<plimsoll::Result<u64>>()?;
/// assert_eq!(sum, 99_999 * 100_000 / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SpillVec<T> {
    area: SpillArea,
    consumer: Consumer,
    thresholds: Thresholds,
    /// All elements while nothing is spilled, then empty.
    head: Vec<T>,
    /// What the elements of `head` own.
    owned_bytes: u64,
    held: Held,
    spilled: Option<Box<Spilled<T>>>,
}

impl<T: Spillable> SpillVec<T> {
    /// Says how much stays in memory, then builds.
    #[must_use]
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }

    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        thresholds: Thresholds,
    ) -> Result<Self> {
        Ok(Self {
            area: area.clone(),
            consumer: consumer.clone(),
            thresholds,
            head: Vec::new(),
            owned_bytes: 0,
            held: Held::new(consumer)?,
            spilled: None,
        })
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.spilled.as_ref().map_or(self.head.len() as u64, |spilled| spilled.len())
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether elements are on disk. [`SpillVec::clear`] returns to memory.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Appends an element.
    ///
    /// # Errors
    /// The vector is as before and the element dropped: those of writing and of the quota;
    /// [`crate::ErrorKind::OutOfBudget`] when not even the buffers for spilling can be reserved,
    /// or those for an element larger than a block; [`crate::ErrorKind::Invalid`] for an element
    /// without an encoding.
    #[inline]
    pub fn push(&mut self, element: T) -> Result<()> {
        match &mut self.spilled {
            Some(spilled) => spilled.push(&element),
            None => self.push_head(element),
        }
    }

    fn push_head(&mut self, element: T) -> Result<()> {
        let owned = element.heap_bytes() as u64;
        let size = size_of::<T>() as u64;
        let bytes = (self.head.len() as u64 + 1) * size + self.owned_bytes + owned;
        let below = bytes <= self.thresholds.bytes && self.head.len() < self.thresholds.items;
        // A refusal of the budget is a third threshold.
        if below && self.held.charge(owned).is_ok() {
            let fitting = usize::try_from(self.thresholds.bytes / size.max(1));
            let items_max = fitting.unwrap_or(usize::MAX).min(self.thresholds.items);
            if room_for_one(&mut self.head, &mut self.held, items_max).is_ok() {
                self.head.push(element);
                self.owned_bytes += owned;
                return Ok(());
            }
            self.held.discharge(owned);
        }
        let mut spilled = self.spill()?;
        spilled.push(&element)?;
        self.forget_head();
        self.spilled = Some(spilled);
        Ok(())
    }

    /// Copies what is in memory to disk.
    fn spill(&mut self) -> Result<Box<Spilled<T>>> {
        let memory_bytes = self.thresholds.bytes;
        let mut spilled = Box::new(Spilled::new(&self.area, &self.consumer, memory_bytes)?);
        self.head.iter().try_for_each(|element| spilled.push(element))?;
        Ok(spilled)
    }

    fn forget_head(&mut self) {
        self.head = Vec::new();
        self.owned_bytes = 0;
        self.held.discharge(self.held.used());
    }

    /// Appends all elements of `elements`.
    ///
    /// # Errors
    /// As [`SpillVec::push`]; those before the failing one have been appended.
    pub fn extend(&mut self, elements: impl IntoIterator<Item = T>) -> Result<()> {
        elements.into_iter().try_for_each(|element| self.push(element))
    }

    /// Takes the last element off. Where it is alone in memory beside blocks on disk, the block
    /// before it is read.
    ///
    /// # Errors
    /// Those of reading; the vector is as before.
    pub fn pop(&mut self) -> Result<Option<T>> {
        let Some(spilled) = &mut self.spilled else {
            let element = self.head.pop();
            self.released(element.as_ref().map_or(0, T::heap_bytes) as u64);
            return Ok(element);
        };
        let Some(last) = spilled.len().checked_sub(1) else {
            return Ok(None);
        };
        let element = spilled.get(last)?;
        spilled.truncate(last)?;
        Ok(Some(element))
    }

    fn released(&mut self, owned_bytes: u64) {
        self.owned_bytes -= owned_bytes;
        self.held.discharge(owned_bytes);
    }

    /// Keeps the first `len` elements and gives the places of the others back to the disk.
    ///
    /// # Errors
    /// Those of reading the block that is cut.
    pub fn truncate(&mut self, len: u64) -> Result<()> {
        if len == 0 {
            self.clear();
            return Ok(());
        }
        if let Some(spilled) = &mut self.spilled {
            return spilled.truncate(len);
        }
        let Ok(len) = usize::try_from(len) else {
            return Ok(());
        };
        let dropped = self.head.iter().skip(len).map(|element| element.heap_bytes() as u64).sum();
        self.head.truncate(len);
        self.released(dropped);
        Ok(())
    }

    /// Drops all elements, in memory and on disk; the vector is in memory again.
    pub fn clear(&mut self) {
        self.spilled = None;
        self.forget_head();
    }

    /// Takes all elements out, in order; their places go back to the disk on the way. What is not
    /// taken is dropped with the iterator.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] for the buffers that read ahead; the vector is as before.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::collections::SpillVec;
    /// # use plimsoll::spill::{SpillArea, SpillOptions};
    /// # use plimsoll::storage::Disk;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
    /// # let consumer = budget.consumer("work")?;
    /// let mut numbers = SpillVec::builder().memory_items(1_000).build(&area, &consumer)?;
    /// numbers.extend(0..100_000_u64)?;
    /// assert_eq!(numbers.drain()?.sum::<plimsoll::Result<u64>>()?, 99_999 * 100_000 / 2);
    /// assert!(numbers.is_empty());
    /// assert_eq!(area.stats().used_bytes, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drain(&mut self) -> Result<Drain<T>> {
        Drain::new(self)
    }
}

impl<T: Spillable + Clone> SpillVec<T> {
    /// The element with this number, counted from 0; `None` beyond the end.
    ///
    /// Several threads may ask at once; only those that want the same block, or one of every
    /// eighth beside it, wait for each other.
    ///
    /// # Errors
    /// Those of reading; [`crate::ErrorKind::OutOfBudget`] for the cached block.
    pub fn get(&self, number: u64) -> Result<Option<T>> {
        if number >= self.len() {
            return Ok(None);
        }
        match &self.spilled {
            Some(spilled) => spilled.get(number).map(Some),
            None => Ok(usize::try_from(number).ok().and_then(|n| self.head.get(n)).cloned()),
        }
    }

    /// All elements in order, read ahead by a thread where they are on disk.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] for the buffers that read ahead, those of writing what
    /// was appended last, and the system's when no thread can be started.
    pub fn iter(&self) -> Result<Iter<'_, T>> {
        Iter::new(self)
    }
}
