//! Refusals that show the place.
//!
//! ```text
//!   filter, character 14: there is no column 'prise'; the columns are id, price
//!     id = 1 and prise > 10
//!                ^^^^^
//! ```
//!
//! One for all that a person writes on one line: filters, lists of measures, key columns.
//!
//! Promises: three lines whatever was sent; of a long text only the surroundings of the place.
//! Never: a control character of the stranger's text in a message.

use std::ops::Range;

use crate::error::{Error, ErrorKind};

/// Bytes of a text.
pub(crate) type Span = Range<usize>;

/// A text that is read, and what a refusal calls it: a filter, a list of measures, key columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'t> {
    pub(crate) text: &'t str,
    pub(crate) noun: &'static str,
}

/// Characters shown before and after the place.
const AROUND_CHARS: usize = 30;
/// Characters of the place itself that are shown.
const PLACE_CHARS_MAX: usize = 40;

/// Refuses the part `span` of `source`. Spans lie on character boundaries.
pub(crate) fn refuse(kind: ErrorKind, source: Source<'_>, span: &Span, what: &str) -> Error {
    let Source { text, noun } = source;
    let before = &text[..span.start];
    let skipped = before.chars().count().saturating_sub(AROUND_CHARS);
    let place: String = text[span.start..span.end].chars().take(PLACE_CHARS_MAX).collect();
    let after_start = span.start + place.len();

    let mut line = String::new();
    if skipped > 0 {
        line.push('…');
    }
    line.extend(before.chars().skip(skipped));
    let indent = line.chars().count();
    line.push_str(&place);
    line.extend(text[after_start..].chars().take(AROUND_CHARS));
    if text[after_start..].chars().nth(AROUND_CHARS).is_some() {
        line.push('…');
    }
    let line: String = line.chars().map(visible).collect();

    let message = format!(
        "{noun}, character {}: {what}\n  {line}\n  {}{}",
        before.chars().count() + 1,
        " ".repeat(indent),
        "^".repeat(place.chars().count().max(1)),
    );
    match kind {
        ErrorKind::TooLarge => Error::too_large(message),
        _ => Error::invalid(message),
    }
}

/// One column on the terminal, or at least nothing that moves the cursor.
fn visible(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
