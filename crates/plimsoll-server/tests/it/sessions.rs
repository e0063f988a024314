//! Reading what was written, through the header that carries it, and the figures of replicas.
//!
//! Promises: what the header says reaches the store with every read; nothing else gets in.
//! Never: a real replica; those are in the store's tests.

use std::sync::{Arc, Mutex};

use plimsoll::record::Value;
use plimsoll_store::{
    AggregateRequest, Aggregated, Database, DatabaseStats, Horizon, Page, PageRequest, Pending,
    Priority, Report, ReportRequest, RoleStats, SnapshotRequest, Store, WriteOutcome, WriteUnit,
};

use crate::support::{start_with, world};

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

/// The same answer with a change, which is waited for on a thread of its own.
fn changed<T: Send + 'static>(
    pending: Pending<T>,
    change: impl FnOnce(T) -> T + Send + 'static,
) -> Pending<T> {
    let (promise, changed) = Pending::new();
    std::thread::spawn(move || promise.keep(pending.wait().map(change)));
    changed
}

impl Noting {
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
        changed(self.inner.page(request), |page| Page { horizon: horizon(BEGUN), ..page })
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.note(request.horizon);
        self.inner.report(request)
    }

    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.inner.snapshot(request)
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
        let pending = self.inner.write(unit, priority);
        changed(pending, |done| WriteOutcome { horizon: horizon(WRITTEN), ..done })
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

#[test]
fn a_write_tells_its_session_and_every_read_asks_for_it() {
    let world = world(4_000);
    let noting = Noting { inner: world.store.clone(), asked: Arc::default() };
    let server = start_with(&world, |config| config.store = noting.store());
    let json = ("content-type", "application/json");
    let good = br#"{"code":"T-1","name":"tea","price":2.50}"#;
    let made = server.ask("POST", "/goods", &[json], good);
    assert_eq!((made.status, made.header("plimsoll-session")), (201, Some(WRITTEN)));
    let place = made.header("location").expect("a place").to_owned();
    let changed = server.ask("PATCH", &place, &[json], br#"{"stock":7}"#);
    assert_eq!((changed.status, changed.header("plimsoll-session")), (200, Some(WRITTEN)));
    let gone = server.ask("DELETE", &place, &[], b"");
    assert_eq!((gone.status, gone.header("plimsoll-session")), (204, Some(WRITTEN)));
    assert_eq!(noting.asked(), []);

    let session = ("Plimsoll-Session", WRITTEN);
    let counted = br#"{"resource":"goods","measures":["count(*) as n"]}"#;
    let reads: [(&str, &str, &[u8]); 7] = [
        ("GET", "/goods/1", b""),
        ("GET", "/goods?limit=5", b""),
        ("GET", "/goods/stream", b""),
        ("GET", "/goods/export/csv", b""),
        ("GET", "/analytics/summary", b""),
        ("GET", "/analytics/top-goods", b""),
        ("POST", "/analytics/aggregate", counted),
    ];
    for (method, path, body) in reads {
        for (headers, wanted) in [(vec![json, session], horizon(WRITTEN)), (vec![json], None)] {
            let answer = server.ask(method, path, &headers, body);
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let asked = noting.asked();
            assert_eq!(asked.first(), Some(&wanted), "{path}");
            // What is read in several slices goes on where it began.
            assert!(asked[1..].iter().all(|asked| *asked == horizon(BEGUN)), "{path}: {asked:?}");
            assert_eq!(asked.len() > 1, path.contains("stream") || path.contains("export"));
            // What is gone on with behind this answer is asked to see as much.
            let goes_on = path.starts_with("/goods") && path != "/goods/1";
            assert_eq!(answer.header("plimsoll-session"), goes_on.then_some(BEGUN), "{path}");
        }
        for wrong in ["", "0/16B3748", "16b3748", "00000000016B3748", "00000000016b3748, 1"] {
            let answer = server.ask(method, path, &[json, ("plimsoll-session", wrong)], body);
            let problem = answer.problem(400, "invalid-request");
            assert!(problem["detail"].to_string().contains("Plimsoll-Session"), "{problem}");
        }
        server.ask(method, path, &[json, session, session], body).problem(400, "invalid-request");
        assert_eq!(noting.asked(), [], "{path}");
    }
}

#[test]
fn without_replicas_there_is_no_session_and_one_that_is_sent_is_taken() {
    let world = world(1);
    let server = start_with(&world, |_| {});
    let json = ("content-type", "application/json");
    let changed = server.ask("PATCH", "/goods/1", &[json], br#"{"stock":7}"#);
    assert_eq!((changed.status, changed.header("plimsoll-session")), (200, None));
    let session = ("plimsoll-session", WRITTEN);
    assert_eq!(server.ask("GET", "/goods/1", &[session], b"").status, 200);
    let page = server.get("/metrics");
    assert!(!page.text().contains("role=\"replica\""), "{}", page.text());
}

#[test]
fn metrics_tell_who_is_there_and_who_is_read_from_by_role() {
    let world = world(1);
    let noting = Noting { inner: world.store.clone(), asked: Arc::default() };
    let server = start_with(&world, |config| config.store = noting.store());
    let page = server.get("/metrics");
    for line in [
        "database_hosts{role=\"primary\"} 1",
        "database_hosts{role=\"replica\"} 2",
        "database_hosts_healthy{role=\"replica\"} 1",
        "database_pages_read{role=\"primary\"} 5",
        "database_pages_read{role=\"replica\"} 70",
        "database_replica_lag_milliseconds 1250",
        "database_connections{state=\"used\",role=\"replica\"} 1",
        "database_connections{state=\"idle\",role=\"replica\"} 5",
    ] {
        assert!(page.text().lines().any(|found| found == line), "{line} in\n{}", page.text());
    }
}

#[test]
fn what_an_app_has_written_is_in_the_export_that_it_sends_a_browser_to() {
    let world = world(10);
    let noting = Noting { inner: world.store.clone(), asked: Arc::default() };
    let server = start_with(&world, |config| config.store = noting.store());
    let headers = [("content-type", "application/json"), ("plimsoll-session", WRITTEN)];
    let made = server.ask("POST", "/exports", &headers, br#"{"resource":"goods"}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(noting.asked(), [horizon(WRITTEN)]);
    let link = made.header("location").expect("a link").to_owned();
    // A browser knows nothing of it, and what it says for itself does not count.
    let file = server.ask("GET", &link, &[("plimsoll-session", BEGUN)], b"");
    assert_eq!((file.status, file.header("plimsoll-session")), (200, None));
    assert_eq!(noting.asked(), [horizon(WRITTEN)]);
}
