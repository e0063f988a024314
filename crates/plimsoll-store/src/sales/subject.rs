//! What a line is about, as its key.
//!
//! Promises: equal keys are equal values; numbers come before texts, texts by their bytes.
//! Never: its name for a person; that is looked up for the few that are shown.

use plimsoll::heap_size::HeapSize;
use plimsoll::record::{Value, ValueRef};
use serde::{Deserialize, Serialize};

/// A key of what lines are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A number.
    Int(i64),
    /// A text.
    Text(Box<str>),
}

impl Subject {
    /// A field's value; `None` for what is no key.
    pub(super) fn of(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Int(value) => Some(Self::Int(value)),
            ValueRef::Text(text) | ValueRef::Json(text) => Some(Self::Text(text.into())),
            _ => None,
        }
    }

    /// As a value of a row.
    #[must_use]
    pub fn value(&self) -> Value {
        match self {
            Self::Int(value) => Value::Int(*value),
            Self::Text(text) => Value::Text(text.clone()),
        }
    }
}

impl HeapSize for Subject {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Int(_) => 0,
            Self::Text(text) => text.len(),
        }
    }
}
