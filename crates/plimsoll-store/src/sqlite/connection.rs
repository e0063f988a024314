//! One connection, opened for one role.
//!
//! Promises: no memory map; a page cache of a stated size; temporary files in the spill area;
//! one value never larger than the row bound.
//! Never: a file created by a reader.

use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::failure::explain;
use super::functions;
use crate::error::Result;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads only; refuses to write.
    Reader,
    /// The one writer of our own file.
    Writer,
}

/// Opens `file` with a page cache of `cache_bytes`.
pub(super) fn open(file: &Path, role: Role, cache_bytes: u64) -> Result<Connection> {
    let what = || format!("opening the database {}", file.display());
    let access = match role {
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(|e| explain(&what(), &e))?;
    settings(&connection, role, cache_bytes).map_err(|e| explain(&what(), &e))?;
    functions::register(&connection).map_err(|e| explain(&what(), &e))?;
    Ok(connection)
}

fn settings(connection: &Connection, role: Role, cache_bytes: u64) -> rusqlite::Result<()> {
    let row_bytes_max = i32::try_from(plimsoll::limits::ROW_BYTES_MAX).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, row_bytes_max)?;
    connection
        .busy_timeout(std::time::Duration::from_millis(plimsoll::limits::DATABASE_BUSY_MS_MAX))?;
    connection.set_prepared_statement_cache_capacity(plimsoll::limits::STATEMENTS_CACHED_MAX);
    let cache_kib = i64::try_from(cache_bytes >> 10).unwrap_or(i64::MAX);
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    match role {
        Role::Reader => connection.pragma_update(None, "query_only", "ON")?,
        Role::Writer => {
            // The answer is the mode; a file on a system without shared memory refuses.
            let _mode: String =
                connection.pragma_update_and_check(None, "journal_mode", "WAL", |r| r.get(0))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", "ON")?;
            connection.pragma_update(
                None,
                "wal_autocheckpoint",
                plimsoll::limits::WAL_PAGES_CHECKPOINT,
            )?;
            connection.pragma_update(
                None,
                "journal_size_limit",
                plimsoll::limits::WAL_BYTES_KEPT_MAX,
            )?;
        }
    }
    // Reads the header, so that a file that is no database is refused here and by name.
    connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
}
