//! The ends of a stream that give a result in memory.
//!
//! Promises: the first error ends it and is returned.
//! Never: a result of unbounded size; what is collected has a bound and stays reserved.

use std::ops::Deref;

use super::Stream;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::heap_size::HeapSize;
use crate::units::ByteSize;

/// Items in memory with the bytes reserved for them.
#[derive(Debug)]
pub struct Collected<T> {
    items: Vec<T>,
    _reservation: Reservation,
}

impl<T> Deref for Collected<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T: Send + 'static> Stream<T> {
    /// All items, if they take no more than `bytes` together.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] when they do, [`crate::ErrorKind::OutOfBudget`], and the
    /// first of the items.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let numbers = Stream::from_source(&engine, || Ok((0..100_u64).map(Ok)));
    /// let collected = numbers.collect_within(1 << 10)?;
    /// assert_eq!(collected.len(), 100);
    /// assert!(budget.reserved_bytes() >= 800, "they stay reserved");
    /// assert!(numbers.collect_within(100).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect_within(&self, bytes: u64) -> Result<Collected<T>>
    where
        T: HeapSize,
    {
        let mut held = self.engine.consumer().try_reserve(0)?;
        let mut items: Vec<T> = Vec::new();
        for item in self {
            let item = item?;
            let rows = items.capacity() * size_of::<T>();
            let growth = if items.len() == items.capacity() { rows.max(size_of::<T>()) } else { 0 };
            let more = (item.heap_bytes() + growth) as u64;
            if held.bytes() + more > bytes {
                return Err(Error::too_large(format!(
                    "collecting a stream: after {} items it takes more than {}; allow more, or \
                     write it to a file",
                    items.len(),
                    ByteSize::new(bytes)
                )));
            }
            // The old vector beside the new one.
            let old = if growth > 0 { rows as u64 } else { 0 };
            held.try_grow(more + old)?;
            if growth > 0 {
                items.reserve_exact(items.len().max(1));
            }
            held.shrink(old);
            items.push(item);
        }
        Ok(Collected { items, _reservation: held })
    }

    /// The items combined from the first to the last; `None` of no items.
    ///
    /// # Errors
    /// The first of the items.
    pub fn reduce(&self, mut combine: impl FnMut(T, T) -> T) -> Result<Option<T>> {
        let mut items = self.iter();
        let Some(first) = items.next().transpose()? else { return Ok(None) };
        items.try_fold(first, |before, item| Ok(combine(before, item?))).map(Some)
    }

    /// Number of items.
    ///
    /// # Errors
    /// The first of the items.
    pub fn count(&self) -> Result<u64> {
        self.iter().try_fold(0, |count, item| item.map(|_| count + 1))
    }

    /// Calls `act` with each item.
    ///
    /// # Errors
    /// The first of the items or of `act`.
    pub fn for_each(&self, mut act: impl FnMut(T) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|item| act(item?))
    }
}
