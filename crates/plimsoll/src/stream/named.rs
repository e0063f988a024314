//! A row that knows the names of its fields: what a file with a header is written from.
//!
//! Promises: one look tells whether two rows fit under one header.
//! Never: a field found by its name; that is the row's own business.

use crate::record::Row;

/// A row with names, such as [`super::Record`] and [`super::TypedRecord`].
pub trait NamedRow: Row {
    /// Name of the field at `position`.
    ///
    /// # Panics
    /// From [`Row::width`] on.
    fn name(&self, position: usize) -> &str;

    /// Whether all names are those of `other`, in the same order.
    fn has_names_of(&self, other: &Self) -> bool;
}
