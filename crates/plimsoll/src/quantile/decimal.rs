//! Numbers of many digits, and what lies between two of them.
//!
//! ```text
//!   lower * (10^18 - w) + upper * w        w = weight in units of 10^-18
//!   one i128 a decimal place, below 2 * 10^19 each:  | .. | 10^1 | 10^0 | 10^-1 | ..
//!   carried from the right, then eighteen places to the right
//! ```
//!
//! Promises: every digit of the result, which is a finite decimal.
//! Never: a number beyond [`QUANTILE_DIGITS_MAX`] digits before or behind the point; it is
//! refused.

use std::fmt;

use super::Fraction;
use crate::error::{Error, Result};
use crate::limits::QUANTILE_DIGITS_MAX;
use crate::record::key::{Unpacked, unpack};

/// Decimal places of a [`Fraction`].
const WEIGHT_PLACES: usize = 18;

/// A number, as a key of [`crate::record::key`] has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Finite(Decimal),
    Infinite { negative: bool },
    Nan,
}

/// Digits of a number from one decimal place to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// 0 to 9 each; the last one is at 10^-`behind`.
    digits: Vec<u8>,
    behind: usize,
}

impl Number {
    /// The number of a complete key.
    pub(crate) fn of_key(key: &[u8]) -> Result<Self> {
        let unpacked = unpack(key).ok_or_else(|| {
            Error::corrupt("quantiles: a key is not one of a number; run it again")
        })?;
        let (negative, exponent, digits) = match unpacked {
            Unpacked::Finite { negative, exponent, digits } => (negative, exponent, digits),
            Unpacked::Infinite { negative } => return Ok(Self::Infinite { negative }),
            Unpacked::Nan => return Ok(Self::Nan),
        };
        let most = QUANTILE_DIGITS_MAX as i64;
        let last = exponent - digits.len() as i64 + 1;
        if exponent >= most || last < -most {
            return Err(too_long());
        }
        let mut decimal = Decimal { negative, digits, behind: 0 };
        // Both are within the bound just checked.
        let zeros = usize::try_from(last).unwrap_or(0);
        decimal.behind = usize::try_from(-last).unwrap_or(0);
        decimal.digits.resize(decimal.digits.len() + zeros, 0);
        Ok(Self::Finite(decimal))
    }

    /// `self + (upper - self) * weight`, as floats have it for what is not finite.
    pub(crate) fn between(&self, upper: &Self, weight: Fraction) -> Self {
        if weight == Fraction::default() || self == upper {
            return self.clone();
        }
        match (self, upper) {
            (Self::Finite(lower), Self::Finite(upper)) => {
                Self::Finite(lower.between(upper, weight))
            }
            (Self::Infinite { negative }, Self::Finite(_))
            | (Self::Finite(_), Self::Infinite { negative }) => {
                Self::Infinite { negative: *negative }
            }
            _ => Self::Nan,
        }
    }
}

/// The refusal of a number beyond the bound.
pub(crate) fn too_long() -> Error {
    Error::too_large(format!(
        "quantiles are of numbers with at most {QUANTILE_DIGITS_MAX} digits before and behind the \
         point, written out: leave the longer ones away with --filter, or ask for approximate ones"
    ))
}

impl Decimal {
    fn between(&self, upper: &Self, weight: Fraction) -> Self {
        let behind = self.behind.max(upper.behind);
        let width = [self, upper].map(|d| d.digits.len() + behind - d.behind);
        // Two places for the carry.
        let mut places = vec![0_i128; width[0].max(width[1]) + WEIGHT_PLACES + 2];
        let part = i128::from(weight.units());
        self.add_to(&mut places, behind, i128::from(Fraction::WHOLE) - part);
        upper.add_to(&mut places, behind, part);
        let negative = !carry(&mut places);
        if negative {
            // It is 10^n less than its digits say, and 10^n - 1 is all nines.
            places.iter_mut().for_each(|place| *place = 9 - *place);
            places[0] += 1;
            assert!(carry(&mut places), "a number or its negative is not negative");
        }
        let digits = places.iter().rev().map(|place| u8::try_from(*place).expect("one digit"));
        Self { negative, digits: digits.collect(), behind: behind + WEIGHT_PLACES }
    }

    /// Adds `factor` times this, in units of 10^-`behind`; places begin with the lowest.
    fn add_to(&self, places: &mut [i128], behind: usize, factor: i128) {
        let factor = if self.negative { -factor } else { factor };
        for (digit, place) in self.digits.iter().rev().zip(&mut places[behind - self.behind..]) {
            *place += i128::from(*digit) * factor;
        }
    }
}

/// Makes each place one digit; `false` where the number is negative.
fn carry(places: &mut [i128]) -> bool {
    let mut over = 0;
    for place in places {
        let sum = *place + over;
        *place = sum.rem_euclid(10);
        over = sum.div_euclid(10);
    }
    over == 0
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(decimal) => decimal.fmt(f),
            Self::Infinite { negative } => f.write_str(if *negative { "-inf" } else { "inf" }),
            Self::Nan => f.write_str("NaN"),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let width = self.behind + 1;
        let text = format!("{text:0>width$}");
        let (whole, rest) = text.split_at(text.len() - self.behind);
        let whole = whole.trim_start_matches('0');
        let rest = rest.trim_end_matches('0');
        let sign = if self.negative { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if rest.is_empty() { "" } else { "." };
        // A sum that is zero is not negative.
        write!(f, "{sign}{whole}{point}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::testing::Random;
    use crate::record::key::{KeyKind, KeyTerm, Nulls, encode_field};

    fn number(text: &str) -> Result<Number> {
        let (kind, nulls) = (KeyKind::Number, Nulls::First);
        let mut key = Vec::new();
        let term = KeyTerm { column: 0, kind, descending: false, nulls };
        encode_field(term, Some(text.as_bytes()), &mut key);
        Number::of_key(&key)
    }

    fn shown(lower: &str, upper: &str, weight: &str) -> String {
        let weight = weight.parse().unwrap();
        number(lower).unwrap().between(&number(upper).unwrap(), weight).to_string()
    }

    #[test]
    fn what_lies_between_two_numbers_has_all_its_digits() {
        let max = f64::MAX.to_string();
        for (lower, upper, weight, expected) in [
            ("4989.18", "4989.2", "0.5", "4989.19"),
            ("-1", "1", "0.5", "0"),
            ("-3", "1", "0.25", "-2"),
            ("1e30", "2", "0.1", "900000000000000000000000000000.2"),
            ("0", "1e-30", "0.5", "0.0000000000000000000000000000005"),
            ("9007199254740993", "9007199254740994", "0.5", "9007199254740993.5"),
            ("0", &max, "0", "0"),
            (&max, &max, "0.7", &max),
            ("-inf", "1", "0.5", "-inf"),
            ("1", "inf", "0.5", "inf"),
            ("-inf", "inf", "0.5", "NaN"),
            ("inf", "nan", "0", "inf"),
        ] {
            assert_eq!(shown(lower, upper, weight), expected, "{lower} {upper} {weight}");
        }
    }

    #[test]
    fn random_numbers_agree_with_whole_numbers_of_128_bits() {
        let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(0xdec);
        println!("TEST_SEED={seed}");
        let mut random = Random::new(seed);
        for _ in 0..20_000 {
            let mut units = || i128::from(random.bits().cast_signed() >> random.below(64));
            let (lower, upper) = (units(), units());
            let weight = Fraction::from_units(random.bits() % Fraction::WHOLE).unwrap();
            let places = random.below(12);
            let text = |units: i128| shown_model(units, places);
            let w = i128::from(weight.units());
            let sum = lower * (i128::from(Fraction::WHOLE) - w) + upper * w;
            let expected = shown_model(sum, places + WEIGHT_PLACES);
            assert_eq!(shown(&text(lower), &text(upper), &weight.to_string()), expected);
        }
    }

    /// `units` of 10^-`places` without zeros at the ends.
    fn shown_model(units: i128, places: usize) -> String {
        let one = 10_u128.pow(u32::try_from(places).unwrap());
        let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
        let sign = if units < 0 { "-" } else { "" };
        let text = format!("{sign}{whole}.{rest:0places$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    #[test]
    fn numbers_beyond_the_bound_are_refused_and_those_of_floats_are_within() {
        for text in ["1e399", "1e-400", "-5e-324", &f64::MAX.to_string()] {
            assert!(number(text).is_ok(), "{text}");
        }
        for text in ["1e400", "1e-401", "-1e9007199254740000", "1e-9007199254740000"] {
            let refused = number(text).unwrap_err();
            assert_eq!(refused.kind(), crate::ErrorKind::TooLarge, "{text}");
        }
    }
}
