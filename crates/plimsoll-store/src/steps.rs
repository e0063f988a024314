//! Steps of a pack: SQL cut into ranges, each its own transaction with its checkpoint.
//!
//! ```text
//!   state "steps"/identity = {"step": 2, "after": 40000}
//!   step 2, range (40000, 60000] ─> WriteUnit { SQL, state {"step": 2, "after": 60000} } ─> commit
//! ```
//!
//! Promises: after a kill the next run goes on behind the last committed range; a step that is one
//! transaction happened wholly or not at all.
//! Never: a table's name of its own.

use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::record::Value;
use serde::{Deserialize, Serialize};

use crate::catalogue::{Step, StepBatch};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::write::{Priority, Write, WriteUnit};

/// The kind of state that steps keep.
pub const KIND: &str = "steps";

/// How far the steps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    step: usize,
    /// Ranges up to here are done; `None` before the first.
    after: Option<i64>,
}

/// What is shown while steps run.
#[derive(Clone, Copy, Debug)]
pub struct StepProgress<'a> {
    /// The step's title.
    pub title: &'a str,
    /// Which of how many, from 1.
    pub step: usize,
    /// How many.
    pub steps: usize,
    /// Units of it done.
    pub done: u64,
    /// Units of it.
    pub total: u64,
}

/// Steps to run.
pub struct StepRun<'a> {
    /// The steps.
    pub steps: &'a [Step],
    /// Values for the SQL's named parameters.
    pub params: &'a [(Box<str>, Value)],
    /// Names this run for resuming.
    pub identity: Box<str>,
    /// What the writer takes as now, microseconds UTC.
    pub now_micros: i64,
}

/// Runs the steps from where an earlier run of the same identity stopped.
///
/// # Errors
/// [`ErrorKind::Conflict`] with the message of a check that found a row; what the store gives.
pub fn run(
    store: &Store,
    run: &StepRun<'_>,
    progress: &mut dyn FnMut(&StepProgress<'_>) -> ControlFlow<()>,
) -> Result<()> {
    let mut mark: Mark = match store.state(KIND, &run.identity).wait()? {
        Some(json) => serde_json::from_str(&json).map_err(|e| {
            Error::new(ErrorKind::Corrupt, format!("the steps' checkpoint cannot be read: {e}"))
        })?,
        None => Mark::default(),
    };
    while let Some(step) = run.steps.get(mark.step) {
        if one(store, run, step, &mut mark, progress)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn one(
    store: &Store,
    run: &StepRun<'_>,
    step: &Step,
    mark: &mut Mark,
    progress: &mut dyn FnMut(&StepProgress<'_>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    if matches!(step.batch, StepBatch::Check)
        && let Some(row) = store.query(&step.sql, 1).wait()?.first()
    {
        let text = match row.first() {
            Some(Value::Text(text)) => text.clone(),
            other => format!("the check '{}' found {other:?}", step.title).into(),
        };
        return Err(Error::new(ErrorKind::Conflict, text));
    }
    let (first, last, rows) = range(store, run, step)?;
    let mut after = mark.after.unwrap_or(first);
    let mut show = |after: i64| {
        progress(&StepProgress {
            title: &step.title,
            step: mark.step + 1,
            steps: run.steps.len(),
            done: after.abs_diff(first),
            total: last.abs_diff(first),
        })
    };
    loop {
        if show(after).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let upto = last.min(after.saturating_add(rows));
        let next = if upto >= last {
            Mark { step: mark.step + 1, after: None }
        } else {
            Mark { step: mark.step, after: Some(upto) }
        };
        let text = if matches!(step.batch, StepBatch::Check) { None } else { Some(&step.sql) };
        store.write(unit(run, text, (after, upto), next)?, Priority::Bulk).wait()?;
        after = upto;
        if upto >= last {
            let _shown = show(after);
            *mark = next;
            return Ok(ControlFlow::Continue(()));
        }
    }
}

fn unit(
    run: &StepRun<'_>,
    text: Option<&Arc<str>>,
    (after, upto): (i64, i64),
    next: Mark,
) -> Result<WriteUnit> {
    let mut params = run.params.to_vec();
    params.push(("after".into(), Value::Int(after)));
    params.push(("upto".into(), Value::Int(upto)));
    let state = serde_json::to_string(&next)
        .map_err(|e| Error::new(ErrorKind::Io, format!("writing a checkpoint: {e}")))?;
    let put = Write::Put { kind: KIND, key: run.identity.clone(), state: state.into() };
    let sql = text.map(|text| Write::Sql { text: text.clone(), params });
    Ok(WriteUnit {
        writes: sql.into_iter().chain([put]).collect(),
        now_micros: run.now_micros,
        ..WriteUnit::default()
    })
}

/// Where the step begins and ends, and how much of it goes into one transaction.
fn range(store: &Store, run: &StepRun<'_>, step: &Step) -> Result<(i64, i64, i64)> {
    let narrow = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    match &step.batch {
        StepBatch::Once | StepBatch::Check => Ok((0, 1, 1)),
        StepBatch::Count { count, rows } => {
            let found = run.params.iter().find(|(name, _)| name == count);
            let Some((_, Value::Int(total))) = found else {
                return Err(Error::invalid(format!(
                    "step '{}' runs over the count '{count}', which there is not",
                    step.title
                )));
            };
            Ok((0, *total, narrow(*rows)))
        }
        StepBatch::Table { table, key, rows } => {
            let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            let sql = format!(
                "select coalesce(min({0}), 1) - 1, coalesce(max({0}), 0) from {1}",
                quoted(key),
                quoted(table)
            );
            match store.query(&sql, 1).wait()?.first().map(Vec::as_slice) {
                Some([Value::Int(first), Value::Int(last)]) => Ok((*first, *last, narrow(*rows))),
                _ => Err(Error::invalid(format!(
                    "step '{}' runs over {table}.{key}, which is not an integer column",
                    step.title
                ))),
            }
        }
    }
}
