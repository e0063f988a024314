//! How run sizes are chosen, as a person says it.
//!
//! Promises: what is displayed parses as the same.
//! Never: a run of no rows.

use crate::error::{Error, Result};

/// How run sizes are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkStrategy {
    /// Runs as large as the budget lets them be.
    #[default]
    Adaptive,
    /// Runs of about sqrt(N * B) bytes: the least memory that still sorts in two passes.
    SqrtN,
    /// Runs of so many rows, or as many as fit.
    Fixed(u64),
}

impl std::str::FromStr for ChunkStrategy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let rows = text.strip_prefix("fixed:").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        match (text, rows) {
            ("adaptive", _) => Ok(Self::Adaptive),
            ("sqrt_n", _) => Ok(Self::SqrtN),
            (_, Some(rows)) => Ok(Self::Fixed(rows)),
            _ => Err(Error::invalid(format!(
                "chunk strategy '{}': allowed are adaptive, sqrt_n and fixed:ROWS",
                crate::error::excerpt(text)
            ))),
        }
    }
}

impl std::fmt::Display for ChunkStrategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Adaptive => f.write_str("adaptive"),
            Self::SqrtN => f.write_str("sqrt_n"),
            Self::Fixed(rows) => write!(f, "fixed:{rows}"),
        }
    }
}
