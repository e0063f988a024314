//! The queue: everything that happens to a job, as units of the store.
//!
//! ```text
//!   enqueue, claim, complete, ..   ─> WriteUnit { one statement or a few } ─> the store's writer
//!   effects of a job               ─> WriteUnit { effects, checkpoint }    ─> the same
//! ```
//!
//! Promises: an answer comes after the commit; what names a lease and meets no row is
//! [`ErrorKind::LeaseLost`], and nothing of its unit has happened.
//! Never: a decision that a pure function could make (see `policy`).

use std::sync::Arc;

use plimsoll::record::Value;
use plimsoll_store::{Own, Priority, Remember, Store, Write, WriteOutcome, WriteUnit};

use crate::answer::Answer;
use crate::bell::Bell;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::floors::{FRONT, Floors, Places, listed};
use crate::job::{Claimed, Enqueued, Fields, JobId, Lease, MESSAGE_BYTES_MAX, NewJob, Wish, cut};
use crate::policy::Verdict;
use crate::state::State;
use crate::statements as sql;
use crate::statements::{ENQUEUE, WITH_KEY};
use crate::subscribers::Subscribers;

/// Failed attempts of a job that are kept.
pub(crate) const ERRORS_KEPT_MAX: i64 = 25;
/// Jobs that are made ready in one transaction at most.
pub(crate) const DUE_MAX: i64 = 500;

/// What came of a write.
pub type Written<T> = Answer<WriteOutcome, T>;
/// What was read.
pub type Read<T> = Answer<Vec<Vec<Value>>, T>;

/// The jobs of a store.
#[derive(Clone)]
pub struct Queue {
    store: Store,
    clock: Arc<dyn Clock>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) floors: Arc<Floors>,
    /// Who wants to know of events.
    pub(crate) subscribers: Option<Arc<dyn Subscribers>>,
}

/// The limits that a claim keeps.
#[derive(Clone, Copy, Debug)]
pub enum Within<'a> {
    /// There are none.
    All,
    /// Those of the queue.
    Queue,
    /// Those of a kind, which is the only one to take.
    Kind(&'a str),
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Who.
    pub worker: &'a str,
    /// Of this queue.
    pub queue: &'a str,
    /// So many at most.
    pub jobs_max: u32,
    /// None of these kinds.
    pub without: &'a [Box<str>],
    /// These kinds alone.
    pub only: Option<&'a [Box<str>]>,
    /// Within which limits.
    pub within: Within<'a>,
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

pub(crate) fn text_or_null(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

pub(crate) fn int(value: impl TryInto<i64>) -> Value {
    Value::Int(value.try_into().unwrap_or(i64::MAX))
}

pub(crate) fn int_or_null(value: Option<impl TryInto<i64>>) -> Value {
    value.map_or(Value::Null, int)
}

/// A statement of a unit.
pub(crate) fn own(statement: &'static Own, params: Vec<Value>) -> Write {
    Write::Own { statement, params, rows: None }
}

/// A statement that has to meet one row.
pub(crate) fn fenced(statement: &'static Own, params: Vec<Value>) -> Write {
    // Sabotaged, a worker whose lease is another's goes on writing.
    let rows = (!cfg!(feature = "sabotage-no-fencing")).then_some(1);
    Write::Own { statement, params, rows }
}

impl Queue {
    /// Over a database in which [`crate::sqlite_migrations`] or [`crate::postgres_migrations`]
    /// have run.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let (bell, floors) = (Arc::default(), Arc::default());
        Self { store, clock, bell, floors, subscribers: None }
    }

    /// Where the jobs' own work is done.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Now, microseconds UTC.
    #[must_use]
    pub fn now_micros(&self) -> i64 {
        self.clock.now_micros()
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Writes a unit of statements.
    pub(crate) fn write<T>(
        &self,
        writes: Vec<Write>,
        priority: Priority,
        read: impl FnOnce(WriteOutcome) -> Result<T> + Send + 'static,
    ) -> Written<T> {
        let unit = WriteUnit { writes, now_micros: self.now_micros(), ..WriteUnit::default() };
        Answer::new(self.store.write(unit, priority), read)
    }

    /// Reads the first rows of a statement.
    pub(crate) fn read<T>(
        &self,
        statement: &'static Own,
        params: Vec<Value>,
        rows_max: usize,
        read: impl FnOnce(Vec<Vec<Value>>) -> Result<T> + Send + 'static,
    ) -> Read<T> {
        Answer::new(self.store.own(statement, params, rows_max), read)
    }

    /// The statements that enqueue a job, to stand in a unit with other effects.
    ///
    /// # Errors
    /// Those of [`NewJob::check`].
    pub fn enqueue_writes(&self, job: &NewJob) -> Result<Vec<Write>> {
        job.check()?;
        let now = self.now_micros();
        let later = job.not_before_micros.filter(|at| *at > now);
        let state = if later.is_some() { State::Scheduled } else { State::Ready };
        let params = vec![
            text(&job.kind),
            text(&job.queue),
            int(job.priority),
            text(state.name()),
            text(&job.payload),
            text_or_null(job.unique_key.as_deref()),
            Value::Int(later.unwrap_or(now)),
            int(job.trying.tries_max),
            int(job.trying.exceptions_max),
            int(job.trying.timeout_ms),
            int(job.memory_bytes),
            text_or_null(job.batch.as_deref()),
            Value::Int(now),
        ];
        let mut writes = vec![own(&ENQUEUE, params)];
        if let Some(key) = &job.unique_key {
            writes.push(own(&WITH_KEY, vec![text(&job.kind), text(key)]));
        }
        Ok(writes)
    }

    /// Enqueues a job, or finds the one with its unique key.
    ///
    /// # Errors
    /// Those of [`NewJob::check`]; the answer has what the store gives.
    pub fn enqueue(&self, job: &NewJob) -> Result<Written<Enqueued>> {
        let writes = self.enqueue_writes(job)?;
        let bell = Arc::clone(&self.bell);
        Ok(self.write(writes, Priority::Normal, move |outcome| {
            bell.ring();
            let existed = outcome.rows.first() == Some(&0);
            let row = outcome.own.into_iter().next();
            let missing = || Error::new(ErrorKind::Conflict, "the job was over a moment ago");
            let id = Fields::of(row.ok_or_else(missing)?).int()?;
            Ok(Enqueued { id, existed })
        }))
    }

    /// Enqueues a job, or finds the one that was enqueued under a client's key; says which.
    ///
    /// # Errors
    /// As [`Queue::enqueue`]; the answer has [`plimsoll_store::ErrorKind::KeyReused`] for a key of
    /// another request.
    pub fn enqueue_once(&self, job: &NewJob, remember: Remember) -> Result<Written<Enqueued>> {
        let unit = WriteUnit {
            writes: self.enqueue_writes(job)?,
            now_micros: self.now_micros(),
            remember: Some(remember),
            ..WriteUnit::default()
        };
        let bell = Arc::clone(&self.bell);
        Ok(Answer::new(self.store.write(unit, Priority::Normal), move |outcome| {
            bell.ring();
            let existed = outcome.replayed.is_some() || outcome.rows.first() == Some(&0);
            let row = outcome.own.into_iter().next();
            let missing = || Error::new(ErrorKind::Conflict, "the job was over a moment ago");
            Ok(Enqueued { id: Fields::of(row.ok_or_else(missing)?).int()?, existed })
        }))
    }

    /// The job of a kind with a unique key that is not over.
    pub fn with_key(&self, kind: &str, key: &str) -> Read<Option<JobId>> {
        self.read(&WITH_KEY, vec![text(kind), text(key)], 1, |rows| {
            rows.into_iter().next().map(|row| Fields::of(row).int()).transpose()
        })
    }

    /// Takes ready jobs under a lease, the first of their queue first.
    pub fn claim(&self, claim: &Claim<'_>) -> Written<Vec<Claimed>> {
        self.claim_from(claim, &FRONT)
    }

    /// Likewise, where it is known in front of which place none is ready.
    pub(crate) fn claim_from(&self, claim: &Claim<'_>, from: &Places) -> Written<Vec<Claimed>> {
        let list = |kinds: &[Box<str>]| {
            let listed: String = kinds.iter().map(|kind| format!("{kind},")).collect();
            Value::Text(format!(",{listed}").into())
        };
        let now = Value::Int(self.now_micros());
        let mut params = vec![
            text(claim.worker),
            now.clone(),
            text(claim.queue),
            int(claim.jobs_max),
            list(claim.without),
            claim.only.map_or(Value::Null, list),
            listed(from),
        ];
        let writes = match claim.within {
            Within::All => vec![own(&sql::CLAIM, params)],
            Within::Queue => vec![
                own(&sql::LOCK_QUEUE, vec![text(claim.queue)]),
                own(&sql::CLAIM_IN_LIMITED, params),
            ],
            Within::Kind(kind) => {
                params[5] = Value::Text(format!(",{kind},").into());
                params.push(text(kind));
                let used = vec![text(kind), now, text(claim.worker)];
                vec![
                    own(&sql::LOCK_KIND, vec![text(kind)]),
                    own(&sql::CLAIM_LIMITED, params),
                    own(&sql::RATE_USED, used),
                ]
            }
        };
        self.write(writes, Priority::Normal, claimed)
    }

    /// Done, with the effects that came last.
    pub fn complete(
        &self,
        lease: Lease,
        mut effects: Vec<Write>,
        result: Option<&str>,
        peak_bytes: u64,
    ) -> Written<()> {
        effects.push(self.complete_write(lease, result, peak_bytes));
        self.write(effects, Priority::Normal, |_| Ok(()))
    }

    /// The statement that completes a job.
    pub(crate) fn complete_write(
        &self,
        lease: Lease,
        result: Option<&str>,
        peak_bytes: u64,
    ) -> Write {
        let mut params = lease_params(lease);
        params.extend([Value::Int(self.now_micros()), text_or_null(result), int(peak_bytes)]);
        fenced(&sql::COMPLETE, params)
    }

    /// Many at once that had no effects and no result. Gives those whose lease still held.
    pub fn complete_many(&self, leases: &[Lease]) -> Written<Vec<JobId>> {
        let list = |of: fn(&Lease) -> i64| {
            let numbers: Vec<String> = leases.iter().map(|l| of(l).to_string()).collect();
            Value::Text(numbers.join(",").into())
        };
        let params = vec![list(|l| l.id), list(|l| l.token), Value::Int(self.now_micros())];
        let write = own(&sql::COMPLETE_MANY, params);
        self.write(vec![write], Priority::Normal, |outcome| {
            outcome.own.into_iter().map(|row| Fields::of(row).int()).collect()
        })
    }

    /// An attempt failed: what `verdict` says becomes of the job.
    pub fn fail(
        &self,
        lease: Lease,
        verdict: &Verdict,
        (what, message): (&str, &str),
        peak_bytes: u64,
    ) -> Written<State> {
        let message = &*storable(cut(message, MESSAGE_BYTES_MAX));
        let now = self.now_micros();
        let mut params = lease_params(lease);
        params.extend([
            text(verdict.state.name()),
            Value::Int(now),
            Value::Int(verdict.not_before_micros.unwrap_or(now)),
            int(verdict.attempts),
            int(verdict.exceptions),
            text(message),
            int(peak_bytes),
        ]);
        let mut writes = vec![fenced(&sql::FAIL, params)];
        writes.extend(keep_error(lease.id, now, what, message));
        self.write(writes, Priority::Normal, state_of)
    }

    /// Gives a job back without an attempt.
    pub fn hand_back(&self, lease: Lease, memory_bytes: u64) -> Written<State> {
        let mut params = lease_params(lease);
        params.extend([Value::Int(self.now_micros()), int(memory_bytes)]);
        self.write(vec![fenced(&sql::HAND_BACK, params)], Priority::Urgent, state_of)
    }

    /// Keeps what a job of a kind took at most.
    pub(crate) fn learn(&self, kind: &str, peak_bytes: u64) -> Written<()> {
        let write = own(&sql::LEARN, vec![text(kind), int(peak_bytes)]);
        self.write(vec![write], Priority::Bulk, |_| Ok(()))
    }

    /// Makes jobs ready whose time has come; gives how many.
    pub fn due(&self) -> Written<u64> {
        let params = vec![Value::Int(self.now_micros()), Value::Int(DUE_MAX)];
        self.write(vec![own(&sql::DUE, params)], Priority::Normal, |outcome| {
            Ok(outcome.rows.first().copied().unwrap_or_default())
        })
    }

    /// When the next job is due, microseconds UTC.
    pub fn next_due(&self) -> Read<Option<i64>> {
        self.read(&sql::NEXT_DUE, Vec::new(), 1, |rows| {
            rows.into_iter().next().map(|row| Fields::of(row).int()).transpose()
        })
    }
}

/// A text as both databases take it: PostgreSQL has no character of number 0.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn lease_params(lease: Lease) -> Vec<Value> {
    vec![Value::Int(lease.id), Value::Int(lease.token)]
}

/// The statements that keep a failed attempt's error.
pub(crate) fn keep_error(id: JobId, now: i64, what: &str, message: &str) -> [Write; 2] {
    let kept = vec![Value::Int(id), Value::Int(now), text(what), text(message)];
    [
        own(&sql::KEEP_ERROR, kept),
        own(&sql::FORGET_ERRORS, vec![Value::Int(id), Value::Int(ERRORS_KEPT_MAX)]),
    ]
}

pub(crate) fn wish(name: Option<Box<str>>) -> Option<Wish> {
    name.as_deref().and_then(Wish::named)
}

/// The wish of the last row.
pub(crate) fn told(outcome: WriteOutcome) -> Result<Option<Wish>> {
    let row = outcome.own.into_iter().next_back();
    Ok(row
        .map(|row| Fields::of(row).text_or_null())
        .transpose()?
        .flatten()
        .and_then(|name| Wish::named(&name)))
}

/// The state of the first row.
pub(crate) fn state_of(outcome: WriteOutcome) -> Result<State> {
    let missing = || Error::new(ErrorKind::LeaseLost, "the job is another's by now");
    Fields::of(outcome.own.into_iter().next().ok_or_else(missing)?).state()
}

fn claimed(outcome: WriteOutcome) -> Result<Vec<Claimed>> {
    let mut jobs = Vec::with_capacity(outcome.own.len());
    // A row of one field says that a limit was looked at.
    for row in outcome.own.into_iter().filter(|row| row.len() > 1) {
        let mut fields = Fields::of(row);
        let job = Claimed {
            lease: Lease { id: fields.int()?, token: fields.int()? },
            kind: fields.text()?,
            queue: fields.text()?,
            payload: fields.text()?,
            trying: fields.trying()?,
            attempts: fields.small()?,
            exceptions: fields.small()?,
            crashes: fields.small()?,
            memory_bytes: fields.count()?,
            batch: fields.text_or_null()?,
            checkpoint: fields.text_or_null()?,
            place: fields.int()?,
        };
        jobs.push((fields.int()?, job));
    }
    // The order of what a statement gives back is nobody's promise.
    jobs.sort_by_key(|(priority, job)| (*priority, job.place, job.lease.id));
    Ok(jobs.into_iter().map(|(_, job)| job).collect())
}
