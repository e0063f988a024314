//! `POST /jobs/claim`: jobs for a worker in any language.
//!
//! ```text
//!   claim, wait_ms ─> look ─ none ─> again every 100 ms, until there are some, or the time is over
//!   ─> [{id, token, kind, payload, checkpoint, ..}]     heartbeat within lease_ms keeps them
//! ```
//!
//! Promises: a bounded number of claims wait, 20 s each at most; jobs that were claimed for a
//! client that has gone meanwhile are handed back at once.
//! Never: a lease that outlives a client that says nothing.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll::budget::Reservation;
use plimsoll_jobs::{CHECKPOINT_BYTES_MAX, Claimed, PAYLOAD_BYTES_MAX, Queue, check_name};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{parse, read_body, soon};
use crate::accept::Phase;
use crate::app::Context;
use crate::held::held;
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};

/// Jobs of one claim at most.
const JOBS_MAX: u32 = 32;
/// Queues and kinds of one claim at most.
const NAMES_MAX: usize = 16;
/// How long a claim waits at most: less than what stands between does.
const WAIT_MS_MAX: u64 = 20_000;
/// Between two looks of a claim that waits.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What a claimed job may hold: payload and checkpoint, as row and as text.
const JOB_BYTES: u64 = 2 * (PAYLOAD_BYTES_MAX + CHECKPOINT_BYTES_MAX) as u64;
/// In front of the name of a worker that pulls, so that it is no other's.
const PULLS: &str = "pull:";

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    worker: Box<str>,
    queues: Option<Vec<Box<str>>>,
    kinds: Option<Vec<Box<str>>>,
    max: Option<u32>,
    wait_ms: Option<u64>,
}

/// See the module.
pub(super) async fn claim(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let body = read_body(context, request, body).await?;
    let asked: Asked = parse(&body.bytes)?;
    drop(body);
    let queues = asked.queues.clone().unwrap_or_else(|| vec!["default".into()]);
    check(&asked, &queues)?;
    for queue in &queues {
        context.may_work(queue)?;
    }
    let jobs_max = asked.max.unwrap_or(1);
    let worker: Box<str> = format!("{PULLS}{}", asked.worker).into();
    let about = json!({"pulls": true, "queues": queues, "kinds": asked.kinds}).to_string();
    let wish = soon(context, jobs.queue.seen(&worker, &about)).await?;
    let (found, reserved) = if wish.is_some() {
        (Vec::new(), None)
    } else {
        let taking = Taking { queue: jobs.queue.clone(), worker, queues, kinds: asked.kinds };
        wait(context, jobs, &taking, jobs_max, asked.wait_ms.unwrap_or(0)).await?
    };
    let answer = Answer {
        jobs: found.iter().map(shown).collect(),
        wish: wish.as_deref(),
        lease_ms: millis(jobs.lease),
        heartbeat_ms: millis(jobs.renew_every),
    };
    match serde_json::to_vec(&answer) {
        Ok(text) => Ok(super::super::json(held(text, reserved))),
        Err(error) => {
            give_back(&jobs.queue, &found).await;
            Err(Problem::internal(&error))
        }
    }
}

/// The answer. Payloads and checkpoints stand in it as they were given, to the last digit.
#[derive(Serialize)]
struct Answer<'a> {
    jobs: Vec<Shown<'a>>,
    wish: Option<&'a str>,
    lease_ms: u64,
    heartbeat_ms: u64,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    token: i64,
    kind: &'a str,
    queue: &'a str,
    payload: Option<&'a RawValue>,
    checkpoint: Option<&'a RawValue>,
    attempt: u32,
    max_attempts: u32,
    timeout_ms: u64,
    memory_bytes: u64,
    parent_batch: Option<Box<str>>,
}

fn shown(job: &Claimed) -> Shown<'_> {
    // What was taken was JSON then.
    let raw = |text| serde_json::from_str::<&RawValue>(text).ok();
    Shown {
        id: job.lease.id,
        token: job.lease.token,
        kind: &job.kind,
        queue: &job.queue,
        payload: raw(&job.payload),
        checkpoint: job.checkpoint.as_deref().and_then(raw),
        attempt: job.attempts + 1,
        max_attempts: job.trying.tries_max,
        timeout_ms: job.trying.timeout_ms,
        memory_bytes: job.memory_bytes,
        parent_batch: job.batch.clone(),
    }
}

async fn give_back(queue: &Queue, unwanted: &[Claimed]) {
    for job in unwanted {
        if let Err(error) = queue.hand_back(job.lease, 0).await {
            tracing::warn!(%error, job = job.lease.id, "handing a job back");
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn check(asked: &Asked, queues: &[Box<str>]) -> Result<()> {
    let wrong = |why: String| Err(Problem::new(Kind::JobInvalid, why));
    check_name("worker", &asked.worker)?;
    for queue in queues {
        check_name("queue", queue)?;
    }
    for kind in asked.kinds.iter().flatten() {
        check_name("kind", kind)?;
    }
    if queues.is_empty() || queues.len().max(asked.kinds.iter().flatten().count()) > NAMES_MAX {
        return wrong(format!("a claim names 1 to {NAMES_MAX} queues, and as many kinds"));
    }
    if !(1..=JOBS_MAX).contains(&asked.max.unwrap_or(1)) {
        return wrong(format!("max is 1 to {JOBS_MAX}"));
    }
    if asked.wait_ms.is_some_and(|ms| ms > WAIT_MS_MAX) {
        return wrong(format!("wait_ms is at most {WAIT_MS_MAX}: come again after that"));
    }
    Ok(())
}

/// What a claim takes from.
#[derive(Clone)]
struct Taking {
    queue: Queue,
    worker: Box<str>,
    queues: Vec<Box<str>>,
    kinds: Option<Vec<Box<str>>>,
}

/// Jobs with what stands for them in the budget.
type Found = (Vec<Claimed>, Option<Reservation>);

async fn wait(
    context: &Context,
    jobs: &Jobs,
    taking: &Taking,
    jobs_max: u32,
    wait_ms: u64,
) -> Result<Found> {
    let found = taking.look(context, jobs_max).await?;
    if !found.0.is_empty() || wait_ms == 0 {
        return Ok(found);
    }
    let Ok(_seat) = jobs.claims.try_acquire() else {
        let why = "as many claims wait for a job as may; ask without wait_ms, or later";
        return Err(Problem::new(Kind::QueueFull, why).retry_after(1));
    };
    let mut phase = context.phase.subscribe();
    let until = Instant::now() + Duration::from_millis(wait_ms);
    while Instant::now() < until {
        let left = until.saturating_duration_since(Instant::now()).min(LOOK_EVERY);
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            // The server goes: whoever claims shall ask the next one.
            () = async { drop(phase.wait_for(|phase| *phase != Phase::Serving).await) } => break,
        }
        let found = taking.look(context, jobs_max).await?;
        if !found.0.is_empty() {
            return Ok(found);
        }
    }
    Ok((Vec::new(), None))
}

impl Taking {
    /// Takes what is there, with room for the largest; nothing is held while nothing is there.
    async fn look(&self, context: &Context, jobs_max: u32) -> Result<Found> {
        let reserved = context.page_bytes.try_reserve(JOB_BYTES * u64::from(jobs_max))?;
        let found = self.take(context, jobs_max).await?;
        let held = (!found.is_empty()).then_some(reserved);
        Ok((found, held))
    }

    /// Takes on a task of its own, which goes on where the client has gone.
    async fn take(&self, context: &Context, jobs_max: u32) -> Result<Vec<Claimed>> {
        let (give, taken) = oneshot::channel();
        let taking = self.clone();
        tokio::spawn(async move {
            let Taking { queue, worker, queues, kinds } = taking;
            let found = queue.take(&worker, &queues, kinds.as_deref(), jobs_max).await;
            let Err(Ok(unwanted)) = give.send(found) else { return };
            give_back(&queue, &unwanted).await;
        });
        let gone = |_| {
            let kind = plimsoll_jobs::ErrorKind::Store(plimsoll_store::ErrorKind::Stopped);
            Err(plimsoll_jobs::Error::new(kind, "the server stops"))
        };
        soon(context, async { taken.await.unwrap_or_else(gone) }).await
    }
}
