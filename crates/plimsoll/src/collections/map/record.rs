//! A record of a table: a key with its value, or the mark that it was removed.
//!
//! ```text
//!   | key length LEB128 | value length + 1, or 0 when removed, LEB128 | key | value |
//! ```
//!
//! Promises: a record that is cut or lies is refused.
//! Never: a value that follows a mark of removal.

use crate::collections::codec::{length_bytes, put_length, take_length};

/// A record in a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    /// `None` where the key was removed.
    pub(super) value: Option<&'a [u8]>,
    /// Of the record, lengths included.
    pub(super) bytes: usize,
}

/// Bytes of a record with these lengths.
pub(super) fn record_bytes(key: usize, value: Option<usize>) -> usize {
    length_bytes(key) + length_bytes(value.map_or(0, |v| v + 1)) + key + value.unwrap_or(0)
}

/// Takes a record off the front; `None` when there is none.
#[inline]
pub(super) fn take_record<'a>(from: &mut &'a [u8]) -> Option<Record<'a>> {
    let before = from.len();
    let key = take_length(from)?;
    let value = take_length(from)?;
    let (key, rest) = from.split_at_checked(key)?;
    let (bytes, rest) = rest.split_at_checked(value.saturating_sub(1))?;
    *from = rest;
    let value = (value > 0).then_some(bytes);
    Some(Record { key, value, bytes: before - rest.len() })
}

/// Appends a record.
pub(super) fn put_record(out: &mut Vec<u8>, key: &[u8], value: Option<&[u8]>) {
    put_length(out, key.len());
    put_length(out, value.map_or(0, |v| v.len() + 1));
    out.extend_from_slice(key);
    out.extend_from_slice(value.unwrap_or(&[]));
}
