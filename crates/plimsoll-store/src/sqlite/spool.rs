//! The part of an answer that is larger than a frame, in a temporary file.
//!
//! ```text
//!   create_new ─ unlink ─> write, write, ... ─> read by position ─ last handle closed ─> freed
//! ```
//!
//! Promises: the file lies where SQLite's own temporary files do, belongs to the owner alone and
//! has no name, so that nothing is left whenever the process ends.
//! Never: read back here.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::failure::explain;
use crate::aggregate::Spool;
use crate::error::{Error, ErrorKind, Result};

/// Names tried: another process's are the only ones that can be taken.
const NAMES_MAX: u64 = 64;

static MADE: AtomicU64 = AtomicU64::new(0);

/// Makes an empty one.
pub(super) fn make(connection: &Connection) -> Result<Spool> {
    let directory = directory(connection)?;
    let number = std::process::id();
    for _ in 0..NAMES_MAX {
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("answer-{number}-{made}"));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path).map_err(|e| failed("naming", &e))?;
                return Ok(Spool { file, bytes: 0 });
            }
            Err(e) if e.kind() == IoKind::AlreadyExists => {}
            Err(e) => return Err(failed("making", &e)),
        }
    }
    Err(Error::new(ErrorKind::Io, "the spill directory is full of the names of temporary files"))
}

/// Appends to it.
pub(super) fn append(spool: &mut Spool, bytes: &[u8]) -> Result<()> {
    let mut file: &File = &spool.file;
    file.write_all(bytes).map_err(|e| failed("writing", &e))?;
    spool.bytes += bytes.len() as u64;
    Ok(())
}

/// Where SQLite puts its own.
fn directory(connection: &Connection) -> Result<PathBuf> {
    let told: rusqlite::Result<String> =
        connection.query_row("pragma temp_store_directory", [], |row| row.get(0));
    match told {
        Ok(directory) if !directory.is_empty() => Ok(directory.into()),
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(std::env::temp_dir()),
        Err(e) => Err(explain("asking for the spill directory", &e)),
    }
}

fn failed(doing: &str, error: &std::io::Error) -> Error {
    let (kind, help) = match error.kind() {
        IoKind::StorageFull | IoKind::QuotaExceeded => {
            (ErrorKind::DiskFull, "; free space there and try again")
        }
        _ => (ErrorKind::Io, ""),
    };
    Error::new(kind, format!("{doing} a temporary file in the spill directory: {error}{help}"))
}
