//! Reads blocks and runs back.
//!
//! ```text
//!   BlockReader: place ── read, check, decompress ──> payload ── record_at(..) ──> a record
//!   RunReader:   the blocks of a run one after another
//! ```
//!
//! Promises: what was written or an error; one block in memory.
//! Never: a length believed before the block's checksum.

use std::sync::Arc;

use super::block::{self, HEADER_BYTES};
use super::codec::Codec;
use super::file::SpillFile;
use super::length::length_at;
use super::packing::Unpacker;
use super::run::{BlockPlace, Run};
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::storage::{AlignedBytes, sectors};

/// One block in memory, for readers that go from block to block in their own order.
#[derive(Debug)]
pub struct BlockReader {
    /// Header and payload, the latter decompressed.
    room: AlignedBytes,
    payload_bytes: usize,
    /// Of a reader that reads alone.
    own: Option<Unpacker>,
    _reservation: Reservation,
}

impl BlockReader {
    /// Room for blocks of `block_bytes` on disk, and of compressed ones up to `plain_bytes` of
    /// payload; whoever loads them brings what decompresses them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub(crate) fn new(consumer: &Consumer, block_bytes: usize, plain_bytes: usize) -> Result<Self> {
        let bytes = Self::cost_bytes(block_bytes, plain_bytes) as u64;
        let reservation = consumer.try_reserve(bytes)?;
        let room = AlignedBytes::zeroed(Self::room_bytes(block_bytes, plain_bytes));
        Ok(Self { room, payload_bytes: 0, own: None, _reservation: reservation })
    }

    /// As [`BlockReader::new`], with what decompresses its blocks.
    pub(crate) fn alone(
        consumer: &Consumer,
        (block_bytes, plain_bytes): (usize, usize),
        codec: Codec,
    ) -> Result<Self> {
        let mut reader = Self::new(consumer, block_bytes, plain_bytes)?;
        reader.own = Unpacker::new(reader.room.len(), codec, consumer)?;
        Ok(reader)
    }

    /// What a reader that reads alone costs, in bytes.
    pub(crate) fn alone_bytes((block_bytes, plain_bytes): (usize, usize), codec: Codec) -> usize {
        let room_bytes = Self::room_bytes(block_bytes, plain_bytes);
        AlignedBytes::cost_bytes(room_bytes) + Unpacker::cost_bytes(room_bytes, codec)
    }

    /// What one costs, in bytes.
    #[must_use]
    pub(crate) fn cost_bytes(block_bytes: usize, plain_bytes: usize) -> usize {
        AlignedBytes::cost_bytes(Self::room_bytes(block_bytes, plain_bytes))
    }

    /// What such a block takes in memory: stored or decompressed, the larger of the two. A reader
    /// of no blocks has an empty payload, which stands behind a header too.
    pub(crate) fn room_bytes(block_bytes: usize, plain_bytes: usize) -> usize {
        sectors(block_bytes.max(HEADER_BYTES + plain_bytes))
    }

    /// Bytes of its room.
    pub(crate) fn room_len(&self) -> usize {
        self.room.len()
    }

    /// As [`BlockReader::load_with`], by a reader that reads alone.
    pub(crate) fn load(&mut self, file: &SpillFile, place: BlockPlace) -> Result<u32> {
        let mut own = self.own.take();
        let loaded = self.load_with(file, place, &mut own);
        self.own = own;
        loaded
    }

    /// Reads and checks the block at `place`; returns its number of records.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; [`crate::ErrorKind::Corrupt`] for a block that is not what was
    /// written there.
    pub(crate) fn load_with(
        &mut self,
        file: &SpillFile,
        place: BlockPlace,
        unpacker: &mut Option<Unpacker>,
    ) -> Result<u32> {
        let records = self.load_any(file, (place.offset, place.bytes as usize), unpacker)?;
        if records != place.records {
            self.payload_bytes = 0;
            let at = file.place(place.offset);
            return Err(block::refuse(&at, "it holds another number of records"));
        }
        Ok(records)
    }

    /// As [`BlockReader::load_with`], for a block that tells itself how many records it has.
    pub(crate) fn load_any(
        &mut self,
        file: &SpillFile,
        (offset, bytes): (u64, usize),
        unpacker: &mut Option<Unpacker>,
    ) -> Result<u32> {
        self.payload_bytes = 0;
        let refuse = |why: &str| block::refuse(&file.place(offset), why);
        let room = self.room.len();
        // A place beyond the buffer comes from an index that another process wrote.
        let block = self.room.get_mut(..bytes).ok_or_else(|| {
            refuse(&format!("its index says {bytes} bytes, and {room} are the longest here"))
        })?;
        file.read(block, offset)?;
        let header = block::open(block, file.tag() ^ offset).map_err(refuse)?;
        let stored = HEADER_BYTES..HEADER_BYTES + header.stored as usize;
        let payload = HEADER_BYTES..HEADER_BYTES + header.payload as usize;
        match (Codec::from_number(header.codec), unpacker) {
            (None, _) => return Err(refuse("its codec is unknown")),
            (Some(Codec::None), _) if stored == payload => {}
            (Some(codec), Some(unpacker)) => {
                unpacker.unpack(codec, &mut self.room, stored, payload).map_err(refuse)?;
            }
            (Some(_), None) => return Err(refuse("it is compressed, and its run is not")),
        }
        self.payload_bytes = header.payload as usize;
        Ok(header.records)
    }

    /// The payload of the block read last.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.room[HEADER_BYTES..HEADER_BYTES + self.payload_bytes]
    }

    /// The record that begins at `at` of the payload, and where the next one begins.
    #[must_use]
    #[inline]
    pub fn record_at(&self, at: usize) -> Option<(&[u8], usize)> {
        let payload = self.payload();
        let (length, start) = length_at(payload, at)?;
        let end = start.checked_add(length)?;
        Some((payload.get(start..end)?, end))
    }
}

/// Reads a run's records in order.
#[derive(Debug)]
pub struct RunReader {
    run: Arc<Run>,
    next_block: usize,
    block: BlockReader,
    at: usize,
}

impl RunReader {
    pub(super) fn new(run: Arc<Run>, block: BlockReader) -> Self {
        Self { run, next_block: 0, block, at: 0 }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], [`crate::ErrorKind::Corrupt`].
    #[allow(clippy::should_implement_trait)] // it lends, which Iterator cannot
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        while self.at >= self.block.payload().len() {
            let Some(&place) = self.run.blocks().get(self.next_block) else {
                return Ok(None);
            };
            self.block.load(self.run.file(), place)?;
            self.next_block += 1;
            self.at = 0;
        }
        match self.block.record_at(self.at) {
            Some((record, next)) => {
                self.at = next;
                Ok(Some(record))
            }
            None => {
                let place = self.run.blocks()[self.next_block - 1];
                Err(block::refuse(&self.run.file().place(place.offset), "a record is cut off"))
            }
        }
    }
}
