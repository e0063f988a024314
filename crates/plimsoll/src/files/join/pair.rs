//! Two partitions of the same keys, joined by one worker.
//!
//! ```text
//!   one side fits a table ───────────────> it is loaded, the other one streams past
//!   neither does ── split by another hash ─> 8 pairs, each of them a pair again
//!                └─ one key, or split often ─> blocks of the left side, the right one streams
//!                                              past each of them
//! ```
//! Shapiro, "Join processing in database systems with large main memories" (1986); the smaller
//! side is chosen anew for every pair, as in Graefe, "Query evaluation techniques for large
//! databases" (1993).
//!
//! Promises: memory is the table, a frame and two blocks, whatever the keys are.
//! Never: a left row written twice as one without a match: only the side in blocks is asked that.

use std::sync::Arc;

use super::emit::Emitter;
use super::partition::{Part, Partitions, parts};
use super::plan::{SPARES, SPLIT_PARTS};
use super::table::{Table, TableShape};
use super::{JoinKind, JoinSide};
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::files::watch::Watch;
use crate::spill::{Codec, SpillFile, WriteLane};
use crate::units::ByteSize;

/// Splits of a split: 8 to the 6th is a quarter of a million parts of a partition.
const LEVELS_MAX: u32 = 6;
/// Rows between two looks at the wish to stop.
const CHECK_ROWS: u64 = 4096;

/// Joins pairs, one after another.
pub(super) struct PairJoiner<'a> {
    pub(super) kind: JoinKind,
    pub(super) shape: TableShape,
    pub(super) table: Table,
    pub(super) emitter: Emitter<'a>,
    pub(super) file: Arc<SpillFile>,
    pub(super) codec: Codec,
    /// Of a split.
    pub(super) split_block_bytes: usize,
    pub(super) consumer: &'a Consumer,
    pub(super) watch: &'a Watch,
    /// Deepest split so far.
    pub(super) levels: u32,
}

impl PairJoiner<'_> {
    /// Joins a pair whose keys were split `level` times.
    pub(super) fn join(&mut self, left: Part, right: Part, level: u32) -> Result<()> {
        self.watch.check()?;
        if left.rows() == 0 || (right.rows() == 0 && self.kind == JoinKind::Inner) {
            return Ok(());
        }
        let fits = |part: &Part| {
            part.table_bytes <= self.shape.arena_bytes as u64
                && part.rows() <= self.shape.keys_max() as u64
        };
        let smaller = if left.table_bytes < right.table_bytes { &left } else { &right };
        if fits(smaller) {
            let side = if std::ptr::eq(smaller, &left) { JoinSide::Left } else { JoinSide::Right };
            return self.blocks(side, &left, &right);
        }
        if level > LEVELS_MAX {
            return self.blocks(JoinSide::Left, &left, &right);
        }
        let rows = (left.rows(), right.rows());
        let lefts = self.split(left, level)?;
        let rights = self.split(right, level)?;
        for (left, right) in lefts.into_iter().zip(rights) {
            // What did not get smaller is one key, and no hash splits that.
            let level = if (left.rows(), right.rows()) == rows { LEVELS_MAX } else { level };
            self.join(left, right, level + 1)?;
        }
        Ok(())
    }

    /// Another partitioning of a partition, whose place on disk is given back.
    fn split(&mut self, part: Part, level: u32) -> Result<Vec<Part>> {
        self.levels = self.levels.max(level);
        let mut lane = WriteLane::start(self.consumer, self.split_block_bytes, SPARES, self.codec)?;
        let partitions =
            Partitions::new(level, SPLIT_PARTS, &self.file, self.consumer, self.split_block_bytes)?;
        let mut reader = part.reader(self.consumer)?;
        let mut rows = 0_u64;
        while let Some(record) = reader.next()? {
            let (key, piece) = parts(record)?;
            partitions.push(&mut lane, partitions.hash(key), key, piece)?;
            self.look(&mut rows)?;
        }
        partitions.finish(&mut lane)
    }

    /// Holds one side in as many blocks as it takes, and has the other one stream past each.
    fn blocks(&mut self, side: JoinSide, left: &Part, right: &Part) -> Result<()> {
        let (held, streamed) = match side {
            JoinSide::Left => (left, right),
            JoinSide::Right => (right, left),
        };
        let mut reader = held.reader(self.consumer)?;
        // A row that found no room in the block before.
        let mut waiting: Option<Vec<u8>> = None;
        loop {
            self.table.clear();
            if let Some(record) = waiting.take() {
                let (key, piece) = parts(&record)?;
                if !self.table.insert(key, piece) {
                    return Err(self.too_large(record.len()));
                }
            }
            while let Some(record) = reader.next()? {
                let (key, piece) = parts(record)?;
                if !self.table.insert(key, piece) {
                    waiting = Some(record.to_vec());
                    break;
                }
            }
            if !self.table.is_empty() || side == JoinSide::Right {
                self.stream(side, streamed)?;
            }
            if waiting.is_none() {
                return Ok(());
            }
        }
    }

    fn stream(&mut self, side: JoinSide, streamed: &Part) -> Result<()> {
        let keep = self.kind == JoinKind::Left;
        let mut reader = streamed.reader(self.consumer)?;
        let mut rows = 0;
        while let Some(record) = reader.next()? {
            let (key, piece) = parts(record)?;
            self.look(&mut rows)?;
            let Some(head) = self.table.find(key) else {
                if keep && side == JoinSide::Right {
                    self.emitter.alone(piece)?;
                }
                continue;
            };
            for other in self.table.pieces(head) {
                match side {
                    JoinSide::Left => self.emitter.row(other, piece)?,
                    JoinSide::Right => self.emitter.row(piece, other)?,
                }
            }
            if keep && side == JoinSide::Left {
                self.table.mark(head);
            }
        }
        if keep && side == JoinSide::Left {
            for head in self.table.unmarked() {
                for left in self.table.pieces(head) {
                    self.emitter.alone(left)?;
                }
            }
        }
        Ok(())
    }

    fn look(&self, rows: &mut u64) -> Result<()> {
        *rows += 1;
        if rows.is_multiple_of(CHECK_ROWS) { self.watch.check() } else { Ok(()) }
    }

    fn too_large(&self, bytes: usize) -> Error {
        Error::too_large(format!(
            "joining a row of {}: it does not fit the {} that a thread has for rows; raise the \
             memory limit or take fewer threads",
            ByteSize::new(bytes as u64),
            ByteSize::new(self.shape.arena_bytes as u64)
        ))
    }
}

#[cfg(test)]
mod tests;
