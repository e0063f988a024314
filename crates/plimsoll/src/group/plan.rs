//! Into how many partitions groups are spilled, and what that takes.
//!
//! ```text
//!   hash   63      56 55      48 47      40 39      32 31                              0
//!          [level 0 ] [level 1 ] [level 2 ] [level 3 ] [index of the table of groups   ]
//!
//!   rows ─> a table per thread ─full─> partitions of level 0 ─> a table of one partition
//!                                                    └─ too large ─> partitions of level 1 ..
//! ```
//!
//! Partitions by hash, so that all states of one key meet again in one that fits: hybrid hashing,
//! DeWitt, Katz, Olken, Shapiro, Stonebraker and Wood, "Implementation techniques for main memory
//! database systems", SIGMOD 1984; levels and fan-out as in Graefe, "Query evaluation techniques
//! for large databases", ACM Computing Surveys 25(2), 1993, section 4.
//!
//! Promises: pure: the same numbers give the same plan; the parts of a plan stay within the
//! workspace.
//! Never: a bit of the hash that the table of groups uses.

use crate::error::{Error, Result};

/// Bits of the hash one level takes at most: 256 partitions.
pub const PARTITION_BITS_MAX: u32 = 8;
/// Levels there are bits for in the high half of the hash.
pub const LEVELS_MAX: u32 = 4;
/// Least buffer of a partition: below it a write costs more than its bytes.
pub const PARTITION_BUFFER_BYTES_MIN: usize = 16 << 10;
/// Largest buffer of a partition: beyond it a write costs no less per byte.
pub const PARTITION_BUFFER_BYTES_MAX: usize = 256 << 10;

const _: () = assert!(PARTITION_BITS_MAX * LEVELS_MAX <= 32);

/// What is known before the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// For everything a plan holds at one time, all threads together.
    pub workspace_bytes: usize,
    /// What the groups would take if every row were one: rows times key, state and
    /// [`super::GROUP_OVERHEAD_BYTES`]. `None` for a pipe.
    pub groups_bytes: Option<u64>,
    /// Threads that group at one time, 1 or more.
    pub threads: usize,
}

/// How a grouping spends its workspace.
///
/// ```
/// use plimsoll::group::{Load, Plan};
/// let load = |gib: u64| Load {
///     workspace_bytes: 256 << 20,
///     groups_bytes: Some(gib << 30),
///     threads: 2,
/// };
/// let plan = Plan::new(load(10))?;
/// assert_eq!((plan.partitions, plan.levels), (256, 1));
/// assert_eq!(plan.buffer_bytes, 128 << 10);
/// assert_eq!(plan.table_bytes, 96 << 20);
/// assert_eq!(plan.temp_bytes, Some(10 << 30));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Partitions of one level, a power of two; 1 where all groups stay in memory.
    pub partitions: usize,
    /// Buffer of each partition of each thread.
    pub buffer_bytes: usize,
    /// Workspace of each thread's table while rows are read.
    pub table_bytes: usize,
    /// How often a row is written at most, if keys spread evenly; 0 where all stays in memory.
    pub levels: u32,
    /// What lies in temporary files at one time at most, if no two rows share a group.
    pub temp_bytes: Option<u64>,
}

impl Plan {
    /// The plan for `load`.
    ///
    /// - All groups stay in memory where each thread's table holds them all: they take at most
    ///   the half of its share, for an index that doubles holds two of them for a while.
    /// - Else a quarter of the workspace goes into buffers, and three quarters into tables. There
    ///   are as many partitions as make each of them fit into half of a thread's share, but no
    ///   more than have buffers of [`PARTITION_BUFFER_BYTES_MIN`].
    /// - What then still is too large is partitioned again, by the next bits of the hash.
    /// - Of a pipe nothing is known: as many partitions as have buffers, and one level.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for no thread, or for a workspace in which a thread has not
    /// two buffers and a table of the same size.
    pub fn new(load: Load) -> Result<Self> {
        let share_bytes = load.workspace_bytes.checked_div(load.threads).unwrap_or(0);
        let partitions_max = share_bytes / 4 / PARTITION_BUFFER_BYTES_MIN;
        if partitions_max < 2 {
            return Err(Error::invalid(format!(
                "a plan for grouping with {} threads in {} bytes: each thread takes at least {}; \
                 give it more, or take fewer threads",
                load.threads,
                load.workspace_bytes,
                8 * PARTITION_BUFFER_BYTES_MIN
            )));
        }
        let bits_max = partitions_max.ilog2().min(PARTITION_BITS_MAX);
        let fitting_bytes = (share_bytes / 2) as u64;
        let Some(groups_bytes) = load.groups_bytes else {
            return Ok(Self::spilling(share_bytes, bits_max, 1, None));
        };
        if groups_bytes <= fitting_bytes {
            return Ok(Self {
                partitions: 1,
                buffer_bytes: 0,
                table_bytes: share_bytes,
                levels: 0,
                temp_bytes: Some(0),
            });
        }
        // The bits that leave no more than fits, at least one.
        let bits = u64::BITS - (groups_bytes.div_ceil(fitting_bytes) - 1).leading_zeros();
        let levels = bits.div_ceil(bits_max).min(LEVELS_MAX);
        let bits = bits.div_ceil(levels).min(bits_max);
        // A partition that is partitioned again lies there twice until it is done, one a thread.
        let twice =
            if levels > 1 { (groups_bytes >> bits).saturating_mul(load.threads as u64) } else { 0 };
        let temp_bytes = groups_bytes.saturating_add(twice.min(groups_bytes));
        Ok(Self::spilling(share_bytes, bits, levels, Some(temp_bytes)))
    }

    fn spilling(share_bytes: usize, bits: u32, levels: u32, temp_bytes: Option<u64>) -> Self {
        let partitions = 1 << bits;
        let buffer_bytes = (share_bytes / 4 / partitions)
            .clamp(PARTITION_BUFFER_BYTES_MIN, PARTITION_BUFFER_BYTES_MAX);
        let table_bytes = share_bytes - partitions * buffer_bytes;
        Self { partitions, buffer_bytes, table_bytes, levels, temp_bytes }
    }

    /// Levels the high half of a hash has bits for: [`LEVELS_MAX`], and more where one level takes
    /// fewer bits.
    #[must_use]
    pub fn levels_max(&self) -> u32 {
        (PARTITION_BITS_MAX * LEVELS_MAX) / self.partitions.ilog2().max(1)
    }

    /// The partition of a hash on `level`, the first of which is 0; below
    /// [`Plan::partitions`].
    ///
    /// # Panics
    /// In debug builds, when `level` is [`Plan::levels_max`] or more.
    #[must_use]
    #[inline]
    pub fn partition(&self, hash: u64, level: u32) -> usize {
        debug_assert!(level < self.levels_max(), "a level that has no bits");
        let bits = self.partitions.ilog2();
        let rest = hash << (bits * level).min(u64::BITS - 1);
        // At most eight bits are left.
        #[allow(clippy::cast_possible_truncation)]
        let partition = (rest >> (u64::BITS - PARTITION_BITS_MAX)) as usize;
        partition >> (PARTITION_BITS_MAX - bits)
    }
}

#[cfg(test)]
mod tests;
