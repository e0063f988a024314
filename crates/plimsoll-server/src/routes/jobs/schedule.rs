//! `/schedules`: jobs at the times of cron lines.
//!
//! Promises: a schedule is set whole or not at all; what is wrong of it is 422 with the field; who
//! may enqueue jobs of its kind may see and change it, and to others it is not there.
//! Never: a schedule of another kind taken over by whoever may not change that.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use plimsoll_jobs::{NewSchedule, Schedule, Timetable, check_name, schedule_document};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::enqueue::{self, new_job};
use super::{blocking, json as json_answer, list, parse, read_body, segment, soon};
use crate::app::Context;
use crate::held::held;
use crate::jobs::Jobs;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};

const PARAMETERS: [&str; 2] = ["limit", "after"];
/// Schedules of a page at most, and where nothing is said.
const LIMIT_MAX: u32 = 100;

/// The body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'b> {
    cron: Box<str>,
    zone: Option<Box<str>>,
    #[serde(default)]
    overlaps: bool,
    #[serde(borrow)]
    job: &'b RawValue,
}

fn wrong(field: &str, why: impl Into<String>) -> Problem {
    Problem::new(Kind::ScheduleInvalid, why).with("field", field)
}

/// `GET /schedules`.
pub(super) async fn list(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let (mut rows_max, mut behind) = (LIMIT_MAX, None);
    for (name, value) in Query::read(request.uri.query())?.pairs() {
        match name {
            "limit" => {
                let rows = value.parse().ok().filter(|rows| (1..=LIMIT_MAX).contains(rows));
                let allowed = || format!("a whole number from 1 to {LIMIT_MAX}");
                rows_max = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
            }
            "after" => {
                let allowed = "a schedule's name: meta.next_after of the page before";
                check_name("schedule", value).map_err(|_| invalid(name, value, allowed))?;
                behind = Some(value.to_owned());
            }
            _ => return Err(unknown(name, &PARAMETERS, &[])),
        }
    }
    let reserved = context.page_bytes.try_reserve(list::JOB_BYTES * u64::from(rows_max + 1))?;
    // One more than asked for tells whether there are more.
    let found = jobs.queue.schedules(behind.as_deref(), rows_max + 1);
    let mut found = soon(context, found).await?;
    let more = found.len() > rows_max as usize;
    found.truncate(rows_max as usize);
    let next = found.last().filter(|_| more).map(|schedule| schedule.name.clone());
    let data: Vec<Json> = found.iter().map(schedule_document).collect();
    let meta = json!({"limit": rows_max, "has_more": more, "next_after": next});
    let text = json!({"data": data, "meta": meta}).to_string();
    Ok(super::super::json(held(text.into_bytes(), Some(reserved))))
}

/// The schedule of the path, for somebody who may see jobs of its kind.
async fn found(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Schedule> {
    let name = segment(request)?;
    let missing = || {
        let name = plimsoll::error::excerpt(&name);
        Problem::new(Kind::NotFound, format!("there is no schedule '{name}' that may be seen"))
    };
    check_name("schedule", &name).map_err(|_| missing())?;
    match soon(context, jobs.queue.show_schedule(&name)).await {
        Ok(schedule) if context.may_job(&schedule.kind).is_ok() => Ok(schedule),
        Ok(_) => Err(missing()),
        Err(problem) if problem.kind() == Kind::NotFound => Err(missing()),
        Err(problem) => Err(problem),
    }
}

/// `/schedules/{name}`: GET, PUT and DELETE.
pub(super) async fn one(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    match request.method {
        Method::PUT => set(context, jobs, request, body).await,
        Method::DELETE => remove(context, jobs, request).await,
        _ => show(context, jobs, request).await,
    }
}

async fn show(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Response<Body>> {
    let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
    Ok(json_answer(&schedule_document(&found(context, jobs, request).await?)))
}

/// 201 where there was none.
async fn set(
    context: &Context,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let name = segment(request)?;
    check_name("schedule", &name).map_err(|e| wrong("name", e.to_string()))?;
    let body = read_body(context, request, body).await?;
    let new = new_schedule(context, jobs, &name, &body.bytes)?;
    let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
    let before = match soon(context, jobs.queue.show_schedule(&name)).await {
        Ok(before) => Some(before),
        Err(problem) if problem.kind() == Kind::NotFound => None,
        Err(problem) => return Err(problem),
    };
    if before.as_ref().is_some_and(|before| context.may_job(&before.kind).is_err()) {
        let why = format!(
            "there is a schedule '{name}' of jobs that may not be managed with this key or token: \
             choose another name"
        );
        return Err(Problem::new(Kind::Conflict, why));
    }
    soon(context, jobs.queue.set_schedule(&new)?).await?;
    let schedule = soon(context, jobs.queue.show_schedule(&name)).await?;
    let mut response = json_answer(&schedule_document(&schedule));
    if before.is_none() {
        *response.status_mut() = StatusCode::CREATED;
        if let Ok(place) = HeaderValue::try_from(format!("/api/v2/schedules/{name}")) {
            response.headers_mut().insert(header::LOCATION, place);
        }
    }
    Ok(response)
}

fn new_schedule(context: &Context, jobs: &Jobs, name: &str, body: &[u8]) -> Result<NewSchedule> {
    let of_schedule = |problem: Problem| match problem.kind() {
        Kind::JobInvalid => Problem::new(Kind::ScheduleInvalid, problem.detail()),
        _ => problem,
    };
    let asked: Asked<'_> = parse(body).map_err(of_schedule)?;
    let of_job = |problem: Problem| problem.with("field", "job");
    let job: enqueue::Asked<'_> = parse(asked.job.get().as_bytes()).map_err(of_job)?;
    let job = new_job(context, jobs, &job).map_err(of_job)?;
    let zone = asked.zone.as_deref().unwrap_or("UTC");
    Timetable::parse(&asked.cron, "UTC").map_err(|e| wrong("cron", e.to_string()))?;
    Timetable::parse(&asked.cron, zone).map_err(|e| wrong("zone", e.to_string()))?;
    let mut new = NewSchedule::new(name, asked.cron, job);
    new.zone = zone.into();
    new.overlaps = asked.overlaps;
    new.check().map_err(|e| wrong("job", e.to_string()))?;
    Ok(new)
}

async fn remove(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Response<Body>> {
    let name = found(context, jobs, request).await?.name;
    blocking(context, jobs, move |queue| queue.remove_schedule(&name)).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `POST /schedules/{name}/pause` or `resume`.
pub(super) async fn pause(
    context: &Context,
    jobs: &Jobs,
    pause: bool,
    request: &Parts,
) -> Result<Response<Body>> {
    let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
    let name = found(context, jobs, request).await?.name;
    let changed = name.clone();
    blocking(context, jobs, move |queue| match pause {
        true => queue.pause_schedule(&changed),
        false => queue.resume_schedule(&changed),
    })
    .await?;
    let schedule = soon(context, jobs.queue.show_schedule(&name)).await?;
    Ok(json_answer(&schedule_document(&schedule)))
}
