//! Schedules over HTTP: set, shown, fired, paused, resumed and removed.

use plimsoll_server::{Access, NewKey};
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::jobs::{JSON, jobs, post, serve};
use crate::support::{TestServer, start_with, world};

fn put(server: &TestServer, path: &str, body: &Json) -> Answer {
    server.ask("PUT", path, JSON, body.to_string().as_bytes())
}

fn nightly() -> Json {
    json!({
        "cron": "30  2 * * *", "zone": "europe/berlin",
        "job": {"kind": "tidy.up", "payload": {"n": 1}, "queue": "calm", "tries": 9},
    })
}

#[test]
fn a_schedule_is_set_shown_fired_paused_resumed_and_removed() {
    let world = world(0);
    let server = serve(&world);
    let set = put(&server, "/schedules/nightly", &nightly());
    assert_eq!(set.status, 201, "{}", set.text());
    assert_eq!(set.header("location"), Some("/api/v2/schedules/nightly"));
    let shown = server.get("/api/v2/schedules/nightly").json();
    assert_eq!(shown, set.json());
    let as_read = [&shown["cron"], &shown["zone"], &shown["state"]];
    assert_eq!(as_read, ["30 2 * * *", "Europe/Berlin", "active"]);
    assert_eq!(shown["overlaps"], false);
    let job = json!({
        "kind": "tidy.up", "payload": {"n": 1}, "queue": "calm", "priority": 5, "tries": 9,
        "max_exceptions": 3, "timeout_ms": 120_000, "memory_bytes": 0,
    });
    assert_eq!(shown["job"], job);
    let next = shown["next_at"].as_str().expect("a time").to_owned();

    // Every second now; the worker of the server looks once a second.
    let mut often = nightly();
    often["cron"] = "* * * * * *".into();
    let changed = put(&server, "/schedules/nightly", &often);
    assert_eq!((changed.status, &changed.json()["cron"]), (200, &json!("* * * * * *")));
    assert_ne!(changed.json()["next_at"].as_str(), Some(&*next));
    let wait = json!({"worker": "w", "queues": ["calm"], "wait_ms": 20_000});
    let claimed = post(&server, "/jobs/claim", &wait).json()["jobs"][0].clone();
    assert_eq!((&claimed["kind"], &claimed["payload"]), (&json!("tidy.up"), &json!({"n": 1})));
    let shown = server.get("/schedules/nightly").json();
    assert_eq!(shown["last_job"], claimed["id"], "{shown}");

    let paused = server.ask("POST", "/schedules/nightly/pause", &[], b"").json();
    assert_eq!((&paused["state"], &paused["next_at"]), (&json!("paused"), &Json::Null));
    let kept = put(&server, "/schedules/nightly", &often).json();
    assert_eq!(kept["state"], "paused", "setting it again resumes nothing: {kept}");
    let resumed = server.ask("POST", "/schedules/nightly/resume", &[], b"").json();
    assert!(resumed["state"] == "active" && resumed["next_at"].is_string(), "{resumed}");
    assert_eq!(server.ask("DELETE", "/schedules/nightly", &[], b"").status, 204);
    for (method, path) in [
        ("GET", "/schedules/nightly"),
        ("DELETE", "/schedules/nightly"),
        ("POST", "/schedules/nightly/pause"),
        ("POST", "/schedules/nightly/resume"),
        ("GET", "/schedules/a%20b"),
    ] {
        let why = server.ask(method, path, &[], b"").problem(404, "not-found");
        assert!(why["detail"].as_str().is_some_and(|text| text.contains("no schedule")), "{why}");
    }
    server.stop().expect("stops");
}

#[test]
fn schedules_are_listed_page_by_page_without_large_payloads() {
    let world = world(0);
    let server = serve(&world);
    for name in ["c", "a", "b"] {
        let mut body = nightly();
        body["job"]["payload"] = json!({"n": "x".repeat(2_000)});
        assert_eq!(put(&server, &format!("/schedules/{name}"), &body).status, 201);
    }
    let mut names = Vec::new();
    let mut path = "/schedules?limit=1".to_owned();
    for _ in 0..10 {
        let page = server.get(&path).json();
        let each = page["data"].as_array().expect("a list").clone();
        assert!(each.iter().all(|one| one["job"]["payload"].is_null()), "{page}");
        names.extend(each.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)));
        match page["meta"]["next_after"].as_str() {
            Some(name) => path = format!("/schedules?limit=1&after={name}"),
            None => break,
        }
    }
    assert_eq!(names, ["a", "b", "c"]);
    let one = server.get("/schedules/a").json();
    assert_eq!(one["job"]["payload"]["n"].as_str().map(str::len), Some(2_000));
    server.get("/schedules?limit=0").problem(400, "invalid-parameter");
    server.get("/schedules?limit=101").problem(400, "invalid-parameter");
    server.get("/schedules?after=a%20b").problem(400, "invalid-parameter");
    server.get("/schedules?state=paused").problem(400, "unknown-parameter");
    server.get("/schedules/a?limit=1").problem(400, "unknown-parameter");
    let told = server.ask("POST", "/schedules/a", &[], b"").problem(405, "method-not-allowed");
    assert!(told["detail"].as_str().is_some_and(|text| text.contains("PUT")), "{told}");
}

#[test]
fn what_is_no_schedule_is_refused_with_its_field_and_nothing_is_set() {
    let world = world(0);
    let server = serve(&world);
    let with = |member: &str, value: Json| {
        let mut body = nightly();
        body[member] = value;
        body
    };
    let of_job = |job: Json| with("job", job);
    for (body, field, said) in [
        (with("cron", "0 0 30 2 *".into()), "cron", "never fires"),
        (with("cron", "0 25 * * *".into()), "cron", "field 2, the hour: \"25\""),
        (with("cron", "* * *".into()), "cron", "has 3 fields"),
        (with("cron", "@reboot".into()), "cron", "@hourly"),
        (with("cron", "9".repeat(256).into()), "cron", "255 bytes at most"),
        (with("zone", "Europe/Atlantis".into()), "zone", "is not known"),
        (of_job(json!({"kind": "a b"})), "job", "is not a name"),
        (of_job(json!({"kind": "a", "priority": 12})), "job", "a priority is 0"),
        (of_job(json!({"kind": "a", "unique_key": "k"})), "job", "a unique key of its own"),
        (of_job(json!({"kind": "a", "delay_ms": 9_000})), "job", "a time of its own"),
    ] {
        let why = put(&server, "/schedules/one", &body).problem(422, "schedule-invalid");
        assert_eq!(why["field"], field, "{why}");
        assert!(why["detail"].as_str().is_some_and(|text| text.contains(said)), "{why}");
    }
    let why = put(&server, "/schedules/a%20b", &nightly()).problem(422, "schedule-invalid");
    assert_eq!(why["field"], "name");
    for (body, status, slug) in [
        (with("corn", "x".into()), 422, "schedule-invalid"),
        (json!({"cron": "@daily"}), 422, "schedule-invalid"),
        (of_job(json!({"payload": 1})), 422, "job-invalid"),
        (of_job(json!({"kind": "a", "quue": 1})), 422, "job-invalid"),
        (of_job(json!({"kind": "system.prun"})), 422, "unknown-kind"),
        (of_job(json!({"kind": "sql.run"})), 403, "not-over-http"),
    ] {
        put(&server, "/schedules/one", &body).problem(status, slug);
    }
    server.ask("PUT", "/schedules/one", JSON, b"{").problem(400, "invalid-request");
    let listed = server.get("/schedules").json();
    assert_eq!(listed["data"], json!([]), "nothing is set");
}

const ACCESS: &str = r#"
[[key]]
name = "mailer"
hash = "MAILER"
scopes = ["job:mail.send"]
[[key]]
name = "viewer"
hash = "VIEWER"
scopes = ["job:*"]
"#;

#[test]
fn a_key_sets_and_sees_schedules_of_its_kinds_alone() {
    let world = world(0);
    let made = [NewKey::of([1; 32]), NewKey::of([2; 32])];
    let text = ACCESS.replace("MAILER", &made[0].hash).replace("VIEWER", &made[1].hash);
    let access = Access::parse(&text, &mut |_| Err("none".to_owned())).expect("an access file");
    let server = start_with(&world, |config| {
        config.jobs = Some(jobs(&world));
        config.access = Some(access);
    });
    let [mailer, viewer] = made.map(|key| format!("Bearer {}", &*key.key));
    let ask = |who: &str, method: &str, path: &str, body: &Json| -> Answer {
        let headers = [("authorization", who), JSON[0]];
        let body = if method == "PUT" { body.to_string() } else { String::new() };
        server.ask(method, path, &headers, body.as_bytes())
    };
    let of = |kind: &str| json!({"cron": "@daily", "job": {"kind": kind}});
    let why = ask(&mailer, "PUT", "/schedules/tidy", &of("tidy")).problem(403, "forbidden");
    assert_eq!(why["scope"], "job:tidy");
    assert_eq!(ask(&viewer, "PUT", "/schedules/tidy", &of("tidy")).status, 201);
    assert_eq!(ask(&mailer, "PUT", "/schedules/mails", &of("mail.send")).status, 201);
    // Not taken over, and not seen.
    ask(&mailer, "PUT", "/schedules/tidy", &of("mail.send")).problem(409, "conflict");
    let nothing = json!({});
    for (method, tail) in [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")] {
        let path = format!("/schedules/tidy{tail}");
        ask(&mailer, method, &path, &nothing).problem(404, "not-found");
        server.ask(method, &path, &[], b"").problem(401, "unauthorized");
    }
    ask(&mailer, "GET", "/schedules", &nothing).problem(403, "forbidden");
    let seen = ask(&viewer, "GET", "/schedules", &nothing).json();
    assert_eq!(seen["data"].as_array().map(Vec::len), Some(2), "{seen}");
    assert_eq!(seen["data"][1]["job"]["kind"], "tidy", "as it was: {seen}");
    assert_eq!(ask(&mailer, "DELETE", "/schedules/mails", &nothing).status, 204);
}
