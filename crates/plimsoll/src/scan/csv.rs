//! CSV records out of a segment, by the structural index.
//!
//! ```text
//!   fields    | e0 e1 e2 | e0 e1 e2 | ...     N per record, so the N-th end must be
//!   records   |       r0 |       r1 | ...     the record's end: one comparison checks the width
//!   quotes    |          |  q q     | ...     a record with quotes is checked exactly
//! ```
//!
//! Promises: the width of every record is checked, and every quote.
//! Never: a byte looked at twice in a record without quotes.

use std::sync::Arc;

use memchr::memchr_iter;

use super::exact::{refuse, walk};
use super::index::{Index, narrow};
use super::layout::{Layout, too_long};
use super::records::{Fields, RawRecord};
use crate::error::{Error, Result};

pub(super) struct CsvRecords {
    layout: Arc<Layout>,
    index: Index,
    /// Cursors into the index: the next record's first field, itself, and its first quote.
    field: usize,
    record: usize,
    quote: usize,
    /// Where the next record begins, in the segment and by line.
    at: usize,
    line: u64,
    /// Ends of fields of a record that is longer than a batch.
    ends: Vec<u32>,
}

impl CsvRecords {
    pub(super) fn new(layout: &Arc<Layout>) -> Self {
        Self {
            index: Index::new(layout.delimiter),
            field: 0,
            record: 0,
            quote: 0,
            at: 0,
            line: 1,
            ends: Vec::with_capacity(layout.columns.len()),
            layout: Arc::clone(layout),
        }
    }

    pub(super) fn begin(&mut self, first_line: u64) {
        self.index.clear();
        (self.field, self.record, self.quote) = (0, 0, 0);
        self.at = 0;
        self.line = first_line;
    }

    #[inline]
    pub(super) fn next<'a>(&'a mut self, segment: &'a [u8]) -> Result<Option<RawRecord<'a>>> {
        let width = self.layout.columns.len();
        loop {
            if self.record == self.index.records.len() {
                if self.at == segment.len() {
                    return Ok(None);
                }
                self.index.build(segment, self.at);
                (self.field, self.record, self.quote) = (0, 0, 0);
                if self.index.records.len() == 0 {
                    return self.long(segment);
                }
            }
            let start = self.at;
            let last = self.index.records.at(self.record);
            let line_end = last as usize;
            let first = self.field;
            let fits = self.index.fields.all().get(first + width - 1) == Some(&last);
            let quoted = self.index.quotes.at(self.quote) < last;
            let bare = line_end.saturating_sub(1).max(start);
            let text_end = if segment[bare..line_end] == *b"\r" { bare } else { line_end };
            if !fits && text_end == start && width > 1 {
                self.step(line_end, segment.len(), 1);
                self.line += 1;
                continue;
            }
            if !fits || line_end - start > self.layout.record_bytes_max {
                return Err(self.fault(segment));
            }
            let line = self.line;
            self.line += 1;
            if quoted {
                let Some(quote) = self.check_quotes(start, text_end) else {
                    self.line = line;
                    return Err(self.fault(segment));
                };
                self.quote = quote;
                self.line += line_breaks(&segment[start..text_end]);
            }
            self.step(line_end, segment.len(), width);
            let fields = Fields::Csv(&self.index.fields.all()[first..first + width]);
            return Ok(Some(RawRecord { segment, start, text_end, end: self.at, line, fields }));
        }
    }

    /// Goes behind the record whose line end is at `line_end`.
    #[inline]
    fn step(&mut self, line_end: usize, segment_bytes: usize, fields: usize) {
        self.at = (line_end + 1).min(segment_bytes);
        self.record += 1;
        self.field += fields;
    }

    /// Whether each quote of the next record stands at an end of its field or beside another;
    /// then the cursor behind them.
    fn check_quotes(&self, start: usize, text_end: usize) -> Option<usize> {
        let quotes = &self.index.quotes;
        let mut cursor = self.quote;
        let mut from = narrow(start);
        for position in 0..self.layout.columns.len() {
            let to = self.index.fields.at(self.field + position).min(narrow(text_end));
            if quotes.at(cursor) < to {
                if quotes.at(cursor) != from {
                    return None;
                }
                cursor += 1;
                loop {
                    let quote = quotes.at(cursor);
                    if quote >= to {
                        return None;
                    }
                    cursor += 1;
                    if quote + 1 == to {
                        break;
                    }
                    if quotes.at(cursor) != quote + 1 {
                        return None;
                    }
                    cursor += 1;
                }
            }
            from = to + 1;
        }
        Some(cursor)
    }

    /// The next record where it is longer than a batch.
    fn long<'a>(&'a mut self, segment: &'a [u8]) -> Result<Option<RawRecord<'a>>> {
        let width = self.layout.columns.len();
        let (start, line) = (self.at, self.line);
        self.ends.clear();
        let walked = walk(segment, start, self.layout.delimiter, &mut self.ends, width);
        let fits = |text: usize| text - start <= self.layout.record_bytes_max;
        let walked = match walked {
            Ok(walked) if walked.fields == width && fits(walked.text) => walked,
            _ => return Err(self.fault(segment)),
        };
        self.at = walked.taken;
        self.line += 1 + line_breaks(&segment[start..walked.text]);
        let (text_end, end) = (walked.text, walked.taken);
        let fields = Fields::Csv(&self.ends);
        Ok(Some(RawRecord { segment, start, text_end, end, line, fields }))
    }

    /// What is wrong with the next record.
    #[cold]
    fn fault(&self, segment: &[u8]) -> Error {
        let (layout, line) = (&self.layout, self.line);
        match walk(segment, self.at, layout.delimiter, &mut Vec::new(), 0) {
            Err(fault) => refuse(fault, segment, self.at, line, &layout.columns),
            Ok(walked) if walked.fields != layout.columns.len() => Error::invalid(format!(
                "line {line}: {} fields where the header has {}",
                walked.fields,
                layout.columns.len()
            )),
            Ok(walked) => too_long(layout, line, walked.text - self.at),
        }
    }
}

fn line_breaks(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
