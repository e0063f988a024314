//! Collections that go to disk when they no longer fit: a vector, a queue, a map.
//!
//! ```text
//!   SpillVec    memory ── threshold ──> | block | block | ... |  block being filled
//!   SpillQueue  memory <── block <── | block | ... | <── block being filled
//!   SpillMap    hot items <──────────> tables of pages on disk, filters in memory
//!                    └──────────── spill: checksummed blocks, a quota, a private directory
//! ```
//!
//! Promises: below both thresholds, bytes and items, not one byte is written; every byte held is
//! reserved from the [`Consumer`](crate::budget::Consumer) first and given back on drop; a budget
//! that refuses more makes a collection spill early; what was read back passed its checksum.
//! Never: durability. A collection's files are readable by their owner alone and go with it; those
//! of a killed process are swept by the next one.
//!
//! | `SpaceTimeArray`, `SpaceTimeDict` | here |
//! |---|---|
//! | `SpaceTimeArray(threshold=n)` | `SpillVec::builder().memory_items(n)` and `build` |
//! | `append(x)`, `extend(xs)` | [`SpillVec::push`], [`SpillVec::extend`] |
//! | `array[i]` | [`SpillVec::get`] |
//! | `array[i] = x` | not offered: blocks are written once; a [`SpillMap`] from `i` has it |
//! | `pop()`, `clear()`, `len(array)` | [`SpillVec::pop`], [`SpillVec::clear`], [`SpillVec::len`] |
//! | `for x in array` | [`SpillVec::iter`]; [`SpillVec::drain`] gives the disk back on the way |
//! | `SpaceTimeDict(threshold=n)` | `SpillMap::builder().memory_items(n).build(&area, &consumer)` |
//! | `dict[k] = v`, `dict[k]` | [`SpillMap::insert`], [`SpillMap::get`] |
//! | `del dict[k]` | [`SpillMap::remove`] |
//! | `dict[k] += 1` | [`SpillMap::update`] |
//! | `k in dict`, `len(dict)` | [`SpillMap::contains`], [`SpillMap::len`] |
//! | `for k, v in dict.items()` | [`SpillMap::iter`] |
//! | `evict_cold_items(0.5)` | [`SpillMap::evict_cold_items`] |
//! | hits, misses, evictions kept by the caller | [`SpillMap::stats`] |
//! | a list used as a queue | [`SpillQueue`] |
//!
//! A threshold is in items, as there, or in bytes, which is what memory is made of.

mod block_log;
mod builder;
mod codec;
mod held;
mod map;
mod page;
mod queue;
mod serde_codec;
mod stream;
mod vec;

pub use builder::Builder;
pub use codec::Spillable;
pub use map::{MapIter, MapStats, SpillMap};
pub use queue::SpillQueue;
pub use serde_codec::Serde;
pub use vec::{Drain, Iter, SpillVec};
