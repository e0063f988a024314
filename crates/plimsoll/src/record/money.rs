//! Exact amounts: an `i64` count of 1/10000, the numeric(18,4) of the databases.
//!
//! Promises: what was parsed is printed back digit for digit; arithmetic is checked.
//! Never: a float in between, or silent rounding of a fifth decimal.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// An exact amount in units of 1/10000. Range about ±922 trillion.
///
/// ```
/// use plimsoll::record::Money;
/// let m: Money = "2.55".parse()?;
/// assert_eq!(m.units(), 25_500);
/// assert_eq!(m.to_string(), "2.55");
/// assert!("0.00001".parse::<Money>().is_err());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Units in one whole.
const SCALE: u64 = 10_000;
/// Decimals that are kept.
const DECIMALS: usize = 4;

impl Money {
    /// From a count of 1/10000.
    #[must_use]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// The count of 1/10000.
    #[must_use]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Sum, or `None` when it leaves the range.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// Product with a whole number, or `None` when it leaves the range.
    #[must_use]
    pub const fn checked_mul(self, factor: i64) -> Option<Self> {
        match self.0.checked_mul(factor) {
            Some(v) => Some(Self(v)),
            None => None,
        }
    }

    /// Appends the shortest exact decimal text, e.g. `-2.5`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let magnitude = self.0.unsigned_abs();
        if self.0 < 0 {
            out.push(b'-');
        }
        out.extend_from_slice(itoa::Buffer::new().format(magnitude / SCALE).as_bytes());
        let mut rest = magnitude % SCALE;
        if rest == 0 {
            return;
        }
        out.push(b'.');
        let mut unit = SCALE / 10;
        while rest > 0 {
            let digit = rest / unit;
            out.push(b'0' + u8::try_from(digit).unwrap_or(0));
            rest %= unit;
            unit /= 10;
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(24);
        self.write_to(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl FromStr for Money {
    type Err = Error;

    /// Accepts `[+-]digits[.digits]`; trailing zeros beyond the fourth decimal are harmless.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is not an amount with at most {DECIMALS} decimals in the range of \
                 ±922337203685477.5807",
                crate::error::excerpt(text)
            ))
        })
    }
}

fn parse(text: &str) -> Option<Money> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(dot) => (&digits[..dot], &digits[dot + 1..]),
        None => (digits, &digits[digits.len()..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut units: i64 = 0;
    let mut push = |byte: u8| -> Option<()> {
        let digit = i64::from(byte.wrapping_sub(b'0'));
        if !(0..=9).contains(&digit) {
            return None;
        }
        // Accumulate downwards so that the most negative value parses too.
        units = units.checked_mul(10)?.checked_sub(digit)?;
        Some(())
    };
    for byte in whole {
        push(*byte)?;
    }
    for place in 0..DECIMALS {
        push(fraction.get(place).copied().unwrap_or(b'0'))?;
    }
    if fraction.iter().skip(DECIMALS).any(|b| *b != b'0') {
        return None;
    }
    Some(Money(if negative { units } else { units.checked_neg()? }))
}
