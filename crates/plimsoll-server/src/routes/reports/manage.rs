//! `GET /reports` and `DELETE /reports/{id}`.
//!
//! Promises: the newest first; a page may have fewer than it could, since others' are left out:
//! `has_more` says whether to go on.
//! Never: a job removed before its file.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use plimsoll_jobs::{Listing, document};
use serde_json::{Value as Json, json};

use super::super::jobs::{blocking, list, soon};
use super::{dressed, is_own, report, shown};
use crate::app::Context;
use crate::held::held;
use crate::jobs::Jobs;
use crate::params::{Query, unknown};
use crate::problem::{Problem, Result};
use crate::reports::{GENERATE, remove_all};

const PARAMETERS: [&str; 3] = ["state", "limit", "before"];

/// `GET /reports`.
pub(super) async fn list(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let query = Query::read(request.uri.query())?;
    if let Some((name, _)) = query.pairs().find(|(name, _)| !PARAMETERS.contains(name)) {
        return Err(unknown(name, &PARAMETERS, &[]));
    }
    let listing = list::listing(request)?;
    let rows_max = listing.rows_max;
    let reserved = context.page_bytes.try_reserve(list::JOB_BYTES * u64::from(rows_max + 1))?;
    // One more than asked for tells whether there are more.
    let asked = Listing { rows_max: rows_max + 1, kind: Some(GENERATE.into()), ..listing };
    let mut found = soon(context, jobs.queue.list(&asked)).await?;
    let more = found.len() > rows_max as usize;
    found.truncate(rows_max as usize);
    let next = found.last().filter(|_| more).map(|job| job.id);
    let now = jobs.queue.now_micros();
    let own = found.iter().filter(|job| is_own(context, job));
    let data: Vec<Json> = own.map(|job| dressed(document(job, None, now), job)).collect();
    let meta = json!({"limit": rows_max, "has_more": more, "next_before": next});
    let text = json!({"data": data, "meta": meta}).to_string();
    Ok(super::super::json(held(text.into_bytes(), Some(reserved))))
}

/// `DELETE /reports/{id}`.
pub(super) async fn remove(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
    let mut job = report(context, jobs, request).await?;
    let id = job.id;
    if !job.state.is_over() {
        blocking(context, jobs, move |queue| queue.cancel(id)).await?;
        job = soon(context, jobs.queue.show(id)).await?;
    }
    if !job.state.is_over() {
        // It stops where it looks next, and takes its file along.
        let mut response = super::super::json(shown(context, jobs, &job).await?.to_string());
        *response.status_mut() = StatusCode::ACCEPTED;
        return Ok(response);
    }
    let directory = jobs.reports.config.directory.clone();
    let removing = tokio::task::spawn_blocking(move || remove_all(&directory, id, None));
    let freed = removing.await.map_err(|e| Problem::internal(&e))?;
    let freed = freed.map_err(|e| Problem::internal(&e))?;
    blocking(context, jobs, move |queue| queue.remove(id)).await?;
    Ok(super::super::json(json!({"id": id, "bytes_freed": freed}).to_string()))
}
