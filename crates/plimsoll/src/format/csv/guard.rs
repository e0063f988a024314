//! The formula guard: text that a spreadsheet would run is written so that it does not.
//!
//! ```text
//!   text                         written                  read back
//!   q apostrophes, then f...     q+1 apostrophes, f...    one apostrophe less
//!   anything else                unchanged                unchanged
//!
//!   f is one of  = + - @ TAB CR LF NUL  and the fullwidth  ＝ ＋ － ＠
//! ```
//!
//! Both directions look at the same shape, "apostrophes, then a formula character". The guard only
//! ever adds one apostrophe to that shape and the reader only takes one from it, so the two are
//! inverse on every text, also on one that already began with an apostrophe.
//!
//! Promises: `unguard(guard(text)) == text` for every text.
//! Never: a change to a number.

/// Whether `text` is apostrophes (at least `apostrophes_min`) and then a formula character.
#[inline]
fn has_shape(text: &str, apostrophes_min: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(&first) = bytes.first() else {
        return false;
    };
    // Nearly every text begins with a letter or a digit, and ends here.
    if first.is_ascii_alphanumeric() {
        return false;
    }
    let quotes = bytes.iter().take_while(|b| **b == b'\'').count();
    if quotes < apostrophes_min {
        return false;
    }
    matches!(
        &bytes[quotes..],
        [b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n' | 0, ..]
            // U+FF1D, U+FF0B, U+FF0D and U+FF20 in UTF-8.
            | [0xef, 0xbc, 0x9d | 0x8b | 0x8d | 0xa0, ..]
    )
}

/// What to write before `text`: an apostrophe or nothing.
///
/// ```
/// use plimsoll::format::{guard, unguard};
/// assert_eq!(guard("=1+1"), "'");
/// assert_eq!(guard("tea"), "");
/// assert_eq!(unguard("'=1+1"), "=1+1");
/// assert_eq!(unguard("'tea'"), "'tea'");
/// ```
#[must_use]
#[inline]
pub fn guard(text: &str) -> &'static str {
    if has_shape(text, 0) { "'" } else { "" }
}

/// The text without the apostrophe [`guard`] asked for.
#[must_use]
#[inline]
pub fn unguard(text: &str) -> &str {
    if has_shape(text, 1) { &text[1..] } else { text }
}
