//! A sorted run: rows with their keys in blocks, and the first key of every block.
//!
//! ```text
//!   record:  | length of extra, LEB128 | prefix, 16 bytes big-endian | extra | row |
//!   index:   | first prefix of block 0 | bytes of rows before it | block 1 ...        24 B each
//! ```
//!
//! The index finds a key's place with one block read, and so splits a merge over threads with the
//! exact offset of each part in the output.
//!
//! Promises: rows come back as they went in; the index is charged.
//! Never: a row parsed a second time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arena::{Arena, PREFIX_BYTES, Sorted};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::spill::{
    BlockPlace, BlockReader, Codec, LENGTH_BYTES_MAX, Run, RunWriter, SpillFile, WriteLane,
    length_at, put_length,
};

/// Where a run stands among those of equal keys: earlier input first.
pub type InputOrder = (u64, u32);

/// A finished sorted run.
#[derive(Debug)]
pub struct SortedRun {
    pub(super) run: Arc<Run>,
    pub(super) index: Vec<BlockKey>,
    pub(super) order: InputOrder,
    /// Bytes of all rows.
    pub(super) row_bytes: u64,
    _index: Reservation,
}

/// What a run holds in memory for each of its blocks: this and its place.
pub(crate) const BLOCK_INDEX_BYTES: usize = size_of::<BlockKey>() + size_of::<BlockPlace>();

/// The beginning of a block.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct BlockKey {
    prefix: [u64; 2],
    /// Bytes of rows in the blocks before.
    pub(super) row_bytes_before: u64,
}

impl BlockKey {
    pub(super) fn prefix(&self) -> u128 {
        u128::from(self.prefix[0]) << 64 | u128::from(self.prefix[1])
    }
}

/// A run as it is noted for a later process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    blocks: Vec<BlockPlace>,
    keys: Vec<BlockKey>,
    row_bytes: u64,
    plain_bytes_max: u64,
}

impl SortedRun {
    /// The run as it is noted for a later process.
    pub(crate) fn record(&self) -> RunRecord {
        RunRecord {
            blocks: self.run.blocks().to_vec(),
            keys: self.index.clone(),
            row_bytes: self.row_bytes,
            plain_bytes_max: self.run.plain_bytes_max() as u64,
        }
    }

    /// A run that another process wrote to `file` and noted.
    pub(crate) fn adopt(
        file: &Arc<SpillFile>,
        record: &RunRecord,
        order: InputOrder,
        consumer: &Consumer,
    ) -> Result<Self> {
        if record.blocks.len() != record.keys.len() {
            return Err(Error::corrupt("a noted run has blocks without keys: sort again"));
        }
        let index = consumer.try_reserve(size_of_val(&record.keys[..]) as u64)?;
        let plain = usize::try_from(record.plain_bytes_max).unwrap_or(usize::MAX);
        // Which codec it was is in the blocks; room is held for the one that takes most.
        let codec = if plain > 0 { Codec::HEAVIEST } else { Codec::None };
        Ok(Self {
            run: Arc::new(Run::adopt(file, &record.blocks, (plain, codec), consumer)?),
            index: record.keys.clone(),
            order,
            row_bytes: record.row_bytes,
            _index: index,
        })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.run.records()
    }

    /// Bytes of all rows, without their keys.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// Its place among runs with equal keys.
    #[must_use]
    pub fn order(&self) -> InputOrder {
        self.order
    }
}

/// Writes a sorted run.
pub struct SortedRunWriter {
    writer: RunWriter,
    index: Vec<BlockKey>,
    reservation: Reservation,
    row_bytes: u64,
}

impl SortedRunWriter {
    /// Begins a run.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(file: &Arc<SpillFile>, consumer: &Consumer, block_bytes: usize) -> Result<Self> {
        Ok(Self {
            writer: RunWriter::new(file, consumer, block_bytes)?,
            index: Vec::new(),
            reservation: consumer.try_reserve(0)?,
            row_bytes: 0,
        })
    }

    /// Appends a row; rows come in order.
    ///
    /// # Errors
    /// As [`RunWriter::push_with`].
    #[inline]
    pub fn push(&mut self, lane: &mut WriteLane, sorted: Sorted<'_>) -> Result<()> {
        let Sorted { prefix, extra, row } = sorted;
        let mut head = [0; LENGTH_BYTES_MAX + PREFIX_BYTES];
        let at = put_length(&mut head, 0, extra.len());
        head[at..at + PREFIX_BYTES].copy_from_slice(&prefix.to_be_bytes());
        let head_bytes = at + PREFIX_BYTES;
        let bytes = head_bytes + extra.len() + row.len();
        let begins = self.writer.push_with(lane, bytes, |record| {
            let (first, rest) = record.split_at_mut(head_bytes);
            first.copy_from_slice(&head[..head_bytes]);
            let (key, last) = rest.split_at_mut(extra.len());
            key.copy_from_slice(extra);
            last.copy_from_slice(row);
        })?;
        if begins {
            self.begin_block(prefix)?;
        }
        self.row_bytes += row.len() as u64;
        Ok(())
    }

    fn begin_block(&mut self, prefix: u128) -> Result<()> {
        if self.index.len() == self.index.capacity() {
            let more = self.index.capacity().max(16);
            self.reservation.try_grow((more * size_of::<BlockKey>()) as u64)?;
            self.index.reserve_exact(more);
        }
        #[allow(clippy::cast_possible_truncation)] // the two halves
        let prefix = [(prefix >> 64) as u64, prefix as u64];
        self.index.push(BlockKey { prefix, row_bytes_before: self.row_bytes });
        Ok(())
    }

    /// Writes all of a sorted arena.
    ///
    /// # Errors
    /// As [`SortedRunWriter::push`].
    pub fn push_all(&mut self, lane: &mut WriteLane, arena: &Arena) -> Result<()> {
        arena.iter().try_for_each(|sorted| self.push(lane, sorted))
    }

    /// Ends the run and begins another with the same buffers.
    ///
    /// # Errors
    /// As [`RunWriter::cut`].
    pub fn cut(&mut self, lane: &mut WriteLane, order: InputOrder) -> Result<SortedRun> {
        let spare = self.index.capacity() - self.index.len();
        self.index.shrink_to_fit();
        self.reservation.shrink((spare * size_of::<BlockKey>()) as u64);
        let none = self.reservation.split(0);
        Ok(SortedRun {
            run: Arc::new(self.writer.cut(lane)?),
            index: std::mem::take(&mut self.index),
            order,
            row_bytes: std::mem::take(&mut self.row_bytes),
            _index: std::mem::replace(&mut self.reservation, none),
        })
    }
}

/// Where the parts of a record are in its block's payload.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RecordPlace {
    pub(super) prefix: u128,
    pub(super) extra: (u32, u32),
    pub(super) row: (u32, u32),
    pub(super) next: usize,
}

impl RecordPlace {
    /// Reads the record at `at`; `None` when it is cut off.
    #[inline]
    pub(super) fn read(payload: &[u8], at: usize) -> Option<Self> {
        let (length, start) = length_at(payload, at)?;
        let next = start.checked_add(length)?;
        let record = payload.get(start..next)?;
        let (extra, prefix_at) = length_at(record, 0)?;
        let extra_at = prefix_at + PREFIX_BYTES;
        let prefix = record.get(prefix_at..extra_at)?;
        let row_at = extra_at.checked_add(extra).filter(|&at| at <= record.len())?;
        let narrow = |at: usize| u32::try_from(start + at).ok();
        Some(Self {
            prefix: u128::from_be_bytes(prefix.try_into().expect("sixteen bytes")),
            extra: (narrow(extra_at)?, narrow(row_at)?),
            row: (narrow(row_at)?, narrow(record.len())?),
            next,
        })
    }

    pub(super) fn row_bytes(&self) -> u64 {
        u64::from(self.row.1 - self.row.0)
    }
}

/// A place between two rows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) block: usize,
    /// Byte of the block's payload.
    pub(super) at: usize,
    /// Bytes of rows before it.
    pub(super) row_bytes: u64,
}

impl SortedRun {
    pub(super) const START: Cut = Cut { block: 0, at: 0, row_bytes: 0 };

    pub(super) fn end(&self) -> Cut {
        Cut { block: self.index.len(), at: 0, row_bytes: self.row_bytes }
    }

    /// The place of the first row whose prefix is not below `prefix`; reads one block at most.
    ///
    /// # Errors
    /// As [`BlockReader::load`].
    pub(super) fn cut(&self, prefix: u128, reader: &mut BlockReader) -> Result<Cut> {
        let after = self.index.partition_point(|block| block.prefix() < prefix);
        let Some(block) = after.checked_sub(1) else { return Ok(Self::START) };
        reader.load(self.run.file(), self.run.blocks()[block])?;
        let mut at = 0;
        let mut row_bytes = self.index[block].row_bytes_before;
        while at < reader.payload().len() {
            let Some(record) = RecordPlace::read(reader.payload(), at) else { break };
            if record.prefix >= prefix {
                return Ok(Cut { block, at, row_bytes });
            }
            at = record.next;
            row_bytes += record.row_bytes();
        }
        Ok(Cut { block: block + 1, at: 0, row_bytes })
    }
}
