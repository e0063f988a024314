//! A row as its reader sees it: fields by position, borrowed from wherever they live.
//!
//! Promises: reading a field allocates nothing.
//! Never: fields by name; names are resolved to positions once, before the first row.

use super::{Value, ValueRef};
use crate::error::Result;

/// One row. The database's cursor, a parsed record and a slice of values all are one.
pub trait Row {
    /// Number of fields.
    fn width(&self) -> usize;

    /// The field at `position`, which is below [`Row::width`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] when the source holds something its declared type cannot be,
    /// e.g. text that is not UTF-8.
    fn value(&self, position: usize) -> Result<ValueRef<'_>>;
}

/// A row over owned values.
#[derive(Clone, Copy, Debug)]
pub struct ValueRow<'a>(pub &'a [Value]);

impl Row for ValueRow<'_> {
    fn width(&self) -> usize {
        self.0.len()
    }

    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        Ok(self.0[position].borrow())
    }
}
