//! States of groups on their way to disk, by the hash of their keys.
//!
//! ```text
//!   record   | key length | key | state |      without measures: | key |
//!   writer 0 ─ block ─┐
//!   writer 1 ─ block ─┼─ lane ─> file          first blocks end early, each at another fill,
//!   writer n ─ block ─┘                        so that not all are full at the same time
//! ```
//!
//! Promises: all states of a key are in the partition its hash names.
//! Never: a buffer beyond those reserved.

use std::sync::Arc;

use super::plan::{GroupPlan, SPARES};
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::group;
use crate::spill::{Codec, LENGTH_BYTES_MAX, Run, RunWriter, SpillFile, WriteLane, length_at};

/// Writers of all partitions of one level.
#[derive(Debug)]
pub(super) struct Partitions {
    writers: Vec<Writer>,
    lane: WriteLane,
    plan: group::Plan,
    level: u32,
    with_states: bool,
}

#[derive(Debug)]
struct Writer {
    run: RunWriter,
    /// Bytes until the first block is ended early; `usize::MAX` once it was.
    first_left: usize,
}

impl Partitions {
    pub(super) fn start(
        plan: &GroupPlan,
        level: u32,
        with_states: bool,
        file: &Arc<SpillFile>,
        codec: Codec,
        consumer: &Consumer,
    ) -> Result<Self> {
        let spill = plan.spill.expect("a grouping by partitions has it");
        let levels_max = spill.levels_max();
        if level >= levels_max {
            return Err(Error::too_large(format!(
                "groups were split {levels_max} times by their hashes and still do not fit into a \
                 table of {} bytes: raise the memory limit",
                plan.table_bytes
            )));
        }
        let block = plan.block_bytes;
        let writers = (0..plan.partitions).map(|n| {
            let first_left = block * (n + 1) / plan.partitions;
            Ok(Writer { run: RunWriter::new(file, consumer, block)?, first_left })
        });
        Ok(Self {
            writers: writers.collect::<Result<_>>()?,
            lane: WriteLane::start(consumer, block, SPARES, codec)?,
            plan: spill,
            level,
            with_states,
        })
    }

    #[inline]
    pub(super) fn push(&mut self, hash: u64, key: &[u8], state: &[u8]) -> Result<()> {
        let writer = &mut self.writers[self.plan.partition(hash, self.level)];
        let bytes = if self.with_states {
            let mut head = [0; LENGTH_BYTES_MAX];
            let length = crate::spill::put_length(&mut head, 0, key.len());
            let bytes = length + key.len() + state.len();
            writer.run.push_with(&mut self.lane, bytes, |record| {
                record[..length].copy_from_slice(&head[..length]);
                record[length..length + key.len()].copy_from_slice(key);
                record[length + key.len()..].copy_from_slice(state);
            })?;
            bytes
        } else {
            let fill = |record: &mut [u8]| record.copy_from_slice(key);
            writer.run.push_with(&mut self.lane, key.len(), fill)?;
            key.len()
        };
        if writer.first_left != usize::MAX {
            writer.first_left = writer.first_left.saturating_sub(bytes);
            if writer.first_left == 0 {
                writer.first_left = usize::MAX;
                writer.run.flush(&mut self.lane)?;
            }
        }
        Ok(())
    }

    /// Ends all runs, one a partition.
    pub(super) fn finish(self) -> Result<Vec<Arc<Run>>> {
        let Self { mut writers, mut lane, .. } = self;
        for writer in &mut writers {
            writer.run.flush(&mut lane)?;
        }
        writers.into_iter().map(|writer| writer.run.finish(&mut lane).map(Arc::new)).collect()
    }
}

/// Key and state of a record.
#[inline]
pub(super) fn parts(record: &[u8], with_states: bool) -> Option<(&[u8], &[u8])> {
    if !with_states {
        return Some((record, &[]));
    }
    let (length, start) = length_at(record, 0)?;
    record[start..].split_at_checked(length)
}
