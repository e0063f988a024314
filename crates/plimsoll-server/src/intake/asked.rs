//! What an import is asked to do, as its job carries it.
//!
//! Promises: the payload is sealed with the server's key (see `sealed`), for it says as whom the
//! rows are written.
//! Never: a key or token of whoever asked; the name, role and settings they had.

use plimsoll::format::{Format, MappingOptions, ReaderOptions};
use plimsoll::limits::{IMPORT_BATCH_BYTES, LINE_BYTES_MAX};
use plimsoll_store::OnConflict;
use plimsoll_store::import::{ImportOptions, OnError};
use serde::{Deserialize, Serialize};

use crate::reports::Maker;

/// Batches in memory at once: one read, one written, one between.
const BATCHES: u64 = 3;
/// Beyond the plain bytes of the file, for a compressed one: a small file that unpacks for ever
/// ends here.
pub(crate) const UNPACKED_BYTES_MAX: u64 = 64 << 30;

/// What was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Asked {
    /// A table's name.
    pub(crate) resource: Box<str>,
    /// Names the file.
    pub(crate) token: Box<str>,
    pub(crate) format: Box<str>,
    /// Whether a wrong row is left out.
    pub(crate) goes_on: bool,
    /// Rows that are left out at most.
    pub(crate) errors_max: u64,
    /// `error`, `skip` or `update`.
    pub(crate) on_conflict: Box<str>,
    pub(crate) ignore_unknown: bool,
    pub(crate) dry_run: bool,
    /// Nobody where nobody is asked who they are.
    pub(crate) maker: Option<Maker>,
}

impl Asked {
    /// As the store imports, but for the file of rejected rows.
    pub(crate) fn options(&self) -> ImportOptions {
        ImportOptions {
            format: Format::from_name(&self.format).unwrap_or(Format::Csv),
            mapping: MappingOptions {
                ignore_unknown: self.ignore_unknown,
                ..MappingOptions::default()
            },
            on_error: if self.goes_on { OnError::Continue } else { OnError::Stop },
            on_conflict: match &*self.on_conflict {
                "skip" => OnConflict::Skip,
                "update" => OnConflict::Update,
                _ => OnConflict::Error,
            },
            dry_run: self.dry_run,
            rejects: None,
            rejects_max: Some(self.errors_max),
            number_column: None,
            // Others read while it runs.
            set_indexes_aside: false,
            reader: ReaderOptions { line_bytes_max: LINE_BYTES_MAX, ..ReaderOptions::default() },
            batch_bytes_max: IMPORT_BATCH_BYTES,
            output_bytes_max: Some(UNPACKED_BYTES_MAX),
        }
    }

    /// Bytes that the job holds at most.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let options = self.options();
        let reading = options.reader.workspace_bytes(options.format) as u64;
        reading + BATCHES * options.batch_bytes_max as u64
    }
}
