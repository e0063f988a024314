//! The phases of a grouping by values: gather, sort, merge, walk.
//!
//! ```text
//!   N threads: gather ─┬─ none spilled: one arena takes the others in ──────────┐
//!                      └─ runs ─ passes, if they are too many ─> merge ─────────┴─> Walk ─> Sink
//! ```
//!
//! Promises: memory goes from one phase to the next within the plan.
//! Never: an output that exists after a fault.

use std::sync::Arc;

use super::gather::Gatherer;
use super::sorter::Sorter;
use super::walk::{Source, Walk};
use crate::error::Result;
use crate::files::grouping::run::PlannedGrouping;
use crate::files::grouping::spilling::Spilling;
use crate::files::tool::Summary;
use crate::files::watch::Phase;
use crate::sort::{Merge, Passes, ReaderShape, SortPlan, SortedRun, ahead};

impl PlannedGrouping<'_> {
    pub(in crate::files::grouping) fn run_values(self) -> Result<Summary> {
        let spilling = Spilling::new(&self.tool, false);
        let (sorters, mut summary) = self.read(
            || Gatherer::new(&self.tool, &self.work, &self.plan, &spilling),
            Gatherer::into_sorter,
        )?;
        let walk = Walk::new(&self.tool, &self.work, self.plan.table_bytes)?;
        let (source, total) = self.source(sorters, &spilling, &mut summary)?;
        self.tool.consumer.purge();
        self.write(vec![(walk, source)], total, &mut summary, |(walk, mut source), emit, _| {
            walk.run(&mut source, emit).map(|()| 0)
        })?;
        if let Some(stats) = spilling.stats() {
            summary.spill_bytes = stats.written_bytes;
            summary.spill_peak_bytes = stats.peak_bytes;
        }
        Ok(summary)
    }

    /// The records of all threads in one order, and the bytes of their states.
    fn source(
        &self,
        mut sorters: Vec<Sorter<'_>>,
        spilling: &Spilling<'_>,
        summary: &mut Summary,
    ) -> Result<(Source, u64)> {
        if !sorters.iter().any(Sorter::has_spilled) {
            let mut first = sorters.pop().expect("one thread at least");
            for other in std::mem::take(&mut sorters) {
                first.absorb(&other)?;
            }
            if !first.has_spilled() {
                return Ok((Source::Memory(first.into_arena()), 0));
            }
            sorters.push(first);
        }
        let mut runs = Vec::new();
        for sorter in sorters {
            runs.append(&mut sorter.into_runs()?);
        }
        summary.runs = runs.len() as u64;
        let reader = ReaderShape::of(runs.iter().map(|run| &**run));
        let plan = self.plan.sort().with_runs(runs.len() as u64, 1, reader)?;
        summary.passes = plan.passes.unwrap_or(1);
        self.tool.consumer.purge();
        self.reduce(&mut runs, &plan, spilling)?;
        let total = runs.iter().map(|run| run.row_bytes()).sum();
        let merge = Merge::of_runs(&runs, ahead(plan.fan_in), self.tool.consumer)?;
        Ok((Source::Runs(Box::new(merge)), total))
    }

    /// Merges runs until one merge takes them all.
    fn reduce(
        &self,
        runs: &mut Vec<Arc<SortedRun>>,
        plan: &SortPlan,
        spilling: &Spilling<'_>,
    ) -> Result<()> {
        let Some((file, codec)) = spilling.made().filter(|_| runs.len() > plan.fan_in) else {
            return Ok(());
        };
        self.tool.watch.begin(Phase::Pass, None);
        let passes = Passes { consumer: self.tool.consumer, file: &file, codec, plan, list: None };
        passes.reduce(runs, plan.fan_in, &|_| self.tool.watch.check())?;
        self.tool.consumer.purge();
        Ok(())
    }
}
