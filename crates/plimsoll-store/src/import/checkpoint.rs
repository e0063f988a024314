//! How far an import has come, as it is kept beside the rows.
//!
//! ```text
//!   {"byte_offset", "line", "record",            where the next record begins
//!    "rows", "skipped", "rejected", "rejects_bytes", "done"}
//! ```
//!
//! Promises: written in the transaction of the rows it counts; a text that does not read as one is
//! refused rather than ignored.
//! Never: rows.

use plimsoll::format::Position;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Offset of the next record in the plain input.
    pub byte_offset: u64,
    /// Its line.
    pub line: u64,
    /// Records before it.
    pub record: u64,
    /// Rows committed.
    pub rows: u64,
    /// Rows left out because they were there.
    pub skipped: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Length of the file of rejected rows that these counts cover.
    pub rejects_bytes: u64,
    /// The input has been read to its end.
    pub done: bool,
}

impl Checkpoint {
    /// The kind of state an import keeps.
    pub const KIND: &'static str = "import";

    pub(super) fn position(&self) -> Position {
        Position { byte_offset: self.byte_offset, line: self.line, record: self.record }
    }

    pub(super) fn to_json(self) -> Result<Box<str>> {
        serde_json::to_string(&self)
            .map(Into::into)
            .map_err(|e| Error::new(ErrorKind::Io, format!("writing a checkpoint: {e}")))
    }

    pub(super) fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| {
            Error::new(ErrorKind::Corrupt, format!("the import's checkpoint cannot be read: {e}"))
        })
    }
}
