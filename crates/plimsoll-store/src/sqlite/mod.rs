//! SQLite behind the seam.
//!
//! ```text
//!   page / report / ping ──> lanes ──> N reader threads, one read-only connection each
//!                                      (interactive first, bulk every fourth pick)
//!   report, aggregate    ──> their own thread, so that a long sum never holds up a page
//!   snapshot             ──> its own thread, for as long as all rows take
//!   write                ──> lane  ──> one writer thread: groups of units, one commit each
//! ```
//!
//! Promises: every connection's cache is charged when it is opened; readers hold no snapshot
//! beyond a slice; writes are acknowledged after a durable commit.
//! Never: a connection handed out, or SQL accepted from a client.

mod aggregate;
mod among;
mod apply;
mod aside;
mod beside;
mod connection;
mod dialect;
mod failure;
mod fillers;
mod fts;
mod functions;
mod group;
mod introspect;
mod measures;
mod memory;
mod migrate;
mod open;
mod own;
mod quantiles;
mod queries;
mod reader;
mod remembered;
mod report;
mod rollup;
mod row;
mod search;
mod snapshot;
mod translate;
mod turns;
mod value;
mod writer;

pub use introspect::{introspect, survey};
pub use memory::{engine_memory_bytes, set_heap_soft_limit};
pub use migrate::{migrate, migration_states, restore_indexes};
pub use open::{SqliteConfig, SqliteDatabase, set_temporary_directory};
pub use queries::queries;
