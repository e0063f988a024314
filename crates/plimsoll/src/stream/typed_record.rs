//! A record whose fields have types, owned: what a database's rows are in a stream.
//!
//! ```text
//!   TypedRecord { names ─> Arc, shared    bytes: one allocation, see `row_bytes` }
//! ```
//!
//! Promises: values as they were read, through spilling too; its order is
//! [`crate::record::compare`]'s, field by field.
//! Never: an allocation per field. The field at a position is found by walking over those in
//! front of it.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::named::NamedRow;
use super::row_bytes::{RowBytes, is_sound, read};
use super::texts::{Texts, shared_names};
use crate::error::{Error, Result};
use crate::format::RowEncoder as _;
use crate::heap_size::HeapSize;
use crate::record::{Row, Value, ValueRef, ValueRow, compare};

/// One row with its names. Cloning it copies one allocation: 1 to 9 bytes a field, and its text.
///
/// ```
/// use plimsoll::record::{Value, ValueRef};
/// use plimsoll::stream::TypedRecord;
/// let tea = TypedRecord::new(&["id", "name"], &[Value::Int(10), Value::Text("tea".into())])?;
/// assert_eq!(tea.get("name"), Some(ValueRef::Text("tea")));
/// assert!(tea > tea.with_values(&[Value::Int(9), Value::Null])?, "10 is more than 9");
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// Records are compared field by field in the one order of [`crate::record::compare`]; names do
/// not count.
#[derive(Clone)]
pub struct TypedRecord {
    names: Arc<Texts>,
    bytes: Box<[u8]>,
}

impl TypedRecord {
    /// A record of these names and values, as many of one as of the other.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when they are not; [`crate::ErrorKind::TooLarge`] for a field
    /// of 4 GiB.
    pub fn new(names: &[&str], values: &[Value]) -> Result<Self> {
        let names = Arc::new(Texts::new(names.iter().copied().map(Some))?);
        Self { names, bytes: Box::default() }.with_values(values)
    }

    /// Another record of the same names.
    ///
    /// # Errors
    /// As [`TypedRecord::new`].
    pub fn with_values(&self, values: &[Value]) -> Result<Self> {
        if values.len() != self.names.len() {
            return Err(Error::invalid(format!(
                "making a record: {} values for {} names",
                values.len(),
                self.names.len()
            )));
        }
        let mut bytes = Vec::new();
        RowBytes.row(&ValueRow(values), &mut bytes)?;
        Ok(Self { names: Arc::clone(&self.names), bytes: bytes.into() })
    }

    /// Another record of the same names, from what [`RowBytes`] wrote.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] when `bytes` are not a row of this width.
    pub fn with_bytes(&self, bytes: &[u8]) -> Result<Self> {
        if !is_sound(bytes, self.names.len()) {
            return Err(Error::corrupt(format!(
                "reading a record: {} bytes are no row of {} values",
                bytes.len(),
                self.names.len()
            )));
        }
        Ok(Self { names: Arc::clone(&self.names), bytes: bytes.into() })
    }

    /// The fields from the first to the last.
    pub fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        let mut bytes = &*self.bytes;
        (0..self.names.len()).map(move |_| {
            let (value, rest) = read(bytes).expect("the bytes were checked when it was made");
            bytes = rest;
            value
        })
    }

    /// The field at `position`.
    ///
    /// # Panics
    /// From the number of fields on.
    #[must_use]
    pub fn field(&self, position: usize) -> ValueRef<'_> {
        self.values().nth(position).expect("a position below the width")
    }

    /// The field called `name`; `None` when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<ValueRef<'_>> {
        self.names.position(name).map(|at| self.field(at))
    }
}

impl fmt::Debug for TypedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = (0..self.names.len()).map(|at| self.names.name(at));
        f.debug_map().entries(names.zip(self.values())).finish()
    }
}

impl Row for TypedRecord {
    fn width(&self) -> usize {
        self.names.len()
    }

    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        Ok(self.field(position))
    }
}

impl NamedRow for TypedRecord {
    fn name(&self, position: usize) -> &str {
        self.names.name(position)
    }

    fn has_names_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.names, &other.names) || self.names == other.names
    }
}

impl HeapSize for TypedRecord {
    /// With the names, although records share them: one that comes back from disk alone has its
    /// own.
    fn heap_bytes(&self) -> usize {
        self.bytes.len() + self.names.bytes()
    }
}

impl PartialEq for TypedRecord {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for TypedRecord {}

impl PartialOrd for TypedRecord {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TypedRecord {
    fn cmp(&self, other: &Self) -> Ordering {
        let fields = self.values().zip(other.values());
        let differs = fields.map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
        differs.unwrap_or_else(|| self.names.len().cmp(&other.names.len()))
    }
}

impl Hash for TypedRecord {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.len().hash(state);
        self.values().for_each(|value| hash_value(value, state));
    }
}

/// Equal values, an integer and a float among them, have equal hashes.
fn hash_value<H: Hasher>(value: ValueRef<'_>, state: &mut H) {
    match value {
        ValueRef::Null => 0_u8.hash(state),
        ValueRef::Bool(value) => value.hash(state),
        #[allow(clippy::cast_precision_loss, reason = "a hash only has to be the same for equals")]
        ValueRef::Int(value) => (value as f64).to_bits().hash(state),
        ValueRef::Float(value) if value.is_nan() => f64::NAN.to_bits().hash(state),
        // -0.0 equals 0.0.
        ValueRef::Float(value) => (value + 0.0).to_bits().hash(state),
        ValueRef::Money(value) => value.hash(state),
        ValueRef::Time(value) => value.hash(state),
        ValueRef::Text(value) | ValueRef::Json(value) => value.hash(state),
        ValueRef::Bytes(value) => value.hash(state),
    }
}

impl Serialize for TypedRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut parts = serializer.serialize_tuple(3)?;
        self.names.serialize_into(&mut parts)?;
        parts.serialize_element(&*self.bytes)?;
        parts.end()
    }
}

impl<'de> Deserialize<'de> for TypedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(3, TypedRecordVisitor)
    }
}

struct TypedRecordVisitor;

impl<'de> Visitor<'de> for TypedRecordVisitor {
    type Value = TypedRecord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names with their ends, and a row's bytes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<TypedRecord, A::Error> {
        let names = shared_names(Texts::deserialize_from(&mut parts)?)?;
        let bytes: Option<Box<[u8]>> = parts.next_element()?;
        let sound = bytes.filter(|bytes| is_sound(bytes, names.len()));
        let bytes = sound.ok_or_else(|| A::Error::custom("a record's bytes are not its row"))?;
        Ok(TypedRecord { names, bytes })
    }
}

#[cfg(test)]
mod tests;
