//! Sums and counts by group, over any resource: POST, and QUERY of RFC 10008.
//!
//! ```text
//!   body ─> definition ─> turn ─> admission ─> one snapshot ─> finished ─> status, ETag ─> body
//!           400, 422      503     429, 503     400, 422, 503               304
//! ```
//!
//! Promises: nothing is sent before everything is made, so that a sum without a place in its type
//! is a problem and not a cut answer; memory that the number of groups does not change.
//! Never: SQL or a column that the resource does not serve.

mod definition;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use plimsoll::format::{CsvOptions, Format, JsonArray, RowEncoder};
use plimsoll_store::{AggregateRequest, Aggregated};
use serde_json::json;

use super::analytics::{left, turn};
use super::stream::{X_ACCEL_BUFFERING, content_type, encoder};
use super::within;
use crate::app::Context;
use crate::body::{JSON_TYPES, read_json};
use crate::params::{Query, flag, unknown};
use crate::problem::{Kind, Problem, Result};
use crate::request_id::RequestId;
use crate::stream::{FRAME_CAPACITY, Finished, send};
use crate::{etag, negotiate, session};
use definition::Definition;

/// Groups of one JSON document; NDJSON and CSV have no such bound.
const DOCUMENT_GROUPS_MAX: u64 = 10_000;
/// What a byte of a definition takes once it is checked: the smallest part of an expression has
/// two bytes with its operator, becomes up to four parts of 56 bytes, and a few bytes of SQL.
const DEFINITION_COST_FACTOR: u64 = 128;

const ACCEPT_QUERY: HeaderName = HeaderName::from_static("accept-query");
const PARAMETERS: [&str; 3] = ["format", "formula_guard", "bom"];

/// How the answer is written.
struct Shape {
    format: Format,
    csv: CsvOptions,
}

impl Shape {
    fn read(request: &Parts) -> Result<Self> {
        let query = Query::read(request.uri.query())?;
        let (mut format, mut csv) = (None, CsvOptions::default());
        for (name, value) in query.pairs() {
            match name {
                "format" => format = Some(negotiate::named(value)?),
                "formula_guard" => csv.guard = flag(name, value)?,
                "bom" => csv.bom = flag(name, value)?,
                _ => return Err(unknown(name, &PARAMETERS, &[])),
            }
        }
        let format = match format {
            Some(format) => format,
            None => negotiate::accepted(&request.headers)?,
        };
        Ok(Self { format, csv })
    }

    /// Groups that are written at most.
    fn rows_max(&self, limit: Option<u64>) -> Result<Option<u64>> {
        if self.format != Format::Json {
            return Ok(limit);
        }
        match limit {
            Some(limit) if limit > DOCUMENT_GROUPS_MAX => Err(Problem::new(
                Kind::InvalidParameter,
                format!(
                    "limit={limit} is not allowed; limit is a whole number from 1 to \
                     {DOCUMENT_GROUPS_MAX} for a JSON document; ask for NDJSON or CSV to get more"
                ),
            )
            .with("pointer", "/limit")),
            _ => Ok(Some(limit.unwrap_or(DOCUMENT_GROUPS_MAX))),
        }
    }

    fn encoder(&self, titles: &[&str]) -> Box<dyn RowEncoder> {
        match self.format {
            Format::Json => Box::new(JsonArray::new(titles)),
            format => encoder(format, titles, self.csv),
        }
    }
}

/// `POST` and `QUERY` of `/analytics/aggregate`.
pub(crate) async fn aggregate(
    context: &Arc<Context>,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let started = Instant::now();
    let shape = Shape::read(request)?;
    let horizon = session::horizon(&request.headers)?;
    let body = read_json(context, &request.headers, body, &JSON_TYPES).await?;
    let cost = (body.bytes.len() as u64).min(definition::TEXT_BYTES_MAX) * DEFINITION_COST_FACTOR;
    let _checked = context.page_bytes.try_reserve(cost)?;
    let definition = Definition::read(context, &body.bytes)?;
    let rows_max = shape.rows_max(definition.limit)?;
    let turn = turn(context).await?;
    let permit = context.admission.admit().await?;
    let titles: Vec<&str> =
        definition.aggregation.schema().columns.iter().map(|c| &*c.name).collect();
    let mut encoder = shape.encoder(&titles);
    let mut out = Vec::with_capacity(FRAME_CAPACITY);
    if shape.format == Format::Json {
        out.extend_from_slice(b"{\"data\":");
    }
    encoder.begin(&mut out);
    let safe = request.method == Method::QUERY;
    let left = left(context, started);
    let pending = context.store.aggregate(AggregateRequest {
        aggregation: definition.aggregation,
        filter: definition.filter,
        rows_max,
        encoder,
        out,
        extra: Some(context.admission.more(0)?),
        digest: safe,
        timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        horizon,
    });
    // The store stops by itself at its timeout; the second more is for its answer to arrive.
    let mut made = within(left + Duration::from_secs(1), pending, "the aggregation").await?;
    drop(turn);
    context.metrics.processed("aggregate", started.elapsed());
    end(&mut made, shape.format);
    let tag = made.digest.take().map(|mut digest| etag::of_digest(digest.update(&made.out)));
    let unchanged = tag.as_deref().is_some_and(|tag| etag::none_match(&request.headers, tag));
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let id = request.extensions.get::<RequestId>().cloned();
        let request_id = id.unwrap_or_else(|| context.request_ids.of(&HeaderMap::new()));
        let Aggregated { spool, out: end, extra, .. } = made;
        let finished = Finished { spool, end, extra, request_id };
        let mut response = Response::new(send(context, permit, finished));
        response.headers_mut().insert(header::CONTENT_TYPE, content_type(shape.format));
        response
    };
    say(response.headers_mut(), tag.as_deref());
    Ok(response)
}

/// What stands behind the rows.
fn end(made: &mut Aggregated, format: Format) {
    made.encoder.end(&mut made.out);
    if format == Format::Json {
        let meta = json!({"groups": made.rows, "more": made.more});
        made.out.extend_from_slice(format!(",\"meta\":{meta}}}").as_bytes());
    }
}

/// The answer of a safe method may be kept and asked for again; that of POST may not.
fn say(headers: &mut HeaderMap, tag: Option<&str>) {
    let cache = match tag {
        Some(tag) => {
            headers.insert(header::ETAG, etag::header_value(tag));
            "private, no-cache"
        }
        None => "no-store",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(ACCEPT_QUERY, HeaderValue::from_static("application/json"));
}
