//! `GET /jobs/{id}/events`: a job's life as server-sent events.
//!
//! ```text
//!   look every 250 ms ─> state, checkpoint, progress where they changed ─> done or failed: the end
//!   nothing for 15 s  ─> ": hb"              the server stops ─> bye
//! ```
//!
//! An event's id is the time at which it was seen, in microseconds, and larger than that of the
//! event before; the last one's is at least the time at which the job was over. So a reconnect
//! with `Last-Event-ID` is told what the job is now, or, where that was told before, 204: over.
//!
//! Promises: a bounded number of streams; each holds two small frames.
//! Never: an event queued for a client that does not read: what it missed is in the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use plimsoll::budget::Reservation;
use plimsoll_jobs::{Job, JobId, State, state_document};
use serde_json::Value as Json;
use tokio::sync::mpsc;

use super::{job, jobs};
use crate::accept::Phase;
use crate::app::Context;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::stream::{Frames, Said};

/// Between two looks at the job.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A connection on which nothing comes is closed by what stands between.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Two frames with a job's result and error.
const STREAM_BYTES: u64 = 256 << 10;

/// See the module.
pub(super) async fn events(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let found = job(context, jobs(context)?, request).await?;
    of_job(context, request, found)
}

/// The events of a job that whoever asks may see.
pub(in crate::routes) fn of_job(
    context: &Arc<Context>,
    request: &Parts,
    found: Job,
) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let held = jobs(context)?;
    let last_id = last_id(request)?;
    if is_told(&found, last_id) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(response);
    }
    if held.events.available_permits() == 0 {
        let why = "as many streams of events are open as may be; ask for the job itself, or later";
        return Err(Problem::new(Kind::QueueFull, why).retry_after(5));
    }
    let reserved = context.page_bytes.try_reserve(STREAM_BYTES)?;
    let (sender, frames) = mpsc::channel(1);
    let teller = Teller {
        context: Arc::clone(context),
        sender,
        id: found.id,
        last_id,
        told: None,
        spoke: Instant::now(),
        _reserved: reserved,
    };
    tokio::spawn(teller.run(found));
    let mut response = Response::new(Body::new(Frames::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would keep the events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The id of the event that the client saw last; 0 for none.
fn last_id(request: &Parts) -> Result<i64> {
    let Some(sent) = request.headers.get("last-event-id") else { return Ok(0) };
    let id = sent.to_str().ok().and_then(|text| text.parse().ok()).filter(|id| *id >= 0);
    id.ok_or_else(|| {
        Problem::new(Kind::InvalidRequest, "Last-Event-ID is not the id of an event of this stream")
    })
}

/// Whether a client was told how the job ended.
fn is_told(job: &Job, last_id: i64) -> bool {
    job.state.is_over() && job.finished_micros.is_some_and(|at| last_id >= at)
}

struct Teller {
    context: Arc<Context>,
    sender: mpsc::Sender<Said>,
    id: JobId,
    last_id: i64,
    told: Option<Job>,
    spoke: Instant,
    _reserved: Reservation,
}

impl Teller {
    async fn run(mut self, first: Job) {
        let context = Arc::clone(&self.context);
        let Some(jobs) = &context.jobs else { return };
        // A seat that was taken meanwhile cuts this stream short; the client comes again.
        let Ok(_seat) = jobs.events.try_acquire() else { return };
        let mut phase = context.phase.subscribe();
        let mut next = Some(first);
        if !self.say("retry: 3000\n\n".to_owned()).await {
            return;
        }
        loop {
            if let Some(job) = next.take()
                && !self.tell(job).await
            {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.sender.closed() => return,
                () = async { drop(phase.wait_for(|phase| *phase != Phase::Serving).await) } => {
                    let id = self.next_id(0);
                    self.say(format!("id: {id}\nevent: bye\ndata: {{}}\n\n")).await;
                    break;
                }
            }
            match jobs.queue.show(self.id).await {
                Ok(job) => next = Some(job),
                // It was removed: what was told is all there is.
                Err(error) => {
                    tracing::debug!(target: "http", %error, job = self.id, "events end");
                    break;
                }
            }
            if self.spoke.elapsed() >= HEARTBEAT_EVERY && !self.say(": hb\n\n".to_owned()).await {
                return;
            }
        }
        drop(self.sender.send(Said::End).await);
    }

    /// Tells what changed; whether there is more to come.
    async fn tell(&mut self, job: Job) -> bool {
        let Some(name) = changed(self.told.as_ref(), &job) else {
            return true;
        };
        let over = job.state.is_over();
        let id = self.next_id(job.finished_micros.unwrap_or(0));
        let now = self.context.jobs.as_ref().map_or(0, |jobs| jobs.queue.now_micros());
        let data: Json = state_document(&job, now);
        self.told = Some(job);
        self.say(format!("id: {id}\nevent: {name}\ndata: {data}\n\n")).await && !over
    }

    fn next_id(&mut self, at_least: i64) -> i64 {
        let now = self.context.jobs.as_ref().map_or(0, |jobs| jobs.queue.now_micros());
        self.last_id = now.max(self.last_id.saturating_add(1)).max(at_least);
        self.last_id
    }

    /// Whether the client is still there.
    async fn say(&mut self, text: String) -> bool {
        self.spoke = Instant::now();
        self.sender.send(Said::Data(Bytes::from(text))).await.is_ok()
    }
}

/// The event that tells what became of it, if anything did.
fn changed(before: Option<&Job>, now: &Job) -> Option<&'static str> {
    match now.state {
        State::Completed => return Some("done"),
        state if state.is_over() => return Some("failed"),
        _ => {}
    }
    let Some(before) = before else { return Some("state") };
    if (before.state, before.token, before.wish) != (now.state, now.token, now.wish) {
        Some("state")
    } else if before.checkpoints != now.checkpoints {
        Some("checkpoint")
    } else if before.progress != now.progress {
        Some("progress")
    } else {
        None
    }
}
