//! The library's promises, one module each, seen from outside.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod aggregates;
mod bounded;
mod caches;
mod collections;
mod expressions;
mod files_group;
mod files_join;
mod files_join_faults;
mod files_join_sorted;
mod files_quantile;
mod files_small;
mod formats;
mod keys;
mod scan;
mod sorts;
mod spills;
mod stream;
mod typed;
