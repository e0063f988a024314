//! A row under SQLite's cursor, seen as the library's [`Row`], and its way into a buffer.
//!
//! Promises: borrows; a field is read only when it is asked for; a row is encoded wholly or not at
//! all, and what it takes beyond the buffer's capacity is reserved first.
//! Never: outlives the cursor's step.

use std::cell::Cell;

use plimsoll::budget::Reservation;
use plimsoll::format::RowEncoder;
use plimsoll::limits::{FRAME_SLACK_BYTES, ROW_BYTES_MAX};
use plimsoll::record::{ColumnType, Row, ValueRef};

use super::value::typed;
use crate::error::{Error, ErrorKind, Result};

/// Texts and blobs of a row up to this fit a buffer's slack: JSON writes a byte in six at most.
const USUAL_ROW_BYTES: usize = FRAME_SLACK_BYTES / 6;

/// Some columns of the current row, from `first` on.
pub(super) struct CursorRow<'a, 'stmt> {
    pub(super) row: &'a rusqlite::Row<'stmt>,
    pub(super) kinds: &'a [ColumnType],
    pub(super) first: usize,
    /// Bytes of text and blobs that may still be read; what goes beyond is refused.
    pub(super) bytes_left: Cell<usize>,
}

impl Row for CursorRow<'_, '_> {
    fn width(&self) -> usize {
        self.kinds.len()
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        let stored = self.row.get_ref(self.first + position).map_err(|e| {
            plimsoll::Error::corrupt(format!("field {position} of the row cannot be read: {e}"))
        })?;
        let value = typed(self.kinds[position], stored)?;
        let bytes = match value {
            ValueRef::Text(text) => text.len(),
            ValueRef::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        if bytes > 0 {
            let Some(left) = self.bytes_left.get().checked_sub(bytes) else {
                return Err(plimsoll::Error::too_large(
                    "the row is larger than what is left for it",
                ));
            };
            self.bytes_left.set(left);
        }
        Ok(value)
    }
}

/// How the current row is read.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) kinds: &'a [ColumnType],
    /// Columns in front that are not encoded.
    pub(super) first: usize,
    /// What is being done, for messages.
    pub(super) what: &'a str,
}

/// Appends the current row to `out`.
pub(super) fn append(
    row: &rusqlite::Row<'_>,
    shape: Shape<'_>,
    encoder: &mut dyn RowEncoder,
    out: &mut Vec<u8>,
    extra: &mut Option<Reservation>,
) -> Result<()> {
    let Shape { kinds, first, what } = shape;
    let cursor = |bytes| CursorRow { row, kinds, first, bytes_left: Cell::new(bytes) };
    // A usual row fits the room the buffer keeps, so only its texts' lengths are added up on the
    // way. Any other row is measured before anything is allocated for it.
    let usual = out.capacity() - out.len() >= FRAME_SLACK_BYTES
        && match encoder.row(&cursor(USUAL_ROW_BYTES), out) {
            Ok(()) => true,
            Err(e) if e.kind() == plimsoll::ErrorKind::TooLarge => false,
            Err(e) => return Err(e.into()),
        };
    if usual {
        return Ok(());
    }
    let bytes = encoder.row_bytes_max(&cursor(usize::MAX))?;
    if bytes > ROW_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "{what}: one row would take {bytes} bytes, the bound is {ROW_BYTES_MAX}: leave \
                 large columns out with fields="
            ),
        ));
    }
    let missing = (out.len() + bytes).saturating_sub(out.capacity());
    if let (Some(extra), 1..) = (extra, missing) {
        extra.try_grow(missing as u64).map_err(plimsoll::Error::from)?;
    }
    out.reserve_exact(bytes);
    encoder.row(&cursor(usize::MAX), out)?;
    Ok(())
}
