//! `plimsoll logs tail`: what a server logs, at another shell.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::Tool;

const DEADLINE: Duration = Duration::from_secs(40);

#[test]
fn the_log_of_a_server_is_followed_by_level_and_text_until_it_is_enough() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    let server = Server::start(at, &[]);
    let url = format!("http://{}", server.address);
    let tail = format!("exec \"$0\" logs tail --url {url} --data data --filter 'cache warm'");
    let follows = Tool::shell(at, &format!("{tail} > told.txt")).start();
    let asked = server.client().post("/cache/warm", "{\"periods\":[\"7d\"]}").unwrap();
    assert_eq!(asked.status, 202);
    let began = Instant::now();
    let told = || std::fs::read_to_string(at.join("told.txt")).unwrap_or_default();
    // Each line once, the last one behind the others.
    while !told().contains("Cache warming batch completed") {
        assert!(began.elapsed() < DEADLINE, "it is not told: {}", told());
    }
    follows.signal(Signal::INT);
    follows.wait().expect(0, &[]);
    let text = told();
    for message in ["Cache warming jobs dispatched", "Cache warmed successfully"] {
        assert_eq!(text.matches(message).count(), 1, "{text}");
    }
    assert!(text.lines().all(|line| line.contains(" info  cache: Cache warm")), "{text}");

    let run = |args: &[&str]| {
        Tool::new(at, &[&["logs", "tail", "--url", &url, "--no-follow"], args].concat()).run()
    };
    let last = run(&["--json", "-n", "1", "--filter", "CACHE WARM"]);
    let last: serde_json::Value = serde_json::from_str(last.expect(0, &[]).text()).unwrap();
    assert_eq!(last["message"], "Cache warming batch completed");
    assert_eq!((&last["fields"]["count"], &last["level"]), (&json!(1), &json!("info")), "{last}");
    assert_eq!(run(&["--level", "error"]).expect(0, &[]).text(), "");
    run(&["--level", "loud"]).expect(2, &["loud"]);
    run(&["-n", "0"]).expect(2, &["1..=500"]);
    server.stop().expect(0, &["stopped"]);
    run(&[]).expect(1, &["is `plimsoll serve` running there?"]);
}

#[test]
fn a_server_beyond_its_machine_that_asks_nobody_who_they_are_tells_no_log() {
    let folder = folder();
    let server = Server::start(folder.path(), &["--host", "0.0.0.0", "--insecure"]);
    let url = format!("http://127.0.0.1:{}", server.address.port());
    let line = ["logs", "tail", "--no-follow", "--url", &url];
    Tool::new(folder.path(), &line).run().expect(1, &["asks nobody who they are"]);
    server.stop().expect(0, &["stopped"]);
}
