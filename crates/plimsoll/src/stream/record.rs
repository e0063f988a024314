//! A record of a file, owned: small, with names that are shared.
//!
//! ```text
//!   Record { names ─> Arc<Texts>, shared   fields: Texts, its own }
//! ```
//!
//! Promises: NULL stays apart from the empty text, through spilling too.
//! Never: a type; a field is the text that stands in the file.

use std::sync::Arc;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::named::NamedRow;
use super::texts::{Texts, shared_names};
use crate::error::{Error, Result};
use crate::format::Field;
use crate::heap_size::HeapSize;
use crate::record::{Row, ValueRef};

/// One record of a CSV or JSON file, as [`super::Stream::from_csv`] gives it.
///
/// ```
/// use plimsoll::stream::Record;
/// let record = Record::new(&["id", "name"], &[Some("1"), None])?;
/// assert_eq!(record.get("id"), Some("1"));
/// assert_eq!(record.field(1), None);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// Records are compared field by field, NULL before any text; names do not count.
#[derive(Clone, Debug)]
pub struct Record {
    names: Arc<Texts>,
    fields: Texts,
}

impl Record {
    /// A record of these names and fields, as many of one as of the other.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when they are not; [`crate::ErrorKind::TooLarge`] from 2 GiB
    /// of text on.
    pub fn new(names: &[&str], fields: &[Option<&str>]) -> Result<Self> {
        if names.len() != fields.len() {
            return Err(Error::invalid(format!(
                "making a record: {} fields for {} names",
                fields.len(),
                names.len()
            )));
        }
        let names = Arc::new(Texts::new(names.iter().copied().map(Some))?);
        Ok(Self { names, fields: Texts::new(fields.iter().copied())? })
    }

    /// Another record of the same names.
    ///
    /// # Errors
    /// As [`Record::new`].
    pub fn with_fields(&self, fields: &[Option<&str>]) -> Result<Self> {
        if fields.len() != self.width() {
            let width = self.width();
            return Err(Error::invalid(format!("{} fields for {width} names", fields.len())));
        }
        Ok(Self { names: Arc::clone(&self.names), fields: Texts::new(fields.iter().copied())? })
    }

    /// Owns what a reader gave; the names are those of `before` if they are the same ones.
    pub(super) fn read(record: &crate::format::Record<'_>, before: Option<&Self>) -> Result<Self> {
        let columns = record.columns();
        let same = before.filter(|before| {
            before.width() == columns.len()
                && columns.iter().enumerate().all(|(at, name)| before.name(at) == &**name)
        });
        let names = match same {
            Some(before) => Arc::clone(&before.names),
            None => Arc::new(Texts::new(columns.iter().map(|name| Some(&**name)))?),
        };
        let fields = (0..columns.len()).map(|position| match record.field(position) {
            Field::Text(text) => Some(text),
            Field::Null | Field::Absent => None,
        });
        Ok(Self { names, fields: Texts::new(fields)? })
    }

    /// Number of fields.
    #[must_use]
    pub fn width(&self) -> usize {
        self.fields.len()
    }

    /// Name of the field at `position`.
    ///
    /// # Panics
    /// From [`Record::width`] on.
    #[must_use]
    pub fn name(&self, position: usize) -> &str {
        self.names.name(position)
    }

    /// The field at `position`; `None` for NULL.
    ///
    /// # Panics
    /// From [`Record::width`] on.
    #[must_use]
    pub fn field(&self, position: usize) -> Option<&str> {
        self.fields.get(position)
    }

    /// The field called `name`; `None` when it is NULL or there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.names.position(name).and_then(|at| self.field(at))
    }
}

impl NamedRow for Record {
    fn name(&self, position: usize) -> &str {
        Record::name(self, position)
    }

    fn has_names_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names) || self.names == other.names
    }
}

impl Row for Record {
    fn width(&self) -> usize {
        Record::width(self)
    }

    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        Ok(self.field(position).map_or(ValueRef::Null, ValueRef::Text))
    }
}

impl HeapSize for Record {
    /// With the names, although records share them: one that comes back from disk alone has its
    /// own.
    fn heap_bytes(&self) -> usize {
        self.fields.bytes() + self.names.bytes()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Record {}

impl PartialOrd for Record {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Record {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let fields = |record: &'_ Self| record.width();
        let width = fields(self).min(fields(other));
        let both = (0..width).map(|at| self.field(at).cmp(&other.field(at)));
        both.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
            .then(fields(self).cmp(&fields(other)))
    }
}

impl std::hash::Hash for Record {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.fields.hash(state);
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_tuple(4)?;
        self.names.serialize_into(&mut parts)?;
        self.fields.serialize_into(&mut parts)?;
        parts.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_tuple(4, RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("names and fields, each with their ends")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> std::result::Result<Record, A::Error> {
        let names = shared_names(Texts::deserialize_from(&mut parts)?)?;
        let fields = Texts::deserialize_from(&mut parts)?;
        if names.len() != fields.len() {
            return Err(A::Error::custom("a record has more names than fields, or fewer"));
        }
        Ok(Record { names, fields })
    }
}
