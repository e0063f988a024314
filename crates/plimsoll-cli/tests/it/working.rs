//! `plimsoll worker`, `jobs` and `queue` on a database of their own: killed, stopped, told.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;

use crate::corpus::folder;
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::{Ended, Running, Tool};

/// Jobs that are over, for a job that removes them to have work.
const OVER: u64 = 60_000;
const DEADLINE: Duration = Duration::from_secs(40);
const SHORT_LEASE: [&str; 4] = ["--jobs-lease", "1s", "--jobs-renew", "200ms"];

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, args).run()
}

fn database(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("data/plimsoll.db")).unwrap();
    connection.busy_timeout(DEADLINE).unwrap();
    connection
}

/// A database with jobs that ended an hour ago, and job 1, which is to remove them.
fn with_work(folder: &Path) {
    run(folder, &["migrate"]).expect(0, &[]);
    let columns = "kind, queue, priority, state, payload, place, tries_max, exceptions_max, \
                   timeout_ms, memory_bytes, enqueued_at, finished_at";
    let text = format!(
        "insert into plimsoll_jobs ({columns}) values ('system.prune', 'low', 5, 'ready', \
         '{{\"older_than_ms\": 0}}', 0, 3, 3, 120000, 0, 0, null);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {OVER})
         insert into plimsoll_jobs ({columns}) select 'x', 'default', 5, 'completed', '{{}}', 0, \
         3, 3, 1000, 0, 0, (unixepoch() - 3600) * 1000000 from n"
    );
    database(folder).execute_batch(&text).unwrap();
}

fn worker(folder: &Path, more: &[&str]) -> Running {
    let line = [&["worker"], &SHORT_LEASE[..], more].concat();
    let mut running = Tool::new(folder, &line).telling("takes").start();
    running.told();
    running
}

/// State, checkpoints and crashes of job 1, once they are as wanted.
fn until(folder: &Path, what: &str, is: impl Fn(&str, i64, i64) -> bool) -> (String, i64, i64) {
    let (connection, began) = (database(folder), Instant::now());
    let sql = "select state, checkpoints, crashes from plimsoll_jobs where id = 1";
    loop {
        let row: (String, i64, i64) =
            connection.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        if is(&row.0, row.1, row.2) {
            return row;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: {row:?}");
    }
}

#[track_caller]
fn expect_all_removed_once(folder: &Path) -> serde_json::Value {
    let shown = run(folder, &["jobs", "show", "1", "--json"]).json();
    assert_eq!(shown["state"], "completed", "{shown}");
    assert_eq!(shown["result"], json!({"removed": OVER}), "{shown}");
    let left = "select count(*) from plimsoll_jobs";
    let left: i64 = database(folder).query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
    shown
}

#[test]
fn a_worker_that_is_killed_is_rescued_by_another_which_goes_on_behind_the_checkpoint() {
    let folder = folder();
    with_work(folder.path());
    let first = worker(folder.path(), &[]);
    until(folder.path(), "it is at work", |_, checkpoints, _| checkpoints > 0);
    first.kill();
    let (state, ..) = until(folder.path(), "it is held still", |_, _, crashes| crashes == 0);
    assert_eq!(state, "running", "nobody knows yet; had it ended there was too little work");
    let second = worker(folder.path(), &["--max-jobs", "1"]);
    second.wait().expect(0, &["worker ended: 1 jobs"]);
    let shown = expect_all_removed_once(folder.path());
    assert_eq!((&shown["crashes"], &shown["resumed_count"]), (&json!(1), &json!(1)), "{shown}");
    let text = run(folder.path(), &["jobs", "show", "1"]);
    assert!(text.text().contains("crash: worker-"), "{}", text.text());
}

#[test]
fn a_worker_that_is_told_to_end_hands_its_job_back_at_once_and_without_an_attempt() {
    for signal in [Signal::TERM, Signal::HUP] {
        let folder = folder();
        with_work(folder.path());
        let first = worker(folder.path(), &[]);
        until(folder.path(), "it is at work", |_, checkpoints, _| checkpoints > 0);
        first.signal(signal);
        first.wait().expect(0, &["worker ended"]);
        until(folder.path(), "handed back", |state, _, crashes| state == "ready" && crashes == 0);
        let shown = run(folder.path(), &["jobs", "show", "1", "--json"]).json();
        assert_eq!(shown["attempt"], 0, "{shown}");
        assert_eq!(shown["waits"]["for"], "worker", "it has left the list: {shown}");
        worker(folder.path(), &["--max-jobs", "1"]).wait().expect(0, &["worker ended: 1 jobs"]);
        expect_all_removed_once(folder.path());
    }
}

#[test]
fn a_server_that_stops_hands_its_jobs_back() {
    let folder = folder();
    with_work(folder.path());
    let server = Server::start(folder.path(), &[]);
    until(folder.path(), "it is at work", |_, checkpoints, _| checkpoints > 0);
    server.stop().expect(0, &["stopped"]);
    until(folder.path(), "handed back", |state, _, crashes| state == "ready" && crashes == 0);
}

#[test]
fn a_worker_beside_a_server_takes_what_that_enqueues_and_both_are_listed() {
    let folder = folder();
    let server = Server::start(folder.path(), &["--jobs-concurrency", "0"]);
    let beside = worker(folder.path(), &["--queue", "low", "--concurrency", "1"]);
    let listed = server.get("/workers").json();
    let names: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["worker"].as_str().unwrap().split('-').next().unwrap())
        .collect();
    assert!(names.contains(&"server"), "{listed}");
    let body = json!({"kind": "system.prune", "unique_key": "one"}).to_string();
    let made = server.client().post("/jobs", &body).unwrap();
    let id = made.json()["id"].to_string();
    let watched = run(folder.path(), &["jobs", "watch", &id, "--json"]);
    watched.expect(0, &[]);
    let last = watched.text().lines().last().unwrap().to_owned();
    assert!(last.contains("\"state\":\"completed\""), "{last}");
    // All queues of a worker start anew where one of them is told to.
    run(folder.path(), &["queue", "restart", "low"]).expect(0, &[]);
    beside.wait().expect(0, &["worker ended: 1 jobs"]);
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_worker_on_plimsolls_own_postgresql_takes_what_the_server_enqueues() {
    let folder = folder();
    let Some(database) = Database::with("") else { return };
    let url = database.url();
    run(folder.path(), &["migrate", "--database", &url]).expect(0, &[]);
    let server = Server::start(folder.path(), &["--database", &url, "--jobs-concurrency", "0"]);
    let beside = worker(folder.path(), &["--database", &url, "--max-jobs", "1"]);
    let body = json!({"kind": "system.prune"}).to_string();
    let made = server.client().post("/jobs", &body).unwrap();
    assert_eq!(made.status, 202, "{made:?}");
    let id = made.json()["id"].to_string();
    run(folder.path(), &["jobs", "watch", &id, "--database", &url]).expect(0, &[]);
    beside.wait().expect(0, &["worker ended: 1 jobs"]);
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_paused_queue_and_a_changed_job_are_told_and_wrong_names_say_what_was_meant() {
    let folder = folder();
    with_work(folder.path());
    let at = folder.path();
    let paused = run(at, &["queue", "pause", "low"]);
    assert!(paused.expect(0, &[]).text().contains("until it is resumed"));
    let shown = run(at, &["jobs", "show", "1"]);
    assert!(shown.text().contains("the queue low is paused"), "{}", shown.text());
    let listed = run(at, &["queue", "list"]);
    assert!(listed.text().contains("1 ready, paused"), "{}", listed.text());
    let failed = run(at, &["queue", "list", "--state", "failed", "--json"]);
    assert_eq!(failed.json(), json!([]));
    run(at, &["queue", "resume", "low"]).expect(0, &[]);
    let said = |args: &[&str]| run(at, args).expect(0, &[]).text().trim().to_owned();
    assert_eq!(said(&["jobs", "pause", "1"]), "job 1 is paused");
    assert_eq!(said(&["jobs", "resume", "1"]), "job 1 is ready");
    assert_eq!(said(&["jobs", "cancel", "1"]), "job 1 is cancelled");
    run(at, &["jobs", "cancel", "1"]).expect(1, &["job 1 is cancelled and over"]);
    assert_eq!(said(&["jobs", "retry", "1"]), "job 1 is ready");
    let listed = run(at, &["jobs", "list", "--state", "ready", "--json"]).json();
    assert_eq!(listed[0]["kind"], "system.prune");

    run(at, &["queue", "pause", "lwo"]).expect(2, &["'lwo'", "did you mean low?"]);
    run(at, &["jobs", "list", "--queue", "lwo"]).expect(2, &["did you mean low?"]);
    run(at, &["jobs", "list", "--kind", "system.prun"]).expect(2, &["did you mean system.prune?"]);
    run(at, &["jobs", "list", "--state", "redy"]).expect(2, &["did you mean ready?"]);
    run(at, &["jobs", "show", "99999999"]).expect(1, &["there is no job 99999999"]);
    run(at, &["worker", "--queue", "a b"]).expect(2, &["a b"]);
    run(at, &["worker", "--max-time", "soon"]).expect(2, &["90s"]);
    run(at, &["worker", "--jobs-renew", "11s"]).expect(2, &["jobs.renew", "jobs.lease"]);
}
