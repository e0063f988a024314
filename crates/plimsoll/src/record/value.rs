//! One field of one row, borrowed or owned.
//!
//! Promises: converting between the two forms loses nothing but that a text is JSON.
//! Never: a conversion between types; that is what [`super::Column::parse`] is for.

use super::{Money, Timestamp};

/// A borrowed field. Copying it copies at most a pointer and a length.
///
/// ```
/// use plimsoll::record::{Value, ValueRef};
/// let owned = Value::Text("tea".into());
/// assert_eq!(owned.borrow(), ValueRef::Text("tea"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// SQL NULL, JSON null, an empty unquoted CSV field.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A binary float; NaN and infinities are written as null in JSON.
    Float(f64),
    /// An exact amount in 1/10000.
    Money(Money),
    /// An instant in microseconds UTC.
    Time(Timestamp),
    /// UTF-8 text, compared by bytes.
    Text(&'a str),
    /// A JSON value as its text, which whoever gave it out has checked: nested in JSON, a text
    /// elsewhere. Owned, it is a [`Value::Text`].
    Json(&'a str),
    /// Raw bytes; base64 in JSON and CSV.
    Bytes(&'a [u8]),
}

/// An owned field: 24 bytes and, for text and bytes, one allocation of exactly their length.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// See [`ValueRef::Null`].
    Null,
    /// See [`ValueRef::Bool`].
    Bool(bool),
    /// See [`ValueRef::Int`].
    Int(i64),
    /// See [`ValueRef::Float`].
    Float(f64),
    /// See [`ValueRef::Money`].
    Money(Money),
    /// See [`ValueRef::Time`].
    Time(Timestamp),
    /// See [`ValueRef::Text`].
    Text(Box<str>),
    /// See [`ValueRef::Bytes`].
    Bytes(Box<[u8]>),
}

impl Value {
    /// Borrows the field.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Bool(v) => ValueRef::Bool(*v),
            Self::Int(v) => ValueRef::Int(*v),
            Self::Float(v) => ValueRef::Float(*v),
            Self::Money(v) => ValueRef::Money(*v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::Text(v) => ValueRef::Text(v),
            Self::Bytes(v) => ValueRef::Bytes(v),
        }
    }

    /// Heap bytes this value holds beyond its own size.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(v) => v.len(),
            Self::Bytes(v) => v.len(),
            _ => 0,
        }
    }
}

impl ValueRef<'_> {
    /// Copies the field out of whatever it borrows from.
    #[must_use]
    pub fn to_owned(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Float(v) => Value::Float(v),
            Self::Money(v) => Value::Money(v),
            Self::Time(v) => Value::Time(v),
            Self::Text(v) | Self::Json(v) => Value::Text(v.into()),
            Self::Bytes(v) => Value::Bytes(v.into()),
        }
    }

    /// Whether this is [`ValueRef::Null`].
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self, Self::Null)
    }
}
