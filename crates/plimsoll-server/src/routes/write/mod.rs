//! Writes of rows: POST, PATCH and DELETE of one, each a unit, and changes of many.
//!
//! ```text
//!   key, If-Match, Idempotency-Key ─ body ─ columns and values ─> WriteUnit ─> COMMIT ─> answer
//!                                                                  └ same key again: same answer
//! ```
//!
//! Promises: answered only after the commit is durable; a repeat under the same Idempotency-Key
//! does nothing and says so; a stale If-Match changes nothing.
//! Never: a float on the way of an amount; numbers are read from their own digits.

mod bulk;
mod changes;
mod idempotency;
pub(super) mod members;

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use plimsoll::budget::Reservation;
use plimsoll::format::JsonObjects;
use plimsoll::record::Value;
use plimsoll_store::{OnConflict, Priority, ReadBack, Write, WriteOutcome, WriteUnit};

use super::get::{absent, last_segment};
use super::{json, within};
use crate::app::Context;
use crate::body::{ROW_TYPES, read_json};
use crate::etag;
use crate::held::{cover, held};
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::served::Served;
use crate::session;
pub(crate) use bulk::{NAMED_MAX, bulk_update};
pub(crate) use changes::{Change, Changes};
pub(super) use idempotency::remember;
use members::{Members, Purpose, key_of};

pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST` to a collection.
pub(crate) async fn create(
    context: &Context,
    served: &Arc<Served>,
    label: &RouteLabel,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(parts.uri.query())?;
    let path = parts.uri.path();
    let body = read_json(context, &parts.headers, body, &ROW_TYPES).await?;
    let row = Members::read(&body.bytes)?.row(served, Purpose::Create)?;
    let key = given_key(served, &row);
    let (columns, values): (Vec<usize>, Vec<_>) = row.into_iter().unzip();
    let write = Write::Insert {
        resource: Arc::clone(&served.resource),
        columns: columns.into(),
        values,
        on_conflict: OnConflict::Error,
    };
    let mut unit = WriteUnit::of(write, context.clock.now_micros());
    unit.read_back = Some(read_back(served, key));
    unit.remember = remember(parts, label, path, &body.bytes, StatusCode::CREATED)?;
    let outcome = commit(context, unit).await?;
    let location = format!("{path}/{}", key_of(served, &outcome.body)?);
    let mut response = answer(served, outcome, StatusCode::CREATED, Some(body.reservation));
    if let Ok(value) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

/// `PATCH` of a row.
pub(crate) async fn change(
    context: &Context,
    served: &Arc<Served>,
    label: &RouteLabel,
    parts: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(parts.uri.query())?;
    let path = parts.uri.path();
    let key = served.key(last_segment(path))?;
    let if_version = etag::if_match(&parts.headers, served.resource.version.is_some())?;
    let body = read_json(context, &parts.headers, body, &ROW_TYPES).await?;
    let set = Members::read(&body.bytes)?.row(served, Purpose::Change)?;
    let resource = Arc::clone(&served.resource);
    // A change of the key itself is not offered, so the row is read back by the key it has.
    let back = read_back(served, Some(key.clone()));
    let write = Write::Update { resource, key, set, if_version };
    let mut unit = WriteUnit::of(write, context.clock.now_micros());
    unit.read_back = Some(back);
    unit.remember = remember(parts, label, path, &body.bytes, StatusCode::OK)?;
    let outcome = commit(context, unit).await.map_err(|e| missing(e, served, path))?;
    Ok(answer(served, outcome, StatusCode::OK, Some(body.reservation)))
}

/// `DELETE` of a row.
pub(crate) async fn delete(
    context: &Context,
    served: &Arc<Served>,
    label: &RouteLabel,
    parts: &Parts,
) -> Result<Response<Body>> {
    Query::expect_none(parts.uri.query())?;
    let path = parts.uri.path();
    let key = served.key(last_segment(path))?;
    let if_version = etag::if_match(&parts.headers, served.resource.version.is_some())?;
    let resource = Arc::clone(&served.resource);
    let write = Write::Delete { resource, key, if_version };
    let mut unit = WriteUnit::of(write, context.clock.now_micros());
    unit.remember = remember(parts, label, path, &[], StatusCode::NO_CONTENT)?;
    let outcome = commit(context, unit).await.map_err(|e| missing(e, served, path))?;
    Ok(answer(served, outcome, StatusCode::NO_CONTENT, None))
}

/// The key where the client gives all of it; otherwise the database makes it.
fn given_key(served: &Served, row: &[(usize, Value)]) -> Option<Vec<Value>> {
    let find = |key: &usize| row.iter().find(|(column, _)| column == key);
    served.resource.key.iter().map(|key| find(key).map(|(_, value)| value.clone())).collect()
}

pub(super) async fn commit(context: &Context, unit: WriteUnit) -> Result<WriteOutcome> {
    let pending = context.store.write(unit, Priority::Normal);
    within(
        context.limits.request_timeout,
        pending,
        "the write (it may still happen: repeat it under an Idempotency-Key to find out)",
    )
    .await
}

fn missing(problem: Problem, served: &Served, path: &str) -> Problem {
    match problem.kind() {
        Kind::NotFound => absent(served, path),
        _ => problem,
    }
}

fn read_back(served: &Served, key: Option<Vec<Value>>) -> ReadBack {
    ReadBack {
        resource: Arc::clone(&served.resource),
        key,
        columns: Arc::clone(&served.columns),
        encoder: Box::new(JsonObjects::new(served.names(&served.columns))),
    }
}

/// `reservation` is the body's; it now stands for the row that goes back.
fn answer(
    served: &Served,
    outcome: WriteOutcome,
    status: StatusCode,
    reservation: Option<Reservation>,
) -> Response<Body> {
    let status = match outcome.replayed {
        Some(tag) => StatusCode::from_u16(tag).unwrap_or(status),
        None => status,
    };
    let mut response = if status == StatusCode::NO_CONTENT {
        Response::new(Body::empty())
    } else {
        let tag = match (outcome.version, served.resource.version) {
            (Some(version), Some(_)) => etag::of_version(version),
            _ => etag::of_bytes(&outcome.body),
        };
        let mut whole = json(match reservation {
            Some(mut reservation) => {
                // The write is done and must be answered, so a row that outgrew its reservation
                // goes out even where the budget has no more.
                if let Err(refusal) = cover(&mut reservation, &outcome.body) {
                    tracing::debug!(target: "http", %refusal, "a written row is not covered");
                }
                held(outcome.body, Some(reservation))
            }
            None => outcome.body.into(),
        });
        whole.headers_mut().insert(header::ETAG, etag::header_value(&tag));
        whole
    };
    *response.status_mut() = status;
    session::tell(outcome.horizon, response.headers_mut());
    if outcome.replayed.is_some() {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
