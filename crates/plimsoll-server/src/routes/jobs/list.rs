//! `GET /jobs`, `/jobs/{id}` and `/jobs/{id}/errors`.
//!
//! Promises: the newest first, a page behind another by `before`; whoever may see only some kinds
//! names one of them.
//! Never: a page without a bound.

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use plimsoll::record::Timestamp;
use plimsoll_jobs::{Job, LIST_MAX, Listing, PAYLOAD_BYTES_MAX, State, check_name, document};
use serde_json::{Value as Json, json};

use super::{json as json_answer, soon};
use crate::app::Context;
use crate::held::held;
use crate::jobs::Jobs;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};

const PARAMETERS: [&str; 5] = ["state", "queue", "kind", "limit", "before"];
/// Bytes that a job of a page may have, as row and as text: its payload and its result are left
/// out where they are large.
pub(in crate::routes) const JOB_BYTES: u64 = 16 << 10;
/// And a whole one: payload, result and error, twice.
pub(in crate::routes) const JOB_BYTES_MAX: u64 = 6 * PAYLOAD_BYTES_MAX as u64;

/// `GET /jobs`.
pub(super) async fn list(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let listing = listing(request)?;
    context.may_job(listing.kind.as_deref().unwrap_or("*"))?;
    let rows_max = listing.rows_max;
    let reserved = context.page_bytes.try_reserve(JOB_BYTES * u64::from(rows_max + 1))?;
    // One more than asked for tells whether there are more.
    let asked = Listing { rows_max: rows_max + 1, ..listing };
    let mut found = soon(context, jobs.queue.list(&asked)).await?;
    let more = found.len() > rows_max as usize;
    found.truncate(rows_max as usize);
    let next = found.last().filter(|_| more).map(|job| job.id);
    let now = jobs.queue.now_micros();
    let data: Vec<Json> = found.iter().map(|job| document(job, None, now)).collect();
    let meta = json!({"limit": rows_max, "has_more": more, "next_before": next});
    let text = json!({"data": data, "meta": meta}).to_string();
    Ok(super::super::json(held(text.into_bytes(), Some(reserved))))
}

pub(in crate::routes) fn listing(request: &Parts) -> Result<Listing> {
    let query = Query::read(request.uri.query())?;
    let mut listing =
        Listing { rows_max: u32::try_from(PAGE_ROWS_DEFAULT).unwrap_or(100), ..Listing::default() };
    let most = u32::try_from(PAGE_ROWS_MAX).unwrap_or(LIST_MAX).min(LIST_MAX - 1);
    for (name, value) in query.pairs() {
        match name {
            "state" => {
                let states = State::ALL.map(State::name).join(", ");
                let state = State::named(value);
                listing.state =
                    Some(state.ok_or_else(|| invalid(name, value, &format!("one of {states}")))?);
            }
            "queue" | "kind" => {
                let is_name = check_name(name, value);
                is_name.map_err(|e| Problem::new(Kind::InvalidParameter, e.to_string()))?;
                let place = if name == "queue" { &mut listing.queue } else { &mut listing.kind };
                *place = Some(value.into());
            }
            "limit" => {
                let rows = value.parse().ok().filter(|rows| (1..=most).contains(rows));
                let allowed = || format!("a whole number from 1 to {most}");
                listing.rows_max = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
            }
            "before" => {
                let id = value.parse().ok().filter(|id| *id > 0);
                let allowed = "a job's id: meta.next_before of the page before";
                listing.before = Some(id.ok_or_else(|| invalid(name, value, allowed))?);
            }
            _ => return Err(unknown(name, &PARAMETERS, &[])),
        }
    }
    Ok(listing)
}

/// `GET /jobs/{id}`.
pub(super) async fn show(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let reserved = context.page_bytes.try_reserve(JOB_BYTES_MAX)?;
    let job = super::job(context, jobs, request).await?;
    let text = shown(context, jobs, &job).await?.to_string();
    Ok(super::super::json(held(text.into_bytes(), Some(reserved))))
}

/// A job with why it does not run.
pub(in crate::routes) async fn shown(context: &Context, jobs: &Jobs, job: &Job) -> Result<Json> {
    let why = soon(context, jobs.queue.why(job)).await?;
    Ok(document(job, why.as_ref(), jobs.queue.now_micros()))
}

/// `GET /jobs/{id}/errors`.
pub(super) async fn errors(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let job = super::job(context, jobs, request).await?;
    let failures = soon(context, jobs.queue.failures(job.id)).await?;
    let data: Vec<Json> = failures
        .iter()
        .map(|one| {
            let at = Timestamp::from_micros(one.at_micros).to_string();
            json!({"at": at, "what": one.what, "message": one.message})
        })
        .collect();
    Ok(json_answer(&json!({ "data": data })))
}
