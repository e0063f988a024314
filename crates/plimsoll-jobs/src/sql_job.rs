//! A job that is SQL: an UPDATE, DELETE or INSERT .. SELECT over a table, range by range.
//!
//! ```text
//!   checkpoint {"after": 40000}
//!   range (40000, 45000] ─> unit { SQL with :after and :upto, checkpoint {"after": 45000} }
//!     took less than 20 ms ─> a larger range next      replicas behind ─> wait, and look again
//! ```
//!
//! A range holds so many rows that there are, not so many numbers, so that gaps cost nothing.
//!
//! Promises: each range happens once, whenever the worker is killed; no statement holds its locks
//! for much longer than the target.
//! Never: the whole table in one transaction.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use plimsoll::record::Value;
use plimsoll_store::Write;
use serde::{Deserialize, Serialize};

use crate::handler::{Ending, Handler, JobError};
use crate::job::Progress;
use crate::run::Run;

/// The kind of these jobs.
pub const SQL_KIND: &str = "sql.run";

/// Rows of the first range.
const ROWS_FIRST: u64 = 500;
/// Rows of a range at most.
const ROWS_MAX: u64 = 100_000;
/// What a range is to take.
const TARGET: Duration = Duration::from_millis(20);
/// Between two looks at replicas that are behind.
const LAG_LOOK: Duration = Duration::from_millis(250);

/// The payload: what to run, over what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlJob {
    /// The statement, with `:after` and `:upto`.
    pub sql: Box<str>,
    /// The table over which it runs.
    pub table: Box<str>,
    /// Its integer key.
    pub key: Box<str>,
    /// Rows of a range; as many as take 20 ms, if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Waits while a replica is further behind, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_lag_max_ms: Option<u64>,
}

impl SqlJob {
    /// Reads a file: SQL behind lines of comments that say `-- table: orders` and `-- key: id`,
    /// and if need be `-- rows: 5000` and `-- replica_lag_max_ms: 1000`.
    ///
    /// ```
    /// let file = "-- table: orders\n-- key: id\nupdate orders set paid = 1\n\
    ///             where id > :after and id <= :upto and total = 0;\n";
    /// let job = plimsoll_jobs::SqlJob::parse(file).unwrap();
    /// assert_eq!((&*job.table, &*job.key, job.rows), ("orders", "id", None));
    /// ```
    ///
    /// # Errors
    /// What is missing or wrong, with what it should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut table, mut key, mut rows, mut lag) = (None, None, None, None);
        for line in text.lines().map(str::trim).take_while(|l| l.is_empty() || l.starts_with("--"))
        {
            let Some((name, value)) = line.trim_start_matches('-').split_once(':') else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let number =
                || value.parse::<u64>().map_err(|_| format!("{name}: {value} is no number"));
            match name {
                "table" => table = Some(value),
                "key" => key = Some(value),
                "rows" => rows = Some(number()?),
                "replica_lag_max_ms" => lag = Some(number()?),
                _ => {}
            }
        }
        let missing = |what: &str, example: &str| {
            format!("the file does not say over which {what} it runs: add the line '-- {example}'")
        };
        let job = Self {
            sql: text.into(),
            table: table.ok_or_else(|| missing("table", "table: orders"))?.into(),
            key: key.ok_or_else(|| missing("key", "key: id"))?.into(),
            rows,
            replica_lag_max_ms: lag,
        };
        job.check().map(|()| job)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for name in [":after", ":upto"] {
            if !self.sql.contains(name) {
                return Err(format!(
                    "the statement does not name {name}: without 'key > :after and key <= :upto' \
                     every range would touch the whole table"
                ));
            }
        }
        if self.rows == Some(0) {
            return Err("a range of 0 rows never ends".to_owned());
        }
        Ok(())
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    after: i64,
    ranges: u64,
    rows: u64,
    total: u64,
}

/// Runs such jobs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqlRunner;

impl Handler for SqlRunner {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let job: SqlJob = run.payload()?;
        let Some(Walked { ranges, rows, .. }) = walk(run, &job)? else {
            return Ok(Ending::Stopped);
        };
        let result = format!("{{\"ranges\":{ranges},\"rows\":{rows}}}");
        Ok(Ending::Done { effects: Vec::new(), result: Some(result.into()) })
    }
}

/// What was walked over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walked {
    pub(crate) ranges: u64,
    pub(crate) rows: u64,
    /// The last key, where there was a row.
    pub(crate) last: Option<i64>,
}

/// Walks over the table from the checkpoint to its end; nothing where it was asked to stop.
pub(crate) fn walk(run: &mut Run<'_>, job: &SqlJob) -> Result<Option<Walked>, JobError> {
    job.check().map_err(JobError::hopeless)?;
    let mut mark = match run.checkpoint::<Mark>()? {
        Some(mark) => mark,
        None => match first(run, job)? {
            Some(mark) => mark,
            None => return Ok(Some(Walked::default())),
        },
    };
    let mut rows = job.rows.unwrap_or(ROWS_FIRST);
    loop {
        if run.stop().is_some() || !caught_up(run, job) {
            return Ok(None);
        }
        let Some((upto, found)) = range(run, job, mark.after, rows)? else {
            let Mark { after, ranges, rows, .. } = mark;
            return Ok(Some(Walked { ranges, rows, last: (ranges > 0).then_some(after) }));
        };
        let began = std::time::Instant::now();
        let params =
            vec![("after".into(), Value::Int(mark.after)), ("upto".into(), Value::Int(upto))];
        mark = Mark { after: upto, ranges: mark.ranges + 1, rows: mark.rows + found, ..mark };
        let effect = Write::Sql { text: (*job.sql).into(), params };
        let text = serde_json::to_string(&mark)
            .map_err(|e| JobError::hopeless(format!("writing a checkpoint: {e}")))?;
        let progress = Progress {
            done: mark.rows,
            total: Some(mark.total.max(mark.rows)),
            unit: Some("rows".into()),
        };
        if run.save(vec![effect], &text, &progress)?.is_some() {
            return Ok(None);
        }
        if job.rows.is_none() {
            rows = larger(rows, began.elapsed());
        }
    }
}

/// The rows for the next range, from what the last one took: towards the target, by a factor of
/// two at most.
fn larger(rows: u64, took: Duration) -> u64 {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let target = u64::try_from(TARGET.as_micros()).unwrap_or(u64::MAX);
    let fitting = rows.saturating_mul(target) / micros;
    fitting.clamp(rows / 2, rows.saturating_mul(2)).clamp(1, ROWS_MAX)
}

fn quoted(name: &str) -> String {
    let each = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    each.collect::<Vec<_>>().join(".")
}

/// Where it begins; nothing where the table is empty.
fn first(run: &Run<'_>, job: &SqlJob) -> Result<Option<Mark>, JobError> {
    let (table, key) = (quoted(&job.table), quoted(&job.key));
    let sql = format!("select min({key}), count(*) from {table}");
    match run.store().query(&sql, 1).wait()?.first().map(Vec::as_slice) {
        Some([Value::Int(first), Value::Int(total)]) => Ok(Some(Mark {
            after: first.saturating_sub(1),
            ranges: 0,
            rows: 0,
            total: total.cast_unsigned(),
        })),
        Some([Value::Null, _]) => Ok(None),
        _ => {
            let text = format!("{}.{} is not a column of integers", job.table, job.key);
            Err(JobError::hopeless(text))
        }
    }
}

/// The last key of the next range and its rows; nothing behind the last row.
fn range(
    run: &Run<'_>,
    job: &SqlJob,
    after: i64,
    rows: u64,
) -> Result<Option<(i64, u64)>, JobError> {
    let (table, key) = (quoted(&job.table), quoted(&job.key));
    let sql = format!(
        "select max(k), count(*) from (select {key} as k from {table} where {key} > {after} \
         order by {key} limit {rows}) as r"
    );
    match run.store().query(&sql, 1).wait()?.first().map(Vec::as_slice) {
        Some([Value::Int(upto), Value::Int(found)]) => Ok(Some((*upto, found.cast_unsigned()))),
        _ => Ok(None),
    }
}

/// Waits while the replicas are too far behind. False where it was asked to stop meanwhile.
fn caught_up(run: &mut Run<'_>, job: &SqlJob) -> bool {
    let Some(most) = job.replica_lag_max_ms else { return true };
    let (_held, time) = sync_channel::<()>(1);
    while run.store().stats().replicas.lag_ms_max > most {
        if run.stop().is_some()
            || time.recv_timeout(LAG_LOOK) == Err(RecvTimeoutError::Disconnected)
        {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_goes_towards_its_target_by_a_factor_of_two_at_most() {
        assert_eq!(larger(500, Duration::from_millis(1)), 1_000);
        assert_eq!(larger(500, Duration::from_millis(16)), 625);
        assert_eq!(larger(500, Duration::from_secs(9)), 250);
        assert_eq!(larger(1, Duration::from_secs(9)), 1);
        assert_eq!(larger(ROWS_MAX, Duration::ZERO), ROWS_MAX);
    }

    #[test]
    fn a_file_says_over_what_it_runs_or_is_refused_with_the_line_to_add() {
        for (text, expected) in [
            ("update a set b = 1", "'-- table: orders'"),
            ("-- table: a\nupdate a", "'-- key: id'"),
            ("-- table: a\n-- key: id\nupdate a set b = 1", ":after"),
            ("-- table: a\n-- key: id\n-- rows: x\nupdate a", "x is no number"),
            ("-- table: a\n-- key: id\n-- rows: 0\n:after :upto", "never ends"),
        ] {
            let error = SqlJob::parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }
}
