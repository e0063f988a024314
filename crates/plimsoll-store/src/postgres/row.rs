//! A row that came from PostgreSQL, seen as the library's [`Row`].
//!
//! Promises: borrows the message; a field is read only when it is asked for.
//! Never: outlives the message.

use plimsoll::record::{Row, ValueRef};

use super::native::Codec;
use super::value::{Raw, typed};

/// Some fields of a message, from `first` on.
pub(super) struct MessageRow<'a> {
    pub(super) row: &'a tokio_postgres::Row,
    pub(super) codecs: &'a [Codec],
    pub(super) first: usize,
}

impl Row for MessageRow<'_> {
    fn width(&self) -> usize {
        self.codecs.len()
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        let field: Option<Raw<'_>> = self.row.try_get(self.first + position).map_err(|e| {
            plimsoll::Error::corrupt(format!("field {position} of the row cannot be read: {e}"))
        })?;
        field.map_or(Ok(ValueRef::Null), |Raw(bytes)| typed(self.codecs[position], bytes))
    }
}
