//! Jobs over HTTP.
//!
//! ```text
//!   /jobs                       list, enqueue          /queues                  list
//!   /jobs/{id}                  show, remove           /queues/{name}/pause     and resume
//!   /jobs/{id}/errors           of its attempts        /workers                 list
//!   /jobs/{id}/rejects          of an import
//!   /jobs/{id}/events           SSE                    /workers/{name}/quiet    and stop
//!   /jobs/{id}/retry            and cancel, pause, resume
//!   /batches                    list, begin            /batches/{id}            show, /events SSE
//!   /batches/{id}/cancel, /jobs                        /events                  SSE
//!   /schedules                  list                   /schedules/{name}        show, set, remove
//!                                                      /schedules/{name}/pause  and resume
//!
//!   pull:  POST /jobs/claim ─> token ─> POST /jobs/{id}/heartbeat, checkpoint, complete, fail
//! ```
//!
//! Promises: what names a token that is not the job's any more is 409 `lease-lost`, and nothing
//! of it has happened; where there is no place for jobs, 409 says how to have one.
//! Never: SQL, or an answer that waits without a bound.

mod batch;
mod enqueue;
pub(super) mod events;
pub(super) mod list;
mod manage;
mod pull;
mod report;
mod schedule;
mod sse;
mod told;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, header};
use plimsoll_jobs::{Error, ErrorKind, Job, JobId, Queue};
use serde::Deserialize;
use serde_json::Value as Json;

use super::intake;
use crate::access::{Need, Verb};
use crate::app::Context;
use crate::body::{Held, JSON_TYPES, read_json};
use crate::jobs::Jobs;
use crate::params::{Query, decode};
use crate::problem::{Kind, Problem, Result};

/// A scrape waits this long for the queues to be counted.
const COUNT_TIME_MAX: Duration = Duration::from_secs(1);

/// What a path of jobs does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    All,
    One,
    Errors,
    Rejects,
    Events,
    Change(manage::Change),
    Claim,
    Report(report::Report),
    Queues,
    QueuePause(bool),
    Workers,
    WorkerStop(bool),
    Batches,
    Batch,
    BatchJobs,
    BatchCancel,
    BatchEvents,
    Schedules,
    Schedule,
    SchedulePause(bool),
    Told,
}

/// Every path, as it stands behind a prefix.
pub(crate) const ROUTES: [(&str, Route); 30] = {
    use manage::Change;
    use report::Report;
    [
        ("/jobs", Route::All),
        ("/jobs/claim", Route::Claim),
        ("/jobs/{id}", Route::One),
        ("/jobs/{id}/errors", Route::Errors),
        ("/jobs/{id}/rejects", Route::Rejects),
        ("/jobs/{id}/events", Route::Events),
        ("/jobs/{id}/retry", Route::Change(Change::Retry)),
        ("/jobs/{id}/cancel", Route::Change(Change::Cancel)),
        ("/jobs/{id}/pause", Route::Change(Change::Pause)),
        ("/jobs/{id}/resume", Route::Change(Change::Resume)),
        ("/jobs/{id}/heartbeat", Route::Report(Report::Heartbeat)),
        ("/jobs/{id}/checkpoint", Route::Report(Report::Checkpoint)),
        ("/jobs/{id}/complete", Route::Report(Report::Complete)),
        ("/jobs/{id}/fail", Route::Report(Report::Fail)),
        ("/queues", Route::Queues),
        ("/queues/{name}/pause", Route::QueuePause(true)),
        ("/queues/{name}/resume", Route::QueuePause(false)),
        ("/workers", Route::Workers),
        ("/workers/{name}/quiet", Route::WorkerStop(false)),
        ("/workers/{name}/stop", Route::WorkerStop(true)),
        ("/batches", Route::Batches),
        ("/batches/{id}", Route::Batch),
        ("/batches/{id}/jobs", Route::BatchJobs),
        ("/batches/{id}/cancel", Route::BatchCancel),
        ("/batches/{id}/events", Route::BatchEvents),
        ("/schedules", Route::Schedules),
        ("/schedules/{name}", Route::Schedule),
        ("/schedules/{name}/pause", Route::SchedulePause(true)),
        ("/schedules/{name}/resume", Route::SchedulePause(false)),
        ("/events", Route::Told),
    ]
};

impl Route {
    /// What whoever asks must have been given; what depends on a job's kind or queue is asked for
    /// once that is known.
    pub(crate) fn need(self, reads: bool) -> Need {
        match self {
            // A batch has jobs of any kind, and events tell of any.
            Self::Batches | Self::Queues | Self::Workers if reads => {
                Need::Named(Verb::Job, "*".into())
            }
            Self::Batch | Self::BatchJobs | Self::BatchCancel | Self::BatchEvents => {
                Need::Named(Verb::Job, "*".into())
            }
            Self::Schedules | Self::Told => Need::Named(Verb::Job, "*".into()),
            Self::QueuePause(_) | Self::WorkerStop(_) | Self::Queues | Self::Workers => Need::Admin,
            _ => Need::Known,
        }
    }

    /// Its methods.
    fn allow(self) -> &'static str {
        match self {
            Self::All => "GET, HEAD, POST",
            Self::One => "GET, HEAD, DELETE",
            Self::Batches => "GET, HEAD, POST",
            Self::Errors | Self::Rejects | Self::Events => "GET, HEAD",
            Self::Queues | Self::Workers | Self::Schedules => "GET, HEAD",
            Self::Batch | Self::BatchEvents | Self::Told => "GET, HEAD",
            Self::Schedule => "GET, HEAD, PUT, DELETE",
            _ => "POST",
        }
    }
}

/// Answers a request about jobs.
pub(crate) async fn answer(
    context: &Arc<Context>,
    route: Route,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let method = &request.method;
    if !route.allow().split(", ").any(|allowed| allowed == method.as_str()) {
        return Err(Problem::method(method, route.allow()));
    }
    let jobs = jobs(context)?;
    use Route::{All, Batches, Events, Schedules, Told};
    if !matches!(route, All | Events | Batches | Schedules | Told) {
        Query::expect_none(request.uri.query())?;
    }
    let mut response = match route {
        Route::All if *method == Method::POST => {
            enqueue::enqueue(context, jobs, request, body).await
        }
        Route::All => list::list(context, jobs, request).await,
        Route::One if *method == Method::DELETE => manage::remove(context, jobs, request).await,
        Route::One => list::show(context, jobs, request).await,
        Route::Errors => list::errors(context, jobs, request).await,
        Route::Events => events::of_job(context, request).await,
        Route::Rejects => intake::rejects(context, jobs, request).await,
        Route::Change(manage::Change::Resume) => resume(context, jobs, request, body).await,
        Route::Change(change) => manage::change(context, jobs, change, request).await,
        Route::Claim => pull::claim(context, jobs, request, body).await,
        Route::Report(report) => report::report(context, jobs, report, request, body).await,
        Route::Queues => manage::queues(context, jobs).await,
        Route::QueuePause(pause) => manage::pause_queue(context, jobs, pause, request).await,
        Route::Workers => manage::workers(context, jobs).await,
        Route::Batches if *method == Method::POST => {
            batch::begin(context, jobs, request, body).await
        }
        Route::Batches => batch::list(context, jobs, request).await,
        Route::Batch => batch::show(context, jobs, request).await,
        Route::BatchJobs => batch::add(context, jobs, request, body).await,
        Route::BatchCancel => batch::cancel(context, jobs, request).await,
        Route::BatchEvents => events::of_batch(context, request).await,
        Route::Schedules => schedule::list(context, jobs, request).await,
        Route::Schedule => schedule::one(context, jobs, request, body).await,
        Route::SchedulePause(pause) => schedule::pause(context, jobs, pause, request).await,
        Route::Told => told::told(context, request).await,
        Route::WorkerStop(stop) => manage::stop_worker(context, jobs, stop, request).await,
    }?;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    Ok(response)
}

/// An import that failed goes on with a corrected file, if one is sent.
async fn resume(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let has_body = body.size_hint().upper() != Some(0);
    if has_body && intake::takes_file(&job(context, jobs, request).await?) {
        return intake::corrected(context, jobs, request, body).await;
    }
    manage::change(context, jobs, manage::Change::Resume, request).await
}

pub(super) fn jobs(context: &Context) -> Result<&Jobs> {
    context.jobs.as_ref().ok_or_else(|| {
        Problem::new(
            Kind::NoJobs,
            "this server reads somebody's own database and keeps no tables in it, so that there \
             is no place for jobs; name one with control.url, or serve Plimsoll's own database \
             (without database.url, or a PostgreSQL that `plimsoll migrate --database URL` has \
             prepared) to have them",
        )
    })
}

/// Waits for the queue, at most as long as for any answer.
pub(super) async fn soon<T>(
    context: &Context,
    answer: impl Future<Output = plimsoll_jobs::Result<T>>,
) -> Result<T> {
    let timeout = context.limits.request_timeout;
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            let why = format!("the queue took longer than {} s; try again", timeout.as_secs());
            Err(Problem::new(Kind::Busy, why).retry_after(5))
        }
    }
}

/// Does what waits for the store on the thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    context: &Context,
    jobs: &Jobs,
    work: impl FnOnce(&Queue) -> plimsoll_jobs::Result<T> + Send + 'static,
) -> Result<T> {
    let queue = jobs.queue.clone();
    let working = tokio::task::spawn_blocking(move || work(&queue));
    soon(context, async {
        working.await.unwrap_or_else(|panic| {
            Err(Error::new(ErrorKind::Store(plimsoll_store::ErrorKind::Io), panic.to_string()))
        })
    })
    .await
}

/// Reads what the queues have, for a scrape of the metrics; what stood there stays where that
/// takes longer than a scrape should.
pub(crate) async fn count(context: &Context) {
    let Some(jobs) = &context.jobs else { return };
    let counting = blocking(context, jobs, Queue::queues);
    if let Ok(Ok(queues)) = tokio::time::timeout(COUNT_TIME_MAX, counting).await {
        jobs.last_queues.set(&queues);
    }
}

/// The segment of the path behind the first that is one of ours.
fn segment(request: &Parts) -> Result<String> {
    let mut segments = request.uri.path().split('/');
    let ours = ["jobs", "queues", "workers", "batches", "schedules"];
    segments.find(|part| ours.contains(part));
    let name = segments.next().unwrap_or_default();
    Ok(decode(name, "the name in the path")?.into_owned())
}

fn job_id(request: &Parts) -> Result<JobId> {
    let text = segment(request)?;
    let id = text.parse().ok().filter(|id: &JobId| *id > 0 && text.bytes().all(digit));
    id.ok_or_else(|| {
        let text = plimsoll::error::excerpt(&text);
        let why = format!("there is no job '{text}': a job's id is a whole number from 1 up");
        Problem::new(Kind::NotFound, why)
    })
}

fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// The job of the path, for somebody who may see its kind or sent the file it takes in; to others
/// it is not there.
pub(super) async fn job(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Job> {
    let id = job_id(request)?;
    let job = soon(context, jobs.queue.show(id)).await?;
    if context.may_job(&job.kind).is_err() && !intake::is_own(context, &job) {
        let why = format!("there is no job {id} that may be seen with this key or token");
        return Err(Problem::new(Kind::NotFound, why));
    }
    Ok(job)
}

/// Reads a JSON body.
async fn read_body(context: &Context, request: &Parts, body: Body) -> Result<Held> {
    read_json(context, &request.headers, body, &JSON_TYPES).await
}

/// What a body says.
pub(in crate::routes) fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        if e.is_data() {
            return Problem::new(Kind::JobInvalid, e.to_string());
        }
        Problem::new(Kind::InvalidRequest, format!("the body is no JSON: {e}"))
    })
}

fn json(document: &Json) -> Response<Body> {
    super::json(document.to_string())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let plain = |kind| Self::new(kind, error.to_string());
        match error.kind() {
            ErrorKind::Invalid => plain(Kind::JobInvalid),
            ErrorKind::NotFound => plain(Kind::NotFound),
            ErrorKind::Conflict => plain(Kind::Conflict),
            ErrorKind::LeaseLost => Self::new(
                Kind::LeaseLost,
                "the token is not the one under which the job runs: it was rescued, ended or \
                 claimed again meanwhile. Nothing of this request has happened; stop, and claim \
                 anew",
            ),
            ErrorKind::TooLarge => plain(Kind::TooLarge),
            ErrorKind::Store(kind) => plimsoll_store::Error::new(kind, error.to_string()).into(),
        }
    }
}
