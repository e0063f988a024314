//! What a join will do, in numbers, before it does it.
//!
//! ```text
//!   Memory:      workspace = scans + output + workers x (segment + frame) + table
//!   Partitions:  1  scans + output + workers x (segment + frame + lane) + P writers + filter
//!                2  output + workers x (frame + two readers + table + a small split)
//!   Merge:       workspace = scans + output + 2 x (segment + rows) + frame + lane, writer, reader
//!                            + rows of one key
//! ```
//!
//! Promises: a pure function; below the least it names the least.
//! Never: more partitions than writers fit.

use super::JoinSide;
use super::table::{TableShape, entry_bytes};
use crate::error::{Error, Result};
use crate::spill::{BlockPlace, BlockReader, Codec, RunWriter, WriteLane};
use crate::units::ByteSize;

/// Blocks a lane has beside those of its writers.
pub(super) const SPARES: usize = 2;
/// Partitions that a partition which does not fit is split into.
pub(super) const SPLIT_PARTS: usize = 8;
/// Blocks of such a split: no larger, because its memory is kept for it.
const SPLIT_BLOCK_BYTES_MAX: usize = 64 << 10;
const BLOCK_BYTES_MIN: usize = 16 << 10;
const BLOCK_BYTES_MAX: usize = 256 << 10;
const PARTS_MIN: usize = 2;
const PARTS_MAX: usize = 1 << 10;
/// With fewer smaller blocks are tried.
const PARTS_FEW: usize = 8;
/// A partition's own places and lock.
const PART_BYTES: usize = 1 << 10;
/// Partitions where the size of a side is not known.
const PARTS_UNKNOWN: usize = 32;
/// Smallest table that is worth a partition.
const TABLE_BYTES_MIN: usize = 32 << 10;
const FRAME_BYTES_MIN: usize = 16 << 10;
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Key, piece and decoded field of a usual row.
const WORKER_BYTES: usize = 32 << 10;
/// A key of one number.
const KEY_BYTES: usize = 8;
/// Bytes of the filter a key: two in a hundred strangers pass.
const FILTER_BYTES_A_KEY: usize = 2;

/// Where the build side's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinMode {
    /// In memory, all of them.
    Memory,
    /// On disk with those of the other side that may match, in partitions by key.
    Partitions,
    /// Only those of one key, for both sides are sorted; beyond memory they go to disk.
    Merge,
}

/// What is known before a join.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinInput {
    pub(super) workspace_bytes: u64,
    /// What the scans of both sides hold.
    pub(super) scan_bytes: u64,
    pub(super) output_bytes: u64,
    pub(super) workers: usize,
    pub(super) segment_bytes: usize,
    pub(super) build: JoinSide,
    /// Of the build side, where they are known.
    pub(super) build_bytes: Option<u64>,
    pub(super) build_row_bytes: u64,
    /// Of both sides, where they are known.
    pub(super) spill_bytes: Option<u64>,
    /// The build side can be opened again when it turns out larger.
    pub(super) reopens: bool,
    /// Build rows without a match go to the output.
    pub(super) tracked: bool,
    pub(super) codec: Codec,
}

/// What a join will do. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinPlan {
    /// What the tool may hold.
    pub workspace_bytes: u64,
    /// The side that is looked up.
    pub build: JoinSide,
    /// Where its rows are.
    pub mode: JoinMode,
    /// Threads.
    pub workers: usize,
    /// Memory of each for a segment of an input.
    pub segment_bytes: usize,
    /// Memory of each for rows of the output.
    pub frame_bytes: usize,
    /// Memory of the table, or of each thread's table of a partition, or of the rows of one key.
    pub table_bytes: usize,
    /// Partitions, if there are to be any.
    pub partitions: usize,
    /// Blocks of their files.
    pub block_bytes: usize,
    /// Memory of the filter that spares probe rows the way over disk.
    pub filter_bytes: usize,
    pub(super) memory: TableShape,
    pub(super) pair: TableShape,
}

/// Makes the plan.
pub(super) fn plan(input: JoinInput) -> Result<JoinPlan> {
    let workspace = usize_of(input.workspace_bytes);
    let fixed = usize_of(input.scan_bytes + input.output_bytes);
    let frame_bytes = (workspace / 64).clamp(FRAME_BYTES_MIN, FRAME_BYTES_MAX);
    let worker = input.segment_bytes + frame_bytes + WORKER_BYTES;
    let rows = input.build_bytes.map(|b| usize_of(b / input.build_row_bytes.max(1)) + 1);
    let mut least = 0;
    for workers in (1..=input.workers.max(1)).rev() {
        let shape = Shape { input, workspace, workers, frame_bytes, rows };
        least = fixed + workers * worker + shape.least_bytes();
        let Some(room) = workspace.checked_sub(fixed + workers * worker) else { continue };
        let Some(table) = shape.partitioned(room) else { continue };
        let memory = if input.reopens { memory_shape(input, room, rows) } else { None };
        return Ok(match memory {
            Some(memory) => {
                JoinPlan { mode: JoinMode::Memory, memory, table_bytes: memory.bytes(), ..table }
            }
            None => table,
        });
    }
    Err(too_little(least, input.workspace_bytes))
}

/// Makes the plan for sorted inputs, whose records have up to `record_bytes_max` bytes.
pub(super) fn merge_plan(input: JoinInput, record_bytes_max: usize) -> Result<JoinPlan> {
    let workspace = usize_of(input.workspace_bytes);
    let frame_bytes = (workspace / 64).clamp(FRAME_BYTES_MIN, FRAME_BYTES_MAX);
    let block = (workspace / 128).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
    let block_bytes = if block.is_power_of_two() { block } else { block.next_power_of_two() / 2 };
    let plain_bytes = if input.codec == Codec::None { 0 } else { block_bytes };
    // A cursor has its row's key and piece beside those that are made next, and a decoded field.
    let cursors = 2 * (input.segment_bytes + WORKER_BYTES + 5 * record_bytes_max);
    let spill = stage_bytes(1, 1, block_bytes, input.codec)
        + 2 * BlockReader::alone_bytes((block_bytes, plain_bytes), input.codec);
    let fixed = usize_of(input.scan_bytes + input.output_bytes) + cursors + frame_bytes + spill;
    let least = fixed + TABLE_BYTES_MIN;
    // An eighth is for the places of spilled blocks.
    let room = workspace.saturating_sub(fixed) / 8 * 7;
    if room < TABLE_BYTES_MIN / 8 * 7 {
        return Err(too_little(least, input.workspace_bytes));
    }
    let none = TableShape::within(0, 0, false);
    Ok(JoinPlan {
        workspace_bytes: input.workspace_bytes,
        build: input.build,
        mode: JoinMode::Merge,
        workers: 1,
        segment_bytes: input.segment_bytes,
        frame_bytes,
        table_bytes: room,
        partitions: 0,
        block_bytes,
        filter_bytes: 0,
        memory: none,
        pair: none,
    })
}

fn too_little(least: usize, workspace_bytes: u64) -> Error {
    Error::invalid(format!(
        "joining needs a workspace of {} at least, and it is {}; raise the memory limit or \
         lower the longest record",
        ByteSize::new(least as u64),
        ByteSize::new(workspace_bytes)
    ))
}

/// The table of all rows, where they may fit into `room`.
fn memory_shape(input: JoinInput, room: usize, rows: Option<usize>) -> Option<TableShape> {
    let shape = TableShape::within(room, rows.unwrap_or(room / 64), input.tracked);
    let Some(rows) = rows else { return Some(shape) };
    let arena = rows.saturating_mul(entry_bytes(KEY_BYTES, usize_of(input.build_row_bytes)));
    (arena <= shape.arena_bytes && rows <= shape.keys_max()).then_some(shape)
}

/// What the partitions' sizes follow from.
#[derive(Clone, Copy)]
struct Shape {
    input: JoinInput,
    workspace: usize,
    workers: usize,
    frame_bytes: usize,
    rows: Option<usize>,
}

impl Shape {
    /// The plan with partitions where `room` is left beside scans, output and workers: the largest
    /// blocks with which every pair fits a table, else those with which most splits are spared.
    fn partitioned(self, room: usize) -> Option<JoinPlan> {
        let filter_bytes = self.filter_bytes(room);
        let left = room - filter_bytes;
        let mut blocks = BLOCK_BYTES_MAX;
        let mut best: Option<JoinPlan> = None;
        while blocks >= BLOCK_BYTES_MIN {
            if let Some((pair, wished)) = self.pair(blocks) {
                let most = self.parts_max(left, blocks);
                let partitions = wished.min(most);
                let few = best.is_none_or(|best| best.partitions < PARTS_FEW);
                if partitions >= PARTS_MIN
                    && (few && best.is_none_or(|best| best.partitions < partitions))
                {
                    best = Some(self.with(filter_bytes, blocks, partitions, pair));
                }
                if wished <= most {
                    return Some(self.with(filter_bytes, blocks, wished, pair));
                }
            }
            blocks /= 2;
        }
        best
    }

    fn with(self, filter: usize, block: usize, partitions: usize, pair: TableShape) -> JoinPlan {
        JoinPlan {
            workspace_bytes: self.input.workspace_bytes,
            build: self.input.build,
            mode: JoinMode::Partitions,
            workers: self.workers,
            segment_bytes: self.input.segment_bytes,
            frame_bytes: self.frame_bytes,
            table_bytes: pair.bytes(),
            partitions,
            block_bytes: block,
            filter_bytes: filter,
            memory: pair,
            pair,
        }
    }

    /// A filter with too few bits lets everything pass and only costs time.
    fn filter_bytes(self, room: usize) -> usize {
        let wished = self.rows.map(|rows| rows.saturating_mul(FILTER_BYTES_A_KEY));
        let most = wished.unwrap_or(room / 8).min(room / 4);
        if self.rows.is_some_and(|rows| most * 2 < rows) { 0 } else { most / 8 * 8 }
    }

    /// Each worker's table, and the partitions with which all pairs fit it.
    fn pair(self, block: usize) -> Option<(TableShape, usize)> {
        let codec = self.input.codec;
        let free = self.workspace - self.workspace / 32;
        let free = free.checked_sub(usize_of(self.input.output_bytes) + self.index_bytes(block))?;
        let one = self.frame_bytes + pair_bytes(block, codec) + self.index_bytes(block) / 4;
        let table = (free / self.workers).checked_sub(one)?;
        if table < TABLE_BYTES_MIN {
            return None;
        }
        let pair = TableShape::within(table, table / 32, self.input.tracked);
        let wished = self.rows.map_or(PARTS_UNKNOWN, |rows| {
            let arena =
                rows.saturating_mul(entry_bytes(KEY_BYTES, usize_of(self.input.build_row_bytes)));
            let tables = (arena / pair.arena_bytes).max(rows / pair.keys_max());
            // A quarter more, for partitions are not equally large.
            tables.saturating_mul(5).div_ceil(4) + 1
        });
        let wished = wished.next_multiple_of(self.workers).clamp(PARTS_MIN, PARTS_MAX);
        Some((pair, wished))
    }

    /// Partitions that `left` has room for while a side is brought to disk.
    fn parts_max(self, left: usize, block: usize) -> usize {
        let lanes = stage_bytes(self.workers, 0, block, self.input.codec);
        let used = lanes + self.index_bytes(block) + left / 32;
        left.saturating_sub(used) / stage_bytes(0, 1, block, self.input.codec)
    }

    /// Places of all blocks of both sides, should nothing be spared. Their vectors double.
    fn index_bytes(self, block: usize) -> usize {
        let spilled = self.input.spill_bytes.map_or(self.workspace / 2, usize_of);
        (spilled / 8).saturating_mul(9) / block * 2 * size_of::<BlockPlace>()
    }

    fn least_bytes(self) -> usize {
        let stage = |block: usize| {
            let stage = stage_bytes(self.workers, PARTS_MIN, block, self.input.codec);
            (stage + self.index_bytes(block)) / 31 * 32
        };
        let blocks = [16, 32, 64, 128, 256].map(|kib| stage(kib << 10));
        blocks.into_iter().min().unwrap_or_default()
    }
}

/// Lanes and writers of the partitions of one side.
fn stage_bytes(workers: usize, parts: usize, block_bytes: usize, codec: Codec) -> usize {
    workers * WriteLane::cost_bytes(block_bytes, SPARES, codec)
        + parts * (RunWriter::cost_bytes(block_bytes) + PART_BYTES)
}

/// What joining a pair of partitions holds beside its table and frame: two readers, and the
/// memory of a split.
fn pair_bytes(block_bytes: usize, codec: Codec) -> usize {
    let plain_bytes = if codec == Codec::None { 0 } else { block_bytes };
    2 * BlockReader::alone_bytes((block_bytes, plain_bytes), codec)
        + stage_bytes(1, SPLIT_PARTS, split_block_bytes(block_bytes), codec)
        + WORKER_BYTES
}

/// Blocks of a split of a partition with blocks of `block_bytes`.
pub(super) fn split_block_bytes(block_bytes: usize) -> usize {
    block_bytes.min(SPLIT_BLOCK_BYTES_MAX)
}

fn usize_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn input(workspace_bytes: u64, build_bytes: Option<u64>) -> JoinInput {
        JoinInput {
            workspace_bytes,
            scan_bytes: 2 * MIB,
            output_bytes: MIB,
            workers: 2,
            segment_bytes: 512 << 10,
            build: JoinSide::Right,
            build_bytes,
            build_row_bytes: 40,
            spill_bytes: build_bytes.map(|b| 2 * b),
            reopens: true,
            tracked: false,
            codec: Codec::None,
        }
    }

    #[test]
    fn a_side_that_fits_stays_in_memory_and_another_one_is_partitioned() {
        for (workspace, build, mode) in [
            (64, Some(1), JoinMode::Memory),
            (64, None, JoinMode::Memory),
            (64, Some(60), JoinMode::Partitions),
            (6, Some(60), JoinMode::Partitions),
        ] {
            let plan = plan(input(workspace * MIB, build.map(|b| b * MIB))).unwrap();
            assert_eq!(plan.mode, mode, "{workspace} {build:?}");
        }
    }

    #[test]
    fn both_stages_fit_the_workspace_whatever_it_is() {
        for workspace in (5..200).step_by(3) {
            for build in [None, Some(1), Some(10), Some(100)] {
                let input = input(workspace * MIB, build.map(|b| b * MIB));
                let plan = plan(input).unwrap();
                let fixed = usize_of(input.scan_bytes + input.output_bytes);
                let each = plan.segment_bytes + plan.frame_bytes + WORKER_BYTES;
                let stage =
                    stage_bytes(plan.workers, plan.partitions, plan.block_bytes, input.codec);
                let first = fixed + plan.workers * each + stage + plan.filter_bytes;
                let pair = plan.pair.bytes() + pair_bytes(plan.block_bytes, input.codec);
                let second =
                    usize_of(input.output_bytes) + plan.workers * (plan.frame_bytes + pair);
                let most = usize_of(workspace * MIB);
                assert!(first <= most && second <= most, "{workspace} {build:?} {plan:?}");
            }
        }
    }

    #[test]
    fn the_least_workspace_is_named_when_it_is_not_there() {
        let refused = plan(input(3 * MIB, Some(MIB))).unwrap_err().to_string();
        let (asked, least) = refused.split_once(" at least").unwrap();
        assert!(asked.starts_with("joining needs a workspace of ") && least.contains("3 MiB"));
    }
}
