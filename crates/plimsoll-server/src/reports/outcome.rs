//! What a job of a report leaves behind: its result.
//!
//! Promises: what is written is read back equal.
//! Never: a path; the name of a file in the directory of the reports alone.

use plimsoll::record::Timestamp;
use plimsoll_jobs::Job;
use serde::{Deserialize, Serialize};

use super::file::job_of;

/// The result of the job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Outcome {
    pub(crate) url: Box<str>,
    pub(crate) size: u64,
    /// As `Repr-Digest` says it (RFC 9530).
    pub(crate) digest: Box<str>,
    expires_at: Box<str>,
    pub(crate) rows: u64,
    /// Its name among the reports.
    pub(crate) file: Box<str>,
}

impl Outcome {
    pub(super) fn new(
        id: i64,
        (file, size): (Box<str>, u64),
        digest: Box<str>,
        rows: u64,
        expires_micros: i64,
    ) -> Self {
        Self {
            url: format!("/api/v2/reports/{id}/download").into(),
            size,
            digest,
            expires_at: Timestamp::from_micros(expires_micros).to_string().into(),
            rows,
            file,
        }
    }

    /// Of a job that completed.
    pub(crate) fn of(job: &Job) -> Option<Self> {
        job.result.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }

    /// Whether the file is one that this job made: two numbers, the first of them the job's.
    pub(crate) fn is_of(&self, job: &Job) -> bool {
        job_of(&self.file) == Some(job.id)
    }

    /// Until when it can be had; what cannot be read is over.
    pub(crate) fn expires_micros(&self) -> i64 {
        self.expires_at.parse().map_or(0, |time: Timestamp| time.micros())
    }

    /// Strong: the same bytes have the same, and no others.
    pub(crate) fn tag(&self) -> String {
        format!("\"{}\"", self.digest.trim_start_matches("sha-256=:").trim_end_matches(':'))
    }
}
