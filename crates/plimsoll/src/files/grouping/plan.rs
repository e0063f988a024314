//! What a grouping will hold, in numbers, before it holds it.
//!
//! ```text
//!   share of a thread = segment + batch + table + partitions x buffer        reading
//!                       + spares and readers, buffers of the same size
//!                       + 2 frames + its part of the output's blocks         writing
//!
//!   by values           segment + batch + 2 tables, a quarter + the sort     reading
//!                       2 frames + a table + the merge                       writing
//! ```
//!
//! Promises: a pure function; the parts of a plan stay within the workspace.
//! Never: a plan that needs more; below the least it names the least.

use super::batch::batch_bytes;
use crate::error::{Error, Result};
use crate::group::{self, GROUP_OVERHEAD_BYTES, Load, PARTITION_BUFFER_BYTES_MIN};
use crate::sort::{self, ChunkStrategy, LANE_SPARES, SortInput, SortPlan};
use crate::spill::{Codec, ReadAhead, WriteLane};
use crate::storage::{AlignedBytes, SECTOR_BYTES};
use crate::units::ByteSize;

/// Buffers of a lane beside those being filled: partitions fill at much the same time.
pub(super) const SPARES: usize = 4;
/// Buffers a worker reads partitions with: one in use, the others on their way.
pub(super) const AHEAD: usize = 6;
/// Whole records that a worker splits at a time; beyond it they leave a core's second cache.
const SEGMENT_BYTES_MAX: usize = 512 << 10;
/// What a worker encodes before it hands over.
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Frames of a worker: one being filled, one on its way.
pub(super) const FRAMES: usize = 2;
/// Blocks of the output.
const OUT_BLOCK_BYTES_MAX: usize = 512 << 10;
/// A part of the workspace that the places of blocks on disk may take.
const INDEX_SHARE: usize = 32;
/// Share of a thread below which fewer threads do more.
const SHARE_BYTES_MIN: usize = 640 << 10;
/// Below it one thread has no room either, whatever its record; what it needs beside its tables is
/// looked at when that is known.
const WORKSPACE_BYTES_MIN: usize = 400 << 10;
/// A table of some use, and the buffers of the fewest partitions.
const REST_BYTES_MIN: usize = 320 << 10;
/// Of a thread's share, the part of tables that bring equal values together before the sort.
const TABLES_SHARE: usize = 4;
/// Threads beyond this only wait for each other.
const WORKERS_MAX: usize = 64;

/// What is known before a grouping.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupInput {
    /// Bytes of the input, where that is known.
    pub(super) bytes: Option<u64>,
    /// Bytes of a usual record.
    pub(super) row_bytes: u64,
    /// Bytes of a group's state, and of its sketches.
    pub(super) state_bytes: usize,
    pub(super) sketch_bytes: usize,
    /// Columns of a batch's cells.
    pub(super) reads: usize,
    /// Columns of which every value is needed.
    pub(super) value_columns: usize,
    pub(super) workspace_bytes: u64,
    pub(super) threads: usize,
    /// Of spilled blocks.
    pub(super) codec: Codec,
}

/// What a grouping will do. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// Bytes it may hold.
    pub workspace_bytes: u64,
    /// Threads that group.
    pub threads: usize,
    /// Whole records a thread takes at a time.
    pub segment_bytes: usize,
    /// Table of each thread, or both of its tables.
    pub table_bytes: usize,
    /// Partitions of a table that is full, by hash; a power of two, or 0 where `sort` is.
    pub partitions: usize,
    /// Block of a partition of a thread, or of a run.
    pub block_bytes: usize,
    /// Sketches of a group.
    pub sketch_bytes: usize,
    /// How values are sorted, where a measure needs every value of a group.
    pub sort: Option<SortPlan>,
    /// How often a row is written at most, if no two rows share a group: 0 where all stays in
    /// memory, `None` for an input of unknown length.
    pub levels: Option<u32>,
    /// What lies in temporary files at most, if no two rows share a group.
    pub temp_bytes: Option<u64>,
    pub(super) spill: Option<group::Plan>,
    pub(super) buffer_bytes: usize,
    pub(super) frame_bytes: usize,
    pub(super) out_block_bytes: usize,
}

/// Makes the plan, with fewer threads where their parts of the workspace would be too small.
pub(super) fn plan(input: GroupInput) -> Result<GroupPlan> {
    match plan_for(input) {
        Err(_) if input.threads > 1 => plan(GroupInput { threads: input.threads / 2, ..input }),
        planned => planned,
    }
}

fn plan_for(input: GroupInput) -> Result<GroupPlan> {
    let workspace = usize::try_from(input.workspace_bytes).unwrap_or(usize::MAX);
    if workspace < WORKSPACE_BYTES_MIN {
        return Err(too_little(workspace, WORKSPACE_BYTES_MIN));
    }
    let threads = input.threads.clamp(1, WORKERS_MAX).min(workspace / SHARE_BYTES_MIN).max(1);
    let share = (workspace - workspace / INDEX_SHARE) / threads;
    let segment_bytes = (share / 8).clamp(32 << 10, SEGMENT_BYTES_MAX);
    let frame_bytes = (share / 64).clamp(8 << 10, FRAME_BYTES_MAX);
    let out_block_bytes = whole_sectors((workspace / 64).min(OUT_BLOCK_BYTES_MAX));
    let out = (LANE_SPARES + 1) * AlignedBytes::cost_bytes(out_block_bytes) / threads;
    let held = segment_bytes + batch_bytes(input.reads) + FRAMES * frame_bytes + out;
    let Some(rest) = share.checked_sub(held).filter(|rest| *rest >= REST_BYTES_MIN) else {
        return Err(too_little(workspace, held + REST_BYTES_MIN));
    };
    let shares = Shares { threads, rest, segment_bytes, frame_bytes, out_block_bytes };
    if input.value_columns > 0 { by_values(input, shares) } else { by_partitions(input, shares) }
}

/// What both ways have of a workspace.
struct Shares {
    threads: usize,
    /// Of a thread, without what follows.
    rest: usize,
    segment_bytes: usize,
    frame_bytes: usize,
    out_block_bytes: usize,
}

fn by_partitions(input: GroupInput, shares: Shares) -> Result<GroupPlan> {
    let Shares { threads, rest, segment_bytes, frame_bytes, out_block_bytes } = shares;
    let group_bytes =
        input.row_bytes + (input.state_bytes + input.sketch_bytes + GROUP_OVERHEAD_BYTES) as u64;
    let groups_bytes = input.bytes.map(|b| (b / input.row_bytes.max(1) + 1) * group_bytes);
    let fits = groups_bytes.is_some_and(|bytes| bytes <= (rest / 2) as u64);
    let load = Load {
        workspace_bytes: rest * threads,
        // The rows may be shorter than those at the beginning: there are always partitions.
        groups_bytes: groups_bytes.map(|bytes| bytes.max(rest as u64)),
        threads,
    };
    let spill = group::Plan::new(load)?;
    let buffer_bytes = spill.buffer_bytes.min((rest / 32).max(PARTITION_BUFFER_BYTES_MIN));
    let block_bytes = whole_sectors(buffer_bytes - SECTOR_BYTES);
    let held =
        (spill.partitions + SPARES + AHEAD) * buffer_bytes + codec_bytes(input.codec, block_bytes);
    let Some(table_bytes) = rest.checked_sub(held).filter(|bytes| *bytes >= rest / 8) else {
        let workspace = usize::try_from(input.workspace_bytes).unwrap_or(usize::MAX);
        return Err(too_little(workspace, workspace + held * threads));
    };
    Ok(GroupPlan {
        workspace_bytes: input.workspace_bytes,
        threads,
        segment_bytes,
        table_bytes,
        partitions: spill.partitions,
        block_bytes,
        levels: input.bytes.map(|_| if fits { 0 } else { spill.levels }),
        temp_bytes: if fits { Some(0) } else { spill.temp_bytes },
        sketch_bytes: input.sketch_bytes,
        sort: None,
        spill: Some(spill),
        buffer_bytes,
        frame_bytes,
        out_block_bytes,
    })
}

/// What compressing and decompressing hold beside the blocks' own buffers.
fn codec_bytes(codec: Codec, block_bytes: usize) -> usize {
    let plain_bytes = if codec == Codec::None { 0 } else { block_bytes };
    let lane = WriteLane::cost_bytes(block_bytes, SPARES, codec)
        - WriteLane::cost_bytes(block_bytes, SPARES, Codec::None);
    let ahead = ReadAhead::cost_bytes(AHEAD, (block_bytes, plain_bytes), codec)
        - ReadAhead::cost_bytes(AHEAD, (block_bytes, 0), Codec::None);
    lane + ahead
}

fn by_values(input: GroupInput, shares: Shares) -> Result<GroupPlan> {
    let Shares { threads, rest, segment_bytes, frame_bytes, out_block_bytes } = shares;
    let table_bytes = rest / TABLES_SHARE;
    // A record for the states and one for each value, none of them larger than the row.
    let records = 1 + input.value_columns as u64;
    let sort = sort::plan(SortInput {
        bytes: input.bytes.map(|bytes| bytes.saturating_mul(records)),
        row_bytes: input.row_bytes,
        workspace_bytes: ((rest - table_bytes) * threads) as u64,
        scan_bytes: 0,
        generator_bytes: 0,
        threads,
        strategy: ChunkStrategy::Adaptive,
        codec: input.codec,
    })?;
    // Each thread has one arena of all that would be pieces of a file that fits.
    let arena_bytes = sort.arena_bytes * (sort.arenas / sort.generators).max(1);
    let sort = SortPlan { arena_bytes, ..sort };
    Ok(GroupPlan {
        workspace_bytes: input.workspace_bytes,
        threads: sort.generators,
        segment_bytes,
        table_bytes,
        partitions: 0,
        block_bytes: sort.block_bytes,
        levels: sort.passes,
        temp_bytes: sort.temp_bytes,
        sketch_bytes: input.sketch_bytes,
        sort: Some(sort),
        spill: None,
        buffer_bytes: 0,
        frame_bytes,
        out_block_bytes,
    })
}

impl GroupPlan {
    /// How values are sorted.
    pub(super) fn sort(&self) -> &SortPlan {
        self.sort.as_ref().expect("a grouping by values has it")
    }
}

fn too_little(workspace: usize, least: usize) -> Error {
    Error::invalid(format!(
        "grouping needs a workspace of {} at least, and {} are left; raise the memory limit",
        ByteSize::new(least as u64),
        ByteSize::new(workspace as u64)
    ))
}

/// What is not more than `bytes`, but one sector at least.
fn whole_sectors(bytes: usize) -> usize {
    (bytes / SECTOR_BYTES * SECTOR_BYTES).max(SECTOR_BYTES)
}
