//! What was acknowledged before a power cut, against what is there behind it.
//!
//! ```text
//!   notes outside of the file system   jobs, batches, steps that were saved
//!   seen by a reader                   jobs that were completed
//!   rows that name a file              the file, with all its bytes
//! ```
//!
//! Promises: what is counted as lost was acknowledged before.
//! Never: a database that is asked what it should have.

use std::collections::BTreeSet;

use plimsoll::record::Value;
use plimsoll_jobs::Queue;

use crate::count::{Result, int, lines, rows};
use crate::parent::schema;
use crate::{Options, file};

/// What is not there any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Missing {
    pub(crate) acknowledged: u64,
    pub(crate) jobs: u64,
    pub(crate) batches: u64,
    pub(crate) steps: u64,
    pub(crate) completions: u64,
    pub(crate) files: u64,
    /// What the database says of its own pages, where that is not that they are well.
    pub(crate) damage: String,
}

impl Missing {
    pub(crate) fn is_none(&self) -> bool {
        self.jobs + self.batches + self.steps + self.completions + self.files == 0
            && self.damage.is_empty()
    }
}

#[derive(Default)]
pub(crate) struct Witness {
    completed: BTreeSet<i64>,
}

impl Witness {
    /// Looks at what is completed: whoever saw it may have told others.
    pub(crate) fn see(&mut self, queue: &Queue, options: &Options) -> Result<()> {
        self.completed.extend(completed(queue, options)?);
        Ok(())
    }

    /// Compares, behind a cut.
    pub(crate) fn check(&self, queue: &Queue, options: &Options) -> Result<Missing> {
        let mut missing = Missing::default();
        if options.database.is_none() {
            missing.damage = integrity(queue)?;
        }
        let schema = schema(options);
        let there: BTreeSet<i64> = numbers(queue, &format!("select id from {schema}jobs"))?;
        for line in lines(options.notes(), "jobs")? {
            let id = line.parse().map_err(|_| format!("an odd note: {line}"))?;
            missing.acknowledged += 1;
            missing.jobs += u64::from(!there.contains(&id));
        }
        let sql = format!("select batch from {schema}job_batches");
        let batches: BTreeSet<Box<str>> =
            rows(queue, &sql)?.into_iter().filter_map(|row| text(&row[0])).collect();
        for line in lines(options.notes(), "batches")? {
            missing.acknowledged += 1;
            missing.batches += u64::from(!batches.contains(&*line));
        }
        let effects: BTreeSet<String> = rows(queue, "select job, step from effects")?
            .iter()
            .map(|row| format!("{} {}", int(&row[0]), int(&row[1])))
            .collect();
        for line in lines(options.notes(), "saved")? {
            missing.acknowledged += 1;
            missing.steps += u64::from(!effects.contains(&line));
        }
        let now = completed(queue, options)?;
        missing.acknowledged += self.completed.len() as u64;
        missing.completions = self.completed.difference(&now).count() as u64;
        for job in numbers(queue, "select job from files")? {
            missing.acknowledged += 1;
            missing.files += u64::from(!file::is_whole(&options.files, job));
        }
        Ok(missing)
    }
}

fn completed(queue: &Queue, options: &Options) -> Result<BTreeSet<i64>> {
    let schema = schema(options);
    numbers(queue, &format!("select id from {schema}jobs where state = 'completed'"))
}

/// What SQLite finds wrong with its file.
fn integrity(queue: &Queue) -> Result<String> {
    let told = rows(queue, "pragma integrity_check")?;
    let told: Vec<_> = told.iter().filter_map(|row| text(&row[0])).collect();
    Ok(if told.iter().map(|line| &**line).eq(["ok"]) { String::new() } else { told.join("; ") })
}

fn numbers(queue: &Queue, sql: &str) -> Result<BTreeSet<i64>> {
    Ok(rows(queue, sql)?.iter().map(|row| int(&row[0])).collect())
}

fn text(value: &Value) -> Option<Box<str>> {
    if let Value::Text(text) = value { Some(text.clone()) } else { None }
}
