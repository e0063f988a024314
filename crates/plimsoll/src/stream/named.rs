//! A row that knows the names of its fields: what a file with a header is written from.
//!
//! Promises: one look tells whether two rows fit under one header.
//! Never: a field found by its name; that is the row's own business.

use crate::record::Row;

/// A row with names, such as [`super::Record`] and [`super::TypedRecord`].
///
/// ```
/// use plimsoll::record::Value;
/// use plimsoll::stream::{NamedRow, TypedRecord};
/// let tea = TypedRecord::new(&["id"], &[Value::Int(1)])?;
/// assert_eq!(NamedRow::name(&tea, 0), "id");
/// assert!(tea.has_names_of(&tea.with_values(&[Value::Null])?));
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub trait NamedRow: Row {
    /// Name of the field at `position`.
    ///
    /// # Panics
    /// From [`Row::width`] on.
    fn name(&self, position: usize) -> &str;

    /// Whether all names are those of `other`, in the same order.
    fn has_names_of(&self, other: &Self) -> bool;
}
