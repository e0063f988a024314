//! The cache, and warming it.
//!
//! ```text
//!   GET  /cache        entries and bytes by tier, hits, misses
//!   POST /cache/warm   202: a job that begins the batch `warm-metrics-cache`
//! ```
//!
//! Promises: asked for twice before it has begun, it is warmed once.
//! Never: a key or a value in an answer.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use plimsoll_jobs::{NewJob, WARM, WARM_QUEUE};
use serde_json::json;

use crate::app::Context;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};

/// `GET /cache`.
pub(crate) fn cache(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let Some(cache) = &context.cache else { return Err(none()) };
    let stats = cache.stats();
    let told = json!({
        "hot": {"entries": stats.hot_items, "bytes": stats.hot_bytes, "hits": stats.hot_hits},
        "cold": {"entries": stats.cold_items, "bytes": stats.cold_bytes, "hits": stats.cold_hits},
        "index_bytes": stats.index_bytes,
        "misses": stats.misses,
        "stale_hits": stats.stale_hits,
        "evictions": stats.evictions,
        "hit_ratio": stats.hit_ratio(),
    });
    Ok(super::json(told.to_string().into_bytes()))
}

/// `POST /cache/warm`.
pub(crate) async fn warm(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    if request.method != Method::POST {
        return Err(Problem::new(Kind::MethodNotAllowed, "the cache is warmed by POST"));
    }
    let (Some(_), Some(jobs)) = (&context.cache, &context.jobs) else { return Err(none()) };
    let job = NewJob {
        queue: WARM_QUEUE.into(),
        unique_key: Some("asked".into()),
        ..NewJob::new(WARM, "{}")
    };
    let enqueued = jobs.queue.enqueue(&job)?.await?;
    let told = json!({"job": enqueued.id, "existed": enqueued.existed});
    let mut response = super::json(told.to_string().into_bytes());
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(place) = HeaderValue::try_from(format!("/api/v2/jobs/{}", enqueued.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn none() -> Problem {
    Problem::new(
        Kind::NotFound,
        "nothing is cached here: sales are kept warm over a pack with a mapping of orders, in a \
         database of Plimsoll's own",
    )
}
