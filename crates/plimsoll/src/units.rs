//! Byte sizes as people write them: `256M`, `512MB`, `0.5G`, `64 MiB`, `65536`.
//!
//! Promises: every unit is binary, and a decimal is worked out digit by digit.
//! Never: a float, or a size that silently wrapped.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, excerpt};

/// A number of bytes with the way people read and write it.
///
/// `k`, `M`, `G` and `T` are powers of 1024, with or without `i` and `B`, in any case. Printing
/// rounds to one decimal; [`ByteSize::bytes`] is exact.
///
/// ```
/// use plimsoll::units::ByteSize;
/// let size: ByteSize = "0.5G".parse()?;
/// assert_eq!(size.bytes(), 512 << 20);
/// assert_eq!(size.to_string(), "512 MiB");
/// assert!("12 parsecs".parse::<ByteSize>().is_err());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units by the power of 1024 they stand for, smallest first.
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
/// Decimals that are read; 10^18 units of a TiB still fit the arithmetic.
const DECIMALS_MAX: usize = 18;

impl ByteSize {
    /// From a number of bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut power = 1;
        let mut tenths = tenths_of(self.0, power);
        // Rounding may reach the next unit: 1048575 B are 1 MiB, not 1024 KiB.
        while tenths >= 10_240 && power + 1 < UNITS.len() {
            power += 1;
            tenths = tenths_of(self.0, power);
        }
        let unit = UNITS[power];
        match tenths % 10 {
            0 => write!(f, "{} {unit}", tenths / 10),
            tenth => write!(f, "{}.{tenth} {unit}", tenths / 10),
        }
    }
}

/// `bytes` in tenths of a unit, half rounded up.
fn tenths_of(bytes: u64, power: usize) -> u128 {
    let unit = 1u128 << (10 * power);
    (u128::from(bytes) * 10 + unit / 2) / unit
}

impl FromStr for ByteSize {
    type Err = Error;

    /// Accepts `digits[.digits][ ][k|M|G|T[i]][B]`; what is less than a byte is dropped.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for anything else, and for more than 16777215 TiB.
    fn from_str(text: &str) -> Result<Self> {
        parse(text.trim()).map(Self).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is not a size; write digits, at most one decimal point and k, M, G or T \
                 (powers of 1024, 'i' and 'B' optional), such as 256M, 0.5G or 65536, below 2^64",
                excerpt(text)
            ))
        })
    }
}

fn parse(text: &str) -> Option<u64> {
    let number_len = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_len);
    let unit = 1u128 << (10 * power_of(suffix.trim_start())?);
    let (whole, decimals) = match number.split_once('.') {
        // "1." and ".5" are as likely a slip as a size.
        Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
        Some(_) => return None,
        None => (number, ""),
    };
    // Refuses the empty text, a second point, and more digits than a u64 has.
    let whole: u64 = whole.parse().ok()?;
    let decimals = decimals.trim_end_matches('0');
    let mut fraction = 0u128;
    if !decimals.is_empty() {
        if decimals.len() > DECIMALS_MAX {
            return None;
        }
        let digits: u64 = decimals.parse().ok()?;
        let places = u32::try_from(decimals.len()).ok()?;
        fraction = u128::from(digits) * unit / 10u128.pow(places);
    }
    let bytes = u128::from(whole).checked_mul(unit)?.checked_add(fraction)?;
    u64::try_from(bytes).ok()
}

/// The power of 1024 a suffix stands for.
fn power_of(suffix: &str) -> Option<usize> {
    let suffix = suffix.to_ascii_lowercase();
    let letter = suffix.strip_suffix('b').unwrap_or(&suffix);
    match letter {
        "" => Some(0),
        "k" | "ki" => Some(1),
        "m" | "mi" => Some(2),
        "g" | "gi" => Some(3),
        "t" | "ti" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    #[test]
    fn a_size_is_read_exactly_in_every_spelling() {
        for (text, bytes) in [
            ("0", 0),
            ("65536", 65_536),
            ("512B", 512),
            ("64k", 64 << 10),
            ("64K", 64 << 10),
            ("256M", 256 << 20),
            ("512MB", 512 << 20),
            ("128MiB", 128 << 20),
            ("128mib", 128 << 20),
            (" 64 MiB ", 64 << 20),
            ("0.5G", 512 << 20),
            ("1.50g", 1536 << 20),
            ("0.1k", 102),
            ("0.999999999999999999T", (1 << 40) - 1),
            ("2T", 2 << 40),
            ("18446744073709551615", u64::MAX),
            ("16777215.5T", u64::MAX - (1 << 39) + 1),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused_with_what_is_allowed() {
        for text in [
            "",
            " ",
            "-1",
            "+1",
            "M",
            ".5G",
            "1.",
            "1.2.3M",
            "1e3",
            "1_000",
            "0x10",
            "12 parsecs",
            "5P",
            "5iB",
            "5 M B",
            "1,5G",
            "18446744073709551616",
            "16777216T",
            "99999999999999999999999999999999999999999999",
            "0.1234567890123456789",
            "∞",
            "5µ",
        ] {
            let error = text.parse::<ByteSize>().unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{text}");
            assert!(error.to_string().contains("k, M, G or T"), "{error}");
        }
    }

    #[test]
    fn a_size_is_printed_with_at_most_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (512, "512 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (1_048_524, "1023.9 KiB"),
            (1_048_575, "1 MiB"),
            (64 << 20, "64 MiB"),
            (1536 << 20, "1.5 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(ByteSize::new(bytes).to_string(), text);
        }
    }
}
