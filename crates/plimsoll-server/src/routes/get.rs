//! One row by its key, with its entity tag.
//!
//! ```text
//!   columns asked for ─┐
//!   version, if any   ─┴> Tagged ─> {"id":7,..} │ version i64 LE
//!                                   the body      cut off here, becomes the ETag
//! ```
//!
//! Promises: the tag of a whole row is its version, so that `If-Match` works with what was read;
//! a row without a version, or part of one, is tagged by its bytes.
//! Never: a second read for the tag.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use plimsoll::format::{JsonObjects, RowEncoder};
use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::{Row, Value, ValueRef};
use plimsoll_store::{PageRequest, ReadLane, Scope};

use super::{json, related_row, within};
use crate::app::Context;
use crate::etag;
use crate::held::held;
use crate::include;
use crate::params::{Query, columns, unknown};
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;
use crate::session;

/// Reserved for one row; it grows beyond only as the row does.
pub(super) const ROW_BYTES: usize = (4 << 10) + plimsoll::limits::FRAME_SLACK_BYTES;
const TAG_BYTES: usize = 8;

/// `GET` of a row.
pub(crate) async fn get(
    context: &Context,
    served: &Arc<Served>,
    request: &Parts,
) -> Result<Response<Body>> {
    let uri = &request.uri;
    let key = served.key(last_segment(uri.path()))?;
    let horizon = session::horizon(&request.headers)?;
    let query = Query::read(uri.query())?;
    let (mut fields, mut included) = (None, Vec::new());
    for (name, value) in query.pairs() {
        match name {
            "fields" => fields = Some(columns(served, value)?),
            "include" => included = include::included(context, served, value)?,
            _ => return Err(unknown(name, &["fields", "include"], &[])),
        }
    }
    let versioned = fields.is_none() && included.is_empty() && served.resource.version.is_some();
    let shown = fields.as_ref().unwrap_or(&served.columns);
    if !included.is_empty() {
        let row = related_row::Asked { key, shown: Arc::clone(shown), included, horizon };
        return related_row::get(context, served, request, row).await;
    }
    let reservation = context.page_bytes.try_reserve(ROW_BYTES as u64)?;
    let objects = JsonObjects::new(served.names(shown));
    let encoder: Box<dyn RowEncoder> =
        if versioned { Box::new(Tagged(objects)) } else { Box::new(objects) };
    let slice = PageRequest {
        resource: Arc::clone(&served.resource),
        scope: Scope::Key(key),
        columns: Arc::clone(if versioned { &served.columns_and_version } else { shown }),
        rows_max: 1,
        bytes_max: FRAME_BYTES,
        encoder,
        out: Vec::with_capacity(ROW_BYTES),
        extra: Some(reservation),
        row_ends: None,
        lane: ReadLane::Interactive,
        horizon,
    };
    let timeout = context.limits.request_timeout;
    let page = within(timeout, context.store.page(slice), "reading the row").await?;
    if page.rows == 0 {
        return Err(absent(served, uri.path()));
    }
    let mut out = page.out;
    let tag = match versioned.then(|| cut_version(&mut out)).flatten() {
        Some(version) => etag::of_version(version),
        None => etag::of_bytes(&out),
    };
    Ok(tagged(request, &tag, || json(held(out, page.extra))))
}

/// The answer, or 304 where the client has what has this tag.
pub(super) fn tagged(
    request: &Parts,
    tag: &str,
    answer: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let mut response = if etag::none_match(&request.headers, tag) {
        let mut unchanged = Response::new(Body::empty());
        *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
        unchanged
    } else {
        answer()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag::header_value(tag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

pub(super) fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

pub(super) fn absent(served: &Served, path: &str) -> Problem {
    let key = plimsoll::error::excerpt(last_segment(path));
    Problem::new(Kind::NotFound, format!("{} has no row '{key}'", served.resource.name))
}

/// Takes the version off the end. Version 0 stands for none.
fn cut_version(out: &mut Vec<u8>) -> Option<i64> {
    let body = out.len().checked_sub(TAG_BYTES)?;
    let version = i64::from_le_bytes(out[body..].try_into().ok()?);
    out.truncate(body);
    (version != 0).then_some(version)
}

/// Writes all columns but the last as an object, and the last as eight bytes behind it.
struct Tagged(JsonObjects);

/// A row without its last column.
struct AllButLast<'r>(&'r dyn Row);

impl Row for AllButLast<'_> {
    fn width(&self) -> usize {
        self.0.width() - 1
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        self.0.value(position)
    }
}

impl RowEncoder for Tagged {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.0.begin(out);
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        let version = match row.value(row.width() - 1)?.to_owned() {
            Value::Int(version) => version,
            _ => 0,
        };
        self.0.row(&AllButLast(row), out)?;
        out.extend_from_slice(&version.to_le_bytes());
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.0.end(out);
    }

    fn row_bytes_max(&self, row: &dyn Row) -> plimsoll::Result<usize> {
        Ok(self.0.row_bytes_max(&AllButLast(row))? + TAG_BYTES)
    }
}
