//! The sort key of a scanned record.
//!
//! ```text
//!   one or two numbers of 16 digits ──> 8 or 16 bytes in registers: no memory is touched
//!   anything else ────────────────────> encode_field, term by term
//! ```
//!
//! Promises: both ways give the same bytes.
//! Never: a field parsed that no term names.

use crate::record::key::{KeyKind, KeyTerm, Packed, encode_field, pack_number};
use crate::scan::{RawField, RawRecord};

/// Makes keys by fixed terms; one per worker.
#[derive(Debug)]
pub(super) struct RowKey {
    terms: Box<[KeyTerm]>,
    /// All terms are numbers, and there are at most two.
    quick: bool,
    key: Vec<u8>,
    scratch: Vec<u8>,
}

/// A key, in whichever form it was made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'a> {
    /// At most 16 bytes, filled up with zeros.
    Short(u128),
    /// All bytes.
    Bytes(&'a [u8]),
}

impl RowKey {
    pub(super) fn new(terms: &[KeyTerm]) -> Self {
        let quick = terms.len() <= 2 && terms.iter().all(|t| t.kind == KeyKind::Number);
        Self { terms: terms.into(), quick, key: Vec::new(), scratch: Vec::new() }
    }

    /// The key of `record`.
    #[inline]
    pub(super) fn make(&mut self, record: &RawRecord<'_>) -> Key<'_> {
        if self.quick
            && let Some(prefix) = quick(&self.terms, record)
        {
            return Key::Short(prefix);
        }
        self.key.clear();
        for term in &self.terms {
            let field = record.field(term.column).decode(&mut self.scratch);
            encode_field(*term, field, &mut self.key);
        }
        Key::Bytes(&self.key)
    }
}

#[inline]
fn quick(terms: &[KeyTerm], record: &RawRecord<'_>) -> Option<u128> {
    let mut prefix = 0;
    let mut shift = 64;
    for term in terms {
        let packed = match record.field(term.column) {
            RawField::Null => Packed::null(term.nulls),
            RawField::Plain(field) => {
                let packed = pack_number(field);
                if !packed.whole {
                    return None;
                }
                if term.descending { packed.descending() } else { packed }
            }
            RawField::Quoted(_) => return None,
        };
        prefix |= u128::from(packed.word) << shift;
        shift = 0;
    }
    Some(prefix)
}
