//! One JSON object's text to fields by column.
//!
//! The parser is serde_json's; values are taken as the text they stand as, so that a number's
//! digits reach their column untouched and nothing is built for a value that is only passed on.
//!
//! Promises: a name twice, a nesting beyond [`JSON_DEPTH_MAX`] and half a surrogate pair are
//! refused.
//! Never: a number as a float, or names without a bound: at most [`COLUMNS_MAX`] different ones of
//! [`NAME_BYTES_MAX`] bytes are ever held.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::read_error::RecordError;
use super::super::record::{Form, Record, Span};
use super::escape;
use super::extent::Extent;
use crate::error::excerpt;
use crate::limits::{COLUMNS_MAX, JSON_DEPTH_MAX, NAME_BYTES_MAX};

/// The names met so far and the fields of the object read last.
pub(super) struct Object {
    pub(super) columns: Vec<Box<str>>,
    spans: Vec<Span>,
    decoded: String,
    decoded_bytes_max: usize,
}

impl Object {
    pub(super) fn new(decoded_bytes_max: usize) -> Self {
        Self { columns: Vec::new(), spans: Vec::new(), decoded: String::new(), decoded_bytes_max }
    }

    /// Reads `text`, an object that begins on `line`.
    pub(super) fn read<'a>(
        &'a mut self,
        text: &'a [u8],
        line: u64,
    ) -> Result<Record<'a>, RecordError> {
        let refuse =
            |line, message: String| RecordError { line, column: None, message: message.into() };
        let raw = std::str::from_utf8(text).map_err(|error| {
            let at = error.valid_up_to();
            refuse(line, format!("byte {} of the object is not UTF-8 (0x{:02x})", at + 1, text[at]))
        })?;
        self.spans.fill(Span::ABSENT);
        self.decoded.clear();
        let mut parser = serde_json::Deserializer::from_str(raw);
        let mut column = None;
        let visitor = ObjectVisitor { object: self, raw, column: &mut column };
        let parsed = parser.deserialize_map(visitor).and_then(|()| parser.end());
        if let Err(error) = parsed {
            let place = format!(" at line {} column {}", error.line(), error.column());
            let sentence = error.to_string();
            let sentence = sentence.strip_suffix(&place).unwrap_or(&sentence);
            let fault_line = line + (error.line() as u64).saturating_sub(1);
            let mut refusal = refuse(fault_line, format!("{sentence}, at byte {}", error.column()));
            refusal.column = column.map(|position: usize| self.columns[position].clone());
            return Err(refusal);
        }
        Ok(Record { columns: &self.columns, spans: &self.spans, raw, decoded: &self.decoded, line })
    }

    /// The column called `name`, which usually is the one behind the last.
    fn position(&mut self, name: &str, expected: usize) -> Result<usize, String> {
        if self.columns.get(expected).is_some_and(|known| **known == *name) {
            return Ok(expected);
        }
        if let Some(position) = self.columns.iter().position(|known| **known == *name) {
            return Ok(position);
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
        self.spans.push(Span::ABSENT);
        Ok(self.columns.len() - 1)
    }

    /// Where the value's text lies: in the record, or decoded.
    fn span(&mut self, value: &str, raw: &str) -> Result<Span, String> {
        // The value is a part of the record, so this is its offset.
        let start = value.as_ptr() as usize - raw.as_ptr() as usize;
        let end = start + value.len();
        match value.as_bytes() {
            b"null" => Ok(Span::new(start, end, Form::Null)),
            [b'"', inside @ .., b'"'] if memchr::memchr(b'\\', inside).is_none() => {
                Ok(Span::new(start + 1, end - 1, Form::Raw))
            }
            [b'"', ..] => {
                if self.decoded.capacity() < raw.len() {
                    let capacity = raw.len().next_power_of_two().min(self.decoded_bytes_max);
                    self.decoded.reserve_exact(capacity.max(raw.len()) - self.decoded.len());
                }
                let start = self.decoded.len();
                escape::decode(&value[1..value.len() - 1], &mut self.decoded)
                    .ok_or("half of a surrogate pair, which is no character")?;
                Ok(Span::new(start, self.decoded.len(), Form::Decoded))
            }
            [b'{' | b'[', ..] => {
                let mut extent = Extent::default();
                extent.run(value.as_bytes());
                if extent.depth_max > JSON_DEPTH_MAX {
                    return Err(format!(
                        "nested {} deep; at most {JSON_DEPTH_MAX} are allowed",
                        extent.depth_max
                    ));
                }
                Ok(Span::new(start, end, Form::Raw))
            }
            _ => Ok(Span::new(start, end, Form::Raw)),
        }
    }
}

struct ObjectVisitor<'a, 'de> {
    object: &'a mut Object,
    raw: &'de str,
    /// The column being read, for the error.
    column: &'a mut Option<usize>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"id\":1}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut expected = 0;
        loop {
            *self.column = None;
            let name = Name { object: self.object, expected };
            let Some(position) = map.next_key_seed(name)? else {
                return Ok(());
            };
            *self.column = Some(position);
            if self.object.spans[position] != Span::ABSENT {
                return Err(A::Error::custom("the name stands twice in one object"));
            }
            let value: &'de RawValue = map.next_value()?;
            let span = self.object.span(value.get(), self.raw).map_err(A::Error::custom)?;
            self.object.spans[position] = span;
            expected = position + 1;
        }
    }
}

/// Reads a name and gives its column.
struct Name<'a> {
    object: &'a mut Object,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<usize, D::Error> {
        parser.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        self.object.position(name, self.expected).map_err(E::custom)
    }
}
