//! NDJSON records out of a segment: the top-level fields that are needed.
//!
//! ```text
//!   {"id":7,"note":"a\"b","x":{"id":8}}     needed: note, id
//!         1        2 decoded     3 checked and passed over
//! ```
//!
//! Flat lines are read by [`Flat`], the others by serde_json; values are taken as the text they
//! stand as, so that a number keeps its digits, and values that are not needed are only checked. A
//! value that is needed must be
//! UTF-8, as JSON is; the others pass through as they are.
//!
//! Promises: a name that is needed and stands twice is refused; numbers are never parsed.
//! Never: a name looked up below the top level.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::flat::Flat;
use super::index::narrow;
use super::layout::{Layout, too_long};
use super::records::{Fields, RawField, RawRecord};
use crate::error::{Error, Result, excerpt};
use crate::limits::{COLUMNS_MAX, NAME_BYTES_MAX};

/// Where a field's text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    start: u32,
    end: u32,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Absent,
    Null,
    /// A value as it stands in the segment.
    Bare,
    /// The inside of a string as it stands in the segment.
    Text,
    /// The inside of a string that had to be decoded, in the reader's buffer.
    Decoded,
}

impl Slot {
    pub(super) const ABSENT: Self = Self { start: 0, end: 0, form: Form::Absent };

    pub(super) fn new(start: usize, end: usize, form: Form) -> Self {
        Self { start: narrow(start), end: narrow(end), form }
    }

    #[inline]
    pub(super) fn field<'a>(self, segment: &'a [u8], decoded: &'a [u8]) -> RawField<'a> {
        let range = self.start as usize..self.end as usize;
        match self.form {
            Form::Absent | Form::Null => RawField::Null,
            Form::Bare | Form::Text => RawField::Plain(&segment[range]),
            Form::Decoded => RawField::Plain(&decoded[range]),
        }
    }

    /// Whether the value was a string.
    pub(super) fn is_text(self) -> bool {
        matches!(self.form, Form::Text | Form::Decoded)
    }
}

pub(super) struct NdjsonRecords {
    layout: Arc<Layout>,
    /// By column; those not needed stay absent.
    slots: Box<[Slot]>,
    needed: Box<[bool]>,
    flat: Flat,
    decoded: Vec<u8>,
    at: usize,
    line: u64,
}

impl NdjsonRecords {
    pub(super) fn new(layout: &Arc<Layout>, needed: &[usize]) -> Self {
        let mut wanted = vec![false; layout.columns.len()];
        for position in needed {
            wanted[*position] = true;
        }
        Self {
            slots: vec![Slot::ABSENT; layout.columns.len()].into(),
            needed: wanted.into(),
            flat: Flat::new(&layout.columns),
            decoded: Vec::new(),
            at: 0,
            line: 1,
            layout: Arc::clone(layout),
        }
    }

    pub(super) fn begin(&mut self, first_line: u64) {
        self.at = 0;
        self.line = first_line;
    }

    pub(super) fn next<'a>(&'a mut self, segment: &'a [u8]) -> Result<Option<RawRecord<'a>>> {
        let Some((start, text_end)) = skip_blank(segment, &mut self.at, &mut self.line) else {
            return Ok(None);
        };
        let line = self.line - 1;
        if text_end - start > self.layout.record_bytes_max {
            return Err(too_long(&self.layout, line, text_end - start));
        }
        self.slots.fill(Slot::ABSENT);
        self.decoded.clear();
        let columns = &self.layout.columns;
        let range = (start, text_end);
        let flat = self.flat.read(segment, range, columns, &self.needed, &mut self.slots);
        if flat.is_none() {
            self.slots.fill(Slot::ABSENT);
            let mut target = Target {
                columns,
                needed: &self.needed,
                slots: &mut self.slots,
                decoded: &mut self.decoded,
                segment,
            };
            parse(&segment[start..text_end], line, &mut target)?;
        }
        let fields = Fields::Ndjson { slots: &self.slots, decoded: &self.decoded };
        Ok(Some(RawRecord { segment, start, text_end, end: self.at, line, fields }))
    }
}

/// Moves behind the next line that is not blank; where it lies, without its line end.
fn skip_blank(segment: &[u8], at: &mut usize, line: &mut u64) -> Option<(usize, usize)> {
    while *at < segment.len() {
        let start = *at;
        let end = memchr::memchr(b'\n', &segment[start..]).map_or(segment.len(), |n| start + n);
        *at = (end + 1).min(segment.len());
        *line += 1;
        let text = &segment[start..end];
        if !text.iter().all(u8::is_ascii_whitespace) {
            return Some((start, end - usize::from(text.ends_with(b"\r"))));
        }
    }
    None
}

/// What takes an object's members.
trait Members<'de> {
    /// The column of a name, where it is known; `expected` is that behind the last.
    fn column(&mut self, name: &str, expected: usize) -> Result<Option<usize>, String>;
    /// Whether the values of a column are wanted; others are only checked.
    fn wants(&self, column: usize) -> bool;
    /// A wanted value as it stands.
    fn value(&mut self, column: usize, value: &'de str) -> Result<(), String>;
}

fn parse<'de>(text: &'de [u8], line: u64, members: &mut impl Members<'de>) -> Result<()> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let parsed = parser.deserialize_map(ObjectVisitor(members)).and_then(|()| parser.end());
    parsed.map_err(|error| {
        let place = format!(" at line {} column {}", error.line(), error.column());
        let sentence = error.to_string();
        let sentence = sentence.strip_suffix(&place).unwrap_or(&sentence);
        let hint = match text.trim_ascii_start() {
            [b'[', ..] => "; NDJSON has one object per line: convert an array first",
            _ => "",
        };
        Error::invalid(format!("line {line}: {sentence}, at byte {}{hint}", error.column()))
    })
}

struct ObjectVisitor<'a, M>(&'a mut M);

impl<'de, M: Members<'de>> Visitor<'de> for ObjectVisitor<'_, M> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"id\":1}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        while let Some(column) = map.next_key_seed(Name { members: self.0, expected })? {
            match column {
                Some(column) if self.0.wants(column) => {
                    let value: &'de RawValue = map.next_value()?;
                    self.0.value(column, value.get()).map_err(A::Error::custom)?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            expected = column.map_or(expected, |column| column + 1);
        }
        Ok(())
    }
}

/// Reads a name and gives its column.
struct Name<'a, M> {
    members: &'a mut M,
    expected: usize,
}

impl<'de, M: Members<'de>> DeserializeSeed<'de> for Name<'_, M> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<'de, M: Members<'de>> Visitor<'de> for Name<'_, M> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        self.members.column(name, self.expected).map_err(E::custom)
    }
}

pub(super) fn position(columns: &[Box<str>], name: &str, expected: usize) -> Option<usize> {
    if columns.get(expected).is_some_and(|known| **known == *name) {
        return Some(expected);
    }
    columns.iter().position(|known| **known == *name)
}

/// The slots of a record.
struct Target<'a, 'de> {
    columns: &'a [Box<str>],
    needed: &'a [bool],
    slots: &'a mut [Slot],
    decoded: &'a mut Vec<u8>,
    segment: &'de [u8],
}

impl<'de> Members<'de> for Target<'_, 'de> {
    fn column(&mut self, name: &str, expected: usize) -> Result<Option<usize>, String> {
        Ok(position(self.columns, name, expected))
    }

    fn wants(&self, column: usize) -> bool {
        self.needed[column]
    }

    fn value(&mut self, column: usize, value: &'de str) -> Result<(), String> {
        if self.slots[column] != Slot::ABSENT {
            let name = excerpt(&self.columns[column]);
            return Err(format!("the name '{name}' stands twice in one object"));
        }
        // The value is a part of the segment, so this is its offset.
        let start = value.as_ptr() as usize - self.segment.as_ptr() as usize;
        let end = start + value.len();
        self.slots[column] = match value.as_bytes() {
            b"null" => Slot::new(start, end, Form::Null),
            [b'"', inside @ .., b'"'] if memchr::memchr(b'\\', inside).is_none() => {
                Slot::new(start + 1, end - 1, Form::Text)
            }
            [b'"', ..] => {
                let start = self.decoded.len();
                serde_json::Deserializer::from_str(value)
                    .deserialize_str(Append(self.decoded))
                    .map_err(|_| "half of a surrogate pair, which is no character")?;
                Slot::new(start, self.decoded.len(), Form::Decoded)
            }
            _ => Slot::new(start, end, Form::Bare),
        };
        Ok(())
    }
}

/// Appends a string without its escapes.
struct Append<'a>(&'a mut Vec<u8>);

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Collects the names of the sample in the order they are met.
struct Names {
    columns: Vec<Box<str>>,
}

impl<'de> Members<'de> for Names {
    fn column(&mut self, name: &str, expected: usize) -> Result<Option<usize>, String> {
        if let Some(position) = position(&self.columns, name, expected) {
            return Ok(Some(position));
        }
        if self.columns.len() == COLUMNS_MAX {
            return Err(format!(
                "'{}' is one name more than the {COLUMNS_MAX} allowed in a file",
                excerpt(name)
            ));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(format!("the name is longer than {NAME_BYTES_MAX} bytes"));
        }
        self.columns.push(name.into());
        Ok(Some(self.columns.len() - 1))
    }

    fn wants(&self, _: usize) -> bool {
        false
    }

    fn value(&mut self, _: usize, _: &'de str) -> Result<(), String> {
        Ok(())
    }
}

/// The names in the whole lines of `sample`, which begins on `first_line`.
pub(super) fn read_names(sample: &[u8], first_line: u64) -> Result<Box<[Box<str>]>> {
    let mut names = Names { columns: Vec::new() };
    let (mut at, mut line) = (0, first_line);
    while let Some((start, end)) = skip_blank(sample, &mut at, &mut line) {
        parse(&sample[start..end], line - 1, &mut names)?;
    }
    Ok(names.columns.into())
}

/// One object by the parser alone, for tests that compare with it.
#[cfg(test)]
pub(super) fn parse_slots(
    segment: &[u8],
    columns: &[Box<str>],
    needed: &[bool],
    slots: &mut [Slot],
) -> Result<()> {
    let mut decoded = Vec::new();
    parse(segment, 1, &mut Target { columns, needed, slots, decoded: &mut decoded, segment })
}
