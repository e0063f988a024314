//! Normalised sort keys: bytes whose `memcmp` order is the order of the rows.
//!
//! ```text
//!   key of a row   = one part per term, one after the other
//!   Number, Some   = [packed decimal: 8 bytes][digits or text, only where 8 bytes do not do]
//!   Number, None   = 8 bytes of 00 (NULL first) or of FF (NULL last)
//!   Text,   Some   = 01 [bytes, 00 written as 00 FF] 00 00
//!   Text,   None   = 00 (NULL first) or FF (NULL last)
//!   a value        = [class][body], see encode_value
//!   descending     = every byte of the part complemented, but for NULL's
//! ```
//!
//! Every part says itself where it ends, so that no key is a proper prefix of another one of the
//! same terms, and parts put together compare like the tuples they stand for.
//!
//! Promises: total and exact for any bytes; two keys are equal exactly where the fields compare
//! equal.
//! Never: locale, a rounded number, or an error on a stranger's field.

mod decimal;
mod digits;
mod number;
mod resolve;
mod spec;
mod text;
mod unpack;
mod value;

pub use number::{Packed, pack_number};
pub(crate) use resolve::nearest;
pub use resolve::resolve;
pub use spec::{ByTerm, parse_by};
pub(crate) use unpack::{Unpacked, WORD_BYTES, is_text, is_whole, rest_end, unpack};
pub use value::encode_value;

/// How a field's text is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// As numbers of any length, exactly: `-inf` < numbers < `inf` < `nan` < any other text by its
    /// bytes. What is a number is told at [`pack_number`].
    Number,
    /// By bytes.
    Text,
}

/// Where NULL stands among the rows, whatever the direction of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Before every value.
    First,
    /// After every value.
    Last,
}

impl Nulls {
    /// Where NULL stands when nobody says: it is the smallest value, as in
    /// [`super::compare`], hence first when ascending and last when descending.
    #[must_use]
    pub const fn smallest(descending: bool) -> Self {
        if descending { Self::Last } else { Self::First }
    }

    /// The byte NULL's key consists of.
    const fn byte(self) -> u8 {
        match self {
            Self::First => 0,
            Self::Last => u8::MAX,
        }
    }
}

/// One term of a sort over fields of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyTerm {
    /// Position of the column.
    pub column: usize,
    /// How fields are compared.
    pub kind: KeyKind,
    /// Largest first.
    pub descending: bool,
    /// Where NULL stands.
    pub nulls: Nulls,
}

/// Appends the key of one field's text, which is already unquoted; `None` is NULL. The column of
/// `term` is not looked at.
///
/// Cost in bytes: a number of up to 16 significant digits takes 8, one of `n` digits beyond that
/// `9 + (n - 15) / 2`, one whose exponent is not within -124..=125 `9 + (n + 1) / 2`. A text of
/// `n` bytes takes `n + 3` and one more for each NUL, and 7 more under [`KeyKind::Number`].
///
/// ```
/// use plimsoll::record::key::{KeyKind, KeyTerm, Nulls, encode_field};
/// let term =
///     KeyTerm { column: 0, kind: KeyKind::Number, descending: true, nulls: Nulls::Last };
/// let key = |field| {
///     let mut key = Vec::new();
///     encode_field(term, field, &mut key);
///     key
/// };
/// assert!(key(Some(b"10")) < key(Some(b"9.5")));
/// assert_eq!(key(Some(b"1.50")), key(Some(b"15e-1")));
/// assert!(key(None) > key(Some(b"-inf")));
/// ```
#[inline]
pub fn encode_field(term: KeyTerm, field: Option<&[u8]>, out: &mut Vec<u8>) {
    let start = out.len();
    match (term.kind, field) {
        (KeyKind::Number, None) => {
            out.extend_from_slice(&Packed::null(term.nulls).word.to_be_bytes());
            return;
        }
        (KeyKind::Text, None) => {
            out.push(term.nulls.byte());
            return;
        }
        (KeyKind::Number, Some(field)) => number::push(field, out),
        (KeyKind::Text, Some(field)) => {
            out.push(text::PRESENT);
            text::push(field, out);
        }
    }
    if term.descending {
        complement(&mut out[start..]);
    }
}

/// Turns the order of complete, prefix-free parts around.
fn complement(part: &mut [u8]) {
    for byte in part {
        *byte = !*byte;
    }
}
