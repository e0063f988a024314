//! Splits a merge over threads by keys, with each part's exact place in the output.
//!
//! ```text
//!   keys of blocks, sorted ──> splitters at equal shares
//!   run 0: |   part 0   |  part 1  |    a run is cut at the first row not below the splitter
//!   run 1: | part 0 |    part 1    |
//!   output:|     part 0      |   part 1   |    bytes before a cut are known from the index
//! ```
//!
//! As in the merge path of Odeh et al. (2012), with sampled instead of exact ranks: the sample are
//! first keys of blocks, of all or of every nth, so that parts differ by n blocks a run at most.
//!
//! Promises: the parts are disjoint and together everything; rows with one prefix stay together;
//! memory for the sample, a page and a block.
//! Never: more read than the indexes, twice, and one block a run and splitter.

use std::sync::Arc;

use super::index::IndexReader;
use super::merge::{Merge, Part};
use super::run::{Cut, ReaderShape, SortedRun};
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::BlockReader;

/// First keys of blocks that splitters are chosen from: enough that the shares of 64 threads
/// differ by a few percent.
const SAMPLE_MAX: usize = 2048;

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
    let mut cuts = vec![runs.iter().map(|run| run.start()).collect::<Vec<Cut>>()];
    if workers > 1 {
        cuts.extend(inner_cuts(runs, workers, consumer)?);
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

/// For each splitter, where it cuts the runs.
fn inner_cuts(
    runs: &[Arc<SortedRun>],
    workers: usize,
    consumer: &Consumer,
) -> Result<Vec<Vec<Cut>>> {
    let mut index = IndexReader::new(consumer)?;
    let splitters = splitters(runs, workers, &mut index, consumer)?;
    let shape = ReaderShape::of(runs.iter().map(|run| &**run));
    let mut reader =
        BlockReader::alone(consumer, (shape.block_bytes, shape.plain_bytes), shape.codec)?;
    let mut cuts = vec![Vec::with_capacity(runs.len()); splitters.len()];
    for run in runs {
        let of_run = run.cuts(&splitters, &mut index, &mut reader)?;
        cuts.iter_mut().zip(of_run).for_each(|(cuts, cut)| cuts.push(cut));
    }
    Ok(cuts)
}

/// Prefixes at equal shares of all blocks.
fn splitters(
    runs: &[Arc<SortedRun>],
    workers: usize,
    index: &mut IndexReader,
    consumer: &Consumer,
) -> Result<Vec<u128>> {
    let blocks: u64 = runs.iter().map(|run| run.shape.blocks).sum();
    let step = blocks.div_ceil(SAMPLE_MAX as u64).max(1);
    let _sample = consumer.try_reserve((SAMPLE_MAX * size_of::<u128>()) as u64)?;
    let mut sample: Vec<u128> = Vec::with_capacity(SAMPLE_MAX);
    let mut number = 0;
    for run in runs {
        let mut place = run.start().entry;
        for _ in 0..run.shape.blocks {
            let (entry, next) = index.entry(run.file(), place)?;
            if number % step == 0 {
                sample.push(entry.prefix());
            }
            number += 1;
            place = next;
        }
    }
    sample.sort_unstable();
    let mut splitters: Vec<u128> =
        (1..workers).filter_map(|n| sample.get(n * sample.len() / workers).copied()).collect();
    splitters.dedup();
    Ok(splitters)
}
