//! A file that does not change any more, on its way to whoever asks: all of it or a part.
//!
//! ```text
//!   If-Match ─ 412     If-None-Match ─ 304     Range, If-Range ─ 206, 416     else ─ 200
//! ```
//!
//! Promises: the bytes under a tag never change, so that a part by `If-Range` belongs to those the
//! client has.
//! Never: a byte behind the end that is said.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::exports::fetch::unsatisfiable;
use super::stream::X_ACCEL_BUFFERING;
use crate::app::Context;
use crate::etag;
use crate::handoff::{Range, matches};
use crate::problem::{Kind, Problem, Result};
use crate::request_id::RequestId;
use crate::stream::send_part;

/// What is sent.
pub(super) struct WholeFile {
    pub(super) file: File,
    /// So many of its first bytes.
    pub(super) bytes: u64,
    /// A strong one, in quotes.
    pub(super) tag: String,
    /// What else is said of it: type, disposition, digest.
    pub(super) headers: HeaderMap,
}

/// Opens a file and says how many bytes it has; `None` where it is not there.
pub(super) async fn open(path: PathBuf) -> Result<Option<(File, u64)>> {
    let opening = tokio::task::spawn_blocking(move || {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok::<_, io::Error>((file, bytes))
    });
    match opening.await.map_err(|e| Problem::internal(&e))? {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::internal(&error)),
    }
}

/// Answers a request for the file.
pub(super) async fn send(
    context: &Arc<Context>,
    request: &Parts,
    whole: WholeFile,
) -> Result<Response<Body>> {
    let WholeFile { file, bytes, tag, headers } = whole;
    if !matches(&request.headers, &tag) {
        let why = "If-Match names other bytes than those of the file";
        return Err(Problem::new(Kind::PreconditionFailed, why));
    }
    if etag::none_match(&request.headers, &tag) {
        let mut response = described(headers, &tag, Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    // Nothing but GET has ranges (RFC 9110, 14.2).
    let range = match request.method {
        Method::GET => Range::read(&request.headers, &tag),
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
        send_part(context, permit, Arc::new(file), from..to, id)
    };
    let mut response = described(headers, &tag, body);
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

/// The headers of the file, whichever part of it.
fn described(said: HeaderMap, tag: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    *headers = said;
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, etag::header_value(tag));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}
