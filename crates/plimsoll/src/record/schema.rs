//! Column types, and text to a typed value.
//!
//! Promises: a text that does not fit its type is refused with what is allowed; nothing is
//! guessed, rounded or truncated.
//! Never: SQL type names; the store maps those to [`ColumnType`].

use std::fmt;

use super::{Timestamp, Value};
use crate::error::{Error, Result, excerpt};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `true` or `false`.
    Bool,
    /// 64-bit integer.
    Int,
    /// Binary float.
    Float,
    /// Exact amount in 1/10000.
    Money,
    /// Microseconds UTC.
    Time,
    /// UTF-8 text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Whatever each row holds: a column of a foreign database without a dependable type.
    Any,
}

impl ColumnType {
    /// The word for the type in definitions and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Money => "money",
            Self::Time => "time",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Any => "any",
        }
    }

    /// The type a definition's word names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Bool,
            Self::Int,
            Self::Float,
            Self::Money,
            Self::Time,
            Self::Text,
            Self::Bytes,
            Self::Any,
        ]
        .into_iter()
        .find(|t| t.name() == name)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A named, typed column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name as it stands in requests and files.
    pub name: Box<str>,
    /// Type of every non-NULL field.
    pub kind: ColumnType,
    /// Whether NULL is allowed.
    pub nullable: bool,
}

impl Column {
    /// A column that allows NULL.
    #[must_use]
    pub fn nullable(name: &str, kind: ColumnType) -> Self {
        Self { name: name.into(), kind, nullable: true }
    }

    /// Reads a field's text as this column's type. The text is never empty-means-NULL here; that
    /// is the format's decision.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the column, the text's beginning and what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value> {
        let expected = |what: &str| {
            Error::invalid(format!("column '{}': '{}' is not {what}", self.name, excerpt(text)))
        };
        let in_column = |e: Error| Error::invalid(format!("column '{}': {e}", self.name));
        match self.kind {
            ColumnType::Bool => match text {
                "true" | "t" | "1" => Ok(Value::Bool(true)),
                "false" | "f" | "0" => Ok(Value::Bool(false)),
                _ => Err(expected("one of true, false, t, f, 1, 0")),
            },
            ColumnType::Int => text
                .parse()
                .map(Value::Int)
                .map_err(|_| expected("a whole number between -2^63 and 2^63-1")),
            ColumnType::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Float(number)),
                _ => Err(expected("a finite number")),
            },
            ColumnType::Money => text.parse().map(Value::Money).map_err(in_column),
            ColumnType::Time => text.parse::<Timestamp>().map(Value::Time).map_err(in_column),
            ColumnType::Text | ColumnType::Any => Ok(Value::Text(text.into())),
            ColumnType::Bytes => crate::format::base64_decode(text)
                .map(|bytes| Value::Bytes(bytes.into()))
                .ok_or_else(|| expected("base64")),
        }
    }
}

/// The columns of a table, file or result, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Schema {
    /// Position of the column called `name`. Linear: schemas are short and looked up once.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| &*c.name == name)
    }
}
