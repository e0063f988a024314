//! Runs: records one after another in blocks, written once and read any number of times.
//!
//! ```text
//!   push ─> current block ─ full ─> seal, compress ─> lane ─> file        Run: places of blocks
//!   payload of a block: | length LEB128 | bytes | length | bytes | ...
//! ```
//!
//! Promises: a record comes back byte for byte; a record larger than a block gets a block of its
//! own; reading holds one block.
//! Never: a record across two blocks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::block::{self, HEADER_BYTES, Header};
use super::codec::Codec;
use super::file::SpillFile;
use super::lane::{BlockTarget as _, WriteLane};
use super::length::{LENGTH_BYTES_MAX, put_length};
use super::reader::{BlockReader, RunReader};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::storage::{AlignedBytes, sectors};
use crate::units::ByteSize;

/// Where a block is: 16 bytes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPlace {
    /// Of its first byte in the file.
    pub offset: u64,
    /// On disk, in whole sectors.
    pub bytes: u32,
    /// Records in it.
    pub records: u32,
}

/// A finished run. Dropping it gives its place on disk back.
#[derive(Debug)]
pub struct Run {
    file: Arc<SpillFile>,
    blocks: Vec<BlockPlace>,
    records: u64,
    /// Largest payload of a compressed block.
    plain_bytes_max: usize,
    codec: Codec,
    _index: Reservation,
}

impl Run {
    /// Number of records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Bytes on disk.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.blocks.iter().map(|b| u64::from(b.bytes)).sum()
    }

    /// Its blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[BlockPlace] {
        &self.blocks
    }

    /// What a reader of this run reserves, in bytes.
    #[must_use]
    pub fn reader_bytes(&self) -> usize {
        BlockReader::alone_bytes((self.block_bytes_max(), self.plain_bytes_max), self.codec)
    }

    /// The longest payload of a compressed block; 0 where none is compressed.
    pub(crate) fn plain_bytes_max(&self) -> usize {
        self.plain_bytes_max
    }

    /// What its compressed blocks are compressed by.
    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    fn block_bytes_max(&self) -> usize {
        self.blocks.iter().map(|b| b.bytes as usize).max().unwrap_or(0)
    }

    /// Reads it from the start, holding one block.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn reader(self: &Arc<Self>, consumer: &Consumer) -> Result<RunReader> {
        let sizes = (self.block_bytes_max(), self.plain_bytes_max);
        let block = BlockReader::alone(consumer, sizes, self.codec)?;
        Ok(RunReader::new(Arc::clone(self), block))
    }

    fn give_back(&self, (offset, bytes): (u64, u64)) {
        if bytes > 0 {
            self.file.free(offset, bytes);
        }
    }

    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> &Arc<SpillFile> {
        &self.file
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Blocks that lie together go back together: one request each would be slower.
        let mut together = (0, 0);
        for place in &self.blocks {
            let bytes = u64::from(place.bytes);
            if together.0 + together.1 == place.offset {
                together.1 += bytes;
                continue;
            }
            self.give_back(together);
            together = (place.offset, bytes);
        }
        self.give_back(together);
    }
}

/// Writes a run through a lane.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::spill::{Codec, RunWriter, SpillArea, SpillOptions, WriteLane};
/// use plimsoll::storage::Disk;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let sort = budget.consumer("sort")?;
/// let root = tempfile::tempdir()?;
/// let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let mut lane = WriteLane::start(&sort, 64 << 10, 2, Codec::None)?;
/// let mut writer = RunWriter::new(&area.file("run")?, &sort, 64 << 10)?;
/// writer.push(&mut lane, &[b"tea", b"cup"])?;
/// let run = Arc::new(writer.finish(&mut lane)?);
/// let mut reader = run.reader(&sort)?;
/// assert_eq!(reader.next()?, Some(&b"teacup"[..]));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RunWriter {
    file: Arc<SpillFile>,
    /// `None` only while the lane exchanges it.
    current: Option<AlignedBytes>,
    block_bytes: usize,
    used: usize,
    records_in_block: u32,
    blocks: Vec<BlockPlace>,
    records: u64,
    plain_bytes_max: usize,
    /// Of its compressed blocks.
    codec: Codec,
    reservation: Reservation,
    index: Reservation,
}

impl RunWriter {
    /// Begins a run in `file` with blocks of `block_bytes`, which must be the lane's.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(file: &Arc<SpillFile>, consumer: &Consumer, block_bytes: usize) -> Result<Self> {
        let reservation = consumer.try_reserve(Self::cost_bytes(block_bytes) as u64)?;
        let index = consumer.try_reserve(0)?;
        Ok(Self {
            file: Arc::clone(file),
            current: Some(AlignedBytes::zeroed(block_bytes)),
            block_bytes,
            used: HEADER_BYTES,
            records_in_block: 0,
            blocks: Vec::new(),
            records: 0,
            plain_bytes_max: 0,
            codec: Codec::None,
            reservation,
            index,
        })
    }

    /// What a writer reserves beside 16 bytes a block, in bytes.
    #[must_use]
    pub const fn cost_bytes(block_bytes: usize) -> usize {
        AlignedBytes::cost_bytes(block_bytes)
    }

    /// Records so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Appends one record, given in parts. Returns whether it begins a block.
    ///
    /// # Errors
    /// As [`RunWriter::push_with`].
    pub fn push(&mut self, lane: &mut WriteLane, parts: &[&[u8]]) -> Result<bool> {
        let bytes = parts.iter().map(|p| p.len()).sum::<usize>();
        self.push_with(lane, bytes, |record| {
            let mut at = 0;
            for part in parts {
                record[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        })
    }

    /// Appends one record of `bytes`, which `fill` writes where it belongs. Returns whether it
    /// begins a block.
    ///
    /// # Errors
    /// Those of writing and of the quota; [`crate::ErrorKind::OutOfBudget`] for a record larger
    /// than a block that no buffer can be reserved for.
    #[inline]
    pub fn push_with(
        &mut self,
        lane: &mut WriteLane,
        bytes: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<bool> {
        if self.used + LENGTH_BYTES_MAX + bytes > self.block_bytes {
            self.flush(lane)?;
            if HEADER_BYTES + LENGTH_BYTES_MAX + bytes > self.block_bytes {
                self.push_alone(bytes, fill)?;
                return Ok(true);
            }
        }
        let current = self.current.as_mut().expect("present between calls");
        let at = put_length(current, self.used, bytes);
        self.used = at + bytes;
        fill(&mut current[at..at + bytes]);
        self.records_in_block += 1;
        self.records += 1;
        Ok(self.records_in_block == 1)
    }

    /// Writes a record that is larger than a block, in a block of its own and at once.
    fn push_alone(&mut self, bytes: usize, fill: impl FnOnce(&mut [u8])) -> Result<()> {
        let whole = sectors(HEADER_BYTES + LENGTH_BYTES_MAX + bytes);
        if u32::try_from(whole).is_err() {
            return Err(Error::too_large(format!(
                "spilling a record of {}: the largest is 4 GiB",
                ByteSize::new(bytes as u64)
            )));
        }
        let cost = AlignedBytes::cost_bytes(whole) as u64;
        self.reservation.try_grow(cost)?;
        let mut block = AlignedBytes::zeroed(whole);
        let at = put_length(&mut block, HEADER_BYTES, bytes);
        fill(&mut block[at..at + bytes]);
        let used = at + bytes - HEADER_BYTES;
        let header = header(Codec::None, used, used, 1);
        // A short length may leave the last sector without a byte.
        let written = self.place(sectors(at + bytes) as u64).and_then(|offset| {
            let sealed = block::seal(&mut block, header, self.file.tag() ^ offset);
            self.file.write(&block[..sealed], offset)?;
            self.note(offset, sealed, header)
        });
        drop(block);
        self.reservation.shrink(cost);
        self.records += 1;
        written
    }

    /// Ends the current block, if it holds anything.
    ///
    /// # Errors
    /// Those of writing and of the quota.
    pub fn flush(&mut self, lane: &mut WriteLane) -> Result<()> {
        if self.records_in_block == 0 {
            return Ok(());
        }
        let mut full = self.current.take().expect("present between calls");
        let payload = self.used - HEADER_BYTES;
        let mut header = header(Codec::None, payload, payload, self.records_in_block);
        if let Some((codec, packed)) = lane.pack(&full[HEADER_BYTES..self.used]) {
            self.codec = codec;
            header = self::header(codec, packed.len(), payload, self.records_in_block);
            full[HEADER_BYTES..HEADER_BYTES + packed.len()].copy_from_slice(packed);
        }
        let whole = sectors(HEADER_BYTES + header.stored as usize);
        let placed = self.place(whole as u64).and_then(|offset| {
            self.note(offset, whole, header)?;
            block::seal(&mut full, header, self.file.tag() ^ offset);
            Ok(offset)
        });
        let offset = match placed {
            Ok(offset) => offset,
            Err(error) => {
                self.current = Some(full);
                return Err(error);
            }
        };
        self.current = Some(lane.exchange(self.file.clone(), offset, full, 0..whole)?);
        self.used = HEADER_BYTES;
        self.records_in_block = 0;
        Ok(())
    }

    fn place(&mut self, bytes: u64) -> Result<u64> {
        if self.blocks.len() == self.blocks.capacity() {
            // Doubling holds old and new for a moment.
            let more = self.blocks.capacity().max(16);
            self.index.try_grow((more * size_of::<BlockPlace>()) as u64)?;
            self.blocks.reserve_exact(more);
        }
        self.file.extent(bytes)
    }

    fn note(&mut self, offset: u64, whole: usize, header: Header) -> Result<()> {
        let bytes = u32::try_from(whole).map_err(|_| Error::too_large("a block above 4 GiB"))?;
        self.blocks.push(BlockPlace { offset, bytes, records: header.records });
        if header.codec != Codec::None.number() {
            self.plain_bytes_max = self.plain_bytes_max.max(header.payload as usize);
        }
        Ok(())
    }

    /// Ends the run, waits until it is written, and begins another with the same buffers.
    ///
    /// # Errors
    /// Those of writing and of the quota.
    pub fn cut(&mut self, lane: &mut WriteLane) -> Result<Run> {
        self.flush(lane)?;
        lane.settle()?;
        let spare = self.blocks.capacity() - self.blocks.len();
        self.blocks.shrink_to_fit();
        self.index.shrink((spare * size_of::<BlockPlace>()) as u64);
        let none = self.index.split(0);
        Ok(Run {
            file: Arc::clone(&self.file),
            blocks: std::mem::take(&mut self.blocks),
            records: std::mem::take(&mut self.records),
            plain_bytes_max: std::mem::take(&mut self.plain_bytes_max),
            codec: std::mem::take(&mut self.codec),
            _index: std::mem::replace(&mut self.index, none),
        })
    }

    /// Ends the run and waits until it is written.
    ///
    /// # Errors
    /// Those of writing and of the quota.
    pub fn finish(mut self, lane: &mut WriteLane) -> Result<Run> {
        self.cut(lane)
    }
}

fn header(codec: Codec, stored: usize, payload: usize, records: u32) -> Header {
    let narrow = |n: usize| u32::try_from(n).expect("blocks are below 4 GiB");
    Header { codec: codec.number(), stored: narrow(stored), payload: narrow(payload), records }
}
