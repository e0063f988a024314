//! `POST /jobs`: takes a job.
//!
//! Promises: 202 comes after the commit, with the place where the job stands; one with the unique
//! key of a job that is not over is that job, with 200.
//! Never: a kind of Plimsoll's own that there is not, a payload of a wrong shape for one, or SQL.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll::record::Timestamp;
use plimsoll_jobs::{DATASET, NewJob, check_dataset, check_own, document, is_own, is_sql};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{json, parse, read_body, soon};
use crate::app::Context;
use crate::intake::{self, BULK, IMPORT};
use crate::jobs::Jobs;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::reports::{EXPIRE, GENERATE};

/// A job waits a year at most.
const DELAY_MS_MAX: u64 = 366 * 86_400_000;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked<'b> {
    kind: Box<str>,
    #[serde(borrow)]
    payload: Option<&'b RawValue>,
    queue: Option<Box<str>>,
    priority: Option<u8>,
    unique_key: Option<Box<str>>,
    not_before: Option<Box<str>>,
    delay_ms: Option<u64>,
    tries: Option<u32>,
    max_exceptions: Option<u32>,
    timeout_ms: Option<u64>,
    memory_bytes: Option<u64>,
}

/// See the module.
pub(super) async fn enqueue(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let body = read_body(context, request, body).await?;
    let asked: Asked<'_> = parse(&body.bytes)?;
    let new = new_job(context, jobs, &asked)?;
    let enqueued = soon(context, jobs.queue.enqueue(&new)?).await?;
    let job = soon(context, jobs.queue.show(enqueued.id)).await?;
    let why = soon(context, jobs.queue.why(&job)).await?;
    let shown = document(&job, why.as_ref(), jobs.queue.now_micros());
    let mut response = json(&shown);
    if !enqueued.existed {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    if let Ok(location) = HeaderValue::try_from(format!("/api/v2/jobs/{}", job.id)) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

fn wrong(why: impl Into<String>) -> Problem {
    Problem::new(Kind::JobInvalid, why)
}

/// The job that is asked for, by somebody who may.
pub(super) fn new_job(context: &Context, jobs: &Jobs, asked: &Asked<'_>) -> Result<NewJob> {
    context.may_job(&asked.kind)?;
    if is_sql(&asked.kind) {
        return Err(Problem::new(
            Kind::NotOverHttp,
            "jobs that run SQL are enqueued where the database is: with `plimsoll jobs sql FILE`",
        ));
    }
    let payload = asked.payload.map_or("{}", RawValue::get);
    let known = jobs.registry.declared(&asked.kind).is_some();
    let made_by = match &*asked.kind {
        GENERATE | EXPIRE => Some("/api/v2/reports"),
        IMPORT | intake::EXPIRE => Some("/import of a resource"),
        BULK => Some("/bulk-update of a resource"),
        _ => None,
    };
    if let Some(place) = made_by {
        return Err(wrong(format!("jobs of {} are made by POST {place}", asked.kind)));
    }
    if !known && is_own(&asked.kind) {
        return Err(unknown_kind(jobs, &asked.kind));
    }
    if &*asked.kind == DATASET {
        check_dataset(context.store.catalogue().datasets(), payload)?;
    }
    check_own(&asked.kind, payload)?;
    let mut job = match known {
        true => jobs.registry.job(&asked.kind, payload)?,
        false => NewJob::new(&*asked.kind, payload),
    };
    if let Some(queue) = &asked.queue {
        job.queue = queue.clone();
    }
    job.priority = asked.priority.unwrap_or(job.priority);
    job.unique_key = asked.unique_key.clone();
    job.not_before_micros = not_before(jobs, asked)?;
    job.trying.tries_max = asked.tries.unwrap_or(job.trying.tries_max);
    job.trying.exceptions_max = asked.max_exceptions.unwrap_or(job.trying.exceptions_max);
    job.trying.timeout_ms = asked.timeout_ms.unwrap_or(job.trying.timeout_ms);
    if job.trying.timeout_ms == 0 {
        return Err(wrong("timeout_ms is 0: a job without any time cannot do anything"));
    }
    job.memory_bytes = asked.memory_bytes.unwrap_or(job.memory_bytes);
    if let Some(most) = jobs.memory_bytes_max.filter(|most| known && job.memory_bytes > *most) {
        let why = format!(
            "the job needs {} bytes and jobs have {most} together, so that it could never run: \
             ask for less, or give the server more with memory.limit",
            job.memory_bytes
        );
        return Err(Problem::new(Kind::TooLarge, why).with("bytes_max", most));
    }
    Ok(job)
}

fn unknown_kind(jobs: &Jobs, kind: &str) -> Problem {
    let known = jobs.registry.kinds().unwrap_or_default();
    let asked_for = |name: &&str| is_own(name) && !is_sql(name);
    let names: Vec<&str> = known.iter().map(|name| &**name).filter(asked_for).collect();
    let why = format!(
        "there is no kind '{}'; those that begin with 'system.' are Plimsoll's own",
        plimsoll::error::excerpt(kind)
    );
    let mut problem = Problem::new(Kind::UnknownJob, why);
    if let Some(near) = plimsoll_store::nearest(kind, names.iter().copied()) {
        problem = problem.with("did_you_mean", near);
    }
    problem.with("allowed", names)
}

fn not_before(jobs: &Jobs, asked: &Asked<'_>) -> Result<Option<i64>> {
    match (&asked.not_before, asked.delay_ms) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(wrong("not_before and delay_ms say the same: give one of them")),
        (Some(text), None) => match text.parse::<Timestamp>() {
            Ok(time) => Ok(Some(time.micros())),
            Err(_) => Err(wrong(format!(
                "not_before '{}' is no time such as 2026-01-31T12:00:00Z",
                plimsoll::error::excerpt(text)
            ))),
        },
        (None, Some(ms)) if ms > DELAY_MS_MAX => {
            Err(wrong(format!("delay_ms is {ms}, at most {DELAY_MS_MAX}: a year")))
        }
        (None, Some(ms)) => {
            let micros = i64::try_from(ms * 1_000).unwrap_or(i64::MAX);
            Ok(Some(jobs.queue.now_micros().saturating_add(micros)))
        }
    }
}
