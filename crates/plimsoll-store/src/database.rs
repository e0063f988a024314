//! The one seam between resources and a database.
//!
//! Promises: owned requests in, owned answers out; any thread may call.
//! Never: a dialect, a connection or a transaction above this line.

use std::sync::Arc;

use plimsoll::record::Value;

use crate::aggregate::{AggregateRequest, Aggregated};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::listener::Listener;
use crate::own::Own;
use crate::pending::Pending;
use crate::read::{Page, PageRequest};
use crate::report::{Report, ReportRequest};
use crate::snapshot::SnapshotRequest;
use crate::write::{Priority, WriteOutcome, WriteUnit};

/// Counters and gauges of the hosts of one role: the primary, or all replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoleStats {
    /// Hosts there are.
    pub hosts: u64,
    /// Those that answered the last look.
    pub healthy: u64,
    /// The most that one of them was behind at the last look, in milliseconds.
    pub lag_ms_max: u64,
    /// Slices of rows read from them.
    pub pages: u64,
    /// Connections busy with a request.
    pub connections_used: u64,
    /// Connections waiting for one.
    pub connections_idle: u64,
}

/// Counters and gauges of a database, for metrics and the memory page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseStats {
    /// Connections busy with a request.
    pub connections_used: u64,
    /// Connections waiting for one.
    pub connections_idle: u64,
    /// Requests waiting for a reader.
    pub reads_waiting: u64,
    /// Units waiting for the writer.
    pub writes_waiting: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Units inside them.
    pub units: u64,
    /// Bytes the database engine holds in memory inside this process.
    pub memory_bytes: u64,
    /// Longest time a page read has held its snapshot, in microseconds.
    pub snapshot_micros_max: u64,
    /// Where there are replicas: the primary.
    pub primary: RoleStats,
    /// Where there are replicas: those.
    pub replicas: RoleStats,
}

/// A database.
pub trait Database: Send + Sync {
    /// Reads one slice.
    fn page(&self, request: PageRequest) -> Pending<Page>;

    /// Makes a report from one snapshot.
    fn report(&self, request: ReportRequest) -> Pending<Report>;

    /// Reads a whole selection from one snapshot, and says how many rows it has. One at a time.
    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64>;

    /// Makes an aggregation from one snapshot.
    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated>;

    /// The first rows of a pack's own SQL, e.g. a figure of a recipe.
    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>>;

    /// The first rows of a statement about own tables, as the last commit left them.
    fn own(
        &self,
        statement: &'static Own,
        params: Vec<Value>,
        rows_max: usize,
    ) -> Pending<Vec<Vec<Value>>> {
        let _asked = (statement, params, rows_max);
        Pending::ready(Err(Error::invalid("this database keeps no tables of Plimsoll's own")))
    }

    /// A piece of small state written by [`crate::Write::Put`].
    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>>;

    /// Writes one unit; the answer comes after the commit is durable.
    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome>;

    /// Whether the database answers a trivial read now.
    fn ping(&self) -> Pending<()>;

    /// Counters and gauges.
    fn stats(&self) -> DatabaseStats;

    /// The same database, asked as somebody: pages, reports, snapshots, aggregations and written
    /// rows are theirs to see and to change. What Plimsoll keeps for itself stays its own.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] where the database has neither roles nor settings.
    fn acting_as(&self, identity: &Arc<Identity>) -> Result<Arc<dyn Database>> {
        let _nobody = identity;
        Err(Error::invalid("the database has neither roles nor settings to act under"))
    }

    /// Has `listener` told of what is notified under a channel's name by the commits of others, on
    /// a thread and a connection of their own until the database closes. False where nobody is
    /// ever told, and the listener has to look by itself.
    ///
    /// # Errors
    /// When the thread cannot be started.
    fn listen(&self, channel: &'static str, listener: Arc<dyn Listener>) -> Result<bool> {
        let _silent = (channel, listener);
        Ok(false)
    }

    /// Finishes what was accepted, then stops all threads.
    ///
    /// # Errors
    /// When the last flush fails.
    fn close(&self) -> Result<()>;
}
