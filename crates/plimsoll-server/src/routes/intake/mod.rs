//! What clients send in files, over HTTP.
//!
//! ```text
//!   POST /{resource}/import      a file ─> 202, Location: /jobs/{id}
//!   POST /{resource}/sync, and POST /{resource} with a file of rows: few at once, many the same
//!   POST /{resource}/bulk-update where there are many changes: the same
//!   GET  /jobs/{id}/rejects      the rows that were left out: line, reason, the row
//!   POST /jobs/{id}/resume       with a corrected file, where a wrong row stopped it
//! ```
//!
//! Promises: what can be refused without reading a row is refused before there is a job.
//! Never: a row written before the whole file is on the disk.

mod bulk;
mod corrected;
mod import;
mod ingest;
mod options;
mod rejects;

pub(super) use bulk::change_many;
pub(super) use corrected::corrected;
pub(crate) use import::import;
pub(crate) use ingest::{create_many, is_file, sync};
pub(super) use rejects::rejects;

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll_jobs::{Job, NewJob, State};

use super::jobs::{list, soon};
use super::write::{IDEMPOTENT_REPLAYED, remember};
use crate::app::Context;
use crate::intake::{Asked, IMPORT, Upload};
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::sealed::Sealed;

/// Whether whoever asks sent the file of the job.
pub(super) fn is_own(context: &Context, job: &Job) -> bool {
    let Some(principal) = &context.principal else { return true };
    let sealed = serde_json::from_str::<Sealed<Asked>>(&job.payload).ok();
    let maker = sealed.and_then(|sealed| sealed.asked().maker.as_ref()?.principal().ok());
    maker.is_some_and(|maker| maker.mark() == principal.mark())
}

/// Whether the job is one that a corrected file lets go on.
pub(super) fn takes_file(job: &Job) -> bool {
    &*job.kind == IMPORT && job.state == State::Failed
}

/// Makes the job of a file, once for an Idempotency-Key.
async fn enqueue(
    context: &Context,
    jobs: &Jobs,
    (label, request): (&RouteLabel, &Parts),
    upload: Upload,
    kind: &str,
    (asked, memory_bytes): (Asked, u64),
) -> Result<Response<Body>> {
    if let Some(most) = jobs.memory_bytes_max.filter(|most| memory_bytes > *most) {
        let why = format!(
            "a job of {kind} holds {memory_bytes} bytes and jobs have {most} together: give the \
             server more with memory.limit"
        );
        return Err(Problem::new(Kind::TooLarge, why).with("bytes_max", most));
    }
    let payload = serde_json::to_string(&jobs.intake.seal(asked));
    let payload = payload.map_err(|e| Problem::internal(&e))?;
    let job = NewJob {
        unique_key: Some(upload.token().into()),
        memory_bytes,
        ..jobs.registry.job(kind, payload)?
    };
    let path = request.uri.path_and_query().map_or_else(|| request.uri.path(), |p| p.as_str());
    let remembered = remember(request, label, path, &upload.digest(), StatusCode::ACCEPTED)?;
    soon(context, jobs.queue.enqueue(&jobs.intake.look_again(&jobs.queue))?).await?;
    // Whoever goes, or waits no longer, may have a job all the same: it needs its file.
    let token = upload.leave();
    let made = match remembered {
        Some(remembered) => soon(context, jobs.queue.enqueue_once(&job, remembered)?).await,
        None => soon(context, jobs.queue.enqueue(&job)?).await,
    };
    let is_needed = match &made {
        Ok(made) => !made.existed,
        Err(problem) => !problem.kind().status().is_client_error(),
    };
    if !is_needed {
        let intake = Arc::clone(&jobs.intake);
        let discarding = tokio::task::spawn_blocking(move || intake.discard(&token));
        discarding.await.map_err(|e| Problem::internal(&e))?;
    }
    let made = made?;
    let job = soon(context, jobs.queue.show(made.id)).await?;
    let mut response = accepted(context, jobs, &job).await?;
    if made.existed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// 202 with the job.
async fn accepted(context: &Context, jobs: &Jobs, job: &Job) -> Result<Response<Body>> {
    let mut response = super::json(list::shown(context, jobs, job).await?.to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::try_from(format!("/api/v2/jobs/{}", job.id)) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}
