//! NDJSON: one object per line.
//!
//! Promises: blank lines are skipped; a line that is wrong costs that line.
//! Never: an object over two lines; that is what [`super::JsonReader`] reads.

use super::super::Format;
use super::super::options::ReaderOptions;
use super::super::read_error::{ReadError, RecordError, too_long};
use super::super::record::{Position, Record, RecordReader};
use super::super::source::Source;
use super::super::window::Window;
use super::object::Object;
use crate::error::Result;

/// Reads NDJSON. See [`RecordReader`] for an example.
///
/// Holds [`ReaderOptions::workspace_bytes`] at most.
pub struct NdjsonReader {
    window: Window,
    object: Object,
    line_bytes_max: usize,
    /// Line the next record begins on.
    line: u64,
    records: u64,
    /// Bytes of the last line without its end, and with it: still in the window.
    text: usize,
    taken: usize,
}

impl NdjsonReader {
    /// Opens `source`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for options out of range; those of [`Source::read`].
    pub fn open(source: Source, options: ReaderOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            window: Window::open(source, options.line_bytes_max)?,
            object: Object::new(options.line_bytes_max),
            line_bytes_max: options.line_bytes_max,
            line: 1,
            records: 0,
            text: 0,
            taken: 0,
        })
    }

    /// Moves to the next line that is not blank; the line's number, or `None` at the end.
    fn advance(&mut self) -> Result<Option<u64>, ReadError> {
        loop {
            self.window.consume(std::mem::take(&mut self.taken));
            self.text = 0;
            let Some((text, taken)) = self.find_end()? else {
                return Ok(None);
            };
            let line = self.line;
            self.taken = taken;
            self.line += u64::from(taken > text);
            let bytes = &self.window.unread()[..text];
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.text = text - usize::from(bytes.ends_with(b"\r"));
            return Ok(Some(line));
        }
    }

    /// Bytes of the line at the window's start, without and with its LF.
    fn find_end(&mut self) -> Result<Option<(usize, usize)>, ReadError> {
        let mut seen = 0;
        loop {
            let unread = self.window.unread();
            let end = memchr::memchr(b'\n', &unread[seen..]).map(|ahead| seen + ahead);
            seen = unread.len();
            if end.unwrap_or(seen) > self.line_bytes_max {
                return Err(too_long(Format::Ndjson, self.line, self.line_bytes_max, ""));
            }
            if let Some(end) = end {
                return Ok(Some((end, end + 1)));
            }
            if self.window.at_end() {
                return Ok((seen > 0).then_some((seen, seen)));
            }
            self.window.fill()?;
        }
    }
}

impl RecordReader for NdjsonReader {
    fn columns(&self) -> &[Box<str>] {
        &self.object.columns
    }

    fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let Some(line) = self.advance()? else {
            return Ok(None);
        };
        self.records += 1;
        let text = &self.window.unread()[..self.text];
        if text.trim_ascii_start().starts_with(b"[") {
            return Err(ReadError::Record(RecordError {
                line,
                column: None,
                message: "the line begins with '[': NDJSON has one object per line; read an \
                          array as format json"
                    .into(),
            }));
        }
        Ok(Some(self.object.read(text, line)?))
    }

    fn raw(&self) -> &[u8] {
        &self.window.unread()[..self.text]
    }

    fn position(&self) -> Position {
        Position {
            byte_offset: self.window.offset() + self.taken as u64,
            line: self.line,
            record: self.records,
        }
    }

    fn resume_at(&mut self, position: Position) -> Result<()> {
        self.window.consume(std::mem::take(&mut self.taken));
        self.text = 0;
        self.window.skip_to(position.byte_offset)?;
        self.line = position.line;
        self.records = position.record;
        Ok(())
    }
}
