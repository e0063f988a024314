//! A record of a file, owned: small, with names that are shared.
//!
//! ```text
//!   names  ─> Arc ─┐   text "1teaoolong"   ends [1, 4|NULL, ...]
//!   Record ────────┴─> one allocation for all texts, one for where they end
//! ```
//!
//! Promises: NULL stays apart from the empty text, through spilling too.
//! Never: a type; a field is the text that stands in the file.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::format::Field;
use crate::heap_size::HeapSize;
use crate::record::{Row, ValueRef};

/// Marks a field that is NULL, in the number that says where its text ends.
const NULL: u32 = 1 << 31;

/// Texts one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Texts {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Texts {
    fn new<'a>(fields: impl Iterator<Item = Option<&'a str>>) -> Result<Self> {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for field in fields {
            text.push_str(field.unwrap_or_default());
            let end =
                u32::try_from(text.len()).ok().filter(|end| *end < NULL).ok_or_else(|| {
                    Error::too_large("keeping a record: its texts take 2 GiB or more; split it")
                })?;
            ends.push(if field.is_none() { end | NULL } else { end });
        }
        Ok(Self { text: text.into(), ends: ends.into() })
    }

    fn get(&self, position: usize) -> Option<&str> {
        let end = self.ends[position];
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before] & !NULL);
        (end & NULL == 0).then(|| &self.text[start as usize..end as usize])
    }

    /// Whether every text is where its end says.
    fn is_sound(&self) -> bool {
        let ends = self.ends.iter().map(|end| (end & !NULL) as usize);
        ends.clone().is_sorted() && ends.clone().all(|end| self.text.is_char_boundary(end))
    }

    fn bytes(&self) -> usize {
        self.text.len() + size_of_val::<[u32]>(&self.ends)
    }
}

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
        self.fields.ends.len()
    }

    /// Name of the field at `position`.
    ///
    /// # Panics
    /// From [`Record::width`] on.
    #[must_use]
    pub fn name(&self, position: usize) -> &str {
        self.names.get(position).expect("names are not NULL")
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
        (0..self.width()).find(|at| self.name(*at) == name).and_then(|at| self.field(at))
    }

    pub(super) fn has_names_of(&self, other: &Self) -> bool {
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
        for texts in [&*self.names, &self.fields] {
            parts.serialize_element(&*texts.text)?;
            parts.serialize_element(&*texts.ends)?;
        }
        parts.end()
    }
}

thread_local! {
    /// Names of the record read back last: the next one mostly has the same.
    static NAMES: RefCell<Weak<Texts>> = RefCell::default();
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
        let mut texts = || {
            let text = parts.next_element::<Box<str>>()?;
            let ends = parts.next_element::<Box<[u32]>>()?;
            match (text, ends) {
                (Some(text), Some(ends)) => Ok(Texts { text, ends }),
                _ => Err(A::Error::custom("a record is cut off")),
            }
        };
        let (names, fields) = (texts()?, texts()?);
        let whole = names.ends.len() == fields.ends.len();
        let named = names.ends.iter().all(|end| end & NULL == 0);
        if !whole || !named || !names.is_sound() || !fields.is_sound() {
            return Err(A::Error::custom("a record's ends are not those of its texts"));
        }
        let names = NAMES.with_borrow_mut(|last| match last.upgrade() {
            Some(shared) if *shared == names => shared,
            _ => {
                let shared = Arc::new(names);
                *last = Arc::downgrade(&shared);
                shared
            }
        });
        Ok(Record { names, fields })
    }
}
