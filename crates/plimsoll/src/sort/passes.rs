//! Merges runs into fewer runs until one merge takes them all.
//!
//! Each step merges neighbours in input order, so that equal keys keep their order, and no more of
//! them than needed: with k runs and fan-in f, min(f, k - f + 1) leave f after few steps. Of all
//! neighbourhoods of that width the one with the fewest bytes is taken.
//!
//! Promises: every row is in exactly one run at any time; merged runs give their place back.
//! Never: more than the fan-in open.

use std::sync::Arc;

use super::index::IndexReader;
use super::merge::{Merge, Part};
use super::plan::{PASS_SPARES, SortPlan, ahead, pass_request};
use super::run::{InputOrder, SortedRun};
use super::run_list::RunList;
use super::run_writer::SortedRunWriter;
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{Codec, SpillFile, WriteLane};

/// How runs are merged into runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passes<'a> {
    pub(crate) consumer: &'a Consumer,
    pub(crate) file: &'a Arc<SpillFile>,
    pub(crate) codec: Codec,
    pub(crate) plan: &'a SortPlan,
    /// Has room for the merged runs, where there is one.
    pub(crate) list: Option<&'a Arc<RunList>>,
}

impl Passes<'_> {
    /// Leaves at most `runs_max` of `runs`, which are sorted by input order; `check` is asked
    /// between rows now and then and stops the work with its error. Returns merges made.
    ///
    /// # Errors
    /// Those of reading and writing runs, and `check`'s.
    pub(crate) fn reduce(
        &self,
        runs: &mut Vec<Arc<SortedRun>>,
        runs_max: usize,
        check: &dyn Fn(u64) -> Result<()>,
    ) -> Result<u64> {
        let mut merges = 0;
        while runs.len() > runs_max {
            let width = self.plan.fan_in.min(runs.len() - runs_max + 1);
            let at = cheapest(runs, width);
            let merged = self.merge(&runs[at..at + width], check)?;
            runs.splice(at..at + width, [Arc::new(merged)]);
            merges += 1;
        }
        Ok(merges)
    }

    fn merge(
        &self,
        runs: &[Arc<SortedRun>],
        check: &dyn Fn(u64) -> Result<()>,
    ) -> Result<SortedRun> {
        let parts = runs.iter().map(Part::whole).collect();
        let merged = self.merge_parts(parts, runs[0].order(), check)?;
        let mut index = IndexReader::new(self.consumer)?;
        for run in runs {
            run.give_back(&mut index)?;
        }
        Ok(merged)
    }

    /// Merges parts of neighbours into one run.
    pub(super) fn merge_parts(
        &self,
        parts: Vec<Part>,
        order: InputOrder,
        check: &dyn Fn(u64) -> Result<()>,
    ) -> Result<SortedRun> {
        let block = self.plan.block_bytes;
        let request = pass_request(block, self.plan.out_block_bytes);
        let mut lane = WriteLane::start(self.consumer, request, PASS_SPARES, Codec::None)?;
        let blocks = (block, request);
        let mut writer = SortedRunWriter::new(self.file, self.codec, self.consumer, blocks)?;
        if let Some(list) = self.list {
            writer = writer.listed(list);
        }
        let mut merge = Merge::start(parts, ahead(self.plan.fan_in), self.consumer)?;
        let mut rows = 0_u64;
        while let Some(sorted) = merge.next()? {
            writer.push(&mut lane, sorted)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                check(CHECK_ROWS)?;
            }
        }
        writer.cut(&mut lane, order)
    }
}

/// Rows between two checks: often enough to stop within milliseconds.
const CHECK_ROWS: u64 = 4096;

/// Where the `width` neighbours with the fewest bytes begin.
fn cheapest(runs: &[Arc<SortedRun>], width: usize) -> usize {
    let bytes = |window: &[Arc<SortedRun>]| window.iter().map(|r| r.row_bytes()).sum::<u64>();
    let windows = runs.windows(width).enumerate();
    windows.min_by_key(|(_, window)| bytes(window)).map_or(0, |(at, _)| at)
}
