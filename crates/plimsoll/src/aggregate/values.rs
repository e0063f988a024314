//! Columns whose values a grouping needs all of, as bytes that sort.
//!
//! ```text
//!   value   int float money time   8 bytes, the key of crate::quantile, the highest first
//!           bool                   1 byte
//!           text, bytes            varint length | bytes
//! ```
//!
//! Promises: two values are the same bytes exactly where they are equal: one zero, one NaN; no
//! value's bytes are the beginning of another's; numbers of a type sort as their bytes.
//! Never: an allocation per row.

use super::Input;
use super::rank::Rank;
use crate::error::{Error, Result};
use crate::quantile::OrderKey;
use crate::record::{ColumnType, Row, ValueRef};

/// An argument of `count(distinct x)` or of quantiles, or of both.
#[derive(Clone, Debug)]
pub(crate) struct ValueColumn {
    pub(super) input: Input,
    pub(super) kind: ColumnType,
    /// Of the first measure of it, for messages.
    pub(super) measure: Box<str>,
    pub(super) ranks: Vec<Rank>,
    /// Among the states, `count(x)`: quantiles have to know it before the first value.
    pub(super) count: Option<usize>,
}

impl ValueColumn {
    /// Appends the value of `row`; `false` for NULL.
    ///
    /// # Errors
    /// As [`super::Layout::update`], but never for want of room.
    #[inline]
    pub(crate) fn push<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) -> Result<bool> {
        let value = self.input.read(row, &self.measure)?;
        match (self.kind, value.borrow()) {
            (_, ValueRef::Null) => return Ok(false),
            (ColumnType::Bool, ValueRef::Bool(v)) => out.push(u8::from(v)),
            (ColumnType::Text, ValueRef::Text(v) | ValueRef::Json(v)) => {
                push_bytes(v.as_bytes(), out)
            }
            (ColumnType::Bytes, ValueRef::Bytes(v)) => push_bytes(v, out),
            (kind, value) => {
                let key = key_of(kind, value).ok_or_else(|| self.not_of_its_type())?;
                out.extend_from_slice(&key.to_be_bytes());
            }
        }
        Ok(true)
    }

    #[cold]
    fn not_of_its_type(&self) -> Error {
        Error::corrupt(format!(
            "measure '{}': a row holds something that is not {}; correct the column's type or the \
             row",
            self.measure, self.kind
        ))
    }
}

/// The key of a number of type `kind`.
#[inline]
pub(super) fn key_of(kind: ColumnType, value: ValueRef<'_>) -> Option<u64> {
    Some(match (kind, value) {
        (ColumnType::Int, ValueRef::Int(v)) => v.to_key(),
        (ColumnType::Float, ValueRef::Float(v)) => v.to_key(),
        (ColumnType::Money, ValueRef::Money(v)) => v.to_key(),
        (ColumnType::Time, ValueRef::Time(v)) => v.to_key(),
        _ => return None,
    })
}

fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    push_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// The low seven bits first; the high bit says that more follow.
pub(crate) fn push_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    out.push(length.to_le_bytes()[0]);
}
