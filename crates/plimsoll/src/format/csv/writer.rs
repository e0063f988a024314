//! Rows to CSV.
//!
//! ```text
//!   NULL            ,,            nothing between the delimiters
//!   empty text      ,"",          so that it is not NULL when read back
//!   text            ,tea,         bare where it can be
//!   text            ,"a ""b""",   quoted where it holds a delimiter, a quote, CR or LF
//!   text            ,'=1+1,       guarded (see `guard`) where a spreadsheet would run it
//!   bytes           ,dGVh,        base64, guarded too: it may begin with +
//! ```
//!
//! Promises: [`super::CsvReader`] with the same delimiter reads every field back.
//! Never: quotes around a number.

use super::super::base64;
use super::super::encoder::{self, RowEncoder};
use super::super::scan::{equal, find, splat};
use super::{Delimiter, guard};
use crate::error::Result;
use crate::record::{Row, ValueRef};

/// What ends a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// CR LF, as RFC 4180 has it.
    #[default]
    CrLf,
    /// LF, what Unix tools write.
    Lf,
}

/// How [`Csv`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Between two fields; a comma by default.
    pub delimiter: Delimiter,
    /// After a record; CR LF by default.
    pub line_end: LineEnd,
    /// Whether the first record holds the names; it does by default.
    pub header: bool,
    /// Whether a byte order mark comes first, which some spreadsheets need; not by default.
    pub bom: bool,
    /// Whether text is guarded against being run as a formula; it is by default.
    pub guard: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: Delimiter::Comma,
            line_end: LineEnd::CrLf,
            header: true,
            bom: false,
            guard: true,
        }
    }
}

/// Writes CSV.
///
/// ```
/// use plimsoll::format::{Csv, CsvOptions, RowEncoder};
/// use plimsoll::record::{Value, ValueRow};
/// let mut encoder = Csv::new(["id", "note"], CsvOptions::default());
/// let mut out = Vec::new();
/// encoder.begin(&mut out);
/// encoder.row(&ValueRow(&[Value::Int(1), Value::Text("=a,b".into())]), &mut out)?;
/// encoder.end(&mut out);
/// assert_eq!(out, b"id,note\r\n1,\"'=a,b\"\r\n");
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct Csv {
    header: Box<[u8]>,
    width: usize,
    delimiter: u8,
    line_end: &'static [u8],
    guard: bool,
}

impl Csv {
    /// A writer of rows with these names.
    #[must_use]
    pub fn new<I>(names: I, options: CsvOptions) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let delimiter = options.delimiter.byte();
        let line_end: &[u8] = match options.line_end {
            LineEnd::CrLf => b"\r\n",
            LineEnd::Lf => b"\n",
        };
        let mut header = Vec::new();
        if options.bom {
            header.extend_from_slice("\u{feff}".as_bytes());
        }
        let mut width = 0;
        for name in names {
            if options.header {
                if width > 0 {
                    header.push(delimiter);
                }
                write_text(name.as_ref(), "", delimiter, &mut header);
            }
            width += 1;
        }
        if options.header {
            header.extend_from_slice(line_end);
        }
        Self { header: header.into(), width, delimiter, line_end, guard: options.guard }
    }

    fn value(&self, value: ValueRef<'_>, out: &mut Vec<u8>) {
        match value {
            ValueRef::Null => {}
            ValueRef::Bool(true) => out.extend_from_slice(b"true"),
            ValueRef::Bool(false) => out.extend_from_slice(b"false"),
            ValueRef::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
            ValueRef::Float(v) if v.is_finite() => {
                out.extend_from_slice(zmij::Buffer::new().format_finite(v).as_bytes());
            }
            ValueRef::Float(_) => {}
            ValueRef::Money(v) => v.write_to(out),
            ValueRef::Time(v) => v.write_to(out),
            ValueRef::Text(text) => {
                let before = if self.guard { guard(text) } else { "" };
                write_text(text, before, self.delimiter, out);
            }
            // No formula begins as JSON does, or else it is a number.
            ValueRef::Json(text) => write_text(text, "", self.delimiter, out),
            ValueRef::Bytes([]) => out.extend_from_slice(b"\"\""),
            ValueRef::Bytes(bytes) => {
                let start = out.len();
                base64::encode_to(bytes, out);
                if self.guard && out[start] == b'+' {
                    out.insert(start, b'\'');
                }
            }
        }
    }
}

/// Appends a text, quoted where it must be, with the guard's apostrophe inside the quotes.
fn write_text(text: &str, before: &str, delimiter: u8, out: &mut Vec<u8>) {
    const QUOTE: u64 = splat(b'"');
    let bytes = text.as_bytes();
    let split = splat(delimiter);
    let special = find(bytes, 0, |word| {
        equal(word, split)
            | equal(word, QUOTE)
            | equal(word, const { splat(b'\n') })
            | equal(word, const { splat(b'\r') })
    });
    if special == bytes.len() && !bytes.is_empty() {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(before.as_bytes());
    let mut clean = 0;
    let mut from = special;
    loop {
        let quote = find(bytes, from, |word| equal(word, QUOTE));
        if quote == bytes.len() {
            break;
        }
        // Up to and with the quote; the next span begins at the same quote and doubles it.
        out.extend_from_slice(&bytes[clean..=quote]);
        clean = quote;
        from = quote + 1;
    }
    out.extend_from_slice(&bytes[clean..]);
    out.push(b'"');
}

impl RowEncoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header);
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        assert_eq!(row.width(), self.width, "the row has the encoder's columns");
        let start = out.len();
        for position in 0..self.width {
            if position > 0 {
                out.push(self.delimiter);
            }
            match row.value(position) {
                Ok(value) => self.value(value, out),
                Err(error) => {
                    out.truncate(start);
                    return Err(error);
                }
            }
        }
        out.extend_from_slice(self.line_end);
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize> {
        let fixed = self.width + self.line_end.len();
        encoder::row_bytes_max(row, fixed, |text| text.len().saturating_mul(2))
    }
}
