//! One CSV or NDJSON input read by several workers, at the speed of memory.
//!
//! ```text
//!                 ┌─ worker: next ─> Segment ─> Records ─> RawRecord ─> RawField
//!   input ─ lock ─┼─ worker: next ─> Segment ─> ...
//!                 └─ worker: ...
//!           read, count, cut         index, check, fields: without the lock
//! ```
//!
//! Rows are bytes: invalid UTF-8, NUL and line breaks inside quotes of a CSV file pass through as
//! they are. Records end with LF or CR LF; a CR alone is a byte of its field.
//!
//! Promises: each record is given to one worker, whole; its width and quotes are checked.
//! Never: a copy of a record, or memory that grows with the input.

mod csv;
mod exact;
mod flat;
mod index;
mod layout;
mod ndjson;
mod options;
mod records;
mod segments;
mod sniff;
mod state;
mod tally;

pub use options::{ScanOptions, ScanStart};
pub use records::{RawField, RawRecord, Records};
pub use segments::{Segment, Segments};
pub(crate) use sniff::is_json_number;
