//! One connection, opened for one role.
//!
//! Promises: no memory map; a page cache of a stated size; temporary files in the spill area;
//! one value never larger than the row bound.
//! Never: a file created by a reader.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::beside::log_of;
use super::failure::explain;
use super::{functions, measures, turns};
use crate::error::Result;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads only; refuses to write.
    Reader,
    /// The one writer of our own file.
    Writer,
}

/// What a connection may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) cache_bytes: u64,
    /// Largest value or stored row.
    pub(super) value_bytes_max: u64,
}

impl Bounds {
    /// For the short work before a database is open.
    pub(super) const SETUP: Self =
        Self { cache_bytes: 2 << 20, value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64 };
}

/// Opens `file` within `bounds`.
pub(super) fn open(file: &Path, role: Role, bounds: Bounds) -> Result<Connection> {
    let what = || format!("opening the database {}", file.display());
    let access = match role {
        Role::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Role::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
    };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ready = |mut connection: Connection| {
        settings(&mut connection, role, bounds)?;
        functions::register(&connection)?;
        measures::register(&connection)?;
        Ok(connection)
    };
    let opened = Connection::open_with_flags(file, flags).and_then(ready);
    let opened = match opened {
        Err(error) if role == Role::Reader && may_be_still(file, &error) => {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(still_uri(file), flags).and_then(ready)
        }
        other => other,
    };
    opened.map_err(|e| explain(&what(), &e))
}

/// Whether opening failed only because the log of a database in WAL mode cannot be made beside it.
/// Where nothing can be made, and no log is there, nobody is writing: it may be read as it stands.
fn may_be_still(file: &Path, error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
        && file.exists()
        && !log_of(file).exists()
}

/// `file:` with `immutable=1`, which opens without any file beside it.
fn still_uri(file: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for &byte in file.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            _ => uri.push(byte),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    OsString::from_vec(uri)
}

fn settings(connection: &mut Connection, role: Role, bounds: Bounds) -> rusqlite::Result<()> {
    let value_bytes_max = i32::try_from(bounds.value_bytes_max).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, value_bytes_max)?;
    connection
        .busy_timeout(std::time::Duration::from_millis(plimsoll::limits::DATABASE_BUSY_MS_MAX))?;
    connection.set_prepared_statement_cache_capacity(plimsoll::limits::STATEMENTS_CACHED_MAX);
    let cache_kib = i64::try_from(bounds.cache_bytes >> 10).unwrap_or(i64::MAX);
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
            connection.busy_handler(Some(turns::again))?;
            let flush = if cfg!(feature = "sabotage-no-flush") { "OFF" } else { "FULL" };
            connection.pragma_update(None, "synchronous", flush)?;
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
