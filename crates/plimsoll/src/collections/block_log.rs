//! Blocks appended to one file, several of them in a request.
//!
//! ```text
//!   append ─> chunk | block | block | block | room |      in memory
//!               └── full, or somebody wants to read ──> lane ──> file
//!   read ──> below `settled`? ── yes ──> file
//!                             └─ no ───> send the chunk off, wait for the lane, then the file
//! ```
//!
//! Promises: what was appended can be read at once, by several threads; a block that could not be
//! written is never counted as written.
//! Never: an extent without a block in it after an error.

use std::ops::{Range, RangeInclusive};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::page::{PAYLOAD_BYTES, narrow};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::limits::{COLLECTION_BLOCK_BYTES, COLLECTION_CHUNK_BYTES_MAX};
use crate::spill::WriteLane;
use crate::spill::block::{self, HEADER_BYTES, Header};
use crate::spill::{
    BlockPlace, BlockReader, BlockTarget as _, Codec, Packer, SpillArea, SpillFile,
};
use crate::storage::{AlignedBytes, SECTOR_BYTES, sectors};
use crate::units::ByteSize;

/// Chunks beside the one that is filled: one being written, one waiting.
const SPARES: usize = 2;
/// Chunks of a log, and of a stream that reads it, may take this share of a collection's memory.
const CHUNK_SHARE: u64 = 16;
/// Places that go back to the disk wait for their neighbours up to this share of the log.
const FREED_SHARE: u64 = 4;
/// But within these bounds.
const FREED_BYTES: RangeInclusive<u64> = 8 << 20..=256 << 20;

/// Whether blocks pass through the system's page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cached {
    /// They are read in order, once: the cache would only be churned.
    No,
    /// Small ones are read again at random. The system keeps what it has room for; these pages
    /// are clean and the first to go. The cache is used by requests from odd addresses.
    Yes,
}

impl Cached {
    fn shift(self) -> usize {
        match self {
            Self::No => 0,
            Self::Yes => 1,
        }
    }
}

#[derive(Debug)]
pub(super) struct BlockLog {
    file: Arc<SpillFile>,
    codec: Codec,
    consumer: Consumer,
    chunk_bytes: usize,
    cached: Cached,
    /// Everything below this offset is in the file.
    settled: AtomicU64,
    writer: Mutex<Writer>,
    /// Neighbouring places that go back to the disk together.
    freed: Mutex<Range<u64>>,
}

#[derive(Debug)]
struct Writer {
    lane: WriteLane,
    /// `None` after a failed write.
    chunk: Option<AlignedBytes>,
    packer: Option<Packer>,
    used: usize,
    /// Where in the file the chunk begins.
    start: u64,
    _reservation: Reservation,
}

impl BlockLog {
    /// A log in a new file, with chunks as large as a collection of `memory_bytes` affords.
    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        label: &str,
        memory_bytes: u64,
        cached: Cached,
    ) -> Result<Self> {
        let share = usize::try_from(memory_bytes / CHUNK_SHARE).unwrap_or(usize::MAX);
        let wanted = share.clamp(COLLECTION_BLOCK_BYTES, COLLECTION_CHUNK_BYTES_MAX);
        let mut chunk_bytes = 1 << wanted.ilog2();
        let writer = loop {
            match Writer::new(consumer, chunk_bytes + cached.shift() * SECTOR_BYTES, area.codec()) {
                Ok(writer) => break writer,
                // Smaller requests are slower, but better than none.
                Err(_) if chunk_bytes > COLLECTION_BLOCK_BYTES => chunk_bytes /= 2,
                Err(error) => return Err(error),
            }
        };
        Ok(Self {
            file: area.file(label)?,
            codec: area.codec(),
            consumer: consumer.clone(),
            chunk_bytes,
            cached,
            settled: AtomicU64::new(0),
            writer: Mutex::new(writer),
            freed: Mutex::default(),
        })
    }

    pub(super) fn file(&self) -> &Arc<SpillFile> {
        &self.file
    }

    pub(super) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    pub(super) fn chunk_bytes(&self) -> usize {
        self.chunk_bytes
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Appends a block with this payload.
    pub(super) fn append(&mut self, payload: &[u8], records: u32) -> Result<BlockPlace> {
        let whole = sectors(HEADER_BYTES + payload.len());
        if whole > COLLECTION_BLOCK_BYTES {
            return self.append_alone(payload, records, whole);
        }
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        let shift = self.cached.shift();
        if shift + writer.used + COLLECTION_BLOCK_BYTES > self.chunk_bytes + shift * SECTOR_BYTES {
            writer.send(&self.file, shift)?;
        }
        let chunk = writer.chunk.as_mut().ok_or_else(died)?;
        let start = shift + writer.used;
        let room = &mut chunk[start..start + whole];
        let header = fill(&mut writer.packer, room, payload, records);
        let whole = sectors(HEADER_BYTES + header.stored as usize);
        let offset = self.file.extent(whole as u64)?;
        if writer.used == 0 {
            writer.start = offset;
        }
        assert_eq!(offset, writer.start + writer.used as u64, "extents of one owner join up");
        block::seal(room, header, self.file.tag() ^ offset);
        writer.used += whole;
        Ok(BlockPlace { offset, bytes: narrow(whole), records })
    }

    /// A block larger than usual: at once, in one request.
    fn append_alone(&mut self, payload: &[u8], records: u32, whole: usize) -> Result<BlockPlace> {
        let Ok(bytes) = u32::try_from(whole) else {
            return Err(Error::too_large(format!(
                "spilling an element of {}: the largest is 4 GiB",
                ByteSize::new(payload.len() as u64)
            )));
        };
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner);
        writer.send(&self.file, self.cached.shift())?;
        let _held = self.consumer.try_reserve(AlignedBytes::cost_bytes(whole) as u64)?;
        let mut room = AlignedBytes::zeroed(whole);
        let header = fill(&mut None, &mut room, payload, records);
        let offset = self.file.extent(u64::from(bytes))?;
        block::seal(&mut room, header, self.file.tag() ^ offset);
        if let Err(error) = self.file.write(&room, offset) {
            self.file.free(offset, u64::from(bytes));
            return Err(error);
        }
        Ok(BlockPlace { offset, bytes, records })
    }

    /// Waits until the block at `place` can be read from the file.
    pub(super) fn settle(&self, place: BlockPlace) -> Result<()> {
        self.settle_until(place.offset + u64::from(place.bytes))
    }

    fn settle_until(&self, end: u64) -> Result<()> {
        if end <= self.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.send(&self.file, self.cached.shift())?;
        writer.lane.settle()?;
        self.settled.fetch_max(end, Ordering::Release);
        Ok(())
    }

    /// A reader with room for the block at `place`, and for any usual block.
    pub(super) fn reader(&self, place: BlockPlace) -> Result<BlockReader> {
        let plain = if self.codec == Codec::None { 0 } else { PAYLOAD_BYTES };
        let bytes = (place.bytes as usize).max(COLLECTION_BLOCK_BYTES);
        BlockReader::alone(&self.consumer, (bytes, plain), self.codec)
    }

    /// Reads a block into a reader that has room for it.
    pub(super) fn read(&self, reader: &mut BlockReader, place: BlockPlace) -> Result<()> {
        self.settle(place)?;
        reader.load(&self.file, place).map(drop)
    }

    /// The error of a block whose elements do not decode.
    pub(super) fn damaged(&self, place: BlockPlace) -> Error {
        block::refuse(&self.file.place(place.offset), "an element does not decode")
    }

    /// Gives the block's place back to the disk, together with its neighbours: a hole costs a
    /// millisecond or more beside 0.2 ms for each MiB (ext4 that discards), and nobody reads the
    /// file meanwhile. What waits is a quarter of the log, within [`FREED_BYTES`], and counts as
    /// used.
    pub(super) fn free(&self, place: BlockPlace) {
        let bytes = u64::from(place.bytes);
        let mut freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        if freed.end == place.offset {
            freed.end += bytes;
        } else if freed.start == place.offset + bytes {
            freed.start = place.offset;
        } else {
            let apart = std::mem::replace(&mut *freed, place.offset..place.offset + bytes);
            self.give_back(apart);
        }
        let waits = self.file.live_bytes() / FREED_SHARE;
        if freed.end - freed.start >= waits.clamp(*FREED_BYTES.start(), *FREED_BYTES.end()) {
            self.give_back(std::mem::take(&mut *freed));
        }
    }

    /// Gives back what waits for its neighbours.
    pub(super) fn free_all(&self) {
        let mut freed = self.freed.lock().unwrap_or_else(PoisonError::into_inner);
        self.give_back(std::mem::take(&mut *freed));
    }

    fn give_back(&self, extent: Range<u64>) {
        if !extent.is_empty() {
            // A write that is still on its way would take the place again. Whether it succeeded
            // does not matter any more.
            let _not_read_again = self.settle_until(extent.end);
            self.file.free(extent.start, extent.end - extent.start);
        }
    }
}

impl Writer {
    fn new(consumer: &Consumer, chunk_bytes: usize, codec: Codec) -> Result<Self> {
        let reservation = consumer.try_reserve(AlignedBytes::cost_bytes(chunk_bytes) as u64)?;
        // Blocks are compressed one by one; the lane's chunks hold several.
        let packer = Packer::new(codec, PAYLOAD_BYTES, consumer)?;
        let lane = WriteLane::start(consumer, chunk_bytes, SPARES, Codec::None)?;
        let chunk = Some(AlignedBytes::zeroed(chunk_bytes));
        Ok(Self { lane, chunk, packer, used: 0, start: 0, _reservation: reservation })
    }

    fn send(&mut self, file: &Arc<SpillFile>, shift: usize) -> Result<()> {
        if self.used == 0 {
            return Ok(());
        }
        let full = self.chunk.take().ok_or_else(died)?;
        let used = std::mem::take(&mut self.used);
        self.chunk =
            Some(self.lane.exchange(file.clone(), self.start, full, shift..shift + used)?);
        Ok(())
    }
}

/// Puts the payload behind the header's room, compressed where that saves a sector.
fn fill(packer: &mut Option<Packer>, room: &mut [u8], payload: &[u8], records: u32) -> Header {
    let packed = packer.as_mut().and_then(|packer| packer.pack(payload));
    let (codec, stored) = packed.unwrap_or((Codec::None, payload));
    room[HEADER_BYTES..HEADER_BYTES + stored.len()].copy_from_slice(stored);
    let (stored, payload) = (narrow(stored.len()), narrow(payload.len()));
    Header { codec: codec.number(), stored, payload, records }
}

fn died() -> Error {
    Error::io("writing spilled blocks", std::io::Error::other("an earlier block was not written"))
}
