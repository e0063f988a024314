//! The kinds of jobs that are Plimsoll's own, and what they take.
//!
//! ```text
//!   system.prune   removes jobs that are over for long      asked for by whoever enqueues
//!   sql.run        runs SQL over a table, range by range    at the shell alone: it may do all
//! ```
//!
//! Promises: every worker of Plimsoll knows all of them; what does not fit one is never enqueued.
//! Never: a kind of somebody else's below one of these names.

use serde::de::DeserializeOwned;

use crate::dataset::DATASET;
use crate::error::{Error, Result};
use crate::handler::{Declared, Registry};
use crate::job::Trying;
use crate::prune::{self, PRUNE, Prune};
use crate::refreshing::REFRESH;
use crate::sql_job::{SQL_KIND, SqlJob, SqlRunner};
use crate::warming::{WARM, WARM_PERIOD, WARMED};

/// Kinds that begin so run SQL that somebody wrote.
const SQL: &str = "sql.";
/// Others of Plimsoll's own.
const SYSTEM: &str = "system.";
/// A day for one attempt: over a large table the ranges of 20 ms take hours, and a statement that
/// hangs is ended by the database's own time for one.
const SQL_TIMEOUT_MS: u64 = 86_400_000;

/// Adds the kinds that every worker of Plimsoll knows.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] where one of them is there already.
pub fn add_own_kinds(registry: &mut Registry) -> Result<()> {
    // They go on from their checkpoints as often as they must, behind what is in a hurry.
    let declared = Declared { queue: "low", ..Declared::default() };
    registry.add(PRUNE, declared, prune::prune)?;
    let trying = Trying { timeout_ms: SQL_TIMEOUT_MS, ..declared.trying };
    registry.add(SQL_KIND, Declared { trying, ..declared }, SqlRunner)
}

/// Whether only Plimsoll's own kinds are called so.
///
/// ```
/// assert!(plimsoll_jobs::is_own("system.prune") && plimsoll_jobs::is_own("sql.run"));
/// assert!(!plimsoll_jobs::is_own("mail.send"));
/// ```
#[must_use]
pub fn is_own(kind: &str) -> bool {
    kind.starts_with(SYSTEM) || is_sql(kind)
}

/// The kinds that Plimsoll does itself, where they are registered. Nobody else is given one of
/// them: neither who pulls, nor a program that takes all kinds.
pub const OWN_KINDS: [&str; 13] = [
    PRUNE,
    SQL_KIND,
    WARM,
    WARM_PERIOD,
    WARMED,
    REFRESH,
    DATASET,
    "http.push",
    "report.generate",
    "report.expire",
    "import",
    "bulk.update",
    "intake.expire",
];

/// These beside others that are left out.
pub(crate) fn and_own(others: &[Box<str>], but: &[Box<str>]) -> Vec<Box<str>> {
    let own = OWN_KINDS.into_iter().map(Box::from).filter(|kind| !but.contains(kind));
    others.iter().cloned().chain(own).collect()
}

/// Whether jobs of the kind run SQL that somebody wrote.
#[must_use]
pub fn is_sql(kind: &str) -> bool {
    kind.starts_with(SQL)
}

/// Whether the payload is one of that kind; any fits a kind that is not Plimsoll's own.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with what is wrong, also for an own kind that there is not.
pub fn check_own(kind: &str, payload: &str) -> Result<()> {
    match kind {
        PRUNE => read::<Prune>(kind, payload).map(drop),
        SQL_KIND => read::<SqlJob>(kind, payload)?.check().map_err(Error::invalid),
        _ if is_own(kind) => {
            let near = plimsoll_store::nearest(kind, [PRUNE, SQL_KIND]);
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let text = format!(
                "there is no kind {kind:?}{near} Those that begin with '{SYSTEM}' or '{SQL}' are \
                 Plimsoll's own: {PRUNE}, {SQL_KIND}"
            );
            Err(Error::invalid(text))
        }
        _ => Ok(()),
    }
}

fn read<T: DeserializeOwned>(kind: &str, payload: &str) -> Result<T> {
    let wrong = |e| Error::invalid(format!("the payload is not one of {kind}: {e}"));
    serde_json::from_str(payload).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_does_not_fit_an_own_kind_is_refused_and_any_fits_another() {
        for (kind, payload, expected) in [
            (PRUNE, "{\"older_than_ms\": \"a\"}", "not one of system.prune"),
            (SQL_KIND, "{}", "not one of sql.run"),
            (SQL_KIND, "{\"sql\": \"delete from a\", \"table\": \"a\", \"key\": \"id\"}", ":after"),
            ("sql.rum", "{}", "did you mean sql.run?"),
            ("system.", "{}", "system.prune, sql.run"),
        ] {
            let error = check_own(kind, payload).expect_err(payload).to_string();
            assert!(error.contains(expected), "{error}");
        }
        check_own("sqlite", "1").expect("somebody else's");
        check_own(PRUNE, "{}").expect("fits");
    }
}
