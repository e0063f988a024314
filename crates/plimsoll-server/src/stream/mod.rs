//! Streams: admitted before anything is read, then emitted frame by frame.
//!
//! ```text
//!   admit ── slot + bytes, FIFO, 2 s ──> Permit ──> first slice ──> 200 ──> emit ──> end or cut
//!      └─ 429 queue-full, 503 memory-budget-exceeded
//! ```

mod admit;
mod emit;

pub(crate) use admit::Admission;
pub(crate) use emit::{Emission, emit};
