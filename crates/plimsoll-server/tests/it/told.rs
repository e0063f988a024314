//! What has happened, followed over HTTP.

use std::io::BufRead as _;
use std::sync::Arc;

use plimsoll_jobs::{NewEvent, Queue, SystemClock};
use plimsoll_server::{Access, NewKey};
use serde_json::{Value as Json, json};

use crate::client::Connection;
use crate::jobs::{jobs, serve};
use crate::support::{TestServer, World, start_with, world};

fn queue(world: &World) -> Queue {
    Queue::new(world.store.clone(), Arc::new(SystemClock::default()))
}

fn tell(queue: &Queue, topic: &str, n: usize) {
    let payload = format!("{{\"n\":{n}}}").into();
    let event = NewEvent { topic: topic.into(), name: "Changed".into(), payload };
    queue.tell(&event, &[]).expect("told");
}

/// A stream that was opened behind a number, or behind what is there.
fn open(server: &TestServer, query: &str, behind: Option<&str>) -> Connection {
    let mut events = Connection::open(server.address);
    let headers: Vec<(&str, &str)> = behind.map(|id| ("last-event-id", id)).into_iter().collect();
    events.send("GET", &format!("/api/v2/events{query}"), &headers, b"");
    let head = events.head().expect("a head");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    events
}

/// The next events, so many; each under the id that is its number.
fn next(events: &mut Connection, count: usize) -> Vec<Json> {
    let (mut found, mut id, mut line) = (Vec::new(), String::new(), String::new());
    while found.len() < count {
        line.clear();
        assert!(events.reader.read_line(&mut line).expect("a line") > 0, "it ended");
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.trim().to_owned();
        }
        if let Some(text) = line.strip_prefix("data: ") {
            let event: Json = serde_json::from_str(text).expect("JSON");
            assert_eq!(event["id"].to_string(), id);
            found.push(event);
        }
    }
    found
}

/// The next line that begins so.
fn until(events: &mut Connection, begin: &str) -> String {
    let mut line = String::new();
    while !line.starts_with(begin) {
        line.clear();
        assert!(events.reader.read_line(&mut line).expect("a line") > 0, "no {begin}");
    }
    line
}

fn numbers(events: &[Json]) -> Vec<u64> {
    events.iter().filter_map(|event| event["payload"]["n"].as_u64()).collect()
}

#[test]
fn events_come_in_their_order_and_again_behind_the_number_that_was_seen_last() {
    let world = world(0);
    let server = serve(&world);
    let queue = queue(&world);
    // More than a page, of two topics and one that nobody asks for.
    for n in 0..60 {
        tell(&queue, ["orders", "posts", "other"][n % 3], n);
    }
    let all = next(&mut open(&server, "", Some("0")), 60);
    assert_eq!(numbers(&all), (0..60).collect::<Vec<u64>>());
    assert_eq!(all[0]["topic"], "orders");
    assert_eq!((&all[0]["name"], &all[0]["payload"]), (&json!("Changed"), &json!({"n": 0})));

    let mut two = open(&server, "?topics=orders,posts", Some("0"));
    let both = next(&mut two, 40);
    assert_eq!(numbers(&both), (0..60).filter(|n| n % 3 != 2).collect::<Vec<u64>>());
    let seen = both[30]["id"].to_string();
    let again = next(&mut open(&server, "?topics=orders,posts", Some(&seen)), 9);
    assert_eq!(again, both[31..], "behind what was seen, and no more than once");
    let one = next(&mut open(&server, "?topics=posts", Some("0")), 20);
    assert_eq!(numbers(&one), (0..60).filter(|n| n % 3 == 1).collect::<Vec<u64>>());

    // A stream that is open is told what comes, and one without a number only that.
    let mut fresh = open(&server, "?topics=orders", None);
    let line = until(&mut fresh, "id: ");
    assert_eq!(line.trim(), format!("id: {}", all[59]["id"]), "behind which it begins");
    tell(&queue, "other", 60);
    tell(&queue, "orders", 61);
    assert_eq!(numbers(&next(&mut two, 1)), [61]);
    assert_eq!(numbers(&next(&mut fresh, 1)), [61]);

    server.begin_stop();
    until(&mut fresh, "event: bye");
    server.stop().expect("stops");
}

#[test]
fn what_is_no_topic_or_number_of_an_event_is_refused() {
    let world = world(0);
    let server = serve(&world);
    for query in ["topics=", "topics=a,,b", "topics=a%20b"] {
        server.get(&format!("/events?{query}")).problem(400, "invalid-parameter");
    }
    let many = vec!["a"; 17].join(",");
    let why = server.get(&format!("/events?topics={many}")).problem(400, "invalid-parameter");
    assert!(why["detail"].as_str().is_some_and(|text| text.contains("16")), "{why}");
    server.get("/events?topic=a").problem(400, "unknown-parameter");
    for id in ["-1", "x", "99999999999999999999"] {
        let answer = server.ask("GET", "/events", &[("last-event-id", id)], b"");
        answer.problem(400, "invalid-request");
    }
    server.ask("POST", "/events", &[], b"{}").problem(405, "method-not-allowed");
}

const ACCESS: &str = "
[[key]]
name = \"mailer\"
hash = \"HASH\"
scopes = [\"job:mail.send\"]
";

#[test]
fn a_key_for_some_kinds_follows_no_events() {
    let world = world(0);
    let made = NewKey::of([1; 32]);
    let text = ACCESS.replace("HASH", &made.hash);
    let access = Access::parse(&text, &mut |_| Err("none".to_owned())).expect("an access file");
    let server = start_with(&world, |config| {
        config.jobs = Some(jobs(&world));
        config.access = Some(access);
    });
    server.get("/events").problem(401, "unauthorized");
    let who = format!("Bearer {}", &*made.key);
    let refused = server.ask("GET", "/events", &[("authorization", &who)], b"");
    assert_eq!(refused.problem(403, "forbidden")["scope"], "job:*");
}
