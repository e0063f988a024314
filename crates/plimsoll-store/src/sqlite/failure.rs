//! SQLite's result codes to the store's kinds.
//!
//! Promises: every code a full disk, a lock, a constraint or a damaged file can give has a kind.
//! Never: the engine's words alone; what was attempted comes first.

use rusqlite::ErrorCode;
use rusqlite::ffi;

use super::functions::{REFUSED, UNREADABLE};
use crate::error::{Error, ErrorKind};

/// Explains what happened while doing `what`.
pub(super) fn explain(what: &str, error: &rusqlite::Error) -> Error {
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = error
        && let Some(rule) = broken_rule(text)
    {
        return Error::new(ErrorKind::Conflict, format!("{what}: {rule}"));
    }
    let (kind, help) = classify(error);
    let help = if help.is_empty() { String::new() } else { format!("; {help}") };
    Error::new(kind, format!("{what}: {error}{help}"))
}

/// The rule that a row breaks, in words that hold for every database.
fn broken_rule(text: &str) -> Option<String> {
    let (rule, of) = text.split_once(" constraint failed")?;
    let of = of.trim_start_matches(": ");
    // Columns come as `table.column`, several parted by commas.
    let names: Vec<&str> = of.split(", ").map(|n| n.rsplit('.').next().unwrap_or(n)).collect();
    let names = names.join(", ");
    Some(match rule {
        "UNIQUE" => format!("a row with the same {names} is already there"),
        "NOT NULL" => format!("{names} must have a value"),
        "CHECK" => format!("the rule does not hold: {of}"),
        "FOREIGN KEY" => {
            "it refers to a row that is not there, or other rows refer to it".to_owned()
        }
        _ => return None,
    })
}

/// Whether a flush to the device failed: nothing may be written after that.
pub(super) fn is_failed_flush(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_extended_error_code();
    matches!(code, Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

fn classify(error: &rusqlite::Error) -> (ErrorKind, &'static str) {
    let Some(code) = error.sqlite_error_code() else {
        return (ErrorKind::Io, "");
    };
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = error {
        if text.starts_with(REFUSED) {
            return (ErrorKind::Invalid, "");
        }
        if text.starts_with(UNREADABLE) {
            return (ErrorKind::Corrupt, "");
        }
        if text == "integer overflow" {
            return (ErrorKind::TooLarge, "a sum leaves 64 bits: ask for a shorter range");
        }
        // An import into an empty table builds its indexes in the end.
        if text.starts_with("no such index") {
            return (ErrorKind::Busy, "it is being built; try again");
        }
    }
    match code {
        ErrorCode::ConstraintViolation => (ErrorKind::Conflict, ""),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (ErrorKind::Busy, "another process holds the database; try again")
        }
        ErrorCode::OperationInterrupted => (ErrorKind::Busy, "the time limit was reached"),
        ErrorCode::DiskFull => (ErrorKind::DiskFull, "free space and try again"),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, "name a SQLite file"),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, "restore it from a backup"),
        ErrorCode::ReadOnly => (ErrorKind::ReadOnly, ""),
        ErrorCode::TooBig => (
            ErrorKind::TooLarge,
            "a value or row is beyond the bound, which grows with the memory limit: leave large \
             columns out with fields=, or raise --memory",
        ),
        ErrorCode::OutOfMemory => (ErrorKind::OutOfBudget, "raise --memory"),
        ErrorCode::CannotOpen => (ErrorKind::Io, "check that it exists and may be read"),
        _ => (ErrorKind::Io, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::broken_rule;

    #[test]
    fn a_broken_rule_is_said_without_the_words_of_the_engine() {
        let cases = [
            ("UNIQUE constraint failed: t.a, t.b", "a row with the same a, b is already there"),
            ("NOT NULL constraint failed: t.a", "a must have a value"),
            ("CHECK constraint failed: a >= 0.5", "the rule does not hold: a >= 0.5"),
            (
                "FOREIGN KEY constraint failed",
                "it refers to a row that is not there, or other rows refer to it",
            ),
        ];
        for (text, said) in cases {
            assert_eq!(broken_rule(text).as_deref(), Some(said));
        }
        assert_eq!(broken_rule("database disk image is malformed"), None);
    }
}
