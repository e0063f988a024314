//! Many rows at once: `POST /{resource}/sync`, and `POST /{resource}` with a file of rows.
//!
//! ```text
//!   at most 256 KiB and 1,000 rows ─> one unit { rows, event, listeners } ─> 200, counts
//!   more ─> a file of the intake ─> job import ─> 202; the event in the unit that completes it
//! ```
//!
//! Promises: few come in all or none, and what the pack says is told of them is told in the same
//! transaction; a repeat under the same Idempotency-Key does nothing and is answered alike.
//! Never: more plain bytes in memory than a body has, and a row; an event of a resource's own name:
//! the pack says what is told to whom.

use std::io::Cursor;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll::format::Format;
use plimsoll::limits::BODY_BYTES_MAX;
use plimsoll_store::import::few;
use plimsoll_store::{ErrorKind, WriteUnit};
use serde_json::json;

use super::super::jobs::jobs;
use super::super::write::{IDEMPOTENT_REPLAYED, commit, remember};
use super::import::take;
use super::options::Options;
use crate::app::Context;
use crate::body::{Held, read_json};
use crate::intake::{of_rows, told};
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::served::Served;
use crate::session;

/// Rows that come in while the client waits.
const ROWS_MAX: usize = 1_000;

const TYPES: [&str; 4] =
    ["application/x-ndjson", "application/ndjson", "text/csv", "application/json"];

/// Whether a body is a file of rows, and not one row.
pub(crate) fn is_file(request: &Parts) -> bool {
    let text = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    text.and_then(Format::from_media_type).is_some_and(|format| format != Format::Json)
}

/// `POST /{resource}/sync`: rows that are there take the new values, and it is told.
pub(crate) async fn sync(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    if served.resource.sync.is_none() {
        let why = format!(
            "'{}' is not synced: its pack does not say what is told of it; use /import with \
             on_conflict=update",
            served.resource.name
        );
        return Err(Problem::new(Kind::NotFound, why));
    }
    let options = Options::of_sync(request.uri.query())?;
    ingest(context, served, label, request, body, (options, true)).await
}

/// `POST /{resource}` with a file of rows.
pub(crate) async fn create_many(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let options = Options::read(request.uri.query())?;
    ingest(context, served, label, request, body, (options, false)).await
}

async fn ingest(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
    (options, is_sync): (Options, bool),
) -> Result<Response<Body>> {
    let known = body.size_hint().exact();
    let is_small = known.is_some_and(|length| length <= BODY_BYTES_MAX as u64);
    let form = request.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        value.to_str().is_ok_and(|text| text.starts_with("multipart/form-data"))
    });
    if !is_small || form || options.goes_on || options.dry_run {
        return take(context, served, label, request, body, (options, is_sync)).await;
    }
    let Held { bytes, reservation } = read_json(context, &request.headers, body, &TYPES).await?;
    let text = request.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let typed = text.and_then(Format::from_media_type).unwrap_or(Format::Ndjson);
    let format = options.format.unwrap_or(typed);
    let asked = of_rows(format, &options.on_conflict, options.ignore_unknown);
    let input = Box::new(Cursor::new(bytes.clone()));
    let read = few(&served.resource, input, &asked, ROWS_MAX, BODY_BYTES_MAX as u64);
    let read = read.map_err(|error| match error.kind() {
        ErrorKind::Invalid => {
            Problem::new(Kind::Validation, format!("nothing is written: {error}"))
        }
        _ => error.into(),
    })?;
    let Some((mut writes, rows)) = read else {
        drop(reservation);
        let body = Body::from(bytes);
        return take(context, served, label, request, body, (options, is_sync)).await;
    };
    if rows == 0 {
        return Err(Problem::new(Kind::InvalidRequest, "the body has no row"));
    }
    let mut event = None;
    if let Some(sync) = served.resource.sync.as_ref().filter(|_| is_sync) {
        let jobs = jobs(context)?;
        writes.extend(told(&jobs.queue, &jobs.registry, sync, &json!({"rows": rows}))?);
        event = Some(&sync.event);
    }
    let path = request.uri.path_and_query().map_or_else(|| request.uri.path(), |p| p.as_str());
    let unit = WriteUnit {
        writes,
        remember: remember(request, label, path, &bytes, StatusCode::OK)?,
        now_micros: context.clock.now_micros(),
        ..WriteUnit::default()
    };
    let outcome = commit(context, unit).await?;
    let mut answer = json!({"rows": rows});
    if let Some(event) = event {
        answer["event"] = json!(event);
    }
    let mut response = super::super::json(answer.to_string());
    session::tell(outcome.horizon, response.headers_mut());
    if outcome.replayed.is_some() {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}
