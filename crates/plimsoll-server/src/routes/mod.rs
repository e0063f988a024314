//! The handlers, one file per noun.
//!
//! Promises: a handler reads its parameters, asks the store, and answers.
//! Never: a concrete table, or SQL.

pub(crate) mod aggregate;
pub(crate) mod analytics;
pub(crate) mod cache;
pub(crate) mod export;
pub(crate) mod exports;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod intake;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod queries;
mod related_row;
pub(crate) mod reports;
pub(crate) mod sales;
pub(crate) mod search;
pub(crate) mod stream;
pub(crate) mod system;
mod whole_file;
pub(crate) mod write;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use plimsoll_store::Pending;

use crate::problem::{Kind, Problem, Result};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A whole answer.
pub(crate) fn json(bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Waits for the store, at most `timeout`.
pub(crate) async fn within<T>(timeout: Duration, pending: Pending<T>, what: &str) -> Result<T> {
    match tokio::time::timeout(timeout, pending).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::new(
            Kind::Busy,
            format!("{what} took longer than {} s; try again later", timeout.as_secs()),
        )
        .retry_after(5)),
    }
}
