//! Which type a column seems to have, from the records of the sample.
//!
//! ```text
//!   every value so far is    Int ⊂ Money ⊂ Float ⊂ Text      the narrowest that holds them all
//! ```
//!
//! A number is what JSON calls one: digits without leading zeros or plus, so that `007` and
//! `+49 30` stay text.
//!
//! Promises: a type is claimed only if every value of the sample is of it.
//! Never: a guess for a column without values; it is text.

use std::sync::Arc;

use super::layout::Layout;
use super::records::{RawField, Records};
use crate::record::{ColumnType, Money};

/// Types of the columns by the records of `sample`. A record that is wrong ends the looking; the
/// worker that reads it finds it again.
pub(super) fn sniff(layout: &Arc<Layout>, sample: &[u8]) -> Box<[ColumnType]> {
    let width = layout.columns.len();
    let all: Vec<usize> = (0..width).collect();
    let mut records = Records::over(layout, &all);
    let mut sniffed = vec![Sniffed::new(); width];
    let mut scratch = Vec::new();
    while let Ok(Some(record)) = records.next(sample) {
        for (position, sniffed) in sniffed.iter_mut().enumerate() {
            sniffed.add(record.field(position), record.is_text(position), &mut scratch);
        }
    }
    sniffed.into_iter().map(Sniffed::kind).collect()
}

/// What the values of one column have been so far.
#[derive(Clone, Copy, Debug)]
struct Sniffed {
    some: bool,
    int: bool,
    money: bool,
    float: bool,
}

impl Sniffed {
    const fn new() -> Self {
        Self { some: false, int: true, money: true, float: true }
    }

    /// Looks at one more value; `is_text` where the format says that it is a text.
    fn add(&mut self, field: RawField<'_>, is_text: bool, scratch: &mut Vec<u8>) {
        let Some(text) = field.decode(scratch) else {
            return;
        };
        self.some = true;
        let number = if is_text || !self.float { None } else { number(text) };
        self.int &= number.is_some_and(|text| text.parse::<i64>().is_ok());
        self.money &= number.is_some_and(|text| text.parse::<Money>().is_ok());
        self.float &= number.is_some_and(|text| text.parse().is_ok_and(f64::is_finite));
    }

    fn kind(self) -> ColumnType {
        match self {
            Self { some: true, int: true, .. } => ColumnType::Int,
            Self { some: true, money: true, .. } => ColumnType::Money,
            Self { some: true, float: true, .. } => ColumnType::Float,
            _ => ColumnType::Text,
        }
    }
}

/// Whether `text` is written as a JSON number.
pub(crate) fn is_json_number(text: &[u8]) -> bool {
    number(text).is_some()
}

/// `text` if it is written as a JSON number (RFC 8259, section 6).
pub(super) fn number(text: &[u8]) -> Option<&str> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return None;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let places = digits(fraction);
        if places == 0 {
            return None;
        }
        rest = &fraction[places..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let unsigned = match exponent {
            [b'+' | b'-', unsigned @ ..] => unsigned,
            unsigned => unsigned,
        };
        let places = digits(unsigned);
        if places == 0 {
            return None;
        }
        rest = &unsigned[places..];
    }
    if rest.is_empty() { std::str::from_utf8(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{RawField, Sniffed};
    use crate::record::ColumnType;

    fn kind(values: &[&str]) -> ColumnType {
        let mut sniffed = Sniffed::new();
        for value in values {
            let field = match *value {
                "" => RawField::Null,
                value => RawField::Plain(value.as_bytes()),
            };
            sniffed.add(field, false, &mut Vec::new());
        }
        sniffed.kind()
    }

    #[test]
    fn the_narrowest_type_that_holds_every_value_is_claimed() {
        use ColumnType::{Float, Int, Money, Text};
        for (values, expected) in [
            (&["1", "-9223372036854775808", ""][..], Int),
            (&["0", "9223372036854775808"], Float),
            (&["1", "2.5", "-0.0001"], Money),
            (&["1.00001"], Float),
            (&["9223372036854775807", "0.5"], Float),
            (&["1e3"], Float),
            (&["1e999"], Text),
            (&["", ""], Text),
            (&[], Text),
            (&["1", "x"], Text),
            (&["x", "1"], Text),
        ] {
            assert_eq!(kind(values), expected, "{values:?}");
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_text() {
        for text in ["007", "+1", ".5", "5.", "1e", "1e+", "-", "inf", "NaN", " 1", "1 ", "0x1"] {
            assert_eq!(kind(&[text]), ColumnType::Text, "{text}");
        }
    }

    #[test]
    fn what_the_format_calls_a_text_is_text_whatever_its_digits() {
        let mut sniffed = Sniffed::new();
        sniffed.add(RawField::Plain(b"1"), true, &mut Vec::new());
        assert_eq!(sniffed.kind(), ColumnType::Text);
    }
}
