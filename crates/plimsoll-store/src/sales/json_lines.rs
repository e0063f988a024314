//! Lines out of a JSON text.
//!
//! Promises: a number is taken by its digits, never as a float; a line is looked at where it
//! stands, so that memory does not grow with their number.
//! Never: a guess: what has no subject, whole quantity and exact amount is said to be unreadable.

use std::borrow::Cow;
use std::fmt;

use plimsoll::record::Money;
use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::Line;
use super::subject::Subject;
use crate::catalogue::{JsonLines, JsonPath};
use crate::error::Result;

/// Gives each line of `text` to `each`; `None` is one that cannot be read. NULL has none, and a
/// text that is no JSON, or has no array where lines are, counts as one unreadable line.
///
/// # Errors
/// Those of `each`.
pub(super) fn each_line(
    mapping: &JsonLines,
    text: Option<&str>,
    each: &mut dyn FnMut(Option<Line>) -> Result<()>,
) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let parsed: Option<&RawValue> = serde_json::from_str(text).ok();
    let Some(array) = parsed.and_then(|all| at(all, &mapping.lines)) else { return each(None) };
    if array.get() == "null" {
        return Ok(());
    }
    let mut failed = None;
    let elements = Elements(&mut |element: &RawValue| {
        if failed.is_none() {
            failed = each(line(mapping, element)).err();
        }
    });
    let read = serde_json::Deserializer::from_str(array.get()).deserialize_seq(elements);
    match failed {
        Some(error) => Err(error),
        None if read.is_err() => each(None),
        None => Ok(()),
    }
}

fn line(mapping: &JsonLines, element: &RawValue) -> Option<Line> {
    let subject = text_of(at(element, &mapping.subject)?)?;
    let quantity: Money = text_of(at(element, &mapping.quantity)?)?.parse().ok()?;
    let amount: Money = text_of(at(element, &mapping.amount)?)?.parse().ok()?;
    let whole = Money::from_units(1).checked_mul(10_000)?.units();
    if quantity.units() % whole != 0 || subject.is_empty() {
        return None;
    }
    Some(Line {
        subject: Subject::Text(subject.into()),
        quantity: quantity.units() / whole,
        amount: amount.units(),
    })
}

/// A text without its quotes, or a number's digits.
fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(value.get())),
        _ => None,
    }
}

/// A text that is borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value at a path; the last of members of one name.
fn at<'a>(value: &'a RawValue, path: &JsonPath) -> Option<&'a RawValue> {
    let mut value = value;
    for step in path.steps() {
        let found = serde_json::Deserializer::from_str(value.get()).deserialize_map(Member(step));
        value = found.ok()??;
    }
    Some(value)
}

struct Member<'k>(&'k str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the member {}", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(Text(name)) = map.next_key()? {
            if name == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Elements<'f>(&'f mut dyn FnMut(&RawValue));

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of lines")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<(), A::Error> {
        while let Some(element) = all.next_element_seed(Raw)? {
            (self.0)(element);
        }
        Ok(())
    }
}

struct Raw;

impl<'de> DeserializeSeed<'de> for Raw {
    type Value = &'de RawValue;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Option<(String, i64, i64)>> {
        let path = |text| JsonPath::parse(text).expect("a path");
        let mapping = JsonLines {
            column: 0,
            lines: JsonPath::default(),
            subject: path("p.sku"),
            quantity: path("n"),
            amount: path("total"),
        };
        let mut out = Vec::new();
        each_line(&mapping, Some(text), &mut |line| {
            out.push(line.map(|line| {
                let Subject::Text(subject) = line.subject else { panic!("a number") };
                (subject.into(), line.quantity, line.amount)
            }));
            Ok(())
        })
        .expect("read");
        out
    }

    #[test]
    fn a_line_is_exact_or_unreadable() {
        let text = r#" [{"p": {"sku": "A\u0062", "x": [1]}, "n": 2, "total": 0.30, "n2": null},
            {"total": "19.99", "n": "1", "p": {"sku": 17}},
            {"p": {"sku": "c"}, "n": 1, "total": 1.00005},
            {"p": {"sku": "c"}, "n": 1.5, "total": 1},
            {"p": {"sku": ""}, "n": 1, "total": 1}, {"p": 3, "n": 1, "total": 1}, 5,
            {"p": {"sku": "c"}, "n": -1.0, "total": -900719925474.0993}] "#;
        let line = |sku: &str, n, units| Some((sku.to_owned(), n, units));
        assert_eq!(
            read(text),
            [
                line("Ab", 2, 3_000),
                line("17", 1, 199_900),
                None,
                None,
                None,
                None,
                None,
                line("c", -1, -9_007_199_254_740_993)
            ]
        );
        assert_eq!(read("[]"), []);
        assert_eq!(read("null"), []);
        assert_eq!(read("{}"), [None]);
        assert_eq!(read("[{"), [None]);
        assert_eq!(read(""), [None]);
    }
}
