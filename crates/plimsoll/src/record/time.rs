//! Instants: microseconds since 1970-01-01T00:00:00Z in an `i64`.
//!
//! Promises: text in any accepted form and the same instant written back are equal.
//! Never: a local time zone; text without an offset is UTC.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result, excerpt};

/// An instant in microseconds UTC, within jiff's range (years -9999 to 9999).
///
/// ```
/// use plimsoll::record::Timestamp;
/// let t: Timestamp = "2010-12-01 08:26:00".parse()?;
/// assert_eq!(t.to_string(), "2010-12-01T08:26:00Z");
/// assert_eq!(t, "2010-12-01T09:26:00+01:00".parse()?);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Appends RFC 3339 in UTC, with a fraction only where there is one. A value outside the
    /// calendar (a foreign database can hold any integer) is written as its number.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let Ok(instant) = jiff::Timestamp::from_microsecond(self.0) else {
            out.extend_from_slice(itoa::Buffer::new().format(self.0).as_bytes());
            return;
        };
        // Civil fields by hand: the general printer was a fifth of a whole stream's time.
        let civil = jiff::tz::Offset::UTC.to_datetime(instant);
        let year = civil.year();
        if !(0..=9999).contains(&year) {
            out.extend_from_slice(instant.to_string().as_bytes());
            return;
        }
        let mut text = *b"0000-00-00T00:00:00";
        put_digits(&mut text[0..4], i32::from(year));
        put_digits(&mut text[5..7], i32::from(civil.month()));
        put_digits(&mut text[8..10], i32::from(civil.day()));
        put_digits(&mut text[11..13], i32::from(civil.hour()));
        put_digits(&mut text[14..16], i32::from(civil.minute()));
        put_digits(&mut text[17..19], i32::from(civil.second()));
        out.extend_from_slice(&text);
        let micros = civil.subsec_nanosecond() / 1_000;
        if micros != 0 {
            let mut fraction = *b".000000";
            put_digits(&mut fraction[1..7], micros);
            let end = fraction.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1);
            out.extend_from_slice(&fraction[..end]);
        }
        out.push(b'Z');
    }
}

fn put_digits(out: &mut [u8], mut number: i32) {
    for slot in out.iter_mut().rev() {
        *slot = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(32);
        self.write_to(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Accepts RFC 3339, `YYYY-MM-DD HH:MM[:SS[.ffffff]]` and `YYYY-MM-DD`, the latter two as UTC.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(format!(
                "'{}' is not a time: write 2010-12-01T08:26:00Z, 2010-12-01 08:26:00 or 2010-12-01",
                excerpt(text)
            ))
        };
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(instant.as_microsecond()));
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| refuse())?;
        let instant = jiff::tz::Offset::UTC.to_timestamp(civil).map_err(|_| refuse())?;
        Ok(Self(instant.as_microsecond()))
    }
}
