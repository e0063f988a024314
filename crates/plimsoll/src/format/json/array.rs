//! A JSON array of objects, or objects one after another, read one object at a time.
//!
//! ```text
//!   [ {...} , {...} , ... ]      the first byte that is no white space is '['
//!   {...} {...} ...              it is '{'; white space between them is optional
//! ```
//!
//! An object that is balanced and wrong inside costs that object. Anything else between the
//! objects ends the reading, because nothing says where the next one would begin.
//!
//! Promises: memory for one object, however long the array is.
//! Never: an array that just stops read as complete: the closing bracket is asked for.

use super::super::Format;
use super::super::options::ReaderOptions;
use super::super::read_error::{ReadError, too_long};
use super::super::record::{Position, Record, RecordReader};
use super::super::source::Source;
use super::super::window::Window;
use super::extent::Extent;
use super::object::Object;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Inside `[ ]`.
    Array,
    /// Objects with white space between them.
    Sequence,
    /// Behind the closing bracket.
    Closed,
}

/// Reads JSON. See [`RecordReader`] for an example.
///
/// Holds [`ReaderOptions::workspace_bytes`] at most.
pub struct JsonReader {
    window: Window,
    object: Object,
    line_bytes_max: usize,
    shape: Shape,
    /// Line the window's start is on.
    line: u64,
    records: u64,
    /// Bytes of the last object, still in the window.
    text: usize,
    /// Lines the last object begins before its end.
    breaks: u64,
}

impl JsonReader {
    /// Opens `source` and looks at its first byte.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for an empty input or one that begins with neither `[` nor
    /// `{`, or for options out of range; those of [`Source::read`].
    pub fn open(source: Source, options: ReaderOptions) -> Result<Self> {
        options.check()?;
        let mut reader = Self {
            window: Window::open(source, options.line_bytes_max)?,
            object: Object::new(options.line_bytes_max),
            line_bytes_max: options.line_bytes_max,
            shape: Shape::Sequence,
            line: 1,
            records: 0,
            text: 0,
            breaks: 0,
        };
        match reader.skip_white()? {
            Some(b'[') => {
                reader.window.consume(1);
                reader.shape = Shape::Array;
            }
            Some(b'{') => {}
            Some(byte) => return Err(reader.unexpected(byte, "'[' or '{'")),
            None => {
                return Err(Error::invalid(
                    "the JSON input is empty: it needs an array of objects",
                ));
            }
        }
        Ok(reader)
    }

    /// Moves behind white space and gives the byte that comes then.
    fn skip_white(&mut self) -> Result<Option<u8>> {
        loop {
            let unread = self.window.unread();
            let white = unread
                .iter()
                .position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
                .unwrap_or(unread.len());
            let next = unread.get(white).copied();
            self.line += line_breaks(&unread[..white]);
            self.window.consume(white);
            if next.is_some() || self.window.at_end() {
                return Ok(next);
            }
            self.window.fill()?;
        }
    }

    /// Moves to the next object; false at the end of the input.
    fn advance(&mut self) -> Result<bool, ReadError> {
        self.line += std::mem::take(&mut self.breaks);
        self.window.consume(std::mem::take(&mut self.text));
        let mut next = self.skip_white()?;
        if self.shape == Shape::Array {
            if next == Some(b',') && self.records > 0 {
                self.window.consume(1);
                next = self.skip_white()?;
            } else if next == Some(b']') {
                self.window.consume(1);
                self.shape = Shape::Closed;
                next = self.skip_white()?;
            } else if next.is_some() && self.records > 0 {
                return Err(self.unexpected(next.unwrap_or_default(), "',' or ']'").into());
            }
        }
        match (next, self.shape) {
            (None, Shape::Closed | Shape::Sequence) => Ok(false),
            (None, Shape::Array) => Err(Error::corrupt(format!(
                "line {}: the JSON array ends without ']': the input was cut off",
                self.line
            ))
            .into()),
            (Some(b'{'), Shape::Array | Shape::Sequence) => self.find_end().map(|()| true),
            (Some(byte), Shape::Closed) => {
                Err(self.unexpected(byte, "nothing behind the closing ']'").into())
            }
            (Some(byte), _) => Err(self.unexpected(byte, "an object").into()),
        }
    }

    /// Measures the object at the window's start.
    fn find_end(&mut self) -> Result<(), ReadError> {
        let mut extent = Extent::default();
        loop {
            let unread = self.window.unread();
            let end = extent.run(unread);
            if end.unwrap_or(unread.len()) > self.line_bytes_max {
                return Err(too_long(Format::Json, self.line, self.line_bytes_max, ""));
            }
            if let Some(end) = end {
                self.breaks = line_breaks(&unread[..end]);
                self.text = end;
                return Ok(());
            }
            if self.window.at_end() {
                return Err(Error::corrupt(format!(
                    "line {}: the JSON object that begins here does not end: the input was cut off",
                    self.line
                ))
                .into());
            }
            self.window.fill()?;
        }
    }

    fn unexpected(&self, byte: u8, allowed: &str) -> Error {
        Error::invalid(format!(
            "line {}, byte {} of the input: '{}' where {allowed} is expected",
            self.line,
            self.window.offset() + 1,
            byte.escape_ascii()
        ))
    }
}

fn line_breaks(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl RecordReader for JsonReader {
    fn columns(&self) -> &[Box<str>] {
        &self.object.columns
    }

    fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        if !self.advance()? {
            return Ok(None);
        }
        self.records += 1;
        let text = &self.window.unread()[..self.text];
        Ok(Some(self.object.read(text, self.line)?))
    }

    fn raw(&self) -> &[u8] {
        &self.window.unread()[..self.text]
    }

    fn position(&self) -> Position {
        Position {
            byte_offset: self.window.offset() + self.text as u64,
            line: self.line + self.breaks,
            record: self.records,
        }
    }

    fn resume_at(&mut self, position: Position) -> Result<()> {
        self.breaks = 0;
        self.window.consume(std::mem::take(&mut self.text));
        self.window.skip_to(position.byte_offset)?;
        self.line = position.line;
        self.records = position.record;
        Ok(())
    }
}
