//! A row of typed values as bytes.
//!
//! ```text
//!   null 0   false 1   true 2
//!   int 3, float 4, money 5, time 6      8 bytes, little endian
//!   text 7, bytes 8                      length u32, little endian, and as many bytes
//! ```
//!
//! Promises: what was written reads back as the same values, floats bit by bit; other bytes are
//! refused as a whole before a value is taken out of them.
//! Never: an allocation by a length that was read.

use crate::error::{Error, Result};
use crate::format::RowEncoder;
use crate::record::{Money, Row, Timestamp, ValueRef};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const MONEY: u8 = 5;
const TIME: u8 = 6;
const TEXT: u8 = 7;
const BYTES: u8 = 8;
/// A tag and eight bytes, or a tag and a length.
const SCALAR_BYTES_MAX: usize = 9;

/// Writes rows one after another, as [`super::TypedRecord`] keeps them. Where a row ends is the
/// caller's to know.
///
/// ```
/// use plimsoll::format::RowEncoder;
/// use plimsoll::record::{Value, ValueRow};
/// use plimsoll::stream::{RowBytes, TypedRecord};
/// let mut out = Vec::new();
/// RowBytes.row(&ValueRow(&[Value::Int(1), Value::Null]), &mut out)?;
/// let names = TypedRecord::new(&["id", "note"], &[Value::Null, Value::Null])?;
/// assert_eq!(names.with_bytes(&out)?.get("id"), Some(plimsoll::record::ValueRef::Int(1)));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RowBytes;

impl RowBytes {
    /// The values of one row.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] for other bytes.
    pub fn values(bytes: &[u8]) -> Result<Vec<ValueRef<'_>>> {
        let (mut values, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (value, behind) = read(rest).ok_or_else(|| {
                Error::corrupt(format!("reading {} bytes as a row: they are none", bytes.len()))
            })?;
            values.push(value);
            rest = behind;
        }
        Ok(values)
    }
}

impl RowEncoder for RowBytes {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        for position in 0..row.width() {
            let written = row.value(position).and_then(|value| write(value, out));
            if written.is_err() {
                out.truncate(start);
                return written;
            }
        }
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize> {
        (0..row.width()).try_fold(0_usize, |bytes, position| {
            let value = match row.value(position)? {
                ValueRef::Text(text) | ValueRef::Json(text) => text.len(),
                ValueRef::Bytes(value) => value.len(),
                _ => 0,
            };
            Ok(bytes.saturating_add(value).saturating_add(SCALAR_BYTES_MAX))
        })
    }
}

fn write(value: ValueRef<'_>, out: &mut Vec<u8>) -> Result<()> {
    let mut word = |tag, word: i64| {
        out.push(tag);
        out.extend_from_slice(&word.to_le_bytes());
    };
    match value {
        ValueRef::Null => out.push(NULL),
        ValueRef::Bool(value) => out.push(if value { TRUE } else { FALSE }),
        ValueRef::Int(value) => word(INT, value),
        ValueRef::Float(value) => word(FLOAT, value.to_bits().cast_signed()),
        ValueRef::Money(value) => word(MONEY, value.units()),
        ValueRef::Time(value) => word(TIME, value.micros()),
        ValueRef::Text(text) | ValueRef::Json(text) => {
            return write_long(TEXT, text.as_bytes(), out);
        }
        ValueRef::Bytes(bytes) => return write_long(BYTES, bytes, out),
    }
    Ok(())
}

fn write_long(tag: u8, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let len = u32::try_from(bytes.len()).map_err(|_| {
        Error::too_large("keeping a record: one of its fields takes 4 GiB or more; split it")
    })?;
    out.push(tag);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// The first value of `bytes`, and the bytes behind it; `None` where there is none.
pub(super) fn read(bytes: &[u8]) -> Option<(ValueRef<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    if matches!(tag, TEXT | BYTES) {
        let (len, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        let value = match tag {
            TEXT => ValueRef::Text(std::str::from_utf8(value).ok()?),
            _ => ValueRef::Bytes(value),
        };
        return Some((value, rest));
    }
    let fixed = match tag {
        NULL => ValueRef::Null,
        FALSE => ValueRef::Bool(false),
        TRUE => ValueRef::Bool(true),
        INT..=TIME => {
            let (word, rest) = rest.split_first_chunk()?;
            let word = i64::from_le_bytes(*word);
            let value = match tag {
                INT => ValueRef::Int(word),
                FLOAT => ValueRef::Float(f64::from_bits(word.cast_unsigned())),
                MONEY => ValueRef::Money(Money::from_units(word)),
                _ => ValueRef::Time(Timestamp::from_micros(word)),
            };
            return Some((value, rest));
        }
        _ => return None,
    };
    Some((fixed, rest))
}

/// Whether `bytes` are `width` values and nothing else.
pub(super) fn is_sound(mut bytes: &[u8], width: usize) -> bool {
    for _ in 0..width {
        let Some((_, rest)) = read(bytes) else { return false };
        bytes = rest;
    }
    bytes.is_empty()
}
