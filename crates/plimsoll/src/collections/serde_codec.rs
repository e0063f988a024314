//! Any type with serde, in postcard's format.
//!
//! Promises: what serde reads back is what was written; damaged bytes are refused.
//! Never: a fixed width, even where every value happens to have the same number of bytes.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::Spillable;
use crate::error::{Error, Result};

/// Lets a type that serde can write and read be an element: the format is
/// [postcard](https://postcard.jamesmunns.com/wire-format), about as compact as the fields.
///
/// What a value owns on the heap cannot be asked of serde; it is taken to be twice its encoding.
///
/// ```
/// use plimsoll::collections::{Serde, Spillable};
/// #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
/// struct Order { id: u64, lines: Vec<(String, u32)> }
/// let order = Serde(Order { id: 7, lines: vec![("tea".into(), 2)] });
/// let mut bytes = Vec::new();
/// order.encode(&mut bytes)?;
/// assert_eq!(bytes.len(), order.encoded_bytes());
/// assert_eq!(Serde::<Order>::decode(&mut &bytes[..]), Some(order));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T>(pub T);

impl<T> Deref for Serde<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize + DeserializeOwned> Spillable for Serde<T> {
    fn encoded_bytes(&self) -> usize {
        // What cannot be measured cannot be encoded either, and says so there.
        postcard::experimental::serialized_size(&self.0).unwrap_or(0)
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        postcard::to_io(&self.0, out).map(drop).map_err(|error| {
            Error::invalid(format!(
                "encoding a {} for disk: {error}; sequences and maps must know their length, and \
                 untagged or flattened types cannot be used",
                std::any::type_name::<T>()
            ))
        })
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        let (value, rest) = postcard::take_from_bytes(from).ok()?;
        *from = rest;
        Some(Self(value))
    }

    fn heap_bytes(&self) -> usize {
        2 * self.encoded_bytes()
    }
}
