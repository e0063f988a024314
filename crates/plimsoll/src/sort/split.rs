//! Splits a merge over threads by keys, with each part's exact place in the output.
//!
//! ```text
//!   keys of all blocks, sorted ──> splitters at equal shares
//!   run 0: |   part 0   |  part 1  |    a run is cut at the first row not below the splitter
//!   run 1: | part 0 |    part 1    |
//!   output:|     part 0      |   part 1   |    bytes before a cut are known from the index
//! ```
//!
//! As in the merge path of Odeh et al. (2012), with sampled instead of exact ranks: the first keys
//! of all blocks are the sample, so that parts differ by a block a run at most.
//!
//! Promises: the parts are disjoint and together everything; rows with one prefix stay together.
//! Never: a second read of more than one block a run and splitter.

use std::sync::Arc;

use super::merge::{Merge, Part};
use super::run::{Cut, SortedRun};
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{BlockReader, Codec};

/// One thread's share of a merge.
#[derive(Debug)]
pub(crate) struct Range {
    pub(super) parts: Vec<Part>,
    /// Bytes of rows before it in the output.
    pub(crate) row_bytes_before: u64,
    /// Bytes of its rows.
    pub(crate) row_bytes: u64,
}

impl Range {
    /// Its rows in order.
    ///
    /// # Errors
    /// As [`Merge::next`], and [`crate::ErrorKind::OutOfBudget`].
    pub(crate) fn merge(self, ahead: usize, consumer: &Consumer) -> Result<Merge> {
        Merge::start(self.parts, ahead, consumer)
    }
}

/// Splits `runs` into at most `workers` ranges of about equal size, in order of their keys.
///
/// # Errors
/// [`crate::ErrorKind::OutOfBudget`], and those of reading a block.
pub(crate) fn split(
    runs: &[Arc<SortedRun>],
    workers: usize,
    consumer: &Consumer,
) -> Result<Vec<Range>> {
    let mut cuts = vec![runs.iter().map(|_| SortedRun::START).collect::<Vec<Cut>>()];
    for prefix in splitters(runs, workers, consumer)? {
        let blocks = runs.iter().flat_map(|r| r.run.blocks());
        let block_bytes = blocks.map(|b| b.bytes as usize).max().unwrap_or(0);
        let plain = runs.iter().map(|r| r.run.plain_bytes_max()).max().unwrap_or(0);
        let codec = Codec::heaviest(runs.iter().map(|r| r.run.codec()));
        let mut reader = BlockReader::alone(consumer, (block_bytes, plain), codec)?;
        cuts.push(runs.iter().map(|run| run.cut(prefix, &mut reader)).collect::<Result<_>>()?);
    }
    cuts.push(runs.iter().map(|run| run.end()).collect());
    let before = |cuts: &[Cut]| cuts.iter().map(|c| c.row_bytes).sum::<u64>();
    let ranges = cuts.windows(2).map(|pair| {
        let ends = pair[0].iter().zip(&pair[1]);
        let parts = runs.iter().zip(ends);
        Range {
            parts: parts
                .map(|(run, (&from, &to))| Part { run: Arc::clone(run), from, to })
                .collect(),
            row_bytes_before: before(&pair[0]),
            row_bytes: before(&pair[1]) - before(&pair[0]),
        }
    });
    Ok(ranges.filter(|range| range.row_bytes > 0).collect())
}

/// Prefixes at equal shares of all blocks.
fn splitters(runs: &[Arc<SortedRun>], workers: usize, consumer: &Consumer) -> Result<Vec<u128>> {
    let blocks: usize = runs.iter().map(|run| run.index.len()).sum();
    let _sample = consumer.try_reserve((blocks * size_of::<u128>()) as u64)?;
    let mut sample: Vec<u128> =
        runs.iter().flat_map(|run| &run.index).map(super::run::BlockKey::prefix).collect();
    sample.sort_unstable();
    let mut splitters: Vec<u128> =
        (1..workers).filter_map(|n| sample.get(n * blocks / workers).copied()).collect();
    splitters.dedup();
    Ok(splitters)
}
