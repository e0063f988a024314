//! The one writer thread and its groups.
//!
//! ```text
//!   queue ── what waits, at most 256 units or 20 ms ──> begin ─ unit ─ unit ─ … ─ commit
//!                                                       each in its savepoint       │
//!                                                                           answers <┘
//! ```
//!
//! Promises: a unit that fails is rolled back alone; what one is written as does not reach the
//! next; nobody is answered before the commit is durable; where the answer to a commit is lost, all
//! of its units are told so, and none is told that it failed or succeeded; after a panic no further
//! unit is accepted, and nobody is left waiting.
//! Never: waits for company.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join;
use plimsoll::limits::{
    DATABASE_BUSY_MS_MAX, GROUP_BYTES_MAX, GROUP_UNITS_MAX, WRITE_SLICE_MS_MAX,
};
use tokio_postgres::Client;

use super::apply::apply;
use super::connection::{Link, horizon_now};
use super::failure::explain;
use super::guise::Guise;
use super::open::Shared;
use super::pipelined;
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::pending::{Pending, Promise};
use crate::write::{WriteOutcome, WriteUnit};
use crate::writer_lane::{Job, poisoned};

type Answer = (Promise<WriteOutcome>, Result<WriteOutcome>);

/// How long a group may hold its locks, and wait for those of others.
fn begin() -> String {
    format!(
        "begin; set local statement_timeout = 60000; set local lock_timeout = \
         {DATABASE_BUSY_MS_MAX}; set local idle_in_transaction_session_timeout = 60000; \
         set local synchronous_commit = on"
    )
}

/// The writer thread's whole life.
pub(super) fn run(link: &mut Link, shared: &Arc<Shared>) {
    while let Some(first) = shared.writer.pop_wait() {
        if shared.writer.poisoned.load(Ordering::Acquire) {
            first.promise.keep(Err(poisoned()));
            continue;
        }
        let run = AssertUnwindSafe(|| commit_group(link, shared, first));
        if catch_unwind(run).is_err() {
            shared.writer.poisoned.store(true, Ordering::Release);
            // The transaction goes with its connection.
            link.give_up();
            tracing::error!("the writer panicked; nothing is written any more");
        }
    }
}

/// Commits `first` and whatever waits behind it.
fn commit_group(link: &mut Link, shared: &Shared, first: Job) {
    let (mut answers, mut first): (Vec<Answer>, Option<Job>) = (Vec::new(), Some(first));
    // A group belongs to many: nobody's leaving stops it.
    let (stays, _waits) = Pending::<()>::new();
    let committed = link
        .run(&stays.watch(), async |client| group(client, shared, &mut first, &mut answers).await);
    match committed {
        Ok(horizon) => {
            shared.writer.commits.fetch_add(1, Ordering::Relaxed);
            shared.writer.units.fetch_add(answers.len() as u64, Ordering::Relaxed);
            for (promise, outcome) in answers {
                promise.keep(outcome.map(|done| WriteOutcome { horizon, ..done }));
            }
        }
        Err(error) => {
            link.give_up();
            if let Some(job) = first {
                job.promise.keep(Err(error.clone()));
            }
            for (promise, outcome) in answers {
                // What failed by itself keeps its own reason.
                promise.keep(outcome.and_then(|_| Err(error.clone())));
            }
        }
    }
}

async fn group(
    client: &Client,
    shared: &Shared,
    first: &mut Option<Job>,
    answers: &mut Vec<Answer>,
) -> Result<Option<Horizon>> {
    client.batch_execute(&begin()).await.map_err(|e| explain("beginning a write", &e))?;
    let until = Instant::now() + Duration::from_millis(WRITE_SLICE_MS_MAX);
    let mut next = first.take();
    while let Some(job) = next {
        let mut plain = Vec::new();
        let mut other = None;
        if pipelined::is_plain(&job) {
            let mut bytes = pipelined::bytes(&job.unit);
            plain.push(job);
            while other.is_none()
                && answers.len() + plain.len() < GROUP_UNITS_MAX
                && bytes < GROUP_BYTES_MAX
            {
                match shared.writer.pop_now() {
                    Some(more) if pipelined::is_plain(&more) => {
                        bytes += pipelined::bytes(&more.unit);
                        plain.push(more);
                    }
                    Some(more) => other = Some(more),
                    None => break,
                }
            }
        } else {
            other = Some(job);
        }
        // A unit whose caller has gone before it began is not begun.
        plain.retain(|job| !job.promise.is_abandoned());
        together(client, shared, plain, answers).await?;
        if let Some(job) = other.filter(|job| !job.promise.is_abandoned()) {
            alone(client, shared, job, answers).await?;
        }
        let room = answers.len() < GROUP_UNITS_MAX && Instant::now() < until;
        next = if room { shared.writer.pop_now() } else { None };
    }
    let committing = async {
        client.batch_execute("commit").await.map_err(|e| {
            if e.as_db_error().is_some() {
                explain("committing", &e)
            } else {
                lost(
                    "the connection broke while the commit was on its way: look whether it arrived",
                )
            }
        })
    };
    if !shared.hosts.has_replicas() {
        return committing.await.map(|()| None);
    }
    // Sent behind one another, in one round trip.
    let (committed, horizon) = join(committing, horizon_now(client)).await;
    committed.map(|()| Some(horizon))
}

/// Runs plain units in one round trip; each by itself where one of them fails.
async fn together(
    client: &Client,
    shared: &Shared,
    jobs: Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    if jobs.len() < 2 {
        return in_turn(client, shared, jobs, answers).await;
    }
    let units: Vec<&WriteUnit> = jobs.iter().map(|job| &job.unit).collect();
    let ran = pipelined::run(client, &units).await;
    let end = if ran.is_ok() { "release units" } else { "rollback to units; release units" };
    if let Err(e) = client.batch_execute(end).await {
        let error = if client.is_closed() {
            lost("the connection broke before the commit")
        } else {
            explain("writing", &e)
        };
        answers.extend(jobs.into_iter().map(|job| (job.promise, Err(error.clone()))));
        return Err(error);
    }
    match ran {
        Ok(outcomes) => {
            let each = jobs.into_iter().zip(outcomes);
            answers.extend(each.map(|(job, outcome)| (job.promise, Ok(outcome))));
            Ok(())
        }
        Err(_) => in_turn(client, shared, jobs, answers).await,
    }
}

/// Runs units one after another. Where the connection breaks, all that are left are told so.
async fn in_turn(
    client: &Client,
    shared: &Shared,
    jobs: Vec<Job>,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    let mut jobs = jobs.into_iter();
    while let Some(job) = jobs.next() {
        if let Err(error) = alone(client, shared, job, answers).await {
            answers.extend(jobs.map(|job| (job.promise, Err(error.clone()))));
            return Err(error);
        }
    }
    Ok(())
}

async fn alone(
    client: &Client,
    shared: &Shared,
    job: Job,
    answers: &mut Vec<Answer>,
) -> Result<()> {
    let Job { unit, promise, identity } = job;
    let guise = identity.as_deref().map(Guise::of);
    let outcome = in_savepoint(client, shared, unit, guise.as_ref()).await;
    let broken = outcome.as_ref().is_err_and(|e| e.kind() == ErrorKind::Busy);
    answers.push((promise, outcome));
    if broken && client.is_closed() {
        return Err(lost("the connection broke before the commit"));
    }
    Ok(())
}

fn lost(how: &str) -> Error {
    Error::new(ErrorKind::Io, format!("writing: {how}"))
}

async fn in_savepoint(
    client: &Client,
    shared: &Shared,
    unit: WriteUnit,
    guise: Option<&Guise>,
) -> Result<WriteOutcome> {
    let fail = |e: tokio_postgres::Error| explain("writing", &e);
    client.batch_execute("savepoint unit").await.map_err(fail)?;
    let trial = unit.trial;
    let applied = match apply(client, shared, unit, guise).await {
        // A deferred rule is checked by the commit, where it would fail the whole group. What was
        // written as somebody was checked as them.
        Ok(outcome) if outcome.refused.is_empty() && guise.is_none() => client
            .batch_execute("set constraints all immediate; set constraints all deferred")
            .await
            .map(|()| outcome)
            .map_err(fail),
        other => other,
    };
    match applied {
        // Refused rows are reported, so that the caller can leave them out and send the rest.
        Ok(outcome) if !trial && outcome.refused.is_empty() => {
            client.batch_execute("release unit").await.map_err(fail)?;
            Ok(outcome)
        }
        // With the savepoint goes what was set behind it.
        taken_back => {
            client.batch_execute("rollback to unit; release unit").await.map_err(fail)?;
            taken_back
        }
    }
}
