//! What was done, against what was to be done.
//!
//! Promises: reads the database and the notes, and nothing else.
//! Never: a count that forgives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll::record::Value;
use plimsoll_jobs::{Queue, State};

use crate::Options;
use crate::parent::schema;
use crate::schedules::{Fired, Schedules};
use crate::work::STEPS;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) jobs: u64,
    pub(crate) steps: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) redone: u64,
    /// Steps that were begun again oftener than their job was handed out again.
    pub(crate) redone_too_often: u64,
    pub(crate) batches: u64,
    pub(crate) finally_wrong: u64,
    pub(crate) fired: Fired,
}

impl Found {
    pub(crate) fn is_well(&self) -> bool {
        self.lost + self.duplicated + self.redone_too_often + self.finally_wrong == 0
            && self.fired.left_out + self.fired.twice == 0
            && self.jobs > 0
            && self.batches > 0
    }

    /// As it stands in a summary.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} jobs, {} steps, {} batches; lost {}, duplicated {}, redone {} (too often {}), \
             finally wrong {}; {} due times, left out {}, twice {}",
            self.jobs,
            self.steps,
            self.batches,
            self.lost,
            self.duplicated,
            self.redone,
            self.redone_too_often,
            self.finally_wrong,
            self.fired.times,
            self.fired.left_out,
            self.fired.twice,
        )
    }
}

pub(crate) type Result<T> = std::result::Result<T, String>;

pub(crate) fn lines(folder: &str, what: &str) -> Result<Vec<String>> {
    let path = Path::new(folder).join(what);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

pub(crate) fn rows(queue: &Queue, sql: &str) -> Result<Vec<Vec<Value>>> {
    queue.store().query(sql, 10_000_000).wait().map_err(|e| e.to_string())
}

pub(crate) fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        _ => 0,
    }
}

/// Counts, once all jobs are over.
pub(crate) fn count(queue: &Queue, options: &Options, schedules: &Schedules) -> Result<Found> {
    let (folder, schema) = (options.notes(), schema(options));
    let mut found = Found { fired: schedules.count(queue, schema)?, ..Found::default() };
    let mut effects: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    for row in rows(queue, "select job, step from effects")? {
        *effects.entry((int(&row[0]), int(&row[1]))).or_default() += 1;
    }
    found.duplicated = effects.values().map(|times| times - 1).sum();
    found.steps = effects.len() as u64;
    let mut deliveries = BTreeMap::new();
    let sql = format!("select id, state, kind, deliveries from {schema}jobs");
    for row in rows(queue, &sql)? {
        let (id, Value::Text(state), Value::Text(kind)) = (int(&row[0]), &row[1], &row[2]) else {
            return Err(format!("an odd job: {row:?}"));
        };
        deliveries.insert(id, int(&row[3]));
        found.jobs += 1;
        found.lost += u64::from(&**state != State::Completed.name());
        if &**kind == "steps" {
            let missing = (1..=STEPS).filter(|step| !effects.contains_key(&(id, *step))).count();
            found.lost += missing as u64;
        }
    }
    for line in lines(folder, "jobs")? {
        let id = line.parse().map_err(|_| format!("an odd note: {line}"))?;
        found.lost += u64::from(!deliveries.contains_key(&id));
    }
    let mut begun: BTreeMap<i64, i64> = BTreeMap::new();
    for line in lines(folder, "begun")? {
        let id = line.split(' ').next().and_then(|id| id.parse().ok());
        *begun.entry(id.ok_or_else(|| format!("an odd note: {line}"))?).or_default() += 1;
    }
    for (id, times) in &begun {
        let again = (times - STEPS).max(0);
        let handed = deliveries.get(id).map_or(0, |times| times - 1);
        found.redone += again.cast_unsigned();
        found.redone_too_often += (again - handed).max(0).cast_unsigned();
    }
    finals(queue, folder, schema, &mut found)?;
    Ok(found)
}

fn finals(queue: &Queue, folder: &str, schema: &str, found: &mut Found) -> Result<()> {
    let mut times: BTreeMap<Box<str>, u64> = BTreeMap::new();
    for row in rows(queue, "select batch from finals")? {
        if let Value::Text(batch) = &row[0] {
            *times.entry(batch.clone()).or_default() += 1;
        }
    }
    let mut known = BTreeSet::new();
    for row in rows(queue, &format!("select batch from {schema}job_batches"))? {
        if let Value::Text(batch) = &row[0] {
            found.finally_wrong += u64::from(times.get(batch) != Some(&1));
            known.insert(batch.clone());
        }
    }
    found.batches = known.len() as u64;
    for line in lines(folder, "batches")? {
        found.lost += u64::from(!known.contains(&*line));
    }
    Ok(())
}
