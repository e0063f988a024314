//! One route's service: finds the resource, checks the method, calls the handler.
//!
//! Promises: 404 and 405 are problems like any other; an alias says where the canonical path is.
//! Never: work on a request that its method already rules out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response, Uri, header};
use plimsoll_store::nearest;
use tower::Service;

use crate::app::Context;
use crate::exchange::refused;
use crate::links;
use crate::params::decode;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::routes::{
    aggregate, analytics, export, exports, get, health, list, metrics, queries, search, stream,
    system, write,
};
use crate::served::Served;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Collection,
    Row,
    Search,
    Stream,
    Export,
    ExportCsv,
    Summary,
    Trends,
    Top,
    Aggregate,
    Queries,
    Exports,
    Link,
    Memory,
    Reload,
    Health,
    Live,
    Ready,
    Metrics,
    Nothing,
}

impl Action {
    /// Whether it has nothing for a method but GET and HEAD.
    fn only_reads(self) -> bool {
        use Action::{Aggregate, Collection, Exports, Reload, Row};
        !matches!(self, Collection | Row | Aggregate | Exports | Reload)
    }
}

/// A route's service. Cheap to clone: the router clones it per request.
#[derive(Clone)]
pub(crate) struct Endpoint(Arc<Inner>);

struct Inner {
    context: Arc<Context>,
    action: Action,
    /// `None` where the path names the table.
    served: Option<Arc<Served>>,
    label: Arc<RouteLabel>,
    alias: bool,
}

impl Endpoint {
    pub(crate) fn new(
        context: &Arc<Context>,
        action: Action,
        served: Option<Arc<Served>>,
        template: &str,
        alias: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            context: Arc::clone(context),
            action,
            served,
            label: Arc::new(RouteLabel::new(template)),
            alias,
        }))
    }
}

impl Service<Request<Body>> for Endpoint {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let canonical = if inner.alias { links::canonical(request.uri().path()) } else { None };
            let mut response = inner.dispatch(request).await.unwrap_or_else(refused);
            if let Some(canonical) = canonical
                && let Ok(link) = HeaderValue::try_from(format!("<{canonical}>; rel=\"canonical\""))
            {
                response.headers_mut().append(header::LINK, link);
            }
            response.extensions_mut().insert(Arc::clone(&inner.label));
            Ok(response)
        })
    }
}

impl Inner {
    async fn dispatch(&self, request: Request<Body>) -> Result<Response<Body>> {
        let context = &self.context;
        let (request, body) = request.into_parts();
        let method = &request.method;
        if self.action == Action::Nothing {
            return Err(Problem::new(
                Kind::NotFound,
                "nothing is served at this path; resources are below /api/v2/tables/",
            ));
        }
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if !reads && self.action.only_reads() {
            return Err(Problem::method(method, "GET, HEAD"));
        }
        match self.action {
            Action::Collection
            | Action::Row
            | Action::Search
            | Action::Stream
            | Action::Export
            | Action::ExportCsv => self.of_resource(&request, body).await,
            Action::Summary => analytics::summary(context, &request).await,
            Action::Trends => analytics::trends(context, &request).await,
            Action::Top => analytics::top(context, &request).await,
            Action::Aggregate => match *method {
                Method::POST | Method::QUERY => aggregate::aggregate(context, &request, body).await,
                _ => Err(Problem::method(method, "POST, QUERY")),
            },
            Action::Queries => queries::all(context, &request),
            Action::Exports => exports::create(context, &request, body).await,
            Action::Link => Ok(exports::fetch(context, &request).await),
            Action::Memory => system::memory(context, &request),
            Action::Reload if *method == Method::POST => system::reload(context, &request).await,
            Action::Reload => Err(Problem::method(method, "POST")),
            Action::Health => health::health(context, &request).await,
            Action::Live => health::live(&request),
            Action::Ready => health::ready(context, &request).await,
            Action::Metrics => metrics::metrics(context, &request),
            Action::Nothing => Err(Problem::new(Kind::NotFound, "nothing is served at this path")),
        }
    }

    /// What is done with a resource or query.
    async fn of_resource(&self, request: &Parts, body: Body) -> Result<Response<Body>> {
        let (context, method) = (&self.context, &request.method);
        let served = &self.served(&request.uri)?;
        match self.action {
            Action::Collection => match *method {
                Method::GET | Method::HEAD => list::list(context, served, request).await,
                Method::POST if served.writable => {
                    write::create(context, served, &self.label, request, body).await
                }
                _ => Err(Problem::method(method, allow(served, "GET, HEAD, POST"))),
            },
            Action::Row => match *method {
                Method::GET | Method::HEAD => get::get(context, served, request).await,
                Method::PATCH if served.writable => {
                    write::change(context, served, &self.label, request, body).await
                }
                Method::DELETE if served.writable => {
                    write::delete(context, served, &self.label, request).await
                }
                _ => Err(Problem::method(method, allow(served, "GET, HEAD, PATCH, DELETE"))),
            },
            Action::Search => search::search(context, served, request).await,
            Action::Stream => stream::stream(context, served, request).await,
            action => {
                let csv_only = action == Action::ExportCsv;
                export::export(context, served, request, csv_only).await
            }
        }
    }

    /// The resource or query: this route's own, or the one the path names.
    fn served(&self, uri: &Uri) -> Result<Arc<Served>> {
        if let Some(served) = &self.served {
            return Ok(Arc::clone(served));
        }
        let mut segments = uri.path().split('/').skip(3);
        let (kind, segment) = (segments.next(), segments.next().unwrap_or_default());
        if kind == Some("queries") {
            let name = decode(segment, "the query in the path")?;
            return queries::bound(&self.context, &name, uri.query()).map(Arc::new);
        }
        let name = decode(segment, "the table in the path")?;
        if let Some(served) = self.context.tables.get(&*name) {
            return Ok(Arc::clone(served));
        }
        let names: Vec<&str> = self.context.tables.keys().map(|n| &**n).take(50).collect();
        let mut problem = Problem::new(
            Kind::NotFound,
            format!("there is no resource '{}'", plimsoll::error::excerpt(&name)),
        );
        if let Some(near) = nearest(&name, names.iter().copied()) {
            problem = problem.with("did_you_mean", near);
        }
        Err(problem.with("allowed", names))
    }
}

fn allow(served: &Served, writable: &'static str) -> &'static str {
    if served.writable { writable } else { "GET, HEAD" }
}
