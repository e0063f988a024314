//! The parts of an SQL text that mean nothing to whoever looks for names in it: what stands in
//! quotes, and comments.
//!
//! Promises: a text that is not closed goes to the end; `::` is a cast, and no name.
//! Never: a judgement about the statement; the database makes that.

/// One part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token<'t> {
    /// To be left as it is.
    Text(&'t str),
    /// A quoted text or a comment, with what it is quoted by.
    Quoted(&'t str),
    /// `:name`, without the colon.
    Name(&'t str),
    /// The end of a statement.
    Semicolon,
}

/// The parts of `text` in order; [`Token::Text`] comes in pieces of any length.
pub(crate) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let begins_name = |c: char| c.is_ascii_alphabetic() || c == '_';
        let quoted = quoted_bytes(rest);
        let length = match (first, quoted) {
            (';', _) => 1,
            (':', _) if rest.starts_with("::") => 2,
            (':', _) if rest[1..].starts_with(begins_name) => 1 + name_bytes(&rest[1..]),
            (_, Some(length)) => length,
            (_, None) => plain_bytes(rest),
        };
        let (taken, behind) = rest.split_at(length);
        rest = behind;
        Some(match taken.strip_prefix(':') {
            Some(name) if name.starts_with(begins_name) => Token::Name(name),
            _ if first == ';' => Token::Semicolon,
            _ if quoted.is_some() => Token::Quoted(taken),
            _ => Token::Text(taken),
        })
    })
}

/// A word, so that the `e` of `e'..'` is told from that of `the'..'`; else one character.
fn plain_bytes(rest: &str) -> usize {
    match name_bytes(rest) {
        0 => rest.chars().next().map_or(0, char::len_utf8),
        length => length,
    }
}

fn name_bytes(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Length of the quoted text or comment that `rest` begins with.
fn quoted_bytes(rest: &str) -> Option<usize> {
    let until = |end: &str, from: usize| {
        Some(rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len()))
    };
    match rest.as_bytes() {
        [b'e' | b'E', b'\'', ..] => Some(escaped_bytes(rest)),
        [b'\'', ..] => until("'", 1),
        [b'"', ..] => until("\"", 1),
        [b'-', b'-', ..] => until("\n", 2),
        [b'/', b'*', ..] => until("*/", 2),
        [b'$', ..] => {
            let tag = rest[1..].find('$')? + 2;
            let is_tag = rest[1..tag - 1].chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_tag.then(|| until(&rest[..tag], tag))?
        }
        _ => None,
    }
}

/// `e'it\'s'`: a backslash takes what follows it.
fn escaped_bytes(rest: &str) -> usize {
    let mut is_taken = false;
    let end = rest.bytes().enumerate().skip(2).find(|&(_, byte)| {
        let ends = byte == b'\'' && !is_taken;
        is_taken = byte == b'\\' && !is_taken;
        ends
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        let name = |token| match token {
            Token::Name(name) => Some(name),
            _ => None,
        };
        tokens(text).filter_map(name).collect()
    }

    #[test]
    fn names_are_found_and_what_is_quoted_is_left_alone() {
        let text =
            "select :a, x::text, ':b', \":c\", $$ :d $$, $t$ :e; $t$ -- :f ;\n, /* :g */ :h2";
        assert_eq!(names(text), ["a", "h2"]);
        assert_eq!(names(r"select e'it\'s :a', E'\\', :b, the':c', :d"), ["b", "d"]);
        assert_eq!(names("a[1:2], 'it''s :a' || :b"), ["b"]);
        assert_eq!(tokens("select 1; select ';'").filter(|t| *t == Token::Semicolon).count(), 1);
    }

    #[test]
    fn what_is_not_closed_goes_to_the_end_and_all_parts_make_the_text() {
        for text in ["'", "e'\\", "\"", "$a$ :b", "/* :b", "-- :b", "$", ":", "é:ü", "a'b'c"] {
            let whole: String = tokens(text)
                .map(|token| match token {
                    Token::Text(text) | Token::Quoted(text) => text.to_owned(),
                    Token::Name(name) => format!(":{name}"),
                    Token::Semicolon => ";".to_owned(),
                })
                .collect();
            assert_eq!(whole, text);
            assert!(names(text).is_empty(), "{text}");
        }
    }
}
