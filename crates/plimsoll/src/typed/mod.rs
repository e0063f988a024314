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
//!
//! # What memory is set aside
//!
//! An operator reserves what spilling takes when it is made, and gives none of it back before: an
//! operator that is out of memory could not ask for it any more. For sorting that is the buffers of
//! one writer; what deals its records out writes to many at a time, a block for each. Blocks are
//! small where the memory is small, and neither they nor the parts get more from 64 MiB on.
//!
//! | memory | [`Sorter`], [`MergeJoin`] | [`GroupBy`], [`Distinct`], [`Join`] |
//! |---|---|---|
//! | 128 KiB | 22 KiB | 46 KiB |
//! | 1 MiB | 48 KiB | 188 KiB |
//! | 16 MiB | 0.5 MiB | 2.3 MiB |
//! | 64 MiB | 0.5 MiB | 8.6 MiB |
//! | 1 GiB | 0.8 MiB | 8.8 MiB |
//!
//! One record, or one group with its key, may take a 32nd of the memory; a larger one is refused
//! with that bound. Encoded it may be twice as large, and a merge of two runs holds, for each of
//! them, a block of it and the record itself, and for the output the record, its buffer and its
//! block: eleven times the record, beside what is set aside.

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
