//! Texts one behind the other: a record's names, and the fields of one without types.
//!
//! ```text
//!   text "1teaoolong"   ends [1, 4|NULL, 10, ...]      two allocations whatever the width
//! ```
//!
//! Promises: NULL stays apart from the empty text, through spilling too; what is read back is
//! checked before a text is taken out of it.
//! Never: 2 GiB of text.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use serde::de::{Error as _, SeqAccess};
use serde::ser::SerializeTuple;

use crate::error::{Error, Result};

/// Marks a text that is NULL, in the number that says where it ends.
const NULL: u32 = 1 << 31;

/// Texts and NULLs by position.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Texts {
    text: Box<str>,
    ends: Box<[u32]>,
}

impl Texts {
    pub(super) fn new<'a>(fields: impl Iterator<Item = Option<&'a str>>) -> Result<Self> {
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

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, position: usize) -> Option<&str> {
        let end = self.ends[position];
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before] & !NULL);
        (end & NULL == 0).then(|| &self.text[start as usize..end as usize])
    }

    /// The text at `position` of names.
    pub(super) fn name(&self, position: usize) -> &str {
        self.get(position).expect("names are not NULL")
    }

    /// Where the text `name` stands among names.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        (0..self.len()).find(|at| self.name(*at) == name)
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of_val::<[u32]>(&self.ends)
    }

    /// Whether every text is where its end says.
    fn is_sound(&self) -> bool {
        let ends = self.ends.iter().map(|end| (end & !NULL) as usize);
        ends.clone().is_sorted() && ends.clone().all(|end| self.text.is_char_boundary(end))
    }

    /// Writes them as two elements.
    pub(super) fn serialize_into<S: SerializeTuple>(&self, parts: &mut S) -> Result<(), S::Error> {
        parts.serialize_element(&*self.text)?;
        parts.serialize_element(&*self.ends)
    }

    /// Reads what [`Texts::serialize_into`] wrote.
    pub(super) fn deserialize_from<'de, A: SeqAccess<'de>>(
        parts: &mut A,
    ) -> Result<Self, A::Error> {
        let text = parts.next_element::<Box<str>>()?;
        let ends = parts.next_element::<Box<[u32]>>()?;
        let (Some(text), Some(ends)) = (text, ends) else {
            return Err(A::Error::custom("a record is cut off"));
        };
        let texts = Self { text, ends };
        let sound = texts.is_sound();
        sound.then_some(texts).ok_or_else(|| A::Error::custom("a record's texts end elsewhere"))
    }
}

thread_local! {
    /// Names of the record read back last: the next one mostly has the same.
    static NAMES: RefCell<Weak<Texts>> = RefCell::default();
}

/// Names that were read back, as one with those of the record before where they are the same.
pub(super) fn shared_names<E: serde::de::Error>(names: Texts) -> Result<Arc<Texts>, E> {
    if names.ends.iter().any(|end| end & NULL != 0) {
        return Err(E::custom("a record's name is NULL"));
    }
    Ok(NAMES.with_borrow_mut(|last| match last.upgrade() {
        Some(shared) if *shared == names => shared,
        _ => {
            let shared = Arc::new(names);
            *last = Arc::downgrade(&shared);
            shared
        }
    }))
}
