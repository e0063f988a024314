//! How much of a collection stays in memory.
//!
//! Promises: with neither threshold passed, nothing is written.
//! Never: a threshold that is raised because the budget has room.

use std::marker::PhantomData;

use super::{SpillMap, SpillQueue, SpillVec, Spillable};
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::SpillArea;

/// In-memory bytes of a collection whose builder names none.
const MEMORY_BYTES_DEFAULT: u64 = 8 << 20;

/// Thresholds of a collection that is about to be made; both hold, whichever is met first.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::collections::{SpillMap, SpillQueue, SpillVec};
/// # use plimsoll::spill::{SpillArea, SpillOptions};
/// # use plimsoll::storage::Disk;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// # let consumer = budget.consumer("work")?;
/// let mut list = SpillVec::builder().memory_bytes(1 << 20).build(&area, &consumer)?;
/// list.push(7_u64)?;
/// let mut stock = SpillMap::builder().memory_items(10_000).build(&area, &consumer)?;
/// stock.insert("tea".to_owned(), 12_u32)?;
/// let mut queue = SpillQueue::builder().build(&area, &consumer)?;
/// queue.push_back("first".to_owned())?;
/// assert!(!list.is_spilled() && !queue.is_spilled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder<C> {
    thresholds: Thresholds,
    made: PhantomData<fn() -> C>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    pub(super) bytes: u64,
    pub(super) items: usize,
}

impl<C> Builder<C> {
    pub(super) fn new() -> Self {
        let thresholds = Thresholds { bytes: MEMORY_BYTES_DEFAULT, items: usize::MAX };
        Self { thresholds, made: PhantomData }
    }

    /// Bytes of elements in memory: their own size and what they own. 8 MiB if not said.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.thresholds.bytes = bytes;
        self
    }

    /// Elements in memory; as many as fit if not said.
    #[must_use]
    pub fn memory_items(mut self, items: usize) -> Self {
        self.thresholds.items = items;
        self
    }
}

impl<T: Spillable> Builder<SpillVec<T>> {
    /// An empty vector that spills to `area` and reserves from `consumer`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn build(self, area: &SpillArea, consumer: &Consumer) -> Result<SpillVec<T>> {
        SpillVec::new(area, consumer, self.thresholds)
    }
}

impl<T: Spillable> Builder<SpillQueue<T>> {
    /// An empty queue that spills to `area` and reserves from `consumer`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn build(self, area: &SpillArea, consumer: &Consumer) -> Result<SpillQueue<T>> {
        SpillQueue::new(area, consumer, self.thresholds)
    }
}

impl<K: Spillable + Eq, V: Spillable> Builder<SpillMap<K, V>> {
    /// An empty map that spills to `area` and reserves from `consumer`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn build(self, area: &SpillArea, consumer: &Consumer) -> Result<SpillMap<K, V>> {
        SpillMap::new(area, consumer, self.thresholds)
    }
}
