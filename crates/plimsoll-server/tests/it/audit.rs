//! Who exported what stands on disk before the first byte and behind the last.
//!
//! Promises: the file is read as anybody would read it, line by line.
//! Never: a wait without a deadline.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::access::{As, access};
use crate::client::Connection;
use crate::support::{NOW_MICROS, TestServer, World, failing_after, start_with, world};

const KEYS: &str = "
[[key]]
name = \"one\"
hash = \"KEY1\"
scopes = [\"read:*\", \"export:*\"]
[[key]]
name = \"operator\"
hash = \"KEY2\"
scopes = [\"admin\"]
";

struct Audited {
    server: TestServer,
    file: PathBuf,
    _folder: tempfile::TempDir,
    _world: World,
}

fn audited(goods: u64) -> Audited {
    let (world, folder) = (world(goods), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("audit.ndjson");
    let audit = Some(file.clone());
    let server = start_with(&world, |config| {
        (config.access, config.audit) = (Some(access(KEYS)), audit);
    });
    Audited { server, file, _folder: folder, _world: world }
}

fn rows(file: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(file).expect("the file");
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

impl Audited {
    /// The rows, once there are so many.
    fn rows(&self, count: usize) -> Vec<Json> {
        let file = &self.file;
        self.server.wait_until("the rows of the audit", || rows(file).len() >= count);
        let rows = rows(file);
        assert_eq!(rows.len(), count, "{rows:?}");
        rows
    }
}

#[test]
fn an_export_has_a_row_before_its_first_byte_and_one_behind_its_last() {
    let audited = audited(300);
    let one = As::key(&audited.server, 1);
    let query = "filter=price%20%3C%201&sort=-price";
    let answer =
        one.send("GET", &format!("/goods/stream?{query}"), &[("x-request-id", "r-1")], &Json::Null);
    let read = answer.text().lines().count();
    assert_eq!(read, 99);
    let found = audited.rows(2);
    for (row, event) in found.iter().zip(["begin", "end"]) {
        assert_eq!(row["event"], event);
        assert_eq!(row["principal"], "one");
        assert_eq!((&row["action"], &row["resource"]), (&"stream".into(), &"goods".into()));
        assert_eq!((&row["query"], &row["request_id"]), (&query.into(), &"r-1".into()));
        assert_eq!(row["at"], "2026-01-31T12:00:00Z", "{NOW_MICROS}");
        assert_eq!(row["export"], found[0]["export"]);
    }
    let end = &found[1];
    assert_eq!((&end["outcome"], &end["rows"]), (&"done".into(), &99.into()), "{end}");
    assert_eq!(
        (&end["bytes"], &end["format"]),
        (&answer.body.len().into(), &"application/x-ndjson".into())
    );
    for (target, format, lines) in [
        ("/goods/export/csv", "text/csv", 300),
        ("/goods/export?format=json&sort=name", "application/json", 300),
        ("/goods/stream?format=ndjson&consistency=snapshot", "application/x-ndjson", 300),
        ("/goods/stream?filter=id%20%3C%200", "application/x-ndjson", 0),
    ] {
        let before = rows(&audited.file).len();
        let answer = one.get(target);
        let end = audited.rows(before + 2).pop().expect("a row");
        assert_eq!((&end["outcome"], &end["rows"]), (&"done".into(), &lines.into()), "{target}");
        assert_eq!((&end["format"], &end["bytes"]), (&format.into(), &answer.body.len().into()));
    }
    let link = json!({"resource": "goods", "params": {"filter": "id < 10"}, "format": "ndjson"});
    let link = one.send("POST", "/api/v2/exports", &[], &link).json()["url"].clone();
    let answer = audited.server.get(link.as_str().expect("a link"));
    let end = audited.rows(12).pop().expect("a row");
    assert_eq!((&end["action"], &end["principal"]), (&"link".into(), &"one".into()), "{end}");
    assert_eq!((&end["rows"], &end["outcome"]), (&9.into(), &"done".into()), "{end}");
    assert_eq!((&end["bytes"], &end["resource"]), (&answer.body.len().into(), &"goods".into()));
    // Lists, heads and what was not allowed export nothing.
    one.get("/goods?limit=500");
    one.send("HEAD", "/goods/stream", &[], &Json::Null);
    As::key(&audited.server, 2).get("/goods/stream").problem(403, "forbidden");
    audited.rows(12);
}

#[test]
fn however_an_export_ends_the_audit_says_so() {
    let audited = audited(30_000);
    let one = As::key(&audited.server, 1);
    one.get("/goods/stream?fields=nothing").problem(400, "unknown-field");
    let failed = audited.rows(2).pop().expect("a row");
    assert_eq!((&failed["outcome"], &failed["rows"]), (&"failed".into(), &0.into()));
    let long = format!("/goods/stream?filter=name%20%3D%20'{}'", "x".repeat(3_000));
    assert_eq!(one.get(&long).status, 200);
    let cut = audited.rows(4).pop().expect("a row")["query"].clone();
    assert!(cut.as_str().is_some_and(|q| q.len() == (2 << 10) + 3 && q.ends_with("...")), "{cut}");
    let mut leaving = Connection::open(audited.server.address);
    let authorization = format!("Bearer {}", crate::access::key(1).key);
    leaving.send("GET", "/goods/stream", &[("authorization", &authorization)], b"");
    assert_eq!(leaving.head().expect("a head").status, 200);
    let begun = audited.rows(5).pop().expect("a row");
    assert_eq!(begun["event"], "begin", "on disk before the first byte");
    drop(leaving);
    let left = audited.rows(6).pop().expect("a row");
    assert_eq!(left["outcome"], "left", "{left}");
    let (world, folder) = (crate::support::world(30_000), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("audit.ndjson");
    let server = start_with(&world, |config| {
        config.store = failing_after(&world, 3, false);
        config.audit = Some(file.clone());
    });
    assert!(!server.get("/goods/export/csv").complete);
    server.wait_until("the end", || rows(&file).len() == 2);
    let end = &rows(&file)[1];
    assert_eq!((&end["outcome"], &end["principal"]), (&"cut".into(), &Json::Null), "{end}");
    assert!(end["rows"].as_u64().is_some_and(|rows| rows > 0));
}

#[test]
fn what_still_runs_when_the_server_stops_has_its_end_on_disk() {
    let audited = audited(30_000);
    let mut open = Connection::open(audited.server.address);
    let authorization = format!("Bearer {}", crate::access::key(1).key);
    open.send("GET", "/goods/stream", &[("authorization", &authorization)], b"");
    assert_eq!(open.head().expect("a head").status, 200);
    let Audited { server, file, _folder, _world } = audited;
    drop(open);
    server.stop().expect("stopped");
    let found = rows(&file);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1]["outcome"], "left");
}

#[test]
fn nothing_is_exported_that_the_audit_has_no_room_for() {
    let world = world(10);
    let server = start_with(&world, |config| {
        (config.access, config.audit) = (Some(access(KEYS)), Some("/dev/full".into()));
    });
    let one = As::key(&server, 1);
    one.get("/goods/stream").problem(507, "disk-full");
    one.get("/goods/export/csv").problem(507, "disk-full");
    assert_eq!(one.get("/goods?limit=1").status, 200, "what is no export goes on");
}

#[test]
fn an_export_beyond_the_audits_places_is_refused_with_a_time_to_come_back() {
    let (world, folder) = (world(30_000), tempfile::tempdir().expect("a folder"));
    let file = folder.path().join("audit.ndjson");
    let server = start_with(&world, |config| {
        config.audit = Some(file.clone());
        config.limits.audits_open_max = 1;
    });
    let mut first = Connection::open(server.address);
    first.send("GET", "/goods/stream", &[], b"");
    assert_eq!(first.head().expect("a head").status, 200);
    let refused = server.get("/goods/export/csv");
    refused.problem(503, "busy");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(rows(&file).len(), 1, "what was refused has not begun");
    drop(first);
    server.wait_until("a place", || server.get("/goods/export?filter=id%20%3C%205").status == 200);
}

#[test]
fn an_operator_reads_the_newest_rows_of_the_audit() {
    let audited = audited(5);
    let (one, operator) = (As::key(&audited.server, 1), As::key(&audited.server, 2));
    for _ in 0..3 {
        assert_eq!(one.get("/goods/stream").status, 200);
    }
    audited.rows(6);
    let shown = operator.get("/api/v2/system/audit?limit=2").json();
    let shown = shown["data"].as_array().expect("rows");
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0], audited.rows(6)[5], "the newest first");
    assert_eq!(operator.get("/system/audit").json()["data"].as_array().map(Vec::len), Some(6));
    one.get("/api/v2/system/audit").problem(403, "forbidden");
    operator.get("/api/v2/system/audit?limit=0").problem(400, "invalid-parameter");
    operator.get("/api/v2/system/audit?last=1").problem(400, "unknown-parameter");
    let none = start_with(&audited._world, |config| config.access = Some(access(KEYS)));
    As::key(&none, 2).get("/system/audit").problem(404, "not-found");
}
