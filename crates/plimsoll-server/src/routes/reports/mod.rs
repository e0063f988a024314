//! Reports over HTTP.
//!
//! ```text
//!   POST   /reports, /reports/generate     202, Location
//!   POST   /analytics/report               the same; of the analytics where it says nothing
//!   GET    /reports/export/csv             a line for each day, at once
//!   GET    /reports                        those of whoever asks
//!   GET    /reports/{id}, /status, /progress, /events          the job
//!   GET    /reports/{id}/download          the file: Range, If-Range, Repr-Digest
//!   DELETE /reports/{id}                   the file goes; one that is not whole is cancelled
//! ```
//!
//! Promises: who may export it may make a report of it; whose report it is may see it.
//! Never: whether somebody else's report exists.

mod by_day;
mod create;
mod download;
mod kind;
mod manage;

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, header};
use plimsoll_jobs::Job;
use serde_json::{Value as Json, json};

use super::jobs::{events, jobs, list, soon};
use crate::app::Context;
use crate::jobs::Jobs;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::reports::{Asked, GENERATE};
use crate::sealed::Sealed;

/// What a path of reports does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    All,
    Generate,
    /// The analytics where nothing else is said.
    Analytics,
    ByDay,
    One,
    Status,
    Events,
    Download,
}

/// Every path, as it stands behind a prefix.
pub(crate) const ROUTES: [(&str, Route); 9] = [
    ("/reports", Route::All),
    ("/reports/generate", Route::Generate),
    ("/analytics/report", Route::Analytics),
    ("/reports/export/csv", Route::ByDay),
    ("/reports/{id}", Route::One),
    ("/reports/{id}/status", Route::Status),
    ("/reports/{id}/progress", Route::Status),
    ("/reports/{id}/events", Route::Events),
    ("/reports/{id}/download", Route::Download),
];

impl Route {
    /// Its methods.
    fn allow(self) -> &'static str {
        match self {
            Self::All => "GET, HEAD, POST",
            Self::Generate | Self::Analytics => "POST",
            Self::One => "GET, HEAD, DELETE",
            Self::Status | Self::Events | Self::Download | Self::ByDay => "GET, HEAD",
        }
    }
}

/// Answers a request about reports.
pub(crate) async fn answer(
    context: &Arc<Context>,
    route: Route,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let method = &request.method;
    if !route.allow().split(", ").any(|allowed| allowed == method.as_str()) {
        return Err(Problem::method(method, route.allow()));
    }
    if route == Route::ByDay {
        return by_day::by_day(context, request).await;
    }
    let jobs = jobs(context)?;
    if route != Route::All || *method == Method::POST {
        Query::expect_none(request.uri.query())?;
    }
    let mut response = match route {
        Route::Analytics => create::create(context, jobs, request, (Some("analytics"), body)).await,
        Route::All | Route::Generate if *method == Method::POST => {
            create::create(context, jobs, request, (None, body)).await
        }
        Route::All | Route::Generate | Route::ByDay => manage::list(context, jobs, request).await,
        Route::One if *method == Method::DELETE => manage::remove(context, jobs, request).await,
        Route::One | Route::Status => {
            let _reserved = context.page_bytes.try_reserve(list::JOB_BYTES_MAX)?;
            let job = report(context, jobs, request).await?;
            Ok(super::json(shown(context, jobs, &job).await?.to_string()))
        }
        Route::Events => {
            let job = report(context, jobs, request).await?;
            events::of_found(context, request, job)
        }
        Route::Download => download::download(context, jobs, request).await,
    }?;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
    Ok(response)
}

/// What stands for whoever asks, in front of the unique key of their reports.
fn mark(context: &Context) -> String {
    let principal = context.principal.as_ref();
    principal.map_or_else(String::new, |p| p.mark().iter().map(|b| format!("{b:02x}")).collect())
}

/// Whether the report is that of whoever asks. Where nobody is asked who they are, all are.
fn is_own(context: &Context, job: &Job) -> bool {
    let key = job.unique_key.as_deref().unwrap_or_default();
    let maker = key.split_once(':').map(|(mark, _)| mark);
    &*job.kind == GENERATE
        && (context.principal.is_none() || maker.is_some_and(|maker| maker == mark(context)))
}

/// The report of the path; somebody else's is not there.
async fn report(context: &Context, jobs: &Jobs, request: &Parts) -> Result<Job> {
    let mut segments = request.uri.path().split('/').skip_while(|part| *part != "reports");
    let text = segments.nth(1).unwrap_or_default();
    let missing = || {
        let text = plimsoll::error::excerpt(text);
        let why = format!("there is no report '{text}' that may be seen by whoever asks");
        Problem::new(Kind::NotFound, why)
    };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits).ok_or_else(missing)?;
    match soon(context, jobs.queue.show(id)).await {
        Ok(job) if is_own(context, &job) => Ok(job),
        Ok(_) => Err(missing()),
        Err(problem) if problem.kind() == Kind::NotFound => Err(missing()),
        Err(problem) => Err(problem),
    }
}

/// The job's document, without what its payload has for the server alone.
async fn shown(context: &Context, jobs: &Jobs, job: &Job) -> Result<Json> {
    Ok(dressed(list::shown(context, jobs, job).await?, job))
}

fn dressed(mut document: Json, job: &Job) -> Json {
    let place = format!("/api/v2/reports/{}", job.id);
    document["payload"] =
        serde_json::from_str::<Sealed<Asked>>(&job.payload).map_or(Json::Null, |of| {
            let of = of.asked();
            let source = match (of.sums, of.is_query) {
                (Some(_), _) => "kind",
                (None, true) => "query",
                (None, false) => "resource",
            };
            json!({source: of.resource, "parameters": of.query, "format": of.format})
        });
    if let Some(document) = document.as_object_mut() {
        document.remove("unique_key");
    }
    document["links"] = json!({
        "self": place,
        "events": format!("{place}/events"),
        "download": format!("{place}/download"),
    });
    document
}
