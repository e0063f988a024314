//! Sales of many periods from one pass over the orders.
//!
//! ```text
//!   orders by time, page by page ──> lines of the page at once ──┬─> cells: span x channel
//!   (longest period and what is                                  └─> groups: period x subject
//!    before it, once)                                                 │ spill
//!                               Document per period and channel <─────┴─ best k
//! ```
//!
//! Promises: an order is read once, however many periods it lies in; sums are exact or an error;
//! memory is what [`memory_bytes`] says, whatever the number of orders.
//! Never: a snapshot longer than a slice: a row that changes meanwhile may count as before or
//! after; and a checkpoint: whoever stops begins again.

mod cells;
mod compute;
mod document;
mod json_lines;
mod lines;
mod period;
mod ranking;
mod scan;
mod subject;

pub use compute::{
    Computed, DOCUMENTS_MAX, SalesRequest, TOP_ROWS_MAX, Wanted, compute, memory_bytes,
};
pub use document::{Document, Ranked, Source, Summed};
pub use period::Period;
pub use scan::SalesRead;
pub use subject::Subject;

pub(crate) use cells::{Cells, Sums};
pub(crate) use compute::sums;
pub(crate) use period::{DAY_MICROS, Span};
pub(crate) use scan::{Scan, Sold, scan};
