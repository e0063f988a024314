//! Which bytes of a file a request asks for, and on what condition (RFC 9110, 13 and 14).
//!
//! Promises: a part is given only of the very bytes the client has the beginning of; one range at
//! a time.
//! Never: a guess; what cannot be read as a range of bytes is none.

use axum::http::{HeaderMap, header};

/// What the headers ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// Everything: there is no range, or it does not hold for this file.
    Whole,
    /// From this byte on.
    From(u64),
    /// From this byte to this one, which is part of it.
    Between(u64, u64),
    /// So many bytes at the end.
    Last(u64),
    /// Several ranges.
    Several,
}

impl Range {
    /// Reads `Range`, and `If-Range` against the tag of the file.
    pub(crate) fn read(headers: &HeaderMap, tag: &str) -> Self {
        let mut given = headers.get_all(header::RANGE).iter();
        let Some(range) = given.next() else { return Self::Whole };
        if let Some(condition) = headers.get(header::IF_RANGE)
            && condition.as_bytes() != tag.as_bytes()
        {
            return Self::Whole;
        }
        if given.next().is_some() {
            return Self::Several;
        }
        range.to_str().ok().and_then(Self::parse).unwrap_or(Self::Whole)
    }

    fn parse(text: &str) -> Option<Self> {
        let (unit, set) = text.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        if set.contains(',') {
            return Some(Self::Several);
        }
        let (first, last) = set.trim().split_once('-')?;
        match (number(first), number(last)) {
            (Some(first), None) if last.is_empty() => Some(Self::From(first)),
            (Some(first), Some(last)) if first <= last => Some(Self::Between(first, last)),
            (None, Some(last)) if first.is_empty() => Some(Self::Last(last)),
            _ => None,
        }
    }

    /// Whether it is everything, however long that is.
    pub(crate) fn is_all(self) -> bool {
        matches!(self, Self::Whole | Self::From(0))
    }

    /// The first byte, and the one behind the last, of a file of so many; `None` where it has
    /// none of them.
    pub(crate) fn within(self, bytes: u64) -> Option<(u64, u64)> {
        let (from, to) = match self {
            Self::Whole => (0, bytes),
            Self::From(first) => (first, bytes),
            Self::Between(first, last) => (first, last.saturating_add(1).min(bytes)),
            Self::Last(count) => (bytes.saturating_sub(count), bytes),
            Self::Several => return None,
        };
        (from < to).then_some((from, to))
    }
}

/// Digits alone; what is beyond 64 bits is beyond every file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Whether `If-Match`, where there is one, names the tag.
pub(crate) fn matches(headers: &HeaderMap, tag: &str) -> bool {
    let mut given = headers.get_all(header::IF_MATCH).iter().peekable();
    given.peek().is_none()
        || given.any(|value| {
            let list = value.to_str().unwrap_or_default();
            list.split(',').map(str::trim).any(|one| one == "*" || one == tag)
        })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const TAG: &str = "\"x\"";

    fn of(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v)));
        pairs.collect()
    }

    fn range(text: &'static str) -> Range {
        Range::read(&of(&[(header::RANGE, text)]), TAG)
    }

    #[test]
    fn one_range_of_bytes_is_read_and_anything_else_is_none() {
        assert_eq!(range("bytes=0-0"), Range::Between(0, 0));
        assert_eq!(range("Bytes=5-"), Range::From(5));
        assert_eq!(range("bytes=-7"), Range::Last(7));
        assert_eq!(range("bytes=0-1,5-6"), Range::Several);
        for none in ["bytes=2-1", "bytes=-", "bytes=a-b", "rows=0-1", "bytes", "bytes=+1-"] {
            assert_eq!(range(none), Range::Whole, "{none}");
        }
        assert_eq!(Range::read(&HeaderMap::new(), TAG), Range::Whole);
        let beyond = range("bytes=99999999999999999999-");
        assert_eq!(beyond, Range::From(u64::MAX));
        assert_eq!(beyond.within(u64::MAX), None);
    }

    #[test]
    fn a_part_lies_within_the_file_or_is_none() {
        assert_eq!(Range::From(3).within(10), Some((3, 10)));
        assert_eq!(Range::From(10).within(10), None);
        assert_eq!(Range::Between(3, 3).within(10), Some((3, 4)));
        assert_eq!(Range::Between(3, u64::MAX).within(10), Some((3, 10)));
        assert_eq!(Range::Last(3).within(10), Some((7, 10)));
        assert_eq!(Range::Last(30).within(10), Some((0, 10)));
        assert_eq!(Range::Last(0).within(10), None);
        assert_eq!(Range::From(0).within(0), None);
    }

    #[test]
    fn a_range_counts_only_for_the_tag_it_is_bound_to() {
        let asked = |condition| {
            Range::read(&of(&[(header::RANGE, "bytes=5-"), (header::IF_RANGE, condition)]), TAG)
        };
        assert_eq!(asked("\"x\""), Range::From(5));
        for other in ["\"y\"", "W/\"x\"", "Sat, 21 Nov 2026 00:00:00 GMT"] {
            assert_eq!(asked(other), Range::Whole, "{other}");
        }
        let bound = |list| matches(&of(&[(header::IF_MATCH, list)]), TAG);
        assert!(bound("\"y\", \"x\"") && bound("*") && !bound("\"y\"") && !bound("W/\"x\""));
        assert!(matches(&HeaderMap::new(), TAG));
    }
}
