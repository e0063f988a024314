//! The place of a quantile among sorted values, and the value there, without binary fractions.
//!
//! ```text
//!   0.9 of 4 values: place 0.9 x 3 = 2.7    values[2] + 0.7 x (values[3] - values[2])
//!                                           the continuous quantile of SQL, quantile_cont
//! ```
//!
//! Promises: of ints, amounts and times the exact value, rounded once; the rank is the decimal
//! that was written.
//! Never: an amount that went through a binary float.

use super::finish::{half_even, quotient};
use crate::quantile::OrderKey;
use crate::record::{ColumnType, Money, Timestamp, Value};

const DECIMALS: usize = 18;
/// Parts that a rank and the way between two values are measured in.
const PARTS: u64 = 10_u64.pow(18);

/// A rank from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    parts: u64,
}

/// Between which two values a quantile is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Counted from 0; the other one is the next.
    pub(super) lower: u64,
    /// How far it is to the next one, below [`PARTS`].
    parts: u64,
}

impl Rank {
    /// The rank of a number from 0 to 1, as the shortest decimal that names it.
    pub(super) fn of(q: f64) -> Self {
        let text = format!("{q}");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let digit = |n: usize| decimals.as_bytes().get(n).map_or(0, |byte| u64::from(byte - b'0'));
        let below_one = (0..DECIMALS).fold(0, |parts, n| parts * 10 + digit(n));
        Self { parts: if whole == "1" { PARTS } else { below_one } }
    }

    /// Its place among `count` values, which are not none.
    pub(super) fn place(self, count: u64) -> Place {
        let scaled = u128::from(self.parts) * u128::from(count - 1);
        let parts = u128::from(PARTS);
        let narrow = |n: u128| u64::try_from(n).expect("a rank is at most 1");
        Place { lower: narrow(scaled / parts), parts: narrow(scaled % parts) }
    }
}

impl Place {
    /// The value there, by the keys of the values on both sides.
    pub(super) fn value(self, kind: ColumnType, lower: u64, upper: u64) -> Value {
        if kind == ColumnType::Float {
            return self.float(f64::from_key(lower), f64::from_key(upper));
        }
        let (lower, upper) = (i128::from(i64::from_key(lower)), i128::from(i64::from_key(upper)));
        let sum = lower * i128::from(PARTS) + (upper - lower) * i128::from(self.parts);
        if kind == ColumnType::Int {
            return Value::Float(quotient(sum, PARTS));
        }
        let units = i64::try_from(half_even(sum, PARTS)).expect("it is between two of 64 bits");
        match kind {
            ColumnType::Money => Value::Money(Money::from_units(units)),
            _ => Value::Time(Timestamp::from_micros(units)),
        }
    }

    fn float(self, lower: f64, upper: f64) -> Value {
        #[allow(clippy::cast_precision_loss)] // the one rounding of the fraction
        let fraction = self.parts as f64 / PARTS as f64;
        let value = if self.parts == 0 || lower == upper {
            lower
        } else if (upper - lower).is_finite() {
            lower + (upper - lower) * fraction
        } else {
            lower * (1.0 - fraction) + upper * fraction
        };
        // As in the arithmetic of expressions.
        if value.is_nan() { Value::Null } else { Value::Float(value) }
    }
}

#[cfg(test)]
mod tests;
