//! How a reader reads, and what it holds.
//!
//! Promises: the bytes a reader holds are known before it is built.
//! Never: a bound that cannot be kept; it is refused.

use super::record::Span;
use super::window::Window;
use super::{Delimiter, Format};
use crate::error::{Error, Result};
use crate::limits::{COLUMNS_MAX, LINE_BYTES_MAX, NAME_BYTES_MAX};

/// How a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Longest record in bytes; [`LINE_BYTES_MAX`] by default.
    pub line_bytes_max: usize,
    /// Between two fields of CSV; a comma by default.
    pub delimiter: Delimiter,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { line_bytes_max: LINE_BYTES_MAX, delimiter: Delimiter::Comma }
    }
}

impl ReaderOptions {
    /// Bytes a reader of `format` holds at most, beside its source: a window for the longest
    /// record, the same again for decoded text, names and field positions; of JSON also the
    /// parser's own buffer, which doubles up to the longest record.
    ///
    /// ```
    /// use plimsoll::format::{Format, ReaderOptions};
    /// assert!(ReaderOptions::default().workspace_bytes(Format::Csv) < 3 << 20);
    /// ```
    #[must_use]
    pub const fn workspace_bytes(&self, format: Format) -> usize {
        let lines = match format {
            Format::Csv => 1,
            Format::Ndjson | Format::Json => 3,
        };
        Window::capacity(self.line_bytes_max)
            + lines * self.line_bytes_max
            + COLUMNS_MAX * (NAME_BYTES_MAX + 2 * size_of::<Span>() + size_of::<Box<str>>())
    }

    /// A bound that makes no sense is refused before anything is allocated for it.
    pub(super) fn check(&self) -> Result<()> {
        const ALLOWED: std::ops::RangeInclusive<usize> = 256..=1 << 30;
        let bytes = self.line_bytes_max;
        if ALLOWED.contains(&bytes) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "line_bytes_max is {bytes}; it must be from {} to {}",
            ALLOWED.start(),
            ALLOWED.end()
        )))
    }
}
