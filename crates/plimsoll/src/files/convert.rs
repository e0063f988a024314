//! CSV to NDJSON and back, or to itself with other columns or another delimiter.
//!
//! ```text
//!   Segments ─┬─> worker: segment 4 ─> rows in the other format ─┐
//!             └─> worker: segment 5 ─> ...                       ├─ in turn ─> output
//! ```
//!
//! A number of a column of numbers becomes a JSON number with the digits it has; everything else
//! of CSV becomes a string, and JSON stays what it is. NULL is JSON null, and nothing at all
//! between two delimiters.
//!
//! Promises: rows in the input's order; digits as they stand; NULL and the empty text apart.
//! Never: a row in memory twice.

use super::output::Output;
use super::reading::{Reading, Scanned};
use super::row_encoder::{RowEncoder, Start};
use super::row_filter::RowFilter;
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::turns::Turns;
use super::watch::Phase;
use super::workers;
use crate::error::{Error, Result, excerpt};
use crate::format::{Delimiter, Format};
use crate::record::ColumnType;
use crate::record::key::nearest;
use crate::scan::Records;
use crate::storage::SECTOR_BYTES;
use crate::units::ByteSize;

/// Largest blocks of the output.
const OUT_BLOCK_BYTES_MAX: usize = 128 << 10;
/// Most rows a worker makes before it hands them over. What one row needs beyond comes on top.
const FRAME_BYTES_MAX: usize = 256 << 10;

/// Blocks of the output: there are three of them.
fn out_block_bytes(tool: &Tool<'_>) -> usize {
    let share = usize::try_from(tool.workspace_bytes / 64).unwrap_or(usize::MAX);
    (share.clamp(16 << 10, OUT_BLOCK_BYTES_MAX) / SECTOR_BYTES) * SECTOR_BYTES
}

fn frame_bytes(tool: &Tool<'_>) -> usize {
    let share = usize::try_from(tool.workspace_bytes / 32).unwrap_or(usize::MAX);
    share.clamp(16 << 10, FRAME_BYTES_MAX)
}

/// What to convert and how.
#[derive(Clone, Debug)]
pub struct ConvertFile {
    /// From where.
    pub reading: Reading,
    /// To where.
    pub output: Output,
    /// CSV or NDJSON.
    pub to: Format,
    /// Between fields of CSV that is written.
    pub to_delimiter: Delimiter,
    /// Columns to write, in this order; all where there are none.
    pub columns: Vec<Box<str>>,
    /// Only rows for which this is true, e.g. `qty > 0`.
    pub filter: Option<String>,
}

/// A conversion that was planned and not begun.
pub struct PlannedConvert<'a> {
    job: &'a ConvertFile,
    tool: Tool<'a>,
    scanned: Scanned,
    chosen: Vec<usize>,
    filter: RowFilter,
    workers: usize,
}

impl ConvertFile {
    /// Opens the input and reads its beginning.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, a filter that is none, an output that is
    /// the input, or too little memory; those of opening and scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedConvert<'a>> {
        self.output.check_against(&[&self.reading.input])?;
        if self.to == Format::Json {
            return Err(Error::invalid("converting to json: csv and ndjson can be written"));
        }
        let scanned = self.reading.open(&tool)?;
        let names = scanned.segments.columns();
        let chosen = match self.columns.is_empty() {
            true => (0..names.len()).collect(),
            false => self.columns.iter().map(|c| position(names, c)).collect::<Result<_>>()?,
        };
        let filter = RowFilter::parse(self.filter.as_deref(), &scanned.segments)?;
        let fixed = scanned.cost_bytes() + Sink::cost_bytes(&self.output, out_block_bytes(&tool));
        let left = tool.workspace_bytes.saturating_sub(fixed);
        let worker = self.worker_bytes(&tool, &filter) as u64;
        if left < worker {
            return Err(Error::invalid(format!(
                "converting needs a workspace of {} at least, and it is {}; raise the memory limit \
                 or lower the longest record",
                ByteSize::new(fixed + worker),
                ByteSize::new(tool.workspace_bytes)
            )));
        }
        let most = usize::try_from(left / worker).unwrap_or(usize::MAX);
        let workers = scanned.workers.min(most);
        Ok(PlannedConvert { job: self, tool, scanned, chosen, filter, workers })
    }

    /// A segment, a frame with one row beyond it, and a decoded field.
    fn worker_bytes(&self, tool: &Tool<'_>, filter: &RowFilter) -> usize {
        let record = self.reading.record_bytes_max;
        self.reading.segment_bytes(tool) + frame_bytes(tool) + 2 * record + filter.bytes(record)
    }
}

/// Where the column called `name` is.
pub(super) fn position(columns: &[Box<str>], name: &str) -> Result<usize> {
    columns.iter().position(|known| **known == *name).ok_or_else(|| {
        let known: Vec<String> = columns.iter().map(|c| excerpt(c)).collect();
        let near = nearest(name, columns).map_or("; the columns are".into(), |near| {
            format!(", did you mean '{}'? The columns are", excerpt(near))
        });
        Error::invalid(format!("there is no column '{}'{near} {}", excerpt(name), known.join(", ")))
    })
}

impl PlannedConvert<'_> {
    /// Threads that convert.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// The columns that are written, with the types their first megabyte tells.
    pub fn columns(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        let segments = &self.scanned.segments;
        self.chosen.iter().map(|n| (&*segments.columns()[*n], segments.kinds()[*n]))
    }

    /// Converts.
    ///
    /// # Errors
    /// Those of the input and the output; [`crate::ErrorKind::Invalid`] for text that is to be
    /// JSON and is not UTF-8. Then no output exists.
    pub fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.scanned.bytes_len);
        let mut sink = Sink::create(&self.job.output, &self.tool, out_block_bytes(&self.tool))?;
        let columns = self.chosen.iter().zip(self.columns());
        let columns = columns.map(|(column, (name, kind))| (*column, name, kind));
        let from = self.job.reading.format;
        let encoder =
            RowEncoder::new((from, self.job.to), self.job.to_delimiter, columns, Start::Row);
        sink.push(&encoder.header())?;
        let turns = Turns::new(sink, self.tool.watch);
        let converted =
            workers::run(self.workers, self.tool.watch, |_| self.convert(&encoder, &turns))?;
        let mut summary = Summary::default();
        for (read, rows, bytes) in converted {
            summary.rows_in += read;
            summary.rows_out += rows;
            summary.bytes_in += bytes;
        }
        summary.bytes_out = turns.into_sink().finish()?;
        Ok(summary)
    }

    /// Rows read, rows written and bytes.
    fn convert(&self, encoder: &RowEncoder, turns: &Turns<'_>) -> Result<(u64, u64, u64)> {
        let segments = &self.scanned.segments;
        let worker_bytes = self.job.worker_bytes(&self.tool, &self.filter);
        let _held = self.tool.consumer.try_reserve(worker_bytes as u64)?;
        let mut memory = vec![0; self.job.reading.segment_bytes(&self.tool)];
        let mut records =
            Records::new(segments, &self.filter.columns_and(self.chosen.iter().copied()));
        let mut test = self.filter.test(segments);
        let frame_bytes = frame_bytes(&self.tool);
        let mut frame = Vec::with_capacity(frame_bytes);
        let mut scratch = Vec::new();
        let (mut read, mut rows, mut bytes) = (0, 0, 0);
        while let Some(segment) = segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                read += 1;
                if !test.passes(&record)? {
                    continue;
                }
                rows += 1;
                let before = frame.len();
                encoder.row(&record, &mut frame, &mut scratch)?;
                if frame.len() > frame_bytes && before > 0 {
                    turns.write_in_turn(segment.number, &frame, false)?;
                    frame.clear();
                }
            }
            turns.write_in_turn(segment.number, &frame, true)?;
            frame.clear();
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        Ok((read, rows, bytes))
    }
}
