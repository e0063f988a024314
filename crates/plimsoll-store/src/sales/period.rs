//! Periods: what sales are asked about, and what they are compared with.
//!
//! Promises: half open, in UTC; the previous one ends where a period begins and is as long.
//! Never: a time zone.

use plimsoll::record::Timestamp;

use crate::error::{Error, Result};
use crate::trend::TREND_ROWS_MAX;

/// Bytes of a name at most: it stands in keys and paths.
const NAME_BYTES_MAX: usize = 64;
/// A day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;
/// As many days as a trend has rows, for the period and the one before together.
const LENGTH_MICROS_MAX: i64 = TREND_ROWS_MAX as i64 / 2 * DAY_MICROS;

/// From an instant up to but not including another, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// A period with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    name: Box<str>,
    span: Span,
}

impl Period {
    /// The names that [`Period::named`] knows.
    pub const NAMES: [&'static str; 5] = ["1d", "yesterday", "7d", "30d", "90d"];

    /// One of [`Period::NAMES`], as the summary of the analytics has them: `yesterday` is the last
    /// whole day of UTC, the others are so many times 24 hours and end now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] listing the names.
    ///
    /// ```
    /// use plimsoll_store::sales::Period;
    /// let noon = "2011-01-31T12:00:00Z".parse()?;
    /// let week = Period::named("7d", noon)?;
    /// assert_eq!(week.from().to_string(), "2011-01-24T12:00:00Z");
    /// let day = Period::named("yesterday", noon)?;
    /// assert_eq!(day.until().to_string(), "2011-01-31T00:00:00Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn named(name: &str, now: Timestamp) -> Result<Self> {
        let now = now.micros();
        let days = match name {
            "yesterday" => {
                let until = now.div_euclid(DAY_MICROS) * DAY_MICROS;
                return Self::of(name, until - DAY_MICROS, until);
            }
            "1d" => 1,
            "7d" => 7,
            "30d" => 30,
            "90d" => 90,
            _ => {
                return Err(Error::invalid(format!(
                    "there is no period '{}': it is one of {}, or has a from and an until",
                    plimsoll::error::excerpt(name),
                    Self::NAMES.join(", ")
                )));
            }
        };
        Self::of(name, now.saturating_sub(days * DAY_MICROS), now)
    }

    /// From an instant up to but not including another.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a name without or with too many characters, an end that
    /// does not lie behind the beginning, or more than 2,500 days.
    pub fn between(name: &str, from: Timestamp, until: Timestamp) -> Result<Self> {
        Self::of(name, from.micros(), until.micros())
    }

    fn of(name: &str, from: i64, until: i64) -> Result<Self> {
        let name_fits = (1..=NAME_BYTES_MAX).contains(&name.len());
        let length = until.checked_sub(from).filter(|length| {
            (1..=LENGTH_MICROS_MAX).contains(length) && from.checked_sub(*length).is_some()
        });
        match length {
            Some(_) if name_fits => Ok(Self { name: name.into(), span: Span { from, until } }),
            _ => Err(Error::invalid(format!(
                "the period '{}' from {} until {} is none: it has a name of 1 to {NAME_BYTES_MAX} \
                 bytes, ends behind its beginning and is no longer than {} days",
                plimsoll::error::excerpt(name),
                Timestamp::from_micros(from),
                Timestamp::from_micros(until),
                LENGTH_MICROS_MAX / DAY_MICROS
            ))),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first instant.
    #[must_use]
    pub fn from(&self) -> Timestamp {
        Timestamp::from_micros(self.span.from)
    }

    /// The instant behind it.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp::from_micros(self.span.until)
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// As long, and right before it.
    pub(crate) fn previous(&self) -> Span {
        let Span { from, until } = self.span;
        Span { from: from - (until - from), until: from }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_ends_behind_its_beginning_and_has_one_before_it() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let (a, b) = (at("2026-01-03T06:00:00Z"), at("2026-01-05T12:00:00Z"));
        let period = Period::between("x", a, b).expect("a period");
        assert_eq!(period.previous().from, at("2026-01-01").micros());
        assert!(Period::between("x", b, a).is_err());
        assert!(Period::between("", a, b).is_err());
        let ages = Timestamp::from_micros(i64::MIN);
        assert!(Period::between("x", ages, Timestamp::from_micros(i64::MAX)).is_err());
        assert!(Period::between("x", ages, Timestamp::from_micros(i64::MIN + 1)).is_err());
    }
}
