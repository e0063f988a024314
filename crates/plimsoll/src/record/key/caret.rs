//! Refusals of a list of key columns that show the place, in the manner of a filter's.
//!
//! ```text
//!   key columns, character 7: there is no option 'down'; the options are asc, desc, ..
//!     price:down,id
//!           ^^^^
//! ```
//!
//! Promises: three lines whatever was sent; of a long list only the surroundings of the place.
//! Never: a control character of the stranger's text in a message.

use std::fmt;
use std::ops::Range;

/// Characters shown before and after the place.
const AROUND_CHARS: usize = 30;
/// Characters of the place itself that are shown.
const PLACE_CHARS_MAX: usize = 40;

/// The message that refuses the part `span` of `spec`. Spans lie on character boundaries.
pub(super) fn show(spec: &str, span: &Range<usize>, what: impl fmt::Display) -> String {
    let before = &spec[..span.start];
    let characters = before.chars().count();
    let skipped = characters.saturating_sub(AROUND_CHARS);
    let place: String = spec[span.start..span.end].chars().take(PLACE_CHARS_MAX).collect();
    let after = &spec[span.start + place.len()..];

    let dots = |cut: bool| if cut { "…" } else { "" };
    let line: String = dots(skipped > 0)
        .chars()
        .chain(before.chars().skip(skipped))
        .chain(place.chars())
        .chain(after.chars().take(AROUND_CHARS))
        .chain(dots(after.chars().nth(AROUND_CHARS).is_some()).chars())
        .map(visible)
        .collect();
    format!(
        "key columns, character {}: {what}\n  {line}\n  {}{}",
        characters + 1,
        " ".repeat(characters - skipped + usize::from(skipped > 0)),
        "^".repeat(place.chars().count().max(1)),
    )
}

/// One column on the terminal, or at least nothing that moves the cursor.
fn visible(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
