//! `GET /reports/{id}/download`: the file.
//!
//! ```text
//!   not over ─> 409     failed, expired, file gone ─> 410     whole ─> 200, 206, 304, 412, 416
//! ```
//!
//! Promises: the bytes never change, so that a part by `If-Range` belongs to those the client has;
//! `Repr-Digest` is that of the whole file, whichever part is sent.
//! Never: a byte of a file whose job has not completed.

use std::fs::File;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use plimsoll::format::Format;
use plimsoll_jobs::{Job, State};

use super::super::exports::fetch::unsatisfiable;
use super::super::stream::{X_ACCEL_BUFFERING, content_type};
use super::report;
use crate::app::Context;
use crate::etag;
use crate::handoff::{Range, matches};
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};
use crate::reports::{Asked, Outcome, Sealed};
use crate::request_id::RequestId;
use crate::stream::send_part;

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
    let path = jobs.reports.config.directory.join(&*outcome.file);
    let opening = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok::<_, io::Error>((file, bytes))
    });
    let (file, bytes) = match opening.await.map_err(|e| Problem::internal(&e))? {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(gone(&job, "its file is not there any more"));
        }
        Err(error) => return Err(Problem::internal(&error)),
    };
    if bytes != outcome.size {
        return Err(gone(&job, "its file was changed by somebody else"));
    }
    let tag = outcome.tag();
    if !matches(&request.headers, &tag) {
        let why = "If-Match names other bytes than those of the report";
        return Err(Problem::new(Kind::PreconditionFailed, why));
    }
    if etag::none_match(&request.headers, &tag) {
        let mut response = described(sealed.asked(), &outcome, Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    send(context, request, Arc::new(file), (sealed.asked(), &outcome)).await
}

async fn send(
    context: &Arc<Context>,
    request: &Parts,
    file: Arc<File>,
    (asked, outcome): (&Asked, &Outcome),
) -> Result<Response<Body>> {
    let bytes = outcome.size;
    // Nothing but GET has ranges (RFC 9110, 14.2).
    let range = match request.method {
        Method::GET => Range::read(&request.headers, &outcome.tag()),
        _ => Range::Whole,
    };
    let (from, to) = match range {
        Range::Whole => (0, bytes),
        Range::Several => {
            let why = "several ranges are not given at once; ask for one after another";
            return Ok(unsatisfiable(bytes, why));
        }
        range => match range.within(bytes) {
            Some(part) => part,
            None => return Ok(unsatisfiable(bytes, &format!("the file has {bytes} bytes"))),
        },
    };
    let body = if request.method == Method::HEAD {
        Body::empty()
    } else {
        let id = request.extensions.get::<RequestId>().cloned();
        let id = id.unwrap_or_else(|| context.request_ids.of(&HeaderMap::new()));
        let permit = context.admission.admit().await?;
        send_part(context, permit, file, from..to, id)
    };
    let mut response = described(asked, outcome, body);
    let partial = range != Range::Whole;
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    let place = format!("bytes {from}-{}/{bytes}", to.saturating_sub(1));
    if let Some(place) = HeaderValue::try_from(place).ok().filter(|_| partial) {
        headers.insert(header::CONTENT_RANGE, place);
    }
    Ok(response)
}

/// What a report that is whole has.
fn ready(job: &Job) -> Result<(Sealed, Outcome)> {
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

/// The headers of the file, whichever part of it.
fn described(asked: &Asked, outcome: &Outcome, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let format = Format::from_name(&asked.format).unwrap_or(Format::Csv);
    headers.insert(header::CONTENT_TYPE, content_type(format));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, etag::header_value(&outcome.tag()));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    for (name, text) in
        [("repr-digest", &outcome.digest), ("content-disposition", &asked.disposition)]
    {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    response
}
