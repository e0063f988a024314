//! A filter's text to tokens, one at a time.
//!
//! ```text
//!   price>=2.55 AND name='O''Neill'
//!   └─┬─┘└┤└─┬┘ └┬┘ └┬─┘│└────┬───┘
//!    Name │ Number│ Name │   Text "O'Neill"
//!   GreaterEqual Keyword(And) Equal
//! ```
//!
//! Promises: every byte of the text belongs to one token, to white space or to a refusal.
//! Never: a copy of text without a doubled quote in it.

use std::borrow::Cow;

use crate::caret::{Source, Span, refuse};
use crate::error::{Error, ErrorKind, Result, excerpt};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Between,
    False,
    In,
    Is,
    Not,
    Null,
    Or,
    True,
}

impl Keyword {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        [
            ("and", Self::And),
            ("between", Self::Between),
            ("false", Self::False),
            ("in", Self::In),
            ("is", Self::Is),
            ("not", Self::Not),
            ("null", Self::Null),
            ("or", Self::Or),
            ("true", Self::True),
        ]
        .into_iter()
        .find_map(|(name, keyword)| word.eq_ignore_ascii_case(name).then_some(keyword))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    Keyword(Keyword),
    /// An unquoted name: a column, or a function before `(`.
    Name(&'t str),
    /// A quoted name: always a column.
    Quoted(Cow<'t, str>),
    Number(&'t str),
    Text(Cow<'t, str>),
    Bytes(Vec<u8>),
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Open,
    Close,
    Comma,
    End,
}

#[derive(Debug)]
pub(super) struct Lexer<'t> {
    source: Source<'t>,
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(source: Source<'t>) -> Self {
        Self { source, text: source.text, at: 0 }
    }

    /// The next token and its place; [`Token::End`] for ever at the end.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, Span)> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        self.at = start;
        let bytes = self.text.as_bytes();
        let token = match bytes.get(start).copied() {
            None => Token::End,
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_') => self.word()?,
            Some(b'0'..=b'9') => self.number()?,
            Some(b'.') if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) => self.number()?,
            Some(b'\'') => Token::Text(self.quoted('\'', "text")?),
            Some(b'"') => Token::Quoted(self.quoted('"', "name")?),
            Some(_) => self.symbol()?,
        };
        Ok((token, start..self.at))
    }

    fn refuse(&self, span: Span, what: &str) -> Error {
        refuse(ErrorKind::Invalid, self.source, &span, what)
    }

    /// End of the run of bytes from `from` that `belongs`; such bytes are ASCII.
    fn run_end(&self, from: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let rest = &self.text.as_bytes()[from..];
        from + rest.iter().take_while(|byte| belongs(**byte)).count()
    }

    fn word(&mut self) -> Result<Token<'t>> {
        let start = self.at;
        self.at = self.run_end(start, |b| b.is_ascii_alphanumeric() || b == b'_');
        let word = &self.text[start..self.at];
        if word.eq_ignore_ascii_case("x") && self.text.as_bytes().get(self.at) == Some(&b'\'') {
            let digits = self.quoted('\'', "bytes literal")?;
            let bytes = unhex(&digits).ok_or_else(|| {
                self.refuse(start..self.at, "bytes are pairs of hexadecimal digits, as x'00ff'")
            })?;
            return Ok(Token::Bytes(bytes));
        }
        Ok(match Keyword::from_word(word) {
            Some(keyword) => Token::Keyword(keyword),
            None => Token::Name(word),
        })
    }

    fn number(&mut self) -> Result<Token<'t>> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let digit = |b: u8| b.is_ascii_digit();
        let mut end = self.run_end(start, digit);
        let mut complete = true;
        if bytes.get(end) == Some(&b'.') {
            let fraction = end + 1;
            end = self.run_end(fraction, digit);
            complete = end > fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = end + 1 + sign;
            end = self.run_end(exponent, digit);
            complete &= end > exponent;
        }
        let glued = self.run_end(end, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        self.at = glued;
        if !complete || glued > end {
            return Err(self.refuse(
                start..glued,
                "this is not a number; numbers are written 10, 2.55 or 1e3",
            ));
        }
        Ok(Token::Number(&self.text[start..end]))
    }

    /// What stands between two `quote`s, the doubled ones halved.
    fn quoted(&mut self, quote: char, what: &str) -> Result<Cow<'t, str>> {
        let open = self.at;
        let mut end = open + 1;
        let mut doubled = false;
        loop {
            let Some(found) = self.text[end..].find(quote) else {
                return Err(self.refuse(
                    open..self.text.len(),
                    &format!("this {what} has no closing {quote}"),
                ));
            };
            end += found;
            if !self.text[end + 1..].starts_with(quote) {
                break;
            }
            doubled = true;
            end += 2;
        }
        self.at = end + 1;
        let inner = &self.text[open + 1..end];
        if inner.contains('\0') {
            return Err(
                self.refuse(open..self.at, &format!("a {what} cannot hold the character NUL"))
            );
        }
        if doubled {
            let pair: String = [quote, quote].iter().collect();
            return Ok(Cow::Owned(inner.replace(&pair, quote.encode_utf8(&mut [0; 4]))));
        }
        Ok(Cow::Borrowed(inner))
    }

    fn symbol(&mut self) -> Result<Token<'t>> {
        let rest = &self.text[self.at..];
        for (spelling, token) in [
            ("==", Err("write = for equality")),
            ("!=", Ok(Token::NotEqual)),
            ("<>", Ok(Token::NotEqual)),
            ("<=", Ok(Token::LessEqual)),
            (">=", Ok(Token::GreaterEqual)),
            ("&&", Err("write and")),
            ("||", Err("write or, as in a = 1 or b = 2")),
            ("=", Ok(Token::Equal)),
            ("<", Ok(Token::Less)),
            (">", Ok(Token::Greater)),
            ("+", Ok(Token::Plus)),
            ("-", Ok(Token::Minus)),
            ("*", Ok(Token::Star)),
            ("/", Ok(Token::Slash)),
            ("%", Ok(Token::Percent)),
            ("(", Ok(Token::Open)),
            (")", Ok(Token::Close)),
            (",", Ok(Token::Comma)),
            ("!", Err("write not, or != for inequality")),
        ] {
            if rest.starts_with(spelling) {
                let start = self.at;
                self.at += spelling.len();
                return token.map_err(|what| self.refuse(start..self.at, what));
            }
        }
        let stray: String = rest.chars().take(1).collect();
        Err(self.refuse(
            self.at..self.at + stray.len(),
            &format!(
                "'{}' means nothing here; a column with such a name is written \"in quotes\", \
                 text 'in single ones'",
                excerpt(&stray)
            ),
        ))
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |byte: u8| (byte as char).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}
