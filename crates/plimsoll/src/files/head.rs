//! The first rows of an input.
//!
//! Promises: rows byte for byte as they stand; no more of the input is read than its sample of a
//! megabyte and one segment beyond the rows.
//! Never: a fault told that lies behind the rows asked for.

use super::output::Output;
use super::reading::{Reading, Scanned};
use super::row_filter::RowFilter;
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use crate::error::Result;
use crate::scan::Records;

/// Blocks of the output.
const OUT_BLOCK_BYTES: usize = 64 << 10;

/// How many rows to copy.
#[derive(Clone, Debug)]
pub struct HeadFile {
    /// From where.
    pub reading: Reading,
    /// To where.
    pub output: Output,
    /// How many rows.
    pub rows: u64,
    /// Only rows for which this is true, e.g. `qty > 0`.
    pub filter: Option<String>,
}

/// A copy that was planned and not begun.
pub struct PlannedHead<'a> {
    job: &'a HeadFile,
    tool: Tool<'a>,
    scanned: Scanned,
    filter: RowFilter,
}

impl HeadFile {
    /// Opens the input and reads its beginning.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a filter that is none, or an output that is the input;
    /// those of opening and scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedHead<'a>> {
        self.output.check_against(&[&self.reading.input])?;
        let scanned = self.reading.open(&Tool { threads: 1, ..tool })?;
        let filter = RowFilter::parse(self.filter.as_deref(), &scanned.segments)?;
        Ok(PlannedHead { job: self, tool, scanned, filter })
    }
}

impl PlannedHead<'_> {
    /// Names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[Box<str>] {
        self.scanned.segments.columns()
    }

    /// Copies the rows.
    ///
    /// # Errors
    /// Those of the input and the output; then no output exists.
    pub fn run(self) -> Result<Summary> {
        let segments = &self.scanned.segments;
        let room = self.job.reading.segment_bytes(&self.tool);
        let tested = self.filter.bytes(self.job.reading.record_bytes_max);
        let _held = self.tool.consumer.try_reserve((room + tested) as u64)?;
        self.tool.watch.begin(Phase::Read, None);
        let mut sink = Sink::create(&self.job.output, &self.tool, OUT_BLOCK_BYTES)?;
        sink.push(segments.header())?;
        let mut memory = vec![0; room];
        let mut records = Records::new(segments, &self.filter.columns());
        let mut test = self.filter.test(segments);
        let mut summary = Summary::default();
        'rows: while summary.rows_out < self.job.rows {
            self.tool.watch.check()?;
            let Some(segment) = segments.next(&mut memory, 0)? else { break };
            summary.bytes_in += segment.bytes as u64;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                summary.rows_in += 1;
                if !test.passes(&record)? {
                    continue;
                }
                sink.push(record.bytes())?;
                if !record.ends_line() {
                    sink.push(b"\n")?;
                }
                summary.rows_out += 1;
                if summary.rows_out == self.job.rows {
                    break 'rows;
                }
            }
        }
        summary.bytes_out = sink.finish()?;
        Ok(summary)
    }
}
