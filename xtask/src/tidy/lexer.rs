//! Just enough of Rust's grammar to tell code, strings and comments apart.
//!
//! Promises: every byte of the text lies in one token or is white space; strings (raw, byte, C),
//! characters, lifetimes and nested comments are told apart, so that a brace in a string is none.
//! Never: a full parser; a text that is not Rust yields some tokens, not an error.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Ident,
    Number,
    Str,
    Char,
    Lifetime,
    /// `// ..` and `/* .. */`.
    Comment,
    /// `///`, `//!`, `/** */` and `/*! */`.
    Doc,
    Punct,
}

/// A piece of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// Line it begins on, counted from 1.
    pub(super) line: usize,
}

impl Token<'_> {
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.kind, TokenKind::Comment | TokenKind::Doc)
    }

    pub(super) fn line_end(&self) -> usize {
        self.line + self.text.matches('\n').count()
    }
}

/// The tokens of a file.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            line += usize::from(first == '\n');
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(rest, first);
        let text = &rest[..length];
        found.push(Token { kind, text, line });
        line += text.matches('\n').count();
        at += length;
    }
    found
}

fn token(rest: &str, first: char) -> (TokenKind, usize) {
    if rest.starts_with("//") {
        let length = rest.find('\n').unwrap_or(rest.len());
        let doc = rest.starts_with("//!") || (rest.starts_with("///") && !rest.starts_with("////"));
        let kind = if doc { TokenKind::Doc } else { TokenKind::Comment };
        return (kind, length);
    }
    if rest.starts_with("/*") {
        let doc = rest.starts_with("/**") || rest.starts_with("/*!");
        let kind = if doc { TokenKind::Doc } else { TokenKind::Comment };
        return (kind, block_comment(rest));
    }
    if let Some(length) = string(rest) {
        return (TokenKind::Str, length);
    }
    if first == '\'' {
        return quote(rest);
    }
    if first.is_ascii_digit() {
        return (TokenKind::Number, word(rest));
    }
    if first == '_' || first.is_alphabetic() {
        return (TokenKind::Ident, word(rest));
    }
    (TokenKind::Punct, first.len_utf8())
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len())
}

fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => {
                depth += 1;
                at += 2;
            }
            b"*/" => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of the string literal `rest` begins with: `"`, `b"`, `c"`, `r"`, `br#"` and so on.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r')).unwrap_or(0);
    if prefix > 2 {
        return None;
    }
    let raw = rest[..prefix].ends_with('r');
    let hashes = rest[prefix..].bytes().take_while(|b| *b == b'#').count();
    let open = prefix + hashes;
    if !rest[open..].starts_with('"') || (hashes > 0 && !raw) {
        return None;
    }
    if raw {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = &rest[open + 1..];
        let length = body.find(&close).map(|at| open + 1 + at + close.len());
        return Some(length.unwrap_or(rest.len()));
    }
    Some(escaped(rest, open, b'"'))
}

/// End of a literal whose quote stands at `open`, past the closing quote.
fn escaped(rest: &str, open: usize, quote: u8) -> usize {
    let bytes = rest.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character literal or a lifetime: `'a'` closes after one character, `'a` does not.
fn quote(rest: &str) -> (TokenKind, usize) {
    let mut chars = rest[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => (TokenKind::Char, escaped(rest, 0, b'\'')),
        (Some(c), Some('\'')) => (TokenKind::Char, 2 + c.len_utf8()),
        _ => (TokenKind::Lifetime, 1 + word(&rest[1..])),
    }
}
