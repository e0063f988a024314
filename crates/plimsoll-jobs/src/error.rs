//! The crate's error: a coarse kind and a sentence.
//!
//! Promises: a kind says what the caller does about it; the sentence names the job or the kind.
//! Never: a status code.

use std::fmt;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong input: correct it.
    Invalid,
    /// No such job, batch or worker.
    NotFound,
    /// The job is in a state in which that cannot be done.
    Conflict,
    /// The lease is another's by now: stop, and write nothing more.
    LeaseLost,
    /// It can never fit into the memory there is.
    TooLarge,
    /// The store refused or failed, in its own words.
    Store(plimsoll_store::ErrorKind),
}

/// An error with its sentence.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
}

impl Error {
    /// An error of `kind`.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Wrong input.
    #[must_use]
    pub fn invalid(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// What the caller does about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<plimsoll_store::Error> for Error {
    fn from(error: plimsoll_store::Error) -> Self {
        let kind = match error.kind() {
            plimsoll_store::ErrorKind::Fenced => ErrorKind::LeaseLost,
            plimsoll_store::ErrorKind::Invalid => ErrorKind::Invalid,
            other => ErrorKind::Store(other),
        };
        Self::new(kind, error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
