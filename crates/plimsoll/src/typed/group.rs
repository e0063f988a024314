//! Grouping: one accumulator for each key, for any number of keys.
//!
//! ```text
//!   push ─ key ─> Table ── fits ───────────────────────────────────────> GroupStream
//!                  └─ full: (key, accumulator) to parts by hash            ^
//!                        part ─> Table, merging ── fits ──────────────────┤
//!                                 └─ full: dealt out again ─> parts ─> ... ┘
//! ```
//!
//! Promises: a group may have any number of records: their accumulators are merged, the earlier
//! with the later one.
//! Never: an order of the groups.

use std::collections::hash_map::{Entry, IntoIter};
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::encoder::decode;
use super::engine::Engine;
use super::partitions::{self, Dealer, Partitions};
use super::sorter::Spillable;
use super::table::{Held, Table};
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::spill::Run;

/// Groups records of type `T` into accumulators `A` by keys `K`.
///
/// An accumulator is measured after each record folded into it, so its
/// [`heap_bytes`](crate::heap_size::HeapSize::heap_bytes) should be cheap. One accumulator must
/// fit a 32nd of the memory with its key.
///
/// Costs up to [`Engine::memory_bytes`], of which 2.3 MiB of 16 MiB are set aside for spilling
/// from the start; see [the module](super) for other sizes.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{Engine, GroupBy};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let mut groups = GroupBy::new(
///     &engine,
///     |n: &u64| n % 3,
///     |sum: &mut u64, n| *sum += n,
///     |sum: &mut u64, later| *sum += later,
/// )?;
/// for n in 0..9 {
///     groups.push(n)?;
/// }
/// let mut sums = groups.finish()?.collect::<Result<Vec<_>, _>>()?;
/// sums.sort();
/// assert_eq!(sums, [(0, 9), (1, 12), (2, 15)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct GroupBy<T, K, A, Key, Fold, Merge> {
    key: Key,
    fold: Fold,
    merge: Merge,
    groups: Groups<K, A>,
    workspace: Workspace,
    records: PhantomData<fn(T)>,
}

/// The table of one level.
#[derive(Debug)]
struct Groups<K, A> {
    table: Table<K, A>,
    partitions: Option<Partitions>,
    dealer: Dealer,
    /// A spill failed half way: some groups are in both places.
    failed: bool,
}

impl<K, A> Groups<K, A>
where
    K: Spillable + Hash + Eq,
    A: Spillable,
{
    fn new(dealer: Dealer) -> Self {
        Self { table: Table::new(), partitions: None, dealer, failed: false }
    }

    /// Takes `value` into the group of `key`: `merge` if it is there, else `make`.
    #[inline]
    fn take<V>(
        &mut self,
        workspace: &mut Workspace,
        key: K,
        value: V,
        merge: impl FnOnce(&mut A, V),
        make: impl FnOnce(V) -> A,
    ) -> Result<()> {
        if self.failed {
            return Err(after_failure());
        }
        if let Some(accumulator) = self.table.map.get_mut(&key) {
            let before = accumulator.heap_bytes() as u64;
            merge(accumulator, value);
            let after = accumulator.heap_bytes() as u64;
            return self.measure(workspace, &key, before, after);
        }
        let heap = key.heap_bytes() as u64;
        if self.make_room(workspace, heap).is_err() {
            self.spill(workspace)?;
            self.make_room(workspace, heap)?;
        }
        let Entry::Vacant(place) = self.table.map.entry(key) else {
            unreachable!("it was looked up above");
        };
        let accumulator = place.insert_entry(make(value));
        let after = accumulator.get().heap_bytes() as u64;
        if after == 0 {
            return Ok(());
        }
        self.measure_grown(workspace, heap + after, 0, after)
    }

    /// For one more group, with a key of `heap` bytes.
    fn make_room(&mut self, workspace: &mut Workspace, heap: u64) -> Result<()> {
        workspace.admit(size_of::<(K, A)>() as u64 + heap)?;
        self.table.make_room(workspace, heap)
    }

    fn measure(
        &mut self,
        workspace: &mut Workspace,
        key: &K,
        before: u64,
        after: u64,
    ) -> Result<()> {
        if after <= before {
            self.table.release_heap(before - after);
            return Ok(());
        }
        self.measure_grown(workspace, key.heap_bytes() as u64 + after, before, after)
    }

    /// An accumulator grew: it is there already, so when there is no room all of them are spilled.
    fn measure_grown(
        &mut self,
        workspace: &mut Workspace,
        heap: u64,
        before: u64,
        after: u64,
    ) -> Result<()> {
        let bytes = size_of::<(K, A)>() as u64 + heap;
        if let Err(error) = workspace.check(bytes) {
            self.failed = true;
            return Err(error);
        }
        let admitted = workspace.admit(bytes);
        match admitted.and_then(|()| self.table.take_heap(workspace, after - before)) {
            Ok(()) => Ok(()),
            // With the table gone there is room for a larger buffer, if there is any at all.
            Err(_) => self.spill(workspace).and_then(|()| workspace.admit(bytes)),
        }
    }

    /// Deals the groups out to the parts.
    fn spill(&mut self, workspace: &mut Workspace) -> Result<()> {
        if self.table.map.is_empty() {
            return Ok(());
        }
        self.failed = true;
        let partitions = match &mut self.partitions {
            Some(partitions) => partitions,
            None => self.partitions.insert(Partitions::open(workspace, self.dealer.clone())?),
        };
        for (key, accumulator) in &self.table.map {
            partitions.push(workspace, key, &(key, accumulator))?;
        }
        self.table.give_back(workspace);
        partitions.cover(workspace)?;
        self.failed = false;
        Ok(())
    }

    /// The groups in memory, or the parts they were dealt out to.
    fn finish(mut self, workspace: &mut Workspace) -> Result<Finished<K, A>> {
        if self.failed {
            return Err(after_failure());
        }
        if self.partitions.is_none() {
            let (entries, held) = self.table.into_entries();
            return Ok(Finished::Memory(entries, held));
        }
        self.spill(workspace)?;
        let parts = self.partitions.take().expect("checked above").finish()?;
        let dealer = self.dealer.below();
        Ok(Finished::Parts(parts.into_iter().flatten().map(|run| (run, dealer.clone())).collect()))
    }
}

enum Finished<K, A> {
    Memory(IntoIter<K, A>, Held),
    Parts(Vec<(Arc<Run>, Dealer)>),
}

fn after_failure() -> Error {
    Error::invalid("grouping: an earlier record could not be taken in; begin again")
}

impl<T, K, A, Key, Fold, Merge> GroupBy<T, K, A, Key, Fold, Merge>
where
    K: Spillable + Hash + Eq,
    A: Spillable + Default,
    Key: Fn(&T) -> K,
    Fold: Fn(&mut A, T),
    Merge: Fn(&mut A, A),
{
    /// Groups by `key`; `fold` takes a record into an accumulator, `merge` a later accumulator of
    /// the same key into an earlier one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved.
    pub fn new(engine: &Engine, key: Key, fold: Fold, merge: Merge) -> Result<Self> {
        let mut workspace = Workspace::new(engine, 0)?;
        workspace.set_aside(partitions::aside_bytes(&workspace))?;
        let groups = Groups::new(Dealer::new());
        Ok(Self { key, fold, merge, groups, workspace, records: PhantomData })
    }

    /// Takes one more record.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] for a group that alone is too large,
    /// [`crate::ErrorKind::OutOfBudget`] when spilling did not make room, and those of spilling.
    /// After one that came while a group was being changed, every call fails.
    #[inline]
    pub fn push(&mut self, record: T) -> Result<()> {
        let fold = &self.fold;
        self.groups.take(
            &mut self.workspace,
            (self.key)(&record),
            record,
            |accumulator, record| fold(accumulator, record),
            |record| {
                let mut accumulator = A::default();
                fold(&mut accumulator, record);
                accumulator
            },
        )
    }

    /// The groups, in no order.
    ///
    /// # Errors
    /// Those of spilling.
    pub fn finish(self) -> Result<GroupStream<K, A, Merge>> {
        let mut stream = GroupStream {
            entries: None,
            pending: Vec::new(),
            merge: self.merge,
            held: Held::default(),
            workspace: self.workspace,
        };
        let finished = self.groups.finish(&mut stream.workspace)?;
        if matches!(finished, Finished::Memory(..)) {
            // Nothing will be spilled any more.
            stream.workspace.set_aside(0)?;
        }
        stream.accept(finished);
        Ok(stream)
    }
}

/// Keys and their accumulators. After an error there are no more.
#[derive(Debug)]
pub struct GroupStream<K, A, Merge> {
    /// Of the part in memory.
    entries: Option<IntoIter<K, A>>,
    /// Parts to come.
    pending: Vec<(Arc<Run>, Dealer)>,
    merge: Merge,
    held: Held,
    workspace: Workspace,
}

impl<K, A, Merge> GroupStream<K, A, Merge>
where
    K: Spillable + Hash + Eq,
    A: Spillable,
    Merge: Fn(&mut A, A),
{
    fn accept(&mut self, finished: Finished<K, A>) {
        match finished {
            Finished::Memory(entries, held) => {
                self.entries = Some(entries);
                self.held = held;
            }
            Finished::Parts(parts) => self.pending.extend(parts),
        }
    }

    /// Loads one part, or deals it out again.
    fn load(&mut self, run: Arc<Run>, dealer: Dealer) -> Result<()> {
        let workspace = &mut self.workspace;
        let aside = partitions::aside_bytes(workspace) + run.reader_bytes() as u64;
        workspace.set_aside(aside)?;
        let mut reader = run.reader(workspace.lender()?)?;
        drop(run);
        let mut groups = Groups::new(dealer);
        while let Some(record) = reader.next()? {
            let (key, accumulator): (K, A) = decode(record)?;
            let merge = &self.merge;
            groups.take(workspace, key, accumulator, |a, later| merge(a, later), |a| a)?;
        }
        drop(reader);
        let finished = groups.finish(workspace)?;
        self.accept(finished);
        Ok(())
    }
}

impl<K, A, Merge> Iterator for GroupStream<K, A, Merge>
where
    K: Spillable + Hash + Eq,
    A: Spillable,
    Merge: Fn(&mut A, A),
{
    type Item = Result<(K, A)>;

    #[inline]
    fn next(&mut self) -> Option<Result<(K, A)>> {
        loop {
            if let Some(entry) = self.entries.as_mut().and_then(Iterator::next) {
                return Some(Ok(entry));
            }
            self.entries = None;
            self.held.give_back(&mut self.workspace);
            let (run, dealer) = self.pending.pop()?;
            if let Err(error) = self.load(run, dealer) {
                self.pending.clear();
                return Some(Err(error));
            }
        }
    }
}
