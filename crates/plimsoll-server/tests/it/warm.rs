//! Sales of a period come from the cache once it is warm, and say where they come from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::cache::Cache;
use plimsoll_jobs::{Queue, Registry, SystemClock, Warming, WorkerOptions, add_warming};
use plimsoll_server::{IntakeConfig, JobsConfig, ReportsConfig};
use serde_json::json;

use crate::jobs::{JSON, post};
use crate::support::{NOW_MICROS, TestServer, World, start, start_with, world};

/// The tests' clock stands; so does the jobs', for what they say of the present.
struct Standing(SystemClock);

impl plimsoll_jobs::Clock for Standing {
    fn now_micros(&self) -> i64 {
        NOW_MICROS
    }

    fn steady(&self) -> Duration {
        self.0.steady()
    }
}

fn serve(world: &World) -> TestServer {
    let mapping = Arc::clone(world.store.catalogue().sales().expect("a mapping"));
    start_with(world, |config| {
        let node = config.budget.child("cache", 8 << 20).expect("a child");
        let cache = Cache::builder().memory_bytes(2 << 20).build(&node).expect("a cache");
        let mut registry = Registry::default();
        let warming = Warming {
            cache: cache.clone(),
            mapping,
            periods: vec!["7d".into(), "30d".into()],
            channels: vec!["all".into()],
            fresh: Duration::from_secs(900),
            consumer: config.budget.consumer("warming").expect("a consumer"),
            engine_bytes: 4 << 20,
            spill: std::env::temp_dir(),
            seen: Arc::new(|| (0, 0)),
        };
        add_warming(&mut registry, warming).expect("kinds");
        let clock = Arc::new(Standing(SystemClock::default()));
        let queue = Queue::new(world.store.clone(), clock);
        let mut worker = WorkerOptions::new("server");
        worker.queues = vec!["low".into()];
        let reports = ReportsConfig {
            directory: world.directory().join("reports"),
            keep: Duration::from_secs(3_600),
        };
        let intake = IntakeConfig {
            directory: world.directory().join("intake"),
            keep: Duration::from_secs(3_600),
            disk_bytes_max: 64 << 20,
        };
        let random = Arc::new(|| 0);
        config.jobs = Some(JobsConfig { queue, registry, worker, reports, intake, random });
        config.cache = Some(cache);
    })
}

#[test]
fn sales_are_live_before_the_cache_is_warm_and_hot_behind_it() {
    let world = world(0);
    let server = serve(&world);
    let live = server.get("/analytics/sales?period=7d");
    assert_eq!((live.status, live.header("x-cache")), (200, Some("live")), "{}", live.text());
    assert_eq!(live.header("age"), Some("0"));
    let asked = server.ask("POST", "/cache/warm", &[], b"");
    assert_eq!(asked.status, 202, "{}", asked.text());
    let until = Instant::now() + Duration::from_secs(30);
    let hot = loop {
        let answer = server.get("/analytics/sales?period=7d&channel=all");
        if answer.header("x-cache") == Some("hot") {
            break answer;
        }
        assert!(Instant::now() < until, "it does not become warm: {}", answer.text());
        std::thread::yield_now();
    };
    assert_eq!(hot.header("age"), Some("0"));
    let (live, hot) = (live.json(), hot.json());
    for field in ["revenue", "orders", "items", "per_day", "top", "previous"] {
        assert_eq!(live[field], hot[field], "{field}");
    }
    let summary = server.get("/analytics/summary?period=7d").json();
    assert_eq!(summary["data"]["revenue"], hot["revenue"], "{summary}");
    let stats = server.get("/cache").json();
    assert!(stats["hot"]["hits"].as_u64() > Some(0), "{stats}");
}

#[test]
fn entries_are_looked_at_and_taken_out_by_key_and_all_at_once() {
    let world = world(0);
    let server = serve(&world);
    let body = json!({"periods": ["7d"], "channels": ["all", "web"]});
    let asked = post(&server, "/cache/warm", &body);
    assert_eq!(asked.status, 202, "{}", asked.text());
    let seen = |key: &str| server.get(&format!("/cache/{}", key.replace('/', "%2F")));
    let warm = || {
        let until = Instant::now() + Duration::from_secs(30);
        while seen("sales/7d/web").status != 200 {
            assert!(Instant::now() < until, "it does not become warm");
            std::thread::yield_now();
        }
    };
    warm();
    let one = seen("sales/7d/all").json();
    assert_eq!((&one["key"], &one["tier"]), (&json!("sales/7d/all"), &json!("hot")));
    assert_eq!((&one["stale"], &one["fresh_left_s"]), (&json!(false), &json!(900)), "{one}");
    assert!(one["bytes"].as_u64() > Some(100), "{one}");
    // Neither of the others that are configured.
    seen("sales/30d/all").problem(404, "not-found");
    let stats = server.get("/cache").json();
    assert_eq!((&stats["hot"]["entries"], &stats["hot"]["hits"]), (&json!(2), &json!(0)));

    let gone = server.ask("DELETE", "/cache/sales%2F7d%2Fall", &[], b"");
    assert_eq!(gone.json(), json!({"removed": 1}));
    server.ask("DELETE", "/cache/sales%2F7d%2Fall", &[], b"").problem(404, "not-found");
    seen("sales/7d/all").problem(404, "not-found");
    assert_eq!(server.get("/analytics/sales?period=7d").header("x-cache"), Some("live"));
    assert_eq!(server.ask("DELETE", "/cache", &[], b"").json(), json!({"removed": 1}));
    assert_eq!(server.get("/cache").json()["hot"]["entries"], 0);
    server.stop().expect("stops");
}

#[test]
fn what_cannot_be_warmed_or_is_no_key_is_refused_and_nothing_is_warmed() {
    let world = world(0);
    let server = serve(&world);
    for body in [
        json!({"periods": ["8d"]}),
        json!({"periods": []}),
        json!({"periods": "7d"}),
        json!({"channels": [""]}),
        json!({"channel": ["all"]}),
    ] {
        post(&server, "/cache/warm", &body).problem(422, "job-invalid");
    }
    server.ask("POST", "/cache/warm", JSON, b"{").problem(400, "invalid-request");
    let untyped = server.ask("POST", "/cache/warm", &[], b"{}");
    untyped.problem(415, "unsupported-media-type");
    server.get("/cache/warm").problem(405, "method-not-allowed");
    server.ask("POST", "/cache", &[], b"").problem(405, "method-not-allowed");
    server.ask("PUT", "/cache/a", &[], b"").problem(405, "method-not-allowed");
    server.get("/cache/%zz").problem(400, "invalid-request");
    server.get(&format!("/cache/{}", "k".repeat(2_000))).problem(404, "not-found");
    server.get("/cache?limit=1").problem(400, "unknown-parameter");
    assert_eq!(server.get("/jobs?kind=cache.warm").json()["data"], json!([]));
}

#[test]
fn a_sync_warms_the_cache_by_the_event_it_tells() {
    let world = world(0);
    let server = serve(&world);
    let row = br#"{"code":"s","name":"n","price":1}"#;
    let ndjson = [("content-type", "application/x-ndjson")];
    let synced = server.ask("POST", "/goods/sync", &ndjson, row);
    assert_eq!(synced.status, 200, "{}", synced.text());
    let cached = |what: &str| server.get(what).header("x-cache") == Some("hot");
    server.wait_until("it becomes warm", || cached("/analytics/sales?period=7d"));
    let listener = &server.get("/jobs?kind=cache.warm").json()["data"][0];
    assert_eq!(listener["payload"]["name"], "GoodsSynced", "{listener}");
}

#[test]
fn what_is_no_period_and_what_is_not_cached_at_all_is_said() {
    let world = world(0);
    let server = start(&world);
    server.get("/analytics/sales?period=2d").problem(400, "invalid-parameter");
    server.get("/analytics/sales?colour=red").problem(400, "unknown-parameter");
    server.get("/cache").problem(404, "not-found");
    server.get("/cache/a").problem(404, "not-found");
    server.ask("DELETE", "/cache", &[], b"").problem(404, "not-found");
    server.ask("POST", "/cache/warm", &[], b"").problem(404, "not-found");
    assert_eq!(server.get("/analytics/sales").header("x-cache"), Some("live"));
}
