//! The sales of all periods are warmed by one pass, and whoever asks finds them.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::cache::Cache;
use plimsoll::record::{ColumnType, Timestamp};
use plimsoll::typed::Engine;
use plimsoll_jobs::{
    NewEvent, NewJob, Queue, Registry, State, SystemClock, WARM, WARM_PERIOD, WARMED, WARMED_EVENT,
    WarmAsked, Warming, Worker, WorkerOptions, add_warming, sqlite_migrations, warm_key,
};
use plimsoll_store::catalogue::{
    Catalogue, JsonLines, JsonPath, Lines, Migration, OrderMapping, SalesMapping,
};
use plimsoll_store::sales::{Period, SalesRequest, compute};
use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase, introspect};
use plimsoll_store::{Priority, Store, Write, WriteUnit};
use tempfile::TempDir;

use crate::fixture::{DEADLINE, NOW, random};

const ORDERS: &str = "create table orders (id integer primary key, at integer not null, \
                      channel text not null, items text not null) strict; \
                      create index orders_by_time on orders (at)";
/// Orders of the last hundred days, one in two hours.
const COUNT: i64 = 1_200;

fn fill(store: &Store, until: i64) {
    let text = "with recursive n(i) as (select 0 union all select i + 1 from n \
                where i < :count - 1) insert into orders (at, channel, items) \
                select :until - 1 - i * 7200000000, \
                case i % 3 when 0 then 'web' else 'shop' end, \
                json_array(json_object('sku', 'S' || i % 7, 'quantity', 2, 'line_total', 1.5)) \
                from n";
    let params = vec![
        ("count".into(), plimsoll::record::Value::Int(COUNT)),
        ("until".into(), plimsoll::record::Value::Int(until)),
    ];
    let write = Write::Sql { text: text.into(), params };
    let unit = WriteUnit { writes: vec![write], ..WriteUnit::default() };
    store.write(unit, Priority::Bulk).wait().expect("filled");
}

fn open(folder: &Path) -> (Store, Arc<SalesMapping>) {
    let file = folder.join("shop.db");
    let mut migrations = sqlite_migrations();
    migrations.push(Migration { id: "orders".into(), sql: ORDERS.into() });
    sqlite::migrate(&file, &migrations, NOW).expect("migrated");
    let (mut resources, _refused) = introspect(&file).expect("tables");
    resources.retain(|resource| &*resource.name == "orders");
    let at = resources[0].column("at").expect("a time");
    resources[0].schema.columns[at].kind = ColumnType::Time;
    let config = SqliteConfig {
        file,
        readers: 2,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 1 << 20,
        value_bytes_max: 1 << 20,
        writable: true,
    };
    let database = SqliteDatabase::open(&config, &mut resources).expect("opened");
    let catalogue = Catalogue::new(resources, None).expect("a catalogue");
    let store = Store::new(Arc::new(database), Arc::new(catalogue));
    let table = Arc::clone(store.catalogue().table("orders").expect("orders"));
    let path = |name: &str| JsonPath::parse(name).expect("a path");
    let lines = JsonLines {
        column: table.column("items").expect("items"),
        lines: JsonPath::default(),
        subject: path("sku"),
        quantity: path("quantity"),
        amount: path("line_total"),
    };
    let orders = OrderMapping {
        key: table.column("id").expect("a key"),
        time: table.column("at").expect("a time"),
        channel: table.column("channel").expect("a channel"),
        customer: None,
        resource: table,
    };
    let mapping = SalesMapping { orders, lines: Lines::Json(lines), subject: None };
    (store, Arc::new(mapping))
}

/// A shop whose sales are kept warm.
struct Shop {
    store: Store,
    mapping: Arc<SalesMapping>,
    queue: Queue,
    cache: Cache,
    worker: Worker,
}

fn shop(folder: &Path) -> Shop {
    let (store, mapping) = open(folder);
    let queue = Queue::new(store.clone(), Arc::new(SystemClock::default()));
    fill(&store, queue.now_micros());
    let budget = Budget::new(64 << 20, 64 << 20, Arc::new(Unmeasured)).expect("a budget");
    let node = budget.child("cache", 16 << 20).expect("a child");
    let cache = Cache::builder().build(&node).expect("a cache");
    let jobs = budget.child("jobs", 32 << 20).expect("a child");
    let mut registry = Registry::default();
    let warming = Warming {
        cache: cache.clone(),
        mapping: Arc::clone(&mapping),
        periods: Period::NAMES.map(Into::into).to_vec(),
        channels: vec!["all".into(), "web".into()],
        fresh: Duration::from_secs(900),
        consumer: jobs.consumer("warming").expect("a consumer"),
        engine_bytes: 8 << 20,
        spill: folder.to_owned(),
        seen: Arc::new(|| (40 << 20, 50 << 20)),
    };
    add_warming(&mut registry, warming).expect("kinds");
    let options = WorkerOptions {
        queues: vec!["low".into()],
        concurrency: 4,
        memory: Some(jobs),
        ..WorkerOptions::new("warm")
    };
    let worker = Worker::start(queue.clone(), registry, options, random()).expect("a worker");
    Shop { store, mapping, queue, cache, worker }
}

/// Waits until the end of a batch is told; gives what is told.
fn told(queue: &Queue) -> plimsoll_jobs::Event {
    let until = Instant::now() + DEADLINE;
    let told = || queue.events(Some("cache"), 0, 10).wait().expect("events");
    while told().is_empty() {
        assert!(Instant::now() < until, "the end is not told");
        std::thread::yield_now();
    }
    assert_eq!(told().len(), 1);
    told().remove(0)
}

#[test]
fn an_event_warms_five_periods_by_one_pass_and_the_end_is_told() {
    let folder = TempDir::new().expect("a folder");
    let Shop { store, mapping, queue, cache, worker } = shop(folder.path());
    let synced = NewEvent {
        topic: "orders".into(),
        name: "OrdersSynced".into(),
        payload: "{\"orders\":1200}".into(),
    };
    let listener = NewJob { queue: "low".into(), ..NewJob::new(WARM, "{}") };
    queue.tell(&synced, &[listener]).expect("told");
    let end = told(&queue);
    assert_eq!(&*end.name, WARMED_EVENT);
    assert!(end.payload.contains("\"count\":5"), "{}", end.payload);
    assert!(worker.stop(DEADLINE));
    let batch = queue.show_batch("latest").wait().expect("a batch");
    assert_eq!((&*batch.name, batch.total, batch.completed), ("warm-metrics-cache", 10, 10));
    assert_eq!(orders_read(&queue), reads_of_one_pass(&queue, &store, &mapping, folder.path()));
    let now = queue.now_micros().unsigned_abs();
    for period in Period::NAMES {
        for channel in [None, Some("web")] {
            let key = warm_key(period, channel);
            let look = cache.get(key.as_bytes(), now).expect("warm");
            let document: serde_json::Value =
                serde_json::from_slice(&look.value).expect("a document");
            assert_eq!((document["period"].as_str(), look.stale), (Some(period), false));
        }
    }
    let week = cache.get(warm_key("7d", None).as_bytes(), now).expect("warm");
    let week: serde_json::Value = serde_json::from_slice(&week.value).expect("a document");
    // One in two hours for seven days; the pass began a moment behind the filling.
    let orders = week["orders"].as_i64().expect("a count");
    assert!((83..=84).contains(&orders), "{week}");
    assert_eq!(queue.show(1).wait().expect("the listener").kind, WARM.into());
    assert_ne!(WARM_PERIOD, WARMED);
    drop(store.close());
}

#[test]
fn what_is_asked_for_is_warmed_by_one_pass_and_nothing_else_is() {
    let folder = TempDir::new().expect("a folder");
    let Shop { store, mapping, queue, cache, worker } = shop(folder.path());
    let (periods, channels) = (["7d", "90d"], ["all", "shop", "web"]);
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
    let asked = WarmAsked { periods: named(&periods), channels: named(&channels) };
    let first = queue.enqueue(&asked.job().expect("periods")).expect("a job").wait();
    first.expect("enqueued");
    let end = told(&queue);
    assert!(end.payload.contains("\"count\":2"), "{}", end.payload);
    assert!(worker.stop(DEADLINE));
    assert_eq!(queue.show_batch("latest").wait().expect("a batch").completed, 6);
    assert_eq!(orders_read(&queue), reads_of_one_pass(&queue, &store, &mapping, folder.path()));
    let now = queue.now_micros().unsigned_abs();
    for period in Period::NAMES {
        for channel in channels {
            let key = warm_key(period, Some(channel));
            assert_eq!(
                cache.peek(key.as_bytes(), now).is_some(),
                periods.contains(&period),
                "{key}"
            );
        }
    }
    drop(store.close());
}

#[test]
fn what_cannot_be_warmed_is_refused_before_and_fails_a_job_for_good() {
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
    let many: Vec<String> = (0..33).map(|n| format!("c{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (periods, channels, said) in [
        (named(&["7d", "8d"]), None, "no period '8d': 1d, yesterday, 7d, 30d, 90d"),
        (named(&[]), None, "periods are 1 to 5, not 0"),
        (named(&["7d", "7d"]), None, "7d twice"),
        (None, named(&[""]), "is no channel"),
        (None, named(&["a\nb"]), "is no channel"),
        (None, named(&many), "channels are 1 to 32, not 33"),
    ] {
        let error = WarmAsked { periods, channels }.job().expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
    let folder = TempDir::new().expect("a folder");
    let Shop { store, queue, worker, .. } = shop(folder.path());
    let ids = ["{\"periods\":[\"8d\"]}", "{\"periods\":7}", "[1]"].map(|payload| {
        let job = NewJob { queue: "low".into(), ..NewJob::new(WARM, payload) };
        queue.enqueue(&job).expect("a job").wait().expect("enqueued").id
    });
    let until = Instant::now() + DEADLINE;
    for id in ids {
        while queue.show(id).wait().expect("a job").state != State::Failed {
            assert!(Instant::now() < until, "job {id} has not failed");
            std::thread::yield_now();
        }
        assert_eq!(queue.failures(id).wait().expect("read").len(), 1, "it is tried once");
    }
    assert!(worker.stop(DEADLINE));
    drop(store.close());
}

/// What all jobs of the batch read together.
fn orders_read(queue: &Queue) -> u64 {
    let listing = plimsoll_jobs::Listing {
        kind: Some(WARM_PERIOD.into()),
        rows_max: 100,
        ..plimsoll_jobs::Listing::default()
    };
    let jobs = queue.list(&listing).wait().expect("listed");
    let read = jobs.iter().map(|job| {
        let full = queue.show(job.id).wait().expect("a job");
        assert_eq!(full.state, State::Completed);
        let result: serde_json::Value =
            serde_json::from_str(full.result.as_deref().expect("a result")).expect("JSON");
        assert_eq!(result["peak_memory_mb"], 50.0);
        result["orders_read"].as_u64().expect("a count")
    });
    read.sum()
}

fn reads_of_one_pass(
    queue: &Queue,
    store: &Store,
    mapping: &Arc<SalesMapping>,
    spill: &Path,
) -> u64 {
    let budget = Budget::new(64 << 20, 64 << 20, Arc::new(Unmeasured)).expect("a budget");
    let engine = Engine::new(budget.consumer("again").expect("a consumer"), 8 << 20, spill);
    let now = Timestamp::from_micros(queue.now_micros());
    let periods: Vec<Period> =
        Period::NAMES.iter().map(|name| Period::named(name, now).expect("a period")).collect();
    let request = SalesRequest::of(mapping, &periods, &[None, Some("web".into())], now);
    let computed =
        compute(store, &request, &engine.expect("an engine"), &mut |_| ControlFlow::Continue(()));
    let read = computed.expect("computed").read.orders;
    assert!(read >= 1_080, "ninety days at least: {read}");
    read
}
