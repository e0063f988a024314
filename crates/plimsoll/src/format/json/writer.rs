//! Rows to JSON objects.
//!
//! ```text
//!   Ndjson        {"id":1,"name":"tea"}\n{"id":2,...}\n
//!   JsonArray     [{"id":1,"name":"tea"},\n{"id":2,...}]
//!   JsonObjects   {"id":1,"name":"tea"}{"id":2,...}    the caller puts what it wants between
//! ```
//!
//! Promises: amounts and integers with exact digits, floats with the shortest digits that read
//! back, instants as RFC 3339 strings, bytes as base64 strings, JSON nested as it is.
//! Never: a name escaped twice; `{"name":` is prepared once per column.

use super::super::base64;
use super::super::encoder::{self, RowEncoder};
use super::escape;
use crate::error::Result;
use crate::record::{Row, ValueRef};

/// The prepared names: what stands before each value.
struct Keys {
    /// `{"id":`, `,"name":` and so on, end to end.
    text: Box<[u8]>,
    ends: Box<[usize]>,
}

impl Keys {
    fn new<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut text = Vec::new();
        let mut ends = Vec::new();
        for name in names {
            text.push(if ends.is_empty() { b'{' } else { b',' });
            escape::write(name.as_ref(), &mut text);
            text.push(b':');
            ends.push(text.len());
        }
        if ends.is_empty() {
            text.push(b'{');
        }
        Self { text: text.into(), ends: ends.into() }
    }

    /// Appends one object, or leaves `out` as it was.
    fn object(&self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        assert_eq!(row.width(), self.ends.len(), "the row has the encoder's columns");
        let start = out.len();
        let mut from = 0;
        for (position, &end) in self.ends.iter().enumerate() {
            out.extend_from_slice(&self.text[from..end]);
            from = end;
            match row.value(position) {
                Ok(value) => write_value(value, out),
                Err(error) => {
                    out.truncate(start);
                    return Err(error);
                }
            }
        }
        out.extend_from_slice(&self.text[from..]);
        out.push(b'}');
        Ok(())
    }

    /// With room for a brace and a separator of two bytes.
    fn bytes_max(&self, row: &dyn Row) -> Result<usize> {
        encoder::row_bytes_max(row, self.text.len() + 3, escape::len_max)
    }
}

fn write_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Text(text) => escape::write(text, out),
        ValueRef::Json(text) => write_nested(text, out),
        ValueRef::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
        ValueRef::Money(v) => v.write_to(out),
        ValueRef::Time(v) => {
            out.push(b'"');
            v.write_to(out);
            out.push(b'"');
        }
        ValueRef::Float(v) if v.is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(v).as_bytes());
        }
        ValueRef::Null | ValueRef::Float(_) => out.extend_from_slice(b"null"),
        ValueRef::Bool(true) => out.extend_from_slice(b"true"),
        ValueRef::Bool(false) => out.extend_from_slice(b"false"),
        ValueRef::Bytes(bytes) => {
            out.push(b'"');
            base64::encode_to(bytes, out);
            out.push(b'"');
        }
    }
}

/// A JSON value as it stands. A line's end can only stand between its parts, where a space is as
/// good, and a line of NDJSON is one row.
fn write_nested(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    for byte in &mut out[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// One object per line.
///
/// ```
/// use plimsoll::format::{Ndjson, RowEncoder};
/// use plimsoll::record::{Value, ValueRow};
/// let mut out = Vec::new();
/// Ndjson::new(["price"]).row(&ValueRow(&[Value::Money("2.50".parse()?)]), &mut out)?;
/// assert_eq!(out, b"{\"price\":2.5}\n");
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct Ndjson {
    keys: Keys,
}

/// One array of objects; see [`RowEncoder`] for an example.
pub struct JsonArray {
    keys: Keys,
    /// Whether a row was written since `begin`.
    started: bool,
}

/// Objects with nothing around or between them, for a caller that builds the document itself.
///
/// ```
/// use plimsoll::format::{JsonObjects, RowEncoder};
/// use plimsoll::record::{Value, ValueRow};
/// let mut out = b"{\"item\":".to_vec();
/// JsonObjects::new(["id"]).row(&ValueRow(&[Value::Int(7)]), &mut out)?;
/// out.push(b'}');
/// assert_eq!(out, b"{\"item\":{\"id\":7}}");
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct JsonObjects {
    keys: Keys,
}

impl Ndjson {
    /// A writer of rows with these names.
    #[must_use]
    pub fn new<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self { keys: Keys::new(names) }
    }
}

impl JsonArray {
    /// A writer of rows with these names.
    #[must_use]
    pub fn new<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self { keys: Keys::new(names), started: false }
    }
}

impl JsonObjects {
    /// A writer of rows with these names.
    #[must_use]
    pub fn new<I>(names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Self { keys: Keys::new(names) }
    }
}

impl RowEncoder for Ndjson {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        self.keys.object(row, out)?;
        out.push(b'\n');
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize> {
        self.keys.bytes_max(row)
    }
}

impl RowEncoder for JsonArray {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.started = false;
        out.push(b'[');
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        if self.started {
            out.extend_from_slice(b",\n");
        }
        if let Err(error) = self.keys.object(row, out) {
            out.truncate(start);
            return Err(error);
        }
        self.started = true;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.push(b']');
    }

    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize> {
        self.keys.bytes_max(row)
    }
}

impl RowEncoder for JsonObjects {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        self.keys.object(row, out)
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize> {
        self.keys.bytes_max(row)
    }
}
