//! A row under SQLite's cursor, seen as the library's [`Row`].
//!
//! Promises: borrows; a field is read only when it is asked for.
//! Never: outlives the cursor's step.

use plimsoll::record::{ColumnType, Row, ValueRef};

use super::value::typed;

/// Some columns of the current row, from `first` on.
pub(super) struct CursorRow<'a, 'stmt> {
    pub(super) row: &'a rusqlite::Row<'stmt>,
    pub(super) kinds: &'a [ColumnType],
    pub(super) first: usize,
}

impl Row for CursorRow<'_, '_> {
    fn width(&self) -> usize {
        self.kinds.len()
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        let stored = self.row.get_ref(self.first + position).map_err(|e| {
            plimsoll::Error::corrupt(format!("field {position} of the row cannot be read: {e}"))
        })?;
        typed(self.kinds[position], stored)
    }
}
