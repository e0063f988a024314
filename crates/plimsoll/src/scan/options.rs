//! How an input is scanned, and what scanning it holds.
//!
//! Promises: the bytes a scan holds are known before it is opened.
//! Never: a bound that cannot be kept; it is refused.

use super::index::INDEX_BYTES;
use super::ndjson::Slot;
use super::segments::PIECE_BYTES;
use crate::error::{Error, Result};
use crate::format::{Delimiter, Format};
use crate::limits::{COLUMNS_MAX, LINE_BYTES_MAX, NAME_BYTES_MAX, SNIFF_BYTES};
use crate::record::ColumnType;

/// How an input is scanned.
#[derive(Clone, Debug)]
pub struct ScanOptions {
    /// [`Format::Csv`] or [`Format::Ndjson`]; a JSON array has no records to cut between.
    pub format: Format,
    /// Between two fields of CSV.
    pub delimiter: Delimiter,
    /// Types by name that are not to be sniffed.
    pub kinds: Vec<(Box<str>, ColumnType)>,
    /// Longest record in bytes; [`LINE_BYTES_MAX`] by default.
    pub record_bytes_max: usize,
    /// What is read before the first record is given out, to find types in.
    pub sniff_bytes: usize,
    /// Where the input given begins, if not at its first byte.
    pub start: Option<ScanStart>,
}

/// A place between two records, for an input whose earlier bytes are not given. The types are
/// sniffed from there on: give [`ScanOptions::kinds`] where they must be those of the beginning.
#[derive(Clone, Debug)]
pub struct ScanStart {
    /// Offset of the first byte given, as in [`super::Segment::input_end`].
    pub input_offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// The CSV header, as [`super::Segments::header`] gave it; empty for NDJSON.
    pub header: Box<[u8]>,
}

impl ScanOptions {
    /// A scan of `format` from its first byte, with everything sniffed.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            delimiter: Delimiter::Comma,
            kinds: Vec::new(),
            record_bytes_max: LINE_BYTES_MAX,
            sniff_bytes: SNIFF_BYTES,
            start: None,
        }
    }

    /// Bytes a [`super::Segments`] holds, for the caller's reservation: what a call left over, the
    /// header and the names.
    #[must_use]
    pub const fn workspace_bytes(&self) -> usize {
        // The types are found by a worker's means.
        self.tail_bytes()
            + self.header_bytes_max()
            + self.worker_bytes()
            + COLUMNS_MAX * (NAME_BYTES_MAX + size_of::<Box<str>>() + size_of::<ColumnType>())
    }

    /// What of these is for the header: it is held as it stands and decoded while its names are
    /// looked at, and found in the sample or nowhere.
    pub(crate) const fn header_bytes_max(&self) -> usize {
        let longest = if self.record_bytes_max < self.sniff_bytes {
            self.record_bytes_max
        } else {
            self.sniff_bytes
        };
        2 * longest
    }

    /// Bytes a [`super::Records`] holds, for the caller's reservation: one per worker.
    #[must_use]
    pub const fn worker_bytes(&self) -> usize {
        match self.format {
            Format::Csv => INDEX_BYTES + COLUMNS_MAX * size_of::<u32>(),
            // Decoded text and the parser's own buffer for it; both grow by doubling.
            Format::Ndjson | Format::Json => {
                4 * self.record_bytes_max + COLUMNS_MAX * (NAME_BYTES_MAX + 2 * size_of::<Slot>())
            }
        }
    }

    /// What is left over is a record that is cut, and whole records of one piece that did not fit.
    pub(super) const fn tail_bytes(&self) -> usize {
        let cut = self.record_bytes_max + PIECE_BYTES;
        if cut > self.sniff_bytes { cut } else { self.sniff_bytes }
    }

    /// A bound that makes no sense is refused before anything is allocated for it.
    pub(super) fn check(&self) -> Result<()> {
        const ALLOWED: std::ops::RangeInclusive<usize> = 256..=1 << 30;
        if self.format == Format::Json {
            return Err(Error::invalid(
                "a JSON array cannot be scanned in parts: give csv or ndjson, or convert it first",
            ));
        }
        let bytes = self.record_bytes_max;
        if ALLOWED.contains(&bytes) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "record_bytes_max is {bytes}; it must be from {} to {}",
            ALLOWED.start(),
            ALLOWED.end()
        )))
    }
}
