//! Jobs that belong together: counted in the transaction that ends each, with jobs that follow.
//!
//! ```text
//!   begin, add, add, seal ─> pending 0 ─┬─ all completed ─> then
//!             │                         └─ always         ─> finally
//!             └─ first failure ─> catch         cancel: what has not begun is cancelled, what
//!                                               runs is asked to stop, finally follows the last
//! ```
//!
//! Promises: each callback is a durable job and is enqueued once, whatever is killed; `finally`
//! follows a cancel too.
//! Never: a count that is read, changed and written; see `triggers`.

use plimsoll::record::Value;
use plimsoll_store::{Priority, Write};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{Fields, JobId, NewJob, check_name};
use crate::manage::LIST_MAX;
use crate::queue::{Queue, Read, Written, fenced, int, own, text};
use crate::statements::batches as sql;

/// Callbacks of a batch at most.
pub const CALLBACKS_MAX: usize = 16;
/// Jobs that are added in one transaction at most.
pub const ADDED_MAX: usize = 1_000;

/// When a callback is enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// All jobs completed.
    Then,
    /// The first job failed.
    Catch,
    /// All jobs are over, however.
    Finally,
}

/// A batch to begin.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// Its number: of the caller's own, so that a repeat begins no second one.
    pub batch: Box<str>,
    /// What it is called.
    pub name: Box<str>,
    /// What follows. Their payloads are objects, and get the batch's number as `batch`.
    pub callbacks: Vec<(When, NewJob)>,
}

/// A batch as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub batch: Box<str>,
    /// What it is called.
    pub name: Box<str>,
    /// No more jobs are added.
    pub sealed: bool,
    /// Jobs there are.
    pub total: u64,
    /// Jobs that are not over.
    pub pending: u64,
    /// Jobs that completed.
    pub completed: u64,
    /// Jobs that failed or were put aside.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// The first that failed.
    pub failure: Option<JobId>,
    /// When it began, microseconds UTC.
    pub created_micros: i64,
    /// When it was cancelled.
    pub cancelled_micros: Option<i64>,
    /// When it was over.
    pub finished_micros: Option<i64>,
}

impl Batch {
    /// `open`, `running`, `cancelling`, and when it is over `completed`, `failed`, `cancelled`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.finished_micros, self.cancelled_micros) {
            (Some(_), Some(_)) => "cancelled",
            (Some(_), None) if self.completed == self.total => "completed",
            (Some(_), None) => "failed",
            (None, Some(_)) => "cancelling",
            (None, None) if self.sealed => "running",
            (None, None) => "open",
        }
    }
}

#[derive(Serialize)]
struct Callback<'a> {
    what: When,
    kind: &'a str,
    queue: &'a str,
    priority: u8,
    payload: &'a str,
    tries_max: u32,
    exceptions_max: u32,
    timeout_ms: u64,
    memory_bytes: u64,
}

impl NewBatch {
    fn callbacks(&self) -> Result<String> {
        if self.callbacks.len() > CALLBACKS_MAX {
            let text = format!("a batch has {CALLBACKS_MAX} callbacks at most");
            return Err(Error::invalid(text));
        }
        let each = self.callbacks.iter().map(|(what, job)| {
            job.check()?;
            if !job.payload.trim_start().starts_with('{') {
                let text = format!("the payload of the callback {} is no object", job.kind);
                return Err(Error::invalid(text));
            }
            Ok(Callback {
                what: *what,
                kind: &job.kind,
                queue: &job.queue,
                priority: job.priority,
                payload: &job.payload,
                tries_max: job.trying.tries_max,
                exceptions_max: job.trying.exceptions_max,
                timeout_ms: job.trying.timeout_ms,
                memory_bytes: job.memory_bytes,
            })
        });
        let callbacks: Vec<Callback<'_>> = each.collect::<Result<_>>()?;
        serde_json::to_string(&callbacks).map_err(|e| Error::invalid(e.to_string()))
    }
}

impl Queue {
    /// The statements that begin a batch with its first jobs, to stand in a unit with others.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no name, and those of [`NewJob::check`].
    pub fn batch_writes(&self, new: &NewBatch, jobs: &[NewJob], seal: bool) -> Result<Vec<Write>> {
        check_name("batch", &new.batch)?;
        let params = vec![
            text(&new.batch),
            text(&new.name),
            Value::Text(new.callbacks()?.into()),
            Value::Int(self.now_micros()),
        ];
        let mut writes = vec![fenced(&sql::BEGIN_BATCH, params)];
        writes.extend(self.jobs_of(&new.batch, jobs)?);
        if seal {
            writes.push(own(&sql::SEAL_BATCH, vec![text(&new.batch)]));
        }
        Ok(writes)
    }

    fn jobs_of(&self, batch: &str, jobs: &[NewJob]) -> Result<Vec<Write>> {
        if jobs.len() > ADDED_MAX {
            let text = format!("{} jobs at once: add {ADDED_MAX} at a time", jobs.len());
            return Err(Error::invalid(text));
        }
        let mut writes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let of_batch = NewJob { batch: Some(batch.into()), ..job.clone() };
            // What the second statement finds is for who enqueues one.
            writes.extend(self.enqueue_writes(&of_batch)?.into_iter().next());
        }
        Ok(writes)
    }

    /// Begins a batch with jobs; sealed, if no more are added. One of that number that is there
    /// already is left as it is: the answer says whether this is a new one.
    ///
    /// # Errors
    /// Those of [`Queue::batch_writes`].
    pub fn begin_batch(&self, new: &NewBatch, jobs: &[NewJob], seal: bool) -> Result<bool> {
        let writes = self.batch_writes(new, jobs, seal)?;
        match self.write(writes, Priority::Normal, |_| Ok(())).wait() {
            Ok(()) => {
                self.bell.ring();
                Ok(true)
            }
            // The batch was there.
            Err(error) if error.kind() == ErrorKind::LeaseLost => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds jobs to a batch that is not over, e.g. from one of its jobs.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where it is over or cancelled.
    pub fn add_to_batch(&self, batch: &str, jobs: &[NewJob]) -> Result<()> {
        let mut writes = vec![fenced(&sql::OPEN_BATCH, vec![text(batch)])];
        writes.extend(self.jobs_of(batch, jobs)?);
        self.changed(batch, writes)
    }

    /// Adds jobs to a batch that is not sealed, from outside of it; and seals it, if no more come.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that number, and [`ErrorKind::Conflict`]
    /// where it is sealed, over or cancelled.
    pub fn extend_batch(&self, batch: &str, jobs: &[NewJob], seal: bool) -> Result<()> {
        let mut writes = vec![fenced(&sql::TAKE_MORE, vec![text(batch)])];
        writes.extend(self.jobs_of(batch, jobs)?);
        if seal {
            writes.push(own(&sql::SEAL_BATCH, vec![text(batch)]));
        }
        self.changed(batch, writes)
    }

    /// No more jobs are added: it is over when all that there are have ended.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that number.
    pub fn seal_batch(&self, batch: &str) -> Result<()> {
        self.changed(batch, vec![fenced(&sql::SEAL_BATCH, vec![text(batch)])])
    }

    /// Cancels a batch: what has not begun is cancelled, what runs is asked to stop.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where it is over.
    pub fn cancel_batch(&self, batch: &str) -> Result<()> {
        let now = Value::Int(self.now_micros());
        let params = vec![text(batch), now];
        let writes =
            vec![fenced(&sql::CANCEL_BATCH, params.clone()), own(&sql::CANCEL_OF_BATCH, params)];
        self.changed(batch, writes)
    }

    fn changed(&self, batch: &str, writes: Vec<Write>) -> Result<()> {
        match self.write(writes, Priority::Normal, |_| Ok(())).wait() {
            Err(error) if error.kind() == ErrorKind::LeaseLost => {
                let now = self.show_batch(batch).wait()?;
                let is = match (now.finished_micros, now.cancelled_micros) {
                    (Some(_), _) => "over",
                    (None, Some(_)) => "cancelled",
                    (None, None) if now.sealed => "sealed",
                    (None, None) => "as it was",
                };
                let text = format!("the batch {batch} is {is}: nothing was changed");
                Err(Error::new(ErrorKind::Conflict, text))
            }
            answer => {
                self.bell.ring();
                answer
            }
        }
    }

    /// One batch; `latest` for the one that began last.
    pub fn show_batch(&self, batch: &str) -> Read<Batch> {
        let wanted = batch.to_owned();
        let (statement, params) = match batch {
            "latest" => (&sql::LATEST_BATCH, Vec::new()),
            _ => (&sql::SHOW_BATCH, vec![text(batch)]),
        };
        self.read(statement, params, 1, move |rows| {
            let missing = || Error::new(ErrorKind::NotFound, format!("there is no batch {wanted}"));
            shown(rows.into_iter().next().ok_or_else(missing)?)
        })
    }

    /// The batches that began last.
    pub fn batches(&self, rows_max: u32) -> Read<Vec<Batch>> {
        let rows_max = rows_max.min(LIST_MAX);
        self.read(&sql::BATCHES, vec![int(rows_max)], rows_max as usize, |rows| {
            rows.into_iter().map(shown).collect()
        })
    }

    /// Counts the jobs of batches that are not over anew, in case somebody changed them by hand.
    pub(crate) fn reconcile_batches(&self) -> Written<u64> {
        self.write(vec![own(&sql::RECONCILE, Vec::new())], Priority::Bulk, |outcome| {
            Ok(outcome.rows.first().copied().unwrap_or_default())
        })
    }
}

fn shown(row: Vec<Value>) -> Result<Batch> {
    let mut fields = Fields::of(row);
    Ok(Batch {
        batch: fields.text()?,
        name: fields.text()?,
        sealed: fields.int()? == 1,
        total: fields.count()?,
        pending: fields.count()?,
        completed: fields.count()?,
        failed: fields.count()?,
        cancelled: fields.count()?,
        failure: fields.int_or_null()?,
        created_micros: fields.int()?,
        cancelled_micros: fields.int_or_null()?,
        finished_micros: fields.int_or_null()?,
    })
}
