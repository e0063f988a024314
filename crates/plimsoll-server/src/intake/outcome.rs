//! What a job of an import leaves behind: its result.
//!
//! Promises: what is written is read back equal.
//! Never: a path; the name of a file of the intake alone.

use plimsoll_store::import::Checkpoint;
use serde::{Deserialize, Serialize};

/// Rows that were refused, as a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Rejected {
    pub(crate) url: Box<str>,
    /// Its name.
    pub(crate) file: Box<str>,
    /// So many of its bytes count.
    pub(crate) bytes: u64,
}

/// The result of the job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) rows: u64,
    pub(crate) skipped: u64,
    pub(crate) rejected: u64,
    pub(crate) dry_run: bool,
    /// Nothing where no row is ever left out.
    pub(crate) rejects: Option<Rejected>,
}

impl Rejected {
    pub(crate) fn new(id: i64, file: &str, bytes: u64) -> Self {
        Self { url: format!("/api/v2/jobs/{id}/rejects").into(), file: file.into(), bytes }
    }

    /// Strong: a file is one claim's, so that so many bytes of it never change.
    pub(crate) fn tag(&self) -> String {
        format!("\"{}-{}\"", self.file, self.bytes)
    }
}

impl Outcome {
    pub(super) fn new(id: i64, total: &Checkpoint, dry_run: bool, rejects: Option<&str>) -> Self {
        let Checkpoint { rows, skipped, rejected, rejects_bytes, .. } = *total;
        let rejects = rejects.map(|file| Rejected::new(id, file, rejects_bytes));
        Self { rows, skipped, rejected, dry_run, rejects }
    }
}
