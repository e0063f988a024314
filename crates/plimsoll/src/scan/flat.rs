//! NDJSON's usual line: an object without nesting, escapes or loose white space.
//!
//! ```text
//!   {"id":7,"name":"tea","gone":null}     read here, by comparing with the names expected next
//!   {"id":7,"tags":["a"]}                 not read here: the parser takes the line from its start
//! ```
//!
//! Promises: what is read here is what the parser would read.
//! Never: a refusal; whatever is not flat is left to the parser, which says what is wrong.

use std::ops::Range;

use memchr::memchr2;

use super::ndjson::{Form, Slot, position};
use super::sniff::number;

/// The names as they stand in a line, `"name":`, by column.
pub(super) struct Flat {
    /// `None` for a name that needs escapes.
    tokens: Box<[Option<Box<[u8]>>]>,
}

impl Flat {
    pub(super) fn new(columns: &[Box<str>]) -> Self {
        let token = |name: &str| {
            let plain = name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
            plain.then(|| format!("\"{name}\":").into_bytes().into())
        };
        Self { tokens: columns.iter().map(|name| token(name)).collect() }
    }

    /// Reads the object `segment[start..end]` into the slots of the columns needed. `None` where
    /// it is not flat; some slots may be filled then.
    pub(super) fn read(
        &self,
        segment: &[u8],
        (start, end): (usize, usize),
        columns: &[Box<str>],
        needed: &[bool],
        slots: &mut [Slot],
    ) -> Option<()> {
        if !(segment[start..end].starts_with(b"{\"") && segment[start..end].ends_with(b"}")) {
            return None;
        }
        let object = &segment[..end - 1];
        let (mut at, mut expected) = (start + 1, 0);
        loop {
            let (column, behind) = self.name(object, at, columns, expected)?;
            let (form, value, next) = value(object, behind)?;
            if let Some(column) = column.filter(|column| needed[*column]) {
                let text = &object[value.clone()];
                let fresh = slots[column] == Slot::ABSENT;
                if !fresh || !(text.is_ascii() || std::str::from_utf8(text).is_ok()) {
                    return None;
                }
                slots[column] = Slot::new(value.start, value.end, form);
            }
            expected = column.map_or(expected, |column| column + 1);
            match &object[next..] {
                [] => return Some(()),
                [b',', b' ', ..] => at = next + 2,
                [b',', ..] => at = next + 1,
                _ => return None,
            }
        }
    }

    /// The column of the name at `at` and where its value begins.
    #[inline]
    fn name(
        &self,
        object: &[u8],
        at: usize,
        columns: &[Box<str>],
        expected: usize,
    ) -> Option<(Option<usize>, usize)> {
        let token = self.tokens.get(expected).and_then(Option::as_deref);
        let (column, colon) = match token.filter(|token| object[at..].starts_with(token)) {
            Some(token) => (Some(expected), at + token.len()),
            None => {
                let end = string(object, at)?;
                let name = std::str::from_utf8(&object[at + 1..end]).ok()?;
                if object.get(end + 1) != Some(&b':') {
                    return None;
                }
                (position(columns, name, expected), end + 2)
            }
        };
        Some((column, colon + usize::from(object.get(colon) == Some(&b' '))))
    }
}

/// The value at `at`: how it stands there, where its text lies, and what comes behind it.
#[inline]
fn value(object: &[u8], at: usize) -> Option<(Form, Range<usize>, usize)> {
    match object.get(at)? {
        b'"' => {
            let end = string(object, at)?;
            Some((Form::Text, at + 1..end, end + 1))
        }
        b'-' | b'0'..=b'9' => {
            let in_number =
                |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
            let end = at + object[at..].iter().take_while(in_number).count();
            number(&object[at..end])?;
            Some((Form::Bare, at..end, end))
        }
        _ => {
            let words = [(&b"null"[..], Form::Null), (b"true", Form::Bare), (b"false", Form::Bare)];
            let (word, form) =
                words.into_iter().find(|(word, _)| object[at..].starts_with(word))?;
            Some((form, at..at + word.len(), at + word.len()))
        }
    }
}

/// Where the string that begins with the quote at `at` ends: its closing quote. `None` for one
/// with escapes or control characters, and for anything else.
#[inline]
fn string(object: &[u8], at: usize) -> Option<usize> {
    let inside = object[at..].strip_prefix(b"\"")?;
    let length = memchr2(b'"', b'\\', inside)?;
    let plain = inside[length] == b'"' && inside[..length].iter().all(|byte| *byte >= b' ');
    plain.then_some(at + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::Flat;
    use crate::expr::testing::Random;
    use crate::scan::ndjson::{Slot, parse_slots};

    const PARTS: [&str; 24] = [
        "{\"",
        "{",
        "}",
        "\"a\":",
        "\"b\":",
        "\"c\":",
        "\"d\":",
        ",",
        ", ",
        " ",
        "1",
        "-2.50",
        "01",
        "1e5",
        "null",
        "true",
        "\"\"",
        "\"x\"",
        "\"\u{e9}\"",
        "\"\\n\"",
        "[1]",
        "{\"a\":1}",
        "\"\t\"",
        "\"q",
    ];

    /// An object that is mostly right, so that both outcomes are met.
    fn line(random: &mut Random) -> String {
        let mut line = String::from("{");
        for member in 0..random.below(5) {
            line.push_str(if member > 0 { "," } else { "" });
            line.push_str(PARTS[3 + random.below(4)]);
            line.push_str(PARTS[10 + random.below(10)]);
        }
        line.push('}');
        if random.below(3) == 0 {
            let at = random.below(line.len() + 1);
            if line.is_char_boundary(at) {
                line.insert_str(at, PARTS[random.below(PARTS.len())]);
            }
        }
        line
    }

    #[test]
    fn what_is_read_here_is_what_the_parser_reads() {
        let columns: Vec<Box<str>> = ["a", "b", "c"].map(Into::into).into();
        let needed = [true, false, true];
        let flat = Flat::new(&columns);
        let mut random = Random::new(31);
        let mut read = 0;
        for _ in 0..20_000 {
            let line = line(&mut random);
            let mut slots = [Slot::ABSENT; 3];
            let bytes = line.as_bytes();
            if flat.read(bytes, (0, bytes.len()), &columns, &needed, &mut slots).is_none() {
                continue;
            }
            read += 1;
            let mut expected = [Slot::ABSENT; 3];
            parse_slots(bytes, &columns, &needed, &mut expected).expect(&line);
            assert_eq!(slots, expected, "{line}");
        }
        assert!((5_000..19_000).contains(&read), "{read}: one of the outcomes is hardly met");
    }
}
