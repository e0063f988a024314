//! What goes wrong while records are read, in two severities.
//!
//! ```text
//!   Record   this record is refused, the reader stands behind it     skip it, or stop
//!   Fatal    nothing says where the next record would begin          stop
//! ```
//!
//! Promises: a refused record has its line, its column where there is one, and what is allowed.
//! Never: a record skipped silently.

use std::fmt;

use super::Format;
use crate::error::Error;

/// One record is wrong; the reader stands behind it and goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Line of the file, from 1: of the record, or of the fault where that is known better.
    pub line: u64,
    /// The file's column, where the fault is in one.
    pub column: Option<Box<str>>,
    /// What is wrong and what is allowed.
    pub message: Box<str>,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column '{}'", crate::error::excerpt(column))?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for RecordError {}

/// Why a reader gave no record.
#[derive(Debug)]
pub enum ReadError {
    /// Skip the record or stop, as was asked; [`super::RecordReader::raw`] has its bytes.
    Record(RecordError),
    /// The input cannot be read on.
    Fatal(Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => error.fmt(f),
            Self::Fatal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

impl From<RecordError> for ReadError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// The sentence for a record beyond its bound.
pub(super) fn too_long(format: Format, line: u64, max: usize, hint: &str) -> ReadError {
    ReadError::Fatal(Error::too_large(format!(
        "line {line}: the {} record is longer than the {max} bytes allowed{hint}: split it or \
         raise the bound, which grows with the memory limit",
        format.name()
    )))
}
