//! Compressing and decompressing in memory that was reserved once.
//!
//! ```text
//!   maker ── payload ──> Packer ─┬─ smaller by a sector ──> its bytes, to be stored instead
//!                                └─ otherwise ────────────> nothing: stored as it is
//!   stored bytes ──> Unpacker ──> a room of exactly the payload's length
//! ```
//!
//! Promises: one packer a lane and one unpacker a reading thread, whatever the number of writers
//! and readers; what they hold is reserved, the codec's own state included.
//! Never: a decompressed length beyond the room.

use std::io::{Read as _, Write as _};
use std::ops::Range;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::block::HEADER_BYTES;
use super::codec::Codec;
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::storage::{AlignedBytes, sectors};

/// LZ4's hash table.
const LZ4_STATE_BYTES: usize = 20 << 10;
/// Zstandard's compressing context at level 1, which grows with the payload; a test measures it.
const ZSTD_STATE_BYTES: std::ops::RangeInclusive<usize> = 64 << 10..=640 << 10;
const ZSTD_STATE_SHARE: usize = 12;
/// What gzip's compressor allocates for a block, and gives back after it.
const GZIP_STATE_BYTES: usize = 384 << 10;
/// Zstandard's decompressing context; a test measures it.
const ZSTD_UNPACKING_BYTES: usize = 176 << 10;
/// gzip's window and tables.
const GZIP_UNPACKING_BYTES: usize = 64 << 10;
/// Level of Zstandard: the fastest that has no minus.
const ZSTD_LEVEL: i32 = 1;

/// Compresses payloads of a bounded length.
pub(crate) struct Packer {
    state: Packing,
    room: Vec<u8>,
    _reservation: Reservation,
}

enum Packing {
    Lz4(CompressTable),
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip,
}

impl Packer {
    /// A packer for payloads of up to `payload_bytes`; `None` for no codec.
    pub(crate) fn new(
        codec: Codec,
        payload_bytes: usize,
        consumer: &Consumer,
    ) -> Result<Option<Self>> {
        let reservation = consumer.try_reserve(Self::cost_bytes(codec, payload_bytes) as u64)?;
        let state = match codec {
            Codec::None => return Ok(None),
            Codec::Lz4 => Packing::Lz4(CompressTable::large()),
            Codec::Zstd => {
                let context = zstd::bulk::Compressor::new(ZSTD_LEVEL);
                Packing::Zstd(context.map_err(|e| Error::io("starting Zstandard", e))?)
            }
            Codec::Gzip => Packing::Gzip,
        };
        let room = vec![0; room_bytes(codec, payload_bytes)];
        Ok(Some(Self { state, room, _reservation: reservation }))
    }

    /// What one costs, in bytes.
    pub(crate) const fn cost_bytes(codec: Codec, payload_bytes: usize) -> usize {
        let state = match codec {
            Codec::None => 0,
            Codec::Lz4 => LZ4_STATE_BYTES,
            Codec::Zstd => zstd_state_bytes(payload_bytes),
            Codec::Gzip => GZIP_STATE_BYTES,
        };
        state + room_bytes(codec, payload_bytes)
    }

    /// The payload's codec and bytes, where they take a sector less on disk.
    pub(crate) fn pack(&mut self, payload: &[u8]) -> Option<(Codec, &[u8])> {
        let room = &mut self.room[..];
        let (codec, stored) = match &mut self.state {
            Packing::Lz4(table) => {
                (Codec::Lz4, compress_into_with_table(payload, room, table).ok()?)
            }
            Packing::Zstd(context) => {
                (Codec::Zstd, context.compress_to_buffer(payload, room).ok()?)
            }
            Packing::Gzip => (Codec::Gzip, gzip(payload, room)?),
        };
        let saves = sectors(HEADER_BYTES + stored) < sectors(HEADER_BYTES + payload.len());
        saves.then(|| (codec, &self.room[..stored]))
    }
}

const fn zstd_state_bytes(payload_bytes: usize) -> usize {
    let (least, most) = (*ZSTD_STATE_BYTES.start(), *ZSTD_STATE_BYTES.end());
    let bytes = least + ZSTD_STATE_SHARE * payload_bytes;
    if bytes < most { bytes } else { most }
}

/// Where a compressed payload goes. LZ4 does not begin without room for the worst case; the
/// others stop where the room ends, and the payload is stored as it is.
const fn room_bytes(codec: Codec, payload_bytes: usize) -> usize {
    match codec {
        Codec::None => 0,
        Codec::Lz4 => get_maximum_output_size(payload_bytes),
        Codec::Zstd | Codec::Gzip => payload_bytes,
    }
}

fn gzip(payload: &[u8], room: &mut [u8]) -> Option<usize> {
    let whole = room.len();
    let mut rest = room;
    let mut encoder = flate2::write::GzEncoder::new(&mut rest, flate2::Compression::fast());
    encoder.write_all(payload).ok()?;
    encoder.finish().ok()?;
    Some(whole - rest.len())
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packer").field("room", &self.room.len()).finish_non_exhaustive()
    }
}

/// Decompresses payloads, one after another, with a context that is made when it is first needed.
#[derive(Default)]
pub(crate) struct Expander {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Expander {
    /// What one holds for payloads of this codec, in bytes: to be reserved by its owner.
    pub(crate) const fn cost_bytes(codec: Codec) -> usize {
        match codec {
            Codec::None | Codec::Lz4 => 0,
            Codec::Zstd => ZSTD_UNPACKING_BYTES,
            Codec::Gzip => GZIP_UNPACKING_BYTES,
        }
    }

    /// Decompresses `stored` into exactly `plain`.
    pub(crate) fn expand(
        &mut self,
        codec: Codec,
        stored: &[u8],
        plain: &mut [u8],
    ) -> Result<(), &'static str> {
        let wrong = "it does not decompress";
        let bytes = match codec {
            Codec::None => return Err("it is longer than it says"),
            Codec::Lz4 => lz4_flex::block::decompress_into(stored, plain).map_err(|_| wrong)?,
            Codec::Zstd => {
                let context = match &mut self.zstd {
                    Some(context) => context,
                    none => none.insert(zstd::bulk::Decompressor::new().map_err(|_| wrong)?),
                };
                context.decompress_to_buffer(stored, plain).map_err(|_| wrong)?
            }
            Codec::Gzip => {
                let mut reader = flate2::read::GzDecoder::new(stored);
                reader.read_exact(plain).map_err(|_| wrong)?;
                plain.len()
            }
        };
        if bytes == plain.len() { Ok(()) } else { Err(wrong) }
    }
}

impl std::fmt::Debug for Expander {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Expander").field("zstd", &self.zstd.is_some()).finish()
    }
}

/// Decompresses blocks of a bounded length, each in exchange for the room it was read to.
#[derive(Debug)]
pub(crate) struct Unpacker {
    /// Stored bytes, while their payload goes where they were read to.
    stored: AlignedBytes,
    expander: Expander,
    _reservation: Reservation,
}

impl Unpacker {
    /// An unpacker for blocks that take `room_bytes` in memory and are compressed by `codec`;
    /// `None` for no codec, and nothing is held.
    pub(crate) fn new(
        room_bytes: usize,
        codec: Codec,
        consumer: &Consumer,
    ) -> Result<Option<Self>> {
        if codec == Codec::None {
            return Ok(None);
        }
        let reservation = consumer.try_reserve(Self::cost_bytes(room_bytes, codec) as u64)?;
        let stored = AlignedBytes::zeroed(room_bytes);
        Ok(Some(Self { stored, expander: Expander::default(), _reservation: reservation }))
    }

    /// What one costs, in bytes.
    pub(crate) const fn cost_bytes(room_bytes: usize, codec: Codec) -> usize {
        match codec {
            Codec::None => 0,
            _ => AlignedBytes::cost_bytes(room_bytes) + Expander::cost_bytes(codec),
        }
    }

    /// Takes the room with the stored bytes in exchange for one of the same size, and
    /// decompresses into that. `stored` is where the bytes are, `payload` where they go.
    pub(crate) fn unpack(
        &mut self,
        codec: Codec,
        room: &mut AlignedBytes,
        stored: Range<usize>,
        payload: Range<usize>,
    ) -> Result<(), &'static str> {
        if self.stored.len() != room.len() || payload.end > room.len() {
            return Err("its payload is longer than its run says");
        }
        std::mem::swap(room, &mut self.stored);
        self.expander.expand(codec, &self.stored[stored], &mut room[payload])
    }
}

#[cfg(test)]
mod tests;
