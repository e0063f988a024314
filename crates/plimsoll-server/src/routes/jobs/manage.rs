//! What people do to jobs, queues and workers.
//!
//! Promises: what cannot be done is 409 and says what the job is instead; the answer to what was
//! done is the job as it is then.
//! Never: a job stopped by force: one that runs stops where it looks next.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use plimsoll::record::Timestamp;
use plimsoll_jobs::QueueState;
use serde_json::{Value as Json, json};

use super::{blocking, json as json_answer, list, segment, soon};
use crate::app::Context;
use crate::jobs::Jobs;
use crate::problem::Result;

/// The most workers there are in a list, each with what it says about itself.
const WORKERS_BYTES: u64 = 4 << 20;

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Retry,
    Cancel,
    Pause,
    Resume,
}

/// `POST /jobs/{id}/retry`, `cancel`, `pause` or `resume`.
pub(super) async fn change(
    context: &Context,
    jobs: &Jobs,
    change: Change,
    request: &Parts,
) -> Result<Response<Body>> {
    let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
    let id = super::job(context, jobs, request).await?.id;
    blocking(context, jobs, move |queue| match change {
        Change::Retry => queue.restart(id),
        Change::Cancel => queue.cancel(id),
        Change::Pause => queue.pause(id),
        Change::Resume => queue.resume(id),
    })
    .await?;
    let job = soon(context, jobs.queue.show(id)).await?;
    Ok(json_answer(&list::shown(context, jobs, &job).await?))
}

/// `DELETE /jobs/{id}`.
pub(super) async fn remove(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let id = super::job(context, jobs, request).await?.id;
    blocking(context, jobs, move |queue| queue.remove(id)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn time(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// `GET /queues`.
pub(super) async fn queues(context: &Context, jobs: &Jobs) -> Result<Response<Body>> {
    let queues = blocking(context, jobs, plimsoll_jobs::Queue::queues).await?;
    let data: Vec<Json> = queues.iter().map(|(name, queue)| shown(name, queue)).collect();
    Ok(json_answer(&json!({ "data": data })))
}

fn shown(name: &str, queue: &QueueState) -> Json {
    json!({
        "queue": name,
        "paused_at": queue.paused_micros.map(time),
        "concurrency_max": queue.concurrency_max,
        "oldest_ready_at": queue.oldest_micros.map(time),
        "restart_at": queue.restart_micros.map(time),
        "jobs": queue.jobs,
    })
}

/// `POST /queues/{name}/pause` or `resume`.
pub(super) async fn pause_queue(
    context: &Context,
    jobs: &Jobs,
    pause: bool,
    request: &Parts,
) -> Result<Response<Body>> {
    let name = segment(request)?;
    if pause {
        soon(context, jobs.queue.pause_queue(&name)?).await?;
    } else {
        plimsoll_jobs::check_name("queue", &name)?;
        soon(context, jobs.queue.resume_queue(&name)).await?;
    }
    let queues = blocking(context, jobs, plimsoll_jobs::Queue::queues).await?;
    let queue = queues.get(&*name).cloned().unwrap_or_default();
    Ok(json_answer(&shown(&name, &queue)))
}

/// `GET /workers`.
pub(super) async fn workers(context: &Context, jobs: &Jobs) -> Result<Response<Body>> {
    let _reserved = context.page_bytes.try_reserve(WORKERS_BYTES)?;
    let workers = soon(context, jobs.queue.workers()).await?;
    let data: Vec<Json> = workers
        .iter()
        .map(|worker| {
            json!({
                "worker": worker.worker,
                "started_at": time(worker.started_micros),
                "seen_at": time(worker.seen_micros),
                "wish": worker.wish,
                "about": serde_json::from_str::<Json>(&worker.about).unwrap_or_default(),
            })
        })
        .collect();
    Ok(json_answer(&json!({ "data": data })))
}

/// `POST /workers/{name}/quiet` or `stop`.
pub(super) async fn stop_worker(
    context: &Context,
    jobs: &Jobs,
    stop: bool,
    request: &Parts,
) -> Result<Response<Body>> {
    let name = segment(request)?;
    let answer = json!({"worker": name, "wish": if stop { "stop" } else { "quiet" }});
    blocking(context, jobs, move |queue| queue.wish_worker(&name, stop)).await?;
    Ok(json_answer(&answer))
}
