//! How a PostgreSQL is reached, and what its connections may take.
//!
//! Promises: plain data; the bytes it names are what connections hold at most, rows included.
//! Never: a connection.

use std::path::PathBuf;

use plimsoll::limits::ROW_BYTES_MAX;

/// What a connection holds besides the row that is read: buffers of the socket, of encryption and
/// of messages that came together.
const CONNECTION_BYTES: u64 = 256 << 10;

/// A buffer that a message did not fit grows to twice its size.
const BUFFER_SHARE: u64 = 2;

/// How a database is reached.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?sslmode=…`
    pub url: String,
    /// Threads that read pages, each with a connection.
    pub readers: usize,
    /// Where answers that do not fit memory are put.
    pub spill_directory: PathBuf,
    /// Keep a connection for writing too.
    pub writable: bool,
    /// URLs of streaming replicas of that database, eight at most. Rows are read from those that
    /// are not too far behind, and from the primary while there is none.
    pub replicas: Vec<String>,
    /// A replica that shows a state older than this is not read from.
    pub replica_lag_max_ms: u64,
    /// Streams make way for others: while those are at work on the server, a stream reads a window
    /// in 50 ms and not as fast as it is taken.
    pub makes_way: bool,
    /// Largest row, [`plimsoll::limits::ROW_BYTES_MAX`] at most: each connection may hold one.
    pub row_bytes_max: u64,
}

/// What a replica may be behind where nobody says otherwise.
pub const REPLICA_LAG_MS_MAX: u64 = 5_000;

impl PostgresConfig {
    /// Bytes the connections may take together, one to each host for each thread that reads, and a
    /// row for each thread: to be reserved before opening.
    #[must_use]
    pub fn connection_bytes(&self) -> u64 {
        let hosts = self.replicas.len() as u64 + 1;
        let readers = self.reading_threads();
        let writer = u64::from(self.writable);
        // Where jobs are, one listens.
        let listens = writer;
        // A thread has one row in its hands, and so has one of its connections.
        let rows = (readers + writer) * BUFFER_SHARE * self.row_bytes_max();
        let looks = if hosts > 1 { hosts } else { 0 };
        rows + (readers * hosts + writer + listens + looks) * CONNECTION_BYTES
    }

    /// The largest row that is let through, whatever was asked for.
    pub(super) fn row_bytes_max(&self) -> u64 {
        self.row_bytes_max.min(ROW_BYTES_MAX as u64)
    }

    /// Reports and snapshots have one each.
    pub(super) fn reading_threads(&self) -> u64 {
        self.readers as u64 + 2
    }
}
