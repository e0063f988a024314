//! The text that names the columns of a key.
//!
//! ```text
//!   spec   = term ("," term)*
//!   term   = ["-"] name (":" option)*            -name is name:desc
//!   name   = anything without , : "  |  "anything, a quote as two"
//!   option = asc | desc | num | text | nulls-first | nulls-last      in any case
//! ```
//!
//! Blanks around names and options do not count.
//!
//! Promises: a refusal shows the place and lists what is allowed; at most [`SORT_TERMS_MAX`] terms
//! come out.
//! Never: a guess which of two options was meant.

use std::ops::Range;

use super::{KeyKind, Nulls};
use crate::caret::{self, Source};
use crate::error::{Error, ErrorKind, Result, excerpt};
use crate::limits::{NAME_BYTES_MAX, SORT_TERMS_MAX};

const OPTIONS: &str = "asc, desc, num, text, nulls-first and nulls-last";

/// One term as it was written; [`super::resolve`] finds its column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByTerm {
    /// Name of the column.
    pub column: Box<str>,
    /// Largest first.
    pub descending: bool,
    /// How to compare, where it was said.
    pub kind: Option<KeyKind>,
    /// Where NULL stands, where it was said.
    pub nulls: Option<Nulls>,
}

/// Reads the columns of a key, the most significant first.
///
/// ```
/// use plimsoll::record::key::{KeyKind, parse_by};
/// let terms = parse_by("price:desc:num, \"name, full\"")?;
/// assert!(terms[0].descending);
/// assert_eq!(terms[0].kind, Some(KeyKind::Number));
/// assert_eq!(&*terms[1].column, "name, full");
///
/// let refused = parse_by("price:down,id").unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "key columns, character 7: there is no option 'down'; \
///      the options are asc, desc, num, text, nulls-first and nulls-last\n  \
///      price:down,id\n        \
///            ^^^^"
/// );
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with the place where the text is not of the form above, names a
/// column twice or says one thing twice; [`crate::ErrorKind::TooLarge`] beyond [`SORT_TERMS_MAX`]
/// terms or for a name of more than [`NAME_BYTES_MAX`] bytes.
pub fn parse_by(spec: &str) -> Result<Vec<ByTerm>> {
    let mut reader = Reader { spec, at: 0 };
    reader.skip_blanks();
    if reader.rest().is_empty() {
        let what = format!(
            "no column is named; write column[:option].., with commas between columns; \
             the options are {OPTIONS}"
        );
        return Err(reader.refuse(&(0..0), what));
    }
    let mut terms: Vec<ByTerm> = Vec::new();
    loop {
        reader.skip_blanks();
        let start = reader.at;
        if terms.len() == SORT_TERMS_MAX {
            let what = format!("there are more than {SORT_TERMS_MAX} columns; leave out the rest");
            return Err(reader.refuse_size(&(start..start), what));
        }
        let (term, named) = reader.term()?;
        if terms.iter().any(|earlier| earlier.column == term.column) {
            let what = format!("column '{}' is named twice; name it once", excerpt(&term.column));
            return Err(reader.refuse(&named, what));
        }
        terms.push(term);
        if !reader.take(',') {
            return Ok(terms);
        }
    }
}

struct Reader<'a> {
    spec: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.spec[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.spec.len() - self.rest().trim_ascii_start().len();
    }

    fn take(&mut self, expected: char) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len_utf8() } else { 0 };
        found
    }

    /// What stands before the next of `ends`, without blanks around it.
    fn word(&mut self, ends: &[char]) -> (&'a str, Range<usize>) {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        let word = word.trim_ascii_end();
        (word, start..start + word.len())
    }

    /// A term and where its name stands.
    fn term(&mut self) -> Result<(ByTerm, Range<usize>)> {
        let minus = self.take('-');
        let (column, named) = self.name()?;
        if column.is_empty() {
            let what = "a column's name is missing; write column[:option]..";
            return Err(self.refuse(&named, what));
        }
        if column.len() > NAME_BYTES_MAX {
            let length = column.len();
            let what = format!("a name has at most {NAME_BYTES_MAX} bytes; this one has {length}");
            return Err(self.refuse_size(&named, what));
        }
        let mut options = Options { descending: minus.then_some(true), kind: None, nulls: None };
        self.skip_blanks();
        while self.take(':') {
            let (word, place) = self.word(&[',', ':']);
            options.set(word).map_err(|what| self.refuse(&place, what))?;
        }
        if !self.rest().is_empty() && !self.rest().starts_with(',') {
            let what = "after a name in quotes comes ':' with an option, ',' with the next column \
                        or the end; a quote within the name is written twice";
            let next = self.at..self.at + self.rest().chars().next().map_or(0, char::len_utf8);
            return Err(self.refuse(&next, what.to_owned()));
        }
        let descending = options.descending.unwrap_or(false);
        let Options { kind, nulls, .. } = options;
        Ok((ByTerm { column, descending, kind, nulls }, named))
    }

    fn name(&mut self) -> Result<(Box<str>, Range<usize>)> {
        self.skip_blanks();
        let start = self.at;
        if !self.take('"') {
            let (word, place) = self.word(&[',', ':']);
            if let Some(quote) = word.find('"') {
                let at = start + quote;
                let what = "a name with a quote is put into quotes as a whole, the quote doubled";
                return Err(self.refuse(&(at..at + 1), what));
            }
            return Ok((word.into(), place));
        }
        let mut name = String::new();
        loop {
            let Some(end) = self.rest().find('"') else {
                let what = "this quote has no end; write \" at the end of the name";
                return Err(self.refuse(&(start..start + 1), what));
            };
            name.push_str(&self.rest()[..end]);
            self.at += end + 1;
            if !self.take('"') {
                return Ok((name.into(), start..self.at));
            }
            name.push('"');
        }
    }

    fn source(&self) -> Source<'_> {
        Source { text: self.spec, noun: "key columns" }
    }

    fn refuse(&self, span: &Range<usize>, what: impl Into<String>) -> Error {
        caret::refuse(ErrorKind::Invalid, self.source(), span, &what.into())
    }

    fn refuse_size(&self, span: &Range<usize>, what: String) -> Error {
        caret::refuse(ErrorKind::TooLarge, self.source(), span, &what)
    }
}

/// What a term's options said so far.
struct Options {
    descending: Option<bool>,
    kind: Option<KeyKind>,
    nulls: Option<Nulls>,
}

impl Options {
    /// Takes one option, or says why not.
    fn set(&mut self, word: &str) -> Result<(), String> {
        let twice = |what, words| Err(format!("{what} is said twice; write one of {words}"));
        match word.to_ascii_lowercase().as_str() {
            direction @ ("asc" | "desc") => match self.descending.replace(direction == "desc") {
                Some(_) => twice("the direction", "-name, asc and desc"),
                None => Ok(()),
            },
            kind @ ("num" | "text") => {
                let number = kind == "num";
                match self.kind.replace(if number { KeyKind::Number } else { KeyKind::Text }) {
                    Some(_) => twice("how to compare", "num and text"),
                    None => Ok(()),
                }
            }
            nulls @ ("nulls-first" | "nulls-last") => {
                let first = nulls == "nulls-first";
                match self.nulls.replace(if first { Nulls::First } else { Nulls::Last }) {
                    Some(_) => twice("where NULL stands", "nulls-first and nulls-last"),
                    None => Ok(()),
                }
            }
            "" => Err(format!("an option is missing; the options are {OPTIONS}")),
            _ => Err(format!("there is no option '{}'; the options are {OPTIONS}", excerpt(word))),
        }
    }
}
