//! The metrics page, in OpenMetrics or in the older text format, as the scraper asks.
//!
//! Promises: one scrape reads each gauge once.
//! Never: a label taken from a request.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};

use crate::app::Context;
use crate::metrics::Exposition;
use crate::params::Query;
use crate::problem::{Problem, Result};

/// `GET /metrics`.
pub(crate) async fn metrics(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let asked = request.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let exposition = match asked {
        Some(accept) if accept.contains("application/openmetrics-text") => Exposition::OpenMetrics,
        _ => Exposition::Text,
    };
    super::jobs::count(context).await;
    let text = context.metrics.encode(exposition).map_err(|e| Problem::internal(&e))?;
    let mut response = Response::new(Body::from(text));
    let content_type = HeaderValue::from_static(exposition.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}
