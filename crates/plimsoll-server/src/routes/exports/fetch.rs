//! What a link to an export leads to.
//!
//! ```text
//!   signature ─> end ─> table ─> conditions ─> HEAD: headers
//!      404       410     404       304, 412    GET:  not given yet ─> 200, else 410
//!                                              GET with Range: file whole? ─> 206, 416
//!                                              either: the first one makes the export run
//! ```
//!
//! A download manager may begin with a range, to see whether it can: then the export runs into its
//! file, every range of it is answered from there, and so is the download. Only a range that is
//! everything is answered at once, as the download.
//!
//! Promises: of two who come at once one gets the file; bytes of two exports never come together;
//! an answer says nothing to a cache or to the next site.
//! Never: the link in an answer or in the log.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use plimsoll::record::Timestamp;

use super::super::export::export;
use super::super::stream::{X_ACCEL_BUFFERING, content_type};
use super::reading::{Reading, reading as read_as};
use crate::app::Context;
use crate::etag;
use crate::exchange::refused;
use crate::handoff::{
    Download, End, Export, Follower, Part, Range, Taken, Turn, begin, follow, matches,
};
use crate::problem::{Kind, Problem, Result};
use crate::request_id::RequestId;

const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// `GET` of a link. Every answer, also a refusal, tells the browser to keep the address to itself.
pub(crate) async fn fetch(context: &Arc<Context>, request: &Parts) -> Response<Body> {
    let mut response = answer(context, request).await.unwrap_or_else(refused);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn answer(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let export = find(context, request)?;
    let tag = tag(&export);
    if !matches(&request.headers, &tag) {
        let why = "the file of this link is not the one that If-Match names";
        return Err(Problem::new(Kind::PreconditionFailed, why));
    }
    if etag::none_match(&request.headers, &tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(header::ETAG, etag::header_value(&tag));
        return Ok(response);
    }
    if request.method == Method::HEAD {
        return head(&export);
    }
    let range = Range::read(&request.headers, &tag);
    if range == Range::Several {
        return several(&export);
    }
    match export.take(range) {
        Taken::First(turn) if range.is_all() => whole(context, turn, request).await,
        Taken::First(turn) => {
            let follower = first_rows(context, turn, request).await?;
            part(context, &export, follower, range, request).await
        }
        Taken::Beginning => Err(running()),
        Taken::Download(download) => again(context, &export, download, request).await,
        Taken::Kept(file) => part(context, &export, file.follow(), range, request).await,
        Taken::Given => Err(taken()),
        Taken::Gone(why) => Err(gone(why)),
    }
}

/// The export of the link that the request came by.
fn find(context: &Context, request: &Parts) -> Result<Arc<Export>> {
    let uri = &request.uri;
    let segment = uri.path().rsplit('/').next().unwrap_or_default();
    let Some(link) = context.handoffs.open(segment, uri.query()) else {
        let why = "this link was changed, or was not made here; take it as it was given, whole";
        return Err(Problem::new(Kind::NotFound, why));
    };
    if context.clock.now_micros() >= link.expires_seconds.saturating_mul(1_000_000) {
        let until = Timestamp::from_micros(link.expires_seconds.saturating_mul(1_000_000));
        return Err(gone(&format!("it could be used until {until}")));
    }
    context.handoffs.find(link).ok_or_else(|| {
        let why = "there is no export behind this link any more: the server was started anew, or \
                   had to give it up; ask for the export again where you got the link";
        Problem::new(Kind::NotFound, why)
    })
}

/// The id names one sequence of bytes: an export is begun once.
fn tag(export: &Export) -> String {
    format!("\"x-{}\"", export.id())
}

/// The headers of the file, whichever part of it.
fn described(export: &Export, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(export.asked.format));
    headers.insert(header::CONTENT_DISPOSITION, export.asked.disposition.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, etag::header_value(&tag(export)));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Takes nothing.
fn head(export: &Export) -> Result<Response<Body>> {
    let file = export.look().map_err(gone)?;
    let mut response = described(export, Body::empty());
    if let Some(bytes) = file.and_then(|file| file.follow().bytes()) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    Ok(response)
}

/// Begins the export, in the name of the one who asked for it.
async fn first_rows(context: &Arc<Context>, turn: Turn, request: &Parts) -> Result<Follower> {
    let asked = &turn.export().asked;
    let Reading { context, served, request: mut reading } = read_as(context, asked)?;
    let context = &context;
    if let Some(id) = request.extensions.get::<RequestId>() {
        reading.extensions.insert(id.clone());
    }
    // Rows may take long to sort: not for a file that has no place.
    let place = context.handoffs.place()?;
    let audited = context.begin_audit("link", &served.audit_name(), &mut reading).await?;
    let response = audited.watch(export(context, &served, &reading, false).await)?;
    begin(context, turn, place, response.into_body()).await
}

/// Everything, while it is written.
async fn whole(context: &Arc<Context>, turn: Turn, request: &Parts) -> Result<Response<Body>> {
    let export = Arc::clone(turn.export());
    // Before the link counts as taken.
    let permit = context.admission.beside()?;
    let follower = first_rows(context, turn, request).await?;
    let body = follow(context, permit, follower, Part { from: 0, to: None }, id(context, request));
    Ok(described(&export, body))
}

/// Everything, of a file that a part began with.
async fn again(
    context: &Arc<Context>,
    export: &Export,
    download: Download,
    request: &Parts,
) -> Result<Response<Body>> {
    let permit = context.admission.admit().await?;
    context.metrics.stream_started();
    let follower = download.send().follow();
    let part = Part { from: 0, to: follower.bytes() };
    Ok(described(export, follow(context, permit, follower, part, id(context, request))))
}

/// A part of what was written, once all of it is.
async fn part(
    context: &Arc<Context>,
    export: &Export,
    mut follower: Follower,
    range: Range,
    request: &Parts,
) -> Result<Response<Body>> {
    let Some(progress) = follower.end(context.limits.request_timeout).await else {
        return Err(running());
    };
    if progress.end == Some(End::Failed) {
        return Err(gone(export.look().err().unwrap_or("the export failed")));
    }
    let bytes = progress.bytes;
    let Some((from, to)) = range.within(bytes) else {
        return Ok(unsatisfiable(bytes, &format!("the file has {bytes} bytes")));
    };
    let permit = context.admission.admit().await?;
    context.metrics.stream_started();
    let range = Part { from, to: Some(to) };
    let mut response =
        described(export, follow(context, permit, follower, range, id(context, request)));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    if let Ok(range) = HeaderValue::try_from(format!("bytes {from}-{}/{bytes}", to - 1)) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    Ok(response)
}

fn id(context: &Context, request: &Parts) -> RequestId {
    let id = request.extensions.get::<RequestId>().cloned();
    id.unwrap_or_else(|| context.request_ids.of(&request.headers))
}

fn gone(why: &str) -> Problem {
    let detail = format!("this link leads nowhere any more: {why}; ask for the export again");
    Problem::new(Kind::Gone, detail)
}

fn taken() -> Problem {
    let detail = "this link was used already, and it is for one download; one that broke off goes \
                  on by itself where the browser can resume (Range), else ask for the export again";
    Problem::new(Kind::Gone, detail).with("reason", "taken")
}

fn running() -> Problem {
    let detail = "the export behind this link is still being written; try again in a moment";
    Problem::new(Kind::Busy, detail).retry_after(2)
}

fn several(export: &Export) -> Result<Response<Body>> {
    let file = export.look().map_err(gone)?;
    let bytes = file.map_or(0, |file| file.progress().bytes);
    Ok(unsatisfiable(bytes, "several ranges are not given at once; ask for one after another"))
}

/// 416. Its length tells the client where it stands.
pub(in crate::routes) fn unsatisfiable(bytes: u64, why: &str) -> Response<Body> {
    let detail = format!("Range cannot be answered: {why}");
    let mut response = refused(Problem::new(Kind::RangeNotSatisfiable, detail));
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, range);
    }
    response
}
