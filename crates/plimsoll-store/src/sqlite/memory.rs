//! What SQLite itself says it holds: bytes, and foreign keys it has yet to see.
//!
//! Promises: the numbers are the engine's own counters.
//! Never: anything but reading counters and setting one bound. This is the one file of the crate
//! that may call the C interface directly.
#![allow(unsafe_code)]

use rusqlite::{Connection, ffi};

/// Bytes SQLite holds in memory in this process, over all connections.
#[must_use]
pub fn engine_memory_bytes() -> u64 {
    // SAFETY: sqlite3_memory_used takes no arguments, may be called from any thread once the
    // library is initialised (and initialises it otherwise), and only reads a counter.
    let bytes = unsafe { ffi::sqlite3_memory_used() };
    u64::try_from(bytes).unwrap_or(0)
}

/// Asks SQLite to give page caches back rather than hold more than `bytes`. Returns the bound
/// that was in force before.
pub fn set_heap_soft_limit(bytes: u64) -> u64 {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: sqlite3_soft_heap_limit64 takes a plain integer, may be called from any thread, and
    // takes effect for the whole process.
    let before = unsafe { ffi::sqlite3_soft_heap_limit64(bytes) };
    u64::try_from(before).unwrap_or(0)
}

/// Whether the open transaction has foreign keys that its commit would fail on.
pub(super) fn has_dangling_keys(connection: &Connection) -> bool {
    let (mut dangling, mut unused) = (0, 0);
    let counter = ffi::SQLITE_DBSTATUS_DEFERRED_FKS;
    // SAFETY: the handle lives as long as the borrowed connection, the two integers as long as the
    // call, and this counter is only read.
    let code = unsafe {
        ffi::sqlite3_db_status(connection.handle(), counter, &mut dangling, &mut unused, 0)
    };
    code == ffi::SQLITE_OK && dangling != 0
}
