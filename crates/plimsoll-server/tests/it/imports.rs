//! Imports: a file is sent, a job takes it in, and what was wrong with it is fetched.
//!
//! Promises: an import that is broken off at any of its units has every row once, and every
//! rejected row once; what is refused leaves neither a job nor a file.
//! Never: a wait without a deadline.

use std::net::Shutdown;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use plimsoll::record::Value;
use plimsoll_jobs::{NewJob, Queue, SystemClock};
use plimsoll_store::{
    AggregateRequest, Aggregated, Database, DatabaseStats, Error, ErrorKind, Page, PageRequest,
    Pending, Priority, Report, ReportRequest, SnapshotRequest, Store, Write, WriteOutcome,
    WriteUnit,
};
use serde_json::{Value as Json, json};

use crate::access::{As, access};
use crate::client::{Answer, Connection};
use crate::jobs::jobs;
use crate::served::on_postgres;
use crate::support::{NOW_MICROS, TestServer, World, start_with, world};

const CSV: &[(&str, &str)] = &[("content-type", "text/csv")];
const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];

/// A job is over by then, also where others have the processors.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Desk {
    pub(crate) server: TestServer,
    directory: PathBuf,
}

pub(crate) fn desk(world: &World) -> Desk {
    desk_over(world, world.store.clone())
}

pub(crate) fn desk_over(world: &World, store: Store) -> Desk {
    let server = start_with(world, |config| {
        let mut jobs = jobs(world);
        jobs.worker.memory = Some(config.budget.child("jobs", 32 << 20).expect("a child"));
        (config.jobs, config.store) = (Some(jobs), store);
    });
    Desk { server, directory: world.directory().join("intake") }
}

impl Desk {
    pub(crate) fn send(&self, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.server.ask("POST", target, headers, body)
    }

    /// The job of what was taken.
    pub(crate) fn taken(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        answer.header("location").expect("a place").to_owned()
    }

    pub(crate) fn over(&self, place: &str) -> Json {
        let is_over = |job: &Json| {
            matches!(job["state"].as_str(), Some("completed" | "failed" | "quarantined"))
        };
        let until = Instant::now() + DEADLINE;
        loop {
            let job = self.server.get(place).json();
            if is_over(&job) {
                return job;
            }
            assert!(Instant::now() < until, "{job}");
            std::thread::yield_now();
        }
    }

    fn import(&self, target: &str, headers: &[(&str, &str)], body: &[u8]) -> (String, Json) {
        let place = self.taken(&self.send(target, headers, body));
        let job = self.over(&place);
        (place, job)
    }

    pub(crate) fn files(&self) -> Vec<String> {
        // It is made when the server stands.
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return Vec::new() };
        entries.map(|e| e.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
    }
}

/// How many goods have a code that begins so.
pub(crate) fn count(world: &World, prefix: &str) -> i64 {
    let begins = format!("substr(code, 1, {}) = '{prefix}'", prefix.len());
    let sql = format!("select count(*) from goods where {begins}");
    let rows = world.store.query(&sql, 1).wait().expect("counted");
    match rows[0][0] {
        Value::Int(rows) => rows,
        ref other => panic!("{other:?}"),
    }
}

/// Rows of goods as CSV, each wrong one without a price.
pub(crate) fn csv(rows: u64, prefix: &str, is_wrong: impl Fn(u64) -> bool) -> String {
    let mut text = "code,name,price\n".to_owned();
    for row in 1..=rows {
        let price = if is_wrong(row) { "dear".to_owned() } else { format!("{row}.5") };
        text.push_str(&format!("{prefix}{row:06},\"good, {row}\",{price}\n"));
    }
    text
}

fn multipart(file_name: &str, media_type: &str, file: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
         Content-Type: {media_type}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--B--\r\n");
    body
}

const FORM: &[(&str, &str)] = &[("content-type", "multipart/form-data; boundary=B")];

#[test]
fn a_file_is_taken_in_by_a_job_in_each_way_it_can_be_sent() {
    let world = world(10);
    let desk = desk(&world);
    let ndjson = |prefix: &str| {
        let row =
            |n| json!({"code": format!("{prefix}{n}"), "name": "x", "price": 2.5}).to_string();
        (1..=3).map(row).collect::<Vec<_>>().join("\n")
    };
    let list = format!("[{}]", ndjson("c").replace('\n', ","));
    let typed = multipart("x", "text/csv", csv(3, "d", |_| false).as_bytes());
    let named = multipart("x.ndjson", "application/octet-stream", ndjson("e").as_bytes());
    let bytes = [("content-type", "application/octet-stream")];
    let json = [("content-type", "application/json")];
    let plain = csv(3, "a", |_| false);
    for (prefix, target, headers, body) in [
        ("a", "/api/v2/goods/import", CSV, plain.clone().into_bytes()),
        ("b", "/goods/import", NDJSON, ndjson("b").into_bytes()),
        ("c", "/api/goods/import", &json, list.into_bytes()),
        ("d", "/api/v2/tables/goods/import", FORM, typed),
        ("e", "/goods/import", FORM, named),
        ("f", "/goods/import?format=ndjson", &bytes, ndjson("f").into_bytes()),
    ] {
        let (place, job) = desk.import(target, headers, &body);
        assert_eq!(job["state"], "completed", "{prefix}: {job}");
        let expected = json!({
            "rows": 3, "skipped": 0, "rejected": 0, "dry_run": false, "rejects": null
        });
        assert_eq!(job["result"], expected);
        assert_eq!(count(&world, prefix), 3, "{prefix}");
        desk.server.get(&format!("{place}/rejects")).problem(404, "not-found");
    }
    let (_, again) = desk.import("/goods/import?on_conflict=skip", CSV, plain.as_bytes());
    assert_eq!((&again["result"]["rows"], &again["result"]["skipped"]), (&json!(0), &json!(3)));
    let dearer = plain.replace(".5\n", ".75\n");
    let (_, job) = desk.import("/goods/import?on_conflict=update", CSV, dearer.as_bytes());
    assert_eq!(job["result"]["rows"], 3, "{job}");
    let dear = desk.server.get("/goods?filter=price%20%3D%203.75").json();
    assert_eq!(dear["data"].as_array().map(Vec::len), Some(1), "{dear}");
    let (_, dry) = desk.import("/goods/import?dry_run=1", CSV, csv(9, "z", |_| false).as_bytes());
    assert_eq!((&dry["result"]["rows"], &dry["result"]["dry_run"]), (&json!(9), &json!(true)));
    assert_eq!(count(&world, "z"), 0, "a trial writes nothing");
    assert_eq!(desk.files(), [""; 0], "every file is gone with its job");
}

#[test]
fn rows_that_are_left_out_are_fetched_with_line_and_reason_whole_and_by_parts() {
    let world = world(3);
    let desk = desk(&world);
    let mut file = csv(500, "n", |row| row % 100 == 0);
    file.push_str("G0000002,is there,1\n");
    let (place, job) = desk.import("/goods/import?on_error=continue", CSV, file.as_bytes());
    assert_eq!((&job["state"], &job["result"]["rejected"]), (&json!("completed"), &json!(6)));
    assert_eq!((&job["result"]["rows"], count(&world, "n")), (&json!(495), 495));
    let place = format!("{place}/rejects");
    assert_eq!(job["result"]["rejects"]["url"], place);
    let whole = desk.server.get(&place);
    assert_eq!(whole.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let lines: Vec<&str> = whole.text().lines().collect();
    assert_eq!((lines.len(), lines[0]), (7, "line,reason,record"));
    assert!(lines[1].starts_with("101,\"line 101, column 'price'"), "{}", lines[1]);
    assert!(lines[1].ends_with("\"n000100,\"\"good, 100\"\",dear\""), "{}", lines[1]);
    assert!(lines[6].starts_with("502,") && lines[6].contains("G0000002"), "{}", lines[6]);
    let tag = whole.header("etag").expect("a tag").to_owned();
    let part = desk.server.ask("GET", &place, &[("range", "bytes=20-"), ("if-range", &tag)], b"");
    assert!(part.status == 206 && part.body == whole.body[20..], "{}", part.text());
    let length = whole.body.len().to_string();
    let head = desk.server.ask("HEAD", &place, &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
    assert_eq!(desk.server.ask("GET", &place, &[("if-none-match", &tag)], b"").status, 304);
    assert_eq!(desk.files().len(), 1, "the rejected rows alone are kept");
    // A result that names another file than the job's own opens none.
    let own = desk.files()[0].clone();
    let theirs = world.directory().join("theirs");
    std::fs::write(&theirs, "x".repeat(100)).expect("written");
    std::fs::write(desk.directory.join("theirs.rejects"), "x".repeat(100)).expect("written");
    let names = [theirs.to_str().expect("UTF-8"), "../theirs", "theirs.rejects", &own];
    for (name, status) in names.into_iter().zip([404, 404, 404, 200]) {
        let mut result = job["result"].clone();
        result["rejects"]["file"] = json!(name);
        let jobs = if on_postgres() { "plimsoll.jobs" } else { "plimsoll_jobs" };
        let text = format!("update {jobs} set result = '{result}' where id = {}", job["id"]);
        let write = Write::Sql { text: text.into(), params: Vec::new() };
        let forged = world.store.write(WriteUnit::of(write, NOW_MICROS), Priority::Urgent);
        assert_eq!(forged.wait().expect("forged").rows, [1]);
        let answer = desk.server.get(&place);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    std::fs::remove_file(desk.directory.join("theirs.rejects")).expect("removed");
    std::fs::remove_file(desk.directory.join(&desk.files()[0])).expect("removed");
    desk.server.get(&place).problem(410, "gone");
}

#[test]
fn an_import_that_a_wrong_row_stopped_goes_on_with_a_corrected_file() {
    let world = world(0);
    let desk = desk(&world);
    let broken = csv(9_000, "s", |row| row == 6_000 || row == 8_000);
    let (place, job) = desk.import("/goods/import", CSV, broken.as_bytes());
    assert_eq!(job["state"], "failed", "{job}");
    let error = job["error"].to_string();
    assert!(error.contains("line 6001") && error.contains("/resume"), "{error}");
    assert_eq!(count(&world, "s"), 5_999, "what stands before it stays");
    let target = format!("{place}/resume");
    // Something else in front of the checkpoint, something shorter, and the same mistake again.
    let other = desk.send(&target, CSV, broken.replacen("good, 1\"", "good, X\"", 1).as_bytes());
    let problem = other.problem(409, "conflict");
    assert_eq!(problem["byte"], 31, "{problem}");
    desk.send(&target, CSV, &broken.as_bytes()[..1_000]).problem(409, "conflict");
    desk.send(&target, CSV, b"").problem(409, "conflict");
    desk.taken(&desk.send(&target, CSV, broken.as_bytes()));
    assert_eq!(desk.over(&place)["state"], "failed");
    // The first of both is mended, then the second.
    let better = csv(9_000, "s", |row| row == 8_000);
    desk.taken(&desk.send(&target, CSV, better.as_bytes()));
    let job = desk.over(&place);
    assert!(job["error"].to_string().contains("line 8001"), "{job}");
    let form = multipart("any", "text/csv", csv(9_000, "s", |_| false).as_bytes());
    desk.taken(&desk.send(&target, FORM, &form));
    let job = desk.over(&place);
    assert_eq!((&job["state"], &job["result"]["rows"]), (&json!("completed"), &json!(9_000)));
    assert_eq!(count(&world, "s"), 9_000, "every row once");
    desk.send(&target, CSV, better.as_bytes()).problem(409, "conflict");
    assert_eq!(desk.files(), [""; 0]);
}

#[test]
fn a_corrected_file_that_comes_late_does_not_take_the_place_of_one_that_is_taken_in() {
    let world = world(0);
    let desk = desk(&world);
    let (place, job) = desk.import("/goods/import", CSV, csv(5, "l", |row| row == 4).as_bytes());
    assert_eq!(job["state"], "failed", "{job}");
    // One begins to come, and another one is there first.
    let late = csv(5, "l", |_| false);
    let mut connection = Connection::open(desk.server.address);
    let (length, half) = (late.len(), late.len() / 2);
    let head = format!(
        "POST {place}/resume HTTP/1.1\r\nhost: t\r\ncontent-type: text/csv\r\n\
         content-length: {length}\r\n\r\n"
    );
    connection.send_raw(format!("{head}{}", &late[..half]).as_bytes()).expect("sent");
    desk.server.wait_until("it is received", || desk.files().len() == 2);
    desk.taken(&desk.send(&format!("{place}/resume"), CSV, late.as_bytes()));
    assert_eq!(desk.over(&place)["state"], "completed");
    connection.send_raw(&late.as_bytes()[half..]).expect("sent");
    let refused = connection.answer("POST").expect("an answer");
    assert_eq!(refused.problem(409, "conflict")["state"], "completed");
    assert_eq!((desk.files(), count(&world, "l")), (vec![], 5));
}

#[test]
fn wrong_rows_beyond_what_is_allowed_stop_an_import_where_it_can_go_on() {
    let world = world(0);
    let desk = desk(&world);
    let broken = csv(300, "m", |row| row % 100 == 0);
    let target = "/goods/import?on_error=continue&max_errors=2";
    let (place, job) = desk.import(target, CSV, broken.as_bytes());
    assert_eq!(job["state"], "failed", "{job}");
    assert!(job["error"].to_string().contains("line 301"), "{job}");
    let left_out = desk.server.get(&format!("{place}/rejects"));
    assert_eq!(left_out.text().lines().count(), 3, "{}", left_out.text());
    let better = csv(300, "m", |row| row == 100 || row == 200);
    desk.taken(&desk.send(&format!("{place}/resume"), CSV, better.as_bytes()));
    let job = desk.over(&place);
    assert_eq!((&job["result"]["rows"], &job["result"]["rejected"]), (&json!(298), &json!(2)));
    assert_eq!(count(&world, "m"), 298);
}

/// How a unit is broken off.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    /// It does not happen.
    Before,
    /// It happens, and nobody is told.
    Behind,
    /// The job is another's by then.
    Stolen,
    /// It happens, and then the job is another's: as if it was killed there.
    Lost,
}

/// A store of which one unit is broken off.
struct Breaking {
    inner: Store,
    units_left: AtomicI64,
    how: Break,
}

impl Breaking {
    /// Takes the job from whoever runs it, for the next one.
    fn steal(&self) {
        let jobs = if on_postgres() { "plimsoll.jobs" } else { "plimsoll_jobs" };
        let text = format!(
            "update {jobs} set token = token + 1, state = 'ready', worker = null \
             where state = 'running'"
        );
        let write = Write::Sql { text: text.into(), params: Vec::new() };
        let stolen = self.inner.write(WriteUnit::of(write, NOW_MICROS), Priority::Urgent);
        assert_eq!(stolen.wait().expect("stolen").rows, [1]);
    }
}

impl Database for Breaking {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        self.inner.page(request)
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.inner.report(request)
    }

    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.inner.snapshot(request)
    }

    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.inner.aggregate(request)
    }

    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        self.inner.query(sql, rows_max)
    }

    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        self.inner.state(kind, key)
    }

    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        if self.units_left.fetch_sub(1, Ordering::Relaxed) != 1 {
            return self.inner.write(unit, priority);
        }
        match self.how {
            Break::Before => {}
            Break::Behind => drop(self.inner.write(unit, priority).wait().expect("written")),
            Break::Stolen => {
                self.steal();
                return self.inner.write(unit, priority);
            }
            Break::Lost => {
                let outcome = self.inner.write(unit, priority).wait();
                self.steal();
                return Pending::ready(outcome);
            }
        }
        Pending::ready(Err(Error::new(ErrorKind::Io, "the connection broke")))
    }

    fn ping(&self) -> Pending<()> {
        self.inner.ping()
    }

    fn stats(&self) -> DatabaseStats {
        self.inner.stats()
    }

    fn close(&self) -> plimsoll_store::Result<()> {
        Ok(())
    }
}

pub(crate) fn breaking(world: &World, unit: i64, how: Break) -> Store {
    let breaking = Breaking { inner: world.store.clone(), units_left: unit.into(), how };
    Store::new(Arc::new(breaking), Arc::clone(world.store.catalogue()))
}

#[test]
fn an_import_broken_off_at_any_of_its_units_has_every_row_once() {
    let world = world(0);
    // 9,000 rows are three batches, and one unit more says that it is over.
    for unit in 1..=4 {
        for how in [Break::Before, Break::Behind, Break::Stolen, Break::Lost] {
            let desk = desk_over(&world, breaking(&world, unit, how));
            let prefix = format!("u{unit}{how:?}-");
            let file = csv(9_000, &prefix, |row| matches!(row, 10 | 4_100 | 8_999));
            let target = "/goods/import?on_error=continue";
            let (place, job) = desk.import(target, CSV, file.as_bytes());
            let what = format!("unit {unit}, {how:?}: {job}");
            assert_eq!(job["state"], "completed", "{what}");
            assert_eq!(job["resumed_count"], 1, "{what}");
            let counts = (&job["result"]["rows"], &job["result"]["rejected"]);
            assert_eq!(counts, (&json!(8_997), &json!(3)), "{what}");
            assert_eq!(count(&world, &prefix), 8_997, "{what}");
            let left_out = desk.server.get(&format!("{place}/rejects"));
            let lines = left_out.text().lines().map(|line| line.split(',').next());
            let lines: Vec<&str> = lines.map(Option::unwrap_or_default).collect();
            assert_eq!(lines, ["line", "11", "4101", "9000"], "{what}");
            assert_eq!(desk.files().iter().filter(|name| name.ends_with(".upload")).count(), 0);
        }
    }
}

#[test]
fn a_dry_run_that_is_killed_when_its_file_is_gone_still_tells_what_it_counted() {
    let world = world(0);
    let file = csv(9_000, "t", |row| row == 10);
    // Three batches, what ends the trial, and what says that it ended.
    for how in [Break::Before, Break::Behind, Break::Stolen, Break::Lost] {
        let desk = desk_over(&world, breaking(&world, 5, how));
        let target = "/goods/import?dry_run=1&on_error=continue";
        let (_, job) = desk.import(target, CSV, file.as_bytes());
        let counts = (&job["state"], &job["resumed_count"], &job["result"]["rows"]);
        assert_eq!(counts, (&json!("completed"), &json!(1), &json!(8_999)), "{how:?}: {job}");
        assert_eq!(desk.files().iter().filter(|name| name.ends_with(".upload")).count(), 0);
    }
    assert_eq!(count(&world, "t"), 0);
}

#[test]
fn what_is_no_file_of_the_resource_is_refused_before_there_is_a_job() {
    let world = world(3);
    let desk = desk(&world);
    let none: &[(&str, &str)] = &[];
    let packed: &[(&str, &str)] = &[("content-type", "text/csv"), ("content-encoding", "gzip")];
    let image: &[(&str, &str)] = &[("content-type", "image/png")];
    let bare: &[(&str, &str)] = &[("content-type", "multipart/form-data")];
    let row: &[u8] = b"code,name,price\na,b,1\n";
    let unnamed = multipart("x", "image/png", row);
    let cut = &multipart("x.csv", "text/csv", row)[..100];
    let other = String::from_utf8(multipart("x.csv", "text/csv", row)).expect("text");
    let other = other.replace("name=\"file\"", "name=\"other\"");
    for (target, headers, body, status, slug) in [
        ("/goods/import", none, row, 415, "unsupported-media-type"),
        ("/goods/import", image, row, 415, "unsupported-media-type"),
        ("/goods/import", packed, row, 415, "unsupported-media-type"),
        ("/goods/import", FORM, &unnamed, 415, "unsupported-media-type"),
        ("/goods/import", bare, row, 400, "invalid-request"),
        ("/goods/import", FORM, cut, 400, "invalid-request"),
        ("/goods/import", FORM, other.as_bytes(), 400, "invalid-request"),
        ("/goods/import", CSV, b"", 400, "invalid-request"),
        ("/goods/import", FORM, &multipart("x.csv", "text/csv", b""), 400, "invalid-request"),
        ("/goods/import", CSV, b"code,nam,price\na,b,1\n", 422, "validation"),
        ("/goods/import", CSV, b"code,name\na,b\n", 422, "validation"),
        ("/goods/import", CSV, b"code,code\na,b\n", 422, "validation"),
        ("/goods/import?format=xlsx", CSV, row, 400, "invalid-parameter"),
        ("/goods/import?on_error=skip", CSV, row, 400, "invalid-parameter"),
        ("/goods/import?max_errors=-1", CSV, row, 400, "invalid-parameter"),
        ("/goods/import?dry=1", CSV, row, 400, "unknown-parameter"),
        ("/tables/sales/import", CSV, row, 404, "not-found"),
        ("/api/v2/tables/sales/import", CSV, row, 405, "method-not-allowed"),
        ("/api/v2/tables/none/import", CSV, row, 404, "not-found"),
    ] {
        desk.send(target, headers, body).problem(status, slug);
    }
    desk.server.get("/goods/import").problem(405, "method-not-allowed");
    let forged = json!({"kind": "import", "payload": {}}).to_string();
    let json = [("content-type", "application/json")];
    desk.send("/jobs", &json, forged.as_bytes()).problem(422, "job-invalid");
    assert_eq!(desk.server.get("/jobs").json()["data"], json!([]));
    assert_eq!(desk.files(), [""; 0]);
    // What only a row can tell is told by the job.
    let huge = format!("code,name,price\na,{},1\n", "x".repeat(2 << 20));
    let unknown = b"{\"code\":\"a\",\"name\":\"b\",\"price\":1}\n{\"colour\":\"red\"}\n";
    for (headers, body, expected) in [
        (CSV, huge.as_bytes(), "1048576"),
        (NDJSON, unknown.as_slice(), "colour"),
        (NDJSON, b"not json\n", "line 1"),
    ] {
        let (_, job) = desk.import("/goods/import", headers, body);
        assert_eq!(job["state"], "failed", "{job}");
        assert!(job["error"].to_string().contains(expected), "{job}");
    }
}

#[test]
fn a_body_that_breaks_off_or_finds_no_room_leaves_nothing_behind() {
    let world = world(0);
    let server = start_with(&world, |config| {
        let mut jobs = jobs(&world);
        jobs.intake.disk_bytes_max = 300_000;
        jobs.worker.queues.clear();
        config.jobs = Some(jobs);
    });
    let desk = Desk { server, directory: world.directory().join("intake") };
    let mut connection = Connection::open(desk.server.address);
    let head = "POST /goods/import HTTP/1.1\r\nhost: t\r\ncontent-type: text/csv\r\n\
                content-length: 5000\r\n\r\ncode,name,price\n";
    connection.send_raw(head.as_bytes()).expect("sent");
    desk.server.wait_until("it is received", || desk.files().len() == 1);
    connection.reader.get_ref().shutdown(Shutdown::Both).expect("closed");
    desk.server.wait_until("it is gone", || desk.files().is_empty());
    // More than there will ever be room for is refused before it comes.
    let mut connection = Connection::open(desk.server.address);
    let head = "POST /goods/import HTTP/1.1\r\nhost: t\r\ncontent-type: text/csv\r\n\
                content-length: 300001\r\n\r\n";
    connection.send_raw(head.as_bytes()).expect("sent");
    let refused = connection.answer("POST").expect("an answer");
    assert_eq!(refused.problem(507, "disk-full")["bytes_max"], 300_000);
    assert_eq!(desk.files(), [""; 0]);
    // What waits for its job takes room, and gives it back.
    let half = csv(7_000, "h", |_| false);
    let place = desk.taken(&desk.send("/goods/import", CSV, half.as_bytes()));
    desk.send("/goods/import", CSV, half.as_bytes()).problem(507, "disk-full");
    assert_eq!(desk.server.get(&place).json()["state"], "ready");
    assert_eq!(desk.server.held("body"), 0);
    let waits = desk.server.get(&format!("{place}/rejects"));
    assert_eq!(waits.problem(409, "report-not-ready")["state"], "ready");
}

#[test]
fn two_files_at_once_and_the_same_one_under_one_idempotency_key_come_in_once_each() {
    let world = world(0);
    let desk = desk(&world);
    let [one, two] = ["a", "b"].map(|prefix| csv(8_000, prefix, |_| false));
    let first = desk.taken(&desk.send("/goods/import", CSV, one.as_bytes()));
    let second = desk.taken(&desk.send("/goods/import", CSV, two.as_bytes()));
    for place in [first, second] {
        assert_eq!(desk.over(&place)["result"]["rows"], 8_000);
    }
    assert_eq!((count(&world, "a"), count(&world, "b")), (8_000, 8_000));
    let keyed = [CSV[0], ("idempotency-key", "i1")];
    let file = csv(5, "c", |_| false);
    let (place, _) = desk.import("/goods/import", &keyed, file.as_bytes());
    let again = desk.send("/goods/import", &keyed, file.as_bytes());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(desk.taken(&again), place, "the job there was, though it is over");
    for (target, body) in
        [("/goods/import?on_conflict=skip", &file), ("/goods/import", &csv(6, "c", |_| false))]
    {
        let reused = desk.send(target, &keyed, body.as_bytes());
        reused.problem(422, "idempotency-key-reused");
    }
    assert_eq!((count(&world, "c"), desk.files()), (5, vec![]));
}

#[test]
fn files_that_nobody_needs_any_more_go_and_those_of_jobs_that_are_not_over_stay() {
    let world = world(0);
    let server = start_with(&world, |config| {
        let mut jobs = jobs(&world);
        jobs.intake.keep = Duration::ZERO;
        config.jobs = Some(jobs);
    });
    let desk = Desk { server, directory: world.directory().join("intake") };
    let broken = csv(9, "e", |row| row == 5);
    let (place, job) = desk.import("/goods/import", CSV, broken.as_bytes());
    assert_eq!((&job["state"], desk.files().len()), (&json!("failed"), 1), "it can be corrected");
    // Another one waits, and what has no name of ours is nobody's.
    let pause = desk.server.ask("POST", "/queues/intake/pause", &[], b"");
    assert_eq!(pause.status, 200, "{}", pause.text());
    let waiting = desk.taken(&desk.send("/goods/import", CSV, broken.as_bytes()));
    std::fs::write(desk.directory.join("somebody.upload"), "theirs").expect("written");
    let queue = Queue::new(world.store.clone(), Arc::new(SystemClock::default()));
    let look = NewJob { queue: "low".into(), ..NewJob::new("intake.expire", "{}") };
    let look = queue.enqueue(&look).expect("well formed").wait().expect("enqueued");
    desk.over(&format!("/jobs/{}", look.id));
    assert_eq!(desk.files().len(), 2, "{:?}", desk.files());
    let late = desk.send(&format!("{place}/resume"), CSV, csv(9, "e", |_| false).as_bytes());
    late.problem(410, "gone");
    desk.server.ask("POST", "/queues/intake/resume", &[], b"");
    assert_eq!(desk.over(&waiting)["state"], "failed");
}

#[test]
fn what_a_kill_left_is_looked_for_by_the_next_server_and_goes_when_its_time_is_over() {
    let world = world(0);
    let start = |keep| {
        let server = start_with(&world, |config| {
            let mut jobs = jobs(&world);
            jobs.intake.keep = keep;
            config.jobs = Some(jobs);
        });
        Desk { server, directory: world.directory().join("intake") }
    };
    let looks = |desk: &Desk| {
        let looks = desk.server.get("/jobs?kind=intake.expire").json();
        let to_come = |look: &&Json| look["state"] != "completed";
        looks["data"].as_array().map_or(0, |looks| looks.iter().filter(to_come).count())
    };
    let half = "0123456789abcdef".repeat(2) + ".partial";
    std::fs::create_dir_all(world.directory().join("intake")).expect("made");
    std::fs::write(world.directory().join("intake").join(&half), "a,b\n").expect("written");
    let queue = Queue::new(world.store.clone(), Arc::new(SystemClock::default()));
    let look = |desk: &Desk| {
        let look = NewJob { queue: "low".into(), ..NewJob::new("intake.expire", "{}") };
        let look = queue.enqueue(&look).expect("well formed").wait().expect("enqueued");
        desk.over(&format!("/jobs/{}", look.id));
    };
    {
        let desk = start(Duration::from_secs(3_600));
        desk.server.wait_until("a look is to come", || looks(&desk) == 1);
        let sql = "delete from plimsoll_jobs where kind = 'intake.expire'";
        let sql = if on_postgres() { sql.replace("plimsoll_", "plimsoll.") } else { sql.into() };
        let write = Write::Sql { text: sql.into(), params: Vec::new() };
        let gone = world.store.write(WriteUnit::of(write, NOW_MICROS), Priority::Urgent);
        assert_eq!(gone.wait().expect("removed").rows, [1]);
        look(&desk);
        assert_eq!(desk.files(), [half.as_str()], "its time is not over");
        assert_eq!(looks(&desk), 1, "it is looked for again");
    }
    let desk = start(Duration::ZERO);
    look(&desk);
    assert_eq!(desk.files(), [""; 0]);
}

#[test]
fn whose_import_it_is_may_follow_it_and_who_may_write_alone_sends_a_file() {
    const ACCESS: &str = r#"
[[key]]
name = "one"
hash = "KEY1"
scopes = ["write:goods"]
[[key]]
name = "two"
hash = "KEY2"
scopes = ["read:*", "write:pairs"]
[[key]]
name = "three"
hash = "KEY3"
scopes = ["job:*"]
[[key]]
name = "four"
hash = "KEY4"
scopes = ["job:*", "write:goods"]
"#;
    let world = world(0);
    let server = start_with(&world, |config| {
        (config.jobs, config.access) = (Some(jobs(&world)), Some(access(ACCESS)));
    });
    let (one, two) = (As::key(&server, 1), As::key(&server, 2));
    let rows = json!([{"code": "a", "name": "b", "price": 1}, {"code": "c"}]);
    let target = "/goods/import?on_error=continue";
    two.send("POST", target, &[], &rows).problem(403, "forbidden");
    let place = one.send("POST", target, &[], &rows).header("location").expect("one").to_owned();
    server.wait_until("taken in", || one.get(&place).json()["state"] == "completed");
    let rejects = one.get(&format!("{place}/rejects"));
    assert_eq!(rejects.text().lines().count(), 2, "{}", rejects.text());
    for tail in ["", "/rejects", "/errors", "/events"] {
        two.get(&format!("{place}{tail}")).problem(404, "not-found");
    }
    two.send("POST", &format!("{place}/resume"), &[], &rows).problem(404, "not-found");
    server.get(&place).problem(401, "unauthorized");
    // Whoever manages jobs sees one that failed, and puts no rows into it in another's name.
    let wrong = json!([{"code": "d"}]);
    let failed = one.send("POST", "/goods/import", &[], &wrong);
    let failed = failed.header("location").expect("a place").to_owned();
    server.wait_until("stopped", || one.get(&failed).json()["state"] == "failed");
    let better = json!([{"code": "d", "name": "e", "price": 1}]);
    let target = format!("{failed}/resume");
    for (number, status) in [(3, 403), (4, 403), (2, 404)] {
        let answer = As::key(&server, number).send("POST", &target, &[], &better);
        assert_eq!(answer.status, status, "key {number}: {}", answer.text());
    }
    assert_eq!((count(&world, "d"), &one.get(&failed).json()["state"]), (0, &json!("failed")));
    assert_eq!(one.send("POST", &target, &[], &better).status, 202);
    server.wait_until("taken in", || one.get(&failed).json()["state"] == "completed");
    assert_eq!(count(&world, "d"), 1);
}
