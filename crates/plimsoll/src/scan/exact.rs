//! One CSV record, byte by byte: the judge of records that hold quotes.
//!
//! ```text
//!   field begins with "   ──>  up to the quote that is not doubled, then delimiter or line end
//!   field begins otherwise ─>  up to delimiter or line end, and no quote on the way
//! ```
//!
//! The structural index finds record ends by the parity of quotes, which is right for every input
//! this walk accepts and may be wrong for any other. So each record with a quote is checked by
//! these rules, here or in the index, and the first fault of the input is found in its own record.
//!
//! Promises: a fault has its place; what is accepted reads back as it was written.
//! Never: a copy of a byte, or a guess at what a stray quote was meant to be.

use memchr::{memchr, memchr_iter, memchr3};

use super::index::narrow;
use crate::error::{Error, excerpt};

/// A record that keeps the rules; offsets count from the segment's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walked {
    /// Where its line end begins.
    pub(super) text: usize,
    /// Where the next record begins.
    pub(super) taken: usize,
    /// Fields, also those beyond what was asked to be kept.
    pub(super) fields: usize,
}

/// A record that breaks them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// Offset of the quote or of the text behind it.
    pub(super) at: usize,
    /// Position of the field.
    pub(super) field: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// `a"b`
    QuoteInside,
    /// `"a"b`
    TextBehind,
    /// `"a` and then nothing.
    Unclosed,
}

impl FaultKind {
    const fn sentence(self) -> &'static str {
        match self {
            Self::QuoteInside => {
                "a quote inside an unquoted field: quote the field and double the quote"
            }
            Self::TextBehind => {
                "text stands behind the closing quote: a quote inside quotes is written twice"
            }
            Self::Unclosed => {
                "a quote opened on this line is not closed before the end of the input"
            }
        }
    }
}

/// Walks the record of `segment` that begins at `from`. The ends of its first `ends_max` fields, as
/// offsets in the segment, go to `ends`.
pub(super) fn walk(
    segment: &[u8],
    from: usize,
    delimiter: u8,
    ends: &mut Vec<u32>,
    ends_max: usize,
) -> Result<Walked, Fault> {
    let mut fields = 0;
    let mut at = from;
    loop {
        let quoted = segment.get(at) == Some(&b'"');
        let end = if quoted {
            close(segment, at, fields)?
        } else {
            let next = memchr3(delimiter, b'\n', b'"', &segment[at..]);
            let end = next.map_or(segment.len(), |ahead| at + ahead);
            if segment.get(end) == Some(&b'"') {
                return Err(Fault { kind: FaultKind::QuoteInside, at: end, field: fields });
            }
            end
        };
        let more = segment.get(end) == Some(&delimiter);
        // A CR belongs to the line end before an LF and at the very end of the input.
        let bare_return = !more && !quoted && end > at && segment[end - 1] == b'\r';
        let text = end - usize::from(bare_return);
        if fields < ends_max {
            ends.push(narrow(text));
        }
        fields += 1;
        if more {
            at = end + 1;
            continue;
        }
        let taken = match &segment[text..] {
            [] => text,
            [b'\n', ..] | [b'\r'] => text + 1,
            [b'\r', b'\n', ..] => text + 2,
            _ => return Err(Fault { kind: FaultKind::TextBehind, at: text, field: fields - 1 }),
        };
        return Ok(Walked { text, taken, fields });
    }
}

/// Offset behind the quote that closes the one at `open`.
fn close(segment: &[u8], open: usize, field: usize) -> Result<usize, Fault> {
    let mut at = open + 1;
    while let Some(ahead) = memchr(b'"', &segment[at..]) {
        at += ahead + 1;
        if segment.get(at) != Some(&b'"') {
            return Ok(at);
        }
        at += 1;
    }
    Err(Fault { kind: FaultKind::Unclosed, at: open, field })
}

/// The error for a fault in the record that begins at `from`, on `line`.
pub(super) fn refuse(
    fault: Fault,
    segment: &[u8],
    from: usize,
    line: u64,
    columns: &[Box<str>],
) -> Error {
    let line = line + memchr_iter(b'\n', &segment[from..fault.at]).count() as u64;
    let column = match columns.get(fault.field) {
        Some(name) if fault.kind != FaultKind::Unclosed => format!(", column '{}'", excerpt(name)),
        _ => String::new(),
    };
    Error::invalid(format!("line {line}{column}: {}", fault.kind.sentence()))
}
