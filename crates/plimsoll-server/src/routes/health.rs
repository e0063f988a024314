//! Whether the server is alive, ready and healthy: three questions, three answers.
//!
//! | path | asks | 503 when |
//! |---|---|---|
//! | `/livez` | does the process answer | never |
//! | `/readyz` | should it get traffic | it drains, or the database does not answer |
//! | `/api/health`, `/healthz` | what works | the database does not answer |
//!
//! Promises: `/livez` touches nothing but itself; the others answer within two seconds.
//! Never: a cause in public; that stands in the log.

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::within;
use crate::accept::Phase;
use crate::app::Context;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};

/// How long the database may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// `GET /livez`.
pub(crate) fn live(request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    Ok(document(StatusCode::OK, &json!({"status": "alive"})))
}

/// `GET /readyz`.
pub(crate) async fn ready(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    if *context.phase.borrow() != Phase::Serving {
        return Err(Problem::new(Kind::NotReady, "the server is shutting down").retry_after(5));
    }
    if !answers(context).await {
        return Err(Problem::new(Kind::NotReady, "the database does not answer").retry_after(5));
    }
    Ok(document(StatusCode::OK, &json!({"status": "ready"})))
}

/// `GET /api/health`.
pub(crate) async fn health(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let healthy = answers(context).await;
    let (status, word) = match healthy {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
    };
    let body = json!({
        "status": if healthy { "healthy" } else { "unhealthy" },
        "services": {
            "database": word,
            // There is neither a shared cache nor a job queue yet; writes wait in the store.
            "cache": "none",
            "queue": word,
            "queue_size": context.store.stats().writes_waiting,
        },
    });
    Ok(document(status, &body))
}

async fn answers(context: &Context) -> bool {
    match within(PING_TIMEOUT, context.store.ping(), "asking the database").await {
        Ok(()) => true,
        Err(problem) => {
            tracing::warn!(target: "http", error = ?problem, "the database does not answer");
            false
        }
    }
}

fn document(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = super::json(body.to_string());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}
