//! Compression of spilled blocks.
//!
//! Promises: a block that compression does not make smaller by a sector is stored as it is.
//! Never: a decompressed length beyond what the block's header announced.

use std::io::{Read as _, Write as _};

/// How blocks are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// Not at all: right where the disk is faster than a codec, as NVMe is.
    #[default]
    None,
    /// LZ4 block format: about 0.6 GB/s a core, halves text.
    Lz4,
    /// Zstandard at level 1.
    Zstd,
    /// gzip at level 1: for comparison; slower and larger than zstd.
    Gzip,
}

impl Codec {
    /// The codec a setting's word names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "lz4" => Self::Lz4,
            "zstd" => Self::Zstd,
            "gzip" => Self::Gzip,
            _ => return None,
        })
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::None, Self::Lz4, Self::Zstd, Self::Gzip].get(usize::from(number)).copied()
    }

    /// Compresses `plain` into `out`; `None` when it does not fit there.
    pub(crate) fn compress(self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Lz4 => lz4_flex::block::compress_into(plain, out).ok(),
            Self::Zstd => zstd::bulk::compress_to_buffer(plain, out, 1).ok(),
            Self::Gzip => {
                let room = out.len();
                let mut rest: &mut [u8] = out;
                let level = flate2::Compression::fast();
                let mut encoder = flate2::write::GzEncoder::new(&mut rest, level);
                encoder.write_all(plain).ok()?;
                encoder.finish().ok()?;
                Some(room - rest.len())
            }
        }
    }

    /// Decompresses `stored` into exactly `plain`.
    pub(crate) fn decompress(self, stored: &[u8], plain: &mut [u8]) -> Result<(), &'static str> {
        let wrong = "it does not decompress";
        let whole = match self {
            Self::None => {
                stored.len() == plain.len() && {
                    plain.copy_from_slice(stored);
                    true
                }
            }
            Self::Lz4 => {
                lz4_flex::block::decompress_into(stored, plain).map_err(|_| wrong)? == plain.len()
            }
            Self::Zstd => {
                zstd::bulk::decompress_to_buffer(stored, plain).map_err(|_| wrong)? == plain.len()
            }
            Self::Gzip => {
                flate2::read::GzDecoder::new(stored).read_exact(plain).map_err(|_| wrong)?;
                true
            }
        };
        if whole { Ok(()) } else { Err(wrong) }
    }
}
