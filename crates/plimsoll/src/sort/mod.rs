//! External merge sort over bytes: keys that compare by memcmp, rows that are only moved.
//!
//! ```text
//!   rows ─> Arena: sort entries ─> SortedRun ─┐
//!   rows ─> Arena: sort entries ─> SortedRun ─┼─ passes, if there are too many ─> split by keys
//!   ...                                       ┘                                     │      │
//!                                               output part 0 <─ Merge, loser tree ─┘      │
//!                                               output part 1 <─ Merge, loser tree ────────┘
//!   all fits: Arenas ─> split by keys ─> output parts, nothing spilled
//! ```
//!
//! Promises: any input sorts in which two blocks and one row fit into memory; equal keys keep the
//! order of the input; the plan is made from numbers before the first row.
//! Never: a row parsed or encoded twice; a byte on disk for input that fits.

mod arena;
mod arena_size;
mod arenas;
mod forecast;
mod index;
mod loser_tree;
mod merge;
mod passes;
mod plan;
mod rows;
mod run;
mod run_list;
mod run_writer;
mod split;
mod strategy;
mod upcoming;
mod yielding;

pub use arena::{ARENA_BYTES_MAX, Arena, ENTRY_BYTES, Filler, PREFIX_BYTES, Sorted, prefix_of};
pub use merge::Merge;
pub use plan::{
    ARENA_BYTES_MIN, BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, SortInput, SortPlan, WORKERS_MAX, plan,
};
pub use rows::{RowSorter, SortedRows};
pub use run::{InputOrder, SortedRun};
pub use run_writer::SortedRunWriter;
pub use strategy::ChunkStrategy;

pub(crate) use arenas::{ArenaRange, split_arenas};
pub(crate) use loser_tree::LoserTree;
pub(crate) use passes::Passes;
pub(crate) use plan::{LANE_SPARES, ahead};
pub(crate) use run::{ReaderShape, RunRecord};
pub(crate) use run_list::RunList;
pub(crate) use split::{Range, split};
pub(crate) use yielding::YieldingMerge;
