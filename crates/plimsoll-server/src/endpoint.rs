//! One route's service: finds the resource, checks the method, calls the handler.
//!
//! Promises: nothing is looked for before whoever asks may have it; 404 and 405 are problems like
//! any other; an alias says where the canonical path is.
//! Never: work on a request that its method already rules out.

use std::borrow::Cow;
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

use crate::access::{Need, Verb};
use crate::app::Context;
use crate::exchange::refused;
use crate::links;
use crate::params::decode;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;
use crate::routes::{
    aggregate, analytics, cache, export, exports, get, health, intake, jobs, list, logs, metrics,
    queries, reports, sales, search, stream, system, write,
};
use crate::served::Served;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Collection,
    Row,
    Import,
    BulkUpdate,
    Sync,
    Search,
    Stream,
    Export,
    ExportCsv,
    Summary,
    Trends,
    Sales,
    Cache(cache::Route),
    Top,
    Aggregate,
    Queries,
    Exports,
    Link,
    Jobs(jobs::Route),
    Reports(reports::Route),
    Memory,
    Audit,
    Logs,
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
        use Action::{
            Aggregate, BulkUpdate, Cache, Collection, Exports, Import, Jobs, Reload, Reports, Row,
            Sync,
        };
        !matches!(
            self,
            Collection
                | Row
                | Import
                | BulkUpdate
                | Sync
                | Aggregate
                | Exports
                | Jobs(_)
                | Reports(_)
                | Reload
                | Cache(_)
        )
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
        let (mut request, body) = request.into_parts();
        let need = self.need(&request)?;
        let context = &self.context.admit(&need, &mut request)?;
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
            | Action::Import
            | Action::BulkUpdate
            | Action::Sync
            | Action::Search
            | Action::Stream
            | Action::Export
            | Action::ExportCsv => self.of_resource(context, &mut request, body).await,
            Action::Summary => analytics::summary(context, &request).await,
            Action::Trends => analytics::trends(context, &request).await,
            Action::Sales => sales::sales(context, &request).await,
            Action::Cache(route) => cache::answer(context, route, &request, body).await,
            Action::Top => analytics::top(context, &request).await,
            Action::Aggregate => match *method {
                Method::POST | Method::QUERY => aggregate::aggregate(context, &request, body).await,
                _ => Err(Problem::method(method, "POST, QUERY")),
            },
            Action::Queries => queries::all(context, &request),
            Action::Exports => exports::create(context, &request, body).await,
            Action::Link => Ok(exports::fetch(context, &request).await),
            Action::Jobs(route) => jobs::answer(context, route, &request, body).await,
            Action::Reports(route) => reports::answer(context, route, &request, body).await,
            Action::Memory => system::memory(context, &request),
            Action::Audit => system::audit(context, &request).await,
            Action::Logs => logs::logs(context, &request).await,
            Action::Reload if *method == Method::POST => system::reload(context, &request).await,
            Action::Reload => Err(Problem::method(method, "POST")),
            Action::Health => health::health(context, &request).await,
            Action::Live => health::live(&request),
            Action::Ready => health::ready(context, &request).await,
            Action::Metrics => metrics::metrics(context, &request).await,
            Action::Nothing => Err(Problem::new(Kind::NotFound, "nothing is served at this path")),
        }
    }

    /// What is done with a resource or query.
    async fn of_resource(
        &self,
        context: &Arc<Context>,
        request: &mut Parts,
        body: Body,
    ) -> Result<Response<Body>> {
        let served = &self.served(context, &request.uri)?;
        match self.action {
            Action::Collection => match request.method {
                Method::GET | Method::HEAD => list::list(context, served, request).await,
                Method::POST if served.writable && intake::is_file(request) => {
                    intake::create_many(context, served, &self.label, request, body).await
                }
                Method::POST if served.writable => {
                    write::create(context, served, &self.label, request, body).await
                }
                _ => Err(Problem::method(&request.method, allow(served, "GET, HEAD, POST"))),
            },
            Action::Row => match request.method {
                Method::GET | Method::HEAD => get::get(context, served, request).await,
                Method::PATCH if served.writable => {
                    write::change(context, served, &self.label, request, body).await
                }
                Method::DELETE if served.writable => {
                    write::delete(context, served, &self.label, request).await
                }
                _ => {
                    let methods = allow(served, "GET, HEAD, PATCH, DELETE");
                    Err(Problem::method(&request.method, methods))
                }
            },
            Action::Import | Action::BulkUpdate | Action::Sync => {
                self.take_in(context, served, request, body).await
            }
            Action::Search => search::search(context, served, request).await,
            _ => self.all_rows(context, served, request).await,
        }
    }

    /// Many rows at once.
    async fn take_in(
        &self,
        context: &Arc<Context>,
        served: &Arc<Served>,
        request: &Parts,
        body: Body,
    ) -> Result<Response<Body>> {
        if request.method != Method::POST || !served.writable {
            return Err(Problem::method(&request.method, allow(served, "POST")));
        }
        match self.action {
            Action::BulkUpdate => {
                write::bulk_update(context, served, &self.label, request, body).await
            }
            Action::Sync => intake::sync(context, served, &self.label, request, body).await,
            _ => intake::import(context, served, &self.label, request, body).await,
        }
    }

    /// Every row of a selection, between its two rows of the audit.
    async fn all_rows(
        &self,
        context: &Arc<Context>,
        served: &Arc<Served>,
        request: &mut Parts,
    ) -> Result<Response<Body>> {
        let what = if self.action == Action::Stream { "stream" } else { "export" };
        let audited = context.begin_audit(what, &served.audit_name(), request).await?;
        let csv_only = self.action == Action::ExportCsv;
        audited.watch(match self.action {
            Action::Stream => stream::stream(context, served, request).await,
            _ => export::export(context, served, request, csv_only).await,
        })
    }

    /// What whoever asks must have been given.
    fn need(&self, request: &Parts) -> Result<Need> {
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        let verb = match self.action {
            // A link is a key of its own.
            Action::Health | Action::Live | Action::Ready | Action::Link => return Ok(Need::Open),
            Action::Jobs(route) => return Ok(route.need(reads)),
            Action::Metrics => return Ok(Need::Metrics),
            Action::Memory | Action::Audit | Action::Logs | Action::Reload | Action::Cache(_) => {
                return Ok(Need::Admin);
            }
            Action::Summary | Action::Trends | Action::Sales | Action::Top => {
                return Ok(Need::Mapping);
            }
            // The body names what is aggregated or exported, and of queries those are listed that
            // may be read.
            Action::Aggregate
            | Action::Exports
            | Action::Reports(_)
            | Action::Queries
            | Action::Nothing => {
                return Ok(Need::Known);
            }
            Action::Collection | Action::Row | Action::Search if reads => Verb::Read,
            Action::Collection
            | Action::Row
            | Action::Import
            | Action::BulkUpdate
            | Action::Sync
            | Action::Search => Verb::Write,
            Action::Stream | Action::Export | Action::ExportCsv => Verb::Export,
        };
        Ok(match &self.served {
            Some(served) => Need::Named(verb, served.resource.name.clone()),
            None => match named(&request.uri)? {
                (Named::Table, name) => Need::Named(verb, name.into()),
                (Named::Query, name) => Need::Named(Verb::Query, name.into()),
            },
        })
    }

    /// The resource or query: this route's own, or the one the path names.
    fn served(&self, context: &Context, uri: &Uri) -> Result<Arc<Served>> {
        if let Some(served) = &self.served {
            return Ok(Arc::clone(served));
        }
        let name = match named(uri)? {
            (Named::Table, name) => name,
            (Named::Query, name) => {
                return queries::bound(context, &name, uri.query()).map(Arc::new);
            }
        };
        if let Some(served) = context.tables.whole(&name) {
            return Ok(Arc::clone(served));
        }
        let names: Vec<&str> = context.tables.keys().take(50).collect();
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

/// What a path names.
enum Named {
    Table,
    Query,
}

/// The table of `/api/v2/tables/{table}`, or the query of `/api/v2/queries/{query}`.
fn named(uri: &Uri) -> Result<(Named, Cow<'_, str>)> {
    let mut segments = uri.path().split('/').skip(3);
    let (kind, segment) = (segments.next(), segments.next().unwrap_or_default());
    Ok(match kind {
        Some("queries") => (Named::Query, decode(segment, "the query in the path")?),
        _ => (Named::Table, decode(segment, "the table in the path")?),
    })
}

fn allow(served: &Served, writable: &'static str) -> &'static str {
    match (served.writable, writable) {
        (true, _) => writable,
        // Nothing is read there.
        (false, "POST") => "",
        (false, _) => "GET, HEAD",
    }
}
