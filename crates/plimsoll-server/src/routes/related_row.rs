//! One row by its key, with related rows in it.
//!
//! Promises: tagged by the bytes that are shown; what a bound left out stands in
//! `Plimsoll-Truncated`, for a row has no place of its own for it.
//! Never: the version as the tag: related rows change without it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response};
use plimsoll::format::JsonObjects;
use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::Value;
use plimsoll_store::{Horizon, PageRequest, ReadLane, Scope};

use super::get::{ROW_BYTES, absent, tagged};
use super::{json, within};
use crate::app::Context;
use crate::etag;
use crate::held::held;
use crate::include::{Cut, Included, Kept, joined, keep, related};
use crate::problem::Result;
use crate::served::Served;

/// Names the relations of which there is more than is shown.
const TRUNCATED: HeaderName = HeaderName::from_static("plimsoll-truncated");

/// What is asked for.
pub(super) struct Asked {
    pub(super) key: Vec<Value>,
    pub(super) shown: Arc<[usize]>,
    pub(super) included: Vec<Included>,
    pub(super) horizon: Option<Horizon>,
}

/// `GET` of a row with `include`.
pub(super) async fn get(
    context: &Context,
    served: &Served,
    request: &Parts,
    asked: Asked,
) -> Result<Response<Body>> {
    let Asked { key, shown, included, horizon } = asked;
    let kept_bytes = Kept::bytes_max(1, served, &included);
    let reservation = context.page_bytes.try_reserve(ROW_BYTES as u64 + kept_bytes)?;
    let objects = Box::new(JsonObjects::new(served.names(&shown)));
    let (encoder, columns, kept) = keep(objects, &shown, &included);
    let slice = PageRequest {
        resource: Arc::clone(&served.resource),
        scope: Scope::Key(key),
        columns,
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
        return Err(absent(served, request.uri.path()));
    }
    let related = related(context, included, &kept, page.horizon).await?;
    let whole = 0..page.out.len();
    let (out, reservation, cuts) = joined(context, b"", &page.out, &[whole], &related)?;
    let tag = etag::of_bytes(&out);
    let mut response = tagged(request, &tag, || json(held(out, Some(reservation))));
    let names: Vec<&str> = cuts.iter().map(|Cut { name, .. }| &**name).collect();
    if let (false, Ok(value)) = (names.is_empty(), HeaderValue::try_from(names.join(","))) {
        response.headers_mut().insert(TRUNCATED, value);
    }
    Ok(response)
}
