//! A row of a database on its way into a buffer.
//!
//! Promises: a row is encoded wholly or not at all, and what it takes beyond the buffer's capacity
//! is reserved first.
//! Never: a row larger than its bound.

use std::cell::Cell;

use plimsoll::budget::Reservation;
use plimsoll::format::RowEncoder;
use plimsoll::limits::{FRAME_SLACK_BYTES, ROW_BYTES_MAX};
use plimsoll::record::{Row, ValueRef};

use crate::error::{Error, ErrorKind, Result};

/// Texts and blobs of a row up to this fit a buffer's slack: JSON writes a byte in six at most.
const USUAL_ROW_BYTES: usize = FRAME_SLACK_BYTES / 6;

/// A row whose texts and blobs together have a bound.
pub(crate) struct Bounded<'a, R> {
    row: &'a R,
    /// Bytes that may still be read; what goes beyond is refused.
    bytes_left: Cell<usize>,
}

impl<'a, R: Row> Bounded<'a, R> {
    pub(crate) fn new(row: &'a R, bytes: usize) -> Self {
        Self { row, bytes_left: Cell::new(bytes) }
    }
}

impl<R: Row> Row for Bounded<'_, R> {
    fn width(&self) -> usize {
        self.row.width()
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        let value = self.row.value(position)?;
        let bytes = match value {
            ValueRef::Text(text) | ValueRef::Json(text) => text.len(),
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

/// Appends the row to `out`. `what` is being done, for messages.
pub(crate) fn append<R: Row>(
    row: &R,
    what: &str,
    encoder: &mut dyn RowEncoder,
    out: &mut Vec<u8>,
    extra: &mut Option<Reservation>,
) -> Result<()> {
    // A usual row fits the room the buffer keeps, so only its texts' lengths are added up on the
    // way. Any other row is measured before anything is allocated for it.
    let usual = out.capacity() - out.len() >= FRAME_SLACK_BYTES
        && match encoder.row(&Bounded::new(row, USUAL_ROW_BYTES), out) {
            Ok(()) => true,
            Err(e) if e.kind() == plimsoll::ErrorKind::TooLarge => false,
            Err(e) => return Err(e.into()),
        };
    if usual {
        return Ok(());
    }
    let bytes = encoder.row_bytes_max(row)?;
    if bytes > ROW_BYTES_MAX {
        return Err(too_large(what, bytes as u64, ROW_BYTES_MAX as u64));
    }
    let missing = (out.len() + bytes).saturating_sub(out.capacity());
    if let (Some(extra), 1..) = (extra, missing) {
        extra.try_grow(missing as u64).map_err(plimsoll::Error::from)?;
    }
    out.reserve_exact(bytes);
    encoder.row(row, out)?;
    Ok(())
}

/// One row would take more than a row may.
pub(crate) fn too_large(what: &str, bytes: u64, bound: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "{what}: one row would take {bytes} bytes, the bound is {bound}: leave large columns \
             out with fields="
        ),
    )
}
