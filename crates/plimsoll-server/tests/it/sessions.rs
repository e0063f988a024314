//! Reading what was written, through the header that carries it, and the figures of replicas.
//!
//! Promises: what the header says reaches the store with every read; nothing else gets in.
//! Never: a real replica; those are in the store's tests.

use std::sync::{Arc, Mutex};

use plimsoll::record::Value;
use plimsoll_store::{
    AggregateRequest, Aggregated, Database, DatabaseStats, Horizon, Page, PageRequest, Pending,
    Priority, Report, ReportRequest, RoleStats, Store, WriteOutcome, WriteUnit,
};

use crate::client::body;
use crate::support::{World, serve, world};

const WRITTEN: &str = "00000000016b3748";
const BEGUN: &str = "00000000016b3800";

/// A database that notes what has to be seen.
#[derive(Clone)]
struct Noting {
    inner: Store,
    asked: Arc<Mutex<Vec<Option<Horizon>>>>,
}

fn horizon(text: &str) -> Option<Horizon> {
    Some(text.parse().expect("a horizon"))
}

impl Noting {
    fn over(world: &World) -> Self {
        Self { inner: world.store.clone(), asked: Arc::default() }
    }

    fn store(&self) -> Store {
        Store::new(Arc::new(self.clone()), Arc::clone(self.inner.catalogue()))
    }

    fn note(&self, horizon: Option<Horizon>) {
        self.asked.lock().expect("whole").push(horizon);
    }

    fn asked(&self) -> Vec<Option<Horizon>> {
        std::mem::take(&mut *self.asked.lock().expect("whole"))
    }
}

impl Database for Noting {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        self.note(request.horizon);
        let page = self.inner.page(request).wait();
        Pending::ready(page.map(|page| Page { horizon: horizon(BEGUN), ..page }))
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.note(request.horizon);
        self.inner.report(request)
    }

    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.note(request.horizon);
        self.inner.aggregate(request)
    }

    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        self.inner.query(sql, rows_max)
    }

    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        self.inner.state(kind, key)
    }

    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        let outcome = self.inner.write(unit, priority).wait();
        Pending::ready(outcome.map(|done| WriteOutcome { horizon: horizon(WRITTEN), ..done }))
    }

    fn ping(&self) -> Pending<()> {
        self.inner.ping()
    }

    fn stats(&self) -> DatabaseStats {
        let primary = RoleStats { hosts: 1, healthy: 1, pages: 5, ..RoleStats::default() };
        let replicas = RoleStats {
            hosts: 2,
            healthy: 1,
            lag_ms_max: 1_250,
            pages: 70,
            connections_used: 1,
            connections_idle: 5,
        };
        DatabaseStats { primary, replicas, ..self.inner.stats() }
    }

    fn close(&self) -> plimsoll_store::Result<()> {
        Ok(())
    }
}
