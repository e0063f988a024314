//! The kind `system.prune`: removes jobs that are over for long.
//!
//! ```text
//!   payload {"older_than_ms": 0}   a week where it says nothing
//!   each turn: 500 jobs and their errors go, and the checkpoint counts them, in one transaction
//! ```
//!
//! Promises: a kill in the middle removes nothing twice in the count; jobs that failed stay.
//! Never: a job that is not over, or this one.

use plimsoll::record::Value;
use serde::{Deserialize, Serialize};

use crate::cadence::Cadence;
use crate::error::ErrorKind;
use crate::handler::{Ending, JobError};
use crate::job::{Fields, JobId, Progress};
use crate::queue::{int, own};
use crate::run::Run;
use crate::statements as sql;

/// Its name.
pub const PRUNE: &str = "system.prune";
/// Jobs that go in one transaction.
const AT_A_TIME: usize = 500;
/// Kept this long where the payload says nothing: as long as a worker keeps them.
const KEEP_MS: u64 = 7 * 86_400_000;

/// What is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// Jobs that were over for so long before this one began.
    #[serde(default = "keep_ms")]
    pub older_than_ms: u64,
}

fn keep_ms() -> u64 {
    KEEP_MS
}

/// How far it is.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Pruned {
    before_micros: i64,
    removed: u64,
}

/// Does one such job.
pub(crate) fn prune(run: &mut Run<'_>) -> Result<Ending, JobError> {
    let asked: Prune = run.payload()?;
    run.set_cadence(Cadence::Items(1));
    let age = i64::try_from(asked.older_than_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let begun =
        || Pruned { before_micros: run.queue().now_micros().saturating_sub(age), removed: 0 };
    let mut pruned: Pruned = run.checkpoint()?.unwrap_or_else(begun);
    loop {
        let params = vec![Value::Int(pruned.before_micros), int(AT_A_TIME)];
        let old: Vec<JobId> = run
            .queue()
            .read(&sql::OLD, params, AT_A_TIME, |rows| {
                rows.into_iter().map(|row| Fields::of(row).int()).collect()
            })
            .wait()?;
        if old.is_empty() {
            let result = serde_json::json!({ "removed": pruned.removed }).to_string();
            return Ok(Ending::Done { effects: Vec::new(), result: Some(result.into()) });
        }
        let ids: Vec<String> = old.iter().map(ToString::to_string).collect();
        let ids = Value::Text(ids.join(",").into());
        let effects =
            vec![own(&sql::REMOVE_MANY, vec![ids.clone()]), own(&sql::REMOVE_ERRORS, vec![ids])];
        pruned.removed += old.len() as u64;
        let progress = Progress { done: pruned.removed, total: None, unit: Some("jobs".into()) };
        let checkpoint = serde_json::to_string(&pruned)
            .map_err(|e| crate::Error::new(ErrorKind::Invalid, e.to_string()))?;
        if run.save(effects, &checkpoint, &progress)?.is_some() {
            return Ok(Ending::Stopped);
        }
    }
}
