//! Jobs over HTTP: taken, pulled, fenced, changed and followed.

use std::io::BufRead as _;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_jobs::{Queue, Registry, SystemClock, WorkerOptions, add_datasets, add_own_kinds};
use plimsoll_server::{Access, IntakeConfig, JobsConfig, NewKey, ReportsConfig};
use plimsoll_store::Catalogue;
use plimsoll_store::catalogue::Dataset;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Connection};
use crate::support::{TestServer, World, start, start_with, world};

pub(crate) const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

pub(crate) fn jobs(world: &World) -> JobsConfig {
    let mut registry = Registry::default();
    add_own_kinds(&mut registry).expect("new");
    let queue = Queue::new(world.store.clone(), Arc::new(SystemClock::default()));
    let mut worker = WorkerOptions::new("server-1");
    worker.queues = vec!["low".into()];
    worker.lease = Duration::from_millis(1_000);
    worker.renew_every = Duration::from_millis(200);
    let reports = ReportsConfig {
        directory: world.directory().join("reports"),
        keep: Duration::from_secs(3_600),
    };
    let intake = IntakeConfig {
        directory: world.directory().join("intake"),
        keep: Duration::from_secs(3_600),
        disk_bytes_max: 64 << 20,
    };
    JobsConfig { queue, registry, worker, reports, intake, random: Arc::new(|| 0) }
}

pub(crate) fn serve(world: &World) -> TestServer {
    start_with(world, |config| config.jobs = Some(jobs(world)))
}

pub(crate) fn post(server: &TestServer, path: &str, body: &Json) -> Answer {
    server.ask("POST", path, JSON, body.to_string().as_bytes())
}

fn enqueue(server: &TestServer, body: &Json) -> i64 {
    let answer = post(server, "/api/v2/jobs", body);
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["id"].as_i64().expect("an id")
}

pub(crate) fn claim(server: &TestServer) -> Vec<Json> {
    let body = json!({"worker": "w", "queues": ["default"], "max": 5});
    let answer = post(server, "/api/v2/jobs/claim", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["jobs"].as_array().expect("a list").clone()
}

#[test]
fn a_job_is_taken_pulled_checkpointed_and_completed() {
    let world = world(0);
    let server = serve(&world);
    let body = json!({"kind": "mail.send", "payload": {"to": 7}, "tries": 2});
    let taken = post(&server, "/jobs", &body);
    assert_eq!(taken.status, 202, "{}", taken.text());
    assert!(taken.header("retry-after").is_some());
    let place = taken.header("location").expect("a place").to_owned();
    let job = taken.json();
    assert_eq!(job["state"], "ready");
    assert_eq!(job["waits"]["for"], "worker", "nobody knows the kind: {job}");
    let id = &job["id"];

    let claimed = claim(&server);
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0]["payload"], json!({"to": 7}));
    let token = &claimed[0]["token"];
    let far = json!({"done": 1, "total": 4, "unit": "mails"});
    let saved = json!({"token": token, "checkpoint": {"at": 1}, "progress": far});
    assert_eq!(post(&server, &format!("{place}/checkpoint"), &saved).status, 200);
    let beat = post(&server, &format!("{place}/heartbeat"), &json!({"token": token}));
    assert_eq!(beat.json()["wish"], Json::Null);
    let shown = server.get(&place).json();
    assert_eq!(shown["state"], "running");
    assert_eq!(shown["progress"]["percent"], 25.0);
    assert_eq!(shown["checkpoint"]["seq"], 1);
    assert!(claim(&server).is_empty(), "it is claimed once");

    let done = json!({"token": token, "result": {"sent": 4}});
    assert_eq!(post(&server, &format!("{place}/complete"), &done).status, 200);
    let shown = server.get(&place).json();
    assert_eq!((&shown["state"], &shown["result"]), (&json!("completed"), &json!({"sent": 4})));
    let listed = server.get("/api/v2/jobs?state=completed&kind=mail.send").json();
    assert_eq!(listed["data"][0]["id"], *id);
    server.stop().expect("stops");
}

#[test]
fn a_dataset_of_the_pack_is_walked_by_its_key_with_a_checkpoint_behind_each_range() {
    let world = world(1_050);
    let dataset = Dataset {
        name: "goods".into(),
        table: "goods".into(),
        key: "id".into(),
        rows: 100,
        sql: "update goods set stock = stock + 1 where id > :after and id <= :upto".into(),
    };
    let catalogue = Catalogue::clone(world.store.catalogue()).with_datasets(vec![dataset]);
    let catalogue = Arc::new(catalogue);
    let server = start_with(&world, |config| {
        config.store = world.store.with_catalogue(Arc::clone(&catalogue));
        let mut jobs = jobs(&world);
        add_datasets(&mut jobs.registry, Arc::clone(catalogue.datasets())).expect("new");
        config.jobs = Some(jobs);
    });
    let body = |payload: Json| json!({"kind": "dataset.process", "payload": payload});
    let id = enqueue(&server, &body(json!({"dataset": "goods"})));
    let place = format!("/jobs/{id}");
    server.wait_until("walked over", || server.get(&place).json()["state"] == "completed");
    let job = server.get(&place).json();
    let expected =
        json!({"dataset": "goods", "processed": 1_050, "checkpoints": 11, "last_id": 1_050});
    assert_eq!((&job["result"], &job["progress"]["processed"]), (&expected, &json!(1_050)));
    let rows = world.store.query("select min(stock), max(stock) from goods", 1).wait();
    let rows = rows.expect("read");
    assert_eq!(rows[0][0], rows[0][1], "each once: {rows:?}");
    for (payload, expected) in [
        (json!({"dataset": "good"}), "did you mean goods?"),
        (json!({}), "missing field"),
        (json!({"dataset": "goods", "sql": "delete from goods"}), "unknown field"),
    ] {
        let problem = post(&server, "/jobs", &body(payload)).problem(422, "job-invalid");
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains(expected)), "{problem}");
    }
}

#[test]
fn a_stale_token_is_refused_and_changes_nothing() {
    let world = world(0);
    let server = serve(&world);
    let id = enqueue(&server, &json!({"kind": "a"}));
    let stale = claim(&server)[0]["token"].as_i64().expect("a token");
    // Nobody renews: the lease is over after a second, and the job is another's.
    let body = json!({"worker": "other", "wait_ms": 15_000});
    let again = post(&server, "/jobs/claim", &body).json();
    assert_eq!(again["jobs"][0]["id"], id, "rescued and claimed again: {again}");
    let token = again["jobs"][0]["token"].as_i64().expect("a token");
    assert!(token > stale);
    let old = |more: Json| {
        let mut body = json!({"token": stale});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        body
    };
    for (path, body) in [
        ("heartbeat", old(json!({}))),
        ("heartbeat", old(json!({"progress": {"done": 1}}))),
        ("checkpoint", old(json!({"checkpoint": 1, "progress": {"done": 9}}))),
        ("complete", old(json!({}))),
        ("fail", old(json!({"message": "no"}))),
        ("fail", old(json!({"stopped": true}))),
    ] {
        post(&server, &format!("/jobs/{id}/{path}"), &body).problem(409, "lease-lost");
    }
    let shown = server.get(&format!("/jobs/{id}")).json();
    assert_eq!((&shown["state"], &shown["progress"]["done"]), (&json!("running"), &json!(0)));
    assert_eq!((&shown["crashes"], &shown["resumed_count"]), (&json!(1), &json!(1)));
    let errors = server.get(&format!("/jobs/{id}/errors")).json();
    assert_eq!(errors["data"][0]["what"], "crash");
    let done = post(&server, &format!("/jobs/{id}/complete"), &json!({"token": token}));
    assert_eq!(done.status, 200, "{}", done.text());
}

#[test]
fn what_is_no_job_is_refused_by_name() {
    let world = world(0);
    let server = serve(&world);
    let refused = |body: &str, status, slug| {
        server.ask("POST", "/jobs", JSON, body.as_bytes()).problem(status, slug)
    };
    refused("{", 400, "invalid-request");
    refused("{\"payload\": {}}", 422, "job-invalid");
    refused("{\"kind\": \"a b\"}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"quue\": \"low\"}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"queue\": \"\"}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"priority\": 10}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"tries\": 0}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"timeout_ms\": 0}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"memory_bytes\": 9223372036854775807}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"not_before\": \"soon\"}", 422, "job-invalid");
    refused("{\"kind\": \"a\", \"unique_key\": \"\"}", 422, "job-invalid");
    let large = json!({"kind": "a", "payload": "x".repeat(65 << 10)}).to_string();
    let why = refused(&large, 422, "job-invalid");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("65536")), "{why}");
    let larger = json!({"kind": "a", "payload": "x".repeat(300 << 10)}).to_string();
    refused(&larger, 413, "body-too-large");
    let unknown = refused("{\"kind\": \"system.prun\"}", 422, "unknown-kind");
    assert_eq!(unknown["did_you_mean"], "system.prune");
    let shape = "{\"kind\": \"system.prune\", \"payload\": {\"older_than_ms\": \"a\"}}";
    let shape = refused(shape, 422, "job-invalid");
    assert!(shape["detail"].as_str().is_some_and(|text| text.contains("system.prune")), "{shape}");

    let sql = "{\"kind\": \"sql.run\", \"payload\": {\"sql\": \"delete from goods\"}}";
    let sql = refused(sql, 403, "not-over-http");
    assert!(sql["detail"].as_str().is_some_and(|text| text.contains("plimsoll jobs sql")), "{sql}");
    refused("{\"kind\": \"sql.other\"}", 403, "not-over-http");
    assert_eq!(unknown["allowed"], json!(["system.prune"]), "nothing that is refused is allowed");

    server.get("/jobs?state=done").problem(400, "invalid-parameter");
    server.get("/jobs?sate=ready").problem(400, "unknown-parameter");
    server.get("/jobs?limit=0").problem(400, "invalid-parameter");
    server.get("/jobs?queue=%00").problem(400, "invalid-parameter");
    server.get("/jobs?kind=a%20b").problem(400, "invalid-parameter");
    for id in ["0", "-1", "x", "+1", "99999999999999999999", "1%00"] {
        server.get(&format!("/jobs/{id}")).problem(404, "not-found");
    }
    server.get("/jobs/999").problem(404, "not-found");
    server.ask("PATCH", "/jobs/1", JSON, b"{}").problem(405, "method-not-allowed");
    for body in [
        json!({"worker": ""}),
        json!({"worker": "w", "max": 0}),
        json!({"worker": "w", "max": 33}),
        json!({"worker": "w", "queues": []}),
        json!({"worker": "w", "queues": ["a b"]}),
        json!({"worker": "w", "wait_ms": 20_001}),
        json!({"worker": "w", "lease": 5}),
    ] {
        post(&server, "/jobs/claim", &body).problem(422, "job-invalid");
    }
    let id = enqueue(&server, &json!({"kind": "a"}));
    let token = claim(&server)[0]["token"].clone();
    let large = json!({"token": token, "checkpoint": "x".repeat(65 << 10)});
    post(&server, &format!("/jobs/{id}/checkpoint"), &large).problem(422, "job-invalid");
    let large = json!({"token": token, "result": "x".repeat(65 << 10)});
    post(&server, &format!("/jobs/{id}/complete"), &large).problem(422, "job-invalid");
}

#[test]
fn a_job_is_paused_resumed_cancelled_retried_and_removed_and_what_cannot_be_says_why() {
    let world = world(0);
    let server = serve(&world);
    let id = enqueue(&server, &json!({"kind": "a", "unique_key": "k"}));
    let again = post(&server, "/jobs", &json!({"kind": "a", "unique_key": "k"}));
    assert_eq!((again.status, &again.json()["id"]), (200, &json!(id)), "the same job");
    let act = |verb: &str| server.ask("POST", &format!("/jobs/{id}/{verb}"), &[], b"");
    let state = |answer: Answer| answer.json()["state"].as_str().expect("a state").to_owned();
    assert_eq!(state(act("pause")), "paused");
    assert!(claim(&server).is_empty());
    assert_eq!(server.get(&format!("/jobs/{id}")).json()["waits"]["for"], "paused");
    assert_eq!(state(act("resume")), "ready");
    act("resume").problem(409, "conflict");
    server.ask("DELETE", &format!("/jobs/{id}"), &[], b"").problem(409, "conflict");

    let token = claim(&server)[0]["token"].clone();
    let cancelled = act("cancel").json();
    assert_eq!((&cancelled["state"], &cancelled["wish"]), (&json!("running"), &json!("cancel")));
    let path = format!("/jobs/{id}/heartbeat");
    assert_eq!(post(&server, &path, &json!({"token": token})).json()["wish"], "cancel");
    let stopped = json!({"token": token, "stopped": true});
    assert_eq!(state(post(&server, &format!("/jobs/{id}/fail"), &stopped)), "cancelled");
    let why = act("cancel").problem(409, "conflict");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("over")), "{why}");

    assert_eq!(state(act("retry")), "ready");
    let token = claim(&server)[0]["token"].clone();
    let failed = json!({"token": token, "message": "no such address", "hopeless": true});
    assert_eq!(state(post(&server, &format!("/jobs/{id}/fail"), &failed)), "failed");
    let shown = server.get(&format!("/jobs/{id}")).json();
    assert_eq!(shown["error"]["detail"], "no such address");
    assert_eq!(server.ask("DELETE", &format!("/jobs/{id}"), &[], b"").status, 204);
    server.get(&format!("/jobs/{id}")).problem(404, "not-found");
}

#[test]
fn a_paused_queue_gives_out_nothing_and_says_so() {
    let world = world(0);
    let server = serve(&world);
    let id = enqueue(&server, &json!({"kind": "a"}));
    let paused = server.ask("POST", "/queues/default/pause", &[], b"");
    assert!(paused.json()["paused_at"].is_string(), "{}", paused.text());
    assert!(claim(&server).is_empty());
    let why = server.get(&format!("/jobs/{id}")).json()["waits"].clone();
    assert_eq!(why["for"], "queue-paused");
    let queues = server.get("/queues").json();
    assert_eq!(queues["data"][0]["jobs"], json!({"ready": 1}), "{queues}");
    let metrics = server.get("/metrics");
    let line = "jobs{queue=\"default\",state=\"ready\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
    server.ask("POST", "/queues/default/resume", &[], b"");
    assert_eq!(claim(&server).len(), 1);
    server.ask("POST", "/queues/a%20b/pause", &[], b"").problem(422, "job-invalid");

    let workers = server.get("/workers").json();
    let names: Vec<&str> = workers["data"]
        .as_array()
        .expect("some")
        .iter()
        .filter_map(|w| w["worker"].as_str())
        .collect();
    assert_eq!(names, ["pull:w", "server-1"]);
    assert_eq!(server.ask("POST", "/workers/pull:w/quiet", &[], b"").json()["wish"], "quiet");
    let body = json!({"worker": "w", "max": 5});
    assert_eq!(post(&server, "/jobs/claim", &body).json()["wish"], "quiet");
    server.ask("POST", "/workers/nobody/stop", &[], b"").problem(404, "not-found");
}

#[test]
fn the_servers_own_worker_prunes_and_ends_with_the_server() {
    let world = world(0);
    let server = serve(&world);
    for _ in 0..3 {
        let id = enqueue(&server, &json!({"kind": "a"}));
        let token = claim(&server)[0]["token"].clone();
        post(&server, &format!("/jobs/{id}/complete"), &json!({"token": token}));
    }
    let prune = enqueue(&server, &json!({"kind": "system.prune", "payload": {"older_than_ms": 0}}));
    let place = format!("/jobs/{prune}");
    server.wait_until("pruned", || server.get(&place).json()["state"] == "completed");
    assert_eq!(server.get(&place).json()["result"], json!({"removed": 3}));
    let left = server.get("/jobs").json();
    assert_eq!(left["data"].as_array().map(Vec::len), Some(1), "{left}");
    server.stop().expect("stops");
    let queue = Queue::new(world.store.clone(), Arc::new(SystemClock::default()));
    let names: Vec<Box<str>> =
        queue.workers().wait().expect("read").into_iter().map(|w| w.worker).collect();
    assert_eq!(names, ["pull:w".into()], "it left the list");
}

#[test]
fn events_follow_a_job_to_its_end_and_are_not_told_twice() {
    let world = world(0);
    let server = serve(&world);
    let id = enqueue(&server, &json!({"kind": "a"}));
    let mut events = Connection::open(server.address);
    let path = format!("/jobs/{id}/events");
    events.send("GET", &path, &[], b"");
    let head = events.head().expect("a head");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let mut last = String::new();
    let mut next = |names: &[&str]| {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(events.reader.read_line(&mut line).expect("a line") > 0, "it ended");
            if let Some(id) = line.strip_prefix("id: ") {
                assert!(id.trim().parse::<i64>().ok() > last.parse().ok(), "monotonic");
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
    let token = claim(&server)[0]["token"].clone();
    next(&["state"]);
    let saved = json!({"token": token, "checkpoint": 1, "progress": {"done": 1}});
    post(&server, &format!("/jobs/{id}/checkpoint"), &saved);
    next(&["checkpoint"]);
    let beat = json!({"token": token, "progress": {"done": 2}});
    post(&server, &format!("/jobs/{id}/heartbeat"), &beat);
    next(&["progress"]);
    post(&server, &format!("/jobs/{id}/complete"), &json!({"token": token}));
    let last = next(&["done"]);
    let told = server.ask("GET", &path, &[("last-event-id", &last)], b"");
    assert_eq!(told.status, 204, "{}", told.text());
    let anew = server.ask("GET", &path, &[("last-event-id", "1")], b"");
    assert!(anew.text().contains("event: done") && anew.complete, "{}", anew.text());
    server.ask("GET", &path, &[("last-event-id", "x")], b"").problem(400, "invalid-request");
    server.get("/jobs/999/events").problem(404, "not-found");
}

#[test]
fn a_server_that_stops_says_bye_and_lets_no_claim_wait() {
    let world = world(0);
    let server = serve(&world);
    let id = enqueue(&server, &json!({"kind": "a", "delay_ms": 3_600_000}));
    assert_eq!(server.get(&format!("/jobs/{id}")).json()["waits"]["for"], "time");
    let mut events = Connection::open(server.address);
    events.send("GET", &format!("/jobs/{id}/events"), &[], b"");
    events.head().expect("a head");
    let mut claims = Connection::open(server.address);
    let body = json!({"worker": "w", "wait_ms": 20_000}).to_string();
    claims.send("POST", "/jobs/claim", JSON, body.as_bytes());
    server.wait_until("it waits", || {
        let workers = server.get("/workers").json();
        workers["data"].as_array().is_some_and(|all| all.len() == 2)
    });
    server.begin_stop();
    let mut told = Answer { status: 200, headers: Vec::new(), body: Vec::new(), complete: false };
    events.chunks(&mut told);
    assert!(told.complete && told.text().contains("event: bye"), "{}", told.text());
    let claimed = claims.answer("POST").expect("an answer").json();
    assert_eq!(claimed["jobs"], json!([]));
    server.stop().expect("stops");
}

#[test]
fn beside_a_database_without_jobs_their_paths_say_how_to_have_some() {
    let world = world(0);
    let server = start(&world);
    for path in ["/jobs", "/api/v2/jobs/1", "/queues", "/workers", "/batches", "/events"] {
        let problem = server.get(path).problem(409, "jobs-unavailable");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("migrate")));
    }
}

const ACCESS: &str = r#"
[[key]]
name = "mailer"
hash = "MAILER"
scopes = ["job:mail.send", "work:mail"]
[[key]]
name = "viewer"
hash = "VIEWER"
scopes = ["job:*"]
"#;

#[test]
fn a_key_enqueues_its_kinds_works_at_its_queues_and_sees_no_other_job() {
    let world = world(0);
    let made = [NewKey::of([1; 32]), NewKey::of([2; 32])];
    let text = ACCESS.replace("MAILER", &made[0].hash).replace("VIEWER", &made[1].hash);
    let access = Access::parse(&text, &mut |_| Err("none".to_owned())).expect("an access file");
    let server = start_with(&world, |config| {
        config.jobs = Some(jobs(&world));
        config.access = Some(access);
    });
    let [mailer, viewer] = made.map(|key| format!("Bearer {}", &*key.key));
    let ask = |who: &str, method: &str, path: &str, body: &Json| {
        let headers = [("authorization", who), JSON[0]];
        let body = if method == "POST" { body.to_string() } else { String::new() };
        server.ask(method, path, &headers, body.as_bytes())
    };
    let nothing = json!({});
    let mail = json!({"kind": "mail.send", "queue": "mail"});
    let other = json!({"kind": "other", "queue": "mail"});
    server.get("/jobs").problem(401, "unauthorized");
    let id = ask(&mailer, "POST", "/jobs", &mail).json()["id"].clone();
    let why = ask(&mailer, "POST", "/jobs", &other).problem(403, "forbidden");
    assert_eq!(why["scope"], "job:other");
    let hidden = ask(&viewer, "POST", "/jobs", &other).json()["id"].clone();
    ask(&mailer, "GET", &format!("/jobs/{hidden}"), &nothing).problem(404, "not-found");
    ask(&mailer, "GET", &format!("/jobs/{hidden}/events"), &nothing).problem(404, "not-found");
    ask(&mailer, "POST", &format!("/jobs/{hidden}/cancel"), &nothing).problem(404, "not-found");
    ask(&mailer, "GET", "/jobs", &nothing).problem(403, "forbidden");
    let listed = ask(&mailer, "GET", "/jobs?kind=mail.send", &nothing).json();
    assert_eq!(listed["data"][0]["id"], id);
    assert_eq!(ask(&viewer, "GET", "/jobs", &nothing).json()["data"][0]["id"], hidden);

    let claim = |queue: &str| json!({"worker": "w", "queues": [queue]});
    ask(&mailer, "POST", "/jobs/claim", &claim("default")).problem(403, "forbidden");
    ask(&viewer, "POST", "/jobs/claim", &claim("mail")).problem(403, "forbidden");
    let token =
        ask(&mailer, "POST", "/jobs/claim", &claim("mail")).json()["jobs"][0]["token"].clone();
    let done = format!("/jobs/{id}/complete");
    ask(&viewer, "POST", &done, &json!({"token": token})).problem(403, "forbidden");
    assert_eq!(ask(&mailer, "POST", &done, &json!({"token": token})).status, 200);
    assert_eq!(ask(&viewer, "GET", "/queues", &nothing).status, 200);
    ask(&mailer, "GET", "/workers", &nothing).problem(403, "forbidden");
    ask(&viewer, "POST", "/queues/mail/pause", &nothing).problem(403, "forbidden");
}

#[test]
fn a_payload_comes_to_the_digit_and_characters_no_database_takes_are_replaced() {
    let world = world(0);
    let server = serve(&world);
    let payload = "{\"b\":123456789012345678901234567890.10,\"a\":[\"\u{1f375}\"]}";
    let body = format!("{{\"kind\": \"a\", \"payload\": {payload}}}");
    let id = server.ask("POST", "/jobs", JSON, body.as_bytes()).json()["id"].clone();
    let claimed = post(&server, "/jobs/claim", &json!({"worker": "w"}));
    assert!(claimed.text().contains(payload), "{}", claimed.text());
    let token = claimed.json()["jobs"][0]["token"].clone();
    let far = json!({"token": token, "progress": {"done": 1, "unit": "a\0b"}});
    assert_eq!(post(&server, &format!("/jobs/{id}/heartbeat"), &far).status, 200);
    let failed = json!({"token": token, "message": "no\0thing", "hopeless": true});
    assert_eq!(post(&server, &format!("/jobs/{id}/fail"), &failed).status, 200);
    let shown = server.get(&format!("/jobs/{id}")).json();
    assert_eq!(shown["error"]["detail"], "no\u{fffd}thing", "{shown}");
    assert_eq!(shown["progress"]["unit"], "a\u{fffd}b");

    let large = json!({"kind": "a", "payload": "x".repeat(2_000)});
    enqueue(&server, &large);
    let listed = server.get("/jobs").json();
    assert_eq!(listed["data"][0]["payload"], Json::Null, "it would make a page without a bound");
}
