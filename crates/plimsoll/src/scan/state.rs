//! The input between two segments: what is read and not given out, and where it stands.
//!
//! Promises: offsets, lines and numbers are exact; the tail never outgrows its bound.
//! Never: a byte read before the tail is used up.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use super::exact::{FaultKind, refuse, walk};
use super::layout::{Header, Layout, Names, apply_kinds, read_header};
use super::ndjson::read_names;
use super::options::ScanOptions;
use super::segments::{PIECE_BYTES, Segment};
use super::sniff::sniff;
use super::tally::{Tally, first_end, last_end};
use crate::error::{Error, Result};
use crate::format::Format;
use crate::record::ColumnType;

/// Offsets in a segment are `u32`; the last is kept as a mark.
const SEGMENT_BYTES_MAX: usize = u32::MAX as usize - 1;

pub(super) struct State {
    input: Box<dyn Read + Send>,
    /// Read and not given out: `tail[start..end]`.
    tail: Box<[u8]>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Of the first byte not given out.
    offset: u64,
    line: u64,
    number: u64,
}

/// A stretch of whole records at the start of a worker's memory.
struct Cut {
    end: usize,
    lines: usize,
    records_max: usize,
}

impl State {
    /// Reads the sample and finds columns and types in it.
    pub(super) fn open(
        input: Box<dyn Read + Send>,
        options: &ScanOptions,
    ) -> Result<(Self, Arc<Layout>, Box<[ColumnType]>)> {
        let mut state = Self {
            input,
            tail: vec![0; options.tail_bytes()].into(),
            start: 0,
            end: 0,
            at_end: false,
            offset: options.start.as_ref().map_or(0, |start| start.input_offset),
            line: options.start.as_ref().map_or(1, |start| start.line),
            number: 0,
        };
        state.read_sample(options.sniff_bytes)?;
        let (header, columns) = match options.format {
            Format::Csv => state.header(options)?,
            Format::Ndjson | Format::Json => {
                (Box::default(), read_names(state.sample(false), state.line)?)
            }
        };
        let layout = Arc::new(Layout {
            format: options.format,
            delimiter: options.delimiter.byte(),
            record_bytes_max: options.record_bytes_max,
            header,
            columns,
            row_bytes: state.row_bytes(),
        });
        let mut kinds = sniff(&layout, state.sample(layout.format == Format::Csv));
        apply_kinds(&layout.columns, &options.kinds, &mut kinds)?;
        Ok((state, layout, kinds))
    }

    /// Bytes of a usual record, by the sample's line ends.
    fn row_bytes(&self) -> u64 {
        let sample = &self.tail[self.start..self.end];
        let lines = memchr::memchr_iter(b'\n', sample).count().max(1);
        (sample.len() / lines).max(1) as u64
    }

    /// Whether nothing is left, as far as has been read.
    pub(super) fn at_end(&self) -> bool {
        self.exhausted()
    }

    fn read_sample(&mut self, sniff_bytes: usize) -> Result<()> {
        while !self.at_end && self.end < sniff_bytes {
            let got = read(&mut self.input, &mut self.tail[self.end..sniff_bytes], self.offset)?;
            self.end += got;
            self.at_end = got == 0;
        }
        Ok(())
    }

    fn header(&mut self, options: &ScanOptions) -> Result<(Box<[u8]>, Names)> {
        if let Some(start) = &options.start {
            let header = read_header(&start.header, true, options)?;
            return Ok((start.header.clone(), header.columns));
        }
        let Header { start, end, columns } =
            read_header(&self.tail[..self.end], self.at_end, options)?;
        let header = Box::from(&self.tail[start..end]);
        self.line += memchr::memchr_iter(b'\n', &self.tail[..end]).count() as u64;
        self.offset += end as u64;
        self.start = end;
        Ok((header, columns))
    }

    /// The whole records of the sample.
    fn sample(&self, quotes: bool) -> &[u8] {
        let sample = &self.tail[self.start..self.end];
        if self.at_end {
            return sample;
        }
        let mut tally = Tally::default();
        tally.add(sample, quotes);
        let end = last_end(sample, tally, quotes, |_, _| true).map_or(0, |(end, _)| end);
        &sample[..end]
    }

    /// See [`super::Segments::next`].
    pub(super) fn fill(
        &mut self,
        layout: &Layout,
        into: &mut [u8],
        entry_bytes: usize,
    ) -> Result<Option<Segment>> {
        let room = into.len().min(SEGMENT_BYTES_MAX);
        let into = &mut into[..room];
        let quotes = layout.format == Format::Csv;
        let mut tally = Tally::default();
        let mut len = 0;
        loop {
            let piece = piece_bytes(room, len, tally.lines, entry_bytes);
            if piece == 0 {
                break;
            }
            let got = self.take(&mut into[len..len + piece], len)?;
            if got == 0 {
                break;
            }
            tally.add(&into[len..len + got], quotes);
            len += got;
        }
        if len == 0 && self.exhausted() {
            return Ok(None);
        }
        let cut = match self.cut(&into[..len], tally, quotes, room, entry_bytes) {
            Some(cut) => cut,
            None => self.single(layout, into, &mut len, entry_bytes)?,
        };
        self.keep(layout, &into[cut.end..len], cut.lines)?;
        let segment = Segment {
            number: self.number,
            bytes: cut.end,
            records_max: cut.records_max as u64,
            first_line: self.line,
            input_start: self.offset,
            input_end: self.offset + cut.end as u64,
        };
        self.number += 1;
        self.line += cut.lines as u64;
        self.offset = segment.input_end;
        Ok(Some(segment))
    }

    /// Whether nothing is left to take.
    fn exhausted(&self) -> bool {
        self.at_end && self.start == self.end
    }

    /// As many whole records of `bytes` as fit.
    fn cut(
        &self,
        bytes: &[u8],
        tally: Tally,
        quotes: bool,
        room: usize,
        entry_bytes: usize,
    ) -> Option<Cut> {
        let fits = |end: usize, records: usize| {
            records.checked_mul(entry_bytes).is_some_and(|entries| entries <= room - end)
        };
        let (end, lines) = (bytes.len(), tally.lines);
        let records_max = lines + usize::from(!bytes.ends_with(b"\n"));
        if self.exhausted() && tally.quotes.is_multiple_of(2) && fits(end, records_max) {
            return Some(Cut { end, lines, records_max });
        }
        let (end, lines) = last_end(bytes, tally, quotes, fits)?;
        Some(Cut { end, lines, records_max: lines })
    }

    /// The first record alone: it holds so many line breaks that they were taken for records, or
    /// it does not fit.
    #[cold]
    fn single(
        &mut self,
        layout: &Layout,
        into: &mut [u8],
        len: &mut usize,
        entry_bytes: usize,
    ) -> Result<Cut> {
        let most = into.len().min(layout.record_bytes_max.saturating_add(2)).max(*len);
        while *len < most {
            let got = self.take(&mut into[*len..most], *len)?;
            if got == 0 {
                break;
            }
            *len += got;
        }
        let bytes = &into[..*len];
        let quotes = layout.format == Format::Csv;
        let mut tally = Tally::default();
        let first = first_end(bytes, quotes).or_else(|| {
            tally.add(bytes, quotes);
            let whole = self.exhausted() && tally.quotes.is_multiple_of(2);
            whole.then_some((*len, tally.lines))
        });
        match first {
            Some((end, lines)) if entry_bytes <= into.len() - end => {
                Ok(Cut { end, lines, records_max: 1 })
            }
            _ => {
                let room = format!(
                    ", and the room is {} with {entry_bytes} for the record's entry",
                    into.len()
                );
                Err(self.refuse(layout, bytes, self.line, &room))
            }
        }
    }

    /// What is wrong with the record at the start of `bytes`, which is on `line`.
    fn refuse(&self, layout: &Layout, bytes: &[u8], line: u64, room: &str) -> Error {
        let mut hint = String::new();
        if layout.format == Format::Csv
            && let Err(fault) = walk(bytes, 0, layout.delimiter, &mut Vec::new(), 0)
        {
            if fault.kind != FaultKind::Unclosed || self.exhausted() {
                return refuse(fault, bytes, 0, line, &layout.columns);
            }
            let opened = line + memchr::memchr_iter(b'\n', &bytes[..fault.at]).count() as u64;
            hint = format!(" (a quote opened on line {opened} is not closed)");
        }
        Error::too_large(format!(
            "line {line}: the {} record does not fit{hint}: {} bytes of it were seen, at most {} \
             are allowed{room}: split the record, or raise the longest one (--record-max) and the \
             memory limit",
            layout.format.name(),
            bytes.len(),
            layout.record_bytes_max,
        ))
    }

    /// Fills the beginning of `out` with what comes next, `ahead` bytes behind what was given out.
    fn take(&mut self, out: &mut [u8], ahead: usize) -> Result<usize> {
        if self.start < self.end {
            let got = out.len().min(self.end - self.start);
            out[..got].copy_from_slice(&self.tail[self.start..self.start + got]);
            self.start += got;
            return Ok(got);
        }
        if self.at_end {
            return Ok(0);
        }
        let got = read(&mut self.input, out, self.offset + ahead as u64)?;
        self.at_end = got == 0;
        Ok(got)
    }

    /// Keeps what a call took and did not give out.
    fn keep(&mut self, layout: &Layout, rest: &[u8], lines: usize) -> Result<()> {
        if self.start < self.end {
            // Everything came from the tail, and these are its last bytes taken.
            self.start -= rest.len();
            return Ok(());
        }
        if rest.len() > self.tail.len() {
            // Whole records that did not fit are fewer bytes than one piece; the last is too long.
            let mut tally = Tally::default();
            let quotes = layout.format == Format::Csv;
            tally.add(rest, quotes);
            let (end, more) = last_end(rest, tally, quotes, |_, _| true).unwrap_or_default();
            let line = self.line + (lines + more) as u64;
            return Err(self.refuse(layout, &rest[end..], line, ""));
        }
        self.tail[..rest.len()].copy_from_slice(rest);
        self.start = 0;
        self.end = rest.len();
        Ok(())
    }
}

/// How much to read on: what fits if the rest has as many lines as what was read so far.
fn piece_bytes(room: usize, len: usize, lines: usize, entry_bytes: usize) -> usize {
    /// A rest smaller than this part of the room is left empty: reading it costs more than it
    /// brings.
    const PART: usize = 64;
    let entries = lines.saturating_mul(entry_bytes);
    let free = room.saturating_sub(len).saturating_sub(entries);
    let share = match len.checked_add(entries) {
        Some(used) if entries > 0 => free as u128 * len as u128 / used as u128,
        _ => free as u128,
    };
    let share = usize::try_from(share).unwrap_or(free);
    let least = if lines == 0 { 0 } else { (room / PART).min(PIECE_BYTES / PART) };
    if share < least { 0 } else { share.min(PIECE_BYTES) }
}

fn read(input: &mut dyn Read, out: &mut [u8], at: u64) -> Result<usize> {
    loop {
        match input.read(out) {
            Ok(got) => return Ok(got),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(match error.downcast::<Error>() {
                    Ok(error) => error,
                    Err(error) => Error::io(format!("reading the input after {at} bytes"), error),
                });
            }
        }
    }
}
