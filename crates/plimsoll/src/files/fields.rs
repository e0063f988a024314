//! Some of a raw record's fields as typed values, for expressions.
//!
//! ```text
//!   RawRecord ── load: the columns that are read ──> texts ── value: by the column's type
//! ```
//!
//! Promises: a field that is not of its column's type is refused with line and column.
//! Never: a column copied that the expression does not read.

use crate::error::{Error, Result, excerpt};
use crate::record::{Column, ColumnType, Row, Schema, ValueRef};
use crate::scan::{RawRecord, Segments};

/// One row at a time, loaded from records; one per worker.
pub(super) struct TypedFields<'a> {
    columns: &'a [Box<str>],
    kinds: &'a [ColumnType],
    /// Columns that are read.
    needed: Box<[usize]>,
    /// Their texts; `None` is NULL. By column.
    texts: Box<[Option<Vec<u8>>]>,
    /// Text buffers of columns that are NULL now.
    spares: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

/// The columns of an input with the types its first megabyte tells.
pub(super) fn schema(segments: &Segments) -> Schema {
    let kinds = segments.kinds().iter();
    let columns = segments.columns().iter().zip(kinds);
    Schema { columns: columns.map(|(name, kind)| Column::nullable(name, *kind)).collect() }
}

impl<'a> TypedFields<'a> {
    pub(super) fn new(segments: &'a Segments, needed: &[usize]) -> Self {
        let (columns, kinds) = (segments.columns(), segments.kinds());
        let texts = vec![None; columns.len()].into();
        let (spares, scratch) = (Vec::new(), Vec::new());
        Self { columns, kinds, needed: needed.into(), texts, spares, scratch }
    }

    /// Takes the next record.
    pub(super) fn load(&mut self, record: &RawRecord<'_>) {
        for column in &self.needed {
            let text = &mut self.texts[*column];
            match record.field(*column).decode(&mut self.scratch) {
                None => self.spares.extend(text.take()),
                Some(bytes) => {
                    let text = text.get_or_insert_with(|| self.spares.pop().unwrap_or_default());
                    text.clear();
                    text.extend_from_slice(bytes);
                }
            }
        }
    }

    fn wrong(&self, column: usize, text: &[u8]) -> Error {
        Error::corrupt(format!(
            "column '{}': '{}' is no {}, as the values of the first megabyte are",
            excerpt(&self.columns[column]),
            excerpt(&String::from_utf8_lossy(text)),
            self.kinds[column]
        ))
    }
}

/// The sentence of `error` with the record's line before it.
pub(super) fn on_line(line: u64, error: &Error) -> Error {
    Error::invalid(format!("line {line}: {error}"))
}

impl Row for TypedFields<'_> {
    fn width(&self) -> usize {
        self.columns.len()
    }

    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        let Some(bytes) = &self.texts[position] else { return Ok(ValueRef::Null) };
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong(position, bytes))?;
        let typed = match self.kinds[position] {
            ColumnType::Int => text.parse().ok().map(ValueRef::Int),
            ColumnType::Money => text.parse().ok().map(ValueRef::Money),
            ColumnType::Float => text.parse().ok().map(ValueRef::Float),
            _ => Some(ValueRef::Text(text)),
        };
        typed.ok_or_else(|| self.wrong(position, bytes))
    }
}
