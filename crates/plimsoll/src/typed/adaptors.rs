//! The operators as methods of any iterator.
//!
//! ```text
//!   iterator ── .sorted_by_key(&engine, key) ──> SortedStream
//!            ── .grouped_by(&engine, ..)     ──> GroupStream
//!            ── .distinct(&engine)           ──> first occurrences as they come, then the rest
//!            ── .chunks_by_bytes(&engine, n) ──> vectors of up to n bytes
//! ```
//!
//! Promises: an iterator is consumed once, and asked nothing but `next`.
//! Never: a size hint believed.

use std::cmp::Ordering;
use std::hash::Hash;

use super::distinct::{Distinct, DistinctStream};
use super::engine::Engine;
use super::group::{GroupBy, GroupStream};
use super::sorter::{SortedStream, Sorter, Spillable};
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::heap_size::HeapSize;
use crate::units::ByteSize;

/// Operators in bounded memory on any iterator.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{BoundedIterator as _, Engine};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let words = ["tea", "cup", "tea", "milk"].map(str::to_owned);
/// let lengths = words.clone().into_iter().sorted_by_key(&engine, String::len)?;
/// assert_eq!(lengths.collect::<Result<Vec<_>, _>>()?, ["tea", "cup", "tea", "milk"]);
/// assert_eq!(words.into_iter().distinct(&engine)?.count(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait BoundedIterator: Iterator + Sized {
    /// Sorts by `key`; stable.
    ///
    /// # Errors
    /// Those of [`Sorter`].
    #[allow(clippy::type_complexity, reason = "the type of a closure has no shorter name")]
    fn sorted_by_key<K: Ord>(
        self,
        engine: &Engine,
        key: impl Fn(&Self::Item) -> K + Clone,
    ) -> Result<SortedStream<Self::Item, impl Fn(&Self::Item, &Self::Item) -> Ordering + Clone>>
    where
        Self::Item: Spillable,
    {
        let mut sorter = Sorter::by_key(engine, key)?;
        for item in self {
            sorter.push(item)?;
        }
        sorter.finish()
    }

    /// Groups by `key`; see [`GroupBy::new`].
    ///
    /// # Errors
    /// Those of [`GroupBy`].
    fn grouped_by<K, A, Merge>(
        self,
        engine: &Engine,
        key: impl Fn(&Self::Item) -> K,
        fold: impl Fn(&mut A, Self::Item),
        merge: Merge,
    ) -> Result<GroupStream<K, A, Merge>>
    where
        K: Spillable + Hash + Eq,
        A: Spillable + Default,
        Merge: Fn(&mut A, A),
    {
        let mut groups = GroupBy::new(engine, key, fold, merge)?;
        for item in self {
            groups.push(item)?;
        }
        groups.finish()
    }

    /// Each item once: the first ones as they come, those that the memory did not last for at
    /// the end.
    ///
    /// # Errors
    /// Those of [`Distinct::new`].
    fn distinct(self, engine: &Engine) -> Result<DistinctItems<Self>>
    where
        Self::Item: Spillable + Hash + Eq + Clone,
    {
        Ok(DistinctItems { items: Some((self, Distinct::new(engine)?)), rest: None })
    }

    /// Vectors of items of up to `bytes` together, heap included. An item that alone is larger is
    /// refused. What a vector takes is reserved until the next one is asked for: consume it by
    /// then.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when `bytes` cannot be reserved.
    fn chunks_by_bytes(self, engine: &Engine, bytes: u64) -> Result<ByteChunks<Self>>
    where
        Self::Item: HeapSize,
    {
        let reservation = engine.consumer().try_reserve(bytes)?;
        Ok(ByteChunks {
            items: self,
            next: None,
            bytes_max: bytes,
            failed: false,
            _reservation: reservation,
        })
    }
}

impl<I: Iterator> BoundedIterator for I {}

/// See [`BoundedIterator::distinct`]. After an error there are no more.
#[derive(Debug)]
pub struct DistinctItems<I: Iterator> {
    items: Option<(I, Distinct<I::Item>)>,
    rest: Option<DistinctStream<I::Item>>,
}

impl<I: Iterator> DistinctItems<I>
where
    I::Item: Spillable + Hash + Eq + Clone,
{
    fn advance(&mut self) -> Result<Option<I::Item>> {
        if let Some((items, distinct)) = &mut self.items {
            for item in items {
                if let Some(first) = distinct.push(item)? {
                    return Ok(Some(first));
                }
            }
        }
        if let Some((_, distinct)) = self.items.take() {
            self.rest = Some(distinct.finish()?);
        }
        self.rest.as_mut().and_then(Iterator::next).transpose()
    }
}

impl<I: Iterator> Iterator for DistinctItems<I>
where
    I::Item: Spillable + Hash + Eq + Clone,
{
    type Item = Result<I::Item>;

    fn next(&mut self) -> Option<Result<I::Item>> {
        let next = self.advance();
        if next.is_err() {
            (self.items, self.rest) = (None, None);
        }
        next.transpose()
    }
}

/// See [`BoundedIterator::chunks_by_bytes`]. After an error there are no more.
#[derive(Debug)]
pub struct ByteChunks<I: Iterator> {
    items: I,
    /// Taken from the iterator, and too much for the chunk before.
    next: Option<I::Item>,
    bytes_max: u64,
    failed: bool,
    _reservation: Reservation,
}

impl<I: Iterator> Iterator for ByteChunks<I>
where
    I::Item: HeapSize,
{
    type Item = Result<Vec<I::Item>>;

    fn next(&mut self) -> Option<Result<Vec<I::Item>>> {
        if self.failed {
            return None;
        }
        let mut chunk = Vec::new();
        let mut heap = 0;
        while let Some(item) = self.next.take().or_else(|| self.items.next()) {
            let item_heap = item.heap_bytes() as u64;
            // The vector doubles: what counts is its capacity, and the old one beside the new.
            let rows = if chunk.len() < chunk.capacity() {
                chunk.capacity()
            } else {
                chunk.len() + (chunk.len() * 2).max(1)
            };
            let bytes = heap + item_heap + (rows * size_of::<I::Item>()) as u64;
            if bytes > self.bytes_max {
                if chunk.is_empty() {
                    self.failed = true;
                    return Some(Err(Error::too_large(format!(
                        "making chunks of {}: an item alone takes {}; allow more",
                        ByteSize::new(self.bytes_max),
                        ByteSize::new(bytes)
                    ))));
                }
                self.next = Some(item);
                break;
            }
            if chunk.len() == chunk.capacity() {
                chunk.reserve_exact(chunk.len().max(1));
            }
            heap += item_heap;
            chunk.push(item);
        }
        (!chunk.is_empty()).then_some(Ok(chunk))
    }
}
