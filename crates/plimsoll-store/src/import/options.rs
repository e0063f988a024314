//! What an import is asked to do.
//!
//! Promises: plain data, so that the same options give the same import.
//! Never: a default that drops rows silently.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use plimsoll::format::{Format, MappingOptions, ReaderOptions};

use crate::catalogue::Resource;
use crate::write::OnConflict;

/// What happens when a row is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The import stops; everything before stands, and a corrected file can go on.
    #[default]
    Stop,
    /// The row goes to the file of rejected rows.
    Continue,
}

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The file's format.
    pub format: Format,
    /// Column names and guards.
    pub mapping: MappingOptions,
    /// What happens when a row is wrong.
    pub on_error: OnError,
    /// What happens when a row is already there.
    pub on_conflict: OnConflict,
    /// Read and check everything, change nothing.
    pub dry_run: bool,
    /// Where rejected rows go; needed with [`OnError::Continue`].
    pub rejects: Option<PathBuf>,
    /// Rows that are rejected at most; the next wrong one stops the import as under
    /// [`OnError::Stop`].
    pub rejects_max: Option<u64>,
    /// Fill this column with the record's number.
    pub number_column: Option<usize>,
    /// Build the indexes of an empty table in the end. Only for a process that is alone: others
    /// find no index meanwhile, and wait while they are built.
    pub set_indexes_aside: bool,
    /// How the file is read.
    pub reader: ReaderOptions,
    /// Bytes of rows in one transaction at most.
    pub batch_bytes_max: usize,
    /// Plain bytes beyond this are refused: the guard against a small file that unpacks for ever.
    pub output_bytes_max: Option<u64>,
}

/// An import to run.
pub struct Import {
    /// Into.
    pub resource: Arc<Resource>,
    /// From.
    pub input: Box<dyn Read + Send>,
    /// How.
    pub options: ImportOptions,
    /// Names the input for resuming, e.g. its digest; without one an import starts anew.
    pub identity: Option<Box<str>>,
    /// What the writer takes as now, microseconds UTC.
    pub now_micros: i64,
}

/// How far an import is. Shown, never decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Plain bytes read and committed.
    pub bytes: u64,
    /// Rows committed.
    pub rows: u64,
    /// Rows rejected.
    pub rejected: u64,
}
