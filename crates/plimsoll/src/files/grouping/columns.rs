//! The columns a grouping reads, as keys and as typed cells.
//!
//! ```text
//!   key     field .. field last        field: 0 for NULL, else varint length + 1 and the text
//!                                      last:  0 for NULL, else 1 and the text to the end
//!   text    as it stands, without quotes; a number is written the one shortest way
//!   cell    16 bytes; a text lies beside, in the batch
//! ```
//!
//! Promises: two keys are the same bytes exactly where every field is the same value: 2.50 is 2.5
//! where the column is money, and NULL is not the empty text.
//! Never: an allocation for a number written as people write it.

use crate::error::{Error, Result, excerpt};
use crate::record::{Column, ColumnType, Money, Timestamp, Value, ValueRef};
use crate::scan::{RawField, RawRecord};

/// One column of the input.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) position: usize,
    pub(super) column: Column,
}

/// A typed field; what a text refers to lies in the batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Money(Money),
    Time(Timestamp),
    Text { start: u32, end: u32 },
}

impl Cell {
    #[inline]
    pub(super) fn value(self, texts: &str) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Bool(v) => ValueRef::Bool(v),
            Self::Int(v) => ValueRef::Int(v),
            Self::Float(v) => ValueRef::Float(v),
            Self::Money(v) => ValueRef::Money(v),
            Self::Time(v) => ValueRef::Time(v),
            Self::Text { start, end } => ValueRef::Text(&texts[start as usize..end as usize]),
        }
    }
}

/// Buffers of whoever reads fields.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    decoded: Vec<u8>,
    written: Vec<u8>,
}

impl Source {
    /// Reads the field of `record`; a text is appended to `texts`.
    #[inline]
    pub(super) fn cell(
        &self,
        record: &RawRecord<'_>,
        scratch: &mut Scratch,
        texts: &mut String,
    ) -> Result<Cell> {
        let field = record.field(self.position);
        if let RawField::Plain(text) = field {
            let quick = match self.column.kind {
                ColumnType::Int => int(text).map(Cell::Int),
                ColumnType::Money => money(text).map(Cell::Money),
                _ => None,
            };
            if let Some(cell) = quick {
                return Ok(cell);
            }
        }
        let Some(text) = field.decode(&mut scratch.decoded) else { return Ok(Cell::Null) };
        let text = std::str::from_utf8(text).map_err(|_| self.not_text(record.line()))?;
        if self.column.kind == ColumnType::Text {
            let start = narrow(texts.len());
            texts.push_str(text);
            return Ok(Cell::Text { start, end: narrow(texts.len()) });
        }
        Ok(match self.parse(text, record.line())? {
            Value::Bool(v) => Cell::Bool(v),
            Value::Int(v) => Cell::Int(v),
            Value::Float(v) => Cell::Float(v),
            Value::Money(v) => Cell::Money(v),
            Value::Time(v) => Cell::Time(v),
            Value::Null | Value::Text(_) | Value::Bytes(_) => Cell::Null,
        })
    }

    #[cold]
    fn parse(&self, text: &str, line: u64) -> Result<Value> {
        self.column.parse(text).map_err(|error| {
            Error::invalid(format!(
                "line {line}, {error}; if the column holds other values too, give --types {}:text",
                self.column.name
            ))
        })
    }

    #[cold]
    fn not_text(&self, line: u64) -> Error {
        Error::invalid(format!(
            "line {line}, column '{}': the field is not UTF-8: convert the file first, e.g. with \
             iconv -t UTF-8",
            excerpt(&self.column.name)
        ))
    }

    /// The text of a key: as it stands, or the shortest way to write the number.
    #[inline]
    fn key_text<'s>(
        &self,
        record: &RawRecord<'s>,
        scratch: &'s mut Scratch,
    ) -> Result<Option<&'s [u8]>> {
        let field = record.field(self.position);
        let text = match self.column.kind {
            ColumnType::Text => return Ok(field.decode(&mut scratch.decoded)),
            ColumnType::Int => field.decode(&mut scratch.decoded).filter(|t| !is_shortest(t)),
            _ => field.decode(&mut scratch.decoded),
        };
        let Some(text) = text else { return Ok(field.decode(&mut scratch.decoded)) };
        let text = std::str::from_utf8(text).map_err(|_| self.not_text(record.line()))?;
        let value = match money(text.as_bytes()) {
            Some(money) if self.column.kind == ColumnType::Money => Value::Money(money),
            _ => self.parse(text, record.line())?,
        };
        let out = &mut scratch.written;
        out.clear();
        write(value.borrow(), out);
        Ok(Some(out))
    }
}

/// Appends a value the shortest way: one way for one value.
pub(super) fn write(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Null => {}
        ValueRef::Bool(v) => out.extend_from_slice(if v { b"true" } else { b"false" }),
        ValueRef::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(v).as_bytes()),
        ValueRef::Float(v) if v.is_finite() => {
            // One zero.
            out.extend_from_slice(zmij::Buffer::new().format_finite(v + 0.0).as_bytes());
        }
        ValueRef::Float(_) => {}
        ValueRef::Money(v) => v.write_to(out),
        ValueRef::Time(v) => v.write_to(out),
        ValueRef::Text(v) | ValueRef::Json(v) => out.extend_from_slice(v.as_bytes()),
        ValueRef::Bytes(v) => out.extend_from_slice(v),
    }
}

/// Appends the key of a record.
#[inline]
pub(super) fn push_key(
    keys: &[Source],
    record: &RawRecord<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<()> {
    let Some((last, first)) = keys.split_last() else { return Ok(()) };
    for source in first {
        match source.key_text(record, scratch)? {
            None => out.push(0),
            Some(text) => {
                put_length(text.len() + 1, out);
                out.extend_from_slice(text);
            }
        }
    }
    match last.key_text(record, scratch)? {
        None => out.push(0),
        Some(text) => {
            out.push(1);
            out.extend_from_slice(text);
        }
    }
    Ok(())
}

fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}

/// The fields of a key, one after another; `fields_left` of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyFields<'a> {
    rest: &'a [u8],
    fields_left: usize,
}

impl<'a> KeyFields<'a> {
    pub(super) fn new(key: &'a [u8], fields: usize) -> Self {
        Self { rest: key, fields_left: fields }
    }
}

impl<'a> Iterator for KeyFields<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.fields_left = self.fields_left.checked_sub(1)?;
        if self.fields_left == 0 {
            let (present, text) = self.rest.split_first()?;
            self.rest = &[];
            return Some((*present != 0).then_some(text));
        }
        let (mut length, mut shift) = (0, 0);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        let Some(length) = length.checked_sub(1) else { return Some(None) };
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Some(text))
    }
}

/// Offsets in a batch are below 4 GiB, for a segment is.
#[inline]
fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a batch is below 4 GiB")
}

/// Digits that fit in 64 bits whatever they are.
const SAFE_DIGITS: usize = 18;

/// Whether an int is written the shortest way, as nearly all are.
#[inline]
fn is_shortest(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < SAFE_DIGITS && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// A usual int; `None` leaves it to the parser.
#[inline]
fn int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > SAFE_DIGITS {
        return None;
    }
    let number = fold(0, digits)?;
    Some(if negative { -number } else { number })
}

/// A usual amount; `None` leaves it to the parser.
#[inline]
fn money(text: &[u8]) -> Option<Money> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // The point is near the end: amounts have two decimals mostly.
    let tail = digits.len().saturating_sub(5);
    let point = digits[tail..].iter().position(|byte| *byte == b'.');
    let (whole, decimals) = match point {
        Some(at) => (&digits[..tail + at], &digits[tail + at + 1..]),
        None => (digits, &digits[digits.len()..]),
    };
    if whole.is_empty() || whole.len() > SAFE_DIGITS - 4 {
        return None;
    }
    let units = fold(fold(0, whole)?, decimals)?;
    let units = units * [10_000, 1_000, 100, 10, 1][decimals.len()];
    Some(Money::from_units(if negative { -units } else { units }))
}

#[inline]
fn fold(start: i64, digits: &[u8]) -> Option<i64> {
    let mut number = start;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + i64::from(digit);
    }
    Some(number)
}
