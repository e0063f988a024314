//! What is sent to a server and taken in by its jobs, seen from outside the process: kill -9, what
//! is left on the disk, and the shop on both databases.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::corpus::folder;
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::Tool;

const SHORT_LEASE: [&str; 4] = ["--jobs-lease", "1s", "--jobs-renew", "200ms"];
const DEADLINE: Duration = Duration::from_secs(120);
const ROWS: u64 = 120_000;

/// Asks the server until it says so.
fn until(
    server: &Server,
    place: &str,
    is: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let job = server.get(place).json();
        if is(&job) {
            return job;
        }
        assert!(began.elapsed() < DEADLINE, "{job}");
    }
}

/// Whether a code is one of the file's: the demo has some that begin so, too.
fn is_sent(sku: &str) -> bool {
    sku.strip_prefix('K').is_some_and(|rest| rest.len() == 7 && rest.parse::<u64>().is_ok())
}

#[test]
fn an_import_of_a_server_that_is_killed_twice_has_every_row_once() {
    let folder = folder();
    let demo = ["seed", "--products", "10", "--orders", "10", "--customers", "10"];
    Tool::new(folder.path(), &demo).run().expect(0, &[]);
    let mut server = Server::start(folder.path(), &SHORT_LEASE);
    let mut file = String::new();
    for row in 1..=ROWS {
        let price = if row % 50_000 == 0 { "\"dear\"" } else { "2.5" };
        writeln!(file, "{{\"sku\":\"K{row:07}\",\"name\":\"n {row}\",\"price\":{price}}}").unwrap();
    }
    let target = "/api/v2/products/import?on_error=continue";
    let answer = server.client().post(target, &file).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let place = answer.header("location").unwrap().to_owned();
    // A third crash would quarantine it.
    for round in 1..=2 {
        let seen = |job: &serde_json::Value| {
            job["state"] == "running" && job["checkpoint"]["seq"].as_i64() >= Some(round * 5)
        };
        until(&server, &place, |job| seen(job) || job["finished_at"].is_string());
        let job = server.get(&place).json();
        assert_ne!(job["state"], "completed", "it was done before it could be killed: {job}");
        server.kill();
        server = Server::start(folder.path(), &SHORT_LEASE);
    }
    let job = until(&server, &place, |job| job["finished_at"].is_string());
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!((job["crashes"].as_i64(), job["result"]["rejected"].as_i64()), (Some(2), Some(2)));
    assert_eq!(job["result"]["rows"].as_u64(), Some(ROWS - 2), "{job}");
    let rejects = server.get(&format!("{place}/rejects"));
    let rejects = String::from_utf8_lossy(&rejects.body);
    let lines: Vec<&str> = rejects.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(lines, ["line", "50000", "100000"], "{rejects}");
    let csv = server.get("/products/export?format=csv&fields=sku").body;
    let csv = String::from_utf8_lossy(&csv);
    let mut found: Vec<&str> = csv.lines().filter(|sku| is_sent(sku)).collect();
    found.sort_unstable();
    let all = (1..=ROWS).filter(|row| row % 50_000 != 0).map(|row| format!("K{row:07}"));
    assert!(found.iter().copied().eq(all), "{} rows", found.len());
    let entries = std::fs::read_dir(folder.path().join("data/intake")).unwrap();
    let left = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| !name.ends_with(".rejects")).collect();
    assert_eq!(left, [""; 0], "the file goes with its job");
}

const NDJSON: &str = "Content-Type: application/x-ndjson\r\n";

/// The result of a dataset that was walked over.
fn processed(server: &Server, dataset: &str) -> serde_json::Value {
    let body = format!(r#"{{"kind":"dataset.process","payload":{{"dataset":"{dataset}"}}}}"#);
    let answer = server.client().post("/api/v2/jobs", &body).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let place = answer.header("location").unwrap().to_owned();
    let job = until(server, &place, |job| job["finished_at"].is_string());
    assert_eq!(job["state"], "completed", "{job}");
    job["result"].clone()
}

/// Orders and a log that are sent to the shop, and what its jobs make of them.
fn shop(server: &Server) {
    let orders: String = (1..=250)
        .map(|n| {
            format!(
                "{{\"number\":\"Z{n}\",\"channel\":\"web\",\"status\":\"completed\",\
                 \"ordered_at\":\"2026-01-02T03:04:05Z\"}}\n"
            )
        })
        .collect();
    for _ in 0..2 {
        let synced = server.client().ask("POST", "/orders/sync", NDJSON, &orders).unwrap();
        assert_eq!(synced.json(), serde_json::json!({"rows": 250, "event": "OrdersSynced"}));
    }
    let listener = server.get("/api/v2/jobs?kind=cache.warm").json();
    assert_eq!(listener["data"].as_array().map(Vec::len), Some(2), "{listener}");
    assert_eq!(listener["data"][0]["payload"]["name"], "OrdersSynced", "{listener}");
    let result = processed(server, "orders");
    let number = |name: &str| result[name].as_u64().unwrap();
    assert!(number("processed") >= 250, "{result}");
    assert_eq!(number("checkpoints"), number("processed").div_ceil(100), "{result}");
    let results = server.get("/order-results?sort=-order_id&limit=1").json();
    assert_eq!(results["data"][0]["order_id"], result["last_id"], "{results}");

    let log: String = (0..5_000)
        .map(|n| {
            let (actor, action) = (n % 7, ["view", "buy"][usize::from(n % 5 == 0)]);
            let day = 1 + n % 3;
            format!(
                "{{\"actor\":\"u{actor}\",\"action_name\":\"{action}\",\"object_name\":\"p{n}\",\
                 \"happened_at\":\"2026-02-0{day}T23:59:59Z\"}}\n"
            )
        })
        .collect();
    let answer = server.client().ask("POST", "/api/v2/activity", NDJSON, &log).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let place = answer.header("location").unwrap().to_owned();
    let job = until(server, &place, |job| job["finished_at"].is_string());
    assert_eq!(job["result"]["rows"], 5_000, "{job}");
    let few =
        "{\"actor\":\"u9\",\"action_name\":\"buy\",\"happened_at\":\"2026-02-01T00:00:00Z\"}\n";
    let answer = server.client().ask("POST", "/activity", NDJSON, few).unwrap();
    assert_eq!(answer.json(), serde_json::json!({"rows": 1}));
    let found = server.get("/activity?actor=u9").json();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1), "{found}");
    // Once more is the same: the first range begins anew.
    for _ in 0..2 {
        let result = processed(server, "activity");
        assert_eq!((&result["processed"], &result["checkpoints"]), (&5_001.into(), &3.into()));
        let totals = server.get("/activity-totals?limit=50").json();
        let totals = totals["data"].as_array().unwrap().clone();
        let events: u64 = totals.iter().map(|row| row["times_done"].as_u64().unwrap()).sum();
        assert_eq!((totals.len(), events), (6, 5_001), "{totals:?}");
    }
    let asked = r#"{"query":"activity","format":"ndjson","params":{"from":"2026-02-01"}}"#;
    let answer = server.client().post("/api/v2/reports", asked).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    let place = answer.header("location").unwrap().to_owned();
    until(server, &place, |job| job["state"] == "completed");
    let report = server.get(&format!("{place}/download"));
    let report = String::from_utf8_lossy(&report.body);
    assert_eq!(report.lines().count(), 6, "{report}");
    assert!(report.contains("\"actors\":7"), "{report}");
}

#[test]
fn orders_are_synced_and_a_log_is_taken_in_summed_up_and_reported() {
    let folder = folder();
    let demo = ["seed", "--products", "10", "--orders", "120", "--customers", "10"];
    Tool::new(folder.path(), &demo).run().expect(0, &[]);
    shop(&Server::start(folder.path(), &[]));
}

#[test]
fn orders_are_synced_and_a_log_is_taken_in_summed_up_and_reported_on_postgresql() {
    let folder = folder();
    let Some(database) = Database::with("") else { return };
    let url = database.url();
    Tool::new(folder.path(), &["migrate", "--database", &url]).run().expect(0, &[]);
    shop(&Server::start(folder.path(), &["--database", &url]));
}
