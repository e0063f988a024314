//! The part of an answer that is larger than a frame, in a temporary file.
//!
//! ```text
//!   create_new ─ unlink ─> write, write, ... ─> read by position ─ last handle closed ─> freed
//! ```
//!
//! Promises: the file lies where the caller says, belongs to the owner alone and has no name, so
//! that nothing is left whenever the process ends.
//! Never: read back here.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::aggregate::{Aggregated, Spool};
use crate::error::{Error, ErrorKind, Result};

/// Names tried: another process's are the only ones that can be taken.
const NAMES_MAX: u64 = 64;

static MADE: AtomicU64 = AtomicU64::new(0);

/// Moves the bytes of an answer to its spool; if there is none, one is made where `directory` says.
pub(crate) fn put_away(
    made: &mut Aggregated,
    directory: impl FnOnce() -> Result<PathBuf>,
) -> Result<()> {
    let mut spool = match made.spool.take() {
        Some(spool) => spool,
        None => Spool::create(&directory()?)?,
    };
    spool.append(&made.out)?;
    if let Some(digest) = &mut made.digest {
        digest.update(&made.out);
    }
    made.out.clear();
    made.spool = Some(spool);
    Ok(())
}

impl Spool {
    /// Makes an empty one in `directory`.
    ///
    /// # Errors
    /// [`ErrorKind::DiskFull`], [`ErrorKind::Io`].
    pub fn create(directory: &Path) -> Result<Self> {
        let number = std::process::id();
        for _ in 0..NAMES_MAX {
            let made = MADE.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!("answer-{number}-{made}"));
            let mut options = OpenOptions::new();
            match options.read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    std::fs::remove_file(&path).map_err(|e| failed("naming", &e))?;
                    return Ok(Self { file: Arc::new(file), bytes: 0 });
                }
                Err(e) if e.kind() == IoKind::AlreadyExists => {}
                Err(e) => return Err(failed("making", &e)),
            }
        }
        Err(Error::new(
            ErrorKind::Io,
            "the spill directory is full of the names of temporary files",
        ))
    }

    /// Appends to it. After an error nothing is promised of what it holds.
    ///
    /// # Errors
    /// [`ErrorKind::DiskFull`], [`ErrorKind::Io`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut file: &File = &self.file;
        file.write_all(bytes).map_err(|e| failed("writing", &e))?;
        self.bytes += bytes.len() as u64;
        Ok(())
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
