//! The last lines of the log over HTTP, and those that come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll_server::{LogLine, Logs};
use serde_json::json;
use tracing::Level;

use crate::access::{As, access};
use crate::support::{NOW_MICROS, TestServer, World, start, start_with, world};

fn line(level: Level, message: &str) -> LogLine {
    LogLine {
        at_micros: NOW_MICROS,
        level,
        target: "plimsoll_jobs::worker".into(),
        message: message.into(),
        fields: "{\"job\":7}".into(),
    }
}

fn serve(world: &World, lines: &[(Level, &str)]) -> (Arc<Logs>, TestServer) {
    let logs = Arc::new(Logs::default());
    for (level, message) in lines {
        logs.push(line(*level, message));
    }
    let kept = Arc::clone(&logs);
    (logs, start_with(world, |config| config.logs = Some(kept)))
}

fn messages(server: &TestServer, query: &str) -> Vec<String> {
    let answer = server.get(&format!("/api/v2/system/logs?{query}")).json();
    let data = answer["data"].as_array().expect("lines");
    data.iter().map(|line| line["message"].as_str().expect("a message").to_owned()).collect()
}

#[test]
fn lines_are_given_by_level_and_text_and_behind_a_number() {
    let said = [(Level::INFO, "began"), (Level::WARN, "Slow disk"), (Level::ERROR, "disk full")];
    let world = world(0);
    let (_logs, server) = serve(&world, &said);
    assert_eq!(messages(&server, ""), ["began", "Slow disk", "disk full"]);
    assert_eq!(messages(&server, "level=warn"), ["Slow disk", "disk full"]);
    assert_eq!(messages(&server, "filter=DISK&limit=1"), ["disk full"], "of many the newest");
    assert_eq!(messages(&server, "filter=jobs::worker&after=2"), ["disk full"]);
    assert_eq!(messages(&server, "filter=%22job%22:7&level=info").len(), 3, "fields as well");
    let all = server.get("/system/logs").json();
    let first = json!({
        "seq": 1, "at": "2026-01-31T12:00:00Z", "level": "info",
        "target": "plimsoll_jobs::worker", "message": "began", "fields": {"job": 7},
    });
    assert_eq!((&all["data"][0], &all["meta"]), (&first, &json!({"next_after": 3})));
    server.stop().expect("stops");
}

#[test]
fn who_waits_is_given_the_next_line_that_fits_and_nothing_when_the_time_is_over() {
    let world = world(0);
    let (logs, server) = serve(&world, &[(Level::INFO, "before")]);
    std::thread::scope(|scope| {
        let path = "/system/logs?after=1&level=warn&wait_ms=20000";
        let waiting = scope.spawn(|| server.get(path).json());
        server.wait_until("a question waits", || logs.waiting() == 1);
        logs.push(line(Level::INFO, "not this one"));
        logs.push(line(Level::WARN, "this one"));
        let answer = waiting.join().expect("answered");
        assert_eq!(answer["data"][0]["message"], "this one", "{answer}");
        assert_eq!(answer["meta"]["next_after"], 3);
    });
    let began = Instant::now();
    let none = server.get("/system/logs?after=3&wait_ms=200").json();
    assert_eq!(none, json!({"data": [], "meta": {"next_after": 3}}));
    assert!(began.elapsed() >= Duration::from_millis(200), "it did not wait");
    assert_eq!(logs.waiting(), 0);
    // The server does not wait for those who wait.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/system/logs?after=3&wait_ms=20000"));
        server.wait_until("a question waits", || logs.waiting() == 1);
        let began = Instant::now();
        server.begin_stop();
        waiting.join().expect("answered");
        assert!(began.elapsed().as_secs() < 15, "it ends with the server");
    });
}

#[test]
fn what_cannot_be_asked_of_the_log_is_refused_and_it_is_for_the_operator_alone() {
    let world = world(0);
    let (_logs, server) = serve(&world, &[]);
    for query in
        ["level=loud", "limit=0", "limit=501", "after=-1", "after=x", "wait_ms=20001", "limit=x"]
    {
        server.get(&format!("/system/logs?{query}")).problem(400, "invalid-parameter");
    }
    let long = format!("/system/logs?filter={}", "x".repeat(257));
    server.get(&long).problem(400, "invalid-parameter");
    server.get("/system/logs?lines=3").problem(400, "unknown-parameter");
    server.ask("POST", "/system/logs", &[], b"").problem(405, "method-not-allowed");
    start(&world).get("/system/logs").problem(404, "not-found");
    const ACCESS: &str = r#"
[[key]]
name = "all"
hash = "KEY1"
scopes = ["read:*", "export:*", "job:*"]
[[key]]
name = "operator"
hash = "KEY2"
scopes = ["admin"]
"#;
    let server = start_with(&world, |config| {
        config.logs = Some(Arc::default());
        config.access = Some(access(ACCESS));
    });
    As::key(&server, 1).get("/system/logs").problem(403, "forbidden");
    assert_eq!(As::key(&server, 2).get("/system/logs").status, 200);
    server.get("/system/logs").problem(401, "unauthorized");
}
