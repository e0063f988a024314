//! Batches over HTTP: begun, counted, followed and cancelled.

use std::io::BufRead as _;

use plimsoll_server::{Access, NewKey};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Connection};
use crate::jobs::{JSON, claim, jobs, post, serve};
use crate::support::{TestServer, start_with, world};

fn begin(server: &TestServer, body: &Json) -> Json {
    let answer = post(server, "/batches", body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()
}

fn complete(server: &TestServer, job: &Json) {
    let path = format!("/jobs/{}/complete", job["id"]);
    assert_eq!(post(server, &path, &json!({"token": job["token"]})).status, 200);
}

fn fail(server: &TestServer, job: &Json) {
    let body = json!({"token": job["token"], "message": "no", "hopeless": true});
    assert_eq!(post(server, &format!("/jobs/{}/fail", job["id"]), &body).status, 200);
}

fn kinds(jobs: &[Json]) -> Vec<&str> {
    jobs.iter().filter_map(|job| job["kind"].as_str()).collect()
}

#[test]
fn a_batch_is_counted_followed_and_its_callbacks_come_when_it_is_over() {
    let world = world(0);
    let server = serve(&world);
    let body = json!({
        "name": "warm the cache",
        "jobs": [{"kind": "warm", "payload": {"n": 1}}, {"kind": "warm"}],
        "then": [{"kind": "tell", "payload": {"whom": "all"}}],
        "catch": [{"kind": "alarm"}],
        "finally": [{"kind": "sweep"}],
    });
    let batch = begin(&server, &body);
    assert_eq!((&batch["state"], &batch["total"]), (&json!("running"), &json!(2)), "{batch}");
    let place = batch["links"]["self"].as_str().expect("a place");
    let mut events = Connection::open(server.address);
    events.send("GET", &format!("{place}/events"), &[], b"");
    events.head().expect("a head");
    let mut last = String::new();
    let mut next = |names: &[&str]| {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(events.reader.read_line(&mut line).expect("a line") > 0, "it ended");
            if let Some(id) = line.strip_prefix("id: ") {
                last = id.trim().to_owned();
            }
            if let Some(name) = line.strip_prefix("event: ")
                && names.contains(&name.trim())
            {
                return last.clone();
            }
        }
    };
    next(&["state"]);
    let claimed = claim(&server);
    assert_eq!(claimed[0]["parent_batch"], batch["id"]);
    complete(&server, &claimed[0]);
    next(&["progress"]);
    assert_eq!(server.get("/batches/latest").json()["progress"]["percent"], 50.0);
    complete(&server, &claimed[1]);
    let last = next(&["done"]);
    let over = server.get(place).json();
    assert_eq!((&over["state"], &over["completed"]), (&json!("completed"), &json!(2)), "{over}");
    let told = server.ask("GET", &format!("{place}/events"), &[("last-event-id", &last)], b"");
    assert_eq!(told.status, 204, "{}", told.text());
    let after = claim(&server);
    assert_eq!(kinds(&after), ["tell", "sweep"], "no alarm");
    assert_eq!(after[0]["payload"], json!({"whom": "all", "batch": batch["id"]}));
    assert_eq!(server.get("/batches?limit=1").json()["data"][0]["id"], batch["id"]);
    server.stop().expect("stops");
}

#[test]
fn a_failed_batch_is_caught_and_a_cancelled_one_still_ends() {
    let world = world(0);
    let server = serve(&world);
    let body = json!({
        "id": "one", "name": "b", "jobs": [{"kind": "a"}, {"kind": "a"}],
        "then": [{"kind": "then"}], "catch": [{"kind": "catch"}], "finally": [{"kind": "finally"}],
    });
    begin(&server, &body);
    let again = post(&server, "/batches", &body);
    assert_eq!((again.status, &again.json()["total"]), (200, &json!(2)), "no second one");
    let claimed = claim(&server);
    fail(&server, &claimed[0]);
    let caught = claim(&server);
    assert_eq!(kinds(&caught), ["catch"], "at the first failure");
    let cancelled = server.ask("POST", "/batches/one/cancel", &[], b"").json();
    assert_eq!(cancelled["state"], "cancelling", "one of its jobs runs: {cancelled}");
    let beat = format!("/jobs/{}/heartbeat", claimed[1]["id"]);
    assert_eq!(
        post(&server, &beat, &json!({"token": claimed[1]["token"]})).json()["wish"],
        "cancel"
    );
    let stopped = json!({"token": claimed[1]["token"], "stopped": true});
    post(&server, &format!("/jobs/{}/fail", claimed[1]["id"]), &stopped);
    let over = server.get("/batches/one").json();
    assert_eq!((&over["state"], &over["failed"]), (&json!("cancelled"), &json!(1)), "{over}");
    assert_eq!(over["first_failure"], claimed[0]["id"]);
    let why = server.ask("POST", "/batches/one/cancel", &[], b"").problem(409, "conflict");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("over")), "{why}");
    assert_eq!(kinds(&claim(&server)), ["finally"]);
    let told = server.get("/batches/one/events");
    assert!(told.text().contains("event: failed") && told.complete, "{}", told.text());
}

#[test]
fn a_batch_that_is_not_sealed_takes_more_jobs_until_it_is() {
    let world = world(0);
    let server = serve(&world);
    let body = json!({
        "id": "open", "name": "b", "jobs": [{"kind": "a"}], "sealed": false,
        "then": [{"kind": "then"}],
    });
    let batch = begin(&server, &body);
    assert_eq!((&batch["state"], &batch["sealed"]), (&json!("open"), &json!(false)), "{batch}");
    complete(&server, &claim(&server)[0]);
    assert_eq!(server.get("/batches/open").json()["state"], "open", "it waits for more");
    let more = json!({"jobs": [{"kind": "a", "payload": {"n": 2}}, {"kind": "a"}]});
    let extended = post(&server, "/batches/open/jobs", &more);
    assert_eq!(extended.status, 202, "{}", extended.text());
    let extended = extended.json();
    assert_eq!((&extended["total"], &extended["pending"]), (&json!(3), &json!(2)), "{extended}");
    let sealed = post(&server, "/batches/latest/jobs", &json!({"seal": true})).json();
    assert_eq!((&sealed["state"], &sealed["total"]), (&json!("running"), &json!(3)), "{sealed}");
    for job in claim(&server) {
        assert_eq!(job["parent_batch"], "open");
        complete(&server, &job);
    }
    assert_eq!(kinds(&claim(&server)), ["then"]);
    assert_eq!(server.get("/batches/open").json()["state"], "completed");
    let why = post(&server, "/batches/open/jobs", &more).problem(409, "conflict");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("is over")), "{why}");
    server.stop().expect("stops");
}

#[test]
fn what_is_sealed_cancelled_or_not_there_takes_no_more_jobs() {
    let world = world(0);
    let server = serve(&world);
    let open = |id: &str| {
        begin(&server, &json!({"id": id, "name": "b", "jobs": [], "sealed": false}));
        format!("/batches/{id}/jobs")
    };
    let job = json!({"jobs": [{"kind": "a"}]});
    begin(&server, &json!({"id": "sealed", "name": "b", "jobs": [{"kind": "b"}]}));
    let why = post(&server, "/batches/sealed/jobs", &job).problem(409, "conflict");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("is sealed")), "{why}");
    let cancelled = open("cancelled");
    server.ask("POST", "/batches/cancelled/cancel", &[], b"");
    post(&server, &cancelled, &job).problem(409, "conflict");
    post(&server, "/batches/none/jobs", &job).problem(404, "not-found");
    post(&server, "/batches/no%20ne/jobs", &job).problem(404, "not-found");
    let path = open("open");
    let many = vec![json!({"kind": "a"}); 1_001];
    for (body, slug) in [
        (json!({}), "job-invalid"),
        (json!({"jobs": []}), "job-invalid"),
        (json!({"jobs": many}), "job-invalid"),
        (json!({"jobs": [{"kind": "a"}, {"kind": "a", "priority": 10}]}), "job-invalid"),
        (json!({"jobs": [{"kind": "a"}], "then": []}), "job-invalid"),
        (json!({"jobs": [{"kind": "a"}, {"kind": "system.prun"}]}), "unknown-kind"),
    ] {
        post(&server, &path, &body).problem(422, slug);
    }
    post(&server, &path, &json!({"jobs": [{"kind": "sql.run"}]})).problem(403, "not-over-http");
    server.ask("POST", &path, JSON, b"[").problem(400, "invalid-request");
    server.get(&path).problem(405, "method-not-allowed");
    let shown = server.get("/batches/open").json();
    assert_eq!((&shown["state"], &shown["total"]), (&json!("open"), &json!(0)), "{shown}");
    assert_eq!(kinds(&claim(&server)), ["b"], "and no other job is there");
}

#[test]
fn what_is_no_batch_is_refused_and_none_of_its_jobs_is_there() {
    let world = world(0);
    let server = serve(&world);
    let many = vec![json!({"kind": "a"}); 1_001];
    let callbacks = vec![json!({"kind": "a"}); 17];
    let job = json!([{"kind": "a"}]);
    for body in [
        json!({"jobs": job}),
        json!({"name": "", "jobs": job}),
        json!({"name": "x".repeat(201), "jobs": job}),
        json!({"name": "b", "jobs": []}),
        json!({"name": "b", "jobs": many}),
        json!({"name": "b", "jobs": job, "finally": callbacks}),
        json!({"name": "b", "jobs": job, "always": []}),
        json!({"name": "b", "jobs": [{"kind": "a"}, {"kind": "a b"}]}),
        json!({"name": "b", "jobs": job, "then": [{"kind": "a", "payload": [1]}]}),
        json!({"name": "b", "jobs": job, "then": [{"kind": "a", "delay_ms": 5}]}),
        json!({"name": "b", "jobs": job, "then": [{"kind": "system.prune"}]}),
        json!({"name": "b", "jobs": job, "id": "a b"}),
        json!({"name": "b", "jobs": job, "id": "latest"}),
    ] {
        post(&server, "/batches", &body).problem(422, "job-invalid");
    }
    let sql = json!({"name": "b", "jobs": [{"kind": "a"}, {"kind": "sql.run"}]});
    post(&server, "/batches", &sql).problem(403, "not-over-http");
    let sql = json!({"name": "b", "jobs": job, "finally": [{"kind": "sql.run"}]});
    post(&server, "/batches", &sql).problem(403, "not-over-http");
    assert_eq!(server.get("/jobs").json()["data"], json!([]));
    for path in ["/batches/latest", "/batches/none", "/batches/a%20b", "/batches/none/events"] {
        server.get(path).problem(404, "not-found");
    }
    server.ask("POST", "/batches/none/cancel", &[], b"").problem(404, "not-found");
    server.get("/batches?limit=0").problem(400, "invalid-parameter");
    server.get("/batches?name=b").problem(400, "unknown-parameter");
    server.ask("DELETE", "/batches/none", &[], b"").problem(405, "method-not-allowed");
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
fn a_key_begins_batches_of_its_kinds_and_one_for_all_kinds_sees_them() {
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
        let body = if method == "POST" { body.to_string() } else { String::new() };
        server.ask(method, path, &headers, body.as_bytes())
    };
    let other = json!({"name": "b", "jobs": [{"kind": "mail.send"}], "then": [{"kind": "other"}]});
    let why = ask(&mailer, "POST", "/batches", &other).problem(403, "forbidden");
    assert_eq!(why["scope"], "job:other");
    let own = json!({"name": "b", "jobs": [{"kind": "mail.send"}]});
    assert_eq!(ask(&mailer, "POST", "/batches", &own).status, 202);
    let nothing = json!({});
    for path in ["/batches", "/batches/latest", "/batches/latest/events"] {
        ask(&mailer, "GET", path, &nothing).problem(403, "forbidden");
        server.get(path).problem(401, "unauthorized");
    }
    ask(&mailer, "POST", "/batches/latest/cancel", &nothing).problem(403, "forbidden");
    ask(&mailer, "POST", "/batches/latest/jobs", &own).problem(403, "forbidden");
    let seen = ask(&viewer, "GET", "/batches/latest", &nothing).json();
    assert_eq!(seen["total"], 1, "{seen}");
    let cancelled = ask(&viewer, "POST", "/batches/latest/cancel", &nothing).json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
}
