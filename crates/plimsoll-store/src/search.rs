//! What a client searches for: words that all have to be there.
//!
//! ```text
//!   tea  "green leaf"  -bags  kett*          parted by white space, in any order
//!   word  phrase       not    beginning
//! ```
//!
//! Everything else is text: no operator, parenthesis or column name of a database's own search
//! language means anything. What a word is, the index decides, of the rows and of this text alike.
//!
//! Promises: a text that was read has a word to look for, and is bounded in bytes and words.
//! Never: a database's words.

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll::limits::{SEARCH_BEGINNING_CHARACTERS_MIN, SEARCH_BYTES_MAX, SEARCH_WORDS_MAX};

use crate::error::{Error, Result};

/// What is searched for, read and bounded.
#[derive(Debug)]
pub struct Search {
    terms: Vec<Term>,
    /// Whether an earlier slice of this request found too much to gather.
    is_slow: AtomicBool,
}

/// One word or phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) text: Box<str>,
    pub(crate) kind: TermKind,
    /// It must not be there.
    pub(crate) is_absent: bool,
}

/// How a term is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermKind {
    /// As a word, or as the words it is cut into next to one another.
    Words,
    /// As what a word begins with.
    Beginning,
}

impl Search {
    /// Reads words that all have to be there, `"phrases"`, `-what` must not be there, and
    /// `beginnings*`. What has neither a letter nor a digit is passed over; a phrase that is not
    /// closed ends with the text.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a text that is too long, has too many words or none to
    /// look for, or a NUL character.
    ///
    /// ```
    /// use plimsoll_store::Search;
    /// assert!(Search::parse("tea \"green leaf\" -bags").is_ok());
    /// assert!(Search::parse("-bags").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > SEARCH_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a search has at most {SEARCH_BYTES_MAX} bytes, this one has {}",
                text.len()
            )));
        }
        if text.contains('\0') {
            return Err(Error::invalid("a search has no NUL character"));
        }
        let (mut terms, mut words) = (Vec::new(), 0);
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, behind) = term(rest)?;
            if let Some(term) = term {
                words += words_max(&term.text);
                if words > SEARCH_WORDS_MAX {
                    return Err(Error::invalid(format!(
                        "a search has at most {SEARCH_WORDS_MAX} words, those of phrases too"
                    )));
                }
                terms.push(term);
            }
            rest = behind.trim_start();
        }
        if terms.is_empty() {
            return Err(Error::invalid("a search names a word, of letters or digits"));
        }
        if terms.iter().all(|term| term.is_absent) {
            return Err(Error::invalid(
                "a search names a word that is there, beside those that are not",
            ));
        }
        Ok(Self { terms, is_slow: AtomicBool::new(false) })
    }

    /// The same text for the same search.
    #[must_use]
    pub fn canonical(&self) -> String {
        let words = self.terms.iter().map(|term| {
            let sign = if term.is_absent { "-" } else { "" };
            let star = if term.kind == TermKind::Beginning { "*" } else { "" };
            // A term has no quote within.
            format!("{sign}\"{}\"{star}", term.text)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether an earlier slice found that what matches cannot be gathered in time, or is too much.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// What matches cannot be gathered: later slices do not try.
    pub(crate) fn was_slow(&self) {
        self.is_slow.store(true, Ordering::Relaxed);
    }
}

/// The first term of a text that does not begin with white space, unless it says nothing, and what
/// stands behind it.
fn term(rest: &str) -> Result<(Option<Term>, &str)> {
    let (is_absent, rest) = match rest.strip_prefix('-') {
        Some(behind) => (true, behind),
        None => (false, rest),
    };
    let says = |text: &str| text.contains(char::is_alphanumeric);
    if let Some(phrase) = rest.strip_prefix('"') {
        let (text, behind) = phrase.split_once('"').unwrap_or((phrase, ""));
        let term = Term { text: text.trim().into(), kind: TermKind::Words, is_absent };
        return Ok((says(text).then_some(term), behind));
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len());
    let (text, behind) = rest.split_at(end);
    let Some(start) = text.strip_suffix('*').filter(|start| says(start)) else {
        let term = Term { text: text.into(), kind: TermKind::Words, is_absent };
        return Ok((says(text).then_some(term), behind));
    };
    let is_plain = start.chars().all(char::is_alphanumeric);
    if !is_plain || start.chars().count() < SEARCH_BEGINNING_CHARACTERS_MIN {
        return Err(Error::invalid(format!(
            "'{}*' cannot be searched for: what stands in front of a * is at least \
             {SEARCH_BEGINNING_CHARACTERS_MIN} letters and digits, and nothing else",
            plimsoll::error::excerpt(start)
        )));
    }
    Ok((Some(Term { text: start.into(), kind: TermKind::Beginning, is_absent }), behind))
}

/// As how many words an index may read a text at most. Of letters that not every tokenizer knows as
/// such, any may part two words.
fn words_max(text: &str) -> usize {
    let (mut words, mut in_word) = (0, false);
    for c in text.chars() {
        let goes_on = c.is_alphanumeric() && (is_known(c) || !in_word);
        words += usize::from(goes_on && !in_word);
        in_word = goes_on;
    }
    words
}

/// Whether a letter or digit is one to every tokenizer: of Latin, Greek or Cyrillic.
fn is_known(c: char) -> bool {
    matches!(c, '\0'..='\u{24f}' | '\u{386}'..='\u{481}' | '\u{48a}'..='\u{4ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        Search::parse(text).map_or_else(|e| format!("! {e}"), |search| search.canonical())
    }

    #[test]
    fn words_phrases_absences_and_beginnings_are_told_apart() {
        for (text, meant) in [
            ("tea", "\"tea\""),
            ("  tea \t kettle\n", "\"tea\" \"kettle\""),
            ("\"green  leaf\" -bags -\"no tea\"", "\"green  leaf\" -\"bags\" -\"no tea\""),
            ("kett* -whit*", "\"kett\"* -\"whit\"*"),
            ("tea\"green leaf\"x", "\"tea\" \"green leaf\" \"x\""),
            ("tea OR (name:x) NEAR/2", "\"tea\" \"OR\" \"(name:x)\" \"NEAR/2\""),
            ("tea & | ! ** - \"\" \"--\" 🙂", "\"tea\""),
            ("\"not closed", "\"not closed\""),
            ("T-LIGHT 85123A o'clock", "\"T-LIGHT\" \"85123A\" \"o'clock\""),
            ("--tea x", "-\"-tea\" \"x\""),
            ("茶".repeat(30).leak(), format!("\"{}\"", "茶".repeat(30)).leak()),
            ("naïve 茶 ЧАЙ", "\"naïve\" \"茶\" \"ЧАЙ\""),
        ] {
            assert_eq!(read(text), meant, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_searched_for_is_refused_with_the_reason() {
        let many = "w ".repeat(SEARCH_WORDS_MAX + 1);
        for (text, reason) in [
            ("", "names a word"),
            (" \t ", "names a word"),
            ("& | ! \" *", "names a word"),
            ("-tea", "that is there"),
            ("te*", "at least 3"),
            ("a.bc* x", "nothing else"),
            ("a\0b", "NUL"),
            (&many, "at most 16 words"),
            (&format!("\"{}\"", "a b ".repeat(9)), "those of phrases too"),
            (&"a-".repeat(17), "at most 16 words"),
            (&"aⓐ".repeat(33), "at most 16 words"),
            (&"x".repeat(SEARCH_BYTES_MAX + 1), "at most 256 bytes"),
        ] {
            let said = read(text);
            assert!(said.starts_with("! ") && said.contains(reason), "{text}: {said}");
        }
    }
}
