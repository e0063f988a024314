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
use crate::error::{Error, Result};
use crate::quantile::OrderKey;
use crate::record::{ColumnType, Money, Timestamp, Value};

const DECIMALS: usize = 18;
/// Parts that a rank and the way between two values are measured in.
const PARTS: u64 = 10_u64.pow(18);

/// The rank of a quantile, from 0 to 1.
///
/// ```
/// use plimsoll::aggregate::Rank;
/// use plimsoll::quantile::OrderKey;
/// use plimsoll::record::{ColumnType, Money, Value};
/// let sorted: Vec<Money> =
///     ["1.10", "1.25", "7"].iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
/// let place = Rank::new(0.25)?.place(3);
/// let (lower, upper) = (sorted[0].to_key(), sorted[1].to_key());
/// assert_eq!(place.lower(), 0);
/// assert_eq!(place.value(ColumnType::Money, lower, upper), Value::Money("1.175".parse()?));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    parts: u64,
}

/// Between which two values a quantile is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    lower: u64,
    /// How far it is to the next one, below [`PARTS`].
    parts: u64,
}

impl Rank {
    /// The rank of a number from 0 to 1, as the shortest decimal that names it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for any other number.
    pub fn new(q: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::invalid(format!(
                "the rank of a quantile is a number from 0 to 1, as 0.9; {q} is not"
            )));
        }
        let text = format!("{q}");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let digit = |n: usize| decimals.as_bytes().get(n).map_or(0, |byte| u64::from(byte - b'0'));
        let below_one = (0..DECIMALS).fold(0, |parts, n| parts * 10 + digit(n));
        Ok(Self { parts: if whole == "1" { PARTS } else { below_one } })
    }

    /// The rank of so many parts in 10^18, which [`Rank::parts`] gave.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for more of them.
    pub fn from_parts(parts: u64) -> Result<Self> {
        if parts > PARTS {
            return Err(Error::invalid(format!(
                "the rank of a quantile is at most {PARTS} parts; {parts} are more"
            )));
        }
        Ok(Self { parts })
    }

    /// The rank as parts in 10^18.
    #[must_use]
    pub fn parts(self) -> u64 {
        self.parts
    }

    /// Its place among `count` values; of none it is the first.
    #[must_use]
    pub fn place(self, count: u64) -> Place {
        let scaled = u128::from(self.parts) * u128::from(count.saturating_sub(1));
        let parts = u128::from(PARTS);
        let narrow = |n: u128| u64::try_from(n).expect("a rank is at most 1");
        Place { lower: narrow(scaled / parts), parts: narrow(scaled % parts) }
    }
}

impl Place {
    /// The value below it, counted from 0; where it is not on it, the next one is above.
    #[must_use]
    pub fn lower(self) -> u64 {
        self.lower
    }

    /// The value there, of a column of type `kind`, by the [`OrderKey`]s of the values on both
    /// sides: of ints the exact quantile to the nearest float, of money and times half to even at
    /// the last digit. Where there is no next value, `upper` is `lower`.
    #[must_use]
    pub fn value(self, kind: ColumnType, lower: u64, upper: u64) -> Value {
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
