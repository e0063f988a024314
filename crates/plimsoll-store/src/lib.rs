//! Resources over a database.
//!
//! A [`Resource`] is a table with a key, typed columns and indexes; a [`Store`] reads it in keyset
//! pages and writes it in [`WriteUnit`]s. What stands above this crate knows neither SQL nor
//! which database answers: the one seam is [`Database`].
//!
//! ```text
//!   HTTP, import, steps ──> Store ──> dyn Database ──> sqlite/  (readers + one writer lane)
//!                             │
//!                             └── Catalogue: resources from packs and from introspection
//! ```
//!
//! Promises: owned requests in, owned answers out; nothing acknowledged is lost.
//! Never: a dialect, a connection or a transaction above the seam.

mod aggregate;
pub mod catalogue;
mod database;
mod error;
mod fields;
mod horizon;
mod identity;
pub mod import;
mod lanes;
mod listener;
mod own;
mod pending;
mod plan;
pub mod postgres;
mod read;
pub mod recipe;
mod report;
pub mod rollup;
pub mod sales;
mod search;
mod snapshot;
mod sorted;
mod spool;
pub mod sqlite;
pub mod steps;
mod store;
mod stream;
mod suggest;
mod trend;
mod write;
mod writer_lane;

pub use aggregate::{
    AggregateFunction, AggregateRequest, AggregateTerm, Aggregated, Aggregation, GROUP_COLUMNS_MAX,
    MEASURES_MAX, Measure, Spool, VALUE_MEASURES_MAX,
};
pub use catalogue::{Catalogue, Order, Resource, SortTerm};
pub use database::{Database, DatabaseStats, RoleStats};
pub use error::{Error, ErrorKind, Result};
pub use horizon::Horizon;
pub use identity::{Identity, SETTINGS_MAX};
pub use listener::Listener;
pub use own::Own;
pub use pending::{Pending, Promise, Watch};
pub use read::{Page, PageEnd, PageRequest, Position, ReadLane, Scope};
pub use report::{Report, ReportKind, ReportRequest, TopBy};
pub use search::Search;
pub use snapshot::{PIECE_BYTES, PieceSink, SnapshotRequest};
pub use sorted::{
    SORT_WORKSPACE_BYTES_MIN, SortRequest, SortSpace, SortedRange, sort, sort_workspace_bytes,
};
pub use store::Store;
pub use stream::RowQuery;
pub use suggest::nearest;
pub use trend::{Bucket, TREND_ROWS_MAX};
pub use write::{
    OnConflict, Priority, ReadBack, RefusedRow, Remember, Write, WriteOutcome, WriteUnit,
};
