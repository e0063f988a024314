//! A database with goods, sales and lines, and a server over it.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::record::{Money, Timestamp, Value};
use plimsoll_server::{
    AllocatorSample, Build, ProcessProbe, ProcessSample, ServerConfig, ServerLimits,
};
use plimsoll_store::catalogue::Pack;
use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase, migrate};
use plimsoll_store::{
    AggregateRequest, Aggregated, Catalogue, Database, DatabaseStats, Error, ErrorKind, OnConflict,
    Page, PageRequest, Pending, Priority, Report, ReportRequest, SnapshotRequest, Store, Write,
    WriteOutcome, WriteUnit,
};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::client::{Answer, Connection};
use crate::served::{Served, on_postgres};

const SCHEMA: &str = "
create table goods (
  id integer primary key, code text not null unique, name text not null, kind text,
  price integer not null check (price >= 0), stock integer not null default 0,
  updated_at integer not null, version integer not null default 1
) strict;
create index goods_by_kind on goods (kind);
create index goods_by_price on goods (price);
create table sales (
  id integer primary key, channel text not null, buyer integer, sold_at integer not null
) strict;
create table lines (
  id integer primary key, sale_id integer not null, good_id integer not null,
  quantity integer not null, amount integer not null
) strict;
create index lines_by_sale on lines (sale_id, good_id, quantity, amount);
create table pairs (
  a text not null, b integer not null, note text, hidden text, primary key (a, b)
) strict;
create table mixed (id integer primary key, x any) strict;
";

/// What finds the words of goods, in SQLite's words and in PostgreSQL's.
const SEARCHED: [&str; 2] = [
    "create virtual table goods_search using fts5(code, name, content='goods', content_rowid='id');
     create trigger goods_search_insert after insert on goods begin
       insert into goods_search (rowid, code, name) values (new.id, new.code, new.name);
     end;
     create trigger goods_search_delete after delete on goods begin
       insert into goods_search (goods_search, rowid, code, name)
       values ('delete', old.id, old.code, old.name);
     end;
     create trigger goods_search_update after update of id, code, name on goods begin
       insert into goods_search (goods_search, rowid, code, name)
       values ('delete', old.id, old.code, old.name);
       insert into goods_search (rowid, code, name) values (new.id, new.code, new.name);
     end;",
    "create index goods_search on goods using gin (to_tsvector('simple', code || ' ' || name));",
];

const PACK: &str = r#"
name = "test"
title = "Test"
[[migration]]
id = "1"
sqlite = "1.sql"
[[migration]]
id = "2"
sqlite = "2.sql"
[[resource]]
table = "goods"
path = "goods"
title = "Goods"
key = ["id"]
writable = true
version = "version"
updated = "updated_at"
filters = ["kind"]
sync = { topic = "goods", event = "GoodsSynced", listeners = ["cache.warm", "mail.send"] }
search = ["code", "name"]
export_csv = { columns = [{ column = "id", title = "ID" }, { column = "name", title = "Name" }] }
column = [
  { name = "id", type = "int", generated = true },
  { name = "code", type = "text" },
  { name = "name", type = "text" },
  { name = "kind", type = "text", nullable = true },
  { name = "price", type = "money" },
  { name = "stock", type = "int", default = 0 },
  { name = "updated_at", type = "time", generated = true },
  { name = "version", type = "int", generated = true },
]
[[resource]]
table = "sales"
title = "Sales"
key = ["id"]
time = "sold_at"
column = [
  { name = "id", type = "int" },
  { name = "channel", type = "text" },
  { name = "buyer", type = "int", nullable = true },
  { name = "sold_at", type = "time" },
]
[[resource]]
table = "lines"
title = "Lines"
key = ["id"]
relation = [
  { name = "sale", column = "sale_id", table = "sales", back = "lines" },
  { name = "good", column = "good_id", table = "goods", back = "lines" },
]
column = [
  { name = "id", type = "int" },
  { name = "sale_id", type = "int" },
  { name = "good_id", type = "int" },
  { name = "quantity", type = "int" },
  { name = "amount", type = "money" },
]
[[resource]]
table = "pairs"
title = "Pairs"
key = ["a", "b"]
writable = true
search = ["note"]
column = [
  { name = "a", type = "text" },
  { name = "b", type = "int" },
  { name = "note", type = "text", nullable = true },
]
[[resource]]
table = "mixed"
title = "Mixed"
key = ["id"]
column = [{ name = "id", type = "int" }, { name = "x", type = "any", nullable = true }]
[analytics]
orders = { table = "sales", key = "id", time = "sold_at", channel = "channel", customer = "buyer" }
subject = { table = "goods", key = "id", label = ["code", "name"] }
[analytics.items]
table = "lines"
order = "sale_id"
subject = "good_id"
quantity = "quantity"
amount = "amount"
"#;

/// 2026-01-31T12:00:00Z.
pub(crate) const NOW_MICROS: i64 = 1_769_860_800_000_000;

/// A database in a directory or on a server, of its own.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) served: Option<Served>,
    /// Removed with its files when the world is dropped.
    directory: TempDir,
}

pub(crate) fn world(goods: u64) -> World {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("test.db");
    let files: &'static [(&'static str, &'static str)] =
        &[("pack.toml", PACK), ("1.sql", SCHEMA), ("2.sql", SEARCHED[0])];
    let pack = Pack::parse(files).expect("the pack");
    let mut resources = pack.resources.clone();
    if on_postgres() {
        let schema = format!("{SCHEMA}{}", SEARCHED[1]);
        let (served, database) = Served::new(&schema, &mut resources, directory.path(), NOW_MICROS);
        let catalogue = pack.catalogue(resources).expect("a catalogue");
        let store = Store::new(Arc::new(database), Arc::new(catalogue));
        let world = World { store, served: Some(served), directory };
        world.add_goods(goods);
        return world;
    }
    migrate(&file, &pack.migrations, NOW_MICROS).expect("migrates");
    migrate(&file, &plimsoll_jobs::sqlite_migrations(), NOW_MICROS).expect("migrates");
    let config = SqliteConfig {
        file,
        readers: 2,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 1 << 20,
        value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
        writable: true,
    };
    let database = SqliteDatabase::open(&config, &mut resources).expect("opens");
    let catalogue = pack.catalogue(resources).expect("a catalogue");
    let store = Store::new(Arc::new(database), Arc::new(catalogue));
    let world = World { store, served: None, directory };
    world.add_goods(goods);
    world
}

impl World {
    /// A directory of its own.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) fn insert(&self, table: &str, columns: &[usize], values: Vec<Value>) {
        let resource = Arc::clone(self.store.catalogue().table(table).expect("a table"));
        let write = Write::Insert {
            resource,
            columns: columns.into(),
            values,
            on_conflict: OnConflict::Error,
        };
        let unit = WriteUnit::of(write, NOW_MICROS);
        self.store.write(unit, Priority::Bulk).wait().expect("inserted");
    }

    /// Goods 1 to `rows`: kind a, b, c or none in turn; price id/100.
    fn add_goods(&self, rows: u64) {
        let kinds = [Some("a"), Some("b"), Some("c"), None];
        let mut values = Vec::new();
        for id in 1..=i64::try_from(rows).expect("few") {
            let kind = kinds[usize::try_from(id % 4).expect("small")];
            values.push(Value::Int(id));
            values.push(Value::Text(format!("G{id:07}").into()));
            values.push(Value::Text(format!("good number {id}, \"quoted\"").into()));
            values.push(kind.map_or(Value::Null, |k| Value::Text(k.into())));
            values.push(Value::Money(Money::from_units(id * 100)));
            if id % 1_000 == 0 {
                self.insert("goods", &[0, 1, 2, 3, 4], std::mem::take(&mut values));
            }
        }
        if !values.is_empty() {
            self.insert("goods", &[0, 1, 2, 3, 4], values);
        }
        if on_postgres() && rows > 0 {
            // An identity does not see keys that were given.
            let text = format!("select setval(pg_get_serial_sequence('goods', 'id'), {rows})");
            let write = Write::Sql { text: text.into(), params: Vec::new() };
            let unit = WriteUnit::of(write, NOW_MICROS);
            self.store.write(unit, Priority::Bulk).wait().expect("set");
        }
    }

    /// A sale of one line.
    pub(crate) fn add_sale(&self, id: i64, channel: &str, day: &str, good: i64, amount: &str) {
        let sold_at: Timestamp = day.parse().expect("a time");
        let sale = vec![
            Value::Int(id),
            Value::Text(channel.into()),
            Value::Int(id % 2),
            Value::Time(sold_at),
        ];
        self.insert("sales", &[0, 1, 2, 3], sale);
        let amount = Value::Money(amount.parse().expect("an amount"));
        let line = vec![Value::Int(id), Value::Int(id), Value::Int(good), Value::Int(2), amount];
        self.insert("lines", &[0, 1, 2, 3, 4], line);
    }
}

struct FixedProcess;

impl ProcessProbe for FixedProcess {
    fn sample(&self) -> ProcessSample {
        ProcessSample {
            rss_bytes: 20 << 20,
            rss_peak_bytes: 24 << 20,
            threads: 7,
            allocator: AllocatorSample { allocated_bytes: 1, resident_bytes: 2, retained_bytes: 3 },
            spill_bytes: 0,
            spill_files: 0,
            cgroup: vec![("sock", 4096)],
        }
    }
}

/// A server on a thread of its own.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) budget: Budget,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Option<JoinHandle<Result<(), plimsoll_server::Error>>>,
}

pub(crate) fn config(store: Store) -> ServerConfig {
    let budget = Budget::new(256 << 20, 32 << 20, Arc::new(Unmeasured)).expect("a budget");
    ServerConfig {
        store,
        catalogue_source: None,
        budget,
        http_cap_bytes: 64 << 20,
        spill_directory: std::env::temp_dir(),
        public_url: None,
        limit_source: "test".into(),
        limits: ServerLimits::default(),
        cursor_key: [7; 32],
        access: None,
        audit: None,
        jobs: None,
        cache: None,
        logs: None,
        writable: true,
        clock: Arc::new(|| NOW_MICROS),
        process: Arc::new(FixedProcess),
        build: Build { version: "0.0.0".into(), commit: "test".into() },
    }
}

pub(crate) fn start(world: &World) -> TestServer {
    start_with(world, |_| {})
}

pub(crate) fn start_with(world: &World, change: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let mut config = config(world.store.clone());
    change(&mut config);
    let budget = config.budget.clone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(plimsoll_server::serve(listener, config, async {
            drop(stopped.await);
        }))
    });
    TestServer { address, budget, stop: Mutex::new(Some(stop)), thread: Some(thread) }
}

impl TestServer {
    pub(crate) fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut connection = Connection::open(self.address);
        connection.send(method, target, headers, body);
        connection.answer(method).expect("an answer")
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[], b"")
    }

    pub(crate) fn begin_stop(&self) {
        if let Some(stop) = self.stop.lock().expect("not poisoned").take() {
            // A server that failed to start has nobody who listens.
            let _gone = stop.send(());
        }
    }

    pub(crate) fn stop(mut self) -> Result<(), plimsoll_server::Error> {
        self.begin_stop();
        self.thread.take().expect("running").join().expect("no panic")
    }

    /// Waits until nothing but open connections is reserved, at most some seconds.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn() -> bool) {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !done() {
            assert!(std::time::Instant::now() < until, "{what}");
            std::thread::yield_now();
        }
    }

    /// What the consumer `name` of the http node holds.
    pub(crate) fn held(&self, name: &str) -> u64 {
        let ledger = self.budget.ledger();
        let http = ledger.root.children.iter().find(|node| &*node.name == "http");
        let consumers = http.into_iter().flat_map(|node| &node.consumers);
        let held: u64 = consumers.filter(|c| &*c.name == name).map(|c| c.held_bytes).sum();
        // Some hold a little from the start, so as not to stand in line.
        let floor = if matches!(name, "stream" | "exports") { 0 } else { 4 << 10 };
        held - floor
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A store whose pages fail after a number of them.
pub(crate) struct Failing {
    inner: Store,
    pages_left: std::sync::atomic::AtomicI64,
    /// Panic in the caller's own thread instead.
    panics: bool,
    /// One page fails, and those behind it do not.
    once: bool,
    /// Each page takes so long.
    page_time: std::time::Duration,
}

/// A store with slow pages, of which one fails.
pub(crate) fn failing_once(world: &World, pages: i64, page_time: std::time::Duration) -> Store {
    let (inner, pages_left) = (world.store.clone(), pages.into());
    let failing = Failing { inner, pages_left, panics: false, once: true, page_time };
    Store::new(Arc::new(failing), Arc::clone(world.store.catalogue()))
}

pub(crate) fn failing_after(world: &World, pages: i64, panics: bool) -> Store {
    failing_with(world, pages, panics, Arc::clone(world.store.catalogue()))
}

pub(crate) fn failing_with(
    world: &World,
    pages: i64,
    panics: bool,
    catalogue: Arc<Catalogue>,
) -> Store {
    let (inner, page_time) = (world.store.clone(), std::time::Duration::ZERO);
    let failing = Failing { inner, pages_left: pages.into(), panics, once: false, page_time };
    Store::new(Arc::new(failing), catalogue)
}

impl Database for Failing {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        let left = self.pages_left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        assert!(left > 0 || !self.panics, "a panic on purpose");
        std::thread::park_timeout(self.page_time);
        if left > 0 || (self.once && left < 0) {
            return self.inner.page(request);
        }
        let secret = "disk I/O error at /secret/path";
        Pending::ready(Err(Error::new(ErrorKind::Io, secret)))
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
        if self.pages_left.load(std::sync::atomic::Ordering::Relaxed) > 0 {
            return self.inner.ping();
        }
        Pending::ready(Err(Error::new(ErrorKind::Io, "gone")))
    }

    fn stats(&self) -> DatabaseStats {
        self.inner.stats()
    }

    fn close(&self) -> plimsoll_store::Result<()> {
        Ok(())
    }
}
