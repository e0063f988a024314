//! Sums and rankings over a pack's analytics mapping.
//!
//! Promises: a report is read from one snapshot; sums are exact or an error, never rounded.
//! Never: a table's name; those come from the mapping.

use std::sync::Arc;

use plimsoll::record::{Column, ColumnType, Money, Schema, Timestamp, Value};

use crate::catalogue::{Analytics, RollupMapping};
use crate::error::{Error, Result};
use crate::horizon::Horizon;
use crate::trend::{Bucket, filled};

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
    /// Revenue, orders, items and quantity by hour, day, week or month, without gaps.
    Trend {
        /// What one row spans.
        bucket: Bucket,
    },
    /// The kept sums by day and channel, and in further rows the days and channels that are out of
    /// date; [`crate::catalogue::RollupMapping`] says where they stand.
    Rollup,
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
    /// What has to be seen.
    pub horizon: Option<Horizon>,
}

/// Rows of a rollup at most: with its marks, five years of days in five channels.
pub(crate) const ROLLUP_ROWS_MAX: usize = 20_000;

impl ReportRequest {
    /// Where the sums stand.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] where the mapping has none.
    pub(crate) fn rollup(&self) -> Result<&RollupMapping> {
        self.analytics.rollup.as_ref().ok_or_else(|| {
            Error::invalid("the analytics mapping has no [analytics.rollup] to read sums from")
        })
    }

    /// One more than a rollup has, which tells that there are too many.
    pub(crate) fn rollup_rows() -> i64 {
        i64::try_from(ROLLUP_ROWS_MAX).unwrap_or(i64::MAX).saturating_add(1)
    }
}

/// Day, channel, sums, and whether the row is a mark.
pub(crate) fn rollup_schema() -> Schema {
    let field = |name: &str, kind| Column { name: name.into(), kind, nullable: false };
    let counts = ["orders", "items", "quantity", "marked"];
    let first = [
        field("date", ColumnType::Time),
        field("channel", ColumnType::Text),
        field("revenue", ColumnType::Money),
    ];
    let columns = first.into_iter().chain(counts.map(|name| field(name, ColumnType::Int)));
    Schema { columns: columns.collect() }
}

/// A finished report. Small: its rows are bounded by the request.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Names and types of the fields.
    pub schema: Schema,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl Report {
    /// What a database's rows become, by the kind of report.
    ///
    /// # Errors
    /// Those of a trend with too many rows.
    pub(crate) fn finished(self, request: &ReportRequest) -> Result<Self> {
        Ok(match request.kind {
            ReportKind::Summary => self.with_average(0),
            ReportKind::Top { .. } | ReportKind::Rollup => self,
            ReportKind::Trend { bucket } => {
                let rows = filled(bucket, &self.rows, (request.from, request.until))?;
                Self { rows, ..self }.with_average(1)
            }
        })
    }

    /// Adds `average_order`: revenue (the field at a place) over orders (the next), rounded half
    /// away from zero at the fourth decimal; NULL where there is no order. Made here and not in
    /// SQL, so that every database rounds alike.
    fn with_average(mut self, place: usize) -> Self {
        let column =
            Column { name: "average_order".into(), kind: ColumnType::Money, nullable: true };
        self.schema.columns.push(column);
        for row in &mut self.rows {
            let average = match &row[place..] {
                [Value::Money(revenue), Value::Int(orders @ 1..), ..] => {
                    Value::Money(Money::from_units(rounded(revenue.units(), *orders)))
                }
                _ => Value::Null,
            };
            row.push(average);
        }
        self
    }
}

/// `units / count`, half away from zero. The quotient is never larger than `units`.
pub(crate) fn rounded(units: i64, count: i64) -> i64 {
    let (quotient, rest) = (units / count, units % count);
    let half_or_more = rest.unsigned_abs() >= count.unsigned_abs().div_ceil(2);
    if half_or_more { quotient + units.signum() } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn an_average_is_rounded_half_away_from_zero() {
        let cases = [(10, 4, 3), (-10, 4, -3), (9, 4, 2), (7, 2, 4), (1, 3, 0), (2, 3, 1)];
        for (units, count, expected) in cases {
            assert_eq!(rounded(units, count), expected, "{units} / {count}");
        }
        assert_eq!(rounded(i64::MIN, 1), i64::MIN);
    }
}
