//! Sums by day of UTC and channel, kept up with the orders.
//!
//! ```text
//!   write of an order or line ──trigger, same transaction──> mark (day, channel, generation)
//!
//!   refresh:  claim ─────────────> sum the day up ─────────> replace the sums, remove the marks
//!             one WriteUnit:       one statement             one WriteUnit:
//!             marks 0 become 1,    from the orders           fails unless the version is still
//!             the sums' version                              the claimed one
//!             counts up
//! ```
//!
//! A mark of generation 0 may have any later write behind it, for a trigger that finds it adds
//! nothing. A claim takes it away first, so that a write from then on leaves a new one. Where a
//! trigger makes each generation its transaction's own, it is never 0 and removing it says nothing
//! about other transactions. Of two refreshes of a day the later claim wins: the version has
//! changed for the other, whose write fails as a whole.
//!
//! Promises: a day without a mark has the sums of its orders, at every moment and after every
//! crash; a refresh that was killed leaves its days marked.
//! Never: a lock between a writer of orders and a refresh.

mod marks;
mod refresh;
mod summary;

pub use refresh::{Refresh, RefreshStep, Refreshed, refresh};
pub use summary::summary;
