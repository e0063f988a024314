//! An input and how it is read, and what scanning it holds.
//!
//! Promises: what a scan holds is reserved before it is opened, and given back with it.
//! Never: standard input opened twice; who needs an input again asks first.

use super::input::{Input, OpenInput};
use super::sort::scan_bytes;
use super::tool::Tool;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::format::{Delimiter, Format};
use crate::limits::LINE_BYTES_MAX;
use crate::scan::{ScanOptions, Segments};
use crate::sort::WORKERS_MAX;
use crate::units::ByteSize;

/// A worker's memory for one segment: its index and counts stay in a core's second cache.
const SEGMENT_BYTES: usize = 512 << 10;

/// A segment takes at most one part of so many of the workspace.
const SEGMENT_SHARE: u64 = 32;
/// Beyond the longest record, for its line end.
const SEGMENT_SLACK_BYTES: usize = 4 << 10;

/// A sample below this says little about the types.
const SNIFF_BYTES_MIN: usize = 256 << 10;

/// An input and how it is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// From where.
    pub input: Input,
    /// CSV or NDJSON.
    pub format: Format,
    /// Between fields of CSV.
    pub delimiter: Delimiter,
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
}

impl Reading {
    /// Reads `input` as its name tells, fields separated by commas.
    #[must_use]
    pub fn new(input: Input) -> Self {
        let format = input.format();
        let (delimiter, record_bytes_max) = (Delimiter::Comma, LINE_BYTES_MAX);
        Self { input, format, delimiter, record_bytes_max }
    }

    fn options(&self) -> ScanOptions {
        let mut options = ScanOptions::new(self.format);
        options.delimiter = self.delimiter;
        options.record_bytes_max = self.record_bytes_max;
        options.sniff_bytes = options.sniff_bytes.min(self.record_bytes_max.max(SNIFF_BYTES_MIN));
        options
    }

    /// Room in which any record that is allowed fits.
    pub(super) fn segment_bytes(&self, tool: &Tool<'_>) -> usize {
        let share = usize::try_from(tool.workspace_bytes / SEGMENT_SHARE).unwrap_or(usize::MAX);
        share.min(SEGMENT_BYTES).max(self.record_bytes_max.saturating_add(SEGMENT_SLACK_BYTES))
    }

    /// Opens it for the tool's threads, or as many as half of the workspace lets scan.
    pub(super) fn open(&self, tool: &Tool<'_>) -> Result<Scanned> {
        let OpenInput { bytes, bytes_len, source_bytes, .. } = self.input.open()?;
        let options = self.options();
        let mut workers = tool.threads.clamp(1, WORKERS_MAX);
        let cost = |workers: usize| scan_bytes(&options, source_bytes, workers);
        while workers > 1 && cost(workers) > tool.workspace_bytes / 2 {
            workers -= 1;
        }
        let least = cost(workers) + self.segment_bytes(tool) as u64;
        check_room(tool, least, self.record_bytes_max)?;
        let held = tool.consumer.try_reserve(cost(workers))?;
        let segments = Segments::open(bytes, options)?;
        Ok(Scanned { segments, bytes_len, workers, held })
    }
}

/// Refuses a workspace in which records up to the longest one cannot be read.
pub(super) fn check_room(tool: &Tool<'_>, least: u64, record_bytes_max: usize) -> Result<()> {
    if least <= tool.workspace_bytes {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "reading records of up to {} needs a workspace of {} at least, and it is {}; raise the \
         memory limit, or lower the longest record (--record-max)",
        ByteSize::new(record_bytes_max as u64),
        ByteSize::new(least),
        ByteSize::new(tool.workspace_bytes)
    )))
}

/// An input that is open for workers.
pub(super) struct Scanned {
    pub(super) segments: Segments,
    /// Bytes of a plain file.
    pub(super) bytes_len: Option<u64>,
    /// Workers it may have.
    pub(super) workers: usize,
    held: Reservation,
}

impl Scanned {
    /// What the scan holds.
    pub(super) fn cost_bytes(&self) -> u64 {
        self.held.bytes()
    }
}
