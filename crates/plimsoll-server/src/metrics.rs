//! Counters and histograms of requests and streams, and the page that shows them with the gauges.
//!
//! Promises: labels are route templates, known methods, statuses, fixed words and the first 32
//! queues, so the number of series has a bound that no client can move; both text formats show the
//! same numbers.
//! Never: samples kept; histograms count into fixed buckets.

mod exposition;
mod gauges;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub(crate) use exposition::Exposition;
pub(crate) use gauges::{Gauges, LastQueues};

use crate::config::Build;
use crate::router::RouteLabel;

/// OpenTelemetry's buckets for request durations.
const SECONDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: Route,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: &'static str,
    route: Route,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Work {
    kind: &'static str,
}

#[derive(Clone, Debug)]
struct Route(Arc<RouteLabel>);

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.0.template == other.0.template
    }
}

impl Eq for Route {}

impl std::hash::Hash for Route {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.template.hash(state);
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        (&*self.0.template).encode(encoder)
    }
}

/// All metrics of a server.
pub(crate) struct Metrics {
    registry: std::sync::RwLock<Registry>,
    requests: Family<Request, Counter>,
    seconds: Family<Timed, Histogram, fn() -> Histogram>,
    milliseconds: Family<Timed, Histogram, fn() -> Histogram>,
    processing: Family<Work, Histogram, fn() -> Histogram>,
    streams: Counter,
    streams_failed: Counter,
    streams_left: Counter,
    rejected: Family<Reason, Counter>,
    admission_wait: Histogram,
}

fn in_seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn in_milliseconds() -> Histogram {
    Histogram::new(SECONDS.map(|seconds| seconds * 1e3))
}

impl Metrics {
    pub(crate) fn new(build: &Build) -> Self {
        let metrics = Self {
            registry: std::sync::RwLock::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(in_seconds),
            milliseconds: Family::new_with_constructor(in_milliseconds),
            processing: Family::new_with_constructor(in_seconds),
            streams: Counter::default(),
            streams_failed: Counter::default(),
            streams_left: Counter::default(),
            rejected: Family::default(),
            admission_wait: in_seconds(),
        };
        metrics.register(build);
        metrics
    }

    /// The library appends `_total` to counters by itself.
    fn register(&self, build: &Build) {
        let mut registry = self.registry.write().unwrap_or_else(|e| e.into_inner());
        let r = &mut *registry;
        r.register("http_requests", "Requests answered", self.requests.clone());
        r.register(
            "http_request_duration_seconds",
            "From the request's headers to the last byte of the answer",
            self.seconds.clone(),
        );
        r.register(
            "http_request_duration_milliseconds",
            "The same in milliseconds",
            self.milliseconds.clone(),
        );
        r.register(
            "spacetime_processing_seconds",
            "Time to make one thing, by kind",
            self.processing.clone(),
        );
        r.register("spacetime_stream_requests", "Streams begun", self.streams.clone());
        r.register("spacetime_streams_failed", "Streams cut midway", self.streams_failed.clone());
        r.register(
            "spacetime_streams_left",
            "Streams whose client left before the end",
            self.streams_left.clone(),
        );
        r.register("spacetime_rejected", "Requests refused, by reason", self.rejected.clone());
        r.register(
            "spacetime_admission_wait_seconds",
            "How long admitted streams waited",
            self.admission_wait.clone(),
        );
        r.register_collector(Box::new(gauges::BuildInfo(build.clone())));
    }

    /// Adds what is read at every scrape.
    pub(crate) fn register_gauges(&self, gauges: Gauges) {
        let mut registry = self.registry.write().unwrap_or_else(|e| e.into_inner());
        registry.register_collector(Box::new(gauges));
    }

    /// The page.
    pub(crate) fn encode(&self, exposition: Exposition) -> Result<String, fmt::Error> {
        let registry = self.registry.read().unwrap_or_else(|e| e.into_inner());
        exposition.encode(&registry)
    }

    /// A request has been answered to its last byte.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &Arc<RouteLabel>,
        status: u16,
        elapsed: Duration,
    ) {
        let (method, route) = (known(method), Route(Arc::clone(route)));
        let timed = Timed { method, route: route.clone() };
        self.requests.get_or_create(&Request { method, route, status }).inc();
        self.seconds.get_or_create(&timed).observe(elapsed.as_secs_f64());
        self.milliseconds.get_or_create(&timed).observe(elapsed.as_secs_f64() * 1e3);
    }

    pub(crate) fn processed(&self, kind: &'static str, elapsed: Duration) {
        self.processing.get_or_create(&Work { kind }).observe(elapsed.as_secs_f64());
    }

    pub(crate) fn rejected(&self, reason: &'static str) {
        self.rejected.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn admitted(&self, waited: Duration) {
        self.admission_wait.observe(waited.as_secs_f64());
    }

    pub(crate) fn stream_started(&self) {
        self.streams.inc();
    }

    pub(crate) fn stream_failed(&self) {
        self.streams_failed.inc();
    }

    pub(crate) fn stream_left(&self) {
        self.streams_left.inc();
    }
}

/// Methods beyond the usual share one series.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::QUERY => "QUERY",
        _ => "other",
    }
}
