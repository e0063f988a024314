//! Which compression a file's first bytes show.
//!
//! Promises: a compression that is known and not read here is named, not taken for text.
//! Never: a file's name.

use crate::error::{Error, Result};
use crate::limits::ZSTD_WINDOW_LOG_MAX;

/// How the input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 8878, any number of frames.
    Zstd,
}

/// The compression that a file's first bytes show.
pub(super) fn recognise(prefix: &[u8]) -> Result<Compression> {
    match prefix {
        [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, header @ ..] => {
            let window = zstd_window_bytes(header).unwrap_or(0);
            if window > 1 << ZSTD_WINDOW_LOG_MAX {
                return Err(window_too_large(&format!("{window} bytes")));
            }
            Ok(Compression::Zstd)
        }
        // A skippable frame: zstd's parallel tools put one first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Compression::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Err(not_read("xz")),
        [b'P', b'K', 3, 4, ..] => Err(not_read("zip (also .xlsx and .ods)")),
        [b'B', b'Z', b'h', _, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Err(not_read("bzip2")),
        _ => Ok(Compression::None),
    }
}

fn not_read(name: &str) -> Error {
    Error::invalid(format!(
        "the input is {name}; gzip, zstd and plain text are read: unpack it first"
    ))
}

pub(super) fn window_too_large(asked: &str) -> Error {
    Error::too_large(format!(
        "the zstd frame needs a window of {asked} where {} bytes are allowed: compress it again \
         with a level of 19 or less and without --long",
        1_u64 << ZSTD_WINDOW_LOG_MAX
    ))
}

/// The window a frame header asks for (RFC 8878, section 3.1.1.1), from behind the magic number.
/// A frame of a single segment has none and needs its whole content instead.
fn zstd_window_bytes(header: &[u8]) -> Option<u64> {
    let descriptor = *header.first()?;
    if descriptor & 0x20 == 0 {
        let byte = u64::from(*header.get(1)?);
        let base = 1_u64 << (10 + (byte >> 3));
        return Some(base + base / 8 * (byte & 7));
    }
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let field = header.get(1 + dictionary_bytes..)?.get(..size_bytes)?;
    let mut wide = [0; 8];
    wide[..size_bytes].copy_from_slice(field);
    Some(u64::from_le_bytes(wide))
}
