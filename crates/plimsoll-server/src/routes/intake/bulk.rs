//! A bulk update of many rows: as a job over a file.
//!
//! Promises: 202 comes when the file is on the disk and its job is committed.
//! Never: a change made before all of them were looked at.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll::format::Format;

use super::super::jobs::jobs;
use super::super::write::Changes;
use super::enqueue;
use crate::app::Context;
use crate::intake::{Asked, BULK, CHANGES_BYTES, Received, receive};
use crate::problem::{Kind, Problem, Result};
use crate::reports::Maker;
use crate::router::RouteLabel;
use crate::served::Served;

/// See the module.
pub(in crate::routes) async fn change_many(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let jobs = jobs(context)?;
    let received = receive(context, &jobs.intake, &request.headers, body, None).await?;
    let Received { upload, format } = received;
    if format == Format::Csv {
        let why = "changes are application/json or application/x-ndjson; whole rows are written \
                   over others by /import?on_conflict=update";
        return Err(Problem::new(Kind::UnsupportedMediaType, why));
    }
    let maker = context.principal.as_deref().map(Maker::of);
    let asked = Asked::plain(&served.resource.name, &upload, format, maker);
    let memory_bytes = Changes::memory_bytes(format) + CHANGES_BYTES;
    enqueue(context, jobs, (label, request), upload, BULK, (asked, memory_bytes)).await
}
