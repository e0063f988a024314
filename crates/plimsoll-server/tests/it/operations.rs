//! What an operator looks at: memory, health, metrics, request ids, the access log.

use std::sync::{Mutex, OnceLock};

use serde_json::{Value as Json, json};

use crate::access::{As, KEYS, access};
use crate::served::on_postgres;
use crate::support::{World, failing_after, start, start_with, world};

#[test]
fn the_memory_page_has_the_known_fields_and_the_ledger() {
    let world = world(10);
    let server = start(&world);
    for path in ["/api/v2/system/memory", "/api/system/memory", "/system/memory"] {
        let page = server.get(path).json();
        assert_eq!(page["current_usage_mb"], 20.0);
        assert_eq!(page["peak_usage_mb"], 24.0);
        assert!(page["available_mb"].as_f64() > Some(100.0), "{page}");
        assert_eq!(page["pressure_level"], "none");
        assert!(page["cache_stats"].is_object());
        assert_eq!(page["external_files"], 0);
        assert_eq!(page["budget_bytes"], 256 << 20);
        assert_eq!(page["limit_source"], "test");
        assert_eq!(page["cgroup"], json!({"sock": 4096}));
        assert_eq!(page["sqlite_memory_bytes"].as_u64() > Some(0), !on_postgres());
        let ledger = page["ledger"].as_array().expect("lines");
        let connection = ledger.iter().find(|line| line["path"] == "process/http/connection");
        let held = connection.expect("a line")["held_bytes"].as_u64();
        assert!(held > Some(0), "this very connection is charged");
    }
}

#[test]
fn health_has_the_known_shape_and_livez_needs_no_database() {
    let world = world(0);
    let healthy = start(&world);
    let page = healthy.get("/api/health").json();
    assert_eq!(page["status"], "healthy");
    assert_eq!(page["services"]["database"], "ok");
    assert_eq!(page["services"]["queue_size"], 0);
    assert!(page["services"]["cache"].is_string() && page["services"]["queue"].is_string());
    assert_eq!(healthy.get("/healthz").status, 200);
    let store = failing_after(&world, 0, false);
    let broken = start_with(&world, |config| config.store = store);
    let page = broken.get("/api/health");
    assert_eq!((page.status, &page.json()["status"]), (503, &json!("unhealthy")));
    broken.get("/readyz").problem(503, "not-ready");
    assert_eq!(broken.get("/livez").status, 200);
}

#[test]
fn metrics_have_the_known_names_in_both_formats() {
    let world = world(10);
    let server = start(&world);
    server.get("/goods");
    server.get("/goods/stream");
    server.get("/analytics/summary");
    let series = "http_requests_total{method=\"GET\",route=\"/api/v2/goods\",status=\"200\"} 1";
    server.wait_until("the list is counted", || server.get("/metrics").text().contains(series));
    let text = server.get("/api/metrics");
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for name in [
        "spacetime_stream_requests_total 1",
        "spacetime_memory_usage_bytes ",
        "spacetime_memory_reserved_bytes{consumer=\"http/connection\"}",
        "spacetime_memory_budget_bytes 268435456",
        "spacetime_memory_rss_bytes ",
        "spacetime_memory_unaccounted_bytes ",
        "spacetime_memory_pressure_level 0",
        "spacetime_processing_seconds_count{kind=\"report\"} 1",
        "http_request_duration_milliseconds_bucket{",
        "http_request_duration_seconds_sum{",
        "database_connections{state=\"idle\",role=\"primary\"}",
        "memory_usage_bytes 20971520",
        "spacetime_admission_waiting 0",
        "spacetime_admission_wait_seconds_count 1",
        "sqlite_memory_bytes ",
        "allocator_allocated_bytes 1",
        "build_info{version=\"0.0.0\",commit=\"test\"} 1",
        "# TYPE http_requests_total counter",
    ] {
        assert!(text.text().contains(name), "{name} in {}", text.text());
    }
    let accept = ("accept", "application/openmetrics-text; version=1.0.0");
    let open = server.ask("GET", "/metrics", &[accept], b"");
    assert!(open.header("content-type").is_some_and(|t| t.starts_with("application/openmetrics")));
    assert!(open.text().contains("# TYPE http_requests counter\n"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[test]
fn strangers_cannot_make_series() {
    let world = world(1);
    let server = start(&world);
    for n in 0..20 {
        server.get(&format!("/nothing/{n}"));
        server.ask(&format!("M{n}"), "/goods", &[], b"");
        server.get(&format!("/goods/{n}"));
    }
    let count = || {
        let page = server.get("/metrics");
        let text = page.text().to_owned();
        text.lines().filter(|line| line.starts_with("http_requests_total{")).count()
    };
    server.wait_until("they are counted", || count() >= 5);
    let page = server.get("/metrics");
    assert!(page.text().contains("method=\"other\",route=\"/api/v2/goods\",status=\"405\""));
    assert!(page.text().contains("route=\"unmatched\",status=\"404\""));
    assert!(count() <= 6, "{}", page.text());
}

#[test]
fn a_request_id_is_taken_from_the_client_or_made() {
    let world = world(1);
    let server = start(&world);
    let theirs = server.ask("GET", "/livez", &[("x-request-id", "abc-123")], b"");
    assert_eq!(theirs.header("x-request-id"), Some("abc-123"));
    let long = "x".repeat(200);
    let ours = server.ask("GET", "/livez", &[("x-request-id", &long)], b"");
    assert_eq!(ours.header("x-request-id").map(str::len), Some(16));
}

/// Collects the fields of every event of the access log.
struct Collector(Mutex<Vec<String>>);

static COLLECTOR: OnceLock<Collector> = OnceLock::new();

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{}={value:?} ", field.name()));
    }
}

struct Forward;

impl tracing::Subscriber for Forward {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "access"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        if let Some(collector) = COLLECTOR.get() {
            collector.0.lock().expect("not poisoned").push(fields.0);
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn every_request_leaves_one_line_in_the_access_log() {
    let collector = COLLECTOR.get_or_init(|| Collector(Mutex::default()));
    tracing::subscriber::set_global_default(Forward).expect("the only one");
    let world = world(5);
    let server = start(&world);
    let id = "access-log-test";
    let answer = server.ask("GET", "/goods?kind=secret", &[("x-request-id", id)], b"");
    let lines = || -> Vec<String> {
        let all = collector.0.lock().expect("not poisoned");
        all.iter().filter(|line| line.contains(id)).cloned().collect()
    };
    server.wait_until("it is logged", || !lines().is_empty());
    let lines = lines();
    assert_eq!(lines.len(), 1);
    for part in [
        "method=\"GET\"",
        "route=\"/api/v2/goods\"",
        "status=200",
        &format!("bytes={}", answer.body.len()),
        "complete=true",
    ] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(!lines[0].contains("secret"), "no query in the log");
    assert!(!lines[0].contains("principal"), "nobody was asked: {}", lines[0]);
    who_asks_stands_in_the_line(&world, &collector.0);
}

/// Also where they lack a scope; a key never does.
fn who_asks_stands_in_the_line(world: &World, all: &Mutex<Vec<String>>) {
    let server = start_with(world, |config| config.access = Some(access(KEYS)));
    let goods = As::key(&server, 2);
    for (target, status) in [("/goods/1", 200), ("/goods/stream", 403)] {
        let id = format!("who-{status}");
        assert_eq!(goods.send("GET", target, &[("x-request-id", &id)], &Json::Null).status, status);
        let line = || all.lock().expect("not poisoned").iter().find(|l| l.contains(&id)).cloned();
        server.wait_until("it is logged", || line().is_some());
        let line = line().expect("a line");
        assert!(line.contains("principal=\"goods\"") && !line.contains("plk_"), "{line}");
    }
}
