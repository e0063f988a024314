//! Admission: who is served finishes; who is not is told why and when to come back.

use std::time::Duration;

use crate::client::Connection;
use crate::support::{TestServer, start_with, world};

const MANY: u64 = 12_000;

/// A stream that runs until it is dropped: its client reads nothing beyond the head.
fn running(server: &TestServer) -> Connection {
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/goods/stream", &[], b"");
    assert_eq!(connection.head().expect("a head").status, 200);
    connection
}

#[test]
fn a_stream_beyond_the_slots_is_refused_with_a_time_to_come_back() {
    let world = world(MANY);
    let server = start_with(&world, |config| {
        config.limits.streams_max = 1;
        config.limits.admission_wait = Duration::from_millis(50);
    });
    let first = running(&server);
    let refused = server.get("/goods/stream");
    refused.problem(429, "queue-full");
    assert!(refused.header("retry-after").is_some());
    drop(first);
    server.wait_until("the slot comes back", || server.held("stream") == 0);
    assert!(server.get("/goods/stream").complete);
}

#[test]
fn a_full_waiting_room_refuses_at_once() {
    let world = world(10);
    let server = start_with(&world, |config| config.limits.admissions_waiting_max = 0);
    server.get("/goods/stream").problem(429, "queue-full");
}

#[test]
fn a_stream_without_bytes_is_refused_and_the_holders_are_named() {
    let world = world(MANY);
    let server = start_with(&world, |config| {
        config.http_cap_bytes = 450 << 10;
        config.limits.admission_wait = Duration::from_millis(50);
    });
    let first = running(&server);
    let refused = server.get("/goods/stream");
    let problem = refused.problem(503, "memory-budget-exceeded");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(problem["holders"][0]["consumer"], "http/stream");
    assert!(problem["holders"][0]["held_bytes"].as_u64() > Some(200_000));
    assert_eq!(problem["holders"][0]["can_spill"], false);
    drop(first);
}

#[test]
fn a_stream_that_waits_is_served_when_another_ends() {
    let world = world(MANY);
    let server = start_with(&world, |config| {
        config.limits.streams_max = 1;
        config.limits.admission_wait = Duration::from_secs(15);
    });
    let first = running(&server);
    let mut second = Connection::open(server.address);
    second.send("GET", "/goods/stream", &[], b"");
    server.wait_until("the second waits", || {
        server.get("/system/memory").json()["streams"]["waiting"] == 1
    });
    drop(first);
    assert!(second.answer("GET").expect("an answer").complete);
}

#[test]
fn a_connection_beyond_the_cap_is_answered_and_closed() {
    let world = world(1);
    let server = start_with(&world, |config| config.limits.connections_max = 2);
    let mut open: Vec<Connection> = (0..2).map(|_| Connection::open(server.address)).collect();
    for connection in &mut open {
        connection.send("GET", "/livez", &[], b"");
        assert_eq!(connection.answer("GET").expect("an answer").status, 200);
    }
    let refused = server.get("/livez");
    assert_eq!((refused.status, refused.complete), (503, true));
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.json()["type"], "/problems/busy");
    drop(open);
    server.wait_until("the places come back", || server.held("connection") == 0);
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_connection_without_bytes_is_answered_and_closed() {
    let world = world(1);
    let server = start_with(&world, |config| config.http_cap_bytes = 32 << 10);
    assert_eq!(server.get("/livez").status, 503);
}

#[test]
fn one_large_row_is_charged_beyond_its_frame() {
    let world = world(0);
    let large = plimsoll::record::Value::Text("x".repeat(1 << 20).into());
    let key = plimsoll::record::Value::Text("k".into());
    world.insert("pairs", &[0, 1, 2], vec![key, plimsoll::record::Value::Int(1), large]);
    let roomy = start_with(&world, |_| {});
    let answer = roomy.get("/api/v2/tables/pairs/stream");
    assert!(answer.complete && answer.body.len() > 1 << 20);
    let row = roomy.get("/api/v2/tables/pairs/k,1");
    assert!(row.complete && row.body.len() > 1 << 20);
    roomy.wait_until("the bytes come back", || roomy.held("stream") + roomy.held("page") == 0);
    drop(roomy);
    let tight = start_with(&world, |config| config.http_cap_bytes = 600 << 10);
    tight.get("/api/v2/tables/pairs/k,1").problem(503, "memory-budget-exceeded");
    tight.get("/api/v2/tables/pairs/stream").problem(503, "memory-budget-exceeded");
}

#[test]
fn lists_are_served_while_streams_wait_for_bytes() {
    let world = world(MANY);
    let server = start_with(&world, |config| {
        config.http_cap_bytes = 450 << 10;
        config.limits.admission_wait = Duration::from_secs(15);
    });
    let first = running(&server);
    let mut second = Connection::open(server.address);
    second.send("GET", "/goods/stream", &[], b"");
    server.wait_until("the second waits", || server.budget.ledger().waiting == 1);
    for _ in 0..20 {
        assert_eq!(server.get("/goods?limit=20").status, 200);
    }
    drop(first);
    assert!(second.answer("GET").expect("an answer").complete);
}
