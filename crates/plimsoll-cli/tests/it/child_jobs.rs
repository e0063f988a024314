//! `plimsoll worker` with a program for its jobs, jobs that are SQL, and batches at the shell.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::{Ended, Running, Tool};

/// Checkpoints of the job that is killed.
const STEPS: i64 = 4_000;
const DEADLINE: Duration = Duration::from_secs(60);
const SHORT_LEASE: [&str; 4] = ["--jobs-lease", "1s", "--jobs-renew", "200ms"];

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, args).run()
}

fn database(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("data/plimsoll.db")).unwrap();
    connection.busy_timeout(DEADLINE).unwrap();
    connection
}

fn worker(folder: &Path, more: &[&str]) -> Running {
    let line = [&["worker"], &SHORT_LEASE[..], more].concat();
    let mut running = Tool::new(folder, &line).telling("takes").start();
    running.told();
    running
}

/// The child of the examples; nothing where there is no Python.
fn child() -> Option<String> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("SKIPPED: there is no python3");
        return None;
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs/python");
    Some(path.canonicalize().unwrap().join("child.py").to_str().unwrap().to_owned())
}

#[test]
fn a_job_in_a_child_of_a_worker_that_was_killed_goes_on_behind_its_checkpoint() {
    let Some(child) = child() else { return };
    let folder = folder();
    let at = folder.path();
    run(at, &["migrate"]).expect(0, &[]);
    let payload = json!({"to": STEPS, "every": 1}).to_string();
    let added = run(at, &["jobs", "add", "sum", "--payload", &payload, "--json"]);
    assert_eq!(added.expect(0, &[]).json()["state"], "ready");
    let exec = format!("python3 {child}");
    let first = worker(at, &["--exec", &exec, "--child-memory", "256M"]);
    let (connection, began) = (database(at), Instant::now());
    let sql = "select checkpoints from plimsoll_jobs where id = 1";
    let count = || connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    while count() < 2 {
        assert!(began.elapsed() < DEADLINE, "it never began");
    }
    first.kill();
    let before = count();
    assert!(before < STEPS, "it was over before it was killed");
    // What a tool is given behind that is the child's, which reads no arguments.
    let line = ["--data", "data", "--max-jobs", "1", "--", "python3", &child];
    let second = worker(at, &line);
    second.wait().expect(0, &["worker ended: 1 jobs"]);
    let shown = run(at, &["jobs", "show", "1", "--json"]).json();
    assert_eq!(shown["state"], "completed", "{shown}");
    assert_eq!(shown["result"], json!({"sum": STEPS * (STEPS + 1) / 2}), "{shown}");
    assert_eq!((&shown["crashes"], &shown["resumed_count"]), (&json!(1), &json!(1)), "{shown}");
    assert_eq!(shown["checkpoint"]["seq"], STEPS, "each step once: {shown}");
}

#[test]
fn a_file_of_sql_is_enqueued_and_run_and_a_wrong_one_names_the_line_to_add() {
    let folder = folder();
    let at = folder.path();
    run(at, &["migrate"]).expect(0, &[]);
    database(at)
        .execute_batch(
            "create table things (id integer primary key, done integer) strict;
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
             insert into things select i * 7, null from n",
        )
        .unwrap();
    let file = "-- table: things\n-- key: id\n-- rows: 400\n\
                update things set done = coalesce(done, 0) + 1 where id > :after and id <= :upto";
    std::fs::write(at.join("mark.sql"), file).unwrap();
    let added = run(at, &["jobs", "sql", "mark.sql", "--unique-key", "mark"]);
    assert_eq!(added.expect(0, &[]).text().trim(), "job 1 is ready");
    let again = run(at, &["jobs", "sql", "mark.sql", "--unique-key", "mark"]);
    assert_eq!(again.expect(0, &[]).text().trim(), "job 1 is ready and was there already");
    worker(at, &["--max-jobs", "1"]).wait().expect(0, &["worker ended: 1 jobs"]);
    let shown = run(at, &["jobs", "show", "1", "--json"]).json();
    assert_eq!(shown["result"], json!({"ranges": 8, "rows": 3_000}), "{shown}");
    let once = "select count(*) from things where done = 1";
    let once: i64 = database(at).query_row(once, [], |row| row.get(0)).unwrap();
    assert_eq!(once, 3_000);

    std::fs::write(at.join("no.sql"), "update things set done = 1").unwrap();
    run(at, &["jobs", "sql", "no.sql"]).expect(2, &["no.sql: ", "'-- table: orders'"]);
    std::fs::write(at.join("all.sql"), "-- table: t\n-- key: id\ndelete from t").unwrap();
    run(at, &["jobs", "sql", "all.sql"]).expect(2, &["all.sql: ", ":after"]);
    std::fs::write(at.join("long.sql"), "-".repeat(70_000)).unwrap();
    run(at, &["jobs", "sql", "long.sql"]).expect(2, &["long.sql has more than 65536 bytes"]);
    run(at, &["jobs", "sql", "none.sql"]).expect(1, &["reading none.sql"]);
    run(at, &["jobs", "add", "sql.run"]).expect(2, &["not one of sql.run"]);
    run(at, &["jobs", "add", "system.prun"]).expect(2, &["did you mean system.prune?"]);
    run(at, &["jobs", "add", "a", "--payload", "{"]).expect(2, &["no JSON"]);
    run(at, &["jobs", "add", "a", "--priority", "10"]).expect(2, &["0 (first) to 9"]);
}

#[test]
fn a_program_that_a_shell_would_have_to_read_is_refused_with_how_to_write_it() {
    let folder = folder();
    let at = folder.path();
    run(at, &["worker", "--exec", "php 'a b'"]).expect(2, &["behind --"]);
    run(at, &["worker", "--exec", " "]).expect(2, &["names no program"]);
    run(at, &["worker", "--child-memory", "64M"]).expect(2, &["--exec or behind --"]);
    run(at, &["worker", "--exec", "a", "--child-memory", "0"]).expect(2, &["256M"]);
    run(at, &["worker", "--exec", "a", "--", "b"]).expect(2, &["cannot be used with"]);
}

#[test]
fn a_batch_is_shown_listed_and_cancelled_at_the_shell() {
    let folder = folder();
    let at = folder.path();
    run(at, &["migrate"]).expect(0, &[]);
    run(at, &["batch", "show", "latest"]).expect(1, &["there is no batch latest"]);
    let server = Server::start(at, &["--jobs-concurrency", "0"]);
    let body = json!({
        "id": "nightly-7", "name": "all of the night", "jobs": [{"kind": "a"}, {"kind": "a"}],
        "finally": [{"kind": "b"}],
    });
    let made = server.client().post("/batches", &body.to_string()).unwrap();
    assert_eq!(made.status, 202, "{made:?}");
    let shown = run(at, &["batch", "show"]).expect(0, &[]).text().to_owned();
    assert!(shown.contains("batch nightly-7: all of the night"), "{shown}");
    assert!(shown.contains("0 of 2 jobs are over"), "{shown}");
    let listed = run(at, &["batch", "list", "--json"]).json();
    assert_eq!(listed[0]["state"], "running", "{listed}");
    let cancelled = run(at, &["batch", "cancel", "nightly-7", "--json"]).json();
    assert_eq!((&cancelled["state"], &cancelled["cancelled"]), (&json!("cancelled"), &json!(2)));
    run(at, &["batch", "cancel", "latest"]).expect(1, &["is over: nothing was changed"]);
    let follows = run(at, &["jobs", "list", "--state", "ready", "--json"]).json();
    assert_eq!(follows[0]["kind"], "b", "{follows}");
    run(at, &["batch", "show", "nightly-8"]).expect(1, &["there is no batch nightly-8"]);
    run(at, &["batch", "cancel"]).expect(2, &["<ID>"]);
    server.stop().expect(0, &["stopped"]);
}
