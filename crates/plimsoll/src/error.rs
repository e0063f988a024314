//! The library's error: a coarse kind the caller acts on, and a sentence for a person.
//!
//! Promises: the sentence says what was attempted, on what, and what to do now.
//! Never: a status code, or a kind per message.

use std::fmt;

use crate::budget::Refusal;

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input is wrong: correct it; the same call fails again.
    Invalid,
    /// A stated bound was exceeded: send less, or raise that bound.
    TooLarge,
    /// The budget refused: free what the holders hold, wait, or raise the limit.
    OutOfBudget,
    /// What was read is damaged or is not what its type says: restore it.
    Corrupt,
    /// The device failed: see the system's message.
    Io,
    /// Somebody asked the work to stop; what it had begun is gone.
    Stopped,
}

/// An error with its sentence and, where there is one, its cause.
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
    refusal: Option<Box<Refusal>>,
    source: Option<std::io::Error>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into(), refusal: None, source: None }
    }

    /// An error of a kind that another one had.
    pub(crate) fn of_kind(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self::new(kind, message)
    }

    /// Wrong input.
    #[must_use]
    pub fn invalid(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// A stated bound was exceeded.
    #[must_use]
    pub fn too_large(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::TooLarge, message)
    }

    /// A budget refused, and its refusal came here as a sentence; where the refusal is at hand,
    /// the error is made from it.
    #[must_use]
    pub fn out_of_budget(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::OutOfBudget, message)
    }

    /// Damaged data.
    #[must_use]
    pub fn corrupt(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// The device failed while doing `what`.
    #[must_use]
    pub fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        let mut error = Self::new(ErrorKind::Io, format!("{what}: {source}"));
        error.source = Some(source);
        error
    }

    /// Somebody asked the work to stop.
    #[must_use]
    pub fn stopped() -> Self {
        Self::new(ErrorKind::Stopped, "stopped as asked; nothing was left behind")
    }

    /// The same with the input it is about before its sentence, where it is about an input.
    pub(crate) fn of_input(mut self, name: &dyn fmt::Display) -> Self {
        if matches!(self.kind, ErrorKind::Invalid | ErrorKind::TooLarge) {
            self.message = format!("{name}, {}", self.message).into();
        }
        self
    }

    /// What the caller does about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The budget's refusal, where that is the cause.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_deref()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::new(ErrorKind::OutOfBudget, refusal.to_string());
        error.refusal = Some(Box::new(refusal));
        error
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}

/// The first characters of a stranger's text, safe to put into a message or a log line.
#[must_use]
pub fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut out: String =
        text.chars().take(CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}
