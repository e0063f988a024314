//! Imports over HTTP, seen from outside the process: kill -9, and what is left on the disk.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::corpus::folder;
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
    let mut found: Vec<&str> = csv.lines().filter(|sku| sku.starts_with('K')).collect();
    found.sort_unstable();
    let all = (1..=ROWS).filter(|row| row % 50_000 != 0).map(|row| format!("K{row:07}"));
    assert!(found.iter().copied().eq(all), "{} rows", found.len());
    let entries = std::fs::read_dir(folder.path().join("data/intake")).unwrap();
    let left = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| !name.ends_with(".rejects")).collect();
    assert_eq!(left, [""; 0], "the file goes with its job");
}
