//! `POST /{resource}/bulk-update`: many rows changed at once.
//!
//! ```text
//!   at most 256 KiB and 1,000 rows ─> one unit ─> 200, counts
//!   more ─> a file of the intake ─> job bulk.update ─> 202, Location
//! ```
//!
//! Promises: few are changed all or none; a repeat under the same Idempotency-Key does nothing and
//! is answered alike.
//! Never: a row written where one of few cannot be read; more plain bytes in memory than a body
//! has, and a row.

use std::io::Cursor;
use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll::format::Format;
use plimsoll::limits::BODY_BYTES_MAX;
use plimsoll_store::WriteUnit;
use serde_json::json;

use super::super::intake::change_many;
use super::changes::{Change, Changes};
use super::{IDEMPOTENT_REPLAYED, commit, remember};
use crate::app::Context;
use crate::body::{Held, read_json};
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::served::Served;
use crate::session;

/// Rows that are changed while the client waits: some tens of milliseconds of the one writer.
const ROWS_MAX: usize = 1_000;
/// Rows that are not there, by name, and mistakes, in an answer.
pub(crate) const NAMED_MAX: usize = 50;

const TYPES: [&str; 3] = ["application/json", "application/x-ndjson", "application/ndjson"];

/// See the module.
pub(crate) async fn bulk_update(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(parts.uri.query())?;
    let known = body.size_hint().exact();
    if known.is_none_or(|length| length > BODY_BYTES_MAX as u64) {
        return change_many(context, served, label, parts, body).await;
    }
    let Held { bytes, reservation } = read_json(context, &parts.headers, body, &TYPES).await?;
    let text = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let format = text.and_then(Format::from_media_type).unwrap_or(Format::Json);
    let Some(changes) = few(served, &bytes, format)? else {
        drop(reservation);
        return change_many(context, served, label, parts, Body::from(bytes)).await;
    };
    let names: Vec<String> = changes.iter().map(|change| change.name(served)).collect();
    let unit = WriteUnit {
        writes: changes.into_iter().map(|change| change.write(served)).collect(),
        remember: remember(parts, label, parts.uri.path(), &bytes, StatusCode::OK)?,
        now_micros: context.clock.now_micros(),
        ..WriteUnit::default()
    };
    let outcome = commit(context, unit).await?;
    let rows = outcome.rows.len();
    let missing = outcome.rows.iter().zip(&names).filter(|(changed, _)| **changed == 0);
    let missing: Vec<&str> = missing.map(|(_, name)| &**name).collect();
    let told = json!({
        "rows": rows,
        "updated": rows - missing.len(),
        "missing": missing.len(),
        "missing_keys": missing.iter().take(NAMED_MAX).collect::<Vec<_>>(),
    });
    let mut response = super::super::json(told.to_string());
    session::tell(outcome.horizon, response.headers_mut());
    if outcome.replayed.is_some() {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// All changes of a body; nothing where they are many.
fn few(served: &Arc<Served>, bytes: &[u8], format: Format) -> Result<Option<Vec<Change>>> {
    let unreadable = |e: plimsoll::Error| Problem::new(Kind::InvalidRequest, e.to_string());
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader = Changes::open(served, input, format).map_err(unreadable)?;
    let (mut changes, mut mistakes) = (Vec::new(), Vec::new());
    // A compressed body may unpack to far more than what was reserved for it.
    let mut is_few = true;
    while let Some(next) = reader.next().map_err(unreadable)? {
        match next {
            Ok(change) => changes.push(change),
            Err(mistake) => mistakes.push(json!({"line": mistake.line, "detail": mistake.detail})),
        }
        let bytes = reader.position().byte_offset;
        is_few = changes.len() <= ROWS_MAX && bytes <= BODY_BYTES_MAX as u64;
        if !is_few || mistakes.len() == NAMED_MAX {
            break;
        }
    }
    if let Some(first) = mistakes.first() {
        let detail = first["detail"].as_str().unwrap_or_default();
        let why = format!("nothing is changed: line {}: {detail}", first["line"]);
        return Err(Problem::new(Kind::Validation, why).with("errors", mistakes));
    }
    if changes.is_empty() {
        return Err(Problem::new(Kind::InvalidRequest, "the body has no change"));
    }
    Ok(is_few.then_some(changes))
}
