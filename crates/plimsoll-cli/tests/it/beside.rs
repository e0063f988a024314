//! Jobs beside somebody's own database: what is read is theirs, and Plimsoll's tables are
//! elsewhere.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::corpus::folder;
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::{Ended, Tool};

const SHORT_LEASE: [&str; 4] = ["--jobs-lease", "1s", "--jobs-renew", "200ms"];
const DEADLINE: Duration = Duration::from_secs(60);
const ROWS: u64 = 200_000;

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, args).run()
}

/// An app's SQLite file with names that Plimsoll's own tables have elsewhere.
fn app(path: &Path) {
    let sql = format!(
        "create table films (id integer primary key, title text);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {ROWS})
         insert into films select i, 'Film ' || i from n;
         create table jobs (id integer primary key, queue text);
         create table events (id integer primary key);"
    );
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

/// The files of jobs that stand in the data directory because no place is named.
fn controls(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder.join("data")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("control") && name.ends_with(".db")
    };
    paths.filter(is_one).collect()
}

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

/// A report of the films by a server that is killed once in the middle of it has every row once.
fn report_behind_a_kill(folder: &Path, args: &[&str], resource: &str) {
    let line = [&SHORT_LEASE[..], args].concat();
    let server = Server::start(folder, &line);
    let direct = server.get(&format!("/api/v2/tables/{resource}/export?format=ndjson")).body;
    assert!(!direct.is_empty());
    let definition = format!(r#"{{"resource":"{resource}","format":"ndjson"}}"#);
    let asked = server.client().post("/api/v2/reports", &definition).unwrap();
    assert_eq!(asked.status, 202, "{}", String::from_utf8_lossy(&asked.body));
    let place = asked.header("location").unwrap().to_owned();
    let begun = |job: &serde_json::Value| {
        assert_ne!(job["state"], "completed", "it was done before it could be killed");
        job["state"] == "running" && job["checkpoint"]["seq"].as_i64() >= Some(1)
    };
    until(&server, &place, begun);
    server.kill();
    let server = Server::start(folder, &line);
    let job = until(&server, &place, |job| job["finished_at"].is_string());
    assert_eq!(job["state"], "completed", "{job}");
    assert_eq!(job["result"]["rows"], ROWS);
    let got = server.get(&format!("{place}/download"));
    assert!(got.body == direct, "{} bytes, not {}", got.body.len(), direct.len());
    let queues = server.get("/api/v2/queues");
    assert_eq!(queues.status, 200, "{queues:?}");
    let batch = r#"{"name":"b","jobs":[{"kind":"mail.send"}]}"#;
    let batch = server.client().post("/api/v2/batches", batch).unwrap();
    assert!(matches!(batch.status, 201 | 202), "{batch:?}");
    let refused = server.client().post(&format!("/api/v2/tables/{resource}"), "{}").unwrap();
    assert_eq!(refused.status, 405, "what is theirs stays only read");
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_report_over_somebodys_sqlite_goes_on_behind_a_kill_and_leaves_the_file_as_it_was() {
    let (folder, theirs) = (folder(), folder());
    let (at, path) = (folder.path(), theirs.path().join("app.db"));
    app(&path);
    let before = std::fs::read(&path).unwrap();
    let database = path.to_str().unwrap();
    run(at, &["init", "--database", database, "--out", "r.toml"]).expect(0, &[]);
    let reads = ["--database", database, "--resources", "r.toml"];
    report_behind_a_kill(at, &reads, "films");
    // The same jobs at the shell, and a worker of another process that does one.
    let listed = run(at, &[&["jobs", "list", "--json"], &reads[..]].concat()).json();
    // The report, the end of its file, and the job of the batch.
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    run(at, &[&["jobs", "add", "system.prune"], &reads[..]].concat()).expect(0, &[]);
    let worker = [&["worker", "--max-jobs", "1"], &reads[..]].concat();
    run(at, &worker).expect(0, &["worker ended: 1 jobs"]);
    run(at, &[&["queue", "list"], &reads[..]].concat()).expect(0, &[]);
    run(at, &[&["batch", "show", "latest"], &reads[..]].concat()).expect(0, &[]);
    assert!(before == std::fs::read(&path).unwrap(), "bytes of theirs changed");
    assert_eq!(std::fs::read_dir(theirs.path()).unwrap().count(), 1, "nothing beside it");
    let [file] = &controls(at)[..] else { panic!("{:?}", controls(at)) };
    let jobs = Connection::open(file).unwrap();
    let count: i64 =
        jobs.query_row("select count(*) from plimsoll_jobs", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 4);
}

#[test]
fn a_report_over_a_postgresql_that_is_only_read_goes_on_behind_a_kill_with_jobs_elsewhere() {
    let sql = format!(
        "create table public.films (id bigint primary key, title text);
         insert into public.films select i, 'Film ' || i from generate_series(1, {ROWS}) as i;
         create table public.jobs (id bigint primary key, queue text);
         create table public.events (id bigint primary key);
         insert into public.jobs values (1, 'theirs');
         analyze;"
    );
    let Some(database) = Database::with(&sql) else { return };
    let (folder, url) = (folder(), database.url());
    let at = folder.path();
    let init = run(at, &["init", "--database", &url, "--out", "r.toml"]);
    let reader = database.make_role(init.expect(0, &[]).text());
    let reads = ["--database", &reader, "--resources", "r.toml"];
    // In the schema of the same database, by a role that may write there.
    let control = ["--control-url", &url];
    let serve = [&["serve", "--port", "0"], &reads[..], &control].concat();
    run(at, &serve).expect(2, &["control.url", "plimsoll migrate --control-url"]);
    let migrated = run(at, &[&["migrate", "--json"], &control[..]].concat());
    let migrated = migrated.expect(0, &[]).json();
    assert!(migrated.as_array().unwrap().iter().all(|one| one["pack"] == "jobs"), "{migrated}");
    report_behind_a_kill(at, &[&reads[..], &control].concat(), "films");
    // The app enqueues in its own transaction, and a worker that knows the control alone works.
    database.execute("select plimsoll.enqueue('mail.theirs')");
    let added = ["jobs", "add", "system.prune"];
    run(at, &[&added[..], &control].concat()).expect(0, &[]);
    let worker = [&["worker", "--max-jobs", "1"], &control[..]].concat();
    run(at, &worker).expect(0, &["worker ended: 1 jobs"]);
    let listed = run(at, &[&["jobs", "list", "--json"], &control[..]].concat()).json();
    assert_eq!(listed.as_array().unwrap().len(), 5, "{listed}");
    let made = "select count(*) from pg_class where relkind = 'r' \
                and relnamespace = 'public'::regnamespace";
    assert_eq!(database.count(made), 3, "no table among theirs");
    let dropped = run(at, &[&["uninstall", "--yes"], &control[..]].concat());
    let said = dropped.expect(0, &[]).text();
    assert!(said.contains("dropped: the schema plimsoll"), "{said}");
    assert!(said.contains("the database is ") && said.contains("from --control-url"), "{said}");
    let left = "select count(*) from pg_namespace where nspname = 'plimsoll'";
    assert_eq!(database.count(left), 0);
    assert_eq!(database.count("select count(*) from public.jobs"), 1, "theirs stays");
    assert_eq!(database.count("select count(*) from public.films"), ROWS);
    assert!(controls(at).is_empty());
}

#[test]
fn two_databases_over_one_data_directory_have_jobs_and_reports_of_their_own() {
    let (folder, theirs) = (folder(), folder());
    let at = folder.path();
    let mut places = Vec::new();
    for (name, rows) in [("a.db", 3), ("b.db", 5)] {
        let path = theirs.path().join(name);
        let sql = format!(
            "create table films (id integer primary key, title text);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < {rows})
             insert into films select i, 'Film' from n;"
        );
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        let database = path.to_str().unwrap().to_owned();
        let resources = format!("{name}.toml");
        run(at, &["init", "--database", &database, "--out", &resources]).expect(0, &[]);
        let server = Server::start(at, &["--database", &database, "--resources", &resources]);
        assert!(server.get("/api/v2/jobs").json()["data"].as_array().unwrap().is_empty());
        let definition = r#"{"resource":"films","format":"ndjson"}"#;
        let asked = server.client().post("/api/v2/reports", definition).unwrap();
        let place = asked.header("location").unwrap().to_owned();
        let job = until(&server, &place, |job| job["finished_at"].is_string());
        assert_eq!(job["result"]["rows"], rows, "{job}");
        server.stop().expect(0, &["stopped"]);
        places.push((database, resources, place, rows));
    }
    assert_eq!(controls(at).len(), 2);
    for (database, resources, place, rows) in &places {
        let server = Server::start(at, &["--database", database, "--resources", resources]);
        let got = server.get(&format!("{place}/download"));
        assert_eq!(got.body.split(|b| *b == b'\n').filter(|l| !l.is_empty()).count(), *rows);
        server.stop().expect(0, &["stopped"]);
    }
}

#[test]
fn an_uninstall_that_may_mean_two_databases_is_refused_with_both() {
    let folder = folder();
    let at = folder.path();
    let two = [
        "--database",
        "postgres://u:secret@127.0.0.1:1/app",
        "--control-url",
        "postgres://u:secret@127.0.0.1:1/jobs",
    ];
    let refused = run(at, &[&["uninstall", "--yes"], &two[..]].concat());
    refused.expect(
        2,
        &["127.0.0.1:1/app, from --database", "127.0.0.1:1/jobs, from --control-url", "u:***@"],
    );
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    // The same by two names is one: it goes on to ask it.
    let same = [&two[..3], &["postgresql://other@127.0.0.1:1/app"]].concat();
    run(at, &[&["uninstall"], &same[..]].concat()).expect(1, &[]);
}

#[test]
fn a_place_for_jobs_that_is_somebodys_or_beside_nothing_is_refused() {
    let (folder, theirs) = (folder(), folder());
    let (at, path, other) =
        (folder.path(), theirs.path().join("app.db"), theirs.path().join("other.db"));
    for path in [&path, &other] {
        let sql = "create table films (id integer primary key)";
        Connection::open(path).unwrap().execute_batch(sql).unwrap();
    }
    let (database, other) = (path.to_str().unwrap(), other.to_str().unwrap());
    let serve = ["serve", "--port", "0", "--database", database];
    for control in [database, other] {
        let before = std::fs::read(control).unwrap();
        let line = [&serve[..], &["--control-url", control]].concat();
        run(at, &line).expect(2, &["control.url", control, "somebody else's tables"]);
        assert!(before == std::fs::read(control).unwrap());
    }
    let alone = ["serve", "--port", "0", "--control-url", "jobs.db"];
    run(at, &alone).expect(2, &["control.url is jobs.db", "database.url names none"]);
    let named = [&["jobs", "list"], &["--database", database, "--control-url", "jobs.db"][..]];
    run(at, &named.concat()).expect(0, &["there are no such jobs"]);
    assert!(at.join("jobs.db").exists() && controls(at).is_empty());
    let migrated = run(at, &["migrate", "--status", "--control-url", "jobs.db"]);
    let said = migrated.expect(0, &[]).text();
    assert!(said.contains("the database is jobs.db, from --control-url"), "{said}");
}
