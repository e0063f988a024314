//! A block: header and payload, in whole sectors.
//!
//! ```text
//!   0        4        5      6      8            12             16        20       24       32
//!   | "PLSB" | version| codec| zero | stored u32 | payload u32 | crc u32  | rows u32| tag u64|
//!   | stored bytes: the payload, compressed as codec says | zeros up to the next sector      |
//! ```
//!
//! All numbers are little-endian. The checksum is CRC-32 (IEEE) over the header with zeros in its
//! own place, and the stored bytes. The tag is the file's, XOR the block's offset: a block read
//! from another place, or left by another process, does not pass.
//!
//! Promises: lengths are believed only after they fit what was read and the checksum is right.
//! Never: an allocation by a length from disk.

use crate::error::{Error, Result};
use crate::storage::{SECTOR_BYTES, sectors};

/// Bytes before the stored payload.
pub(crate) const HEADER_BYTES: usize = 32;
const MAGIC: [u8; 4] = *b"PLSB";
const VERSION: u8 = 1;
const CRC_AT: usize = 16;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) codec: u8,
    /// Bytes behind the header.
    pub(crate) stored: u32,
    /// Bytes they are when decompressed.
    pub(crate) payload: u32,
    pub(crate) records: u32,
}

/// Completes a block whose payload stands behind the header's room in `block`; returns the bytes
/// to write, a multiple of the sector.
pub(crate) fn seal(block: &mut [u8], header: Header, tag: u64) -> usize {
    let end = HEADER_BYTES + header.stored as usize;
    let whole = sectors(end);
    block[end..whole].fill(0);
    block[..4].copy_from_slice(&MAGIC);
    block[4] = VERSION;
    block[5] = header.codec;
    block[6..8].fill(0);
    block[8..12].copy_from_slice(&header.stored.to_le_bytes());
    block[12..16].copy_from_slice(&header.payload.to_le_bytes());
    block[CRC_AT..20].fill(0);
    block[20..24].copy_from_slice(&header.records.to_le_bytes());
    block[24..HEADER_BYTES].copy_from_slice(&tag.to_le_bytes());
    let crc = crc32fast::hash(&block[..end]);
    block[CRC_AT..20].copy_from_slice(&crc.to_le_bytes());
    whole
}

/// Checks a block that was read whole.
pub(crate) fn open(block: &mut [u8], tag: u64) -> Result<Header, &'static str> {
    if block.len() < SECTOR_BYTES || block[..4] != MAGIC {
        return Err("it does not begin as a block does");
    }
    if block[4] != VERSION {
        return Err("it is of another version");
    }
    let number = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().expect("four bytes"));
    let header =
        Header { codec: block[5], stored: number(8), payload: number(12), records: number(20) };
    let crc = number(CRC_AT);
    let end = HEADER_BYTES + header.stored as usize;
    if end > block.len() {
        return Err("its length is beyond its place");
    }
    block[CRC_AT..20].fill(0);
    let right = crc32fast::hash(&block[..end]) == crc;
    block[CRC_AT..20].copy_from_slice(&crc.to_le_bytes());
    if !right {
        return Err("its checksum is wrong");
    }
    if block[24..HEADER_BYTES] != tag.to_le_bytes() {
        return Err("it belongs to another place");
    }
    Ok(header)
}

/// The error of a block at `place`.
pub(crate) fn refuse(place: &str, why: &str) -> Error {
    Error::corrupt(format!(
        "the spilled block in {place} cannot be used: {why}; the disk or another process changed \
         it, so run the command again"
    ))
}
