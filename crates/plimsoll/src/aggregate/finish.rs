//! A partial to the value that is shown.
//!
//! Promises: a mean of ints is the exact mean rounded once, to the nearest float; a mean of money
//! is the exact mean rounded half to even at the fourth decimal.
//! Never: a wrapped or saturated number; what does not fit is an error that names the measure.

use super::partial::{Extreme, Partial};
use crate::error::{Error, Result};
use crate::record::{ColumnType, Money, Value};

/// The value of `partial`; `kind` is that of its rows.
pub(super) fn value(
    partial: Partial<'_>,
    mean: bool,
    kind: ColumnType,
    measure: &str,
) -> Result<Value> {
    let out_of_range = || out_of_range(measure, kind);
    Ok(match partial {
        Partial::Count(count) => Value::Int(i64::try_from(count).map_err(|_| out_of_range())?),
        Partial::Exact { count: 0, .. } | Partial::Float { count: 0, .. } => Value::Null,
        Partial::Exact { sum, count } if mean && kind == ColumnType::Int => {
            Value::Float(quotient(sum, count))
        }
        Partial::Exact { sum, count } => {
            let units = if mean { half_even(sum, count) } else { sum };
            let units = i64::try_from(units).map_err(|_| out_of_range())?;
            match kind {
                ColumnType::Money => Value::Money(Money::from_units(units)),
                _ => Value::Int(units),
            }
        }
        Partial::Float { sum, count } => {
            let total = sum.total().ok_or_else(out_of_range)?;
            // A count beyond 2^53 is rounded to the nearest float, as the quotient is.
            #[allow(clippy::cast_precision_loss)]
            let result = if mean { total / count as f64 } else { total };
            // As in the arithmetic of expressions.
            if result.is_nan() { Value::Null } else { Value::Float(result) }
        }
        Partial::Extreme(Extreme::None) | Partial::Sketched(_) => Value::Null,
        Partial::Extreme(Extreme::Fixed(value)) => value.to_owned(),
        Partial::Extreme(Extreme::Bytes(bytes)) => Value::Bytes(bytes.into()),
        Partial::Extreme(Extreme::Text(bytes)) => {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                Error::corrupt(format!(
                    "measure '{measure}': a group holds a text that is not UTF-8"
                ))
            })?;
            Value::Text(text.into())
        }
    })
}

#[cold]
fn out_of_range(measure: &str, kind: ColumnType) -> Error {
    let (kind, range) = match kind {
        ColumnType::Money => ("money", "±922337203685477.5807"),
        ColumnType::Float => ("a float", "±1.7976931348623157e308"),
        _ => ("an int", "-2^63 to 2^63-1"),
    };
    Error::invalid(format!(
        "measure '{measure}': the result of a group is outside of {kind}'s range, {range}; take \
         smaller groups, or narrow the rows to smaller values"
    ))
}

/// `sum / count` to the nearest float, ties to even; `count` is not 0.
pub(super) fn quotient(sum: i128, count: u64) -> f64 {
    let magnitude = sum.unsigned_abs();
    if magnitude == 0 {
        return 0.0;
    }
    // With its highest bit set the quotient has 64 bits or more; below them a lowest bit stands
    // for any remainder, so that the conversion is the one rounding there is.
    let shift = magnitude.leading_zeros();
    let (shifted, count) = (magnitude << shift, u128::from(count));
    let whole = (shifted / count) | u128::from(shifted % count != 0);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_wrap)] // a shift is below 128
    let scaled = whole as f64 * 2.0_f64.powi(-(shift as i32));
    if sum < 0 { -scaled } else { scaled }
}

/// `sum / count` rounded half to even; `count` is not 0.
pub(super) fn half_even(sum: i128, count: u64) -> i128 {
    let count = i128::from(count);
    let (floor, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    match (2 * rest).cmp(&count) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Equal => floor + (floor & 1),
        std::cmp::Ordering::Greater => floor + 1,
    }
}

#[cfg(test)]
mod tests;
