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

use super::files::Upload;
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
    /// Whether what the pack says of a sync is told when it is over.
    pub(crate) tells: bool,
    /// Nobody where nobody is asked who they are.
    pub(crate) maker: Option<Maker>,
}

impl Asked {
    /// What is asked for where nothing but the file is said.
    pub(crate) fn plain(
        resource: &str,
        upload: &Upload,
        format: Format,
        maker: Option<Maker>,
    ) -> Self {
        Self {
            resource: resource.into(),
            token: upload.token().into(),
            format: format.name().into(),
            goes_on: false,
            errors_max: 0,
            on_conflict: "error".into(),
            ignore_unknown: false,
            dry_run: false,
            tells: false,
            maker,
        }
    }

    /// As the store imports, but for the file of rejected rows.
    pub(crate) fn options(&self) -> ImportOptions {
        let format = Format::from_name(&self.format).unwrap_or(Format::Csv);
        ImportOptions {
            on_error: if self.goes_on { OnError::Continue } else { OnError::Stop },
            dry_run: self.dry_run,
            rejects_max: Some(self.errors_max),
            ..of_rows(format, &self.on_conflict, self.ignore_unknown)
        }
    }

    /// Bytes that the job holds at most.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let options = self.options();
        let reading = options.reader.workspace_bytes(options.format) as u64;
        reading + BATCHES * options.batch_bytes_max as u64
    }
}

/// How rows are read that come in all or none.
pub(crate) fn of_rows(format: Format, on_conflict: &str, ignore_unknown: bool) -> ImportOptions {
    ImportOptions {
        format,
        mapping: MappingOptions { ignore_unknown, ..MappingOptions::default() },
        on_error: OnError::Stop,
        on_conflict: match on_conflict {
            "skip" => OnConflict::Skip,
            "update" => OnConflict::Update,
            _ => OnConflict::Error,
        },
        dry_run: false,
        rejects: None,
        rejects_max: None,
        number_column: None,
        // Others read while it runs.
        set_indexes_aside: false,
        reader: ReaderOptions { line_bytes_max: LINE_BYTES_MAX, ..ReaderOptions::default() },
        batch_bytes_max: IMPORT_BATCH_BYTES,
        output_bytes_max: Some(UNPACKED_BYTES_MAX),
    }
}
