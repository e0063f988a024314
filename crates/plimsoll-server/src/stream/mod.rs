//! Streams: admitted before anything is read, then emitted frame by frame.
//!
//! ```text
//!   admit ── slot + bytes, FIFO, 2 s ──> Permit ──> first slice ──> 200 ──> emit ──> end or cut
//!      └─ 429 queue-full, 503 memory-budget-exceeded     │
//!                                                         └─ no index: read and sorted first
//! ```
//!
//! Promises: who is admitted finishes, or is cut and never ends cleanly.
//! Never: bytes that were not reserved.

mod admit;
mod emit;
mod frame;
mod part;
mod snapshot;
mod sorted;
mod spooled;

pub(crate) use admit::{Admission, FRAME_CAPACITY, FRAMES, Permit};
pub(crate) use emit::{Emission, Emitted, Range, Source, emit};
pub(crate) use frame::{Frames, Said, Sent};
pub(crate) use part::send_part;
pub(crate) use snapshot::{Snapshot, Snapshots};
pub(crate) use sorted::{Sorted, Sorts};
pub(crate) use spooled::{Finished, Unread, read, send};
