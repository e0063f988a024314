//! The example of a primary with a replica works as it is written, and mistakes about replicas are
//! told before anything is served.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::Tool;

const NOTICED: Duration = Duration::from_secs(5);

/// The example's two servers, which end with the test.
struct Example(PathBuf);

impl Example {
    fn start() -> Option<Self> {
        let folder = format!("plimsoll-example-{}", std::process::id());
        let example = Self(std::env::temp_dir().join(folder));
        let started = example.run("start").output().unwrap();
        if started.status.code() == Some(3) {
            println!("SKIPPED: PostgreSQL is not installed");
            return None;
        }
        assert!(started.status.success(), "{started:?}");
        Some(example)
    }

    fn run(&self, action: &str) -> Command {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/postgres-replicas/run");
        let mut run = Command::new(script);
        run.arg(action).arg(&self.0);
        run
    }

    /// Ends one of the two at once, as a power cut would.
    fn kill(&self, part: &str) {
        let pid = std::fs::read_to_string(self.0.join(part).join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::QUIT).unwrap();
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        drop(self.run("stop").output());
    }
}

/// The figure of one series.
fn figure(server: &Server, series: &str) -> u64 {
    let page = String::from_utf8(server.get("/metrics").body).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("{series} in\n{page}")).trim().parse().unwrap()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < NOTICED, "{what}: not within {NOTICED:?}");
        std::thread::yield_now();
    }
}

fn rows(server: &Server) -> usize {
    let stream = server.get("/api/v2/tables/orders/stream?format=ndjson");
    assert_eq!(stream.status, 200, "{stream:?}");
    String::from_utf8(stream.body).unwrap().lines().count()
}

#[test]
fn the_example_of_a_primary_with_a_replica_reads_from_the_replica_while_there_is_one() {
    let Some(example) = Example::start() else { return };
    let (folder, settings) = (folder(), example.0.join("plimsoll.toml"));
    let settings = settings.to_str().unwrap();
    let shown = Tool::new(folder.path(), &["config", "show", "--config", settings]).run();
    shown.expect(0, &[]);
    assert!(!shown.text().contains("change-me"), "{}", shown.text());

    let server = Server::start(folder.path(), &["--config", settings]);
    until("the replica is found", || {
        figure(&server, "database_hosts_healthy{role=\"replica\"}") == 1
    });
    let before = figure(&server, "database_pages_read{role=\"primary\"}");
    assert_eq!(rows(&server), 10_000);
    assert!(figure(&server, "database_pages_read{role=\"replica\"}") > 1);
    assert_eq!(figure(&server, "database_pages_read{role=\"primary\"}"), before);

    example.kill("replica");
    assert_eq!(rows(&server), 10_000);
    assert!(figure(&server, "database_pages_read{role=\"primary\"}") > before);
    until("the failure is noticed", || {
        figure(&server, "database_hosts_healthy{role=\"replica\"}") == 0
    });

    example.kill("primary");
    until("the failure is noticed", || {
        figure(&server, "database_hosts_healthy{role=\"primary\"}") == 0
    });
    let nobody = server.get("/api/v2/tables/orders");
    assert_eq!(nobody.status, 503, "{nobody:?}");
    let detail = nobody.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("replica 1 does not answer") && !detail.contains("127.0.0.1"));
    server.stop().expect(0, &["stopped"]);
}

fn refused(folder: &Path, settings: &str, code: i32, texts: &[&str]) {
    let name = file(folder, "plimsoll.toml", settings);
    Tool::new(folder, &["serve", "--port", "0", "--config", &name]).run().expect(code, texts);
}

#[test]
fn replicas_of_no_postgresql_database_are_refused_with_what_is_allowed() {
    let folder = folder();
    let replicas = "replicas = \"postgres://u:secret@h/a\"\n";
    let texts = ["database.replicas", "plimsoll.toml:2", "database.url"];
    refused(folder.path(), &format!("[database]\n{replicas}"), 2, &texts);
    refused(folder.path(), &format!("[database]\n{replicas}url = \"app.db\"\n"), 2, &texts);
    for (list, why) in [
        ("'app.db'", "number 1 is no URL of PostgreSQL"),
        ("['postgres://h/a', 'mysql://u:secret@h/a']", "number 2: mysql is not"),
        ("[7]", "write a string or an array of strings"),
    ] {
        let settings = format!("[database]\nurl = 'postgres://h/a'\nreplicas = {list}\n");
        refused(folder.path(), &settings, 2, &["database.replicas", "plimsoll.toml:3", why]);
    }
    let settings = "[database]\nreplica_lag = \"10ms\"\n";
    refused(folder.path(), settings, 2, &["database.replica_lag", "a time from 1s to 1h"]);
    let ended = Tool::new(folder.path(), &["config", "show"])
        .env("PLIMSOLL_DATABASE_REPLICAS", "postgres://h/a,mysql://u:secret@h/a")
        .run();
    let told = format!("{}{}", ended.text(), ended.err);
    assert!(!told.contains("secret"), "{told}");
}
