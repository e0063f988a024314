//! `GET /analytics/sales?period=&channel=`: a period's sales as one document.
//!
//! ```text
//!   cache ─ hot, cold ──> as it was worked out, with its Age       X-Cache: hot | cold
//!     └─ none ──────────> summed from whole days, or from orders   X-Cache: rollup | live
//! ```
//!
//! Promises: the answer says where it comes from and how old it is; what is not cached is worked
//! out within the time and number of reports, in memory that is reserved first.
//! Never: a document from before the last event that made it stale; those are warmed anew.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, header};
use plimsoll::record::Timestamp;
use plimsoll::typed::Engine;
use plimsoll_jobs::warm_key;
use plimsoll_store::catalogue::SalesMapping;
use plimsoll_store::sales::{Computed, Document, Period, Wanted, compute};

use super::analytics::turn;
use crate::app::Context;
use crate::held::held;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Problem, Result};

const NAMES: [&str; 2] = ["period", "channel"];
/// Bytes of a document at most: ninety days, ten places, as many channels as are summed apart.
const DOCUMENT_BYTES: u64 = 256 << 10;
/// Bytes in which a live pass groups.
const ENGINE_BYTES: u64 = 4 << 20;
/// Places of the top list.
const TOP: usize = 10;
static X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// See the module.
pub(crate) async fn sales(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let (period, channel) = wanted(request.uri.query())?;
    let channel = channel.as_deref();
    let reservation = context.page_bytes.try_reserve(DOCUMENT_BYTES)?;
    let now = context.clock.now_micros();
    // What is cached is of all orders, which somebody with rows of their own may not see.
    let sees_all = context.principal.as_ref().is_none_or(|who| who.identity().is_none());
    if let Some(cache) = context.cache.as_ref().filter(|_| sees_all) {
        let key = warm_key(period, channel);
        if let Some(look) = cache.get_hot(key.as_bytes(), now.unsigned_abs()) {
            let age = Duration::from_micros(look.age_us);
            let body = super::json(held(look.value.to_vec(), Some(reservation)));
            return Ok(told(body, look.source.name(), age));
        }
        let (cache, at) = (cache.clone(), now.unsigned_abs());
        let reading = tokio::task::spawn_blocking(move || cache.get(key.as_bytes(), at));
        if let Some(look) = reading.await.map_err(|e| Problem::internal(&e))? {
            let age = Duration::from_micros(look.age_us);
            let body = super::json(held(look.value.to_vec(), Some(reservation)));
            return Ok(told(body, look.source.name(), age));
        }
    }
    let document = work_out(context, period, channel).await?;
    let (text, name) = (document.to_json()?, document.source.name());
    Ok(told(super::json(held(text, Some(reservation))), name, Duration::ZERO))
}

fn told(mut response: Response<Body>, source: &'static str, age: Duration) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(X_CACHE.clone(), HeaderValue::from_static(source));
    headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    response
}

/// The period and the channel of a query; none for all channels.
///
/// # Errors
/// 400 for what is none, and for other parameters.
pub(crate) fn wanted(query: Option<&str>) -> Result<(&'static str, Option<Box<str>>)> {
    let (mut period, mut channel) = ("7d", None);
    for (name, value) in Query::read(query)?.pairs() {
        match name {
            "period" => {
                let known = Period::NAMES.into_iter().find(|known| *known == value);
                let names = || format!("one of {}", Period::NAMES.join(", "));
                period = known.ok_or_else(|| invalid(name, value, &names()))?;
            }
            "channel" => channel = (value != "all").then(|| value.into()),
            _ => return Err(unknown(name, &NAMES, &[])),
        }
    }
    Ok((period, channel))
}

/// What is not cached: from the rollup where there is one, else from the orders.
pub(crate) async fn work_out(
    context: &Arc<Context>,
    period: &str,
    channel: Option<&str>,
) -> Result<Document> {
    let started = Instant::now();
    let _turn = turn(context).await?;
    let catalogue = Arc::clone(context.store.catalogue());
    let mapping = catalogue.sales().cloned();
    let mapping = mapping.ok_or_else(|| Problem::internal(&"no mapping behind the route"))?;
    // So is the rollup.
    let sees_all = context.principal.as_ref().is_none_or(|who| who.identity().is_none());
    let analytics =
        catalogue.analytics().filter(|found| sees_all && found.rollup.is_some()).cloned();
    let now = Timestamp::from_micros(context.clock.now_micros());
    let wanted = Wanted { period: Period::named(period, now)?, channel: channel.map(Into::into) };
    let consumer = context.page_bytes.clone();
    let engine = Engine::new(consumer, ENGINE_BYTES, &context.spill_directory)
        .map_err(|e| Problem::from(plimsoll_store::Error::from(e)))?;
    let store = context.store.clone();
    let until = started + context.limits.report_timeout;
    let working = tokio::task::spawn_blocking(move || {
        let mut progress = |_: &plimsoll_store::sales::SalesRead| {
            if Instant::now() < until { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        match analytics {
            Some(analytics) => plimsoll_store::rollup::summary(
                &store,
                &analytics,
                &[wanted],
                now,
                &engine,
                &mut progress,
            ),
            None => live(&store, mapping, wanted, now, &engine, &mut progress),
        }
    });
    let computed = working.await.map_err(|e| Problem::internal(&e))??;
    let document = computed.documents.into_iter().next();
    context.metrics.processed("report", started.elapsed());
    document.ok_or_else(|| Problem::internal(&"no document came"))
}

fn live(
    store: &plimsoll_store::Store,
    mapping: Arc<SalesMapping>,
    wanted: Wanted,
    now: Timestamp,
    engine: &Engine,
    progress: &mut dyn FnMut(&plimsoll_store::sales::SalesRead) -> ControlFlow<()>,
) -> plimsoll_store::Result<Computed> {
    let request =
        plimsoll_store::sales::SalesRequest { mapping, wanted: vec![wanted], top: TOP, now };
    compute(store, &request, engine, &mut |read| progress(read))
}
