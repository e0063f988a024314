//! Bounded-memory building blocks of Plimsoll.
//!
//! This library is synchronous: no async runtime, no SQL and no HTTP stands in its dependency
//! tree. Everything that can grow takes its bytes from a [`budget::Budget`] first and holds the
//! [`budget::Reservation`] for as long as it holds the bytes.
//!
//! Promises: bounded memory for any input; errors that say what to do.
//! Never: a panic on a stranger's input.
//!
//! | module | what it is for |
//! |---|---|
//! | [`limits`] | every bound of the product in one file |
//! | [`units`] | byte sizes as people write them |
//! | [`budget`] | the byte budget: tree, reservations, refusals that name the holders |
//! | [`pressure`] | samples of memory to a level, with hysteresis |
//! | [`record`] | values, column types and rows, shared by every reader and writer |
//! | [`mod@format`] | CSV, NDJSON and JSON in and out, gzip and zstd recognised by content |
//! | [`scan`] | one CSV or NDJSON input read by several workers, as raw records |
//! | [`sort`] | external merge sort over keys and rows of bytes |
//! | [`aggregate`] | measures of groups: parsed, kept, merged, finished |
//! | [`group`] | a hash table of groups in fixed memory, and the plan for what does not fit |
//! | [`collections`] | a vector, a map and a queue that spill |
//! | [`cache`] | a cache in memory and on disk, one maker for each missing value |
//! | [`typed`] | sort, group, join and distinct over serde types |
//! | [`stream`] | lazy streams of rows, re-openable, with the bounded operators |
//! | [`topk`] | the k smallest, in bounded memory |
//! | [`quantile`] | exact quantiles in several passes over the input |
//! | [`sketch`] | HyperLogLog and KLL, with their errors stated |
//! | [`files`] | file-to-file tools |
//! | [`heap_size`] | what a value holds beyond its own size |
//! | [`storage`] | the only door to disk |
//! | [`spill`] | runs of records in checksummed blocks, under a quota, in a private directory |
//! | [`expr`] | one typed expression language for filters, translated or evaluated |

pub mod aggregate;
pub mod budget;
pub mod cache;
mod caret;
pub mod collections;
pub mod error;
pub mod expr;
pub mod files;
pub mod format;
pub mod group;
pub mod heap_size;
pub mod limits;
pub mod pressure;
pub mod quantile;
pub mod record;
pub mod scan;
pub mod sketch;
pub mod sort;
pub mod spill;
pub mod storage;
pub mod stream;
pub mod topk;
pub mod typed;
pub mod units;

pub use error::{Error, ErrorKind, Result};
