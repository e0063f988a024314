//! The store's error: a coarse kind, a sentence, and what would help.
//!
//! Promises: a kind says what the caller does; the sentence names table, column or file.
//! Never: a status code, or text of a database engine as the whole message.

use std::fmt;

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Wrong input: correct it.
    Invalid,
    /// No such resource or row.
    NotFound,
    /// The write contradicts what is there (unique, foreign key, check).
    Conflict,
    /// The row is not at the version the caller expected.
    Stale,
    /// What was claimed is another's by now: stop, and write nothing more about it.
    Fenced,
    /// The idempotency key was used for a different request.
    KeyReused,
    /// The sort has no index: create the one named in [`Error::remedy`].
    Unindexed,
    /// No index finds what is searched for: run [`Error::remedy`], where there is one.
    Unsearchable,
    /// A stated bound was exceeded.
    TooLarge,
    /// The database's plan for a query costs more than is allowed: ask for less.
    TooCostly,
    /// Busy, locked or over a time limit: try again later.
    Busy,
    /// The budget refused bytes.
    OutOfBudget,
    /// The disk is full: free space, then try again. Nothing acknowledged was lost.
    DiskFull,
    /// Damaged data, or a file that is not a database.
    Corrupt,
    /// The store is read-only.
    ReadOnly,
    /// The role that is acted as lacks a right, or cannot be acted as: grant it.
    Denied,
    /// The store has stopped: it is closing, or a failed flush poisoned it.
    Stopped,
    /// The device or the database failed.
    Io,
}

/// An error with its sentence and, where there is one, the text that mends it.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
    remedy: Option<Box<str>>,
}

impl Error {
    /// An error of `kind`.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, message: message.into(), remedy: None }
    }

    /// Wrong input.
    #[must_use]
    pub fn invalid(message: impl Into<Box<str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Adds the text that mends it, e.g. the CREATE INDEX to run.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Box<str>>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// What the caller does about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The text that mends it, ready to run.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl From<plimsoll::Error> for Error {
    fn from(error: plimsoll::Error) -> Self {
        let full = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|source| source.kind() == std::io::ErrorKind::StorageFull);
        let kind = match error.kind() {
            plimsoll::ErrorKind::Invalid => ErrorKind::Invalid,
            plimsoll::ErrorKind::TooLarge => ErrorKind::TooLarge,
            plimsoll::ErrorKind::OutOfBudget => ErrorKind::OutOfBudget,
            plimsoll::ErrorKind::Corrupt => ErrorKind::Corrupt,
            plimsoll::ErrorKind::Io if full => ErrorKind::DiskFull,
            // A stopped read is told as a read that did not finish.
            plimsoll::ErrorKind::Io | plimsoll::ErrorKind::Stopped => ErrorKind::Io,
        };
        Self::new(kind, error.to_string())
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

impl std::error::Error for Error {}
