//! Values in and out of SQLite.
//!
//! ```text
//!   Bool  -> INTEGER 0/1      Money -> INTEGER 1/10000      Time -> INTEGER microseconds
//! ```
//!
//! Promises: a value stored and read back under its column's type is the same value.
//! Never: text where a number was meant.

use plimsoll::record::{ColumnType, Money, Timestamp, Value, ValueRef};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Stored};

/// A value on its way into a statement.
pub(super) struct Bind<'a>(pub(super) &'a Value);

impl ToSql for Bind<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => Stored::Null,
            Value::Bool(v) => Stored::Integer(i64::from(*v)),
            Value::Int(v) => Stored::Integer(*v),
            Value::Float(v) => Stored::Real(*v),
            Value::Money(v) => Stored::Integer(v.units()),
            Value::Time(v) => Stored::Integer(v.micros()),
            Value::Text(v) => Stored::Text(v.as_bytes()),
            Value::Bytes(v) => Stored::Blob(v),
        }))
    }
}

/// A stored field under its column's type.
///
/// # Errors
/// [`plimsoll::ErrorKind::Corrupt`] for text that is not UTF-8.
pub(super) fn typed(kind: ColumnType, stored: Stored<'_>) -> plimsoll::Result<ValueRef<'_>> {
    Ok(match (stored, kind) {
        (Stored::Null, _) => ValueRef::Null,
        (Stored::Integer(v), ColumnType::Money) => ValueRef::Money(Money::from_units(v)),
        (Stored::Integer(v), ColumnType::Time) => ValueRef::Time(Timestamp::from_micros(v)),
        (Stored::Integer(v @ (0 | 1)), ColumnType::Bool) => ValueRef::Bool(v == 1),
        (Stored::Integer(v), _) => ValueRef::Int(v),
        (Stored::Real(v), _) => ValueRef::Float(v),
        (Stored::Text(bytes), _) => match std::str::from_utf8(bytes) {
            Ok(text) => ValueRef::Text(text),
            Err(e) => {
                return Err(plimsoll::Error::corrupt(format!(
                    "a text field is not UTF-8 (byte {} of {}): mend it, or leave the column out \
                     with fields=",
                    e.valid_up_to(),
                    bytes.len()
                )));
            }
        },
        (Stored::Blob(bytes), _) => ValueRef::Bytes(bytes),
    })
}
