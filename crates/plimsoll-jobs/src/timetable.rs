//! When a cron line in a time zone is due.
//!
//! ```text
//!   "30 2 * * *", Europe/Berlin, an instant ─> the first instant behind it that the line names
//!
//!                     a time that does not exist          a time that is there twice
//!   one time a day    the first instant behind the gap    the first
//!   more than one     not at all                          both
//! ```
//!
//! Promises: pure but for the rules of the zone; what it names lies behind what it was given; what
//! can never be is refused when it is read.
//! Never: a word or number taken for something that its field does not have.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};

/// Bytes of a cron line at most: all sixty minutes as a list fit.
pub const CRON_BYTES_MAX: usize = 255;
/// Bytes of a zone's name at most; the longest there is has 32.
const ZONE_BYTES_MAX: usize = 64;
/// Lines that have a word of their own.
const NICKNAMES: [&str; 6] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field of a line: what it is called, the largest number, what may stand there.
struct Field {
    name: &'static str,
    max: u32,
    allowed: &'static str,
}

const fn field(name: &'static str, max: u32, allowed: &'static str) -> Field {
    Field { name, max, allowed }
}

const FIELDS: [Field; 6] = [
    field("second", 59, "0 to 59"),
    field("minute", 59, "0 to 59"),
    field("hour", 23, "0 to 23"),
    field(
        "day of the month",
        31,
        "1 to 31, L for the last one, 15W for the weekday next to the 15th",
    ),
    field("month", 12, "1 to 12, or JAN to DEC"),
    field("day of the week", 7, "0 to 7, SUN to SAT, 5L for the last Friday, 5#2 for the second"),
];
const DAY: usize = 3;
const MONTH: usize = 4;
const WEEKDAY: usize = 5;

/// A cron line in a time zone.
#[derive(Clone, Debug)]
pub struct Timetable {
    line: Box<str>,
    zone_name: Box<str>,
    cron: Cron,
    zone: TimeZone,
}

impl Timetable {
    /// Reads a line of five fields (minute, hour, day of the month, month, day of the week), or of
    /// six with the second in front, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`,
    /// `@yearly`; and the name of a zone of the IANA database.
    ///
    /// Where both days are restricted either is enough, as in every cron; both have to fit where
    /// the day of the week begins with `+`.
    ///
    /// ```
    /// use plimsoll_jobs::Timetable;
    ///
    /// let table = Timetable::parse("30 2 * * MON-FRI", "Europe/Berlin").expect("a timetable");
    /// let friday = 1_767_312_000_000_000; // 2026-01-02, 00:00 UTC
    /// assert_eq!(table.next_after(friday), Some(friday + 90 * 60 * 1_000_000));
    ///
    /// let wrong = Timetable::parse("0 25 * * *", "UTC").expect_err("no hour");
    /// assert!(wrong.to_string().contains("field 2, the hour: \"25\""));
    /// ```
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] with the field that is wrong and what may stand there, for a
    /// zone that is not known, and for a line that names no time that will ever be.
    pub fn parse(line: &str, zone: &str) -> Result<Self> {
        if line.len() > CRON_BYTES_MAX {
            let text =
                format!("a cron line has {CRON_BYTES_MAX} bytes at most, not {}", line.len());
            return Err(Error::invalid(text));
        }
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        check(&line)?;
        // Each field was read by itself.
        let wrong = |e| Error::invalid(format!("the cron line {line:?} cannot be read: {e}"));
        let cron = parser().parse(&line).map_err(wrong)?;
        let zone = find_zone(zone)?;
        let zone_name = zone.iana_name().unwrap_or("UTC").into();
        let table = Self { line: line.into(), zone_name, cron, zone };
        // Any instant will do: a line that names one time names one in every few centuries.
        if table.next_after(0).is_none() {
            return Err(Error::invalid(format!(
                "the cron line {:?} never fires: no year has a day that fits its day of the \
                 month, month and day of the week",
                table.line
            )));
        }
        Ok(table)
    }

    /// The first time behind an instant; both in microseconds UTC. `None` where there is none that
    /// can be found, e.g. at a time in a whole day that a zone leaves out.
    #[must_use]
    pub fn next_after(&self, micros: i64) -> Option<i64> {
        let second = Timestamp::from_second(micros.div_euclid(1_000_000)).ok()?;
        let from = second.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(next.timestamp().as_microsecond()).filter(|next| *next > micros)
    }

    /// The line, with one space between its fields.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The zone's name as the database spells it.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_name
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn find_zone(name: &str) -> Result<TimeZone> {
    let known = (name.len() <= ZONE_BYTES_MAX).then(|| TimeZone::get(name).ok()).flatten();
    known.ok_or_else(|| {
        let shown = crate::job::cut(name, ZONE_BYTES_MAX);
        Error::invalid(format!(
            "the time zone {shown:?} is not known: name one of the IANA database, e.g. UTC or \
             Europe/Berlin"
        ))
    })
}

/// Each field by itself, so that the one that is wrong is named.
fn check(line: &str) -> Result<()> {
    if line.starts_with('@') {
        let known = NICKNAMES.iter().any(|known| known.eq_ignore_ascii_case(line));
        let text = format!("{line:?} is no cron line: there are {}", NICKNAMES.join(", "));
        return known.then_some(()).ok_or_else(|| Error::invalid(text));
    }
    let texts: Vec<&str> = line.split(' ').collect();
    let skipped = match texts.len() {
        5 => 1,
        6 => 0,
        count => {
            let count = if line.is_empty() { 0 } else { count };
            return Err(Error::invalid(format!(
                "the cron line {line:?} has {count} fields: minute, hour, day of the month, \
                 month, day of the week, and before them the second if you like"
            )));
        }
    };
    for (number, text) in texts.iter().enumerate() {
        let at = number + skipped;
        if !fits(at, text) {
            let Field { name, allowed, .. } = &FIELDS[at];
            return Err(Error::invalid(format!(
                "the cron line {line:?} is wrong in field {}, the {name}: {text:?}. It may be \
                 {allowed}; a list 1,2, a range 1-5, a step */5 or 1-9/2, or *",
                number + 1
            )));
        }
    }
    Ok(())
}

fn fits(at: usize, text: &str) -> bool {
    let mut alone = ["*"; FIELDS.len()];
    alone[at] = text;
    text.split(',').all(|item| !item.is_empty() && steps(item, FIELDS[at].max))
        && text.split(|c: char| !c.is_alphanumeric()).all(|word| is_word(at, word))
        && parser().parse(&alone.join(" ")).is_ok()
}

/// A step that is longer than its field would be taken, and mean something else than it says.
fn steps(item: &str, max: u32) -> bool {
    let step = item.split_once('/').map(|(_, step)| step.parse::<u32>());
    step.is_none_or(|step| step.is_ok_and(|step| step <= max))
}

/// Names are put into numbers wherever they stand, even within a number: so each is looked at.
fn is_word(at: usize, word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let or_name = |names: &[&str], text: &str| digits(text) || names.contains(&text);
    match at {
        DAY => word == "L" || word == "LW" || digits(word.strip_suffix('W').unwrap_or(&word)),
        MONTH => or_name(&MONTHS, &word),
        WEEKDAY => {
            let day = word.strip_suffix('L').unwrap_or(&word);
            word != "L" && or_name(&WEEKDAYS, day)
        }
        _ => digits(&word),
    }
}

#[cfg(test)]
mod tests;
