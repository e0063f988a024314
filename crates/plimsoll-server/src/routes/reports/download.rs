//! `GET /reports/{id}/download`: the file.
//!
//! ```text
//!   not over ─> 409     failed, expired, file gone ─> 410     whole ─> 200, 206, 304, 412, 416
//! ```
//!
//! Promises: the bytes never change, so that a part by `If-Range` belongs to those the client has;
//! `Repr-Digest` is that of the whole file, whichever part is sent.
//! Never: a byte of a file whose job has not completed, or of one that is not this job's.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use plimsoll::format::Format;
use plimsoll_jobs::{Job, State};

use super::super::stream::content_type;
use super::super::whole_file::{WholeFile, open, send};
use super::report;
use crate::app::Context;
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};
use crate::reports::{Asked, Outcome};
use crate::sealed::Sealed;

/// See the module.
pub(super) async fn download(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let job = report(context, jobs, request).await?;
    let (sealed, outcome) = ready(&job)?;
    if jobs.queue.now_micros() >= outcome.expires_micros() {
        return Err(gone(&job, "its time is over"));
    }
    if !outcome.is_of(&job) {
        return Err(gone(&job, "its result names a file that is not its own"));
    }
    let path = jobs.reports.config.directory.join(&*outcome.file);
    let Some((file, bytes)) = open(path).await? else {
        return Err(gone(&job, "its file is not there any more"));
    };
    if bytes != outcome.size {
        return Err(gone(&job, "its file was changed by somebody else"));
    }
    let (tag, headers) = (outcome.tag(), described(sealed.asked(), &outcome));
    send(context, request, WholeFile { file, bytes, tag, headers }).await
}

/// What a report that is whole has.
fn ready(job: &Job) -> Result<(Sealed<Asked>, Outcome)> {
    if job.state == State::Completed {
        let sealed = serde_json::from_str(&job.payload).ok();
        let found = sealed.zip(Outcome::of(job));
        return found.ok_or_else(|| Problem::internal(&"a report without a result"));
    }
    if job.state.is_over() {
        let why = format!("it {}; GET /api/v2/reports/{} says why", job.state.name(), job.id);
        return Err(gone(job, &why));
    }
    let why = format!(
        "report {} is {}: ask again when /api/v2/reports/{0} says completed, or follow its events",
        job.id,
        job.state.name()
    );
    Err(Problem::new(Kind::ReportNotReady, why).with("state", job.state.name()).retry_after(2))
}

fn gone(job: &Job, why: &str) -> Problem {
    let detail = format!("there is nothing to fetch of report {}: {why}; ask for it anew", job.id);
    Problem::new(Kind::Gone, detail)
}

/// What is said of the file.
fn described(asked: &Asked, outcome: &Outcome) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let format = Format::from_name(&asked.format).unwrap_or(Format::Csv);
    headers.insert(header::CONTENT_TYPE, content_type(format));
    for (name, text) in
        [("repr-digest", &outcome.digest), ("content-disposition", &asked.disposition)]
    {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers
}
