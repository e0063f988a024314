//! Which path leads to which endpoint.
//!
//! ```text
//!   /api/v2/tables/{table}           list, create          every resource
//!   /api/v2/tables/{table}/{key}     get, change, delete
//!   /api/v2/tables/{table}/import    a file into it, as a job
//!   /api/v2/tables/{table}/bulk-update   changes of many rows
//!   /api/v2/tables/{table}/sync      rows written over those there, and told
//!   /api/v2/tables/{table}/search    search (?q=)
//!   /api/v2/tables/{table}/stream    stream
//!   /api/v2/tables/{table}/export    export (?format=), /export/csv
//!   /api/v2/queries                  what named queries there are
//!   /api/v2/queries/{query}          list, /stream, /export, /export/csv
//!
//!   {prefix}/{path}...               the same, for the short paths of packs
//!   {prefix}/analytics/aggregate     every resource
//!   {prefix}/analytics/...           summary, top-{path}   where there is a mapping
//!   {prefix}/exports                 gives a link to an export
//!   {prefix}/exports/{id}            what the link leads to
//!   {prefix}/jobs, /queues, /workers, /batches, /schedules, /events   see routes::jobs
//!   {prefix}/cache                   see routes::cache
//!   {prefix}/reports                 see routes::reports
//!   {prefix}/system/memory           the ledger
//!   {prefix}/system/audit            who exported what
//!   {prefix}/system/logs             the last lines of the log
//!   {prefix}/system/catalog/reload   looks at the database again
//!
//!   prefix: /api/v2 (canonical), /api, nothing
//! ```
//!
//! Promises: built once from each catalogue; a path that would hide one of ours is refused at
//! start and by a reload; the label in logs and metrics is the canonical template, so aliases cost
//! no series.
//! Never: a pack's noun; the words come out of the catalogue.

use std::sync::Arc;

use axum::Router;

use crate::app::{Context, Error};
use crate::endpoint::{Action, Endpoint};
use crate::routes::{cache, jobs, reports};
use crate::served::Served;

/// First segments that are ours under one of the prefixes.
const RESERVED: [&str; 22] = [
    "api",
    "system",
    "analytics",
    "metrics",
    "health",
    "healthz",
    "livez",
    "readyz",
    "assets",
    "docs",
    "exports",
    "tables",
    "queries",
    "v2",
    "cache",
    "jobs",
    "queues",
    "workers",
    "batches",
    "schedules",
    "events",
    "reports",
];
/// Also ours: `v1` will be the offset adapter.
const RESERVED_LATER: [&str; 2] = ["v1", "problems"];

const PREFIXES: [&str; 3] = ["/api/v2", "/api", ""];

/// The template under which a request is logged and counted.
#[derive(Debug)]
pub(crate) struct RouteLabel {
    pub(crate) template: Box<str>,
}

impl RouteLabel {
    pub(crate) fn new(template: impl Into<Box<str>>) -> Self {
        Self { template: template.into() }
    }
}

/// The router over everything the context has.
pub(crate) fn build(context: &Arc<Context>) -> Result<Router, Error> {
    let mut routes = Routes { context, router: Router::new() };
    routes.resource("/tables/{table}", None, &PREFIXES[..1]);
    routes.queries();
    for served in context.tables.values() {
        if let Some(path) = &served.resource.path {
            check_path(path)?;
            routes.resource(&format!("/{path}"), Some(served), &PREFIXES);
        }
    }
    if let Some(analytics) = context.store.catalogue().analytics() {
        let subject = &analytics.subject.resource;
        let noun = subject.path.as_deref().unwrap_or(&subject.name);
        routes.add("/analytics/summary", Action::Summary, None, &PREFIXES);
        routes.add("/analytics/trends", Action::Trends, None, &PREFIXES);
        routes.add("/analytics/sales", Action::Sales, None, &PREFIXES);
        routes.add(&format!("/analytics/top-{noun}"), Action::Top, None, &PREFIXES);
    }
    routes.add("/analytics/aggregate", Action::Aggregate, None, &PREFIXES);
    routes.add("/exports", Action::Exports, None, &PREFIXES);
    routes.add("/exports/{id}", Action::Link, None, &PREFIXES);
    for (path, route) in jobs::ROUTES {
        routes.add(path, Action::Jobs(route), None, &PREFIXES);
    }
    for (path, route) in cache::ROUTES {
        routes.add(path, Action::Cache(route), None, &PREFIXES);
    }
    for (path, route) in reports::ROUTES {
        routes.add(path, Action::Reports(route), None, &PREFIXES);
    }
    routes.add("/system/memory", Action::Memory, None, &PREFIXES);
    routes.add("/system/audit", Action::Audit, None, &PREFIXES);
    routes.add("/system/logs", Action::Logs, None, &PREFIXES);
    routes.add("/system/catalog/reload", Action::Reload, None, &PREFIXES);
    routes.fixed(&["/api/health", "/healthz"], &Action::Health);
    routes.fixed(&["/livez"], &Action::Live);
    routes.fixed(&["/readyz"], &Action::Ready);
    routes.fixed(&["/metrics", "/api/metrics"], &Action::Metrics);
    let nothing = Endpoint::new(context, Action::Nothing, None, "unmatched", false);
    Ok(routes.router.fallback_service(nothing))
}

struct Routes<'c> {
    context: &'c Arc<Context>,
    router: Router,
}

impl Routes<'_> {
    fn resource(&mut self, path: &str, served: Option<&Arc<Served>>, prefixes: &[&str]) {
        let below = |tail: &str| format!("{path}{tail}");
        self.add(path, Action::Collection, served, prefixes);
        self.add(&below("/{key}"), Action::Row, served, prefixes);
        self.add(&below("/import"), Action::Import, served, prefixes);
        self.add(&below("/bulk-update"), Action::BulkUpdate, served, prefixes);
        self.add(&below("/sync"), Action::Sync, served, prefixes);
        self.add(&below("/search"), Action::Search, served, prefixes);
        self.add(&below("/stream"), Action::Stream, served, prefixes);
        self.add(&below("/export"), Action::Export, served, prefixes);
        self.add(&below("/export/csv"), Action::ExportCsv, served, prefixes);
    }

    fn queries(&mut self) {
        let (canonical, path) = (&PREFIXES[..1], "/queries/{query}");
        self.add("/queries", Action::Queries, None, canonical);
        self.add(path, Action::Collection, None, canonical);
        self.add(&format!("{path}/stream"), Action::Stream, None, canonical);
        self.add(&format!("{path}/export"), Action::Export, None, canonical);
        self.add(&format!("{path}/export/csv"), Action::ExportCsv, None, canonical);
    }

    fn add(&mut self, path: &str, action: Action, served: Option<&Arc<Served>>, prefixes: &[&str]) {
        let canonical = format!("{}{path}", PREFIXES[0]);
        for prefix in prefixes {
            let alias = *prefix != PREFIXES[0];
            let endpoint =
                Endpoint::new(self.context, action, served.map(Arc::clone), &canonical, alias);
            let router = std::mem::take(&mut self.router);
            self.router = router.route_service(&format!("{prefix}{path}"), endpoint);
        }
    }

    /// Paths that stand outside the versioned ones; the first is the label of all.
    fn fixed(&mut self, paths: &[&str], action: &Action) {
        for path in paths {
            let endpoint = Endpoint::new(self.context, *action, None, paths[0], false);
            let router = std::mem::take(&mut self.router);
            self.router = router.route_service(path, endpoint);
        }
    }
}

/// A path must be plain and must not hide one of ours.
fn check_path(path: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if path.is_empty() || !path.chars().all(plain) {
        return Err(Error::Invalid(format!(
            "the path '/{}' cannot be served: a path is lower case letters, digits, '-' and '_'",
            plimsoll::error::excerpt(path)
        )));
    }
    if RESERVED.contains(&path) || RESERVED_LATER.contains(&path) {
        return Err(Error::Invalid(format!(
            "the path '/{path}' is reserved; choose another. Reserved are: {}, {}",
            RESERVED.join(", "),
            RESERVED_LATER.join(", ")
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_path;

    #[test]
    fn a_reserved_or_odd_path_is_refused_with_the_reason() {
        assert!(check_path("goods").is_ok());
        let reserved = check_path("metrics").expect_err("reserved").to_string();
        assert!(reserved.contains("'/metrics' is reserved"), "{reserved}");
        assert!(check_path("a/b").is_err());
        assert!(check_path("{key}").is_err());
        assert!(check_path("").is_err());
    }
}
