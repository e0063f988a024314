//! What every reader gives: records with fields by column, and a place to resume at.
//!
//! Promises: a record borrows from its reader; reading one allocates nothing once the reader's
//! buffers have grown to the longest record seen.
//! Never: a type; a field is text, absent or NULL until a mapping gives it one.

use super::read_error::ReadError;
use crate::error::Result;

/// One field of a [`Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A JSON object without this name.
    Absent,
    /// JSON null; in CSV nothing at all between two delimiters.
    Null,
    /// Text: a CSV field without its quotes, a JSON string without its escapes, and any other JSON
    /// value as it stands in the file, so that a number keeps its digits. `""` in CSV is an empty
    /// text.
    Text(&'a str),
}

/// Where a field's text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) form: Form,
}

/// What a [`Span`] points into, and whether at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Absent,
    Null,
    /// Of the record as it stands in the file.
    Raw,
    /// Of the reader's buffer for text that had to be decoded.
    Decoded,
}

impl Span {
    pub(super) const ABSENT: Self = Self { start: 0, end: 0, form: Form::Absent };

    /// Records are bounded by a line's bound, which `ReaderOptions` keeps inside u32.
    pub(super) fn new(start: usize, end: usize, form: Form) -> Self {
        let narrow = |at: usize| u32::try_from(at).expect("a record's offsets fit u32");
        Self { start: narrow(start), end: narrow(end), form }
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One record, borrowed from its reader.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(super) columns: &'a [Box<str>],
    pub(super) spans: &'a [Span],
    pub(super) raw: &'a str,
    pub(super) decoded: &'a str,
    pub(super) line: u64,
}

impl<'a> Record<'a> {
    /// Names of the fields, in the order of [`Record::field`].
    #[must_use]
    pub fn columns(&self) -> &'a [Box<str>] {
        self.columns
    }

    /// The field of the column at `position`.
    #[must_use]
    pub fn field(&self, position: usize) -> Field<'a> {
        let span = self.spans[position];
        match span.form {
            Form::Absent => Field::Absent,
            Form::Null => Field::Null,
            Form::Raw => Field::Text(&self.raw[span.range()]),
            Form::Decoded => Field::Text(&self.decoded[span.range()]),
        }
    }

    /// Line of the file the record begins on, from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// A place between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset in the decompressed input at which the next record begins.
    pub byte_offset: u64,
    /// Line of the file that offset is on, from 1.
    pub line: u64,
    /// Records given or refused before it.
    pub record: u64,
}

/// Reads records one after another.
///
/// ```
/// use plimsoll::format::{Field, Format, ReaderOptions, Source};
/// let source = Source::open(Box::new(&b"id,name\n1,tea\n2,\n"[..]), None)?;
/// let mut reader = Format::Csv.reader(source, ReaderOptions::default())?;
/// while let Some(record) = reader.next_record()? {
///     assert_ne!(record.field(0), Field::Null);
/// }
/// assert_eq!(reader.position().record, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RecordReader: Send {
    /// Names of the columns: of CSV the header; of JSON every name met so far.
    fn columns(&self) -> &[Box<str>];

    /// The next record, or `None` at the end.
    ///
    /// # Errors
    /// See [`ReadError`]. After [`ReadError::Fatal`] there is nothing to be had from the reader.
    fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError>;

    /// Bytes of the record given or refused last, without its line end; for a file of rejects.
    fn raw(&self) -> &[u8];

    /// Where the next record begins.
    fn position(&self) -> Position;

    /// Skips forward to a place an earlier reader of the same input gave. The input is read up to
    /// there, because compressed data has no shortcut.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the input ends before it or the reader is beyond it, and
    /// those of [`super::Source::read`].
    fn resume_at(&mut self, position: Position) -> Result<()>;
}
