//! Jobs that survive `kill -9`.
//!
//! ```text
//!   enqueue ─> queue (tables of the store) ─> claim under a lease ─> runner ─> effects + checkpoint
//!                 ^                                   │                          in one WriteUnit
//!                 └── rescued, retried, handed back <─┘
//! ```
//!
//! Promises: every write after a claim names the job, the token of its lease and the state
//! `running`; where that fits no row it is rolled back.
//! Never: an async runtime or HTTP; a result carried in a checkpoint.

pub mod child;
mod state;

pub use state::{Event, State};
