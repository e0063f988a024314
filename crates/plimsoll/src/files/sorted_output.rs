//! The end of a sort: its rows in order, to the output.
//!
//! ```text
//!   runs ─> passes, if they are too many ─> split ─┬─> worker 0: merge ─> range of the file
//!                                                  └─> worker 1: merge ─> range of the file
//!   stream, compressed file: one merge ─> sink
//! ```
//!
//! Promises: the output appears whole or not at all; ranges meet exactly; a budget lowered in the
//! middle of a merge is obeyed at its next check.
//! Never: an output begun before its runs are few enough.

use std::sync::{Arc, Mutex, PoisonError};

use super::generate::Made;
use super::output::{Output, Packing, PartialFile};
use super::range_writer::RangeWriter;
use super::sink::Sink;
use super::sort::{SortFile, first_fault, panicked};
use super::tool::{Summary, Tool};
use super::watch::Phase;
use super::workers;
use crate::error::Result;
use crate::sort::{
    Arena, ArenaRange, LANE_SPARES, Merge, Passes, Range, ReaderShape, RunList, SortPlan,
    SortedRun, YieldingMerge, ahead, split, split_arenas,
};
use crate::spill::{BlockTarget as _, SpillArea, SpillFile};

/// Rows between two looks at the wish to stop.
const CHECK_ROWS: usize = 4096;

/// What the end of a sort needs.
pub(super) struct SortedOutput<'a> {
    pub(super) job: &'a SortFile,
    pub(super) tool: Tool<'a>,
    pub(super) plan: SortPlan,
    pub(super) header: &'a [u8],
    pub(super) list: Arc<RunList>,
}

impl SortedOutput<'_> {
    /// Writes the rows of an input that fitted.
    pub(super) fn write_memory(&self, made: Made, mut summary: Summary) -> Result<Summary> {
        self.tool.watch.begin(Phase::Write, Some(made.bytes));
        let arenas: Vec<Arena> = made.arenas.into_iter().map(|(_, arena)| arena).collect();
        let plain = self.job.output.packing() == Packing::Plain;
        if let (Output::File { path, fsync }, true, true) =
            (&self.job.output, plain, arenas.len() > 1)
        {
            let partial = PartialFile::create(self.tool.storage, path, *fsync)?;
            summary.bytes_out = self.write_arenas(&arenas, partial)?;
            return Ok(summary);
        }
        let mut sink = Sink::create(&self.job.output, &self.tool, self.plan.out_block_bytes)?;
        sink.push(self.header)?;
        for mut range in split_arenas(&arenas, 1) {
            let mut rows = 0_usize;
            while let Some(sorted) = range.next() {
                sink.push(sorted.row)?;
                rows += 1;
                if rows.is_multiple_of(CHECK_ROWS) {
                    self.tool.watch.check()?;
                }
            }
        }
        summary.bytes_out = sink.finish()?;
        Ok(summary)
    }

    /// Writes ranges of sorted arenas, one by each thread.
    fn write_arenas(&self, arenas: &[Arena], partial: PartialFile) -> Result<u64> {
        let ranges = split_arenas(arenas, self.plan.merge_workers);
        let header_bytes = self.header.len() as u64;
        let total = header_bytes + ranges.iter().map(|range| range.row_bytes).sum::<u64>();
        partial.allocate(total)?;
        partial.write(self.header, 0)?;
        let partial = Arc::new(partial);
        let ranges: Vec<Mutex<Option<ArenaRange<'_>>>> =
            ranges.into_iter().map(|range| Mutex::new(Some(range))).collect();
        workers::run(ranges.len().max(1), self.tool.watch, |number| {
            let Some(range) = ranges.get(number) else { return Ok(()) };
            let range = range.lock().unwrap_or_else(PoisonError::into_inner).take();
            self.write_arena_range(range.expect("one worker a range"), Arc::clone(&partial))
        })?;
        let partial = Arc::into_inner(partial).expect("the workers' handles are gone");
        partial.finish(total)?;
        Ok(total)
    }

    fn write_arena_range(
        &self,
        mut range: ArenaRange<'_>,
        partial: Arc<PartialFile>,
    ) -> Result<()> {
        let begin = self.header.len() as u64 + range.row_bytes_before;
        let (consumer, block) = (self.tool.consumer, self.plan.out_block_bytes);
        let mut writer = RangeWriter::start(partial, begin, consumer, block, LANE_SPARES)?;
        let mut rows = 0_usize;
        let mut told = begin;
        while let Some(sorted) = range.next() {
            writer.push(sorted.row)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                self.tool.watch.check()?;
                self.tool.watch.add(writer.position() - told);
                told = writer.position();
            }
        }
        let written = writer.finish()?;
        assert_eq!(written, begin + range.row_bytes, "a range ends where the next one begins");
        Ok(())
    }

    /// Merges runs into the output.
    pub(super) fn write_runs(
        &self,
        mut runs: Vec<Arc<SortedRun>>,
        area: &SpillArea,
        file: &Arc<SpillFile>,
        mut summary: Summary,
    ) -> Result<Summary> {
        let reader = ReaderShape::of(runs.iter().map(|run| &**run));
        let plan = self.plan.with_runs(runs.len() as u64, self.tool.threads, reader)?;
        self.tool.consumer.purge();
        let row_bytes: u64 = runs.iter().map(|run| run.row_bytes()).sum();
        summary.passes = plan.passes.unwrap_or(1);
        let (consumer, codec) = (self.tool.consumer, area.codec());
        let passes = Passes { consumer, file, codec, plan: &plan, list: Some(&self.list) };
        if runs.len() > plan.fan_in {
            self.tool.watch.begin(Phase::Pass, None);
            passes.reduce(&mut runs, plan.fan_in, &|_| self.tool.watch.check())?;
            self.tool.consumer.purge();
        }
        self.tool.watch.begin(Phase::Write, Some(row_bytes));
        summary.bytes_out = match (&self.job.output, self.job.output.packing()) {
            (Output::File { path, fsync }, Packing::Plain) => {
                let partial = PartialFile::create(self.tool.storage, path, *fsync)?;
                self.write_ranges(&runs, passes, row_bytes, partial)?
            }
            _ => self.write_stream(&runs, passes)?,
        };
        let stats = area.stats();
        summary.spill_bytes = stats.written_bytes;
        summary.spill_peak_bytes = stats.peak_bytes;
        Ok(summary)
    }

    fn write_ranges(
        &self,
        runs: &[Arc<SortedRun>],
        passes: Passes<'_>,
        row_bytes: u64,
        partial: PartialFile,
    ) -> Result<u64> {
        let header = self.header;
        let total = header.len() as u64 + row_bytes;
        partial.allocate(total)?;
        let partial = Arc::new(partial);
        let ranges = split(runs, passes.plan.merge_workers, self.tool.consumer)?;
        if ranges.is_empty() {
            // With rows the first range writes it.
            partial.write(header, 0)?;
        }
        let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
            let work: Vec<_> = ranges
                .into_iter()
                .enumerate()
                .map(|(n, range)| {
                    let partial = Arc::clone(&partial);
                    scope.spawn(move || {
                        let done = self.write_range(n, range, passes, partial);
                        if done.is_err() {
                            self.tool.watch.stop();
                        }
                        done
                    })
                })
                .collect();
            work.into_iter().map(|w| w.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        first_fault(outcomes)?;
        let partial = Arc::into_inner(partial).expect("the workers' handles are gone");
        partial.finish(total)?;
        Ok(total)
    }

    fn write_range(
        &self,
        number: usize,
        range: Range,
        passes: Passes<'_>,
        partial: Arc<PartialFile>,
    ) -> Result<()> {
        let header = self.header;
        let (offset, end) = (range.row_bytes_before, range.row_bytes_before + range.row_bytes);
        let begin = if number == 0 { 0 } else { header.len() as u64 + offset };
        let block = passes.plan.out_block_bytes;
        let mut writer =
            RangeWriter::start(partial, begin, self.tool.consumer, block, LANE_SPARES)?;
        if number == 0 {
            writer.push(header)?;
        }
        let merge = range.merge(ahead(passes.plan.fan_in), self.tool.consumer)?;
        let mut merge = YieldingMerge::new(merge, passes);
        let check = |_| self.tool.watch.check();
        let mut rows = 0_usize;
        let mut told = writer.position();
        while let Some(sorted) = merge.next()? {
            writer.push(sorted.row)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                check(0)?;
                merge.yield_where_asked(&check)?;
                self.tool.watch.add(writer.position() - told);
                told = writer.position();
            }
        }
        let written = writer.finish()?;
        assert_eq!(written, header.len() as u64 + end, "a range ends where the next one begins");
        Ok(())
    }

    fn write_stream(&self, runs: &[Arc<SortedRun>], passes: Passes<'_>) -> Result<u64> {
        let mut sink = Sink::create(&self.job.output, &self.tool, passes.plan.out_block_bytes)?;
        sink.push(self.header)?;
        let merge = Merge::of_runs(runs, ahead(passes.plan.fan_in), self.tool.consumer)?;
        let mut merge = YieldingMerge::new(merge, passes);
        let check = |_| self.tool.watch.check();
        let mut rows = 0_usize;
        let mut told = 0;
        while let Some(sorted) = merge.next()? {
            sink.push(sorted.row)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                check(0)?;
                merge.yield_where_asked(&check)?;
                self.tool.watch.add(sink.bytes() - told);
                told = sink.bytes();
            }
        }
        sink.finish()
    }
}
