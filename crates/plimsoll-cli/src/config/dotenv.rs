//! The grammar of a `.env` file.
//!
//! ```text
//!   line   = [ "export" ] NAME "=" value [ "#" comment ]   |   "#" comment   |   (empty)
//!   value  = 'as it is, also over lines'
//!          | "with \n \r \t \" \\ \$, also over lines"
//!          | up to the end of the line, or to a "#" after a blank
//! ```
//!
//! Promises: every line is looked at; a line that is no assignment is handed on as one with a
//! reason, for the caller to judge whether it is ours.
//! Never: substitution: a value of ours that asks for it is an error, not half a value.

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment<'a> {
    /// Counted from 1; the line the name stands on.
    pub(super) line: usize,
    /// The variable.
    pub(super) name: &'a str,
    /// Its value, or why it has none.
    pub(super) value: Result<String, &'static str>,
}

/// All assignments of a file, in order.
pub(super) fn parse(text: &str) -> Vec<Assignment<'_>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (assignment, taken) = statement(rest, line);
        found.extend(assignment);
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    found
}

/// The assignment at the start of `rest`, if there is one, and the bytes up to the next line.
fn statement(rest: &str, line: usize) -> (Option<Assignment<'_>>, usize) {
    let line_end = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let whole = rest[..line_end].trim();
    let start = match whole.strip_prefix("export") {
        Some(after) if after.starts_with([' ', '\t']) => after.trim_start(),
        _ => whole,
    };
    let name_len = start.find(|c: char| !is_name(c)).unwrap_or(start.len());
    let (name, after) = start.split_at(name_len);
    if name.is_empty() {
        return (None, line_end);
    }
    let Some(value) = after.trim_start().strip_prefix('=') else {
        let value = Err("has no '='");
        return (Some(Assignment { line, name, value }), line_end);
    };
    let value = value.trim_start();
    let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'');
    let Some(quote) = quote else {
        return (Some(Assignment { line, name, value: plain(value) }), line_end);
    };
    // Found again in `rest`, since a quoted value may go on over the end of the line.
    let opened = rest.find('=').map_or(rest.len(), |at| at + 1);
    let opened = opened + rest[opened..].find(quote).map_or(0, |at| at + 1);
    let Some((value, closed)) = quoted(&rest[opened..], quote) else {
        let value = Err("has a quote that is never closed");
        return (Some(Assignment { line, name, value }), line_end);
    };
    let closed = opened + closed;
    let end = rest[closed..].find('\n').map_or(rest.len(), |at| closed + at + 1);
    let after = rest[closed..end].trim();
    let value = if after.is_empty() || after.starts_with('#') {
        value
    } else {
        Err("has text after its closing quote")
    };
    (Some(Assignment { line, name, value }), end)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn plain(value: &str) -> Result<String, &'static str> {
    let mut end = value.len();
    let mut blank = true;
    for (at, c) in value.char_indices() {
        if c == '#' && blank {
            end = at;
            break;
        }
        blank = c.is_whitespace();
    }
    whole(value[..end].trim_end().to_owned(), value[..end].contains("${"))
}

/// The value up to the closing quote and the bytes up to and including it, or `None` where there
/// is no closing quote.
fn quoted(text: &str, quote: char) -> Option<(Result<String, &'static str>, usize)> {
    let mut value = String::new();
    let mut substitutes = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some((whole(value, substitutes), at + 1)),
            '\\' if quote == '"' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$') => value.push(c),
                other => value.extend(['\\', other]),
            },
            c => {
                substitutes |= quote == '"' && c == '$' && text[at..].starts_with("${");
                value.push(c);
            }
        }
    }
    None
}

fn whole(value: String, substitutes: bool) -> Result<String, &'static str> {
    if substitutes {
        Err("has a ${..}, which is not replaced here; write it out")
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn read(text: &str) -> Vec<(usize, String, Result<String, &'static str>)> {
        parse(text).into_iter().map(|a| (a.line, a.name.to_owned(), a.value)).collect()
    }

    fn one(text: &str) -> Result<String, &'static str> {
        let mut all = read(text);
        assert_eq!(all.len(), 1, "{text:?}: {all:?}");
        all.remove(0).2
    }

    #[test]
    fn every_form_of_a_value_is_read() {
        for (text, value) in [
            ("A=1", "1"),
            ("A=", ""),
            ("A = two words \t", "two words"),
            ("export A=1", "1"),
            ("  export\tA=1\r\n", "1"),
            ("\u{feff}A=1", "1"),
            ("A=a#b", "a#b"),
            ("A=a #b", "a"),
            ("A= # none", ""),
            ("A=#none", ""),
            ("A=a=b", "a=b"),
            ("A='a \\n $b ${c} # d' # e", "a \\n $b ${c} # d"),
            ("A=\"a\\n\\\"b\\\" \\$ \\\\ \\x # c\"", "a\n\"b\" $ \\ \\x # c"),
            ("A=\"one\ntwo\"", "one\ntwo"),
            ("A='one\r\ntwo'", "one\r\ntwo"),
            ("A=\"\\${b}\"", "${b}"),
            ("A=it's", "it's"),
            ("exporter=1", "1"),
            ("export=1", "1"),
            ("A='='", "="),
        ] {
            assert_eq!(one(text).as_deref(), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_assignment_comes_with_a_reason_or_not_at_all() {
        for (text, reason) in [
            ("A", "has no '='"),
            ("export A", "has no '='"),
            ("A: 1", "has no '='"),
            ("A='1", "has a quote that is never closed"),
            ("A=\"1\\\"", "has a quote that is never closed"),
            ("A=\"1\\", "has a quote that is never closed"),
            ("A='1'2", "has text after its closing quote"),
            ("A=${B}", "has a ${..}, which is not replaced here; write it out"),
            ("A=\"a${B}\"", "has a ${..}, which is not replaced here; write it out"),
        ] {
            assert_eq!(one(text), Err(reason), "{text:?}");
        }
        for text in ["", "\n\r\n", "# A=1", "  # A=1\n", "=1", "[section]", "\u{1F980}=1"] {
            assert_eq!(read(text), [], "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_through_quotes_and_open_quotes_lose_one_line_only() {
        let text = "# first\nA='x\ny'\nB=\"open\nC=3\n\nD=4";
        let lines: Vec<_> = read(text).into_iter().map(|(l, n, v)| (l, n, v.is_ok())).collect();
        let expected = [(2, "A", true), (4, "B", false), (5, "C", true), (7, "D", true)]
            .map(|(l, n, ok)| (l, n.to_owned(), ok));
        assert_eq!(lines, expected);
    }
}
