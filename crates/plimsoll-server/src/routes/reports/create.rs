//! `POST /reports`: asks for a report.
//!
//! Promises: what the export of it would refuse is refused here, before there is a job; 202 comes
//! after the commit.
//! Never: rows read, but for one that shows that they can be.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll_jobs::NewJob;

use super::super::export::{attachment, file_name, named};
use super::super::exports::definition::Body as Definition;
use super::super::exports::probe;
use super::super::jobs::soon;
use super::super::stream::StreamParams;
use super::kind::Kind;
use super::{mark, shown};
use crate::app::Context;
use crate::body::{JSON_TYPES, read_json};
use crate::jobs::Jobs;
use crate::problem::{Problem, Result};
use crate::reports::{Asked, GENERATE, Maker};
use crate::session::PLIMSOLL_SESSION;

/// See the module.
pub(super) async fn create(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
    (preset, body): (Option<&str>, Body),
) -> Result<Response<Body>> {
    let body = read_json(context, &request.headers, body, &JSON_TYPES).await?;
    let mut definition = Definition::of_report(&body.bytes)?;
    drop(body);
    if definition.names_nothing() {
        definition.kind = preset.map(str::to_owned);
    }
    let asked = asked(context, jobs, request, definition).await?;
    let payload = serde_json::to_string(&jobs.reports.seal(asked));
    let payload = payload.map_err(|e| Problem::internal(&e))?;
    // It says whose it is, and is no other's.
    let number = RandomState::new().hash_one(context.clock.now_micros());
    let job = NewJob {
        unique_key: Some(format!("{}:{number:016x}", mark(context)).into()),
        ..jobs.registry.job(GENERATE, payload)?
    };
    let made = soon(context, jobs.queue.enqueue(&job)?).await?;
    let job = soon(context, jobs.queue.show(made.id)).await?;
    let mut response = super::super::json(shown(context, jobs, &job).await?.to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    if let Ok(location) = HeaderValue::try_from(format!("/api/v2/reports/{}", job.id)) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// What the job is told.
async fn asked(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
    definition: Definition,
) -> Result<Asked> {
    let of = match definition.kind.as_deref() {
        Some(name) => Kind::named(context, name, &definition)?,
        None => Kind::Served(definition.served(context)?),
    };
    let (query, format) = (definition.query(), definition.format);
    let (resource, is_query, sums, preset) = match of {
        Kind::Sums(sums) => {
            let name = definition.kind.as_deref().unwrap_or_default();
            (name.into(), false, Some(sums), named(context, name, format))
        }
        Kind::Served(served) => {
            let params = StreamParams::read(context, &served, Some(&query))?;
            if !served.is_query() {
                probe(context, &served, &params, &request.headers).await?;
            }
            let name = file_name(context, &served, format);
            (served.resource.name.clone(), served.is_query(), None, name)
        }
    };
    let name = definition.filename.unwrap_or(preset);
    let text = |value: &HeaderValue| value.to_str().ok().map(Into::into);
    let keep = i64::try_from(jobs.reports.config.keep.as_secs()).unwrap_or(i64::MAX);
    Ok(Asked {
        resource,
        is_query,
        sums,
        query: if sums.is_some() { definition.params.into() } else { query.into() },
        format: format.name().into(),
        disposition: text(&attachment(&name)).unwrap_or_else(|| "attachment".into()),
        keep_seconds: definition.expires_in_seconds.unwrap_or(keep),
        session: request.headers.get(&PLIMSOLL_SESSION).and_then(text),
        maker: context.principal.as_deref().map(Maker::of),
    })
}
