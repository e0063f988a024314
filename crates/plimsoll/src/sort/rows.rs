//! Sorts rows that are pushed one after another: builder, push, finish, stream.
//!
//! ```text
//!   push ─> arena ─ full ─> lane: sorted run        finish ─┬─ nothing spilled: out of the arena
//!                                                           └─ merge of the runs
//! ```
//!
//! Promises: rows come back in order of their keys, equal keys in the order pushed; input that
//! fits never makes a directory; a lowered budget is obeyed at the next run.
//! Never: a thread while everything fits.

use std::path::Path;
use std::sync::Arc;

use super::arena::{Arena, Sorted};
use super::merge::Merge;
use super::passes::Passes;
use super::plan::{self, LANE_SPARES, SortInput, SortPlan};
use super::run::{ReaderShape, SortedRun};
use super::run_writer::SortedRunWriter;
use super::strategy::ChunkStrategy;
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{Codec, SpillArea, SpillFile, SpillOptions, WriteLane};
use crate::storage::Storage;

/// Sorts (key, row) pairs of bytes.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::sort::RowSorter;
/// use plimsoll::spill::SpillOptions;
/// use plimsoll::storage::Disk;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let root = tempfile::tempdir()?;
/// let mut sorter = RowSorter::new(
///     Arc::new(Disk), root.path(), SpillOptions::default(), budget.consumer("sort")?, 8 << 20,
/// )?;
/// for (key, row) in [("b", "tea"), ("a", "cup"), ("b", "pot")] {
///     sorter.push(key.as_bytes(), row.as_bytes())?;
/// }
/// let mut rows = sorter.finish()?;
/// let mut sorted = Vec::new();
/// while let Some(row) = rows.next()? {
///     sorted.push(String::from_utf8_lossy(row).into_owned());
/// }
/// assert_eq!(sorted, ["cup", "tea", "pot"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RowSorter {
    storage: Arc<dyn Storage>,
    root: std::path::PathBuf,
    options: SpillOptions,
    consumer: Consumer,
    plan: SortPlan,
    arena: Option<Arena>,
    spilled: Option<Spilled>,
    runs: Vec<Arc<SortedRun>>,
    runs_made: u64,
    rows: u64,
}

struct Spilled {
    area: SpillArea,
    file: Arc<SpillFile>,
}

impl RowSorter {
    /// A sorter that holds at most `workspace_bytes`, reserved from `consumer`, and spills below
    /// `root`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a workspace below the least,
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(
        storage: Arc<dyn Storage>,
        root: &Path,
        options: SpillOptions,
        consumer: Consumer,
        workspace_bytes: u64,
    ) -> Result<Self> {
        let plan = plan::plan(SortInput {
            bytes: None,
            row_bytes: 100,
            workspace_bytes,
            scan_bytes: 0,
            generator_bytes: 0,
            threads: 1,
            strategy: ChunkStrategy::Adaptive,
            codec: options.codec,
        })?;
        let arena = Some(Arena::new(&consumer, plan.arena_bytes)?);
        Ok(Self {
            storage,
            root: root.to_owned(),
            options,
            consumer,
            plan,
            arena,
            spilled: None,
            runs: Vec::new(),
            runs_made: 0,
            rows: 0,
        })
    }

    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &SortPlan {
        &self.plan
    }

    /// Adds a row under a normalised key (see [`crate::record`]).
    ///
    /// # Errors
    /// Those of spilling; [`crate::ErrorKind::TooLarge`] for a row larger than the workspace.
    pub fn push(&mut self, key: &[u8], row: &[u8]) -> Result<()> {
        let arena = self.arena.as_mut().expect("present until it is finished");
        if !arena.push(key, row) {
            self.spill()?;
            let arena = self.arena.as_mut().expect("present until it is finished");
            if !arena.push(key, row) {
                return Err(arena.too_large(key.len() + row.len(), "a row"));
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let arena = self.arena.as_mut().expect("present until it is finished");
        if arena.is_empty() {
            return Ok(());
        }
        arena.sort();
        if self.spilled.is_none() {
            let area = SpillArea::open(Arc::clone(&self.storage), &self.root, self.options)?;
            let file = area.file("sort")?;
            self.spilled = Some(Spilled { area, file });
        }
        let spilled = self.spilled.as_ref().expect("made above");
        let blocks = (self.plan.block_bytes, self.plan.request_bytes);
        let mut lane = WriteLane::start(&self.consumer, blocks.1, LANE_SPARES, Codec::None)?;
        let codec = spilled.area.codec();
        let mut writer = SortedRunWriter::new(&spilled.file, codec, &self.consumer, blocks)?;
        writer.push_all(&mut lane, arena)?;
        let run = writer.cut(&mut lane, (self.runs_made, 0))?;
        self.runs.push(Arc::new(run));
        self.runs_made += 1;
        arena.clear();
        drop((lane, writer));
        if self.runs.len() as u64 >= self.plan.runs_max { self.make_room() } else { Ok(()) }
    }

    /// Merges runs of a full list, without the arena beside them.
    fn make_room(&mut self) -> Result<()> {
        self.arena = None;
        let most = usize::try_from(self.plan.runs_max / 2).unwrap_or(usize::MAX);
        self.reduce(most)?;
        self.arena = Some(Arena::new(&self.consumer, self.plan.arena_bytes)?);
        Ok(())
    }

    /// Merges until one merge takes all runs, and there are `runs_max` at most. Returns the plan
    /// for them.
    fn reduce(&mut self, runs_max: usize) -> Result<SortPlan> {
        let spilled = self.spilled.as_ref().expect("runs are in it");
        let reader = ReaderShape::of(self.runs.iter().map(|run| &**run));
        let plan = self.plan.with_runs(self.runs.len() as u64, 1, reader)?;
        let (consumer, codec) = (&self.consumer, spilled.area.codec());
        let passes = Passes { consumer, file: &spilled.file, codec, plan: &plan, list: None };
        passes.reduce(&mut self.runs, plan.fan_in.min(runs_max), &|_| Ok(()))?;
        Ok(plan)
    }

    /// Ends the input.
    ///
    /// # Errors
    /// Those of spilling and merging.
    pub fn finish(mut self) -> Result<SortedRows> {
        if self.runs.is_empty() {
            let mut arena = self.arena.take().expect("present until it is finished");
            arena.sort();
            let source = From::Memory { arena, next: 0 };
            return Ok(SortedRows { source, rows: self.rows, _spilled: None });
        }
        self.spill()?;
        self.arena = None;
        let plan = self.reduce(usize::MAX)?;
        let spilled = self.spilled.take().expect("runs are in it");
        let merge = Merge::of_runs(&self.runs, plan::ahead(plan.fan_in), &self.consumer)?;
        let source = From::Runs(Box::new(merge));
        Ok(SortedRows { source, rows: self.rows, _spilled: Some(spilled) })
    }
}

/// The rows in order.
pub struct SortedRows {
    source: From,
    rows: u64,
    /// Goes last: the runs are in it.
    _spilled: Option<Spilled>,
}

enum From {
    Memory { arena: Arena, next: usize },
    Runs(Box<Merge>),
}

impl SortedRows {
    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Those of reading spilled blocks.
    #[allow(clippy::should_implement_trait)] // it lends, which Iterator cannot
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        match &mut self.source {
            From::Memory { arena, next } => {
                *next += 1;
                Ok(arena.get(*next - 1).map(|sorted| sorted.row))
            }
            From::Runs(merge) => Ok(merge.next()?.map(|Sorted { row, .. }| row)),
        }
    }
}

#[cfg(test)]
mod tests;
