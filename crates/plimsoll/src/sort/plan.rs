//! What a sort will do, in numbers, before it does it.
//!
//! ```text
//!   workspace ──> generators x (arena + write buffers)      run generation
//!             └─> workers x (fan-in + ahead) x block + out  last merge
//!
//!   passes = 1 + how often runs must be merged until one merge takes them all
//! ```
//!
//! Two passes over the input sort N bytes with blocks of B in about sqrt(N * B) bytes of memory
//! (Aggarwal and Vitter 1988); more memory only makes runs longer and blocks larger.
//!
//! Promises: a pure function; what it says is what the sort reserves.
//! Never: a plan that needs more than the workspace; below the least it names the least.

use super::arena::ENTRY_BYTES;
use super::merge::Merge;
use super::run::BLOCK_INDEX_BYTES;
use crate::error::{Error, Result};
use crate::spill::{RunWriter, WriteLane};
use crate::storage::AlignedBytes;
use crate::units::ByteSize;

/// Buffers a lane has beside the one being filled.
pub(crate) const LANE_SPARES: usize = 2;
/// Largest block: beyond this a disk is no faster.
pub const BLOCK_BYTES_MAX: usize = 512 << 10;
/// Smallest block: below this a disk does more seeks than reads.
pub const BLOCK_BYTES_MIN: usize = 16 << 10;
/// Blocks a merge wishes to have read ahead.
const AHEAD_MAX: usize = 16;
/// Smallest arena that is worth sorting.
pub const ARENA_BYTES_MIN: usize = 256 << 10;
/// Smallest arena for which a second generator is worth its own.
const ARENA_BYTES_WISHED: usize = 2 << 20;
/// What a run adds to a row: its length, the key's and the prefix.
const RECORD_BYTES: u64 = 19;
/// Blocks of the output of one worker.
pub(crate) const OUT_BLOCK_BYTES: usize = 512 << 10;
const OUT_BLOCK_BYTES_MIN: usize = 64 << 10;
/// Threads beyond this only wait for each other.
pub const WORKERS_MAX: usize = 64;

/// How run sizes are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkStrategy {
    /// Runs as large as the budget lets them be.
    #[default]
    Adaptive,
    /// Runs of about sqrt(N * B) bytes: the least memory that still sorts in two passes.
    SqrtN,
    /// Runs of so many rows, or as many as fit.
    Fixed(u64),
}

impl std::str::FromStr for ChunkStrategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rows = text.strip_prefix("fixed:").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        match (text, rows) {
            ("adaptive", _) => Ok(Self::Adaptive),
            ("sqrt_n", _) => Ok(Self::SqrtN),
            (_, Some(rows)) => Ok(Self::Fixed(rows)),
            _ => Err(Error::invalid(format!(
                "chunk strategy '{}': allowed are adaptive, sqrt_n and fixed:ROWS",
                crate::error::excerpt(text)
            ))),
        }
    }
}

impl std::fmt::Display for ChunkStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Adaptive => f.write_str("adaptive"),
            Self::SqrtN => f.write_str("sqrt_n"),
            Self::Fixed(rows) => write!(f, "fixed:{rows}"),
        }
    }
}

/// What is known before a sort.
#[derive(Clone, Copy, Debug)]
pub struct SortInput {
    /// Bytes of all rows, where that is known.
    pub bytes: Option<u64>,
    /// Bytes of a usual row.
    pub row_bytes: u64,
    /// Bytes the sort may hold.
    pub workspace_bytes: u64,
    /// Threads it may use.
    pub threads: usize,
    /// How run sizes are chosen.
    pub strategy: ChunkStrategy,
}

/// What a sort will do. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortPlan {
    /// As asked.
    pub strategy: ChunkStrategy,
    /// Bytes the sort may hold beside the index of its runs.
    pub workspace_bytes: u64,
    /// Threads that make runs.
    pub generators: usize,
    /// Memory of each for rows and entries.
    pub arena_bytes: usize,
    /// Rows at which a run ends although more would fit.
    pub run_rows_max: u64,
    /// Rows of a run, in bytes.
    pub run_bytes: u64,
    /// Runs that are expected; `None` for an input of unknown length.
    pub runs: Option<u64>,
    /// Of spilled runs.
    pub block_bytes: usize,
    /// Runs one merge takes.
    pub fan_in: usize,
    /// How often a row is written to disk before the output, on average rounded up; 0 when all
    /// fits.
    pub passes: Option<u32>,
    /// Threads that merge in the end.
    pub merge_workers: usize,
    /// Of each worker's output.
    pub out_block_bytes: usize,
    /// Most bytes on disk beside the output.
    pub temp_bytes: Option<u64>,
}

/// Makes the plan.
///
/// ```
/// use plimsoll::sort::{ChunkStrategy, SortInput, plan};
/// let input = SortInput {
///     bytes: Some(2_500 << 20),
///     row_bytes: 84,
///     workspace_bytes: 48 << 20,
///     threads: 2,
///     strategy: ChunkStrategy::Adaptive,
/// };
/// let plan = plan(input)?;
/// assert_eq!(plan.passes, Some(1));
/// assert!(plan.fan_in as u64 >= plan.runs.unwrap());
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with the least workspace, when this one is below it.
pub fn plan(input: SortInput) -> Result<SortPlan> {
    let workspace = usize::try_from(input.workspace_bytes).unwrap_or(usize::MAX);
    let least = least_bytes();
    if workspace < least {
        return Err(Error::invalid(format!(
            "sorting needs a workspace of {} at least, and {} are left; raise the memory limit",
            ByteSize::new(least as u64),
            ByteSize::new(workspace as u64)
        )));
    }
    let row_bytes = input.row_bytes.max(1);
    let spilled = input.bytes.map(|b| b + b / row_bytes * RECORD_BYTES);
    // Every run's index stays in memory until it is merged.
    let block_least = index_block(workspace, spilled.unwrap_or(0));
    let index = index_bytes(spilled.unwrap_or(0), block_least);
    let workspace = workspace.saturating_sub(index).max(least);
    let generators = generators(workspace, input.threads);
    let write_block = write_block(workspace, generators).max(block_least);
    let share = workspace / generators;
    let arena_bytes =
        arena(input, share.saturating_sub(write_buffers(write_block)).max(ARENA_BYTES_MIN));
    let run_bytes = arena_bytes as u64 * row_bytes / (row_bytes + ENTRY_BYTES as u64);
    let run_rows_max = match input.strategy {
        ChunkStrategy::Fixed(rows) => rows,
        _ => u64::MAX,
    };
    let run_bytes = run_bytes.min(run_rows_max.saturating_mul(row_bytes)).max(1);
    let runs = input.bytes.map(|bytes| bytes.div_ceil(run_bytes).max(1));
    let blocks = (block_least, write_block);
    let merge = merge_shape(workspace, input.threads, runs.unwrap_or(256), blocks);
    let passes = runs.map(|runs| if runs > 1 { passes(runs, merge.fan_in) } else { 0 });
    Ok(SortPlan {
        strategy: input.strategy,
        workspace_bytes: workspace as u64,
        generators,
        arena_bytes,
        run_rows_max,
        run_bytes,
        runs,
        block_bytes: merge.block_bytes,
        fan_in: merge.fan_in,
        passes,
        merge_workers: merge.workers,
        out_block_bytes: merge.out_block_bytes,
        temp_bytes: spilled.zip(passes).map(|(s, p)| if p == 0 { 0 } else { s }),
    })
}

/// The least a sort works in: a small arena, or a merge of two runs.
fn least_bytes() -> usize {
    let generate = ARENA_BYTES_MIN + write_buffers(BLOCK_BYTES_MIN);
    generate.max(worker_bytes(2, 1, BLOCK_BYTES_MIN, OUT_BLOCK_BYTES_MIN))
}

/// The smallest block whose index takes three eighths of the workspace at most.
fn index_block(workspace: usize, spilled: u64) -> usize {
    let mut block = BLOCK_BYTES_MIN;
    while block < BLOCK_BYTES_MAX && index_bytes(spilled, block) > workspace / 8 * 3 {
        block *= 2;
    }
    block
}

fn index_bytes(spilled: u64, block_bytes: usize) -> usize {
    let blocks = spilled.div_ceil(block_bytes as u64);
    usize::try_from(blocks).unwrap_or(usize::MAX).saturating_mul(BLOCK_INDEX_BYTES)
}

fn write_buffers(block_bytes: usize) -> usize {
    RunWriter::cost_bytes(block_bytes)
        + WriteLane::cost_bytes(block_bytes, LANE_SPARES, crate::spill::Codec::Lz4)
        // The index of the run's blocks.
        + (32 << 10)
}

/// What a merge worker holds.
fn worker_bytes(fan_in: usize, ahead: usize, block: usize, out_block: usize) -> usize {
    // The order of blocks is charged for blocks of a run that fills memory many times over.
    // A merge into a run has a block and a spare in place of the output's.
    let output = AlignedBytes::cost_bytes(out_block) * (1 + LANE_SPARES);
    let run = AlignedBytes::cost_bytes(block) * 2;
    Merge::cost_bytes(fan_in, ahead, block, 64 * fan_in) + output.max(run)
}

fn generators(workspace: usize, threads: usize) -> usize {
    // Two small arenas make more runs than one that is twice as large.
    let most = workspace / (ARENA_BYTES_WISHED + write_buffers(SMALL_BLOCK_BYTES));
    threads.clamp(1, WORKERS_MAX).min(most.max(1))
}

/// Blocks are at most an eighth of a generator's share: the rest is for rows.
fn write_block(workspace: usize, generators: usize) -> usize {
    let mut block = BLOCK_BYTES_MAX;
    while block > BLOCK_BYTES_MIN && write_buffers(block) > workspace / generators / 8 {
        block /= 2;
    }
    block
}

fn arena(input: SortInput, most: usize) -> usize {
    let wished = match (input.strategy, input.bytes) {
        (ChunkStrategy::SqrtN, Some(bytes)) => {
            let run = (bytes as f64 * BLOCK_BYTES_MAX as f64).sqrt();
            let entries = 1.0 + ENTRY_BYTES as f64 / input.row_bytes.max(1) as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded below
            let arena = (run * entries) as usize;
            arena.max(ARENA_BYTES_MIN)
        }
        _ => most,
    };
    wished.min(most) / 8 * 8
}

#[derive(Clone, Copy, Debug)]
struct MergeShape {
    workers: usize,
    fan_in: usize,
    block_bytes: usize,
    out_block_bytes: usize,
}

/// The largest blocks with which all threads merge all runs at once; with fewer threads where
/// memory is short of that; with several passes where it still is.
fn merge_shape(
    workspace: usize,
    threads: usize,
    runs: u64,
    (block_min, block_max): (usize, usize),
) -> MergeShape {
    let mut block_bytes = block_max;
    loop {
        let shape = shape_of(workspace, threads, runs, block_bytes);
        let all_threads = shape.workers == threads.clamp(1, WORKERS_MAX).min(2);
        if shape.fan_in as u64 >= runs && (all_threads || block_bytes <= SMALL_BLOCK_BYTES) {
            return shape;
        }
        if block_bytes / 2 < block_min {
            break;
        }
        block_bytes /= 2;
    }
    // Several passes: blocks of a size that keeps a disk busy, where that leaves some fan-in.
    let mut block_bytes = block_max.min(SMALL_BLOCK_BYTES).max(block_min);
    while block_bytes > block_min
        && shape_of(workspace, 1, runs, block_bytes).fan_in < FAN_IN_WISHED
    {
        block_bytes /= 2;
    }
    shape_of(workspace, threads, runs, block_bytes)
}

/// Blocks below this are taken only where otherwise more passes were needed.
const SMALL_BLOCK_BYTES: usize = 64 << 10;
/// Fan-in below this costs more passes than small blocks cost seeks.
const FAN_IN_WISHED: usize = 16;

/// How blocks of one size are merged: by as many threads as leave each of them all runs.
fn shape_of(workspace: usize, threads: usize, runs: u64, block_bytes: usize) -> MergeShape {
    let runs = usize::try_from(runs).unwrap_or(usize::MAX).max(2);
    let threads = threads.clamp(1, WORKERS_MAX);
    let mut shape = MergeShape { workers: 1, fan_in: 2, block_bytes, out_block_bytes: 0 };
    for workers in [threads, threads.min(2), 1] {
        let share = workspace / workers;
        let out_block_bytes = out_block(share);
        let fan_in = fan_in(share, block_bytes, out_block_bytes).max(2);
        shape = MergeShape { workers, fan_in, block_bytes, out_block_bytes };
        if fan_in >= runs {
            break;
        }
    }
    shape
}

impl SortPlan {
    /// The rest of the plan, now that there are `runs` runs.
    #[must_use]
    pub(crate) fn with_runs(self, runs: u64, threads: usize) -> Self {
        let workspace = usize::try_from(self.workspace_bytes).unwrap_or(usize::MAX);
        let shape = shape_of(workspace, threads, runs, self.block_bytes);
        Self {
            runs: Some(runs),
            fan_in: shape.fan_in,
            passes: Some(passes(runs, shape.fan_in)),
            merge_workers: shape.workers,
            out_block_bytes: shape.out_block_bytes,
            ..self
        }
    }
}

fn out_block(share: usize) -> usize {
    let mut block = OUT_BLOCK_BYTES;
    while block > OUT_BLOCK_BYTES_MIN && (1 + LANE_SPARES) * block > share / 4 {
        block /= 2;
    }
    block
}

/// Runs one worker can merge in `share`, with an eighth more blocks read ahead.
fn fan_in(share: usize, block_bytes: usize, out_block_bytes: usize) -> usize {
    let fixed = worker_bytes(0, 0, block_bytes, out_block_bytes);
    let one = worker_bytes(1, 0, block_bytes, out_block_bytes) - fixed;
    let places = share.saturating_sub(fixed) / one;
    places - ahead(places).min(places)
}

/// Blocks to read ahead where there is room for `places`.
pub(crate) fn ahead(places: usize) -> usize {
    (places / 8).clamp(1, AHEAD_MAX)
}

fn passes(runs: u64, fan_in: usize) -> u32 {
    let (mut left, mut passes) = (runs.max(2), 0);
    while left > 1 {
        left = left.div_ceil(fan_in as u64);
        passes += 1;
    }
    passes
}
