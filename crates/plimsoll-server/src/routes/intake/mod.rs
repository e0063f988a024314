//! What clients send in files, over HTTP.
//!
//! ```text
//!   POST /{resource}/import      a file ─> 202, Location: /jobs/{id}
//!   GET  /jobs/{id}/rejects      the rows that were left out: line, reason, the row
//!   POST /jobs/{id}/resume       with a corrected file, where a wrong row stopped it
//! ```
//!
//! Promises: what can be refused without reading a row is refused before there is a job.
//! Never: a row written before the whole file is on the disk.

mod corrected;
mod import;
mod options;
mod rejects;

pub(super) use corrected::corrected;
pub(crate) use import::import;
pub(super) use rejects::rejects;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll_jobs::{Job, State};

use super::jobs::list;
use crate::app::Context;
use crate::intake::{Asked, IMPORT};
use crate::jobs::Jobs;
use crate::problem::Result;
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
