//! Operators over Rust types: push records, finish, read a stream. Any size of input, bounded
//! memory.
//!
//! ```text
//!   Engine ── Workspace ─┬─ Sorter   ── Rows ── Runs ── Merge
//!   budget,  one         ├─ GroupBy  ─┐
//!   disk     operator's  ├─ Distinct ─┼─ Table ── Partitions
//!            account     ├─ Join     ─┘
//!                        └─ MergeJoin ── SameKey ── Rows, Runs
//! ```
//!
//! Records are serde types. While they fit into memory they stay as they are; what must be
//! spilled is encoded with postcard, in checksummed blocks (see [`crate::spill`]).
//!
//! Promises: nothing is on disk while it fits; what is reserved is given back, and files are gone,
//! when the operator or its stream is dropped, also in the middle.
//! Never: an answer after an error.

mod adaptors;
mod distinct;
mod encoder;
mod engine;
mod group;
mod join;
mod join_stream;
mod merge;
mod merge_join;
mod partitions;
mod plan;
mod rows;
mod runs;
mod same_key;
mod sorter;
mod table;
mod workspace;

pub use adaptors::{BoundedIterator, ByteChunks, DistinctItems};
pub use distinct::{Distinct, DistinctStream};
pub use engine::Engine;
pub use group::{GroupBy, GroupStream};
pub use join::{Join, JoinKind};
pub use join_stream::JoinStream;
pub use merge_join::MergeJoin;
pub use plan::{ChunkStrategy, Plan, PlanInput};
pub use sorter::{SortStats, SortedStream, Sorter, Spillable};
