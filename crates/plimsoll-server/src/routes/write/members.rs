//! A JSON object as columns and values.
//!
//! ```text
//!   {"name":"tea","price":2.50}
//!      │             └ the digits as they stand ──> Column::parse ──> Money
//!      └ a column a client may set ──> its position
//! ```
//!
//! Promises: every mistake of a body is reported at once, each with its JSON pointer; a member
//! that stands there twice is one of them; no number passes through a float on its way to an
//! integer or an amount.
//! Never: a nested value; rows are flat.

use std::borrow::Cow;
use std::fmt;

use plimsoll::error::excerpt;
use plimsoll::record::{Column, ColumnType, Value};
use plimsoll_store::catalogue::ColumnRole;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::problem::{Kind, Problem, Result};
use crate::served::Served;
use plimsoll_store::nearest;

/// What the row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Create,
    Change,
}

/// The members of a body in their order, values unread.
pub(in crate::routes) struct Members<'b>(Vec<(Cow<'b, str>, &'b RawValue)>);

/// Members of one body; more than a resource can have columns are never right.
const MEMBERS_MAX: usize = plimsoll::limits::COLUMNS_MAX * 2;
/// Mistakes that are reported of one body.
const MISTAKES_MAX: usize = 50;

impl<'b> Members<'b> {
    /// Reads one object.
    ///
    /// # Errors
    /// 400 with line and column for what is no JSON, no object, or too nested to be looked at.
    pub(in crate::routes) fn read(body: &'b [u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|e| {
            let (line, column) = (e.line(), e.column());
            Problem::new(Kind::InvalidRequest, format!("the body is not a JSON object: {e}"))
                .with("line", line)
                .with("column", column)
        })
    }

    /// Names and values, in the order they were sent.
    pub(in crate::routes) fn pairs(&self) -> impl Iterator<Item = (&str, &'b RawValue)> {
        self.0.iter().map(|(name, raw)| (&**name, *raw))
    }

    /// The columns and values.
    ///
    /// # Errors
    /// 422 with all mistakes.
    pub(super) fn row(self, served: &Served, purpose: Purpose) -> Result<Vec<(usize, Value)>> {
        let mut row: Vec<(usize, Value)> = Vec::with_capacity(self.0.len());
        let mut mistakes = Vec::new();
        for (name, raw) in &self.0 {
            match member(served, purpose, name, raw) {
                Ok((column, _)) if row.iter().any(|(earlier, _)| *earlier == column) => {
                    mistakes.push(mistake(name, "stands there twice"));
                }
                Ok(set) => row.push(set),
                Err(found) => mistakes.push(found),
            }
        }
        if purpose == Purpose::Create {
            mistakes.extend(left_out(served, &self.0));
        }
        if row.is_empty() && mistakes.is_empty() {
            mistakes.push(mistake("", "the object sets no column"));
        }
        if mistakes.is_empty() {
            return Ok(row);
        }
        mistakes.truncate(MISTAKES_MAX);
        let settable: Vec<&str> =
            settable(served, purpose).map(|c| served.column_name(c)).collect();
        let detail = format!(
            "the row cannot be written: {} {}",
            mistakes[0]["pointer"].as_str().unwrap_or_default(),
            mistakes[0]["detail"].as_str().unwrap_or_default()
        );
        Err(Problem::new(Kind::Validation, detail)
            .with("errors", mistakes)
            .with("allowed", settable))
    }
}

fn settable(served: &Served, purpose: Purpose) -> impl Iterator<Item = usize> + '_ {
    served.columns.iter().copied().filter(move |&column| {
        served.is_data(column)
            && (purpose == Purpose::Create || !served.resource.key.contains(&column))
    })
}

fn mistake(name: &str, detail: &str) -> Json {
    let pointer = match name {
        "" => String::new(),
        // RFC 6901: a tilde and a slash are escaped.
        _ => format!("/{}", excerpt(name).replace('~', "~0").replace('/', "~1")),
    };
    json!({"pointer": pointer, "detail": detail})
}

fn member(
    served: &Served,
    purpose: Purpose,
    name: &str,
    raw: &RawValue,
) -> Result<(usize, Value), Json> {
    let Some(column) = served.resource.schema.position(name) else {
        let names: Vec<&str> =
            settable(served, purpose).map(|column| served.column_name(column)).collect();
        let mut found = mistake(name, "is not a field of this resource");
        if let Some(near) = nearest(name, names) {
            found["did_you_mean"] = json!(near);
        }
        return Err(found);
    };
    if !served.is_data(column) {
        return Err(mistake(name, "is made by the server; leave it out"));
    }
    if purpose == Purpose::Change && served.resource.key.contains(&column) {
        return Err(mistake(name, "is the key, which does not change"));
    }
    let declared = &served.resource.schema.columns[column];
    let value = value(declared, raw.get()).map_err(|detail| mistake(name, &detail))?;
    Ok((column, value))
}

/// Columns that need a value and got none.
fn left_out<'s>(
    served: &'s Served,
    members: &'s [(Cow<'_, str>, &RawValue)],
) -> impl Iterator<Item = Json> + 's {
    let resource = &served.resource;
    served.columns.iter().filter_map(move |&column| {
        let declared = &resource.schema.columns[column];
        let needed = resource.roles[column] == ColumnRole::Data && !declared.nullable;
        let given = members.iter().any(|(name, _)| **name == *declared.name);
        (needed && !given).then(|| mistake(&declared.name, "is required"))
    })
}

/// One value by its column's type.
fn value(column: &Column, raw: &str) -> Result<Value, String> {
    let expected = |what: &str| Err(format!("'{}' is not {what}", excerpt(raw)));
    let parsed = |text: &str| column.parse(text).map_err(|e| e.to_string());
    match raw.as_bytes().first() {
        Some(b'n') if column.nullable => Ok(Value::Null),
        Some(b'n') => Err("must not be null".to_owned()),
        Some(b't' | b'f') => match column.kind {
            ColumnType::Bool => Ok(Value::Bool(raw == "true")),
            kind => expected(kind.name()),
        },
        Some(b'"') => {
            let text: Cow<'_, str> =
                serde_json::from_str::<Text<'_>>(raw).map_err(|e| e.to_string())?.0;
            match column.kind {
                ColumnType::Int | ColumnType::Float | ColumnType::Bool => {
                    expected(&format!("{}: write it without quotes", column.kind))
                }
                _ => parsed(&text),
            }
        }
        Some(b'-' | b'0'..=b'9') => match column.kind {
            ColumnType::Int | ColumnType::Float | ColumnType::Money => parsed(raw),
            ColumnType::Any => Ok(match raw.parse::<i64>() {
                Ok(whole) => Value::Int(whole),
                Err(_) => Value::Float(raw.parse().map_err(|_| "is not a number".to_owned())?),
            }),
            kind => expected(&format!("{kind}: write it in quotes")),
        },
        _ => expected("a single value; rows are flat"),
    }
}

/// A JSON string, borrowed where nothing in it is escaped.
struct Text<'t>(Cow<'t, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), raw)) = map.next_entry::<Text<'de>, &RawValue>()? {
                    if members.len() == MEMBERS_MAX {
                        return Err(serde::de::Error::custom("too many members"));
                    }
                    members.push((name, raw));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The path's segment of the row that was written, from its own JSON.
///
/// # Errors
/// When the row the store read back is not the object it was asked for.
pub(super) fn key_of(served: &Served, row: &[u8]) -> Result<String> {
    let members = Members::read(row)?;
    let mut key = Vec::with_capacity(served.resource.key.len());
    for &column in &served.resource.key {
        let declared = &served.resource.schema.columns[column];
        let raw = members.0.iter().find(|(name, _)| **name == *declared.name);
        let (_, raw) = raw.ok_or_else(|| Problem::internal(&"a written row without its key"))?;
        key.push(value(declared, raw.get()).map_err(|e| Problem::internal(&e))?);
    }
    Ok(served.key_segment(&key))
}
