//! Rows to bytes: the trait the writers share.
//!
//! Promises: a row is appended whole or not at all.
//! Never: an allocation per row beyond the growth of the output, or a value dropped silently; a
//! float that is not finite has no text in JSON and CSV and is written as NULL, as its type says.

use super::base64;
use crate::error::Result;
use crate::record::{Row, ValueRef};

/// Writes rows of one shape to a buffer the caller owns and has reserved.
///
/// `begin`, any number of `row`, `end`; after `end`, `begin` starts a new document. Between two
/// calls the caller may take the bytes away and hand in an empty buffer.
///
/// ```
/// use plimsoll::format::{JsonArray, RowEncoder};
/// use plimsoll::record::{Value, ValueRow};
/// let mut encoder = JsonArray::new(["id", "name"]);
/// let mut out = Vec::new();
/// encoder.begin(&mut out);
/// encoder.row(&ValueRow(&[Value::Int(1), Value::Text("tea".into())]), &mut out)?;
/// encoder.row(&ValueRow(&[Value::Int(2), Value::Null]), &mut out)?;
/// encoder.end(&mut out);
/// assert_eq!(out, b"[{\"id\":1,\"name\":\"tea\"},\n{\"id\":2,\"name\":null}]");
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub trait RowEncoder: Send {
    /// Appends what stands before the first row.
    fn begin(&mut self, out: &mut Vec<u8>);

    /// Appends one row. Panics when the row's width is not the encoder's.
    ///
    /// # Errors
    /// Those of [`Row::value`]; `out` is then as long as before the call.
    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<()>;

    /// Appends what stands after the last row.
    fn end(&mut self, out: &mut Vec<u8>);

    /// Bytes [`RowEncoder::row`] appends for this row at most, so that the caller can take them
    /// from its budget first.
    ///
    /// # Errors
    /// Those of [`Row::value`].
    fn row_bytes_max(&self, row: &dyn Row) -> Result<usize>;
}

/// Longest text of a value of fixed size: a float's 24 characters, an integer's 20, an instant's
/// 33, and two quotes.
const SCALAR_BYTES_MAX: usize = 40;

/// Bytes of a row at most, where `fixed` covers names and separators and `text` is asked for the
/// length of a text inside its quotes.
pub(super) fn row_bytes_max(
    row: &dyn Row,
    fixed: usize,
    text: impl Fn(&str) -> usize,
) -> Result<usize> {
    let mut bytes = fixed;
    for position in 0..row.width() {
        let value = match row.value(position)? {
            ValueRef::Text(value) | ValueRef::Json(value) => text(value),
            ValueRef::Bytes(value) => base64::encoded_len(value.len()),
            _ => 0,
        };
        // The scalar's bound also covers the quotes and the guard around a text.
        bytes = bytes.saturating_add(value).saturating_add(SCALAR_BYTES_MAX);
    }
    Ok(bytes)
}
