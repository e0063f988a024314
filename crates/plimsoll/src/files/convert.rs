//! CSV to NDJSON and back, or to itself with other columns or another delimiter.
//!
//! ```text
//!   Segments ─┬─> worker: segment 4 ─> rows in the other format ─┐
//!             └─> worker: segment 5 ─> ...                       ├─ in turn ─> output
//! ```
//!
//! A number of a column of numbers becomes a JSON number with the digits it has; everything else
//! becomes a string. NULL is JSON null, and nothing at all between two delimiters.
//!
//! Promises: rows in the input's order; digits as they stand; NULL and the empty text apart.
//! Never: a row in memory twice.

use super::output::Output;
use super::reading::{Reading, Scanned};
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::turns::Turns;
use super::watch::Phase;
use super::workers;
use crate::error::{Error, Result, excerpt};
use crate::format::{Delimiter, Format};
use crate::record::ColumnType;
use crate::scan::{RawField, RawRecord, Records, is_json_number};
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
}

/// A conversion that was planned and not begun.
pub struct PlannedConvert<'a> {
    job: &'a ConvertFile,
    tool: Tool<'a>,
    scanned: Scanned,
    chosen: Vec<usize>,
    workers: usize,
}

impl ConvertFile {
    /// Opens the input and reads its beginning.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, an output that is the input, or too
    /// little memory; those of opening and scanning the input.
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
        let fixed = scanned.cost_bytes() + Sink::cost_bytes(&self.output, out_block_bytes(&tool));
        let left = tool.workspace_bytes.saturating_sub(fixed);
        let worker = self.worker_bytes(&tool) as u64;
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
        Ok(PlannedConvert { job: self, tool, scanned, chosen, workers })
    }

    /// A segment, a frame with one row beyond it, and a decoded field.
    fn worker_bytes(&self, tool: &Tool<'_>) -> usize {
        self.reading.segment_bytes(tool) + frame_bytes(tool) + 2 * self.reading.record_bytes_max
    }
}

/// Where the column called `name` is.
pub(super) fn position(columns: &[Box<str>], name: &str) -> Result<usize> {
    columns.iter().position(|known| **known == *name).ok_or_else(|| {
        let known: Vec<String> = columns.iter().map(|c| excerpt(c)).collect();
        Error::invalid(format!(
            "there is no column '{}'; the columns are {}",
            excerpt(name),
            known.join(", ")
        ))
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
        let encoder = Encoder::new(&self);
        sink.push(&encoder.header(&self))?;
        let turns = Turns::new(sink, self.tool.watch);
        let converted =
            workers::run(self.workers, self.tool.watch, |_| self.convert(&encoder, &turns))?;
        let mut summary = Summary::default();
        for (rows, bytes) in converted {
            summary.rows_in += rows;
            summary.bytes_in += bytes;
        }
        summary.rows_out = summary.rows_in;
        summary.bytes_out = turns.into_sink().finish()?;
        Ok(summary)
    }

    fn convert(&self, encoder: &Encoder<'_>, turns: &Turns<'_>) -> Result<(u64, u64)> {
        let segments = &self.scanned.segments;
        let _held = self.tool.consumer.try_reserve(self.job.worker_bytes(&self.tool) as u64)?;
        let mut memory = vec![0; self.job.reading.segment_bytes(&self.tool)];
        let mut records = Records::new(segments, &self.chosen);
        let frame_bytes = frame_bytes(&self.tool);
        let mut frame = Vec::with_capacity(frame_bytes);
        let mut scratch = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        while let Some(segment) = segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                let before = frame.len();
                encoder.row(&record, &mut frame, &mut scratch)?;
                if frame.len() > frame_bytes && before > 0 {
                    turns.write_in_turn(segment.number, &frame, false)?;
                    frame.clear();
                }
                rows += 1;
            }
            turns.write_in_turn(segment.number, &frame, true)?;
            frame.clear();
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        Ok((rows, bytes))
    }
}

/// Rows to the other format.
struct Encoder<'a> {
    format: Format,
    delimiter: u8,
    chosen: Vec<Chosen<'a>>,
}

struct Chosen<'a> {
    column: usize,
    name: &'a str,
    number: bool,
    /// `{"name":` or `,"name":`
    lead: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(planned: &'a PlannedConvert<'_>) -> Self {
        let lead = |place: usize, name: &str| {
            let mut lead = vec![if place == 0 { b'{' } else { b',' }];
            json_text(name, &mut lead);
            lead.push(b':');
            lead
        };
        let columns = planned.chosen.iter().zip(planned.columns()).enumerate();
        let chosen = columns.map(|(place, (column, (name, kind)))| {
            let number = matches!(kind, ColumnType::Int | ColumnType::Money | ColumnType::Float);
            Chosen { column: *column, name, number, lead: lead(place, name) }
        });
        let delimiter = planned.job.to_delimiter.byte();
        Self { format: planned.job.to, delimiter, chosen: chosen.collect() }
    }

    fn header(&self, planned: &PlannedConvert<'_>) -> Vec<u8> {
        let mut header = Vec::new();
        if planned.job.to == Format::Csv {
            for (place, chosen) in self.chosen.iter().enumerate() {
                if place > 0 {
                    header.push(self.delimiter);
                }
                csv_text(chosen.name.as_bytes(), self.delimiter, &mut header);
            }
            header.push(b'\n');
        }
        header
    }

    #[inline]
    fn row(&self, record: &RawRecord<'_>, out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Result<()> {
        match self.format {
            Format::Csv => {
                for (place, chosen) in self.chosen.iter().enumerate() {
                    if place > 0 {
                        out.push(self.delimiter);
                    }
                    if let Some(text) = record.field(chosen.column).decode(scratch) {
                        csv_text(text, self.delimiter, out);
                    }
                }
            }
            Format::Ndjson | Format::Json => {
                for chosen in &self.chosen {
                    out.extend_from_slice(&chosen.lead);
                    self.json_value(record, chosen, out, scratch)?;
                }
                out.push(b'}');
            }
        }
        out.push(b'\n');
        Ok(())
    }

    #[inline]
    fn json_value(
        &self,
        record: &RawRecord<'_>,
        chosen: &Chosen<'_>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let field = record.field(chosen.column);
        if let RawField::Plain(text) = field
            && chosen.number
            && is_json_number(text)
        {
            out.extend_from_slice(text);
            return Ok(());
        }
        let Some(text) = field.decode(scratch) else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        let text = std::str::from_utf8(text).map_err(|_| {
            Error::invalid(format!(
                "line {}, column '{}': the text is not UTF-8, which JSON must be; convert the \
                 input first, e.g. with iconv -f LATIN1 -t UTF-8",
                record.line(),
                excerpt(chosen.name)
            ))
        })?;
        json_text(text, out);
        Ok(())
    }
}

/// Appends a JSON string.
fn json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string can be written to memory");
}

/// Appends a CSV field, in quotes where it must be; the empty text is `""`.
pub(super) fn csv_text(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(*byte, b'"' | b'\n' | b'\r') || *byte == delimiter;
    if !text.is_empty() && !text.iter().any(special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    let mut rest = text;
    while let Some(quote) = memchr::memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=quote]);
        out.push(b'"');
        rest = &rest[quote + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
