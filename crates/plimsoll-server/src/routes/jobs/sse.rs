//! Server-sent events to one client: what the streams of jobs, batches and events share.
//!
//! ```text
//!   look every 250 ms ─> what is new     nothing for 15 s ─> ": hb"     the server stops ─> bye
//! ```
//!
//! Promises: a bounded number of streams together; each holds two small frames.
//! Never: an event queued for a client that does not read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use plimsoll::budget::Reservation;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use crate::accept::Phase;
use crate::app::Context;
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};
use crate::stream::{Frames, Said};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A connection on which nothing comes is closed by what stands between.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Two frames with a job's result and error.
const STREAM_BYTES: u64 = 256 << 10;

/// Who tells a client.
pub(super) struct Teller {
    sender: mpsc::Sender<Said>,
    phase: watch::Receiver<Phase>,
    spoke: Instant,
    last_id: i64,
    _seat: OwnedSemaphorePermit,
    _reserved: Reservation,
}

/// What comes after a while of rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another look.
    Look,
    /// The client has gone.
    Gone,
    /// The server stops: what is told last is [`Teller::bye`].
    Bye,
}

/// A stream and who tells it, behind the event that the client saw last.
///
/// # Errors
/// 429 where as many are open as may be, 503 where there is no memory.
pub(super) fn open(
    context: &Arc<Context>,
    jobs: &Jobs,
    last_id: i64,
) -> Result<(Teller, Response<Body>)> {
    let Ok(seat) = Arc::clone(&jobs.events).try_acquire_owned() else {
        let why = "as many streams of events are open as may be; ask for what it is now, or later";
        return Err(Problem::new(Kind::QueueFull, why).retry_after(5));
    };
    let reserved = context.page_bytes.try_reserve(STREAM_BYTES)?;
    let (sender, frames) = mpsc::channel(1);
    let teller = Teller {
        sender,
        phase: context.phase.subscribe(),
        spoke: Instant::now(),
        last_id,
        _seat: seat,
        _reserved: reserved,
    };
    let mut response = Response::new(Body::new(Frames::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would keep the events until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok((teller, response))
}

/// The id of the event that the client saw last, where it says so.
///
/// # Errors
/// 400 for what is no id.
pub(super) fn last_id(request: &Parts) -> Result<Option<i64>> {
    let Some(sent) = request.headers.get("last-event-id") else { return Ok(None) };
    let id = sent.to_str().ok().and_then(|text| text.parse().ok()).filter(|id| *id >= 0);
    let wrong = "Last-Event-ID is not the id of an event of this stream";
    Ok(Some(id.ok_or_else(|| Problem::new(Kind::InvalidRequest, wrong))?))
}

/// There is no more to tell: a client that comes again has been told all.
pub(super) fn over() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

impl Teller {
    /// An id that is the time, and larger than the one before.
    pub(super) fn next_id(&mut self, now_micros: i64, at_least: i64) -> i64 {
        self.last_id = now_micros.max(self.last_id.saturating_add(1)).max(at_least);
        self.last_id
    }

    /// Whether the client is still there.
    pub(super) async fn say(&mut self, text: String) -> bool {
        self.spoke = Instant::now();
        self.sender.send(Said::Data(Bytes::from(text))).await.is_ok()
    }

    /// Rests until the next look, and says that the stream lives where nothing else did.
    pub(super) async fn rest(&mut self) -> Next {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = self.sender.closed() => return Next::Gone,
            () = async { drop(self.phase.wait_for(|phase| *phase != Phase::Serving).await) } => {
                return Next::Bye;
            }
        }
        if self.spoke.elapsed() >= HEARTBEAT_EVERY && !self.say(": hb\n\n".to_owned()).await {
            return Next::Gone;
        }
        Next::Look
    }

    /// What comes next without any rest.
    pub(super) fn look(&self) -> Next {
        if *self.phase.borrow() == Phase::Serving { Next::Look } else { Next::Bye }
    }

    /// Says that the server stops; the id stays that of the last event.
    pub(super) async fn bye(&mut self) {
        self.say("event: bye\ndata: {}\n\n".to_owned()).await;
    }

    /// The stream is whole.
    pub(super) async fn end(self) {
        drop(self.sender.send(Said::End).await);
    }
}
