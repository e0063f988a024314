//! How a range of rows is read: decided purely, from the request and the catalogue.
//!
//! ```text
//!   filter ──conjuncts──┬─ column = literal, in the chosen index's prefix ──> WHERE  (equalities)
//!                       └─ everything else ─────────────────────────────────> a flag column
//!   order ──> an index whose columns, after the equalities, run in the order (either way)
//!   position ──> phases: half-open ranges of that index, in order
//! ```
//!
//! The flag column is why a slice always advances: every row the database steps over comes back,
//! with `false` where the filter rejects it, so a filter that matches nothing for millions of rows
//! still stops on time with a position, and no snapshot is held longer than a slice.
//!
//! Promises: no SQL, no I/O; the same for every database.
//! Never: a plan whose cost grows with how far into the table the position is.

mod access;
mod phases;

pub(crate) use access::{Access, ServedTerm, access, seek};
pub(crate) use phases::{Condition, phases, with_nulls_apart};
