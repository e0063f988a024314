//! A cache in two tiers: memory inside the budget, and the disk below it.
//!
//! ```text
//!   look ──> hot: values in memory, SIEVE ──evicted, worth it──> cold: segments of a spill file
//!             ^ │                                                   │  a log, the oldest reused
//!             │ └──asked back by the budget: out, without a write   │
//!             └───────────────── looked up: read, checked ──────────┘
//! ```
//!
//! Promises: every byte held, of values and of the index, is reserved before it is allocated, and
//! is given up when the budget asks; a value is what was put under its key, not over and not
//! revoked; of all who ask for a missing key one makes it.
//! Never: a value from another process or another run: the file goes with its owner, and a block
//! carries the file's tag, its place and the put it is from. Nothing is durable.
//!
//! | `SpaceTimeCache` | here |
//! |---|---|
//! | `get(key)`, then the database | [`Cache::get_or_make`], or [`Cache::turn`] in a future |
//! | `hot`, then `cold`, then promoted "if memory allows" | [`Cache::get`], [`Cache::promote`] |
//! | `monitor.canAllocate(n)`, `can_allocate(n)` | [`Cache::can_allocate`] |
//! | `stats['hits']`, `['misses']`, `['evictions']` | [`Cache::stats`] |
//! | `cleanup()`: evict half of what is hot | [`Cache::cleanup`] |
//!
//! What an entry takes beside its value, charged to the consumer `index`: [`INDEX_ENTRY_BYTES`],
//! its key and 16 bytes a tag as the allocator rounds them; 24 bytes a different tag. Tables
//! double, so up to twice their share for a while. A value is charged as the allocator rounds it
//! and 48 bytes. Entries on disk only may have half of the memory for their index: at a key of
//! 32 bytes that is a cold tier of some 20 times the memory at values of 4 KiB, and with values
//! of a few hundred bytes one that is hardly worth its disk.
//!
//! | file | its noun |
//! |---|---|
//! | `handle` `builder` `terms` `value` `stats` | what a user sees |
//! | `turn` `maker` `waiting` `flight` `flights` | one maker a key, and those who wait |
//! | `shared` `looking` `peeking` `putting` `removing` | the steps around the lock |
//! | `state` `freed` `revocations` | what stands under it |
//! | `index` `entries` `entry` `chain` `sieve` | entries, found and in order |
//! | `cold` `filling` | segments, and the records in them |

mod builder;
mod chain;
mod cold;
mod entries;
mod entry;
mod filling;
mod flight;
mod flights;
mod freed;
mod handle;
mod index;
mod looking;
mod maker;
mod peeking;
mod putting;
mod removing;
mod revocations;
mod shared;
mod sieve;
mod state;
mod stats;
mod terms;
mod turn;
mod value;
mod waiting;

pub use builder::CacheBuilder;
pub use handle::Cache;
pub use maker::Maker;
pub use peeking::Peek;
pub use stats::CacheStats;
pub use terms::Terms;
pub use turn::{Made, NotMade, Turn};
pub use value::{CacheValue, Look, Source};
pub use waiting::{Waited, Waiting};

/// Bytes an entry takes in the index, beside its key and tags: 142.
pub const INDEX_ENTRY_BYTES: u64 = index::Index::ENTRY_BYTES;
