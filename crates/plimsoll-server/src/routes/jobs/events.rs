//! `GET /jobs/{id}/events` and `GET /batches/{id}/events`: a life as server-sent events.
//!
//! ```text
//!   a job    ─> state, checkpoint, progress where they changed ─> done or failed: the end
//!   a batch  ─> state, progress                                ─> done or failed: the end
//! ```
//!
//! An event's id is the time at which it was seen, in microseconds, and larger than that of the
//! event before; the last one's is at least the time at which all was over. So a reconnect with
//! `Last-Event-ID` is told what it is now, or, where that was told before, 204: over.
//!
//! Promises: the last event is told once.
//! Never: a change between two looks told by itself: it is in the next event.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll_jobs::{Batch, Job, Queue, State, batch_document, state_document};

use super::sse::{self, Next, Teller};
use super::{batch, job, jobs};
use crate::app::Context;
use crate::params::Query;
use crate::problem::Result;

/// Something that is told of until it is over.
trait Lived: Sized + Send + 'static {
    /// What it is now.
    fn look(&self, queue: &Queue) -> impl Future<Output = plimsoll_jobs::Result<Self>> + Send;
    /// When it was over.
    fn over_micros(&self) -> Option<i64>;
    /// The event that tells what became of it since, if anything did.
    fn changed(&self, before: Option<&Self>) -> Option<&'static str>;
    /// The event's data.
    fn data(&self, now_micros: i64) -> serde_json::Value;
}

impl Lived for Job {
    fn look(&self, queue: &Queue) -> impl Future<Output = plimsoll_jobs::Result<Self>> + Send {
        queue.show(self.id)
    }

    fn over_micros(&self) -> Option<i64> {
        self.finished_micros.filter(|_| self.state.is_over())
    }

    fn changed(&self, before: Option<&Self>) -> Option<&'static str> {
        match self.state {
            State::Completed => return Some("done"),
            state if state.is_over() => return Some("failed"),
            _ => {}
        }
        let Some(before) = before else { return Some("state") };
        if (before.state, before.token, before.wish) != (self.state, self.token, self.wish) {
            Some("state")
        } else if before.checkpoints != self.checkpoints {
            Some("checkpoint")
        } else if before.progress != self.progress {
            Some("progress")
        } else {
            None
        }
    }

    fn data(&self, now_micros: i64) -> serde_json::Value {
        state_document(self, now_micros)
    }
}

impl Lived for Batch {
    fn look(&self, queue: &Queue) -> impl Future<Output = plimsoll_jobs::Result<Self>> + Send {
        queue.show_batch(&self.batch)
    }

    fn over_micros(&self) -> Option<i64> {
        self.finished_micros
    }

    fn changed(&self, before: Option<&Self>) -> Option<&'static str> {
        match self.state() {
            "completed" => return Some("done"),
            "failed" | "cancelled" => return Some("failed"),
            _ => {}
        }
        match before {
            Some(before) if before == self => None,
            Some(before) if before.state() == self.state() => Some("progress"),
            _ => Some("state"),
        }
    }

    fn data(&self, _now_micros: i64) -> serde_json::Value {
        batch_document(self)
    }
}

/// `GET /jobs/{id}/events`.
pub(super) async fn of_job(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let found = job(context, jobs(context)?, request).await?;
    follow(context, request, found)
}

/// The events of a job that whoever asks may see.
pub(in crate::routes) fn of_found(
    context: &Arc<Context>,
    request: &Parts,
    found: Job,
) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    follow(context, request, found)
}

/// `GET /batches/{id}/events`.
pub(super) async fn of_batch(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let found = batch::found(context, jobs(context)?, request).await?;
    follow(context, request, found)
}

fn follow<T: Lived>(context: &Arc<Context>, request: &Parts, found: T) -> Result<Response<Body>> {
    let last_id = sse::last_id(request)?.unwrap_or(0);
    if found.over_micros().is_some_and(|at| last_id >= at) {
        return Ok(sse::over());
    }
    let (teller, response) = sse::open(context, jobs(context)?, last_id)?;
    tokio::spawn(tell(Arc::clone(context), teller, found));
    Ok(response)
}

/// Tells a life to its end.
async fn tell<T: Lived>(context: Arc<Context>, mut teller: Teller, first: T) {
    let Some(jobs) = &context.jobs else { return };
    let mut told: Option<T> = None;
    let mut next = first;
    if !teller.say("retry: 3000\n\n".to_owned()).await {
        return;
    }
    loop {
        if let Some(name) = next.changed(told.as_ref()) {
            let now = jobs.queue.now_micros();
            let id = teller.next_id(now, next.over_micros().unwrap_or(0));
            let data = next.data(now);
            if !teller.say(format!("id: {id}\nevent: {name}\ndata: {data}\n\n")).await {
                return;
            }
        }
        if matches!(next.changed(None), Some("done" | "failed")) {
            break;
        }
        match teller.rest().await {
            Next::Look => {}
            Next::Gone => return,
            Next::Bye => {
                teller.bye().await;
                break;
            }
        }
        match next.look(&jobs.queue).await {
            Ok(now) => told = Some(std::mem::replace(&mut next, now)),
            // It was removed: what was told is all there is.
            Err(error) => {
                tracing::debug!(target: "http", %error, "a stream of events ends");
                break;
            }
        }
    }
    teller.end().await;
}
