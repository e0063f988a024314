//! Exports by link: an app asks, a browser fetches.
//!
//! Promises: a link gives the bytes of the export itself, once, and again by parts; nothing is left
//! of it however it ends.
//! Never: a wait for a time; the clock is the test's own.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value as Json, json};

use crate::client::{Answer, Connection};
use crate::support::{NOW_MICROS, TestServer, World, failing_after, start_with, world};

pub(crate) const MANY: u64 = 20_000;
const JSON_BODY: (&str, &str) = ("content-type", "application/json");

/// A server with a clock and a spill directory of the test's own.
pub(crate) struct Shop {
    pub(crate) server: TestServer,
    now: Arc<AtomicI64>,
    spill: tempfile::TempDir,
}

fn shop(world: &World) -> Shop {
    shop_with(world, |_| {})
}

pub(crate) fn shop_with(
    world: &World,
    change: impl FnOnce(&mut plimsoll_server::ServerConfig),
) -> Shop {
    let spill = tempfile::tempdir().expect("a folder");
    let now = Arc::new(AtomicI64::new(NOW_MICROS));
    let clock = Arc::clone(&now);
    let server = start_with(world, |config| {
        config.spill_directory = spill.path().to_owned();
        config.clock = Arc::new(move || clock.load(Ordering::Relaxed));
        change(config);
    });
    Shop { server, now, spill }
}

impl Shop {
    pub(crate) fn ask(&self, definition: &Json) -> Answer {
        self.server.ask("POST", "/api/v2/exports", &[JSON_BODY], definition.to_string().as_bytes())
    }

    pub(crate) fn link(&self, definition: &Json) -> String {
        let answer = self.ask(definition);
        assert_eq!(answer.status, 201, "{}", answer.text());
        let url = answer.json()["url"].as_str().expect("a link").to_owned();
        assert_eq!(answer.header("location"), Some(&*url));
        url
    }

    pub(crate) fn goods(&self) -> String {
        self.link(&json!({"resource": "goods"}))
    }

    pub(crate) fn range(&self, link: &str, range: &str) -> Answer {
        self.server.ask("GET", link, &[("range", range)], b"")
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Bytes and number of files in the spill directory that are open, named or not.
    pub(crate) fn files(&self) -> (u64, usize) {
        let mut found = (0, 0);
        for entry in std::fs::read_dir("/proc/self/fd").expect("descriptors").flatten() {
            let target = std::fs::read_link(entry.path()).unwrap_or_default();
            if target.starts_with(self.spill.path()) {
                found.0 += std::fs::metadata(entry.path()).map_or(0, |m| m.len());
                found.1 += 1;
            }
        }
        found
    }
}

/// Reads a little of the file and goes away.
pub(crate) fn broken_off(shop: &Shop, link: &str, bytes: usize) -> Vec<u8> {
    // HTTP/1.0 has no chunks, so the bytes can be compared as they come.
    let mut client = Connection::open(shop.server.address);
    client.send_raw(format!("GET {link} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    assert_eq!(client.head().expect("a head").status, 200);
    let mut begin = vec![0; bytes];
    client.reader.read_exact(&mut begin).expect("the beginning");
    begin
}

#[test]
fn a_link_gives_the_bytes_of_the_export_once() {
    let world = world(MANY);
    let shop = shop(&world);
    let odd = "name = 'a&b=c%+'";
    let by_name = json!({"sort": "-name,id", "fields": "id,name", "filter": "stock = 0"});
    let descending = json!({"kind": "b", "sort": "-id"});
    for (definition, direct) in [
        (json!({"resource": "goods"}), "/goods/export/csv"),
        (
            json!({"resource": "goods", "format": "ndjson", "params": descending}),
            "/goods/export?format=ndjson&kind=b&sort=-id",
        ),
        (
            json!({"resource": "goods", "params": {"filter": odd, "fields": "id", "bom": 1}}),
            "/goods/export?filter=name%20%3D%20%27a%26b%3Dc%25%2B%27&fields=id&bom=1",
        ),
        (
            json!({"resource": "goods", "format": "json", "params": by_name}),
            "/goods/export?format=json&sort=-name,id&fields=id,name&filter=stock%20%3D%200",
        ),
        (
            json!({"resource": "goods", "params": {"consistency": "snapshot", "filter": null}}),
            "/goods/export?consistency=snapshot",
        ),
        (
            json!({"resource": "pairs", "format": "ndjson"}),
            "/api/v2/tables/pairs/export?format=ndjson",
        ),
    ] {
        let link = shop.link(&definition);
        let direct = shop.server.get(direct);
        assert_eq!(direct.status, 200, "{}", direct.text());
        let first = shop.server.get(&link);
        assert_eq!((first.status, first.complete), (200, true), "{}", first.text());
        assert!(first.body == direct.body, "{definition}: {} bytes", first.body.len());
        assert_eq!(first.header("content-type"), direct.header("content-type"));
        assert_eq!(first.header("content-disposition"), direct.header("content-disposition"));
        assert_eq!(first.header("cache-control"), Some("no-store, private"));
        assert_eq!(first.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(first.header("accept-ranges"), Some("bytes"));
        assert_eq!(first.header("access-control-allow-origin"), None);
        let again = shop.server.get(&link);
        assert_eq!(again.problem(410, "gone")["reason"], "taken");
        assert_eq!(again.header("referrer-policy"), Some("no-referrer"));
    }
}

#[test]
fn a_download_that_broke_off_is_written_to_its_end_and_goes_on_by_range() {
    let world = world(MANY);
    let shop = shop(&world);
    let whole = shop.server.get("/goods/export/csv").body;
    let link = shop.goods();
    let head = shop.server.ask("HEAD", &link, &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, None), "HEAD takes nothing");
    let begin = broken_off(&shop, &link, 1_000);
    assert!(begin == whole[..1_000]);
    let rest = shop.range(&link, "bytes=1000-");
    let end = whole.len() - 1;
    assert_eq!(rest.status, 206, "{}", rest.text());
    assert_eq!(rest.header("content-range"), Some(&*format!("bytes 1000-{end}/{}", whole.len())));
    assert!(rest.body == whole[1_000..] && rest.complete);
    assert_eq!(rest.header("etag"), head.header("etag"));
    assert!(shop.range(&link, "bytes=5-9").body == whole[5..=9]);
    assert!(shop.range(&link, "bytes=-7").body == whole[whole.len() - 7..]);
    assert!(shop.range(&link, "bytes=0-").body == whole);
    let head = shop.server.ask("HEAD", &link, &[], b"");
    assert_eq!(head.header("content-length"), Some(&*whole.len().to_string()));
    shop.server.wait_until("bytes come back", || shop.server.held("stream") == 0);
    assert_eq!(shop.files(), (whole.len() as u64, 1), "one file, and what it has");
}

#[test]
fn a_range_gives_no_bytes_of_another_file_and_none_that_are_not_there() {
    let world = world(MANY);
    let shop = shop(&world);
    let link = shop.goods();
    let whole = shop.server.get(&link);
    let tag = whole.header("etag").expect("a tag").to_owned();
    let ask = |pairs: &[(&str, &str)]| shop.server.ask("GET", &link, pairs, b"");
    assert_eq!(ask(&[("range", "bytes=9-"), ("if-range", &tag)]).status, 206);
    for other in ["\"x-0\"", &*format!("W/{tag}"), "Sat, 21 Nov 2026 00:00:00 GMT"] {
        let answer = ask(&[("range", "bytes=9-"), ("if-range", other)]);
        assert_eq!(answer.problem(410, "gone")["reason"], "taken", "{other}");
    }
    ask(&[("range", "bytes=9-"), ("if-match", "\"x-0\"")]).problem(412, "precondition-failed");
    assert_eq!(ask(&[("range", "bytes=9-"), ("if-match", &tag)]).status, 206);
    assert_eq!(ask(&[("if-none-match", &tag)]).status, 304);
    let bytes = whole.body.len();
    for range in [&*format!("bytes={bytes}-"), "bytes=-0", "bytes=0-1,5-6"] {
        let answer = ask(&[("range", range)]);
        answer.problem(416, "range-not-satisfiable");
        assert_eq!(answer.header("content-range"), Some(&*format!("bytes */{bytes}")), "{range}");
    }
    // What is no range of bytes asks for everything.
    ask(&[("range", "bytes=5-2")]).problem(410, "gone");
}

#[test]
fn a_download_manager_that_begins_with_a_range_gets_every_part_of_one_export() {
    let world = world(MANY);
    let shop = shop(&world);
    let whole = shop.server.get("/goods/export/csv").body;
    let link = shop.goods();
    // Several ranges, or a tag of something else, do not take it.
    shop.range(&link, "bytes=0-1,5-6").problem(416, "range-not-satisfiable");
    let probe = shop.range(&link, "bytes=0-0");
    assert_eq!(probe.status, 206, "{}", probe.text());
    assert_eq!(probe.header("content-range"), Some(&*format!("bytes 0-0/{}", whole.len())));
    let mut parts = Vec::new();
    for from in (0..whole.len()).step_by(100_000) {
        let to = (from + 99_999).min(whole.len() - 1);
        parts.extend(shop.range(&link, &format!("bytes={from}-{to}")).body);
    }
    assert!(parts == whole);
    // What it has seen by then is not the download, of which there is one.
    let all = shop.server.get(&link);
    assert!((all.status, &all.body) == (200, &whole));
    assert_eq!(all.header("content-length"), Some(&*whole.len().to_string()));
    shop.server.get(&link).problem(410, "gone");
    assert_eq!(shop.range(&link, "bytes=0-0").status, 206);
    let link = shop.goods();
    let all = shop.range(&link, "bytes=0-");
    assert!((all.status, &all.body) == (200, &whole), "everything is sent at once");
    shop.server.get(&link).problem(410, "gone");
    let link = shop.goods();
    let other = [("range", "bytes=9-"), ("if-range", "\"x-0\"")];
    let fresh = shop.server.ask("GET", &link, &other, b"");
    assert!((fresh.status, &fresh.body) == (200, &whole), "what it had is another file");
}

#[test]
fn of_all_who_come_at_once_exactly_one_gets_the_file() {
    let world = world(MANY);
    let shop = shop(&world);
    let whole = shop.server.get("/goods/export/csv").body;
    for _ in 0..5 {
        let link = shop.goods();
        let together = std::sync::Barrier::new(8);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let one = || {
                together.wait();
                shop.server.get(&link)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|t| t.join().expect("an answer")).collect()
        });
        let won: Vec<&Answer> = answers.iter().filter(|a| a.status == 200).collect();
        assert_eq!(won.len(), 1);
        assert!(won[0].body == whole && won[0].complete);
        for lost in answers.iter().filter(|a| a.status != 200) {
            lost.problem(410, "gone");
        }
    }
}

#[test]
fn a_link_ends_with_its_time_and_its_file_goes() {
    let world = world(MANY);
    let shop = shop(&world);
    let answer = shop.ask(&json!({"resource": "goods", "expires_in": 60}));
    assert_eq!(answer.json()["expires_at"], "2026-01-31T12:01:00Z");
    let link = answer.json()["url"].as_str().expect("a link").to_owned();
    shop.pass(59);
    assert_eq!(shop.range(&link, "bytes=0-0").status, 206);
    shop.pass(1);
    for method in ["GET", "HEAD"] {
        assert_eq!(shop.server.ask(method, &link, &[], b"").status, 410);
    }
    let late = shop.range(&link, "bytes=0-0").problem(410, "gone");
    assert!(
        late["detail"].as_str().expect("text").contains("until 2026-01-31T12:01:00Z"),
        "{late}"
    );
    shop.server.wait_until("its file goes", || shop.files() == (0, 0));
    // With the next its entry goes, too.
    let held = shop.server.held("exports");
    shop.link(&json!({"resource": "goods", "expires_in": 60}));
    assert_eq!(shop.server.held("exports"), held);
}

#[test]
fn a_file_is_kept_no_longer_than_it_may_be() {
    let world = world(MANY);
    let shop = shop_with(&world, |config| {
        config.limits.export_kept = std::time::Duration::from_millis(20);
    });
    let link = shop.goods();
    assert_eq!(shop.range(&link, "bytes=0-0").status, 206);
    shop.server.wait_until("its file goes", || shop.files() == (0, 0));
    let late = shop.range(&link, "bytes=0-0").problem(410, "gone");
    assert!(late["detail"].as_str().expect("text").contains("is over"), "{late}");
}

#[test]
fn a_link_that_was_changed_or_is_of_another_time_leads_nowhere() {
    let world = world(10);
    let shop = shop(&world);
    let link = shop.goods();
    let (path, query) = link.split_once('?').expect("a query");
    let longer = query.replace("expires=1", "expires=2");
    let foreign = format!("/api/v2/exports/{}", "0".repeat(32));
    for changed in [
        path.to_owned(),
        format!("{path}?{longer}"),
        format!("{path}?{query}&utm=1"),
        format!("{path}?{}", &query[..query.len() - 1]),
        format!("{foreign}?{query}"),
        format!("/api/v2/exports/x?{query}"),
    ] {
        let answer = shop.server.get(&changed);
        answer.problem(404, "not-found");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = shop.server.ask(method, &link, &[], b"");
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    let answer = shop.server.get("/api/v2/exports");
    answer.problem(405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    // A server that was started anew knows the signature and not the export.
    let anew = start_with(&world, |_| {}).get(&link).problem(404, "not-found");
    assert!(anew["detail"].as_str().expect("text").contains("started anew"), "{anew}");
    assert_eq!(shop.server.get(&link).status, 200, "none of it took the link");
}

#[test]
fn what_an_export_refuses_is_refused_to_the_app_that_asks_for_its_link() {
    let world = world(MANY);
    let shop = shop(&world);
    for (definition, direct) in [
        (json!({"filter": "nmae = 'x'"}), "filter=nmae%20%3D%20%27x%27"),
        (json!({"fields": "id,nmae"}), "fields=id,nmae"),
        (json!({"sort": "nmae"}), "sort=nmae"),
        (json!({"limit": 5}), "limit=5"),
        (json!({"consistency": "strong"}), "consistency=strong"),
        (json!({"bom": true}), "bom=true"),
        (json!({"after": "x"}), "after=x"),
        (json!({"consistency": "snapshot", "sort": "stock"}), "consistency=snapshot&sort=stock"),
    ] {
        let asked = shop.ask(&json!({"resource": "goods", "params": definition}));
        let direct = shop.server.get(&format!("/goods/export?{direct}"));
        assert_eq!(asked.status, 400, "{}", asked.text());
        let mut problems = [asked.json(), direct.json()];
        for problem in &mut problems {
            problem["instance"] = Json::Null;
        }
        assert_eq!(problems[0], problems[1]);
    }
    assert_eq!(shop.server.held("exports"), 0);
}

#[test]
fn a_wrong_definition_is_refused_with_the_place_and_what_is_allowed() {
    let world = world(10);
    let shop = shop(&world);
    let long = "x".repeat(9_000);
    let refused = |body: &str, slug: &str, said: &str| {
        let answer = shop.server.ask("POST", "/exports", &[JSON_BODY], body.as_bytes());
        let problem = answer.problem(400, slug);
        assert!(problem.to_string().contains(said), "{body}: {problem}");
    };
    refused("[]", "invalid-request", "not a JSON object");
    refused("{}", "invalid-parameter", "/resource is missing");
    refused(r#"{"resource":"good"}"#, "invalid-parameter", r#""did_you_mean":"goods""#);
    refused(r#"{"resource":7}"#, "invalid-parameter", "is not a text");
    refused(
        r#"{"resource":"goods","parms":{}}"#,
        "unknown-parameter",
        r#""did_you_mean":"params""#,
    );
    refused(
        r#"{"resource":"goods","resource":"goods"}"#,
        "invalid-parameter",
        "stands there twice",
    );
    refused(r#"{"resource":"goods","format":"xlsx"}"#, "invalid-parameter", "ndjson, json, csv");
    refused(r#"{"resource":"goods","params":[]}"#, "invalid-parameter", "/params is not an object");
    let twice = r#"{"resource":"goods","params":{"sort":"id","sort":"id"}}"#;
    refused(twice, "invalid-parameter", "is given twice");
    let nested = r#"{"resource":"goods","params":{"fields":["id"]}}"#;
    refused(nested, "invalid-parameter", "/params/fields");
    refused(r#"{"resource":"goods","params":{"format":"csv"}}"#, "invalid-parameter", "/format");
    let many = format!(r#"{{"resource":"goods","params":{{"filter":"{long}"}}}}"#);
    refused(&many, "invalid-parameter", "at most 8192 bytes");
    for name in ["", "../x", "a/b", "a\\\\b", "a\\r\\nset-cookie: x", ".x", "\\u202egpj.exe"] {
        let body = format!(r#"{{"resource":"goods","filename":"{name}"}}"#);
        refused(&body, "invalid-parameter", "/filename");
    }
    for seconds in ["0", "-1", "86401", "1.5", "\"60\"", "1e3"] {
        let body = format!(r#"{{"resource":"goods","expires_in":{seconds}}}"#);
        refused(&body, "invalid-parameter", "from 1 to 86400");
    }
    shop.server.ask("POST", "/exports?x=1", &[JSON_BODY], b"{}").problem(400, "unknown-parameter");
    shop.server.ask("POST", "/exports", &[], b"{}").problem(415, "unsupported-media-type");
    let session = [JSON_BODY, ("plimsoll-session", "nonsense")];
    let body = br#"{"resource":"goods"}"#;
    shop.server.ask("POST", "/exports", &session, body).problem(400, "invalid-request");
}

#[test]
fn a_name_of_any_language_is_given_to_the_file() {
    let world = world(1);
    let shop = shop_with(&world, |config| {
        config.public_url = Some("https://data.example.org/p/".into());
    });
    let link = shop.link(&json!({"resource": "goods", "filename": "Auftr\u{e4}ge \"neu\".csv"}));
    let path = link.strip_prefix("https://data.example.org/p").expect("the public address");
    assert!(path.starts_with("/api/v2/exports/"), "{path}");
    let answer = shop.server.get(path);
    let disposition = answer.header("content-disposition").expect("a name");
    let (plain, coded) = disposition.split_once("; filename*=").expect("two names");
    assert_eq!(plain, "attachment; filename=\"Auftr_ge__neu_.csv\"");
    assert_eq!(coded, "UTF-8''Auftr%C3%A4ge%20%22neu%22.csv");
}

#[test]
fn more_links_than_there_may_be_are_refused_with_a_time_to_come_back() {
    let world = world(10);
    let shop = shop_with(&world, |config| {
        config.limits.exports_max = 3;
        config.limits.export_kept = std::time::Duration::ZERO;
    });
    let short = json!({"resource": "goods", "expires_in": 7});
    let links = [shop.goods(), shop.goods(), shop.link(&short)];
    let full = shop.ask(&short);
    full.problem(429, "queue-full");
    assert_eq!(full.header("retry-after"), Some("7"));
    // One whose file has gone makes room, and so does one that has ended.
    assert_eq!(shop.server.get(&links[0]).status, 200);
    shop.server.wait_until("its file goes", || shop.files() == (0, 0));
    shop.server.wait_until("there is room", || shop.ask(&short).status == 201);
    shop.ask(&short).problem(429, "queue-full");
    shop.pass(7);
    shop.goods();
    shop.goods();
    shop.ask(&short).problem(429, "queue-full");
    assert_eq!(shop.server.get(&links[1]).status, 200, "the others are as they were");
}

#[test]
fn the_file_that_was_finished_first_makes_room_for_a_new_one() {
    let world = world(MANY);
    let bytes = {
        let shop = shop(&world);
        shop.server.get("/goods/export/csv").body.len() as u64
    };
    for bound in ["files", "bytes"] {
        let shop = shop_with(&world, |config| match bound {
            "files" => config.limits.exports_kept_max = 2,
            _ => config.limits.exports_bytes_max = bytes * 5 / 2,
        });
        let links = [shop.goods(), shop.goods(), shop.goods()];
        for link in &links {
            assert_eq!(shop.server.get(link).body.len() as u64, bytes, "{bound}");
            shop.server.wait_until("it is whole and nobody reads it", || {
                let head = shop.server.ask("HEAD", link, &[], b"");
                head.header("content-length").is_some() && shop.server.held("stream") == 0
            });
        }
        let first = shop.range(&links[0], "bytes=0-0").problem(410, "gone");
        assert!(first["detail"].as_str().expect("text").contains("given up for newer"), "{first}");
        for link in &links[1..] {
            assert_eq!(shop.range(link, "bytes=0-0").status, 206, "{bound}");
        }
        assert_eq!(shop.files(), (bytes * 2, 2), "{bound}");
    }
}

#[test]
fn an_export_beyond_the_disk_it_may_take_never_ends_cleanly_and_its_link_says_so() {
    let world = world(MANY);
    let shop = shop_with(&world, |config| config.limits.exports_bytes_max = 300 << 10);
    let link = shop.goods();
    let cut = shop.server.get(&link);
    assert_eq!((cut.status, cut.complete), (200, false));
    for method in ["GET", "HEAD"] {
        assert_eq!(shop.server.ask(method, &link, &[], b"").status, 410);
    }
    let why = shop.range(&link, "bytes=0-0").problem(410, "gone");
    assert!(why["detail"].as_str().expect("text").contains("disk was full"), "{why}");
    shop.server.wait_until("nothing is left", || {
        shop.files() == (0, 0) && shop.server.held("stream") == 0
    });
    // Where not even the beginning fits, it is an ordinary problem, and the link was not used.
    let none = shop_with(&world, |config| config.limits.exports_bytes_max = 10);
    let link = none.goods();
    for _ in 0..2 {
        let full = none.server.get(&link).problem(507, "disk-full");
        assert!(full["detail"].as_str().expect("text").contains("exports.disk_max"), "{full}");
    }
    none.server.wait_until("nothing is left", || none.files() == (0, 0));
}

#[test]
fn a_failure_midway_cuts_the_download_and_drops_the_file() {
    let world = world(MANY);
    let store = failing_after(&world, 4, false);
    let shop = shop_with(&world, |config| config.store = store);
    let link = shop.goods();
    let cut = shop.server.get(&link);
    assert_eq!((cut.status, cut.complete), (200, false));
    let why = shop.range(&link, "bytes=0-0").problem(410, "gone");
    assert!(why["detail"].as_str().expect("text").contains("failed midway"), "{why}");
    assert!(!why.to_string().contains("secret"), "{why}");
    shop.server.wait_until("nothing is left", || {
        shop.files() == (0, 0) && shop.server.held("stream") == 0
    });
}

#[test]
fn a_link_whose_export_is_refused_was_not_used() {
    let world = world(MANY);
    let shop = shop_with(&world, |config| {
        config.limits.streams_max = 1;
        config.limits.admission_wait = std::time::Duration::from_millis(20);
    });
    let link = shop.goods();
    let mut other = Connection::open(shop.server.address);
    other.send("GET", "/goods/stream", &[], b"");
    assert_eq!(other.head().expect("a head").status, 200);
    let refused = shop.server.get(&link);
    refused.problem(429, "queue-full");
    assert!(refused.header("retry-after").is_some());
    drop(other);
    shop.server.wait_until("the other has gone", || shop.server.held("stream") == 0);
    assert_eq!(shop.server.get(&link).status, 200, "one place is enough for an export by link");
}

#[test]
fn clients_that_leave_at_any_time_leave_nothing_behind() {
    let world = world(MANY);
    let shop = shop_with(&world, |config| {
        config.limits.export_kept = std::time::Duration::from_millis(20);
    });
    for bytes in [0, 1, 5_000, 200_000] {
        let link = shop.goods();
        drop(broken_off(&shop, &link, bytes));
        let link = shop.goods();
        let mut client = Connection::open(shop.server.address);
        client.send("GET", &link, &[("range", "bytes=7-")], b"");
        drop(client);
        let link = shop.goods();
        let mut client = Connection::open(shop.server.address);
        client.send("GET", &link, &[], b"");
        drop(client);
    }
    shop.server.wait_until("nothing is left", || {
        shop.files() == (0, 0) && shop.server.held("stream") == 0
    });
    assert!(std::fs::read_dir(shop.spill.path()).expect("a folder").next().is_none());
    shop.pass(600);
    let link = shop.goods();
    assert_eq!(shop.server.get(&link).status, 200);
}

#[test]
fn a_slow_client_holds_no_connection_and_gets_every_byte() {
    let world = world(MANY);
    let shop = shop(&world);
    let whole = shop.server.get("/goods/export?format=ndjson").body;
    let link = shop.link(&json!({"resource": "goods", "format": "ndjson"}));
    let mut slow = Connection::open(shop.server.address);
    slow.send_raw(format!("GET {link} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    assert_eq!(slow.head().expect("a head").status, 200);
    // It has taken nothing yet, and the export is whole.
    shop.server.wait_until("the export is whole", || {
        let head = shop.server.ask("HEAD", &link, &[], b"");
        head.header("content-length") == Some(&*whole.len().to_string())
    });
    shop.server.wait_until("its connection is free", || world.store.stats().connections_used == 0);
    let mut taken = Vec::new();
    slow.reader.read_to_end(&mut taken).expect("the rest");
    assert!(taken == whole, "{} bytes of {}", taken.len(), whole.len());
}

#[test]
fn a_part_that_was_sent_whole_is_no_download_that_a_client_left() {
    let world = world(MANY);
    let shop = shop(&world);
    let link = shop.goods();
    let whole = shop.server.get(&link).body;
    for _ in 0..20 {
        let part = shop.range(&link, "bytes=100000-399999");
        assert!((part.status, &*part.body) == (206, &whole[100_000..400_000]));
    }
    shop.server.wait_until("bytes come back", || shop.server.held("stream") == 0);
    let metrics = shop.server.get("/metrics");
    let left = metrics.text().lines().find(|line| line.starts_with("spacetime_streams_left_total"));
    assert_eq!(left, Some("spacetime_streams_left_total 0"));
}
