//! Sums by hour, day, week or month.
//!
//! ```text
//!   database: by hour, or by day ──> week and month are put together here ──> gaps are filled
//! ```
//!
//! Promises: buckets are UTC's, a week begins on Monday (ISO 8601); they follow one another without
//! a gap, those without an order being zeros; at most [`TREND_ROWS_MAX`] of them.
//! Never: a sum of a measure that may not be added up, such as a number of different customers.

use plimsoll::record::{Column, ColumnType, Money, Schema, Timestamp, Value};

use crate::error::{Error, ErrorKind, Result};

/// Rows of a trend at most, and rows it is put together from: 13 years of days.
pub const TREND_ROWS_MAX: usize = 5_000;

const HOUR_MICROS: i64 = 3_600_000_000;
const DAY_MICROS: i64 = 24 * HOUR_MICROS;
/// 1970-01-05 was the first Monday.
const FIRST_MONDAY_MICROS: i64 = 4 * DAY_MICROS;

/// What one row of a trend spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

impl Bucket {
    /// What the database groups by: the largest span of fixed length within it.
    pub(crate) fn base_micros(self) -> i64 {
        if self == Self::Hour { HOUR_MICROS } else { DAY_MICROS }
    }

    /// The beginning of the bucket that an instant lies in.
    fn start(self, micros: i64) -> i64 {
        let floor = |span: i64, from: i64| (micros - from).div_euclid(span) * span + from;
        match self {
            Self::Hour => floor(HOUR_MICROS, 0),
            Self::Day => floor(DAY_MICROS, 0),
            Self::Week => floor(7 * DAY_MICROS, FIRST_MONDAY_MICROS),
            Self::Month => month(floor(DAY_MICROS, 0), 0),
        }
    }

    /// The beginning of the bucket behind the one that begins at `start`.
    fn next(self, start: i64) -> i64 {
        match self {
            Self::Hour => start.saturating_add(HOUR_MICROS),
            Self::Day => start.saturating_add(DAY_MICROS),
            Self::Week => start.saturating_add(7 * DAY_MICROS),
            Self::Month => month(start, 1),
        }
    }
}

/// The beginning of the month `later` months behind that of a day, which is 0 or 1.
fn month(day: i64, later: i64) -> i64 {
    // A month has 28 to 31 days: 32 days behind its first is the next one.
    let first = |micros: i64| {
        let text = Timestamp::from_micros(micros).to_string();
        let begins = text.get(..7).map(|month| format!("{month}-01"));
        let parsed = begins.and_then(|text| text.parse::<Timestamp>().ok());
        // Years beyond four digits have no such text: they stay what they are.
        parsed.map_or(micros, Timestamp::micros)
    };
    let begin = first(day);
    if later == 0 { begin } else { first(begin.saturating_add(32 * DAY_MICROS)) }
}

/// The fields of a trend.
pub(crate) fn schema() -> Schema {
    let field = |name: &str, kind| Column { name: name.into(), kind, nullable: false };
    Schema {
        columns: vec![
            field("start", ColumnType::Time),
            field("revenue", ColumnType::Money),
            field("orders", ColumnType::Int),
            field("items", ColumnType::Int),
            field("quantity", ColumnType::Int),
        ],
    }
}

/// One bucket's sums.
#[derive(Clone, Copy, Default)]
struct Sums {
    revenue: Money,
    counts: [i64; 3],
}

/// Puts the database's rows, in order, together to buckets without gaps. The ends, where they are
/// given, are those of the first and the last bucket.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond [`TREND_ROWS_MAX`], or where a sum leaves 64 bits.
pub(crate) fn filled(
    bucket: Bucket,
    rows: &[Vec<Value>],
    (from, until): (Option<Timestamp>, Option<Timestamp>),
) -> Result<Vec<Vec<Value>>> {
    if rows.len() > TREND_ROWS_MAX {
        return Err(too_many());
    }
    let begins = |row: &Vec<Value>| match row.first() {
        Some(Value::Time(time)) => Some(bucket.start(time.micros())),
        _ => None,
    };
    let first = from.map(|time| bucket.start(time.micros())).or(rows.first().and_then(begins));
    let last = until.map(|time| bucket.start(time.micros() - 1)).or(rows.last().and_then(begins));
    let (Some(mut start), Some(last)) = (first, last) else { return Ok(Vec::new()) };
    let (mut out, mut rest) = (Vec::new(), rows);
    while start <= last {
        if out.len() == TREND_ROWS_MAX {
            return Err(too_many());
        }
        let mut sums = Sums::default();
        while let [row, behind @ ..] = rest
            && begins(row).is_none_or(|begun| begun <= start)
        {
            sums = sums.plus(row).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "a sum leaves 64 bits: take smaller buckets")
            })?;
            rest = behind;
        }
        let counts = sums.counts.map(Value::Int);
        let [orders, items, quantity] = counts;
        let begin = Value::Time(Timestamp::from_micros(start));
        out.push(vec![begin, Value::Money(sums.revenue), orders, items, quantity]);
        start = bucket.next(start);
    }
    Ok(out)
}

impl Sums {
    fn plus(mut self, row: &[Value]) -> Option<Self> {
        if let Some(Value::Money(revenue)) = row.get(1) {
            self.revenue = self.revenue.checked_add(*revenue)?;
        }
        for (count, value) in self.counts.iter_mut().zip(row.get(2..)?) {
            if let Value::Int(more) = value {
                *count = count.checked_add(*more)?;
            }
        }
        Some(self)
    }
}

fn too_many() -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the trend has more than {TREND_ROWS_MAX} rows: narrow the range with from and to, or \
             take a larger bucket"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("an instant").micros()
    }

    #[test]
    fn buckets_begin_where_the_calendar_has_them() {
        for (bucket, instant, start, next) in [
            (Bucket::Hour, "2026-03-01T10:59:59Z", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"),
            (Bucket::Day, "1969-12-31T23:59:59Z", "1969-12-31", "1970-01-01"),
            (Bucket::Week, "2026-11-22T23:59:59Z", "2026-11-16", "2026-11-23"),
            (Bucket::Week, "1970-01-01", "1969-12-29", "1970-01-05"),
            (Bucket::Month, "2024-02-29T12:00:00Z", "2024-02-01", "2024-03-01"),
            (Bucket::Month, "2025-12-31T23:59:59Z", "2025-12-01", "2026-01-01"),
        ] {
            let begun = bucket.start(at(instant));
            assert_eq!((begun, bucket.next(begun)), (at(start), at(next)), "{bucket:?} {instant}");
        }
    }

    #[test]
    fn gaps_are_zeros_and_days_add_up_to_weeks() {
        let row = |day: &str, units: i64, count: i64| {
            let revenue = Value::Money(Money::from_units(units));
            let time = Value::Time(Timestamp::from_micros(at(day)));
            vec![time, revenue, Value::Int(count), Value::Int(count), Value::Int(count)]
        };
        let rows = [row("2026-11-16", 5, 1), row("2026-11-22", 7, 2), row("2026-12-01", 1, 1)];
        let weeks = filled(Bucket::Week, &rows, (None, None)).expect("weeks");
        let revenue: Vec<&Value> = weeks.iter().map(|row| &row[1]).collect();
        let money = |units| Value::Money(Money::from_units(units));
        assert_eq!(revenue, [&money(12), &money(0), &money(1)]);
        assert_eq!(weeks[0][2], Value::Int(3));
        let span = (Some(Timestamp::from_micros(at("2026-11-15"))), None);
        assert_eq!(filled(Bucket::Day, &rows, span).expect("days").len(), 17);
        let long = (Some(Timestamp::from_micros(at("1990-01-01"))), None);
        assert_eq!(filled(Bucket::Day, &rows, long).unwrap_err().kind(), ErrorKind::TooLarge);
        assert!(filled(Bucket::Day, &[], (None, None)).expect("none").is_empty());
    }
}
