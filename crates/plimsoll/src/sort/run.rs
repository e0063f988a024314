//! A sorted run: rows with their keys in blocks, and where its index begins.
//!
//! ```text
//!   record:     | length of extra, LEB128 | prefix, 16 bytes big-endian | extra | row |
//!   in memory:  | file | order | first page of the index | counts |     whatever its length
//! ```
//!
//! The index (`index.rs`) finds a key's place with one block read, and so splits a merge over
//! threads with the exact offset of each part in the output.
//!
//! Promises: rows come back as they went in; a run's bytes in memory are charged and fixed.
//! Never: a row parsed a second time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arena::PREFIX_BYTES;
use super::index::{EntryPlace, IndexReader};
use super::run_list::RunPlace;
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{BlockReader, Codec, SpillFile, length_at};

/// Where a run stands among those of equal keys: earlier input first.
pub type InputOrder = (u64, u32);

/// A finished sorted run.
#[derive(Debug)]
pub struct SortedRun {
    file: Arc<SpillFile>,
    pub(super) order: InputOrder,
    pub(super) shape: RunRecord,
    _place: RunPlace,
}

/// What a run holds in memory, with its handle and the handle's place in a list that grows by
/// doubling.
pub(crate) const RUN_BYTES: usize = size_of::<SortedRun>() + 48;

/// A run as it is noted for a later process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// Offset of the index's first page.
    pub(super) first_page: u64,
    pub(super) blocks: u64,
    pub(super) rows: u64,
    /// Bytes of all rows.
    pub(super) row_bytes: u64,
    /// Of the largest block, on disk.
    pub(super) block_bytes_max: u32,
    /// Largest payload of a compressed block.
    pub(super) plain_bytes_max: u32,
    /// What such blocks are compressed by.
    pub(super) codec: u8,
}

/// What reading blocks of a run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReaderShape {
    /// Of the largest block, on disk.
    pub(crate) block_bytes: usize,
    /// Largest payload of a compressed one.
    pub(crate) plain_bytes: usize,
    /// What those are compressed by.
    pub(crate) codec: Codec,
}

impl ReaderShape {
    /// Of blocks of `block_bytes` that are written by `codec`.
    pub(super) fn new(block_bytes: usize, codec: Codec) -> Self {
        let plain_bytes = if codec == Codec::None { 0 } else { block_bytes };
        Self { block_bytes, plain_bytes, codec }
    }

    /// Of any of `runs`.
    pub(crate) fn of<'a>(runs: impl Iterator<Item = &'a SortedRun>) -> Self {
        runs.map(SortedRun::reader_shape).fold(Self::default(), |most, one| Self {
            block_bytes: most.block_bytes.max(one.block_bytes),
            plain_bytes: most.plain_bytes.max(one.plain_bytes),
            codec: most.codec.heavier(one.codec),
        })
    }
}

impl RunRecord {
    pub(super) const EMPTY: Self = Self {
        first_page: 0,
        blocks: 0,
        rows: 0,
        row_bytes: 0,
        block_bytes_max: 0,
        plain_bytes_max: 0,
        codec: 0,
    };
}

impl SortedRun {
    pub(super) fn new(
        file: &Arc<SpillFile>,
        shape: RunRecord,
        order: InputOrder,
        place: RunPlace,
    ) -> Self {
        Self { file: Arc::clone(file), order, shape, _place: place }
    }

    /// The run as it is noted for a later process.
    pub(crate) fn record(&self) -> RunRecord {
        self.shape
    }

    /// A run that another process wrote to `file` and noted.
    pub(crate) fn adopt(
        file: &Arc<SpillFile>,
        record: RunRecord,
        order: InputOrder,
        consumer: &Consumer,
    ) -> Result<Self> {
        Ok(Self::new(file, record, order, RunPlace::alone(consumer)?))
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.shape.rows
    }

    /// Bytes of all rows, without their keys.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.shape.row_bytes
    }

    /// Its place among runs with equal keys.
    #[must_use]
    pub fn order(&self) -> InputOrder {
        self.order
    }

    pub(super) fn file(&self) -> &Arc<SpillFile> {
        &self.file
    }

    /// What a reader of its blocks has to have room for.
    pub(crate) fn reader_shape(&self) -> ReaderShape {
        let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        ReaderShape {
            block_bytes: wide(self.shape.block_bytes_max),
            plain_bytes: wide(self.shape.plain_bytes_max),
            // A number from a journal that is no codec's is refused with the first block.
            codec: Codec::from_number(self.shape.codec).unwrap_or_default(),
        }
    }

    /// Gives its place on disk back, now that its rows stand elsewhere. What its index does not
    /// tell any more goes with the file.
    pub(super) fn give_back(&self, index: &mut IndexReader) -> Result<()> {
        let mut place = EntryPlace { page: self.shape.first_page, at: 0 };
        // Blocks that lie together go back together: one request each would be slower.
        let mut together = (0, 0);
        let mut add = |(offset, bytes): (u64, u64)| {
            if together.0 + together.1 == offset {
                together.1 += bytes;
                return;
            }
            if together.1 > 0 {
                self.file.free(together.0, together.1);
            }
            together = (offset, bytes);
        };
        let mut page = None;
        for _ in 0..self.shape.blocks {
            let (entry, next) = index.entry(&self.file, place)?;
            add((entry.place.offset, u64::from(entry.place.bytes)));
            if page != Some(next.page) {
                page = Some(next.page);
                add((next.page, crate::storage::SECTOR_BYTES as u64));
            }
            place = next;
        }
        add((u64::MAX, 0));
        Ok(())
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
    pub(super) block: u64,
    /// Byte of the block's payload.
    pub(super) at: usize,
    /// Bytes of rows before it.
    pub(super) row_bytes: u64,
    /// The block's place in the index.
    pub(super) entry: EntryPlace,
}

impl SortedRun {
    pub(super) fn start(&self) -> Cut {
        let entry = EntryPlace { page: self.shape.first_page, at: 0 };
        Cut { block: 0, at: 0, row_bytes: 0, entry }
    }

    pub(super) fn end(&self) -> Cut {
        let (block, row_bytes) = (self.shape.blocks, self.shape.row_bytes);
        Cut { block, at: 0, row_bytes, ..self.start() }
    }

    /// For each of `prefixes`, which ascend, the place of the first row whose prefix is not below
    /// it; walks the index once and reads one block a prefix at most.
    ///
    /// # Errors
    /// As [`BlockReader::load`].
    pub(super) fn cuts(
        &self,
        prefixes: &[u128],
        index: &mut IndexReader,
        reader: &mut BlockReader,
    ) -> Result<Vec<Cut>> {
        let mut cuts = Vec::with_capacity(prefixes.len());
        // The last block that begins below the prefix; none at first.
        let mut last = None;
        let mut here = self.start();
        let mut walk = prefixes.iter();
        let mut wanted = walk.next();
        while let Some(&prefix) = wanted {
            if here.block < self.shape.blocks {
                let (entry, next) = index.entry(&self.file, here.entry)?;
                if entry.prefix() < prefix {
                    here.row_bytes = entry.row_bytes_before;
                    last = Some((here, entry.place));
                    here = Cut { block: here.block + 1, entry: next, ..here };
                    continue;
                }
            }
            let cut = match last {
                None => self.start(),
                Some((cut, place)) => {
                    reader.load(&self.file, place)?;
                    within(reader.payload(), prefix, cut).unwrap_or_else(|row_bytes| Cut {
                        row_bytes,
                        at: 0,
                        ..here
                    })
                }
            };
            cuts.push(cut);
            wanted = walk.next();
        }
        Ok(cuts)
    }
}

/// The first row of a block that is not below `prefix`; without one, the bytes of rows up to the
/// block's end.
fn within(payload: &[u8], prefix: u128, begin: Cut) -> Result<Cut, u64> {
    let Cut { mut at, mut row_bytes, .. } = begin;
    while at < payload.len() {
        let Some(record) = RecordPlace::read(payload, at) else { break };
        if record.prefix >= prefix {
            return Ok(Cut { at, row_bytes, ..begin });
        }
        at = record.next;
        row_bytes += record.row_bytes();
    }
    Err(row_bytes)
}

#[cfg(test)]
mod tests;
