//! A segment of the cold tier while it is filled in memory.
//!
//! ```text
//!   segment  | page 4 KiB      | page 4 KiB      | block of one large record | ...
//!   page     header 32 | record | record | room
//!   record   sequence u64 | key u32 | value u32 | key | value
//! ```
//! Small records share a page, so that a look reads one sector; a larger one has a block alone.
//! Pages and blocks are the spill's: header, checksum, tag of file and place.
//!
//! Promises: a record can be read while the segment is still in memory; one that is read back
//! names the put it belongs to, so that what an earlier use of the place left is noticed.
//! Never: a record across two blocks.

use crate::error::Result;
use crate::spill::block::{self, HEADER_BYTES, Header};
use crate::spill::{BlockTarget as _, Codec, SpillFile};
use crate::storage::{AlignedBytes, SECTOR_BYTES, sectors};

/// Bytes before a record's key.
const RECORD_BYTES: usize = 16;

fn record_bytes(key: usize, value: usize) -> usize {
    RECORD_BYTES + key + value
}

/// Bytes of the block that a record of this size is in.
pub(super) fn block_bytes(key: usize, value: usize) -> usize {
    sectors(HEADER_BYTES + record_bytes(key, value))
}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("segments are below 4 GiB")
}

/// What a record on disk or in memory has to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) sequence: u64,
    pub(super) key: &'a [u8],
    pub(super) value_bytes: usize,
}

impl Wanted<'_> {
    /// The value of the record that begins at `at`; `None` where another one is there.
    pub(super) fn value_at<'a>(&self, bytes: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let record = bytes.get(at..)?;
        let key = RECORD_BYTES..RECORD_BYTES + self.key.len();
        let value = key.end..key.end + self.value_bytes;
        let same = record.get(..8)? == self.sequence.to_le_bytes()
            && record.get(8..12)? == narrow(self.key.len()).to_le_bytes()
            && record.get(12..16)? == narrow(self.value_bytes).to_le_bytes()
            && record.get(key)? == self.key;
        if same { record.get(value) } else { None }
    }
}

#[derive(Debug)]
pub(super) struct Filling {
    buffer: AlignedBytes,
    pub(super) segment: u32,
    /// Where in the file the segment begins.
    offset: u64,
    tag: u64,
    /// The first byte after the last closed block.
    closed: usize,
    /// The first free byte of the open page.
    used: usize,
    records: u32,
}

impl Filling {
    pub(super) fn new(buffer: AlignedBytes, segment: u32, offset: u64, tag: u64) -> Self {
        Self { buffer, segment, offset, tag, closed: 0, used: HEADER_BYTES, records: 0 }
    }

    pub(super) fn into_buffer(self) -> AlignedBytes {
        self.buffer
    }

    /// Puts a record in; where it begins, or `None` when there is no room.
    pub(super) fn append(&mut self, sequence: u64, key: &[u8], value: &[u8]) -> Option<u32> {
        let bytes = record_bytes(key.len(), value.len());
        if self.records > 0 && self.used + bytes > self.closed + SECTOR_BYTES {
            self.close();
        }
        let whole = block_bytes(key.len(), value.len());
        if self.closed + whole > self.buffer.len() {
            return None;
        }
        let at = self.used;
        let record = &mut self.buffer[at..at + bytes];
        let (head, rest) = record.split_at_mut(RECORD_BYTES);
        head[..8].copy_from_slice(&sequence.to_le_bytes());
        head[8..12].copy_from_slice(&narrow(key.len()).to_le_bytes());
        head[12..].copy_from_slice(&narrow(value.len()).to_le_bytes());
        rest[..key.len()].copy_from_slice(key);
        rest[key.len()..].copy_from_slice(value);
        self.used += bytes;
        self.records += 1;
        if whole > SECTOR_BYTES {
            self.close();
        }
        Some(narrow(at))
    }

    /// Ends the open page or block.
    pub(super) fn close(&mut self) {
        if self.records == 0 {
            return;
        }
        let payload = narrow(self.used - self.closed - HEADER_BYTES);
        let header = Header {
            codec: Codec::None.number(),
            stored: payload,
            payload,
            records: std::mem::take(&mut self.records),
        };
        let whole = sectors(self.used - self.closed);
        let tag = self.tag ^ (self.offset + self.closed as u64);
        block::seal(&mut self.buffer[self.closed..self.closed + whole], header, tag);
        self.closed += whole;
        self.used = self.closed + HEADER_BYTES;
    }

    pub(super) fn value_at(&self, at: u32, wanted: &Wanted<'_>) -> Option<&[u8]> {
        wanted.value_at(&self.buffer, at as usize)
    }

    /// Writes what is closed.
    pub(super) fn write(&self, file: &SpillFile) -> Result<()> {
        file.write(&self.buffer[..self.closed], self.offset)
    }
}
