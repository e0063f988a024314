//! Groups in bounded memory: a hash table in a fixed workspace, and the plan for what does not
//! fit.
//!
//! ```text
//!   row ─> key, hash ──> Table ──full──> partitions on disk ──> Table of one partition ──> values
//!              │           ^  Bypass: saves it anything?  ^          (Plan: how many, how large)
//!              └───────────┴── no: the state of one row ──┘
//! ```
//!
//! Promises: no more than the workspace, whatever the rows are.
//! Never: a file or a thread; those who group have them.

mod bypass;
mod plan;
mod table;

pub use bypass::{Bypass, PASSING_FACTOR, REDUCTION_PERCENT_MIN};
pub use plan::{
    LEVELS_MAX, Load, PARTITION_BITS_MAX, PARTITION_BUFFER_BYTES_MAX, PARTITION_BUFFER_BYTES_MIN,
    Plan,
};
pub use table::{Found, GROUP_OVERHEAD_BYTES, Iter, Table};
