//! CSV records out of a source.
//!
//! ```text
//!   Window ── unread bytes ──> Machine ── spans ──> checks ──> Record
//!                                          width, UTF-8, doubled quotes decoded
//! ```
//!
//! Blank lines are skipped, except in a file of one column, where a blank line is its NULL.
//!
//! Promises: NULL (`,,`) and the empty text (`,"",`) are told apart; a record that is wrong costs
//! that record; every error names the line.
//! Never: a field guessed into place when the number of fields is wrong.

use super::super::Format;
use super::super::options::ReaderOptions;
use super::super::read_error::{ReadError, too_long};
use super::super::record::{Position, Record, RecordReader};
use super::super::source::Source;
use super::super::window::Window;
use super::fields::{check_names, check_utf8, decode, refuse};
use super::machine::{Machine, Outcome};
use crate::error::{Error, Result};
use crate::limits::COLUMNS_MAX;

/// Reads CSV with a header; CR LF, LF and CR end a record. See [`RecordReader`] for an example.
///
/// Holds [`ReaderOptions::workspace_bytes`] at most.
pub struct CsvReader {
    window: Window,
    machine: Machine,
    columns: Box<[Box<str>]>,
    /// Texts of the record that held doubled quotes.
    decoded: String,
    line_bytes_max: usize,
    /// Line the next record begins on.
    line: u64,
    records: u64,
    /// Bytes of the last record without its line end, and with it: still in the window.
    text: usize,
    taken: usize,
}

impl CsvReader {
    /// Opens `source` and reads the header.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for an empty input, a header with a name twice, too long or
    /// not UTF-8, too many columns, or options out of range; [`crate::ErrorKind::TooLarge`] for a
    /// header beyond the longest line; those of [`Source::read`].
    pub fn open(source: Source, options: ReaderOptions) -> Result<Self> {
        options.check()?;
        let mut reader = Self {
            window: Window::open(source, options.line_bytes_max)?,
            machine: Machine::new(options.delimiter.byte(), COLUMNS_MAX),
            columns: Box::default(),
            decoded: String::new(),
            line_bytes_max: options.line_bytes_max,
            line: 1,
            records: 0,
            text: 0,
            taken: 0,
        };
        reader.columns = reader.header().map_err(|error| match error {
            ReadError::Fatal(error) => error,
            ReadError::Record(error) => Error::invalid(format!("the header: {error}")),
        })?;
        reader.machine = Machine::new(options.delimiter.byte(), reader.columns.len());
        Ok(reader)
    }

    fn header(&mut self) -> Result<Box<[Box<str>]>, ReadError> {
        let Some(line) = self.advance(true)? else {
            return Err(Error::invalid("the CSV input is empty: it needs a header").into());
        };
        if self.machine.fields > COLUMNS_MAX {
            return Err(Error::invalid(format!(
                "the header has {} columns; at most {COLUMNS_MAX} are read: is the delimiter \
                 right?",
                self.machine.fields
            ))
            .into());
        }
        let positions: Box<[Box<str>]> =
            (1..=self.machine.fields).map(|n| format!("#{n}").into()).collect();
        let text = &self.window.unread()[..self.text];
        let raw = check_utf8(text, &self.machine.spans, &positions, line)?;
        decode(raw, &mut self.machine.spans, &mut self.decoded, self.line_bytes_max);
        let header = Record {
            columns: &positions,
            spans: &self.machine.spans,
            raw,
            decoded: &self.decoded,
            line,
        };
        check_names(&header)
    }

    /// Moves to the next record that is not blank and checks its quotes; `None` at the end.
    /// Returns the line it begins on.
    fn advance(&mut self, skip_blank: bool) -> Result<Option<u64>, ReadError> {
        loop {
            self.window.consume(std::mem::take(&mut self.taken));
            self.text = 0;
            self.machine.reset();
            let outcome = self.run()?;
            let line = self.line;
            let breaks = self.machine.breaks;
            match outcome {
                Outcome::More => return Ok(None),
                Outcome::Unterminated => {
                    self.text = self.window.unread().len();
                    self.taken = self.text;
                    self.line += breaks;
                    self.records += 1;
                    let opened = line + self.machine.breaks_before_quote;
                    return Err(refuse(
                        opened,
                        None,
                        "a quote opened on this line is not closed before the end of the file"
                            .into(),
                    ));
                }
                Outcome::Record { text, taken } => {
                    self.text = text;
                    self.taken = taken;
                    self.line += breaks + u64::from(taken > text);
                    if text == 0 && skip_blank {
                        continue;
                    }
                    return Ok(Some(line));
                }
            }
        }
    }

    /// Runs the machine over the record at the window's start; [`Outcome::More`] is the end of
    /// the input here.
    fn run(&mut self) -> Result<Outcome, ReadError> {
        loop {
            let unread = self.window.unread();
            let at_end = self.window.at_end();
            if at_end && unread.is_empty() {
                return Ok(Outcome::More);
            }
            let outcome = self.machine.run(unread, at_end);
            let bytes = match outcome {
                Outcome::Record { text, .. } => text,
                Outcome::More | Outcome::Unterminated => unread.len(),
            };
            if bytes > self.line_bytes_max {
                let hint = if self.machine.in_quotes() {
                    let opened = self.line + self.machine.breaks_before_quote;
                    format!(" (a quote opened on line {opened} is not closed)")
                } else {
                    String::new()
                };
                return Err(too_long(Format::Csv, self.line, self.line_bytes_max, &hint));
            }
            if outcome != Outcome::More {
                return Ok(outcome);
            }
            self.window.fill()?;
        }
    }

    fn check_width(&self, line: u64) -> Result<(), ReadError> {
        if let Some(position) = self.machine.stray {
            return Err(refuse(
                line,
                self.columns.get(position).map(AsRef::as_ref),
                "text stands behind the closing quote: a quote inside quotes is written twice"
                    .into(),
            ));
        }
        let (found, expected) = (self.machine.fields, self.columns.len());
        if found == expected {
            return Ok(());
        }
        let message = format!("{found} fields where the header has {expected}");
        Err(refuse(line, None, message))
    }
}

impl RecordReader for CsvReader {
    fn columns(&self) -> &[Box<str>] {
        &self.columns
    }

    fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let Some(line) = self.advance(self.columns.len() != 1)? else {
            return Ok(None);
        };
        self.records += 1;
        self.check_width(line)?;
        let text = &self.window.unread()[..self.text];
        let raw = check_utf8(text, &self.machine.spans, &self.columns, line)?;
        decode(raw, &mut self.machine.spans, &mut self.decoded, self.line_bytes_max);
        Ok(Some(Record {
            columns: &self.columns,
            spans: &self.machine.spans,
            raw,
            decoded: &self.decoded,
            line,
        }))
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
