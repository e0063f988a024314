//! Hand-off: an app asks for an export and gets a link, and a browser fetches it with that alone.
//!
//! ```text
//!   app ── POST ──> Handoffs.register ──> Export (untaken) ──> link, signed
//!   browser ── GET link ──> LinkKey.open ─> find ─> take ──> the export runs as any other
//!                                                            │ frames
//!                             client <── follow ── KeptFile <┘ fill
//!                             again  <── follow ──┘  a part of it, by Range
//! ```
//!
//! Promises: a link needs no credential beside itself, is taken once, and cannot be guessed or
//! made up; what is registered is bounded in number and reserved; what is kept is bounded in
//! number and bytes.
//! Never: a link that outlives the process; the table is in memory.

mod disk;
mod export;
mod fill;
mod follow;
mod kept;
mod link;
mod range;
mod table;

pub(crate) use export::{Asked, Caller, Download, Export, Taken, Turn};
pub(crate) use fill::begin;
pub(crate) use follow::{Part, follow};
pub(crate) use kept::{End, Follower};
pub(crate) use range::{Range, matches};
pub(crate) use table::Handoffs;
