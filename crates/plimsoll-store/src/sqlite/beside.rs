//! The files that SQLite keeps beside a database in WAL mode.
//!
//! ```text
//!   their.db                        alone: nobody has it open
//!   their.db, -wal, -shm            somebody has; reading it makes them, too
//!   last writing connection closes  SQLite removes both, a reading one leaves them
//! ```
//!
//! Promises: what reading a file of somebody else's made beside it goes again, by SQLite's own
//! hand and locks, so that a process that came meanwhile keeps it.
//! Never: a file removed by this code, or a log written into a database that is not ours.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// What stood beside a file before it was opened.
pub(super) struct Beside {
    file: PathBuf,
    was_there: bool,
}

/// The log of `file`.
pub(super) fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

impl Beside {
    /// Before the first connection.
    pub(super) fn look(file: &Path) -> Self {
        Self { file: file.to_owned(), was_there: log_of(file).exists() }
    }

    /// After the last one.
    pub(super) fn tidy(&self) {
        let empty = std::fs::metadata(log_of(&self.file)).is_ok_and(|log| log.len() == 0);
        if self.was_there || !empty {
            return;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        // The read makes it a user of the log, which the last user removes when it closes.
        let closed = Connection::open_with_flags(&self.file, flags).and_then(|connection| {
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
            connection.close().map_err(|(_, error)| error)
        });
        if let Err(error) = closed {
            tracing::debug!(%error, "an empty log stays beside {}", self.file.display());
        }
    }
}
