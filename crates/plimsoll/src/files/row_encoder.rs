//! Rows of either format written in either format, in whole or the part behind another row's.
//!
//! ```text
//!   CSV      1,tea,"a,b"                    ,R16,2.5
//!   NDJSON   {"id":1,"name":"tea"           ,"region":"R16","rate":2.5
//!            Start::Row                     Start::Behind, as the right part of a joined row
//! ```
//!
//! Promises: numbers and what JSON has no quotes around keep their digits and bytes; text is
//! quoted where it must be.
//! Never: text that is not UTF-8 in JSON.

use crate::error::{Error, Result, excerpt};
use crate::format::{Delimiter, Format};
use crate::record::ColumnType;
use crate::scan::{RawField, RawRecord, is_json_number};

/// Where the fields that are written stand in their row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// They are its first ones.
    Row,
    /// Others stand before them.
    Behind,
}

/// Writes some columns of records.
#[derive(Debug)]
pub(super) struct RowEncoder {
    from: Format,
    to: Format,
    delimiter: u8,
    chosen: Vec<Chosen>,
}

#[derive(Debug)]
struct Chosen {
    column: usize,
    name: Box<str>,
    number: bool,
    /// What stands before the value: `{"name":`, `,"name":`, a delimiter or nothing.
    lead: Vec<u8>,
}

impl RowEncoder {
    /// Of columns by position in the record, name in the output, and type.
    pub(super) fn new<'c>(
        (from, to): (Format, Format),
        delimiter: Delimiter,
        columns: impl Iterator<Item = (usize, &'c str, ColumnType)>,
        start: Start,
    ) -> Self {
        let delimiter = delimiter.byte();
        let chosen = columns.enumerate().map(|(place, (column, name, kind))| {
            let first = place == 0 && start == Start::Row;
            let mut lead = Vec::new();
            if to == Format::Csv {
                lead.extend((!first).then_some(delimiter));
            } else {
                lead.push(if first { b'{' } else { b',' });
                json_text(name, &mut lead);
                lead.push(b':');
            }
            let number = matches!(kind, ColumnType::Int | ColumnType::Money | ColumnType::Float);
            Chosen { column, name: name.into(), number, lead }
        });
        Self { from, to, delimiter, chosen: chosen.collect() }
    }

    /// The names, where the format has them in its first line.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut header = self.names();
        if self.to == Format::Csv {
            header.push(b'\n');
        }
        header
    }

    /// The names without the line's end; nothing for NDJSON.
    pub(super) fn names(&self) -> Vec<u8> {
        let mut names = Vec::new();
        if self.to == Format::Csv {
            for chosen in &self.chosen {
                names.extend_from_slice(&chosen.lead);
                csv_text(chosen.name.as_bytes(), self.delimiter, &mut names);
            }
        }
        names
    }

    /// Fields that are all NULL.
    pub(super) fn nulls(&self) -> Vec<u8> {
        let null: &[u8] = if self.to == Format::Csv { b"" } else { b"null" };
        self.chosen.iter().flat_map(|chosen| [&chosen.lead, null].concat()).collect()
    }

    /// What stands around the values of a row.
    pub(super) fn overhead_bytes(&self) -> u64 {
        self.chosen.iter().map(|chosen| chosen.lead.len() as u64).sum()
    }

    /// Appends the row with its end.
    #[inline]
    pub(super) fn row(
        &self,
        record: &RawRecord<'_>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        self.fields(record, out, scratch)?;
        if self.to != Format::Csv {
            out.push(b'}');
        }
        out.push(b'\n');
        Ok(())
    }

    /// Appends the fields: what ends the row is the caller's.
    #[inline]
    pub(super) fn fields(
        &self,
        record: &RawRecord<'_>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        for chosen in &self.chosen {
            out.extend_from_slice(&chosen.lead);
            if self.to != Format::Csv {
                self.json_value(record, chosen, out, scratch)?;
            } else if let Some(text) = record.field(chosen.column).decode(scratch) {
                csv_text(text, self.delimiter, out);
            }
        }
        Ok(())
    }

    #[inline]
    fn json_value(
        &self,
        record: &RawRecord<'_>,
        chosen: &Chosen,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let field = record.field(chosen.column);
        if let RawField::Plain(text) = field
            && match self.from {
                Format::Csv => chosen.number && is_json_number(text),
                Format::Ndjson | Format::Json => !record.is_text(chosen.column),
            }
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
                excerpt(&chosen.name)
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
fn csv_text(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
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
