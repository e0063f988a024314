//! `/batches`: jobs that belong together, begun in one request and counted by the database. One
//! that is not sealed is given more.
//!
//! Promises: all jobs of a batch are there, or none; one of a number that is there already is that
//! batch, with 200, and nothing of the request has happened.
//! Never: more jobs than one transaction takes, or read before they are counted.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll_jobs::{
    ADDED_MAX, Batch, CALLBACKS_MAX, LIST_MAX, NewBatch, NewJob, When, batch_document,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::enqueue::{Asked, new_job};
use super::{blocking, json as json_answer, parse, read_body, segment, soon};
use crate::app::Context;
use crate::jobs::Jobs;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};

/// A batch's name is for people.
const NAME_BYTES_MAX: usize = 200;
/// Batches of a page where nothing is said.
const LIMIT_PRESET: u32 = 50;
/// A batch as row and as text.
const BATCH_BYTES: u64 = 2 << 10;
/// What the jobs of one request are while they are written: their payloads together are no larger
/// than the body, and are held as they came, as jobs, and as the values of their statements.
const NEW_BYTES: u64 = 3 * (256 << 10) + 2 * ADDED_MAX as u64 * 1_024;

/// The body. Jobs are counted before they are read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedBatch<'b> {
    id: Option<Box<str>>,
    name: Box<str>,
    #[serde(borrow)]
    jobs: Vec<&'b RawValue>,
    #[serde(borrow, default)]
    then: Vec<&'b RawValue>,
    #[serde(borrow, default)]
    catch: Vec<&'b RawValue>,
    #[serde(borrow, default)]
    finally: Vec<&'b RawValue>,
    /// No more jobs are added.
    #[serde(default = "yes")]
    sealed: bool,
}

fn yes() -> bool {
    true
}

/// The body of `POST /batches/{id}/jobs`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct More<'b> {
    #[serde(borrow, default)]
    jobs: Vec<&'b RawValue>,
    #[serde(default)]
    seal: bool,
}

fn wrong(why: impl Into<String>) -> Problem {
    Problem::new(Kind::JobInvalid, why)
}

/// `POST /batches`.
pub(super) async fn begin(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let body = read_body(context, request, body).await?;
    let _reserved = context.page_bytes.try_reserve(NEW_BYTES)?;
    let asked: AskedBatch<'_> = parse(&body.bytes)?;
    let (new, members) = new_batch(context, jobs, &asked)?;
    let (id, sealed) = (new.batch.clone(), asked.sealed);
    let began = blocking(context, jobs, move |queue| queue.begin_batch(&new, &members, sealed));
    let began = began.await?;
    let batch = soon(context, jobs.queue.show_batch(&id)).await?;
    let mut response = json_answer(&batch_document(&batch));
    if began {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    if let Ok(location) = HeaderValue::try_from(format!("/api/v2/batches/{id}")) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

fn new_batch(
    context: &Context,
    jobs: &Jobs,
    asked: &AskedBatch<'_>,
) -> Result<(NewBatch, Vec<NewJob>)> {
    if asked.name.is_empty() || asked.name.len() > NAME_BYTES_MAX || asked.name.contains('\0') {
        return Err(wrong(format!("a batch has a name of 1 to {NAME_BYTES_MAX} bytes")));
    }
    // One that takes more may have none yet.
    check_count(&asked.jobs, !asked.sealed)?;
    let callbacks = asked.then.len() + asked.catch.len() + asked.finally.len();
    if callbacks > CALLBACKS_MAX {
        let why = format!("then, catch and finally have {CALLBACKS_MAX} jobs at most together");
        return Err(wrong(why));
    }
    let members = members(context, jobs, &asked.jobs)?;
    let mut new = NewBatch { batch: id(jobs, asked)?, name: asked.name.clone(), callbacks: vec![] };
    for (when, each) in
        [(When::Then, &asked.then), (When::Catch, &asked.catch), (When::Finally, &asked.finally)]
    {
        for one in each {
            new.callbacks.push((when, callback(context, jobs, one)?));
        }
    }
    Ok((new, members))
}

fn check_count(jobs: &[&RawValue], may_be_none: bool) -> Result<()> {
    let least = usize::from(!may_be_none);
    if !(least..=ADDED_MAX).contains(&jobs.len()) {
        let why = format!("a batch is given {least} to {ADDED_MAX} jobs, not {}", jobs.len());
        return Err(wrong(why));
    }
    Ok(())
}

fn members(context: &Context, jobs: &Jobs, asked: &[&RawValue]) -> Result<Vec<NewJob>> {
    let one = |one: &&RawValue| new_job(context, jobs, &parse(one.get().as_bytes())?);
    asked.iter().map(one).collect()
}

/// `POST /batches/{id}/jobs`: more of them, to one that is not sealed.
pub(super) async fn add(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let body = read_body(context, request, body).await?;
    let _reserved = context.page_bytes.try_reserve(NEW_BYTES)?;
    let More { jobs: asked, seal } = parse(&body.bytes)?;
    check_count(&asked, seal)?;
    let more = members(context, jobs, &asked)?;
    let id = found(context, jobs, request).await?.batch;
    let extended = id.clone();
    blocking(context, jobs, move |queue| queue.extend_batch(&extended, &more, seal)).await?;
    let batch = soon(context, jobs.queue.show_batch(&id)).await?;
    let mut response = json_answer(&batch_document(&batch));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn callback(context: &Context, jobs: &Jobs, one: &RawValue) -> Result<NewJob> {
    let asked: Asked<'_> = parse(one.get().as_bytes())?;
    let job = new_job(context, jobs, &asked)?;
    if job.unique_key.is_some() || job.not_before_micros.is_some() {
        let why = "has neither unique_key, not_before nor delay_ms: the batch says when it comes";
        return Err(wrong(format!("the callback {} {why}", job.kind)));
    }
    if plimsoll_jobs::is_own(&job.kind) {
        let why = "takes no number of a batch, which a callback's payload has";
        return Err(wrong(format!("the kind {} {why}", job.kind)));
    }
    Ok(job)
}

/// Its number: the caller's, or one of the time and 64 random bits.
fn id(jobs: &Jobs, asked: &AskedBatch<'_>) -> Result<Box<str>> {
    match &asked.id {
        None => Ok(format!("{:x}-{:016x}", jobs.queue.now_micros(), (jobs.random)()).into()),
        Some(id) if &**id == "latest" => Err(wrong("latest stands for the batch that began last")),
        Some(id) => {
            plimsoll_jobs::check_name("batch", id)?;
            Ok(id.clone())
        }
    }
}

/// `GET /batches`.
pub(super) async fn list(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let mut rows_max = LIMIT_PRESET;
    for (name, value) in Query::read(request.uri.query())?.pairs() {
        if name != "limit" {
            return Err(unknown(name, &["limit"], &[]));
        }
        let rows = value.parse().ok().filter(|rows| (1..=LIST_MAX).contains(rows));
        let allowed = || format!("a whole number from 1 to {LIST_MAX}");
        rows_max = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
    }
    let _reserved = context.page_bytes.try_reserve(BATCH_BYTES * u64::from(rows_max))?;
    let batches = soon(context, jobs.queue.batches(rows_max)).await?;
    let data: Vec<Json> = batches.iter().map(batch_document).collect();
    Ok(json_answer(&json!({ "data": data })))
}

/// The batch of the path; `latest` is the one that began last.
pub(super) async fn found(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Batch> {
    let id = segment(request)?;
    plimsoll_jobs::check_name("batch", &id).map_err(|_| {
        let id = plimsoll::error::excerpt(&id);
        Problem::new(Kind::NotFound, format!("there is no batch '{id}'"))
    })?;
    soon(context, jobs.queue.show_batch(&id)).await
}

/// `GET /batches/{id}`.
pub(super) async fn show(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    Ok(json_answer(&batch_document(&found(context, jobs, request).await?)))
}

/// `POST /batches/{id}/cancel`.
pub(super) async fn cancel(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let id = found(context, jobs, request).await?.batch;
    let cancelled = id.clone();
    blocking(context, jobs, move |queue| queue.cancel_batch(&cancelled)).await?;
    let batch = soon(context, jobs.queue.show_batch(&id)).await?;
    Ok(json_answer(&batch_document(&batch)))
}
