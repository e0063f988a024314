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
    if let Some(rule) = broken_rule(&Told::from(told)) {
        return Error::new(ErrorKind::Conflict, format!("{what}: {rule}"));
    }
    let (kind, help) = classify(told);
    let help = if help.is_empty() { String::new() } else { format!("; {help}") };
    Error::new(kind, format!("{what}: {}{help}", told.message()))
}

/// As [`explain`], where values are written: one that is none of its column's type contradicts the
/// table as a broken rule does.
pub(super) fn explain_write(what: &str, error: &tokio_postgres::Error) -> Error {
    if let Some(told) = error.as_db_error()
        && *told.code() == SqlState::READ_ONLY_SQL_TRANSACTION
    {
        let why = format!("{what}: {}; the primary takes writes", told.message());
        return Error::new(ErrorKind::ReadOnly, why);
    }
    let explained = explain(what, error);
    match (explained.kind(), error.code()) {
        (ErrorKind::Invalid, Some(code)) if code.code().starts_with("22") => {
            Error::new(ErrorKind::Conflict, explained.to_string())
        }
        _ => explained,
    }
}

/// What the server told of a rule that does not hold.
struct Told<'a> {
    code: &'a SqlState,
    message: &'a str,
    column: Option<&'a str>,
    constraint: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> From<&'a DbError> for Told<'a> {
    fn from(told: &'a DbError) -> Self {
        Self {
            code: told.code(),
            message: told.message(),
            column: told.column(),
            constraint: told.constraint(),
            detail: told.detail(),
        }
    }
}

/// The rule that a row breaks, in the words that hold for every database.
fn broken_rule(told: &Told<'_>) -> Option<String> {
    let constraint = told.constraint.unwrap_or(told.message);
    Some(match *told.code {
        SqlState::UNIQUE_VIOLATION => match told.detail.and_then(key_columns) {
            Some(names) => format!("a row with the same {names} is already there"),
            None => format!("a row that is the same under {constraint} is already there"),
        },
        SqlState::EXCLUSION_VIOLATION => {
            format!("a row that excludes it under {constraint} is already there")
        }
        SqlState::NOT_NULL_VIOLATION => {
            format!("{} must have a value", told.column.unwrap_or(told.message))
        }
        SqlState::CHECK_VIOLATION => format!("the rule does not hold: {constraint}"),
        SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => {
            "it refers to a row that is not there, or other rows refer to it".to_owned()
        }
        // A trigger of the app's refuses it.
        SqlState::RAISE_EXCEPTION => told.message.to_owned(),
        _ => return None,
    })
}

/// The columns in `Key (a, "B")=(1, 2) already exists.`, whatever language it is said in; their
/// values stand behind.
fn key_columns(detail: &str) -> Option<String> {
    let (names, _values) = detail.split_once(")=(")?;
    let (_, names) = names.split_once('(')?;
    let names = names.split(", ").map(|name| {
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        bare.map_or_else(|| name.to_owned(), |bare| bare.replace("\"\"", "\""))
    });
    Some(names.collect::<Vec<_>>().join(", "))
}

/// Whether the connection is of no use any more. It is also where a statement finds the transaction
/// before it aborted: its commit was cancelled, e.g. for a replica's recovery.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none_or(|told| {
        let code = told.code();
        code.code().starts_with("57P")
            || code.code().starts_with("08")
            || *code == SqlState::IN_FAILED_SQL_TRANSACTION
    })
}

/// Whether a statement was ended before it was done, as its time limit does.
pub(super) fn is_cut_short(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::QUERY_CANCELED)
}

fn classify(told: &DbError) -> (ErrorKind, &'static str) {
    let code = told.code();
    let is = |states: &[SqlState]| states.contains(code);
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        return (ErrorKind::Busy, "another process holds it; try again");
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
        return (ErrorKind::Denied, "grant the role that is used the right it lacks");
    }
    // A role that is not there is found where a value of a setting is checked. The routine's name
    // is the same in every language; no other statement sets what is checked there.
    if *code == SqlState::INVALID_PARAMETER_VALUE
        && told.routine() == Some("call_string_check_hook")
    {
        return (ErrorKind::Denied, "make the role, and grant it to the one that connects");
    }
    if *code == SqlState::IN_FAILED_SQL_TRANSACTION {
        return (ErrorKind::Busy, "try again");
    }
    if is(&[SqlState::READ_ONLY_SQL_TRANSACTION]) {
        // What is read may call a function that writes.
        return (ErrorKind::Invalid, "what is read may not write");
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(code: &'a SqlState, detail: Option<&'a str>) -> Told<'a> {
        let (column, constraint) = (Some("title"), Some("rule"));
        Told { code, message: "said", column, constraint, detail }
    }

    #[test]
    fn a_broken_rule_is_said_as_by_every_database() {
        let unique = SqlState::UNIQUE_VIOLATION;
        let same = |names: &str| Some(format!("a row with the same {names} is already there"));
        for (detail, names) in [
            ("Key (isbn)=(a)=(b)) already exists.", "isbn"),
            ("Key (a, \"B\"\"c\")=(1, (2)) already exists.", "a, B\"c"),
            ("Schlüssel »(isbn)=(x)« existiert bereits.", "isbn"),
        ] {
            assert_eq!(broken_rule(&told(&unique, Some(detail))), same(names), "{detail}");
        }
        let cases = [
            (unique, "a row that is the same under rule is already there"),
            (SqlState::NOT_NULL_VIOLATION, "title must have a value"),
            (SqlState::CHECK_VIOLATION, "the rule does not hold: rule"),
            (
                SqlState::FOREIGN_KEY_VIOLATION,
                "it refers to a row that is not there, or other rows refer to it",
            ),
            (SqlState::RAISE_EXCEPTION, "said"),
        ];
        for (code, said) in cases {
            assert_eq!(broken_rule(&told(&code, None)).as_deref(), Some(said));
        }
        assert_eq!(broken_rule(&told(&SqlState::DISK_FULL, None)), None);
    }
}
