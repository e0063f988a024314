//! The fields of a record whose end is known: checked, decoded, named.
//!
//! Promises: a fault names its column and the byte in it.
//! Never: a copy of a field that stands in the file as it is.

use super::super::read_error::{ReadError, RecordError};
use super::super::record::{Field, Form, Record, Span};
use crate::error::excerpt;
use crate::limits::NAME_BYTES_MAX;

pub(super) fn refuse(line: u64, column: Option<&str>, message: String) -> ReadError {
    ReadError::Record(RecordError { line, column: column.map(Into::into), message: message.into() })
}

/// One check for the whole record: delimiters and quotes are ASCII, so its fields are text too.
pub(super) fn check_utf8<'a>(
    text: &'a [u8],
    spans: &[Span],
    columns: &[Box<str>],
    line: u64,
) -> Result<&'a str, ReadError> {
    std::str::from_utf8(text).map_err(|error| {
        let at = error.valid_up_to();
        let position = spans.iter().rposition(|span| span.start as usize <= at).unwrap_or(0);
        let start = spans.get(position).map_or(0, |span| span.start as usize);
        let message = format!(
            "byte {} of the field is not UTF-8 (0x{:02x}): convert the file first",
            at - start + 1,
            text[at]
        );
        refuse(line, columns.get(position).map(AsRef::as_ref), message)
    })
}

/// Writes each field with doubled quotes to `decoded` and points its span there.
pub(super) fn decode(raw: &str, spans: &mut [Span], decoded: &mut String, bytes_max: usize) {
    decoded.clear();
    for span in spans.iter_mut().filter(|span| span.form == Form::Decoded) {
        if decoded.capacity() < raw.len() {
            // All decoded text of a record is shorter than the record. Doubling keeps the number
            // of growths small, the bound keeps the stated workspace.
            let capacity = raw.len().next_power_of_two().min(bytes_max);
            decoded.reserve_exact(capacity - decoded.len());
        }
        let start = decoded.len();
        let mut rest = &raw[span.range()];
        while let Some(quote) = memchr::memchr(b'"', rest.as_bytes()) {
            decoded.push_str(&rest[..=quote]);
            rest = &rest[quote + 2..];
        }
        decoded.push_str(rest);
        *span = Span::new(start, decoded.len(), Form::Decoded);
    }
}

/// The header's names: each once and not too long to hold.
pub(super) fn check_names(header: &Record<'_>) -> Result<Box<[Box<str>]>, ReadError> {
    let mut names: Vec<Box<str>> = Vec::with_capacity(header.columns.len());
    for position in 0..header.columns.len() {
        let name = match header.field(position) {
            Field::Text(name) => name,
            _ => "",
        };
        let wrong = if name.len() > NAME_BYTES_MAX {
            format!("the name is longer than {NAME_BYTES_MAX} bytes")
        } else if names.iter().any(|known| **known == *name) {
            format!("the name '{}' stands twice: rename one of the two", excerpt(name))
        } else {
            names.push(name.into());
            continue;
        };
        return Err(refuse(header.line, header.columns.get(position).map(AsRef::as_ref), wrong));
    }
    Ok(names.into())
}
