//! The input of a sort while it is read, and what reading it holds.
//!
//! ```text
//!   open ──> header, types known ──> segments ──> end: all of it is given back
//!   held:    the longest header      this header
//! ```
//!
//! Promises: reserved before it is read; what only opening needs is given back at once.
//! Never: two scans of one input at a time.

use std::io::Read;

use super::row_filter::RowFilter;
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::scan::{ScanOptions, ScanStart, Segments};

/// An input that is open for generators. Each of them reserves a worker's bytes itself.
pub(super) struct Scanning {
    pub(super) segments: Segments,
    options: ScanOptions,
    source_bytes: usize,
    consumer: Consumer,
    held: Reservation,
}

impl Scanning {
    /// Reads the beginning of `bytes`, whose source holds `source_bytes`.
    pub(super) fn open(
        bytes: Box<dyn Read + Send>,
        options: ScanOptions,
        source_bytes: usize,
        consumer: &Consumer,
    ) -> Result<Self> {
        let cost = (options.workspace_bytes() + source_bytes) as u64;
        let mut held = consumer.try_reserve(cost)?;
        let segments = Segments::open(bytes, options.clone())?;
        // The types are found by a worker's means, and most of what was held for the header's
        // sake was not needed.
        let unused = options.header_bytes_max().saturating_sub(2 * segments.header().len());
        held.shrink((unused + options.worker_bytes()) as u64);
        Ok(Self { segments, options, source_bytes, consumer: consumer.clone(), held })
    }

    /// The same input, read from another place on by `bytes`.
    pub(super) fn enter(
        self,
        bytes: Box<dyn Read + Send>,
        input_offset: u64,
        line: u64,
    ) -> Result<Self> {
        let Self { segments, mut options, source_bytes, consumer, held } = self;
        let header = segments.header().into();
        options.start = Some(ScanStart { input_offset, line, header });
        let kinds = segments.columns().iter().cloned().zip(segments.kinds().iter());
        options.kinds = kinds.map(|(name, kind)| (name, *kind)).collect();
        drop(segments);
        drop(held);
        Self::open(bytes, options, source_bytes, &consumer)
    }

    /// What it holds, in bytes.
    pub(super) fn held_bytes(&self) -> u64 {
        self.held.bytes()
    }

    /// What each generator holds for it and for its test of rows, in bytes.
    pub(super) fn worker_bytes(&self, filter: &RowFilter) -> usize {
        self.options.worker_bytes() + filter.bytes(self.options.record_bytes_max)
    }

    /// Ends the reading. The header stays, and is charged.
    pub(super) fn into_header(self) -> (Vec<u8>, Reservation) {
        let Self { segments, mut held, .. } = self;
        let header = segments.header().to_vec();
        drop(segments);
        let rest = held.bytes().saturating_sub(header.len() as u64);
        held.shrink(rest);
        (header, held)
    }
}
