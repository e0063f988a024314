//! Walks a table as a pack says, range by range.
//!
//! ```text
//!   [[dataset]] orders: table, key, rows = 100, SQL with :after and :upto
//!   job dataset.process {"dataset": "orders"} ─> 100 rows + checkpoint ─> commit ─> the next 100
//! ```
//!
//! Promises: what is done to a row and the checkpoint behind it are one transaction, so that a kill
//! redoes no row; what is done is the pack's own SQL and nobody else's.
//! Never: SQL out of a payload.

use std::sync::Arc;

use plimsoll_store::catalogue::Dataset;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::handler::{Declared, Ending, JobError, Registry};
use crate::job::Trying;
use crate::run::Run;
use crate::sql_job::{SqlJob, walk};

/// The kind.
pub const DATASET: &str = "dataset.process";
/// An attempt is asked to stop after this long, and goes on from its checkpoint.
const TIMEOUT_MS: u64 = 86_400_000;

/// The payload.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    dataset: Box<str>,
}

/// Adds the kind, over the datasets of a pack.
///
/// # Errors
/// Where it is there already.
pub fn add_datasets(registry: &mut Registry, datasets: Arc<[Dataset]>) -> Result<()> {
    let trying = Trying { timeout_ms: TIMEOUT_MS, ..Trying::default() };
    let declared = Declared { queue: "low", trying, ..Declared::default() };
    registry.add(DATASET, declared, move |run: &mut Run<'_>| process(&datasets, run))
}

/// Whether a payload names one of the datasets.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with those there are.
pub fn check_dataset(datasets: &[Dataset], payload: &str) -> Result<()> {
    let asked: Asked = serde_json::from_str(payload)
        .map_err(|e| Error::invalid(format!("the payload is not one of {DATASET}: {e}")))?;
    find(datasets, &asked.dataset).map(drop)
}

fn find<'d>(datasets: &'d [Dataset], name: &str) -> Result<&'d Dataset> {
    datasets.iter().find(|dataset| &*dataset.name == name).ok_or_else(|| {
        let names: Vec<&str> = datasets.iter().map(|dataset| &*dataset.name).collect();
        let near = plimsoll_store::nearest(name, names.iter().copied());
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::invalid(format!("there is no dataset {name:?}{near} There are: {names}"))
    })
}

fn process(datasets: &[Dataset], run: &mut Run<'_>) -> std::result::Result<Ending, JobError> {
    let asked: Asked = run.payload()?;
    let dataset =
        find(datasets, &asked.dataset).map_err(|error| JobError::hopeless(error.to_string()))?;
    let job = SqlJob {
        sql: (*dataset.sql).into(),
        table: dataset.table.clone(),
        key: dataset.key.clone(),
        rows: Some(dataset.rows),
        replica_lag_max_ms: None,
    };
    let Some(walked) = walk(run, &job)? else { return Ok(Ending::Stopped) };
    let result = serde_json::json!({
        "dataset": dataset.name,
        "processed": walked.rows,
        "checkpoints": walked.ranges,
        "last_id": walked.last,
    });
    Ok(Ending::Done { effects: Vec::new(), result: Some(result.to_string().into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_that_there_is_not_is_refused_with_those_there_are() {
        let dataset = |name: &str| Dataset {
            name: name.into(),
            table: "t".into(),
            key: "id".into(),
            rows: 100,
            sql: ":after :upto".into(),
        };
        let datasets = [dataset("orders"), dataset("activity")];
        check_dataset(&datasets, "{\"dataset\": \"orders\"}").expect("there");
        for (payload, expected) in [
            ("{\"dataset\": \"order\"}", "did you mean orders?"),
            ("{\"dataset\": \"zzz\"}", "There are: orders, activity"),
            ("{}", "not one of dataset.process"),
            ("{\"dataset\": \"orders\", \"sql\": \"drop table t\"}", "unknown field"),
        ] {
            let error = check_dataset(&datasets, payload).expect_err(payload).to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            check_dataset(&[], "{\"dataset\": \"a\"}")
                .expect_err("none")
                .to_string()
                .contains("none")
        );
    }
}
