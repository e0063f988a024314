//! Exports by link: `POST /exports` gives a link, and the link gives the file.
//!
//! Promises: what the export itself would refuse is refused to the app that asks for the link, so
//! that the browser never sees it.
//! Never: rows read for the file before the link is used, but for one that shows that it can be.

pub(super) mod definition;
pub(super) mod fetch;
mod filename;
mod reading;

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use plimsoll::format::Format;
use plimsoll::record::Timestamp;
use plimsoll_store::{PageRequest, ReadLane, Scope};
use serde_json::json;

use super::export::{attachment, file_name};
use super::stream::{StreamParams, encoder};
use super::{json as json_answer, within};
use crate::app::Context;
use crate::body::{JSON_TYPES, read_json};
use crate::handoff::{Asked, Caller};
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;
use crate::session;
use definition::{Body as Definition, EXPIRES_IN_SECONDS};
pub(crate) use fetch::fetch;
pub(crate) use reading::{Reading, reading};

/// Room for the row that is read to see whether rows can be.
const PROBE_BYTES: usize = 16 << 10;

/// `POST /exports`.
pub(crate) async fn create(
    context: &Arc<Context>,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    if request.method != Method::POST {
        return Err(Problem::method(&request.method, "POST"));
    }
    Query::expect_none(request.uri.query())?;
    let body = read_json(context, &request.headers, body, &JSON_TYPES).await?;
    let definition = Definition::of_export(&body.bytes)?;
    let (served, query) = (definition.served(context)?, definition.query());
    let Definition { format, filename, expires_in_seconds, .. } = definition;
    let expires_in_seconds = expires_in_seconds.unwrap_or(EXPIRES_IN_SECONDS);
    let params = StreamParams::read(context, &served, Some(&query))?;
    // A query was tried when it was loaded; for a row it may have to read as much as for all.
    if !served.is_query() {
        probe(context, &served, &params, &request.headers).await?;
    }
    let name = filename.unwrap_or_else(|| file_name(context, &served, format));
    let asked = Asked {
        resource: served.resource.name.clone(),
        is_query: served.is_query(),
        query: query.into(),
        format,
        disposition: attachment(&name),
        caller: Caller::of(request),
    };
    let now_seconds = context.clock.now_micros().div_euclid(1_000_000);
    let expires_seconds = now_seconds + expires_in_seconds;
    let handoffs = &context.handoffs;
    let url = handoffs.register(&context.metrics, asked, now_seconds, expires_seconds)?;
    let expires_at = Timestamp::from_micros(expires_seconds.saturating_mul(1_000_000));
    let document = json!({"url": url, "expires_at": expires_at.to_string()});
    let mut response = json_answer(document.to_string());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::try_from(url) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Reads one row, since the database has a say too: whether it may be read, and in this order.
pub(super) async fn probe(
    context: &Context,
    served: &Served,
    params: &StreamParams,
    headers: &HeaderMap,
) -> Result<()> {
    let selection = &params.selection;
    let columns = selection.fields.clone().unwrap_or_else(|| Arc::clone(&served.columns));
    let titles: Vec<&str> = served.names(&columns).collect();
    let request = PageRequest {
        resource: Arc::clone(&served.resource),
        scope: Scope::Range {
            filter: selection.filter.clone(),
            search: selection.search.clone(),
            order: Arc::clone(&selection.order),
            from: params.after.clone(),
            backwards: false,
        },
        encoder: encoder(Format::Ndjson, &titles, params.csv),
        columns,
        rows_max: 1,
        bytes_max: PROBE_BYTES,
        extra: Some(context.page_bytes.try_reserve(PROBE_BYTES as u64)?),
        out: Vec::with_capacity(PROBE_BYTES),
        row_ends: None,
        lane: ReadLane::Interactive,
        horizon: session::horizon(headers)?,
    };
    let timeout = context.limits.request_timeout;
    match within(timeout, context.store.page(request), "reading a row").await {
        // It is read and sorted then, unless all rows are to be of one moment.
        Err(problem) if problem.kind() == Kind::SortUnindexed && !params.snapshot => Ok(()),
        read => read.map(drop),
    }
}
