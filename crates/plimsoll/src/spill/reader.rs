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
use super::run::{BlockPlace, Run};
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::storage::{AlignedBytes, sectors};

/// One block in memory, for readers that go from block to block in their own order.
#[derive(Debug)]
pub struct BlockReader {
    stored: AlignedBytes,
    /// The payload where it was compressed.
    plain: Vec<u8>,
    payload: Payload,
    _reservation: Reservation,
}

#[derive(Clone, Copy, Debug)]
enum Payload {
    Stored(usize),
    Plain,
}

impl BlockReader {
    /// Room for blocks of `block_bytes` on disk and `payload_bytes` in memory.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(consumer: &Consumer, block_bytes: usize, payload_bytes: usize) -> Result<Self> {
        let bytes = Self::cost_bytes(block_bytes, payload_bytes) as u64;
        let reservation = consumer.try_reserve(bytes)?;
        Ok(Self {
            stored: AlignedBytes::zeroed(Self::room_bytes(block_bytes)),
            plain: Vec::new(),
            payload: Payload::Stored(0),
            _reservation: reservation,
        })
    }

    /// What one costs, in bytes.
    #[must_use]
    pub fn cost_bytes(block_bytes: usize, payload_bytes: usize) -> usize {
        AlignedBytes::cost_bytes(Self::room_bytes(block_bytes)) + payload_bytes
    }

    /// A reader of no blocks has an empty payload, which stands behind a header too.
    fn room_bytes(block_bytes: usize) -> usize {
        sectors(block_bytes.max(HEADER_BYTES))
    }

    /// Reads and checks the block at `place`; returns its number of records.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; [`crate::ErrorKind::Corrupt`] for a block that is not what was
    /// written there.
    pub fn load(&mut self, file: &SpillFile, place: BlockPlace) -> Result<u32> {
        self.payload = Payload::Stored(0);
        let refuse = |why: &str| block::refuse(&file.place(place.offset), why);
        let block = &mut self.stored[..place.bytes as usize];
        file.read(block, place.offset)?;
        let header = block::open(block, file.tag() ^ place.offset).map_err(refuse)?;
        if header.records != place.records {
            return Err(refuse("it holds another number of records"));
        }
        let stored = HEADER_BYTES..HEADER_BYTES + header.stored as usize;
        self.payload = match Codec::from_number(header.codec) {
            Some(Codec::None) if header.stored == header.payload => {
                Payload::Stored(header.stored as usize)
            }
            Some(codec) => {
                self.plain.clear();
                self.plain.resize(header.payload as usize, 0);
                codec.decompress(&block[stored], &mut self.plain).map_err(refuse)?;
                Payload::Plain
            }
            None => return Err(refuse("its codec is unknown")),
        };
        Ok(header.records)
    }

    /// The payload of the block read last.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match self.payload {
            Payload::Stored(bytes) => &self.stored[HEADER_BYTES..HEADER_BYTES + bytes],
            Payload::Plain => &self.plain,
        }
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
    /// As [`BlockReader::load`].
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
