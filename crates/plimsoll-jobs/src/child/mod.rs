//! Programs that other people wrote, watched from outside.
//!
//! Promises: memory is that of a whole tree of processes, not of the one that was started.
//! Never: trust in what a program says of itself.

mod stat;
mod tree;

pub use tree::{Tree, Usage};
