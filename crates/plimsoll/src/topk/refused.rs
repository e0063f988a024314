//! Why the k smallest cannot be kept, as a value.
//!
//! Promises: one sentence with what was asked and held, and what to do instead.
//! Never: a loss; what is held stays held.

use std::fmt;

use crate::budget::Refusal;
use crate::error::Error;
use crate::units::ByteSize;

/// The k smallest do not fit into the memory there is. What was held before is still held, and
/// what was pushed is not in it: the caller sorts what is held, what was pushed and what is to
/// come, and takes the first k.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// How many were to be kept.
    pub k: usize,
    /// How many are held now.
    pub held: usize,
    /// What was short.
    pub cause: Cause,
}

/// What was short for the k smallest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The budget.
    Budget(Box<Refusal>),
    /// The workspace that [`super::Rows`] was given, in bytes.
    Workspace {
        /// What it has in all.
        workspace_bytes: usize,
        /// What the row that did not fit has, key and row.
        row_bytes: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot keep the {} smallest in memory, of which {} are held: ",
            self.k, self.held
        )?;
        match &self.cause {
            Cause::Budget(refusal) => write!(f, "{refusal}")?,
            Cause::Workspace { workspace_bytes, row_bytes } => write!(
                f,
                "a row of {} does not fit beside them into a workspace of {}",
                ByteSize::new(*row_bytes as u64),
                ByteSize::new(*workspace_bytes as u64)
            )?,
        }
        f.write_str("; or sort and take the first: a sort moves to disk what does not fit")
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::too_large(refused.to_string())
    }
}
