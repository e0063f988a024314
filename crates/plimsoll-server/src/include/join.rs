//! Rows and what goes with them, as one text.
//!
//! ```text
//!   {"id":1}   ──>   {"id":1,"sale":{"id":9,..},"lines":[{..},{..}]}
//! ```
//!
//! Promises: the whole length is known, and reserved, before a byte is written.
//! Never: a field for rows that were not read: it would say that there are none.

use std::ops::Range;

use plimsoll::budget::Reservation;

use super::Related;
use super::related::Shown;
use crate::app::Context;
use crate::problem::Result;

/// What a caller writes behind the rows.
const ENVELOPE_BYTES: usize = 1 << 10;

/// What a bound has left out of a relation.
pub(crate) struct Cut {
    pub(crate) name: Box<str>,
    /// Rows whose array ends early.
    pub(crate) cut: u64,
    /// Rows without the field.
    pub(crate) left_out: u64,
}

/// The head and the rows, which lie at `rows` of `text`, with commas between.
///
/// # Errors
/// 503 where the budget has no room for it.
pub(crate) fn joined(
    context: &Context,
    head: &[u8],
    text: &[u8],
    rows: &[Range<usize>],
    related: &[Related],
) -> Result<(Vec<u8>, Reservation, Vec<Cut>)> {
    let names: Vec<Vec<u8>> = related.iter().map(name).collect();
    let mut bytes = head.len() + ENVELOPE_BYTES;
    write(text, rows, related, &names, &mut |part| bytes = bytes.saturating_add(part.len()));
    let reservation = context.page_bytes.try_reserve(bytes as u64)?;
    let mut out = Vec::with_capacity(bytes);
    out.extend_from_slice(head);
    let cuts = write(text, rows, related, &names, &mut |part| out.extend_from_slice(part));
    Ok((out, reservation, cuts))
}

/// `,"lines":`
fn name(related: &Related) -> Vec<u8> {
    let name = serde_json::Value::from(&*related.included.name);
    format!(",{name}:").into_bytes()
}

fn write(
    text: &[u8],
    rows: &[Range<usize>],
    related: &[Related],
    names: &[Vec<u8>],
    put: &mut dyn FnMut(&[u8]),
) -> Vec<Cut> {
    let none = |related: &Related| Cut { name: related.included.name.clone(), cut: 0, left_out: 0 };
    let mut cuts: Vec<Cut> = related.iter().map(none).collect();
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            put(b",\n");
        }
        let object = &text[row.clone()];
        put(object.strip_suffix(b"}").unwrap_or(object));
        for ((related, name), cut) in related.iter().zip(names).zip(&mut cuts) {
            let Shown::Rows(shown, is_cut) = related.shown(at) else {
                cut.left_out += 1;
                continue;
            };
            cut.cut += u64::from(is_cut);
            put(name);
            write_rows(related, shown, put);
        }
        put(b"}");
    }
    cuts.retain(|cut| cut.cut + cut.left_out > 0);
    cuts
}

/// An array, or an object or null.
fn write_rows(related: &Related, shown: Range<usize>, put: &mut dyn FnMut(&[u8])) {
    if !related.included.many {
        put(shown.clone().next().map_or(b"null", |row| related.text_of(row)));
        return;
    }
    put(b"[");
    for row in shown.clone() {
        if row > shown.start {
            put(b",");
        }
        put(related.text_of(row));
    }
    put(b"]");
}
