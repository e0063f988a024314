//! Reports: a job writes the file, and it is fetched whole or by parts.
//!
//! Promises: the bytes of a report are those of the export of the same; a report that was broken
//! off at any page has every row once.
//! Never: a wait without a deadline.

use std::path::PathBuf;
use std::time::Duration;

use plimsoll_store::Store;
use serde_json::{Value as Json, json};

use crate::access::{As, access};
use crate::client::Answer;
use crate::jobs::jobs;
use crate::support::{TestServer, World, failing_once, start_with, world};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

pub(crate) struct Desk {
    pub(crate) server: TestServer,
    directory: PathBuf,
}

pub(crate) fn desk(world: &World) -> Desk {
    desk_over(world, world.store.clone(), Duration::from_secs(3_600))
}

fn desk_over(world: &World, store: Store, keep: Duration) -> Desk {
    let directory = world.directory().join("reports");
    let server = start_with(world, |config| {
        let mut jobs = jobs(world);
        jobs.reports.keep = keep;
        jobs.worker.memory = Some(config.budget.child("jobs", 16 << 20).expect("a child"));
        (config.jobs, config.store) = (Some(jobs), store);
    });
    Desk { server, directory }
}

impl Desk {
    fn ask(&self, definition: &Json) -> Answer {
        self.server.ask("POST", "/api/v2/reports", JSON, definition.to_string().as_bytes())
    }

    fn begin(&self, definition: &Json) -> String {
        let answer = self.ask(definition);
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
        answer.header("location").expect("a place").to_owned()
    }

    pub(crate) fn over(&self, place: &str) -> Json {
        let state = |job: &Json| job["state"].as_str().unwrap_or_default().to_owned();
        let is_over = |job: &Json| matches!(&*state(job), "completed" | "failed" | "quarantined");
        self.server.wait_until(place, || is_over(&self.server.get(place).json()));
        self.server.get(place).json()
    }

    /// The place and the document of a report that is there.
    pub(crate) fn made(&self, definition: &Json) -> (String, Json) {
        let place = self.begin(definition);
        let job = self.over(&place);
        assert_eq!(job["state"], "completed", "{job}");
        (place, job)
    }

    pub(crate) fn download(&self, place: &str, headers: &[(&str, &str)]) -> Answer {
        self.server.ask("GET", &format!("{place}/download"), headers, b"")
    }

    fn files(&self) -> usize {
        std::fs::read_dir(&self.directory).expect("there").count()
    }
}

#[test]
fn a_report_is_asked_for_made_fetched_and_removed() {
    let world = world(3_000);
    let desk = desk(&world);
    for (format, params, export) in [
        ("csv", json!({}), "format=csv"),
        ("ndjson", json!({"filter": "price >= 10"}), "format=ndjson&filter=price%20%3E%3D%2010"),
        (
            "json",
            json!({"sort": "-price", "fields": "id,price"}),
            "format=json&sort=-price&fields=id,price",
        ),
        ("csv", json!({"sort": "name"}), "format=csv&sort=name"),
        ("json", json!({"filter": "id < 0"}), "format=json&filter=id%20%3C%200"),
        ("ndjson", json!({"filter": "id < 0"}), "format=ndjson&filter=id%20%3C%200"),
        ("json", json!({"consistency": "snapshot"}), "format=json&consistency=snapshot"),
    ] {
        let (place, job) =
            desk.made(&json!({"resource": "goods", "format": format, "params": params}));
        let result = &job["result"];
        let expected = desk.server.get(&format!("/goods/export?{export}"));
        let got = desk.download(&place, &[]);
        assert_eq!(got.status, 200, "{}", got.text());
        assert!(got.body == expected.body, "{export}: {} {}", got.body.len(), expected.body.len());
        assert_eq!(got.header("content-type"), expected.header("content-type"));
        assert_eq!(got.header("accept-ranges"), Some("bytes"));
        assert_eq!(got.header("repr-digest"), result["digest"].as_str());
        assert_eq!(got.header("repr-digest"), Some(&*sha256(&got.body)));
        assert_eq!(result["size"], got.body.len());
        assert_eq!(result["url"], format!("{place}/download"));
        assert!(result["expires_at"].as_str().is_some_and(|at| at.starts_with("20")), "{result}");
        let head = desk.server.ask("HEAD", &format!("{place}/download"), &[], b"");
        let length = got.body.len().to_string();
        assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
        assert_eq!(desk.server.get(&format!("{place}/status")).json()["state"], "completed");
        assert_eq!(desk.server.get(&format!("{place}/progress")).json()["id"], job["id"]);
        let events = desk.server.get(&format!("{place}/events"));
        assert!(events.text().contains("event: done"), "{}", events.text());
        let removed = desk.server.ask("DELETE", &place, &[], b"");
        assert_eq!(removed.json(), json!({"id": job["id"], "bytes_freed": got.body.len()}));
        desk.server.get(&place).problem(404, "not-found");
        assert_eq!(desk.files(), 0);
    }
    let listed = desk.server.get("/reports").json();
    assert_eq!(listed["data"], json!([]));
    desk.server.stop().expect("stops");
}

fn sha256(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    format!("sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(digest))
}

#[test]
fn a_report_broken_off_at_any_page_has_the_bytes_of_one_that_was_not() {
    const FIELDS: &str = "id,code,name,kind,price,stock";
    let world = world(10_000);
    let mut resumed = 0;
    // The first page is the one that shows that there can be a report.
    for page in 2..=8 {
        let format = ["json", "csv", "ndjson"][page % 3];
        let fails_at = i64::try_from(page).expect("small") - 1;
        let store = failing_once(&world, fails_at, Duration::from_millis(20));
        let desk = desk_over(&world, store, Duration::from_secs(3_600));
        let params = json!({"sort": "-price", "fields": FIELDS});
        let (place, job) =
            desk.made(&json!({"resource": "goods", "format": format, "params": params}));
        let errors = desk.server.get(&format!("/jobs/{}/errors", job["id"])).json();
        assert_eq!(errors["data"].as_array().map(Vec::len), Some(1), "page {page}: {errors}");
        resumed += u64::from(job["checkpoint"]["seq"].as_u64() > Some(1));
        let export = format!("/goods/export?format={format}&sort=-price&fields={FIELDS}");
        let got = desk.download(&place, &[]);
        assert!(got.body == desk.server.get(&export).body, "page {page}, {format}: other bytes");
        assert_eq!(got.header("repr-digest"), Some(&*sha256(&got.body)));
        assert_eq!(job["result"]["rows"], 10_000);
        desk.server.ask("DELETE", &place, &[], b"");
        assert_eq!(desk.files(), 0, "nothing of the first attempt is left");
    }
    assert!(resumed >= 2, "{resumed} went on from a checkpoint");
}

#[test]
fn parts_of_a_report_are_given_for_the_bytes_it_has() {
    let world = world(3_000);
    let desk = desk(&world);
    let (place, _) = desk.made(&json!({"resource": "goods", "format": "ndjson"}));
    let whole = desk.download(&place, &[]);
    let (tag, size) = (whole.header("etag").expect("a tag").to_owned(), whole.body.len());
    assert!(tag.starts_with('"'), "strong: {tag}");
    let part = desk.download(&place, &[("range", "bytes=100000-"), ("if-range", &tag)]);
    assert_eq!(part.status, 206);
    assert!(part.body == whole.body[100_000..]);
    let place_of = format!("bytes 100000-{}/{size}", size - 1);
    assert_eq!(part.header("content-range"), Some(&*place_of));
    assert_eq!(part.header("repr-digest"), whole.header("repr-digest"));
    let last = desk.download(&place, &[("range", "bytes=-5")]);
    assert!(last.status == 206 && last.body == whole.body[size - 5..]);
    let other = desk.download(&place, &[("range", "bytes=5-"), ("if-range", "\"other\"")]);
    assert!(other.status == 200 && other.body == whole.body);
    let beyond = desk.download(&place, &[("range", &format!("bytes={size}-"))]);
    beyond.problem(416, "range-not-satisfiable");
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{size}")));
    desk.download(&place, &[("range", "bytes=0-1,3-4")]).problem(416, "range-not-satisfiable");
    assert_eq!(desk.download(&place, &[("if-none-match", &tag)]).status, 304);
    desk.download(&place, &[("if-match", "\"x\"")]).problem(412, "precondition-failed");
}

#[test]
fn a_report_whose_file_is_gone_changed_expired_or_not_there_says_so() {
    let world = world(10);
    let desk = desk(&world);
    let (place, job) = desk.made(&json!({"resource": "goods"}));
    let file = desk.directory.join(job["result"]["file"].as_str().expect("a name"));
    std::fs::write(&file, "x").expect("written");
    desk.download(&place, &[]).problem(410, "gone");
    std::fs::remove_file(&file).expect("removed");
    desk.download(&place, &[]).problem(410, "gone");
    desk.server.ask("DELETE", &place, &[], b"").json();
    desk.server.get(&format!("{place}/download")).problem(404, "not-found");
    drop(desk.server);

    let brief = desk_over(&world, world.store.clone(), Duration::ZERO);
    let (place, _) = brief.made(&json!({"resource": "goods"}));
    brief.download(&place, &[]).problem(410, "gone");
    // The next one finds it expired, and takes it away; its own stays until then.
    brief.made(&json!({"resource": "goods"}));
    assert_eq!(brief.files(), 1);
    drop(brief.server);

    let idle = start_with(&world, |config| {
        let mut jobs = jobs(&world);
        jobs.worker.queues.clear();
        config.jobs = Some(jobs);
    });
    let body = json!({"resource": "goods"}).to_string();
    let asked = idle.ask("POST", "/reports/generate", JSON, body.as_bytes());
    let place = asked.header("location").expect("a place").to_owned();
    let waits = idle.get(&format!("{place}/download"));
    assert_eq!(waits.problem(409, "report-not-ready")["state"], "ready");
    let removed = idle.ask("DELETE", &place, &[], b"");
    assert_eq!(removed.json()["bytes_freed"], 0, "cancelled before it began");
}

#[test]
fn what_jobs_took_at_most_is_a_histogram_of_the_metrics() {
    let world = world(100);
    let desk = desk(&world);
    let count = |bound: &str| {
        let page = desk.server.get("/metrics");
        let text = page.text();
        let name = format!("jobs_peak_bytes_bucket{{le=\"{bound}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("no {name} in\n{text}"));
        line.parse::<u64>().expect("a count")
    };
    assert_eq!(count("+Inf"), 0);
    desk.made(&json!({"resource": "goods"}));
    // What its kind declares: a mebibyte, which is the bound of the second bucket.
    assert_eq!((count("262144.0"), count("1048576.0"), count("+Inf")), (0, 1, 1));
    let page = desk.server.get("/metrics");
    let text = page.text();
    assert!(text.contains("\njobs_peak_bytes_sum 1048576.0\n"), "{text}");
    assert!(text.contains("\n# TYPE jobs_peak_bytes histogram\n"), "{text}");
}

#[test]
fn what_is_no_report_is_refused_before_there_is_a_job() {
    let world = world(10);
    let desk = desk(&world);
    for (definition, status, slug) in [
        (json!({}), 400, "invalid-parameter"),
        (json!({"resource": "gods"}), 400, "invalid-parameter"),
        (json!({"resource": "goods", "format": "xlsx"}), 400, "invalid-parameter"),
        (json!({"resource": "goods", "filename": "../x"}), 400, "invalid-parameter"),
        (json!({"resource": "goods", "expires_in": 0}), 400, "invalid-parameter"),
        (json!({"resource": "goods", "kind": "x"}), 400, "invalid-parameter"),
        (json!({"resource": "goods", "knd": "x"}), 400, "unknown-parameter"),
        (json!({"kind": "slaes"}), 400, "invalid-parameter"),
        (json!({"kind": "sales", "params": {"perod": "7d"}}), 400, "unknown-parameter"),
        (json!({"kind": "sales", "params": {"period": "2d"}}), 400, "invalid-parameter"),
        (json!({"kind": "goods", "params": {"limit": 0}}), 400, "invalid-parameter"),
        (json!({"kind": "analytics", "params": {"period": "2d"}}), 400, "invalid-parameter"),
        (json!({"kind": "analytics", "params": {"by": "orders"}}), 400, "unknown-parameter"),
        (json!({"kind": "pairs", "params": {"filter": "a >"}}), 400, "filter-invalid"),
        (json!({"resource": "goods", "params": {"filter": "price >"}}), 400, "filter-invalid"),
        (json!({"resource": "goods", "params": {"fields": "nam"}}), 400, "unknown-field"),
        (json!({"query": "none"}), 404, "not-found"),
    ] {
        desk.ask(&definition).problem(status, slug);
    }
    for path in ["0", "-1", "x", "99999", "1;drop", "9999999999999999999999", "%2e%2e"] {
        desk.server.get(&format!("/reports/{path}")).problem(404, "not-found");
        desk.server.get(&format!("/reports/{path}/download")).problem(404, "not-found");
    }
    desk.server.ask("PUT", "/reports", JSON, b"{}").problem(405, "method-not-allowed");
    desk.server.get("/reports?queue=a").problem(400, "unknown-parameter");
    let forged = json!({"kind": "report.generate", "payload": {}}).to_string();
    desk.server.ask("POST", "/jobs", JSON, forged.as_bytes()).problem(422, "job-invalid");
    assert_eq!(desk.server.get("/jobs").json()["data"], json!([]));
    assert_eq!(desk.files(), 0);
}

#[test]
fn whose_report_it_is_alone_may_see_it_and_who_may_export_alone_makes_one() {
    const ACCESS: &str = r#"
[[key]]
name = "one"
hash = "KEY1"
scopes = ["export:goods"]
[[key]]
name = "two"
hash = "KEY2"
scopes = ["read:*", "export:*", "job:*"]
"#;
    let world = world(50);
    let server = start_with(&world, |config| {
        (config.jobs, config.access) = (Some(jobs(&world)), Some(access(ACCESS)));
    });
    let (one, two) = (As::key(&server, 1), As::key(&server, 2));
    let ask = |who: &As<'_>, what| who.send("POST", "/reports", &[], &json!({"resource": what}));
    ask(&one, "sales").problem(403, "forbidden");
    let place = ask(&one, "goods").header("location").expect("a place").to_owned();
    server.wait_until("made", || one.get(&place).json()["state"] == "completed");
    let got = one.get(&format!("{place}/download"));
    assert_eq!(got.body, one.get("/goods/export").body);
    for tail in ["", "/status", "/events", "/download"] {
        two.get(&format!("{place}{tail}")).problem(404, "not-found");
    }
    two.send("DELETE", &place, &[], &Json::Null).problem(404, "not-found");
    assert_eq!(two.get("/reports").json()["data"], json!([]));
    assert_eq!(one.get("/reports").json()["data"].as_array().map(Vec::len), Some(1));
    server.get(&place).problem(401, "unauthorized");
    let shown = one.get(&place).json();
    assert!(!shown.to_string().contains("seal"), "{shown}");
}

#[test]
fn a_report_larger_than_the_memory_of_the_jobs_is_made_within_it() {
    let world = world(20_000);
    let server = start_with(&world, |config| {
        let mut jobs = jobs(&world);
        // As much as one such job declares, and no more.
        jobs.worker.memory = Some(config.budget.child("jobs", 1 << 20).expect("a child"));
        config.jobs = Some(jobs);
    });
    let desk = Desk { server, directory: world.directory().join("reports") };
    let (place, job) = desk.made(&json!({"resource": "goods", "format": "json"}));
    assert!(job["result"]["size"].as_u64() > Some(2 << 20), "{job}");
    assert!(job["memory"]["peak"].as_u64() <= Some(1 << 20), "{job}");
    let export = desk.server.get("/goods/export?format=json");
    assert!(desk.download(&place, &[]).body == export.body);
}
