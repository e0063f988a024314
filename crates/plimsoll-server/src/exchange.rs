//! One request and its answer: everything that is the same for all routes.
//!
//! ```text
//!   id ─> address short enough? ─> router ─> Problem? render it ─> HEAD? no body ─> log and count
//!                                    └─ panics: 500, the process goes on
//! ```
//!
//! Promises: every answer has an X-Request-Id; a method nobody knows makes no new series.
//! Never: a body read here.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use tower::Service;

use crate::access::Sender;
use crate::access_log::{Entry, Watched};
use crate::app::Server;
use crate::problem::{Kind, Problem};
use crate::request_id::{RequestId, X_REQUEST_ID};
use crate::router::RouteLabel;

/// Longest query, and longest path.
const PART_BYTES_MAX: usize = 8 << 10;

/// Answers one request.
pub(crate) async fn exchange(
    server: Arc<Server>,
    mut request: Request<Incoming>,
) -> Result<Response<Watched>, Infallible> {
    let started = Instant::now();
    let method = request.method().clone();
    let id = server.core.request_ids.of(request.headers());
    let sender = Sender::default();
    let mut response = match check_address(&request) {
        Err(problem) => refused(problem),
        Ok(()) => {
            request.extensions_mut().insert(id.clone());
            request.extensions_mut().insert(sender.clone());
            routed(&server, request).await
        }
    };
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        render(&problem, &id, &mut response);
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
    }
    let route = response
        .extensions_mut()
        .remove::<Arc<RouteLabel>>()
        .unwrap_or_else(|| Arc::clone(&server.unmatched));
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header().clone());
    let entry = Entry {
        metrics: Arc::clone(&server.core.metrics),
        id,
        sender,
        method,
        route,
        status: response.status().as_u16(),
        started,
    };
    Ok(response.map(|body| Watched::new(body, entry)))
}

/// A response that [`exchange`] fills in, because only it knows the request's id.
pub(crate) fn refused(problem: Problem) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Arc::new(problem));
    response
}

async fn routed(server: &Server, request: Request<Incoming>) -> Response<Body> {
    let mut router = server.face().router.clone();
    let mut future = std::pin::pin!(router.call(request));
    std::future::poll_fn(|cx| {
        // The future is not polled again after a panic, so nobody sees a broken state of it.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => Poll::Ready(response),
            Ok(Poll::Ready(Err(never))) => match never {},
            Err(panic) => Poll::Ready(refused(Problem::internal(&said(&*panic)))),
        }
    })
    .await
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("without a message"))
}

fn check_address(request: &Request<Incoming>) -> Result<(), Problem> {
    let uri = request.uri();
    let query = uri.query().map_or(0, str::len);
    if query <= PART_BYTES_MAX && uri.path().len() <= PART_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::new(
        Kind::UriTooLong,
        format!("path and query may have {PART_BYTES_MAX} bytes each; send a shorter filter"),
    ))
}

fn render(problem: &Problem, id: &RequestId, response: &mut Response<Body>) {
    let text = problem.document(id.as_str()).to_string();
    *response.status_mut() = problem.kind().status();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(allow) = problem.allow() {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(challenge) = problem.challenge_text() {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(seconds) = problem.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    *response.body_mut() = Body::from(text);
}
