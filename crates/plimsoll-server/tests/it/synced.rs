//! Rows synced and ingested: few in one unit, many by a job, and what is told of them.
//!
//! Promises: the event is there if and only if the rows are, once, wherever it was broken off.
//! Never: a wait without a deadline.

use plimsoll_jobs::{Event, Queue, SystemClock};
use serde_json::json;

use crate::imports::{Break, Desk, breaking, count, csv, desk, desk_over};
use crate::support::World;
use crate::support::world;

const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];
const CSV: &[(&str, &str)] = &[("content-type", "text/csv")];
const TARGET: &str = "/api/v2/goods/sync";

fn events(world: &World) -> Vec<Event> {
    let clock = std::sync::Arc::new(SystemClock::default());
    let queue = Queue::new(world.store.clone(), clock);
    queue.events(Some("goods"), 0, 1_000).wait().expect("read")
}

fn rows(names: &[(&str, &str)]) -> String {
    let row = |(code, name): &(&str, &str)| {
        json!({"code": code, "name": name, "price": 1}).to_string() + "\n"
    };
    names.iter().map(row).collect()
}

fn listeners(desk: &Desk) -> usize {
    let jobs = desk.server.get("/jobs?kind=mail.send").json();
    jobs["data"].as_array().map_or(0, Vec::len)
}

#[test]
fn few_rows_are_written_over_those_there_and_the_event_is_told_in_the_same_unit() {
    let world = world(2);
    let desk = desk(&world);
    let body = rows(&[("G0000001", "renamed"), ("N1", "new")]);
    let keyed = [NDJSON[0], ("idempotency-key", "s1")];
    for replayed in [None, Some("true")] {
        let answer = desk.send(TARGET, &keyed, body.as_bytes());
        assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, replayed));
        assert_eq!(answer.json(), json!({"rows": 2, "event": "GoodsSynced"}));
    }
    assert_eq!(desk.server.get("/goods/1").json()["name"], "renamed");
    assert_eq!(count(&world, "N"), 1);
    let told = events(&world);
    assert_eq!((told.len(), &*told[0].name), (1, "GoodsSynced"), "a repeat tells nothing");
    assert!(told[0].payload.contains("\"rows\""), "{}", told[0].payload);
    assert_eq!(listeners(&desk), 1, "one that is done elsewhere waits for whoever does it");
    // Nothing of a body with a wrong row is written or told.
    let wrong = rows(&[("N2", "new")]) + "{\"code\":\"N3\"}\n";
    let problem = desk.send(TARGET, NDJSON, wrong.as_bytes()).problem(422, "validation");
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("line 2")), "{problem}");
    desk.send(TARGET, NDJSON, b"").problem(400, "invalid-request");
    desk.send("/api/v2/tables/pairs/sync", NDJSON, b"{}").problem(404, "not-found");
    desk.send("/api/v2/tables/sales/sync", NDJSON, b"{}").problem(405, "method-not-allowed");
    for query in ["topic=x", "on_conflict=skip"] {
        let target = format!("/goods/sync?{query}");
        desk.send(&target, NDJSON, b"{}").problem(400, "unknown-parameter");
    }
    let image: &[(&str, &str)] = &[("content-type", "image/png")];
    desk.send(TARGET, image, b"x").problem(415, "unsupported-media-type");
    assert_eq!((events(&world).len(), count(&world, "N")), (1, 1));
}

#[test]
fn many_rows_are_synced_by_a_job_that_tells_it_once_wherever_it_is_broken_off() {
    let world = world(0);
    // 9,000 rows are three batches, one unit more says that it is over, and then it completes.
    for (round, unit) in (1..=4).enumerate() {
        for (place, how) in [Break::Before, Break::Behind, Break::Stolen].into_iter().enumerate() {
            let desk = desk_over(&world, breaking(&world, unit, how));
            let file = csv(9_000, "y", |_| false);
            let place_of = desk.taken(&desk.send(TARGET, CSV, file.as_bytes()));
            let job = desk.over(&place_of);
            let what = format!("unit {unit}, {how:?}: {job}");
            assert_eq!(
                (&job["state"], &job["result"]["rows"]),
                (&json!("completed"), &json!(9_000))
            );
            assert_eq!(count(&world, "y"), 9_000, "{what}");
            let told = events(&world);
            assert_eq!(told.len(), round * 3 + place + 1, "{what}");
            let payload = &told[told.len() - 1].payload;
            let payload: serde_json::Value = serde_json::from_str(payload).expect("JSON");
            assert_eq!(payload, json!({"rows": 9_000, "rejected": 0, "job": job["id"]}));
        }
    }
}

#[test]
fn a_file_of_rows_to_a_collection_creates_them_all_or_none() {
    let world = world(1);
    let desk = desk(&world);
    let body = rows(&[("P1", "a"), ("P2", "b")]);
    let answer = desk.send("/goods", NDJSON, body.as_bytes());
    assert_eq!((answer.status, answer.json()), (200, json!({"rows": 2})), "{}", answer.text());
    let twice = rows(&[("P3", "c"), ("P1", "there")]);
    desk.send("/goods", NDJSON, twice.as_bytes()).problem(409, "conflict");
    assert_eq!(count(&world, "P"), 2, "none of them");
    let answer = desk.send("/goods?on_conflict=skip", NDJSON, twice.as_bytes());
    assert_eq!((answer.status, count(&world, "P")), (200, 3), "{}", answer.text());
    let many = csv(3_000, "q", |_| false);
    let place = desk.taken(&desk.send("/goods", CSV, many.as_bytes()));
    assert_eq!(desk.over(&place)["result"]["rows"], 3_000);
    assert_eq!((count(&world, "q"), events(&world).len()), (3_000, 0));
    // One row stays one row.
    let one = json!({"code": "R1", "name": "x", "price": 1}).to_string();
    let json = [("content-type", "application/json")];
    assert_eq!(desk.send("/goods", &json, one.as_bytes()).status, 201);
}
