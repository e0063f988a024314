//! PostgreSQL behind the seam.
//!
//! ```text
//!   page / state / ping ──> lanes ──> N reader threads, one connection each per host, opened when
//!                                     needed (interactive first, bulk every fourth pick)
//!   report, aggregate   ──> their own thread and connection
//!   snapshot            ──> its own thread and connection, for as long as all rows take
//!   write                ──> lane  ──> one writer thread: groups of units, one commit each
//!   listen               ──> its own thread and connection, which says nothing; see `listen`
//! ```
//!
//! Where there are replicas, the hosts say which of them is asked; one more thread looks at them.
//!
//! A thread drives its connection itself: nothing is handed from one thread to another between the
//! socket and the encoded row. Every statement stands in a transaction of its own with `SET LOCAL`
//! and no name, so that a pooler in transaction mode may stand between; only a COPY has a name,
//! until it is done.
//!
//! Whoever acts as somebody is a handle over the same threads, whose transactions begin with a role
//! and settings of theirs, see `guise`.
//!
//! Promises: a connection holds one message of a bounded size; a statement reads a window of an
//! index and ends; nothing is prepared or set beyond a transaction, or listened to beside the one
//! connection for that.
//! Never: a connection handed out, a table made among the app's, or SQL accepted from a client.

mod aggregate;
mod among;
mod apply;
mod bulk;
mod company;
mod config;
mod connect;
mod connection;
mod control;
mod dialect;
mod failure;
mod gathered;
mod guise;
mod hosts;
mod insert;
mod introspect;
mod listen;
mod lookout;
mod measures;
mod migrate;
mod native;
mod open;
mod own;
mod pace;
mod part;
mod pipelined;
mod quantiles;
mod queries;
mod query_page;
mod ranges;
mod reader;
mod report;
mod role;
mod rollup;
mod row;
mod script;
mod search;
mod searching;
mod small;
mod snapshot;
mod survey;
mod tls;
mod transaction;
mod translate;
mod types;
mod uninstall;
mod value;
mod writer;

pub use config::{PostgresConfig, REPLICA_LAG_MS_MAX};
pub use hosts::REPLICAS_MAX;
pub use introspect::{Found, introspect, survey};
pub use migrate::{complete_own, migrate, migration_states};
pub use native::Table;
pub use open::PostgresDatabase;
pub use queries::queries;
pub use role::reading_role;
pub use uninstall::{installed, uninstall};
