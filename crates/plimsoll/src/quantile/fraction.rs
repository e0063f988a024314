//! A part of a whole, as a decimal: which quantile is asked for, and how far a place lies between
//! two rows.
//!
//! Promises: 0.29 of 101 rows is row 29, which it is not in binary.
//! Never: a float that is taken for the decimal it was written as.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, excerpt};

/// Digits behind the point.
const DIGITS: usize = 18;

/// An exact decimal from 0 to 1 with at most 18 digits behind the point.
///
/// ```
/// use plimsoll::quantile::Fraction;
/// let q: Fraction = "0.950".parse()?;
/// assert_eq!(q.to_string(), "0.95");
/// assert!("1.5".parse::<Fraction>().is_err());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fraction(u64);

impl Fraction {
    /// One whole, in units.
    pub const WHOLE: u64 = 10_u64.pow(18);

    /// From a count of 10^-18; `None` beyond one whole.
    #[must_use]
    pub const fn from_units(units: u64) -> Option<Self> {
        if units <= Self::WHOLE { Some(Self(units)) } else { None }
    }

    /// The count of 10^-18.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// The nearest float.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // that is what is asked for
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::WHOLE as f64
    }

    /// The place floor(self (count - 1)) in sorted values counted from 0, and what is missing to
    /// it; `count` is not 0.
    pub(crate) fn place(self, count: u64) -> (u64, Self) {
        let whole = u128::from(Self::WHOLE);
        // Below 2^60 times 2^64.
        let exact = u128::from(self.0) * u128::from(count - 1);
        let narrow = "a part of a number is not larger than it";
        let place = u64::try_from(exact / whole).expect(narrow);
        (place, Self(u64::try_from(exact % whole).expect(narrow)))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::WHOLE, self.0 % Self::WHOLE);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:0DIGITS$}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Fraction {
    type Err = Error;

    /// Accepts `digits[.digits]`; zeros beyond the 18th digit are harmless.
    fn from_str(text: &str) -> Result<Self> {
        parse(text.trim()).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is no quantile: write a decimal from 0 to 1 with at most {DIGITS} digits \
                 behind the point, as 0.95",
                excerpt(text)
            ))
        })
    }
}

fn parse(text: &str) -> Option<Fraction> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + rest.len() == 0 || !digits(whole) || !digits(rest) {
        return None;
    }
    let (kept, beyond) = rest.split_at(rest.len().min(DIGITS));
    if beyond.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let units: u64 = format!("{kept:0<DIGITS$}").parse().ok()?;
    Fraction::from_units(whole.checked_mul(Fraction::WHOLE)?.checked_add(units)?)
}

#[cfg(test)]
mod tests {
    use super::Fraction;

    #[test]
    fn places_are_those_of_the_decimal_that_was_written() {
        let place = |q: &str, count| {
            let (place, rest) = q.parse::<Fraction>().unwrap().place(count);
            (place, rest.to_string())
        };
        // 0.29 * 100.0 is 28.999999999999996.
        assert_eq!(place("0.29", 101), (29, "0".to_owned()));
        assert_eq!(place("0.5", 2_000), (999, "0.5".to_owned()));
        assert_eq!(place("1", u64::MAX), (u64::MAX - 1, "0".to_owned()));
        assert_eq!(place("0.1", u64::MAX), (1_844_674_407_370_955_161, "0.4".to_owned()));
        assert_eq!(place("0.000000000000000001", 8), (0, "0.000000000000000007".to_owned()));
    }

    #[test]
    fn what_is_no_part_of_a_whole_is_refused() {
        for text in ["", ".", "1.1", "-0.5", "1e-3", "0.1234567890123456789", "2", "nan", "+1"] {
            assert!(text.parse::<Fraction>().is_err(), "{text}");
        }
        for (text, shown) in [(".5", "0.5"), ("1.", "1"), ("0.10000000000000000000", "0.1")] {
            assert_eq!(text.parse::<Fraction>().unwrap().to_string(), shown);
        }
    }
}
