//! The fixed stretch of the input a reader looks at.
//!
//! ```text
//!   bytes  |..consumed..|..unread..........|..room..|
//!          0            start              end      capacity = line_bytes_max + 2 * READ_BYTES
//!                       offset in the file
//! ```
//!
//! What is unread moves to the front when it is short, so that a file of short records is parsed
//! inside the same few cached pages, or when there is no room left for a whole read.
//!
//! Promises: one allocation, made once; at least one whole line of the longest allowed fits.
//! Never: a byte given out twice or skipped.

use super::source::Source;
use crate::error::{Error, Result};
use crate::limits::READ_BYTES;

/// Unread bytes up to this many are moved at once: cheaper than touching new pages.
const MOVE_BYTES_MAX: usize = 4 << 10;

pub(super) struct Window {
    source: Source,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// Offset of `start` in the decompressed input.
    offset: u64,
    at_end: bool,
}

impl Window {
    /// Bytes held for lines up to `line_bytes_max`.
    pub(super) const fn capacity(line_bytes_max: usize) -> usize {
        line_bytes_max + 2 * READ_BYTES
    }

    /// A window over `source` behind a UTF-8 byte order mark, where there is one.
    pub(super) fn open(source: Source, line_bytes_max: usize) -> Result<Self> {
        let mut window = Self {
            source,
            bytes: vec![0; Self::capacity(line_bytes_max)].into(),
            start: 0,
            end: 0,
            offset: 0,
            at_end: false,
        };
        while window.end < 3 && !window.at_end {
            window.fill()?;
        }
        match window.unread() {
            [0xef, 0xbb, 0xbf, ..] => window.consume(3),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                return Err(Error::invalid(
                    "the input is UTF-16; UTF-8 is read: convert it first, e.g. with \
                     iconv -f UTF-16 -t UTF-8",
                ));
            }
            _ => {}
        }
        Ok(window)
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Whether the source has no more bytes than are unread.
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    /// Offset of the first unread byte in the decompressed input.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        assert!(bytes <= self.end - self.start, "only what is there is consumed");
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads once. Afterwards there is more unread, or the end is known.
    pub(super) fn fill(&mut self) -> Result<()> {
        let unread = self.end - self.start;
        let room = self.bytes.len() - self.end;
        if self.start > 0 && (unread <= MOVE_BYTES_MAX || room < READ_BYTES) {
            self.bytes.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = unread;
        }
        let to = self.bytes.len().min(self.end + READ_BYTES);
        assert!(to > self.end, "a line within its bound leaves room");
        let got = self.source.read(&mut self.bytes[self.end..to])?;
        self.end += got;
        self.at_end = got == 0;
        Ok(())
    }

    /// Skips forward to `offset`, by reading.
    pub(super) fn skip_to(&mut self, offset: u64) -> Result<()> {
        if offset < self.offset {
            return Err(Error::invalid(format!(
                "cannot resume at byte {offset}: {} bytes are read already; open the input again",
                self.offset
            )));
        }
        loop {
            let unread = self.end - self.start;
            let left = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            self.consume(left.min(unread));
            if left <= unread {
                return Ok(());
            }
            if self.at_end {
                return Err(Error::invalid(format!(
                    "cannot resume at byte {offset}: the input has only {}; it is not the file \
                     that was begun",
                    self.offset
                )));
            }
            self.fill()?;
        }
    }
}
