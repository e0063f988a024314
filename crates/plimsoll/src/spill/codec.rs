//! Names and numbers of the codecs of spilled blocks.
//!
//! Promises: a number once given is never another codec's.
//! Never: a codec's work; that is the packer's and the unpacker's.

use super::packing::Expander;

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

    /// Of two, the one whose decompressing takes more memory.
    pub(crate) fn heavier(self, other: Self) -> Self {
        let bytes = |codec: Self| (Expander::cost_bytes(codec), codec.number());
        if bytes(other) > bytes(self) { other } else { self }
    }

    /// The word that names it in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::None, Self::Lz4, Self::Zstd, Self::Gzip].get(usize::from(number)).copied()
    }
}
