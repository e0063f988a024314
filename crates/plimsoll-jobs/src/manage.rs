//! What people and other programs do to jobs: show, list, pause, resume, cancel, restart, remove.
//!
//! Promises: what cannot be done says what the job is instead; a list is bounded and goes by id.
//! Never: a count that reads more than it has to; beyond [`COUNTED_MAX`] it says so.

use std::collections::BTreeMap;

use plimsoll::record::Value;
use plimsoll_store::{Own, Priority};

use crate::error::{Error, ErrorKind, Result};
use crate::job::{Failure, Fields, Job, JobId, Progress, Wish};
use crate::queue::{Queue, Read, Written, int, own, text, text_or_null};
use crate::state::{State, Step};
use crate::statements as sql;

/// Jobs of a list at most.
pub const LIST_MAX: u32 = 1_000;
/// Jobs of a queue are counted up to here.
pub const COUNTED_MAX: u64 = 10_000;

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// In this state.
    pub state: Option<State>,
    /// Of this queue.
    pub queue: Option<Box<str>>,
    /// Of this kind.
    pub kind: Option<Box<str>>,
    /// Behind this one; the newest come first.
    pub before: Option<JobId>,
    /// So many at most.
    pub rows_max: u32,
}

/// What a queue has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Since when it gives out nothing, microseconds UTC.
    pub paused_micros: Option<i64>,
    /// Jobs that run at a time at most.
    pub concurrency_max: Option<u64>,
    /// Since when the first of its ready jobs waits, microseconds UTC.
    pub oldest_micros: Option<i64>,
    /// When its workers were told to start anew.
    pub restart_micros: Option<i64>,
    /// Jobs by state; [`COUNTED_MAX`] stands for that many or more.
    pub jobs: BTreeMap<&'static str, u64>,
}

/// A worker as it is shown.
#[derive(Clone, Debug)]
pub struct WorkerState {
    /// Its name.
    pub worker: Box<str>,
    /// Since when, microseconds UTC.
    pub started_micros: i64,
    /// When it was heard of last.
    pub seen_micros: i64,
    /// `quiet` or `stop`, where that was asked for.
    pub wish: Option<Box<str>>,
    /// About it, as JSON.
    pub about: Box<str>,
}

impl Queue {
    /// One job.
    pub fn show(&self, id: JobId) -> Read<Job> {
        self.read(&sql::SHOW, vec![Value::Int(id)], 1, move |rows| {
            job(rows.into_iter().next().ok_or_else(|| unknown(id))?)
        })
    }

    /// The errors of its attempts, the oldest first.
    pub fn failures(&self, id: JobId) -> Read<Vec<Failure>> {
        self.read(&sql::ERRORS, vec![Value::Int(id)], 100, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                Ok(Failure {
                    at_micros: fields.int()?,
                    what: fields.text()?,
                    message: fields.text()?,
                })
            });
            each.collect()
        })
    }

    /// Jobs, the newest first.
    pub fn list(&self, listing: &Listing) -> Read<Vec<Job>> {
        let rows_max = listing.rows_max.min(LIST_MAX);
        let mut params = vec![
            Value::Int(listing.before.unwrap_or(i64::MAX)),
            text_or_null(listing.queue.as_deref()),
            text_or_null(listing.kind.as_deref()),
            int(rows_max),
        ];
        let statement = match listing.state {
            None => &sql::LIST,
            Some(state) => {
                params.push(text(state.name()));
                match state {
                    State::Running => &sql::LIST_RUNNING,
                    State::Paused | State::Failed | State::Cancelled | State::Quarantined => {
                        &sql::LIST_RARE
                    }
                    State::Scheduled | State::Ready | State::Retrying | State::Completed => {
                        &sql::LIST_STATE
                    }
                }
            }
        };
        self.read(statement, params, rows_max as usize, |rows| rows.into_iter().map(job).collect())
    }

    /// To stop until it is resumed; one that runs does so at its next checkpoint. Gives what it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and [`ErrorKind::Conflict`] where it is over.
    pub fn pause(&self, id: JobId) -> Result<State> {
        self.change(id, &sql::PAUSE, vec![Value::Int(id)], Step::Pause)
    }

    /// To go on.
    ///
    /// # Errors
    /// As [`Queue::pause`].
    pub fn resume(&self, id: JobId) -> Result<State> {
        self.change(id, &sql::RESUME, vec![Value::Int(id)], Step::Resume)
    }

    /// Not wanted any more; one that runs stops at its next look.
    ///
    /// # Errors
    /// As [`Queue::pause`].
    pub fn cancel(&self, id: JobId) -> Result<State> {
        let params = vec![Value::Int(id), Value::Int(self.now_micros())];
        self.change(id, &sql::CANCEL, params, Step::Cancel)
    }

    /// Wanted again, with all its tries, from its last checkpoint on.
    ///
    /// # Errors
    /// As [`Queue::pause`], and [`ErrorKind::Conflict`] where a newer job has its unique key.
    pub fn restart(&self, id: JobId) -> Result<State> {
        let params = vec![Value::Int(id), Value::Int(self.now_micros())];
        self.change(id, &sql::RESTART, params, Step::Restart)
    }

    fn change(
        &self,
        id: JobId,
        statement: &'static Own,
        params: Vec<Value>,
        event: Step,
    ) -> Result<State> {
        let changed = self.write(vec![own(statement, params)], Priority::Normal, |outcome| {
            outcome.own.into_iter().next().map(|row| Fields::of(row).state()).transpose()
        });
        match changed.wait() {
            Ok(Some(state)) => Ok(state),
            Ok(None) => {
                let now = self.show(id).wait()?.state;
                Err(Error::new(ErrorKind::Conflict, refused(id, now, event)))
            }
            Err(error) if error.kind() == ErrorKind::Store(plimsoll_store::ErrorKind::Conflict) => {
                let text = format!("a newer job has the unique key of job {id}: cancel that first");
                Err(Error::new(ErrorKind::Conflict, text))
            }
            Err(error) => Err(error),
        }
    }

    /// Away with a job that is over.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], and [`ErrorKind::Conflict`] where it is not over.
    pub fn remove(&self, id: JobId) -> Result<()> {
        let writes = vec![
            own(&sql::REMOVE, vec![Value::Int(id)]),
            own(&sql::PRUNE_ERRORS, vec![Value::Int(id)]),
        ];
        let removed =
            self.write(writes, Priority::Normal, |outcome| Ok(!outcome.own.is_empty())).wait()?;
        if removed {
            return Ok(());
        }
        let now = self.show(id).wait()?.state;
        let text = format!("job {id} is {}: cancel it before it is removed", now.name());
        Err(Error::new(ErrorKind::Conflict, text))
    }

    /// Removes jobs that completed or were cancelled before a time; gives how many.
    ///
    /// # Errors
    /// What the store gives.
    pub fn prune(&self, before_micros: i64, jobs_max: u32) -> Result<u64> {
        let params = vec![Value::Int(before_micros), int(jobs_max)];
        let gone: Vec<JobId> = self
            .write(vec![own(&sql::PRUNE, params)], Priority::Bulk, |outcome| {
                outcome.own.into_iter().map(|row| Fields::of(row).int()).collect()
            })
            .wait()?;
        let forget = |id: &JobId| own(&sql::PRUNE_ERRORS, vec![Value::Int(*id)]);
        if !gone.is_empty() {
            let writes = gone.iter().map(forget).collect();
            self.write(writes, Priority::Bulk, |_| Ok(())).wait()?;
        }
        Ok(gone.len() as u64)
    }

    /// All queues that have jobs or settings, by name.
    ///
    /// # Errors
    /// What the store gives.
    pub fn queues(&self) -> Result<BTreeMap<Box<str>, QueueState>> {
        let mut queues = self.queue_settings().wait()?;
        let ready = self.read(&sql::QUEUES_READY, Vec::new(), LIST_MAX as usize, Ok).wait()?;
        for row in ready {
            queues.entry(Fields::of(row).text()?).or_default();
        }
        let bound = vec![int(COUNTED_MAX)];
        for row in self.read(&sql::COUNT_OTHERS, bound, LIST_MAX as usize, Ok).wait()? {
            let mut fields = Fields::of(row);
            let (queue, state, count) = (fields.text()?, fields.state()?, fields.count()?);
            queues.entry(queue).or_default().jobs.insert(state.name(), count);
        }
        for (name, queue) in &mut queues {
            let params = vec![text(name), int(COUNTED_MAX)];
            let counted = self.read(&sql::COUNT_READY, params, 1, Ok).wait()?;
            let mut fields = Fields::of(counted.into_iter().next().unwrap_or_default());
            let ready = fields.int_or_null()?.unwrap_or_default();
            queue.oldest_micros = fields.int_or_null()?;
            if ready > 0 {
                queue.jobs.insert(State::Ready.name(), ready.cast_unsigned());
            }
        }
        Ok(queues)
    }

    /// What is set of queues.
    pub(crate) fn queue_settings(&self) -> Read<BTreeMap<Box<str>, QueueState>> {
        self.read(&sql::QUEUES, Vec::new(), LIST_MAX as usize, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                let name = fields.text()?;
                let queue = QueueState {
                    paused_micros: fields.int_or_null()?,
                    concurrency_max: fields.int_or_null()?.and_then(|n| u64::try_from(n).ok()),
                    restart_micros: fields.int_or_null()?,
                    ..QueueState::default()
                };
                Ok((name, queue))
            });
            each.collect()
        })
    }

    /// A queue gives out nothing until it is resumed.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no name.
    pub fn pause_queue(&self, queue: &str) -> Result<Written<()>> {
        crate::job::check_name("queue", queue)?;
        let params = vec![text(queue), Value::Int(self.now_micros())];
        Ok(self.write(vec![own(&sql::PAUSE_QUEUE, params)], Priority::Normal, |_| Ok(())))
    }

    /// And goes on.
    pub fn resume_queue(&self, queue: &str) -> Written<()> {
        let write = own(&sql::RESUME_QUEUE, vec![text(queue)]);
        self.write(vec![write], Priority::Normal, |_| Ok(()))
    }

    /// Jobs of a queue that run at a time; `None` for as many as there are workers.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no name.
    pub fn limit_queue(&self, queue: &str, jobs_max: Option<u32>) -> Result<Written<()>> {
        crate::job::check_name("queue", queue)?;
        let params = vec![text(queue), crate::queue::int_or_null(jobs_max)];
        Ok(self.write(vec![own(&sql::LIMIT_QUEUE, params)], Priority::Normal, |_| Ok(())))
    }

    /// The workers of a queue hand back what they have, and start anew.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for what is no name.
    pub fn restart_queue(&self, queue: &str) -> Result<Written<()>> {
        crate::job::check_name("queue", queue)?;
        let params = vec![text(queue), Value::Int(self.now_micros())];
        Ok(self.write(vec![own(&sql::RESTART_QUEUE, params)], Priority::Normal, |_| Ok(())))
    }

    /// The workers that were heard of lately.
    pub fn workers(&self) -> Read<Vec<WorkerState>> {
        self.read(&sql::WORKERS, Vec::new(), LIST_MAX as usize, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                Ok(WorkerState {
                    worker: fields.text()?,
                    started_micros: fields.int()?,
                    seen_micros: fields.int()?,
                    wish: fields.text_or_null()?,
                    about: fields.text()?,
                })
            });
            each.collect()
        })
    }

    /// A worker takes nothing more (`quiet`), or ends (`stop`).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that name.
    pub fn wish_worker(&self, worker: &str, stop: bool) -> Result<()> {
        let wish = if stop { "stop" } else { "quiet" };
        let write = own(&sql::WISH_WORKER, vec![text(worker), text(wish)]);
        let met = self.write(vec![write], Priority::Normal, |o| Ok(!o.own.is_empty())).wait()?;
        let missing = || Error::new(ErrorKind::NotFound, format!("no worker {worker} is known"));
        met.then_some(()).ok_or_else(missing)
    }
}

fn unknown(id: JobId) -> Error {
    let text = format!("there is no job {id}: it never was, or it is over for longer than is kept");
    Error::new(ErrorKind::NotFound, text)
}

fn refused(id: JobId, state: State, event: Step) -> String {
    let wanted = match event {
        Step::Pause => "paused",
        Step::Resume => "resumed",
        Step::Cancel => "cancelled",
        _ => "restarted",
    };
    let why = if state.is_over() { " and over" } else { "" };
    format!("job {id} is {}{why}: it cannot be {wanted}", state.name())
}

fn job(row: Vec<Value>) -> Result<Job> {
    let mut fields = Fields::of(row);
    Ok(Job {
        id: fields.int()?,
        kind: fields.text()?,
        queue: fields.text()?,
        priority: u8::try_from(fields.int()?).unwrap_or(u8::MAX),
        state: fields.state()?,
        wish: fields.text_or_null()?.as_deref().and_then(Wish::named),
        payload: fields.text()?,
        unique_key: fields.text_or_null()?,
        place_micros: fields.int()?,
        token: fields.int()?,
        worker: fields.text_or_null()?,
        trying: fields.trying()?,
        deliveries: fields.small()?,
        attempts: fields.small()?,
        exceptions: fields.small()?,
        crashes: fields.small()?,
        memory_bytes: fields.count()?,
        peak_bytes: fields.count()?,
        batch: fields.text_or_null()?,
        checkpoints: fields.count()?,
        progress: Progress {
            done: fields.count()?,
            total: fields.int_or_null()?.and_then(|total| u64::try_from(total).ok()),
            unit: fields.text_or_null()?,
        },
        result: fields.text_or_null()?,
        error: fields.text_or_null()?,
        enqueued_micros: fields.int()?,
        claimed_micros: fields.int_or_null()?,
        finished_micros: fields.int_or_null()?,
    })
}
