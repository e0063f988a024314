//! Shutdown: it ends within its time, whatever clients do, and cut streams look cut.

use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::support::{start, start_with, world};

#[test]
fn an_idle_connection_does_not_hold_the_shutdown_up() {
    let world = world(1);
    let server = start(&world);
    let mut idle = Connection::open(server.address);
    idle.send("GET", "/livez", &[], b"");
    assert_eq!(idle.answer("GET").expect("an answer").status, 200);
    let began = Instant::now();
    server.stop().expect("ends");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_stalled_stream_is_cut_at_the_deadline_and_looks_cut() {
    let world = world(12_000);
    let server =
        start_with(&world, |config| config.limits.drain_timeout = Duration::from_millis(200));
    let mut stalled = Connection::open(server.address);
    stalled.send("GET", "/goods/stream", &[], b"");
    let began = Instant::now();
    let head = stalled.head().expect("a head");
    assert_eq!(head.status, 200);
    server.stop().expect("ends");
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut rest = Vec::new();
    drop(std::io::Read::read_to_end(&mut stalled.reader, &mut rest));
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut stream has no last chunk");
}

#[test]
fn a_running_answer_is_finished_before_the_server_ends() {
    let world = world(12_000);
    let server = start(&world);
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/goods/stream", &[], b"");
    let address = server.address;
    server.begin_stop();
    let answer = connection.answer("GET").expect("an answer");
    assert!(answer.complete);
    server.stop().expect("ends");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn readyz_says_503_while_the_server_leaves_and_the_rest_goes_on() {
    let world = world(1);
    let server = start_with(&world, |config| config.limits.leave_delay = Duration::from_secs(2));
    assert_eq!(server.get("/readyz").json()["status"], "ready");
    server.begin_stop();
    server.wait_until("readyz turns", || server.get("/readyz").status == 503);
    let refused = server.get("/readyz");
    refused.problem(503, "not-ready");
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/goods/1").status, 200);
}
