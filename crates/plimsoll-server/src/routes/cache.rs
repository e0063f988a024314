//! The cache, and warming it.
//!
//! ```text
//!   GET    /cache           entries and bytes by tier, hits, misses
//!   DELETE /cache           everything goes
//!   GET    /cache/{key}     where an entry is, how large and how old; no hit is counted
//!   DELETE /cache/{key}     it goes
//!   POST   /cache/warm      202: a job that begins the batch `warm-metrics-cache`
//! ```
//!
//! Promises: asked for twice before it has begun, it is warmed once.
//! Never: a value in an answer, or a key that was not asked for by name.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use plimsoll::cache::Cache;
use plimsoll_jobs::WarmAsked;
use serde::Deserialize;
use serde_json::json;

use crate::app::Context;
use crate::body::{JSON_TYPES, read_json};
use crate::params::{Query, decode};
use crate::problem::{Kind, Problem, Result};

/// What a path of the cache does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    All,
    One,
    Warm,
}

/// Every path, as it stands behind a prefix.
pub(crate) const ROUTES: [(&str, Route); 3] =
    [("/cache", Route::All), ("/cache/warm", Route::Warm), ("/cache/{key}", Route::One)];

impl Route {
    /// Its methods.
    fn allow(self) -> &'static str {
        match self {
            Self::All | Self::One => "GET, HEAD, DELETE",
            Self::Warm => "POST",
        }
    }
}

/// Answers a request about the cache.
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
    Query::expect_none(request.uri.query())?;
    let Some(cache) = &context.cache else { return Err(none()) };
    let mut response = match route {
        Route::All if *method == Method::DELETE => cleared(cache),
        Route::All => stats(cache),
        Route::One => one(context, cache, request)?,
        Route::Warm => warm(context, request, body).await?,
    };
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

fn stats(cache: &Cache) -> Response<Body> {
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
    super::json(told.to_string().into_bytes())
}

fn cleared(cache: &Cache) -> Response<Body> {
    let told = json!({"removed": cache.clear()});
    super::json(told.to_string().into_bytes())
}

/// `/cache/{key}`, its slashes as `%2F`.
fn one(context: &Context, cache: &Cache, request: &Parts) -> Result<Response<Body>> {
    let segment = request.uri.path().rsplit('/').next().unwrap_or_default();
    let key = decode(segment, "the key in the path")?;
    let missing = || {
        let key = plimsoll::error::excerpt(&key);
        let why = format!("nothing is cached as '{key}': a key is e.g. sales/7d/all");
        Problem::new(Kind::NotFound, why)
    };
    if request.method == Method::DELETE {
        if !cache.remove(key.as_bytes()) {
            return Err(missing());
        }
        return Ok(super::json(json!({"removed": 1}).to_string().into_bytes()));
    }
    let now = context.clock.now_micros().unsigned_abs();
    let seen = cache.peek(key.as_bytes(), now).ok_or_else(missing)?;
    let told = json!({
        "key": key,
        "tier": seen.source.name(),
        "bytes": seen.bytes,
        "age_s": seen.age_us / 1_000_000,
        "fresh_left_s": seen.fresh_left_us / 1_000_000,
        "left_s": seen.left_us / 1_000_000,
        "stale": seen.fresh_left_us == 0,
    });
    Ok(super::json(told.to_string().into_bytes()))
}

/// The body of `POST /cache/warm`, where there is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    periods: Option<Vec<Box<str>>>,
    channels: Option<Vec<Box<str>>>,
}

async fn warm(context: &Arc<Context>, request: &Parts, body: Body) -> Result<Response<Body>> {
    let Some(jobs) = &context.jobs else { return Err(none()) };
    let mut wanted = WarmAsked::default();
    if !body.is_end_stream() {
        let body = read_json(context, &request.headers, body, &JSON_TYPES).await?;
        let asked: Asked = super::jobs::parse(&body.bytes)?;
        wanted = WarmAsked { periods: asked.periods, channels: asked.channels };
    }
    let enqueued = jobs.queue.enqueue(&wanted.job()?)?.await?;
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
