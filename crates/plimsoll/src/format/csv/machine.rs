//! Where one CSV record ends and where its fields lie.
//!
//! ```text
//!             other                       other, ""
//!            ┌─────┐                      ┌───┐
//!            v     │   " at field start   v   │     "
//!   start ─> Bare ─┴────────────────────> Quoted ──────> Closed
//!            │ ^ ^                          ^              │ │
//!            │ │ └── other (stray text) ────│──────────────┘ │
//!            │ └──── delimiter ─────────────│──────────────┐ │
//!      LF,CR │                              └────── " ─────┴─┤ LF, CR
//!            v                                               v
//!          record ends; after CR one more byte is looked at: LF belongs to it
//! ```
//!
//! A quote inside a bare field is an ordinary character. Text behind a closing quote is reported
//! as stray and the record still ends at its line end, so that one bad record costs one record.
//!
//! Promises: the same fields however the bytes arrive; it stops where they end and goes on there.
//! Never: a copy of a byte.

use super::super::record::{Form, Span};
use super::super::scan::{STEP, equal, first, splat, word};

/// What looking at some bytes came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The record goes on behind them.
    More,
    /// A record of `text` bytes; the next one begins at `taken`.
    Record { text: usize, taken: usize },
    /// The input ended inside quotes.
    Unterminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Bare,
    Quoted,
    /// Behind a quote inside quotes, at `Machine::at`: closed, or the first of two.
    Closed,
    /// Behind a CR that ended a record of so many bytes.
    Return(usize),
}

pub(super) struct Machine {
    delimiter: u8,
    state: State,
    /// Bytes of the record looked at.
    at: usize,
    field_start: usize,
    /// Fields up to `fields_max`; [`Machine::fields`] counts on.
    pub(super) spans: Vec<Span>,
    fields_max: usize,
    pub(super) fields: usize,
    /// The field being read holds doubled quotes.
    doubled: bool,
    /// Line breaks inside quotes so far.
    pub(super) breaks: u64,
    /// Line breaks before the last opening quote.
    pub(super) breaks_before_quote: u64,
    /// First field with text behind its closing quote.
    pub(super) stray: Option<usize>,
}

impl Machine {
    pub(super) fn new(delimiter: u8, fields_max: usize) -> Self {
        Self {
            delimiter,
            state: State::Bare,
            at: 0,
            field_start: 0,
            spans: Vec::with_capacity(fields_max),
            fields_max,
            fields: 0,
            doubled: false,
            breaks: 0,
            breaks_before_quote: 0,
            stray: None,
        }
    }

    /// Forgets the record.
    pub(super) fn reset(&mut self) {
        self.state = State::Bare;
        self.at = 0;
        self.field_start = 0;
        self.spans.clear();
        self.fields = 0;
        self.doubled = false;
        self.breaks = 0;
        self.breaks_before_quote = 0;
        self.stray = None;
    }

    /// Whether an opening quote waits for its closing one.
    pub(super) fn in_quotes(&self) -> bool {
        self.state == State::Quoted
    }

    /// Looks at the record's bytes from its first on; those seen before are not looked at again.
    pub(super) fn run(&mut self, bytes: &[u8], at_end: bool) -> Outcome {
        loop {
            let outcome = match self.state {
                State::Bare => self.bare(bytes, at_end),
                State::Quoted => self.quoted(bytes, at_end),
                State::Closed => self.closed(bytes, at_end),
                State::Return(text) => match bytes.get(text + 1) {
                    None if !at_end => Some(Outcome::More),
                    next => {
                        let taken = text + 1 + usize::from(next == Some(&b'\n'));
                        Some(Outcome::Record { text, taken })
                    }
                },
            };
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// The bulk of every file: bare fields, eight bytes at a time. `None` at a change of state.
    fn bare(&mut self, bytes: &[u8], at_end: bool) -> Option<Outcome> {
        let delimiter = splat(self.delimiter);
        let mut base = self.at;
        loop {
            let (word, whole) = word(bytes, base);
            let mut hits = equal(word, delimiter)
                | equal(word, const { splat(b'\n') })
                | equal(word, const { splat(b'\r') })
                | equal(word, const { splat(b'"') });
            while hits != 0 {
                let here = base + first(hits);
                hits &= hits - 1;
                let byte = bytes[here];
                if byte == self.delimiter {
                    self.push_bare(here);
                    self.field_start = here + 1;
                } else if byte == b'\n' {
                    self.push_bare(here);
                    let (text, taken) = (here, here + 1);
                    return Some(Outcome::Record { text, taken });
                } else if byte == b'\r' {
                    self.push_bare(here);
                    self.state = State::Return(here);
                    return None;
                } else if here == self.field_start {
                    self.state = State::Quoted;
                    self.breaks_before_quote = self.breaks;
                    self.at = here + 1;
                    return None;
                }
            }
            if !whole {
                break;
            }
            base += STEP;
        }
        self.at = bytes.len();
        if !at_end {
            return Some(Outcome::More);
        }
        let text = bytes.len();
        self.push_bare(text);
        Some(Outcome::Record { text, taken: text })
    }

    fn quoted(&mut self, bytes: &[u8], at_end: bool) -> Option<Outcome> {
        while let Some(ahead) = memchr::memchr3(b'"', b'\n', b'\r', &bytes[self.at..]) {
            let here = self.at + ahead;
            self.at = here + 1;
            match bytes[here] {
                b'"' => {
                    self.state = State::Closed;
                    return None;
                }
                // The LF of a CR LF was counted with its CR.
                b'\n' if bytes[here - 1] == b'\r' => {}
                _ => self.breaks += 1,
            }
        }
        self.at = bytes.len();
        Some(if at_end { Outcome::Unterminated } else { Outcome::More })
    }

    fn closed(&mut self, bytes: &[u8], at_end: bool) -> Option<Outcome> {
        let text = self.at;
        let Some(&byte) = bytes.get(text) else {
            if !at_end {
                return Some(Outcome::More);
            }
            self.push_quoted(text - 1);
            return Some(Outcome::Record { text, taken: text });
        };
        self.state = State::Bare;
        self.at = text + 1;
        match byte {
            b'"' => {
                self.doubled = true;
                self.state = State::Quoted;
            }
            b'\n' => {
                self.push_quoted(text - 1);
                return Some(Outcome::Record { text, taken: text + 1 });
            }
            b'\r' => {
                self.push_quoted(text - 1);
                self.state = State::Return(text);
            }
            _ if byte == self.delimiter => {
                self.push_quoted(text - 1);
                self.field_start = self.at;
            }
            _ => {
                self.stray.get_or_insert(self.fields);
                self.doubled = false;
            }
        }
        None
    }

    #[inline]
    fn push_bare(&mut self, end: usize) {
        let form = if end == self.field_start { Form::Null } else { Form::Raw };
        self.push(self.field_start, end, form);
    }

    /// The field between the quote at its start and the one at `end`.
    fn push_quoted(&mut self, end: usize) {
        let form = if self.doubled { Form::Decoded } else { Form::Raw };
        self.push(self.field_start + 1, end, form);
        self.doubled = false;
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, form: Form) {
        self.fields += 1;
        if self.spans.len() < self.fields_max {
            self.spans.push(Span::new(start, end, form));
        }
    }
}
