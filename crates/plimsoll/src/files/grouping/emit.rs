//! Finished groups to the output.
//!
//! ```text
//!   worker: table ─> rows in a frame ─ full ─> channel ─> the one who writes ─> Sink
//!      ^                                                        │
//!      └────────────────── the frame, empty ────────────────────┘
//! ```
//!
//! Promises: frames are made once and go round; a row is in one frame, whole.
//! Never: a number in quotes, or a text changed: no guard against formulas, for the output is
//! what was in the input.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use super::Work;
use super::columns::{KeyFields, write};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result, excerpt};
use crate::format::{Delimiter, Ndjson, RowEncoder};
use crate::group::Table;
use crate::record::{ColumnType, Value, ValueRow};

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Csv { delimiter: Delimiter, line_end: &'static [u8] },
    Ndjson,
}

/// Where finished groups go.
pub(super) enum Emit<'a> {
    Count(u64),
    Rows(Box<Rows<'a>>),
}

impl Emit<'_> {
    pub(super) fn table(&mut self, work: &Work, table: &Table) -> Result<()> {
        match self {
            Self::Count(groups) => {
                *groups += table.len() as u64;
                Ok(())
            }
            Self::Rows(rows) => rows.table(work, table),
        }
    }

    /// One group by the values of its measures, which are taken.
    pub(super) fn group(&mut self, work: &Work, key: &[u8], values: &mut Vec<Value>) -> Result<()> {
        match self {
            Self::Count(groups) => {
                *groups += 1;
                Ok(())
            }
            Self::Rows(rows) => {
                std::mem::swap(&mut rows.values, values);
                rows.group(work, key)
            }
        }
    }

    /// Hands the rest over; gives the number of groups.
    pub(super) fn finish(self) -> Result<u64> {
        match self {
            Self::Count(groups) => Ok(groups),
            Self::Rows(mut rows) => {
                rows.hand_over()?;
                Ok(rows.rows)
            }
        }
    }
}

/// Rows as text.
pub(super) struct Rows<'a> {
    encoder: Encoder,
    values: Vec<Value>,
    frame: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    empty: &'a Mutex<Receiver<Vec<u8>>>,
    rows: u64,
    /// For rows larger than a frame.
    more: Reservation,
}

enum Encoder {
    Csv { delimiter: u8, line_end: &'static [u8] },
    Ndjson(Ndjson),
}

impl Encoder {
    fn new(style: Style, work: &Work) -> Self {
        match style {
            Style::Csv { delimiter, line_end } => {
                Self::Csv { delimiter: delimiter.byte(), line_end }
            }
            Style::Ndjson => Self::Ndjson(Ndjson::new(work.names())),
        }
    }
}

/// The header of the output.
pub(super) fn header(style: Style, work: &Work) -> Vec<u8> {
    let mut out = Vec::new();
    if let Style::Csv { delimiter, line_end } = style {
        for (n, name) in work.names().enumerate() {
            if n > 0 {
                out.push(delimiter.byte());
            }
            write_field(name.as_bytes(), delimiter.byte(), &mut out);
        }
        out.extend_from_slice(line_end);
    }
    out
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        style: Style,
        work: &Work,
        full: SyncSender<Vec<u8>>,
        empty: &'a Mutex<Receiver<Vec<u8>>>,
        consumer: &Consumer,
    ) -> Result<Self> {
        let mut rows = Self {
            encoder: Encoder::new(style, work),
            values: Vec::new(),
            frame: Vec::new(),
            full,
            empty,
            rows: 0,
            more: consumer.try_reserve(0)?,
        };
        rows.take_frame()?;
        Ok(rows)
    }

    fn take_frame(&mut self) -> Result<()> {
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        self.frame = empty.recv().map_err(|_| Error::stopped())?;
        Ok(())
    }

    fn hand_over(&mut self) -> Result<()> {
        let frame = std::mem::take(&mut self.frame);
        self.full.send(frame).map_err(|_| Error::stopped())
    }

    fn table(&mut self, work: &Work, table: &Table) -> Result<()> {
        for group in table {
            self.values.clear();
            work.division.layout().finish(group, &mut self.values)?;
            self.group(work, group.key())?;
        }
        Ok(())
    }

    /// Writes the group of `key` with the values that are there.
    fn group(&mut self, work: &Work, key: &[u8]) -> Result<()> {
        let texts: usize = self.values.iter().map(Value::heap_bytes).sum();
        let width = work.keys.len() + self.values.len();
        // Six bytes for one are the most JSON makes of a character; CSV makes two.
        let factor = if matches!(self.encoder, Encoder::Ndjson(_)) { 6 } else { 2 };
        let bytes = factor * (key.len() + texts) + 48 * width + work.names_bytes;
        if self.frame.len() + bytes > self.frame.capacity() {
            self.make_room(bytes)?;
        }
        self.rows += 1;
        self.row(work, key)
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        if !self.frame.is_empty() {
            self.hand_over()?;
            self.take_frame()?;
        }
        let more = bytes.saturating_sub(self.frame.capacity());
        if more > 0 {
            // The old frame is freed when the new one is there.
            self.more.try_grow(bytes as u64)?;
            self.frame.reserve_exact(bytes);
        }
        Ok(())
    }

    fn row(&mut self, work: &Work, key: &[u8]) -> Result<()> {
        let out = &mut self.frame;
        let fields = KeyFields::new(key, work.keys.len());
        match &mut self.encoder {
            Encoder::Csv { delimiter, line_end } => {
                for (n, (field, source)) in fields.zip(&work.keys).enumerate() {
                    if n > 0 {
                        out.push(*delimiter);
                    }
                    match field {
                        None => {}
                        Some(text) if source.column.kind == ColumnType::Text => {
                            write_field(text, *delimiter, out);
                        }
                        Some(number) => out.extend_from_slice(number),
                    }
                }
                for value in &self.values {
                    out.push(*delimiter);
                    match value {
                        Value::Text(text) => write_field(text.as_bytes(), *delimiter, out),
                        value => write(value.borrow(), out),
                    }
                }
                out.extend_from_slice(line_end);
                Ok(())
            }
            Encoder::Ndjson(encoder) => {
                let mut row = Vec::with_capacity(work.keys.len() + self.values.len());
                for (field, source) in fields.zip(&work.keys) {
                    row.push(match field {
                        None => Value::Null,
                        Some(text) => source.column.parse(utf8(text, &source.column.name)?)?,
                    });
                }
                row.append(&mut self.values);
                encoder.row(&ValueRow(&row), out)
            }
        }
    }
}

fn utf8<'t>(text: &'t [u8], column: &str) -> Result<&'t str> {
    std::str::from_utf8(text).map_err(|_| {
        Error::invalid(format!(
            "column '{}': a value is not UTF-8, and JSON holds nothing else; write CSV",
            excerpt(column)
        ))
    })
}

/// Appends a field of CSV, quoted where it must be.
#[inline]
fn write_field(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let special = text.iter().fold(text.is_empty(), |special, byte| {
        special | (*byte == delimiter) | (*byte == b'"') | (*byte == b'\n') | (*byte == b'\r')
    });
    if !special {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for part in text.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
