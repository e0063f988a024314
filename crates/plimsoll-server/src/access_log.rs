//! The body that is watched to its end, and the one event per request that follows.
//!
//! ```text
//!   exchange ──> Watched(body) ──> hyper ──> client
//!                   └─ dropped: bytes, time, outcome go to the log (target `access`) and metrics
//! ```
//!
//! Promises: one event per request, written when its last byte has left or its client has gone;
//! `complete` tells which.
//! Never: a header, a query or a row in the log; the route stands there as its template.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::http::Method;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::access::Sender;
use crate::metrics::Metrics;
use crate::request_id::RequestId;
use crate::router::RouteLabel;

/// What is known when the headers are ready.
pub(crate) struct Entry {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) id: RequestId,
    pub(crate) sender: Sender,
    pub(crate) method: Method,
    pub(crate) route: Arc<RouteLabel>,
    pub(crate) status: u16,
    pub(crate) started: Instant,
}

/// A response body that writes its entry when it is dropped.
pub(crate) struct Watched {
    body: Body,
    bytes: u64,
    complete: bool,
    entry: Entry,
}

impl Watched {
    pub(crate) fn new(body: Body, entry: Entry) -> Self {
        let complete = body.is_end_stream();
        Self { body, bytes: 0, complete, entry }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.complete = self.body.is_end_stream();
            }
            Some(Err(_)) => {}
            None => self.complete = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let entry = &self.entry;
        let elapsed = entry.started.elapsed();
        entry.metrics.answered(&entry.method, &entry.route, entry.status, elapsed);
        tracing::info!(
            target: "access",
            method = entry.method.as_str(),
            route = &*entry.route.template,
            status = entry.status,
            bytes = self.bytes,
            ms = elapsed.as_micros() as f64 / 1e3,
            complete = self.complete,
            request_id = entry.id.as_str(),
            principal = entry.sender.name(),
        );
    }
}
