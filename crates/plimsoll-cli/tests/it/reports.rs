//! Reports, seen from outside the process: kill -9, its memory, and what is left on the disk.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::{Tool, optimised};

const SHORT_LEASE: [&str; 4] = ["--jobs-lease", "1s", "--jobs-renew", "200ms"];
const DEADLINE: Duration = Duration::from_secs(60);
const LIMIT_BYTES: u64 = 64 << 20;

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

fn report(server: &Server, definition: &str) -> String {
    let answer = server.client().post("/api/v2/reports", definition).unwrap();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    answer.header("location").unwrap().to_owned()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("data/reports")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_report_of_a_server_that_is_killed_twice_has_every_row_once() {
    let folder = folder();
    let demo = ["seed", "--products", "150000", "--orders", "10", "--customers", "10"];
    Tool::new(folder.path(), &demo).run().expect(0, &[]);
    let mut server = Server::start(folder.path(), &SHORT_LEASE);
    let direct = server.get("/products/export?format=json").body;
    let place = report(&server, r#"{"resource":"products","format":"json"}"#);
    let mut kills = 0;
    // A third crash would quarantine it.
    for round in 1..=2 {
        let seen = |job: &serde_json::Value| {
            let further = job["checkpoint"]["seq"].as_i64() >= Some(round);
            job["state"] == "completed" || (job["state"] == "running" && further)
        };
        let job = until(&server, &place, seen);
        if job["state"] == "completed" {
            break;
        }
        server.kill();
        kills += 1;
        server = Server::start(folder.path(), &SHORT_LEASE);
    }
    assert_eq!(kills, 2, "it was done before it could be killed");
    let job = until(&server, &place, |job| job["finished_at"].is_string());
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(job["result"]["rows"], 150_000);
    let got = server.get(&format!("{place}/download"));
    assert!(got.body == direct, "{} bytes, not {}", got.body.len(), direct.len());
    let left = files(folder.path());
    assert_eq!(left, [job["result"]["file"].as_str().unwrap()], "behind {kills} kills");
}

#[test]
fn a_report_larger_than_the_memory_is_made_and_fetched_within_it() {
    let Some(binary) = optimised() else {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
        return;
    };
    let folder = folder();
    let demo = ["seed", "--products", "500000", "--orders", "10", "--customers", "10"];
    Tool::of(&binary, folder.path(), &demo).run().expect(0, &[]);
    let server = Server::of(&binary, folder.path(), &["--memory", "64M"]);
    let place = report(&server, r#"{"resource":"products","format":"ndjson"}"#);
    let job = until(&server, &place, |job| job["finished_at"].is_string());
    let size = job["result"]["size"].as_u64().unwrap();
    assert!(size > LIMIT_BYTES, "{job}");
    let got = server.get(&format!("{place}/download"));
    assert_eq!(got.body.len() as u64, size);
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    assert!(peak > 0 && peak <= LIMIT_BYTES, "{peak}");
}
