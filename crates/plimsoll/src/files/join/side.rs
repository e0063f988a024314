//! One side of a join: its key columns, and what of a row goes to the output.
//!
//! ```text
//!   left row   1,tea,"a,b"⏎       key 1     piece 1,tea,"a,b"
//!   right row  1,R16,2.5⏎         key 1     piece ,R16,2.5         output: left piece, right piece
//! ```
//!
//! Promises: fields stand in the output as they stand in the input.
//! Never: a key for a row with a NULL in it; NULL equals nothing.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;

use super::JoinSide;
use crate::record::key::{KeyKind, KeyTerm, encode_field, pack_number};
use crate::scan::{RawField, RawRecord, Records, Segments};

/// What is known of a side before its first row.
#[derive(Debug)]
pub(super) struct SideSpec {
    pub(super) side: JoinSide,
    pub(super) terms: Vec<KeyTerm>,
    pub(super) columns: usize,
    pub(super) delimiter: u8,
}

impl SideSpec {
    pub(super) fn records(&self, segments: &Segments) -> Records {
        let needed: Vec<usize> = self.terms.iter().map(|t| t.column).collect();
        Records::new(segments, &needed)
    }
}

/// Keys and pieces of a side's records; one per worker.
pub(super) struct RowParts<'a> {
    spec: &'a SideSpec,
    key: Vec<u8>,
    piece: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'a> RowParts<'a> {
    pub(super) fn new(spec: &'a SideSpec) -> Self {
        let (key, piece, scratch) = Default::default();
        Self { spec, key, piece, scratch }
    }

    /// The key; `None` where a column of it is NULL.
    #[inline]
    pub(super) fn key(&mut self, record: &RawRecord<'_>) -> Option<&[u8]> {
        self.key.clear();
        for term in &self.spec.terms {
            let field = record.field(term.column);
            if let RawField::Plain(text) = field
                && term.kind == KeyKind::Number
            {
                let packed = pack_number(text);
                if packed.whole {
                    self.key.extend_from_slice(&packed.word.to_be_bytes());
                    continue;
                }
            }
            let text = field.decode(&mut self.scratch)?;
            encode_field(*term, Some(text), &mut self.key);
        }
        Some(&self.key)
    }

    /// The key made last and the record's piece.
    #[inline]
    pub(super) fn key_and_piece<'r>(&'r mut self, record: &RawRecord<'r>) -> (&'r [u8], &'r [u8]) {
        let spec = self.spec;
        if spec.side == JoinSide::Left {
            return (&self.key, record.text());
        }
        if let [KeyTerm { column: 0, .. }] = spec.terms[..] {
            return (&self.key, &record.text()[raw_bytes(record.field(0))..]);
        }
        self.piece.clear();
        for column in 0..spec.columns {
            if spec.terms.iter().any(|term| term.column == column) {
                continue;
            }
            self.piece.push(spec.delimiter);
            match record.field(column) {
                RawField::Null => {}
                RawField::Plain(text) => self.piece.extend_from_slice(text),
                RawField::Quoted(inside) => {
                    self.piece.push(b'"');
                    self.piece.extend_from_slice(inside);
                    self.piece.push(b'"');
                }
            }
        }
        (&self.key, &self.piece)
    }
}

/// Bytes of a field as it stands.
fn raw_bytes(field: RawField<'_>) -> usize {
    match field {
        RawField::Null => 0,
        RawField::Plain(text) => text.len(),
        RawField::Quoted(inside) => inside.len() + 2,
    }
}

/// Hashes keys for the partitions of one level; those of another level are independent.
#[derive(Clone, Debug)]
pub(super) struct LevelHash(FixedState);

impl LevelHash {
    pub(super) fn new(level: u32) -> Self {
        Self(FixedState::with_seed(0x6a6f_696e + u64::from(level)))
    }

    #[inline]
    pub(super) fn of(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}
