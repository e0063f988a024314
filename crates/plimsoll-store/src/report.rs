//! Sums and rankings over a pack's analytics mapping.
//!
//! Promises: a report is read from one snapshot; sums are exact or an error, never rounded.
//! Never: a table's name; those come from the mapping.

use std::sync::Arc;

use plimsoll::record::{Schema, Timestamp, Value};

use crate::catalogue::Analytics;

/// What a ranking is ordered by, largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopBy {
    /// The summed line amount.
    Revenue,
    /// The summed quantity.
    Quantity,
    /// The number of distinct orders.
    Orders,
}

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// One row: revenue, orders, items, quantity, customers, average order.
    Summary,
    /// The best by a measure.
    Top {
        /// The measure.
        by: TopBy,
        /// How many, at most [`plimsoll::limits::PAGE_ROWS_MAX`].
        rows_max: u64,
    },
}

/// A report to make.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// The mapping it runs on.
    pub analytics: Arc<Analytics>,
    /// Which report.
    pub kind: ReportKind,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Up to but not including this instant.
    pub until: Option<Timestamp>,
    /// Only this channel.
    pub channel: Option<Box<str>>,
    /// Give up after this long.
    pub timeout_ms: u64,
}

/// A finished report. Small: its rows are bounded by the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Names and types of the fields.
    pub schema: Schema,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}
