//! The one total order.
//!
//! ```text
//!   NULL < false < true < numbers (Int and Float by value) < Money < Time < Text < Bytes
//! ```
//!
//! Promises: total, stable, and the order of SQLite's BINARY collation and PostgreSQL's "C".
//! NULL is the smallest value: first when ascending, last when descending. NaN sorts above every
//! other number and equals itself; -0.0 equals 0.0. Text and bytes compare by bytes.
//! Never: locale.

use std::cmp::Ordering;

use super::ValueRef;

/// Compares two fields. Fields of one column always have one type or are NULL; across types the
/// rank in the figure decides, so that a foreign column of mixed types still has one order.
///
/// ```
/// use plimsoll::record::{ValueRef, compare};
/// assert!(compare(ValueRef::Null, ValueRef::Int(i64::MIN)).is_lt());
/// assert!(compare(ValueRef::Text("B"), ValueRef::Text("a")).is_lt());
/// ```
#[must_use]
pub fn compare(a: ValueRef<'_>, b: ValueRef<'_>) -> Ordering {
    match (a, b) {
        (ValueRef::Null, ValueRef::Null) => Ordering::Equal,
        (ValueRef::Bool(a), ValueRef::Bool(b)) => a.cmp(&b),
        (ValueRef::Int(a), ValueRef::Int(b)) => a.cmp(&b),
        (ValueRef::Float(a), ValueRef::Float(b)) => floats(a, b),
        (ValueRef::Int(a), ValueRef::Float(b)) => int_float(a, b),
        (ValueRef::Float(a), ValueRef::Int(b)) => int_float(b, a).reverse(),
        (ValueRef::Money(a), ValueRef::Money(b)) => a.cmp(&b),
        (ValueRef::Time(a), ValueRef::Time(b)) => a.cmp(&b),
        (ValueRef::Text(a) | ValueRef::Json(a), ValueRef::Text(b) | ValueRef::Json(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

fn rank(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Null => 0,
        ValueRef::Bool(_) => 1,
        ValueRef::Int(_) | ValueRef::Float(_) => 2,
        ValueRef::Money(_) => 3,
        ValueRef::Time(_) => 4,
        ValueRef::Text(_) | ValueRef::Json(_) => 5,
        ValueRef::Bytes(_) => 6,
    }
}

fn floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Exact comparison of an integer with a float: no rounding of the integer to 53 bits.
fn int_float(a: i64, b: f64) -> Ordering {
    if b.is_nan() {
        return Ordering::Less;
    }
    // 2^63 as a float is exact; everything at or beyond it is outside i64.
    if b >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if b < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    #[allow(clippy::cast_possible_truncation)] // in range by the two tests above
    let whole = b.trunc() as i64;
    a.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&b.fract()).unwrap_or(Ordering::Equal))
}
