//! Records of one thread on their way into order: an arena, and runs when it is full.
//!
//! Promises: a record is in the arena or in one run; a run is sorted.
//! Never: a file while everything fits.

use std::sync::Arc;

use super::GroupPlan;
use crate::error::Result;
use crate::files::grouping::spilling::Spilling;
use crate::files::tool::Tool;
use crate::sort::{Arena, LANE_SPARES, Passes, ReaderShape, SortPlan, SortedRun, SortedRunWriter};
use crate::spill::{Codec, WriteLane};

/// Runs a thread may always have.
const RUNS_MIN: u64 = 4;

pub(super) struct Sorter<'a> {
    tool: Tool<'a>,
    plan: &'a GroupPlan,
    spilling: &'a Spilling<'a>,
    /// `None` once it was given back.
    arena: Option<Arena>,
    writer: Option<(WriteLane, SortedRunWriter)>,
    runs: Vec<Arc<SortedRun>>,
    /// Merged ones included.
    runs_made: u64,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(
        tool: &Tool<'a>,
        plan: &'a GroupPlan,
        spilling: &'a Spilling<'a>,
    ) -> Result<Self> {
        let arena = Some(Arena::new(tool.consumer, plan.sort().arena_bytes)?);
        Ok(Self {
            tool: *tool,
            plan,
            spilling,
            arena,
            writer: None,
            runs: Vec::new(),
            runs_made: 0,
        })
    }

    /// Adds a record.
    #[inline]
    pub(super) fn push(&mut self, key: &[u8], state: &[u8]) -> Result<()> {
        if self.arena().push(key, state) {
            return Ok(());
        }
        self.spill()?;
        let arena = self.arena();
        if arena.push(key, state) {
            return Ok(());
        }
        Err(arena.too_large(key.len() + state.len(), "a group or a value"))
    }

    fn arena(&mut self) -> &mut Arena {
        self.arena.as_mut().expect("present until it is given back")
    }

    fn spill(&mut self) -> Result<()> {
        self.tool.watch.check()?;
        let arena = self.arena.as_mut().expect("present until it is given back");
        if arena.is_empty() {
            return Ok(());
        }
        arena.sort();
        if self.writer.is_none() {
            let (file, codec) = self.spilling.file()?;
            let (consumer, plan) = (self.tool.consumer, self.plan.sort());
            let blocks = (plan.block_bytes, plan.request_bytes);
            let lane = WriteLane::start(consumer, blocks.1, LANE_SPARES, Codec::None)?;
            self.writer = Some((lane, SortedRunWriter::new(&file, codec, consumer, blocks)?));
        }
        let (lane, writer) = self.writer.as_mut().expect("made above");
        writer.push_all(lane, arena)?;
        let run = writer.cut(lane, (self.runs_made, 0))?;
        self.runs.push(Arc::new(run));
        self.runs_made += 1;
        arena.clear();
        let share = (self.plan.sort().runs_max / self.plan.threads as u64).max(RUNS_MIN);
        if self.runs.len() as u64 >= share { self.make_room(share / 2) } else { Ok(()) }
    }

    /// Merges runs of a full list until there are `runs_max` at most, in this thread's share and
    /// without the arena beside them.
    fn make_room(&mut self, runs_max: u64) -> Result<()> {
        self.arena = None;
        self.writer = None;
        let (file, codec) = self.spilling.file()?;
        let consumer = self.tool.consumer;
        let sort = self.plan.sort();
        let merge_bytes = sort.merge_bytes / self.plan.threads as u64;
        let reader = ReaderShape::of(self.runs.iter().map(|run| &**run));
        let plan = SortPlan { merge_bytes, ..*sort };
        let plan = plan.with_runs(self.runs.len() as u64, 1, reader)?;
        let most = usize::try_from(runs_max).unwrap_or(usize::MAX);
        let passes = Passes { consumer, file: &file, codec, plan: &plan, list: None };
        passes
            .reduce(&mut self.runs, plan.fan_in.min(most).max(1), &|_| self.tool.watch.check())?;
        self.arena = Some(Arena::new(consumer, sort.arena_bytes)?);
        Ok(())
    }

    pub(super) fn has_spilled(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Takes in what another has in its arena.
    pub(super) fn absorb(&mut self, other: &Sorter<'_>) -> Result<()> {
        let mut key = Vec::new();
        for sorted in other.arena.iter().flat_map(Arena::iter) {
            key.clear();
            key.extend_from_slice(&sorted.prefix.to_be_bytes());
            key.extend_from_slice(sorted.extra);
            self.push(&key, sorted.row)?;
        }
        Ok(())
    }

    /// Spills the rest, and gives the memory back.
    pub(super) fn into_runs(mut self) -> Result<Vec<Arc<SortedRun>>> {
        self.spill()?;
        self.arena = None;
        if let Some((mut lane, _)) = self.writer.take() {
            lane.settle()?;
        }
        Ok(self.runs)
    }

    /// The sorted arena of one that never spilled.
    pub(super) fn into_arena(mut self) -> Arena {
        let mut arena = self.arena.take().expect("present until it is given back");
        arena.sort();
        arena
    }
}
