//! PostgreSQL's SQLSTATEs to the store's kinds.
//!
//! Promises: what a lost connection, a conflict, a limit or a missing right gives has a kind.
//! Never: the server's words alone, or its detail, which may hold values of other rows; what was
//! attempted comes first.

use tokio_postgres::error::{DbError, SqlState};

use crate::error::{Error, ErrorKind};

/// Explains what happened while doing `what`.
pub(super) fn explain(what: &str, error: &tokio_postgres::Error) -> Error {
    let Some(told) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(|e| format!(": {e}")).unwrap_or_default();
        return Error::new(
            ErrorKind::Busy,
            format!("{what}: the connection to PostgreSQL failed: {error}{cause}; try again"),
        );
    };
    let (kind, help) = classify(told);
    let help = if help.is_empty() { String::new() } else { format!("; {help}") };
    Error::new(kind, format!("{what}: {}{help}", told.message()))
}

/// Whether the connection is of no use any more.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none_or(|told| {
        let code = told.code();
        code.code().starts_with("57P") || code.code().starts_with("08")
    })
}

fn classify(told: &DbError) -> (ErrorKind, &'static str) {
    let code = told.code();
    let is = |states: &[SqlState]| states.contains(code);
    if is(&[SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION])
        || is(&[SqlState::CHECK_VIOLATION, SqlState::NOT_NULL_VIOLATION])
        || is(&[SqlState::EXCLUSION_VIOLATION, SqlState::RESTRICT_VIOLATION])
    {
        return (ErrorKind::Conflict, "");
    }
    if *code == SqlState::QUERY_CANCELED {
        return if told.message().contains("statement timeout") {
            (ErrorKind::Busy, "the time limit was reached")
        } else {
            (ErrorKind::Busy, "try again")
        };
    }
    if is(&[SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN])
        || is(&[SqlState::UNDEFINED_OBJECT, SqlState::DATATYPE_MISMATCH])
        || *code == SqlState::UNDEFINED_FUNCTION
    {
        return (
            ErrorKind::Corrupt,
            "the schema was changed since it was looked at: reload the catalogue",
        );
    }
    if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        return (ErrorKind::ReadOnly, "grant the role that is used the right it lacks");
    }
    if is(&[SqlState::READ_ONLY_SQL_TRANSACTION]) {
        return (ErrorKind::ReadOnly, "");
    }
    match &code.code()[..2] {
        // Numbers out of range, text that is no value of the column's type.
        "22" => (ErrorKind::Invalid, ""),
        // Serialisation, deadlocks, and a standby that has to replay.
        "40" | "55" | "57" | "08" => (ErrorKind::Busy, "try again"),
        "53" => match *code {
            SqlState::DISK_FULL => (ErrorKind::DiskFull, "free space there and try again"),
            SqlState::TOO_MANY_CONNECTIONS => {
                (ErrorKind::Busy, "all of the server's connections are in use; try again")
            }
            _ => (ErrorKind::Busy, "try again"),
        },
        "54" => (ErrorKind::TooLarge, ""),
        "28" | "3D" => (ErrorKind::Io, "check the user, the password and the database's name"),
        "XX" => (ErrorKind::Corrupt, "see the server's log"),
        _ => (ErrorKind::Io, ""),
    }
}
