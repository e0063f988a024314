//! Exports by link while they are written: the database waits where the test says.
//!
//! Promises: what is shown of one that is under way does not depend on how fast anything is.
//! Never: a wait for a time.

use std::io::Read as _;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use plimsoll::record::Value;
use plimsoll_store::{
    AggregateRequest, Aggregated, Database, DatabaseStats, Page, PageRequest, Pending, Priority,
    Report, ReportRequest, SnapshotRequest, Store, WriteOutcome, WriteUnit,
};

use crate::client::Connection;
use crate::exports::{MANY, Shop, broken_off, shop_with};
use crate::support::{World, world};

/// A database that gives so many pages, and waits before the next.
#[derive(Clone)]
struct Gated {
    inner: Store,
    gate: Arc<(Mutex<u64>, Condvar)>,
}

/// Never reached: more pages than there are.
const OPEN: u64 = u64::MAX;

impl Gated {
    fn new(world: &World, pages: u64) -> Self {
        Self { inner: world.store.clone(), gate: Arc::new((Mutex::new(pages), Condvar::new())) }
    }

    fn store(&self) -> Store {
        Store::new(Arc::new(self.clone()), Arc::clone(self.inner.catalogue()))
    }

    fn let_through(&self, pages: u64) {
        *self.gate.0.lock().expect("whole") = pages;
        self.gate.1.notify_all();
    }
}

impl Database for Gated {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        let (promise, page) = Pending::new();
        let Self { inner, gate } = self.clone();
        std::thread::spawn(move || {
            let left = gate.0.lock().expect("whole");
            let deadline = Duration::from_secs(20);
            let waited = gate.1.wait_timeout_while(left, deadline, |left| *left == 0);
            let (mut left, _) = waited.expect("whole");
            *left = if *left == OPEN { OPEN } else { left.saturating_sub(1) };
            drop(left);
            promise.keep(inner.page(request).wait());
        });
        page
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.inner.report(request)
    }

    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.inner.snapshot(request)
    }

    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.inner.aggregate(request)
    }

    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        self.inner.query(sql, rows_max)
    }

    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        self.inner.state(kind, key)
    }

    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        self.inner.write(unit, priority)
    }

    fn ping(&self) -> Pending<()> {
        self.inner.ping()
    }

    fn stats(&self) -> DatabaseStats {
        self.inner.stats()
    }

    fn close(&self) -> plimsoll_store::Result<()> {
        Ok(())
    }
}

/// A link, and a gate behind the first pages of its export. One page is what the POST reads.
fn gated(world: &World, pages: u64) -> (Gated, Shop, String, Vec<u8>) {
    let gated = Gated::new(world, OPEN);
    let store = gated.store();
    let shop = shop_with(world, |config| {
        config.store = store;
        config.limits.request_timeout = Duration::from_millis(100);
    });
    let whole = shop.server.get("/goods/export/csv").body;
    let link = shop.goods();
    gated.let_through(pages);
    (gated, shop, link, whole)
}

#[test]
fn a_client_gets_what_there_is_while_the_rest_is_written() {
    let world = world(MANY);
    let (gate, shop, link, whole) = gated(&world, 3);
    let mut client = Connection::open(shop.server.address);
    client.send_raw(format!("GET {link} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    assert_eq!(client.head().expect("a head").status, 200);
    let mut taken = vec![0; 150 << 10];
    client.reader.read_exact(&mut taken).expect("what three pages have");
    // Parts have no end yet, and whoever asks for them is told to come back.
    let early = shop.range(&link, "bytes=0-9");
    early.problem(503, "busy");
    assert!(early.header("retry-after").is_some());
    shop.server.get(&link).problem(410, "gone");
    let head = shop.server.ask("HEAD", &link, &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, None));
    gate.let_through(OPEN);
    client.reader.read_to_end(&mut taken).expect("the rest");
    assert!(taken == whole, "{} bytes of {}", taken.len(), whole.len());
    assert_eq!(shop.range(&link, "bytes=0-9").status, 206);
}

#[test]
fn an_export_whose_client_has_left_is_written_to_its_end() {
    let world = world(MANY);
    let (gate, shop, link, whole) = gated(&world, 3);
    let mut taken = broken_off(&shop, &link, 100 << 10);
    let followers_gone = || shop.server.get("/metrics").text().contains("streams_left_total 1");
    shop.server.wait_until("its client has left", followers_gone);
    gate.let_through(OPEN);
    shop.server.wait_until("it is whole", || {
        let head = shop.server.ask("HEAD", &link, &[], b"");
        head.header("content-length") == Some(&*whole.len().to_string())
    });
    let rest = shop.range(&link, &format!("bytes={}-", taken.len()));
    assert_eq!(rest.status, 206, "{}", rest.text());
    taken.extend(rest.body);
    assert!(taken == whole);
}

#[test]
fn a_link_that_ends_under_way_lets_its_client_finish_and_stops_without_one() {
    let world = world(MANY);
    let (gate, shop, link, whole) = gated(&world, 3);
    let mut client = Connection::open(shop.server.address);
    client.send_raw(format!("GET {link} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    assert_eq!(client.head().expect("a head").status, 200);
    shop.pass(600);
    gate.let_through(OPEN);
    let mut taken = Vec::new();
    client.reader.read_to_end(&mut taken).expect("the rest");
    assert!(taken == whole, "{} bytes of {}", taken.len(), whole.len());
    shop.server.wait_until("nothing is kept", || shop.files() == (0, 0));

    let link = shop.goods();
    gate.let_through(3);
    drop(broken_off(&shop, &link, 1_000));
    let followers_gone = || shop.server.get("/metrics").text().contains("streams_left_total 1");
    shop.server.wait_until("its client has left", followers_gone);
    shop.pass(600);
    // Two pages are enough to see that nobody waits; it does not go on to the end.
    gate.let_through(2);
    shop.server.wait_until("nothing is kept", || {
        shop.files() == (0, 0) && shop.server.held("stream") == 0
    });
}

#[test]
fn a_client_that_leaves_before_the_first_rows_leaves_the_link_as_it_was() {
    let world = world(MANY);
    let (gate, shop, link, whole) = gated(&world, 0);
    let mut client = Connection::open(shop.server.address);
    client.send("GET", &link, &[], b"");
    shop.server.wait_until("it waits for rows", || shop.server.held("stream") > 0);
    shop.server.get(&link).problem(410, "gone");
    shop.range(&link, "bytes=0-9").problem(503, "busy");
    drop(client);
    shop.server.wait_until("it has left", || shop.server.held("stream") == 0);
    gate.let_through(OPEN);
    let again = shop.server.get(&link);
    assert!((again.status, &again.body) == (200, &whole));
}
