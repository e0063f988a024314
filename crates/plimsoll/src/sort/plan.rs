//! What a sort will do, in numbers, before it does it.
//!
//! ```text
//!   workspace ──> list of runs + generators x (arena + write buffers)      run generation
//!      + scan ──> list of runs + workers x ((fan-in + ahead) x block + out)  last merge
//!
//!   passes = 1 + how often runs must be merged until one merge takes them all
//! ```
//!
//! A run costs the same few bytes whatever its length. When there are as many as the list has room
//! for, generation pauses and merges some of them.
//!
//! Two passes over the input sort N bytes with blocks of B in about sqrt(N * B) bytes of memory
//! (Aggarwal and Vitter 1988); more memory only makes runs longer and blocks larger.
//!
//! Promises: a pure function; what it says is what the sort reserves.
//! Never: a plan that needs more than the workspace; below the least it names the least.

use super::arena::ENTRY_BYTES;
use super::arena_size::{arena, arenas, useful_arena};
use super::merge::Merge;
use super::run::{RUN_BYTES, ReaderShape};
use super::run_writer::SortedRunWriter;
use super::strategy::ChunkStrategy;
use crate::error::{Error, Result};
use crate::spill::{Codec, WriteLane};
use crate::storage::AlignedBytes;
use crate::units::ByteSize;

/// Buffers a lane has beside the one being filled.
pub(crate) const LANE_SPARES: usize = 2;
/// The same for a pass, which waits for blocks to read anyway.
pub(crate) const PASS_SPARES: usize = 1;
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
pub(super) const OUT_BLOCK_BYTES_MIN: usize = 64 << 10;
/// Threads beyond this only wait for each other.
pub const WORKERS_MAX: usize = 64;

/// What is known before a sort.
#[derive(Clone, Copy, Debug)]
pub struct SortInput {
    /// Bytes of all rows, where that is known.
    pub bytes: Option<u64>,
    /// Bytes of a usual row.
    pub row_bytes: u64,
    /// Bytes the sort may hold.
    pub workspace_bytes: u64,
    /// Bytes beside these that come free once the input was read.
    pub scan_bytes: u64,
    /// Bytes each thread that makes runs holds for reading.
    pub generator_bytes: usize,
    /// Threads it may use.
    pub threads: usize,
    /// How run sizes are chosen.
    pub strategy: ChunkStrategy,
    /// Of spilled blocks.
    pub codec: Codec,
}

/// What a sort will do. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortPlan {
    /// As asked.
    pub strategy: ChunkStrategy,
    /// Bytes the sort may hold while it makes runs.
    pub workspace_bytes: u64,
    /// Bytes it may hold while it merges them.
    pub merge_bytes: u64,
    /// Threads that make runs.
    pub generators: usize,
    /// Memory of each for rows and entries.
    pub arena_bytes: usize,
    /// Arenas that all of the input is expected to fit into, sorted by all threads; 1 where it is
    /// spilled, or so short that one thread is as fast.
    pub arenas: usize,
    /// Rows at which a run ends although more would fit.
    pub run_rows_max: u64,
    /// Rows of a run, in bytes.
    pub run_bytes: u64,
    /// Runs that are expected; `None` for an input of unknown length.
    pub runs: Option<u64>,
    /// Runs at which generation pauses until some are merged.
    pub runs_max: u64,
    /// Of spilled runs.
    pub block_bytes: usize,
    /// Blocks of so many bytes together are written at a time.
    pub request_bytes: usize,
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
/// use plimsoll::spill::Codec;
/// let input = SortInput {
///     bytes: Some(2_500 << 20),
///     row_bytes: 84,
///     workspace_bytes: 48 << 20,
///     scan_bytes: 0,
///     generator_bytes: 0,
///     threads: 2,
///     strategy: ChunkStrategy::Adaptive,
///     codec: Codec::None,
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
    let planned = plan_threads(input)?;
    // Each thread fills an arena of its own. What does not fit beside many of them may fit beside
    // few, and then nothing is written at all.
    let fewer = std::iter::successors(Some(input.threads / 2), |&threads| Some(threads / 2));
    for threads in fewer.take_while(|&threads| threads > 0 && planned.runs > Some(1)) {
        let planned = plan_threads(SortInput { threads, ..input })?;
        if planned.passes == Some(0) {
            return Ok(planned);
        }
    }
    Ok(planned)
}

/// The plan with all of the input's threads.
fn plan_threads(input: SortInput) -> Result<SortPlan> {
    let narrow = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let (workspace, scan_bytes) = (narrow(input.workspace_bytes), narrow(input.scan_bytes));
    let least = least_bytes(input.generator_bytes, input.codec);
    if workspace < least {
        return Err(Error::invalid(format!(
            "sorting needs a workspace of {} at least, and {} are left; raise the memory limit",
            ByteSize::new(least as u64),
            ByteSize::new(workspace as u64)
        )));
    }
    let row_bytes = input.row_bytes.max(1);
    let spilled = input.bytes.map(|b| b + b / row_bytes * RECORD_BYTES);
    let generators = generators(workspace, input);
    let share = (workspace / generators).saturating_sub(input.generator_bytes);
    let request_bytes = request(share, input.codec);
    let room = share.saturating_sub(write_buffers(request_bytes, input.codec));
    let run_rows_max = match input.strategy {
        ChunkStrategy::Fixed(rows) => rows,
        _ => u64::MAX,
    };
    let run_bytes = |arena_bytes: usize| {
        let rows = arena_bytes as u64 * row_bytes / (row_bytes + ENTRY_BYTES as u64);
        rows.min(run_rows_max.saturating_mul(row_bytes)).max(1)
    };
    let runs = |run_bytes: u64| input.bytes.map(|bytes| bytes.div_ceil(run_bytes).max(1));
    let spare = room.saturating_sub(ARENA_BYTES_MIN) * generators;
    let useful = |arena_bytes: usize| {
        let spills = runs(run_bytes(arena_bytes)).is_some_and(|runs| runs > 1);
        if spills { useful_arena(input, arena_bytes) } else { arena_bytes }
    };
    let expected = runs(run_bytes(useful(arena(input, room))));
    let runs_max = runs_max(spare.min(workspace / 8), expected);
    let list = list_bytes(runs_max);
    let arena_bytes =
        arena(input, room.saturating_sub(list.div_ceil(generators)).max(ARENA_BYTES_MIN));
    let (arenas, arena_bytes) = arenas(input, generators, arena_bytes);
    let arena_bytes = if arenas == 1 { useful(arena_bytes) } else { arena_bytes };
    let run_bytes = run_bytes(arena_bytes);
    let runs = if arenas > 1 { Some(1) } else { runs(run_bytes) };
    let merge_bytes = workspace.saturating_add(scan_bytes).saturating_sub(list);
    let most = (runs.unwrap_or(256), input.threads);
    let merge = merge_shape(merge_bytes, most, request_bytes, input.codec);
    let passes = runs.map(|runs| if runs > 1 { passes(runs, merge.fan_in) } else { 0 });
    Ok(SortPlan {
        strategy: input.strategy,
        workspace_bytes: workspace as u64,
        merge_bytes: merge_bytes as u64,
        generators,
        arena_bytes,
        arenas,
        run_rows_max,
        run_bytes,
        runs,
        runs_max,
        block_bytes: merge.reader.block_bytes,
        request_bytes,
        fan_in: merge.fan_in,
        passes,
        merge_workers: merge.workers,
        out_block_bytes: merge.out_block_bytes,
        temp_bytes: spilled.zip(passes).map(|(s, p)| if p == 0 { 0 } else { s }),
    })
}

/// The least a sort works in: a small arena, or a merge of two runs.
fn least_bytes(generator_bytes: usize, codec: Codec) -> usize {
    let generate = generator_bytes + ARENA_BYTES_MIN + write_buffers(BLOCK_BYTES_MIN, codec);
    let merge = worker_bytes(2, 1, ReaderShape::new(BLOCK_BYTES_MIN, codec), OUT_BLOCK_BYTES_MIN);
    generate.max(merge) + list_bytes(RUNS_MAX_MIN)
}

/// How many runs there may be at one time: with `expected` half as many more, and never more than
/// a list of `bytes` has room for.
fn runs_max(bytes: usize, expected: Option<u64>) -> u64 {
    let most = (bytes.min(LIST_BYTES_MAX) / RUN_BYTES) as u64;
    let wished = expected.map_or(most / 2, |runs| runs.saturating_add(runs / 2));
    wished.min(most).max(RUNS_MAX_MIN)
}

fn list_bytes(runs: u64) -> usize {
    usize::try_from(runs).unwrap_or(usize::MAX).saturating_mul(RUN_BYTES)
}

fn write_buffers(request_bytes: usize, codec: Codec) -> usize {
    SortedRunWriter::cost_bytes(request_bytes, request_bytes, codec)
        + WriteLane::cost_bytes(request_bytes, LANE_SPARES, Codec::None)
}

/// What a merge worker holds; the output of one that merges into a run is a request and a spare.
fn worker_bytes(fan_in: usize, ahead: usize, reader: ReaderShape, out_block: usize) -> usize {
    let block = reader.block_bytes;
    let output = AlignedBytes::cost_bytes(out_block) * (1 + LANE_SPARES);
    let request = pass_request(block, out_block);
    let run = SortedRunWriter::cost_bytes(block.min(request), request, reader.codec)
        + WriteLane::cost_bytes(request, PASS_SPARES, Codec::None);
    Merge::cost_bytes(fan_in, ahead, reader) + output.max(run)
}

/// What a pass writes at a time: about what the output's blocks have room for.
pub(crate) fn pass_request(block_bytes: usize, out_block_bytes: usize) -> usize {
    out_block_bytes.max(block_bytes.min(BLOCK_BYTES_MAX))
}

fn generators(workspace: usize, input: SortInput) -> usize {
    // Two small arenas make more runs than one that is twice as large.
    let each =
        ARENA_BYTES_WISHED + write_buffers(SMALL_BLOCK_BYTES, input.codec) + input.generator_bytes;
    input.threads.clamp(1, WORKERS_MAX).min((workspace / each).max(1))
}

/// Requests are at most an eighth of a generator's share, the rest is for rows; small ones take a
/// quarter, for a disk answers those at a fraction of its speed.
fn request(share: usize, codec: Codec) -> usize {
    let mut request = BLOCK_BYTES_MAX;
    let fits = |request: usize| {
        let part = if request > SMALL_BLOCK_BYTES { 8 } else { 4 };
        write_buffers(request, codec) <= share / part
    };
    while request > BLOCK_BYTES_MIN && !fits(request) {
        request /= 2;
    }
    request
}

#[derive(Clone, Copy, Debug)]
struct MergeShape {
    workers: usize,
    fan_in: usize,
    reader: ReaderShape,
    out_block_bytes: usize,
}

/// The largest blocks with which all threads merge all runs at once; with fewer threads where
/// memory is short of that; with several passes where it still is.
fn merge_shape(
    workspace: usize,
    (runs, threads): (u64, usize),
    block_max: usize,
    codec: Codec,
) -> MergeShape {
    let shape = |block| shape_of(workspace, threads, runs, ReaderShape::new(block, codec));
    let sizes = || {
        std::iter::successors(Some(block_max), |block| Some(block / 2))
            .take_while(|&block| block >= BLOCK_BYTES_MIN)
    };
    for block_bytes in sizes() {
        let shape = shape(block_bytes);
        let all_threads = shape.workers >= threads.clamp(1, WORKERS_MAX).min(2);
        if shape.fan_in as u64 >= runs && (all_threads || block_bytes <= SMALL_BLOCK_BYTES) {
            return shape;
        }
    }
    let work = |shape: &MergeShape| {
        let reads = 1.0 + rewritten(runs, shape.fan_in);
        // A request takes a disk about as long as so many bytes more.
        reads * (1.0 + BLOCK_BYTES_MIN as f64 / shape.reader.block_bytes as f64)
    };
    let shapes = sizes().map(shape);
    shapes.min_by(|a, b| work(a).total_cmp(&work(b))).unwrap_or_else(|| shape(BLOCK_BYTES_MIN))
}

/// How often a row is written again until `fan_in` of `runs` of one size are left: the depth of
/// the tree of merges, but for those leaves that a last level has no need of.
fn rewritten(runs: u64, fan_in: usize) -> f64 {
    let (runs, fan_in) = (runs as f64, fan_in as f64);
    let (mut room, mut depth) = (fan_in, 1.0);
    while room < runs {
        room *= fan_in;
        depth += 1.0;
    }
    let shallow = ((room - runs) / (fan_in - 1.0)).floor();
    (depth - 1.0 - shallow / runs).max(0.0)
}

/// Blocks below this are taken only where otherwise more passes were needed.
const SMALL_BLOCK_BYTES: usize = 64 << 10;
/// Runs there may always be.
const RUNS_MAX_MIN: u64 = 64;
/// Most bytes for the list of runs.
const LIST_BYTES_MAX: usize = 512 << 10;

/// How blocks of one size are merged: by as many threads as leave each of them all runs.
fn shape_of(workspace: usize, threads: usize, runs: u64, reader: ReaderShape) -> MergeShape {
    let runs = usize::try_from(runs).unwrap_or(usize::MAX).max(2);
    let threads = threads.clamp(1, WORKERS_MAX);
    let mut shape = MergeShape { workers: 1, fan_in: 2, reader, out_block_bytes: 0 };
    for workers in [threads, threads.min(2), 1] {
        let share = workspace / workers;
        let out_block_bytes = out_block(share);
        let fan_in = fan_in(share, reader, out_block_bytes).max(2);
        shape = MergeShape { workers, fan_in, reader, out_block_bytes };
        if fan_in >= runs {
            break;
        }
    }
    shape
}

impl SortPlan {
    /// The rest of the plan, now that there are `runs` runs with blocks for readers of `reader`.
    pub(crate) fn with_runs(self, runs: u64, threads: usize, reader: ReaderShape) -> Result<Self> {
        let workspace = usize::try_from(self.merge_bytes).unwrap_or(usize::MAX);
        let shape = shape_of(workspace, threads, runs, reader);
        let least = worker_bytes(2, 1, reader, OUT_BLOCK_BYTES_MIN);
        if runs > 1 && least > workspace {
            return Err(Error::too_large(format!(
                "merging runs with blocks of {} needs a workspace of {} at least, and {} are left; \
                 raise the memory limit",
                ByteSize::new(reader.block_bytes as u64),
                ByteSize::new(least as u64),
                ByteSize::new(workspace as u64)
            )));
        }
        Ok(Self {
            runs: Some(runs),
            fan_in: shape.fan_in,
            passes: Some(passes(runs, shape.fan_in)),
            merge_workers: shape.workers,
            out_block_bytes: shape.out_block_bytes,
            ..self
        })
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
fn fan_in(share: usize, reader: ReaderShape, out_block_bytes: usize) -> usize {
    let fixed = worker_bytes(0, 0, reader, out_block_bytes);
    let one = worker_bytes(1, 0, reader, out_block_bytes) - fixed;
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

#[cfg(test)]
mod tests;
