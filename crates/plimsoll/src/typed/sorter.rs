//! Sorting any number of records in bounded memory.
//!
//! ```text
//!   push ─> Rows ── fits ─────────────── sort ──────────────────────> SortedStream
//!            └─ full: sort, encode ─> run 0, run 1, ... ─> merge ───────┘
//! ```
//!
//! Promises: stable; nothing is encoded and nothing is on disk while the records fit; when bytes
//! are refused, by the operator's own bound or by the budget, it spills and goes on.
//! Never: a growth that the budget did not allow.

use std::cmp::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::engine::Engine;
use super::merge::Merge;
use super::plan::{ChunkStrategy, Plan, PlanInput};
use super::rows::Rows;
use super::runs::Runs;
use super::workspace::{self, Workspace};
use crate::error::{Error, ErrorKind, Result};
use crate::heap_size::HeapSize;
use crate::units::ByteSize;

/// What a record must be able to do to be held, spilled and read back.
///
/// ```
/// use plimsoll::heap_size::HeapSize;
/// use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Sale {
///     shop: String,
///     cents: u64,
/// }
/// impl HeapSize for Sale {
///     fn heap_bytes(&self) -> usize {
///         self.shop.heap_bytes()
///     }
/// }
/// fn sorts<T: plimsoll::typed::Spillable>() {}
/// sorts::<Sale>();
/// ```
pub trait Spillable: Serialize + DeserializeOwned + HeapSize {}

impl<T: Serialize + DeserializeOwned + HeapSize> Spillable for T {}

/// Sorts records by a comparator `C`. See [`Engine`] for an example.
///
/// What is on disk is found by lists in memory, 16 bytes for each block of a 64th of the memory
/// or 256 KiB: the input may be about as large as the memory squared by 4 KiB (256 MiB with
/// 1 MiB), and 4,096 times the memory from 16 MiB on. A larger one is refused.
///
/// Costs up to [`Engine::memory_bytes`]: what the records take, as much again up to 8 MB of them
/// and half as much beyond for the sort itself, and a few blocks for spilling.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{ChunkStrategy, Engine, Sorter};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let sorter = Sorter::by(&engine, |a: &f64, b: &f64| a.total_cmp(b))?;
/// let mut sorter = sorter.with_strategy(ChunkStrategy::Fixed(1_000));
/// for n in 0..10_000 {
///     sorter.push(f64::from(n * 7 % 10_000))?;
/// }
/// let mut sorted = sorter.finish()?;
/// assert_eq!(sorted.next().transpose()?, Some(0.0));
/// assert_eq!(sorted.stats().runs, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Sorter<T, C> {
    compare: C,
    strategy: ChunkStrategy,
    input_bytes: Option<u64>,
    plan: Plan,
    rows: Rows<T>,
    runs: Option<Runs>,
    stats: SortStats,
    /// Last: bytes are given back after what they stood for.
    workspace: Workspace,
}

/// What a sort did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortStats {
    /// Runs spilled; 0 when everything fitted.
    pub runs: u64,
    /// Records in the longest of them.
    pub run_records_max: u64,
    /// Times a spilled record was read back.
    pub passes: u32,
}

impl<T> Sorter<T, fn(&T, &T) -> Ordering> {
    /// A sorter by `key`, which is asked again for each comparison.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved.
    pub fn by_key<K: Ord>(
        engine: &Engine,
        key: impl Fn(&T) -> K + Clone,
    ) -> Result<Sorter<T, impl Fn(&T, &T) -> Ordering + Clone>> {
        Sorter::by(engine, move |a: &T, b: &T| key(a).cmp(&key(b)))
    }
}

impl<T, C: Fn(&T, &T) -> Ordering + Clone> Sorter<T, C> {
    /// A sorter by `compare`, which must be a total order: for floats use [`f64::total_cmp`].
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved.
    pub fn by(engine: &Engine, compare: C) -> Result<Self> {
        let aside = workspace::write_bytes(engine.memory_bytes(), engine.codec(), 1);
        let strategy = ChunkStrategy::Adaptive;
        Ok(Self {
            compare,
            strategy,
            input_bytes: None,
            plan: plan::<T>(engine, strategy, None),
            rows: Rows::new(),
            runs: None,
            stats: SortStats::default(),
            workspace: Workspace::new(engine, aside)?,
        })
    }

    /// Makes runs as `strategy` says. To be called before the first record.
    #[must_use]
    pub fn with_strategy(mut self, strategy: ChunkStrategy) -> Self {
        self.strategy = strategy;
        self.plan = plan::<T>(self.workspace.engine(), self.strategy, self.input_bytes);
        self
    }

    /// Says how many bytes the records will take in memory, about.
    #[must_use]
    pub fn with_input_bytes(mut self, bytes: u64) -> Self {
        self.input_bytes = Some(bytes);
        self.plan = plan::<T>(self.workspace.engine(), self.strategy, self.input_bytes);
        self
    }

    /// How the sort will go, as far as is known.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.plan
    }
}

fn plan<T>(engine: &Engine, strategy: ChunkStrategy, input_bytes: Option<u64>) -> Plan {
    Plan::new(PlanInput {
        memory_bytes: engine.memory_bytes(),
        record_bytes: size_of::<T>() as u64,
        input_bytes,
        strategy,
    })
}

impl<T: Spillable, C: Fn(&T, &T) -> Ordering + Clone> Sorter<T, C> {
    /// Takes one more record.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for a record beyond a 32nd of the memory,
    /// [`ErrorKind::OutOfBudget`] when spilling did not make room either, and those of spilling.
    /// The record is lost and the sorter as before.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<()> {
        let heap = item.heap_bytes() as u64;
        match self.rows.push(item, heap) {
            Ok(()) => Ok(()),
            Err(item) => self.push_slowly(item, heap),
        }
    }

    #[cold]
    #[inline(never)]
    fn push_slowly(&mut self, item: T, heap: u64) -> Result<()> {
        self.workspace.check(size_of::<T>() as u64 + heap)?;
        if !self.make_room(heap)? {
            self.spill()?;
            if !self.make_room(heap).map_err(|error| self.explain(error))? {
                return Err(self.lists_too_long());
            }
        }
        let pushed = self.rows.push(item, heap);
        assert!(pushed.is_ok(), "room was made for it");
        Ok(())
    }

    /// Whether one more record can be held; not when what is there must be spilled first.
    fn make_room(&mut self, heap: u64) -> Result<bool> {
        let rows_max = match self.strategy {
            ChunkStrategy::Fixed(records) => usize::try_from(records.max(1)).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let bytes_max = self.plan.run_bytes;
        match self.rows.make_room(&mut self.workspace, heap, bytes_max, rows_max) {
            Ok(room) => Ok(room),
            Err(error) if self.rows.items.is_empty() => Err(error),
            Err(error) if error.kind() == ErrorKind::OutOfBudget => {
                // Others need the bytes: the vector goes too, and grows again if it may.
                self.spill()?;
                self.rows.give_back(&mut self.workspace);
                Ok(false)
            }
            Err(_) => Ok(false),
        }
    }

    /// Writes what is held as one run.
    fn spill(&mut self) -> Result<()> {
        if self.rows.items.is_empty() {
            return Ok(());
        }
        self.rows.sort(&self.compare);
        let runs = match &mut self.runs {
            Some(runs) => runs,
            None => self.runs.insert(Runs::new(&mut self.workspace)?),
        };
        runs.write(&mut self.workspace, self.rows.items.iter())?;
        self.stats.runs += 1;
        self.stats.run_records_max = self.stats.run_records_max.max(self.rows.items.len() as u64);
        self.rows.clear(&mut self.workspace);
        // The list of the run's blocks stays in memory, beside the same room for the next run.
        if runs.set_aside(&mut self.workspace).is_err() {
            self.rows.give_back(&mut self.workspace);
            let set_aside = runs.set_aside(&mut self.workspace);
            set_aside.map_err(|error| self.explain(error))?;
        }
        Ok(())
    }

    /// With nothing else in memory, what is too large is the lists of the runs' blocks.
    fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::TooLarge { self.lists_too_long() } else { error }
    }

    fn lists_too_long(&self) -> Error {
        Error::too_large(format!(
            "sorting: the lists of what {} runs have on disk leave no room for records; give the \
             operator more than {}",
            self.stats.runs,
            ByteSize::new(self.workspace.memory_bytes())
        ))
    }

    /// The records in order.
    ///
    /// # Errors
    /// Those of spilling and of reading back.
    pub fn finish(mut self) -> Result<SortedStream<T, C>> {
        if self.runs.is_some() {
            self.spill()?;
            self.rows.give_back(&mut self.workspace);
        }
        let Some(runs) = self.runs.take() else {
            self.rows.sort(&self.compare);
            let items = self.rows.into_items(&mut self.workspace);
            let _smaller = self.workspace.set_aside(0);
            let order = Order::Memory(items.into_iter());
            return Ok(SortedStream { order, stats: self.stats, _workspace: self.workspace });
        };
        assert_eq!(runs.len() as u64, self.stats.runs, "every spill is one run");
        let (merge, passes) = runs.merge(&mut self.workspace, self.plan.fan_in, self.compare)?;
        self.stats.passes = passes;
        let order = Order::Merge(Box::new(merge));
        Ok(SortedStream { order, stats: self.stats, _workspace: self.workspace })
    }
}

/// Records in order. After an error there are no more.
#[derive(Debug)]
pub struct SortedStream<T, C> {
    order: Order<T, C>,
    stats: SortStats,
    /// Given back after the records.
    _workspace: Workspace,
}

#[derive(Debug)]
enum Order<T, C> {
    Memory(std::vec::IntoIter<T>),
    Merge(Box<Merge<T, C>>),
}

impl<T, C> SortedStream<T, C> {
    /// What the sort did.
    #[must_use]
    pub fn stats(&self) -> SortStats {
        self.stats
    }
}

impl<T: DeserializeOwned, C: Fn(&T, &T) -> Ordering> Iterator for SortedStream<T, C> {
    type Item = Result<T>;

    #[inline]
    fn next(&mut self) -> Option<Result<T>> {
        match &mut self.order {
            Order::Memory(items) => items.next().map(Ok),
            Order::Merge(merge) => merge.next().transpose(),
        }
    }
}
