//! A segment's records one after another, and their fields as they stand.
//!
//! Promises: a record borrows from its segment; reading one allocates nothing.
//! Never: a record with more or fewer fields than the header.

use std::ops::Range;
use std::sync::Arc;

use super::csv::CsvRecords;
use super::layout::Layout;
use super::ndjson::{NdjsonRecords, Slot};
use super::segments::Segments;
use crate::error::Result;
use crate::format::Format;

/// Splits segments into records and fields. One per worker; holds
/// [`super::ScanOptions::worker_bytes`].
pub struct Records {
    reader: Reader,
    /// Length of the segment that is being read.
    segment: Option<usize>,
}

enum Reader {
    Csv(CsvRecords),
    Ndjson(NdjsonRecords),
}

impl Records {
    /// For the columns at the positions `needed` of [`Segments::columns`]. The field of any other
    /// column of NDJSON is NULL; of CSV every field can be read and costs nothing until it is.
    ///
    /// # Panics
    /// When a position is not one of a column.
    #[must_use]
    pub fn new(segments: &Segments, needed: &[usize]) -> Self {
        Self::over(segments.layout(), needed)
    }

    pub(super) fn over(layout: &Arc<Layout>, needed: &[usize]) -> Self {
        let reader = match layout.format {
            Format::Csv => Reader::Csv(CsvRecords::new(layout)),
            Format::Ndjson | Format::Json => Reader::Ndjson(NdjsonRecords::new(layout, needed)),
        };
        Self { reader, segment: None }
    }

    /// Goes to the start of the next segment, which begins on `first_line`.
    pub fn begin(&mut self, first_line: u64) {
        self.segment = None;
        match &mut self.reader {
            Reader::Csv(reader) => reader.begin(first_line),
            Reader::Ndjson(reader) => reader.begin(first_line),
        }
    }

    /// The next record of the segment, whose bytes are given whole with every call; `None` behind
    /// its last. Blank lines are skipped, except in CSV of one column, where a blank line is its
    /// NULL.
    ///
    /// Where several workers find faults, that of the segment with the lowest number is the one to
    /// report: a stray quote shifts what later segments seem to hold.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the line for a record with a wrong number of fields, a
    /// stray quote, or JSON that is none; [`crate::ErrorKind::TooLarge`] for a record beyond
    /// [`super::ScanOptions::record_bytes_max`].
    ///
    /// # Panics
    /// When another segment is given without [`Records::begin`].
    #[inline]
    pub fn next<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Option<RawRecord<'a>>> {
        let begun = *self.segment.get_or_insert(bytes.len());
        assert_eq!(begun, bytes.len(), "a segment is read to its end or begun anew");
        match &mut self.reader {
            Reader::Csv(reader) => reader.next(bytes),
            Reader::Ndjson(reader) => reader.next(bytes),
        }
    }
}

/// One record of a segment.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    pub(super) segment: &'a [u8],
    pub(super) start: usize,
    /// Where its line end begins, and where the next record does.
    pub(super) text_end: usize,
    pub(super) end: usize,
    pub(super) line: u64,
    pub(super) fields: Fields<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fields<'a> {
    /// Offsets of the fields' ends in the segment; that of the last is the record's.
    Csv(&'a [u32]),
    Ndjson {
        slots: &'a [Slot],
        decoded: &'a [u8],
    },
}

impl<'a> RawRecord<'a> {
    /// The record's bytes in its segment, with the line end.
    #[must_use]
    #[inline]
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The record with its line end.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        &self.segment[self.start..self.end]
    }

    /// The record without its line end.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &'a [u8] {
        &self.segment[self.start..self.text_end]
    }

    /// Whether the record ends with an LF, alone or behind a CR. Only the input's last may not;
    /// put one behind it before anything else follows.
    #[must_use]
    #[inline]
    pub fn ends_line(&self) -> bool {
        self.segment[self.start..self.end].ends_with(b"\n")
    }

    /// Line of the input the record begins on, from 1.
    #[must_use]
    #[inline]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The field of the column at `position`.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    #[inline]
    pub fn field(&self, position: usize) -> RawField<'a> {
        match self.fields {
            Fields::Csv(ends) => {
                let start = match position {
                    0 => self.start,
                    _ => ends[position - 1] as usize + 1,
                };
                let last = position + 1 == ends.len();
                let end = if last { self.text_end } else { ends[position] as usize };
                match &self.segment[start..end] {
                    [] => RawField::Null,
                    [b'"', inside @ .., b'"'] => RawField::Quoted(inside),
                    plain => RawField::Plain(plain),
                }
            }
            Fields::Ndjson { slots, decoded } => slots[position].field(self.segment, decoded),
        }
    }

    /// Whether the format says that the field is a text, as JSON does by its quotes.
    pub(crate) fn is_text(&self, position: usize) -> bool {
        match self.fields {
            Fields::Csv(_) => false,
            Fields::Ndjson { slots, .. } => slots[position].is_text(),
        }
    }
}

/// One field of a [`RawRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawField<'a> {
    /// Nothing between two delimiters; JSON null, or no such name in the object.
    Null,
    /// The field's text: any bytes in CSV; in NDJSON a string without its quotes and escapes, or
    /// another value as it stands.
    Plain(&'a [u8]),
    /// A CSV field without the quotes around it. Each quote inside is still doubled.
    Quoted(&'a [u8]),
}

impl<'a> RawField<'a> {
    /// The field's text, with `scratch` for text that holds doubled quotes; `None` for NULL.
    ///
    /// ```
    /// use plimsoll::scan::RawField;
    /// let mut scratch = Vec::new();
    /// assert_eq!(RawField::Quoted(br#"a ""b"""#).decode(&mut scratch), Some(&br#"a "b""#[..]));
    /// assert_eq!(RawField::Null.decode(&mut scratch), None);
    /// ```
    #[must_use]
    #[inline]
    pub fn decode<'s>(self, scratch: &'s mut Vec<u8>) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        match self {
            Self::Null => None,
            Self::Plain(text) => Some(text),
            Self::Quoted(text) => Some(undouble(text, scratch)),
        }
    }
}

fn undouble<'s>(text: &'s [u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
    let Some(first) = memchr::memchr(b'"', text) else {
        return text;
    };
    scratch.clear();
    let mut rest = text;
    let mut next = Some(first);
    while let Some(quote) = next {
        scratch.extend_from_slice(&rest[..=quote]);
        rest = &rest[quote + 2..];
        next = memchr::memchr(b'"', rest);
    }
    scratch.extend_from_slice(rest);
    scratch
}
