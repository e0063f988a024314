//! The stages of a stream.
//!
//! Promises: a stage that holds items takes their bytes from the engine's budget; one that needs
//! all of them spills.
//! Never: an item after an error within one chunk, window, group or sort.

use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::Arc;

use super::Stream;
use super::source::Items;
use super::stages::{ChunkEnd, Chunks, Later, Windows};
use crate::error::Result;
use crate::heap_size::HeapSize;
use crate::typed::{Distinct, GroupBy, Join, JoinKind, MergeJoin, Sorter, Spillable};

impl<T: Send + 'static> Stream<T> {
    /// Every item changed by `change`.
    pub fn map<U: 'static>(self, change: impl Fn(T) -> U + Send + Sync + 'static) -> Stream<U> {
        let change = Arc::new(change);
        self.then(move |items| {
            let change = Arc::clone(&change);
            Box::new(items.map(move |item| item.map(|item| change(item))))
        })
    }

    /// Every item changed by `change`, which may fail.
    pub fn try_map<U: 'static>(
        self,
        change: impl Fn(T) -> Result<U> + Send + Sync + 'static,
    ) -> Stream<U> {
        let change = Arc::new(change);
        self.then(move |items| {
            let change = Arc::clone(&change);
            Box::new(items.map(move |item| item.and_then(|item| change(item))))
        })
    }

    /// The items that `keep` says yes to.
    pub fn filter(self, keep: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        let keep = Arc::new(keep);
        self.then(move |items| {
            let keep = Arc::clone(&keep);
            Box::new(items.filter(move |item| item.as_ref().map_or(true, |item| keep(item))))
        })
    }

    /// The items that `spread` makes of each, one after another.
    pub fn flat_map<U, I>(self, spread: impl Fn(T) -> I + Send + Sync + 'static) -> Stream<U>
    where
        U: Send + 'static,
        I: IntoIterator<Item = U>,
        I::IntoIter: Send + 'static,
    {
        let spread = Arc::new(spread);
        self.then(move |items| {
            let spread = Arc::clone(&spread);
            Box::new(items.flat_map(move |item| -> Items<U> {
                match item {
                    Ok(item) => Box::new(spread(item).into_iter().map(Ok)),
                    Err(error) => Box::new(std::iter::once(Err(error))),
                }
            }))
        })
    }

    /// The first `count` items. The source is asked for exactly as many.
    #[must_use]
    pub fn take(self, count: usize) -> Self {
        self.then(move |items| Box::new(items.take(count)))
    }

    /// All but the first `count` items.
    #[must_use]
    pub fn skip(self, count: usize) -> Self {
        self.then(move |items| Box::new(items.skip(count)))
    }

    /// The items before the first that `go_on` says no to. Errors before it come too.
    pub fn take_while(self, go_on: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        let go_on = Arc::new(go_on);
        self.then(move |items| {
            let go_on = Arc::clone(&go_on);
            Box::new(items.take_while(move |item| item.as_ref().map_or(true, |item| go_on(item))))
        })
    }

    /// The items from the first on that `drop` says no to. Errors before it come too.
    pub fn drop_while(self, drop: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        let drop = Arc::new(drop);
        self.then(move |items| {
            let drop = Arc::clone(&drop);
            let mut dropping = true;
            Box::new(items.filter(move |item| {
                dropping = dropping && item.as_ref().map_or(true, |item| drop(item));
                !dropping || item.is_err()
            }))
        })
    }

    /// Vectors of `count` items; the last may be shorter. What one takes is reserved until the
    /// next is asked for.
    #[must_use]
    pub fn chunk(self, count: usize) -> Stream<Vec<T>>
    where
        T: HeapSize,
    {
        self.chunks(ChunkEnd::Items(count.max(1)))
    }

    /// [`Stream::chunk`] by the name it has where models are trained.
    #[must_use]
    pub fn batch(self, count: usize) -> Stream<Vec<T>>
    where
        T: HeapSize,
    {
        self.chunk(count)
    }

    /// Vectors of items that take up to `bytes` together, or of one that takes more.
    #[must_use]
    pub fn chunk_bytes(self, bytes: u64) -> Stream<Vec<T>>
    where
        T: HeapSize,
    {
        self.chunks(ChunkEnd::Bytes(bytes))
    }

    fn chunks(self, end: ChunkEnd) -> Stream<Vec<T>>
    where
        T: HeapSize,
    {
        let consumer = self.engine.consumer().clone();
        self.then(move |items| Box::new(Chunks::new(items, end, consumer.clone())))
    }

    /// Vectors of `size` neighbours, each beginning `step` items after the one before; what is
    /// left at the end is no window.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let days = Stream::from_iter(&engine, [3_u64, 5, 7, 9]);
    /// let sums = days.window(2, 1).map(|two| two.iter().sum::<u64>());
    /// assert_eq!(sums.iter().collect::<Result<Vec<_>, _>>()?, [8, 12, 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn window(self, size: usize, step: usize) -> Stream<Vec<T>>
    where
        T: HeapSize + Clone,
    {
        let consumer = self.engine.consumer().clone();
        let (size, step) = (size.max(1), step.max(1));
        self.then(move |items| {
            let (window, consumer) = (VecDeque::new(), consumer.clone());
            Box::new(Windows { items, size, step, consumer, window, held: None })
        })
    }

    /// Sorts by the items' own order; stable.
    #[must_use]
    pub fn sort(self) -> Self
    where
        T: Spillable + Ord,
    {
        self.sort_by(T::cmp)
    }

    /// Sorts by `key`; stable.
    pub fn sort_by_key<K: Ord>(self, key: impl Fn(&T) -> K + Send + Sync + Clone + 'static) -> Self
    where
        T: Spillable,
    {
        self.sort_by(move |a, b| key(a).cmp(&key(b)))
    }

    /// Sorts by `compare`, a total order; stable.
    pub fn sort_by(
        self,
        compare: impl Fn(&T, &T) -> std::cmp::Ordering + Send + Sync + Clone + 'static,
    ) -> Self
    where
        T: Spillable,
    {
        let engine = self.engine.clone();
        self.then(move |items| {
            let (engine, compare) = (engine.clone(), compare.clone());
            Box::new(Later::new(move || {
                let mut sorter = Sorter::by(&engine, compare)?;
                for item in items {
                    sorter.push(item?)?;
                }
                Ok(Box::new(sorter.finish()?) as Items<T>)
            }))
        })
    }

    /// Each item once: the first ones as they come, those that the memory did not last for at
    /// the end.
    #[must_use]
    pub fn distinct(self) -> Self
    where
        T: Spillable + Hash + Eq + Clone,
    {
        let engine = self.engine.clone();
        self.then(move |items| {
            let engine = engine.clone();
            Box::new(Later::new(move || {
                let mut distinct = Some(Distinct::new(&engine)?);
                let mut items = items;
                let mut rest = None;
                Ok(Box::new(std::iter::from_fn(move || {
                    while let Some(sieve) = &mut distinct {
                        match items.next() {
                            Some(item) => match item.and_then(|item| sieve.push(item)) {
                                Ok(None) => {}
                                Ok(Some(first)) => return Some(Ok(first)),
                                Err(error) => return Some(Err(error)),
                            },
                            None => match distinct.take()?.finish() {
                                Ok(held_back) => rest = Some(held_back),
                                Err(error) => return Some(Err(error)),
                            },
                        }
                    }
                    rest.as_mut()?.next()
                })) as Items<T>)
            }))
        })
    }

    /// One accumulator for each key, in no order; see [`GroupBy::new`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let words = ["tea", "cup", "milk"].map(str::to_owned);
    /// let lengths = Stream::from_iter(&engine, words).group_by(
    ///     |word| word.len(),
    ///     |count: &mut u64, _| *count += 1,
    ///     |count, more| *count += more,
    /// );
    /// assert_eq!(*lengths.sort().collect_within(1 << 10)?, [(3, 2), (4, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group_by<K, A>(
        self,
        key: impl Fn(&T) -> K + Send + Sync + Clone + 'static,
        fold: impl Fn(&mut A, T) + Send + Sync + Clone + 'static,
        merge: impl Fn(&mut A, A) + Send + Sync + Clone + 'static,
    ) -> Stream<(K, A)>
    where
        K: Spillable + Hash + Eq + Send + 'static,
        A: Spillable + Default + Send + 'static,
    {
        let engine = self.engine.clone();
        self.then(move |items| {
            let (engine, key, fold, merge) =
                (engine.clone(), key.clone(), fold.clone(), merge.clone());
            Box::new(Later::new(move || {
                let mut groups = GroupBy::new(&engine, key, fold, merge)?;
                for item in items {
                    groups.push(item?)?;
                }
                Ok(Box::new(groups.finish()?) as Items<(K, A)>)
            }))
        })
    }

    /// Every item with each item of `right` that has its key; of [`JoinKind::Left`] also those
    /// without. The right side is held, so it should be the smaller one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// use plimsoll::typed::JoinKind;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let sold = Stream::from_iter(&engine, [1_u32, 2]);
    /// let prices = Stream::from_iter(&engine, [(1_u32, 250_u64)]);
    /// let pairs = sold.join(prices, |id| *id, |price| price.0, JoinKind::Left);
    /// assert_eq!(pairs.iter().collect::<Result<Vec<_>, _>>()?, [(1, Some((1, 250))), (2, None)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join<R, K>(
        self,
        right: Stream<R>,
        left_key: impl Fn(&T) -> K + Send + Sync + Clone + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + Clone + 'static,
        kind: JoinKind,
    ) -> Stream<(T, Option<R>)>
    where
        T: Spillable + Clone,
        R: Spillable + Clone + Send + 'static,
        K: Spillable + Hash + Eq + Send + 'static,
    {
        let engine = self.engine.clone();
        self.then(move |items| {
            let (engine, right) = (engine.clone(), right.clone());
            let (left_key, right_key) = (left_key.clone(), right_key.clone());
            Box::new(Later::new(move || {
                let mut join = Join::new(&engine, right_key)?;
                for row in &right {
                    join.push(row?)?;
                }
                Ok(Box::new(join.probe(items, left_key, kind)?) as Items<(T, Option<R>)>)
            }))
        })
    }

    /// The pairs of [`Stream::join`] where both sides come sorted by their keys, in the order of
    /// the left side; see [`MergeJoin`]. A row out of order is an error.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// use plimsoll::typed::JoinKind;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let left = Stream::from_source(&engine, || Ok((0..1_000_u32).map(Ok)));
    /// let even = Stream::from_source(&engine, || Ok((0..1_000_u32).step_by(2).map(Ok)));
    /// let pairs = left.join_sorted(even, |n| *n, |n| *n, JoinKind::Inner);
    /// assert_eq!(pairs.count()?, 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_sorted<R, K>(
        self,
        right: Stream<R>,
        left_key: impl Fn(&T) -> K + Send + Sync + Clone + 'static,
        right_key: impl Fn(&R) -> K + Send + Sync + Clone + 'static,
        kind: JoinKind,
    ) -> Stream<(T, Option<R>)>
    where
        T: Clone,
        R: Spillable + Clone + Send + 'static,
        K: Ord + Send + 'static,
    {
        let engine = self.engine.clone();
        self.then(move |items| {
            let (engine, right) = (engine.clone(), right.clone());
            let keys = (left_key.clone(), right_key.clone());
            Box::new(Later::new(move || {
                let pairs = MergeJoin::new(&engine, items, right.iter(), keys, kind)?;
                Ok(Box::new(pairs) as Items<(T, Option<R>)>)
            }))
        })
    }
}
