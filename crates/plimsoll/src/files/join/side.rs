//! One side of a join: its key columns, and what of a row goes to the output.
//!
//! ```text
//!   left row   1,tea,"a,b"⏎       key 1     piece 1,tea,"a,b"
//!   right row  1,R16,2.5⏎         key 1     piece ,R16,2.5         output: left piece, right piece
//! ```
//!
//! Promises: fields of CSV stand in a CSV as they stand in the input, and a left object in NDJSON.
//! Never: a key for a row with a NULL in it; NULL equals nothing.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;

use super::super::row_encoder::RowEncoder;
use super::JoinSide;
use crate::error::Result;
use crate::record::key::{KeyKind, KeyTerm, encode_field, pack_number};
use crate::scan::{RawField, RawRecord, Records, Segments};

/// What of a side's row goes to the output.
#[derive(Debug)]
pub(super) enum Piece {
    /// A left row as it stands, without its line end.
    Text,
    /// A left object as it stands, open at its end; this one in the place of an empty one.
    Open(Vec<u8>),
    /// A right row's fields that are not its key, as they stand, each behind a delimiter.
    Fields,
    /// Fields in another format than the side's, or of objects.
    Encoded(RowEncoder),
}

/// What is known of a side before its first row.
#[derive(Debug)]
pub(super) struct SideSpec {
    pub(super) side: JoinSide,
    pub(super) terms: Vec<KeyTerm>,
    pub(super) columns: usize,
    pub(super) delimiter: u8,
    pub(super) piece: Piece,
    /// The input's name, and the keys as a sort is told them.
    pub(super) input: String,
    pub(super) by: String,
}

impl SideSpec {
    pub(super) fn records(&self, segments: &Segments) -> Records {
        let needed: Vec<usize> = match self.piece {
            Piece::Encoded(_) => (0..self.columns).collect(),
            _ => self.terms.iter().map(|t| t.column).collect(),
        };
        Records::new(segments, &needed)
    }

    /// What a row of the output has beside the fields of this side's, at most.
    pub(super) fn overhead_bytes(&self) -> u64 {
        match &self.piece {
            Piece::Encoded(encoder) => encoder.overhead_bytes(),
            _ => 0,
        }
    }

    fn is_key(&self, column: usize) -> bool {
        self.terms.iter().any(|term| term.column == column)
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

    /// The record's piece.
    pub(super) fn piece<'r>(&'r mut self, record: &RawRecord<'r>) -> Result<&'r [u8]> {
        self.key_and_piece(record).map(|(_, piece)| piece)
    }

    /// The key made last and the record's piece.
    #[inline]
    pub(super) fn key_and_piece<'r>(
        &'r mut self,
        record: &RawRecord<'r>,
    ) -> Result<(&'r [u8], &'r [u8])> {
        let spec = self.spec;
        match &spec.piece {
            Piece::Text => return Ok((&self.key, record.text())),
            Piece::Open(empty) => return Ok((&self.key, open(record.text(), empty))),
            Piece::Fields => {
                if let [KeyTerm { column: 0, .. }] = spec.terms[..] {
                    return Ok((&self.key, &record.text()[raw_bytes(record.field(0))..]));
                }
                self.piece.clear();
                let kept = (0..spec.columns).filter(|column| !spec.is_key(*column));
                kept.for_each(|n| push_raw(record.field(n), spec.delimiter, &mut self.piece));
            }
            Piece::Encoded(encoder) => {
                self.piece.clear();
                encoder.fields(record, &mut self.piece, &mut self.scratch)?;
            }
        }
        Ok((&self.key, &self.piece))
    }
}

/// An object without its closing brace and what stands around it.
fn open<'r>(text: &'r [u8], empty: &'r [u8]) -> &'r [u8] {
    let inside = text.trim_ascii().strip_suffix(b"}").unwrap_or(text).trim_ascii_end();
    if inside == b"{" { empty } else { inside }
}

/// Appends a field as it stands behind a delimiter.
fn push_raw(field: RawField<'_>, delimiter: u8, out: &mut Vec<u8>) {
    out.push(delimiter);
    match field {
        RawField::Null => {}
        RawField::Plain(text) => out.extend_from_slice(text),
        RawField::Quoted(inside) => {
            out.push(b'"');
            out.extend_from_slice(inside);
            out.push(b'"');
        }
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
