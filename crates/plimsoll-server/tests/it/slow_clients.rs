//! Slow clients are served for ever, stalled ones are not; neither holds a reader.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::support::{start_with, world};

const MANY: u64 = 12_000;

/// A client whose kernel keeps little for it, so that what it does not read, it does not take.
fn small_window(server: &crate::support::TestServer) -> Connection {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("an option");
    socket.connect(&server.address.into()).expect("connects");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    Connection { reader: std::io::BufReader::with_capacity(1 << 10, stream) }
}

#[test]
fn a_client_that_takes_nothing_is_disconnected_after_the_stall_timeout() {
    let world = world(MANY);
    let server =
        start_with(&world, |config| config.limits.stall_timeout = Duration::from_millis(200));
    let mut stalled = small_window(&server);
    stalled.send("GET", "/goods/stream", &[], b"");
    server.wait_until("it is served", || server.held("stream") > 0);
    server.wait_until("it is cut", || server.held("stream") + server.held("connection") == 0);
}

#[test]
fn a_client_that_takes_little_is_served_beyond_the_stall_timeout() {
    let world = world(MANY);
    let stall = Duration::from_millis(400);
    let server = start_with(&world, |config| config.limits.stall_timeout = stall);
    let path = "/goods/stream?format=csv";
    let whole = server.get(path).body;
    let mut slow = small_window(&server);
    // HTTP/1.0 has no chunks, so the bytes can be compared as they come.
    slow.send_raw(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    assert_eq!(slow.head().expect("a head").status, 200);
    // The pace is the client's, kept by a channel nobody sends on.
    let (_silent, pace) = std::sync::mpsc::sync_channel::<()>(1);
    let until = Instant::now() + stall * 4;
    let mut taken = Vec::new();
    let mut piece = [0; 1 << 10];
    while Instant::now() < until {
        let n = slow.reader.read(&mut piece).expect("still served");
        assert!(n > 0, "still served after {} bytes", taken.len());
        taken.extend_from_slice(&piece[..n]);
        assert!(pace.recv_timeout(Duration::from_millis(20)).is_err());
    }
    assert!(taken.len() < whole.len() / 2, "it was slow: {} bytes", taken.len());
    assert!(whole.starts_with(&taken), "a correct prefix");
    assert!(server.held("stream") > 0, "and it goes on");
}

#[test]
fn stalled_streams_hold_no_reader() {
    let world = world(MANY);
    let server = start_with(&world, |_| {});
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut connection = small_window(&server);
        connection.send("GET", "/goods/stream", &[], b"");
        assert_eq!(connection.head().expect("a head").status, 200);
        stalled.push(connection);
    }
    // Two readers, eight streams: every list is answered all the same.
    for _ in 0..20 {
        assert_eq!(server.get("/goods?limit=500").status, 200);
    }
}

#[test]
fn headers_that_trickle_in_are_cut_off() {
    let world = world(1);
    let server =
        start_with(&world, |config| config.limits.header_timeout = Duration::from_millis(200));
    let mut slow = Connection::open(server.address);
    slow.send_raw(b"GET / HTTP/1.1\r\nhost:").expect("sends");
    let mut rest = Vec::new();
    drop(slow.reader.read_to_end(&mut rest));
    server.wait_until("it is cut", || server.held("connection") == 0);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let world = world(1);
    let server =
        start_with(&world, |config| config.limits.header_timeout = Duration::from_millis(200));
    let mut idle = Connection::open(server.address);
    idle.send("GET", "/livez", &[], b"");
    assert_eq!(idle.answer("GET").expect("an answer").status, 200);
    let mut rest = Vec::new();
    drop(idle.reader.read_to_end(&mut rest));
    server.wait_until("it is closed", || server.held("connection") == 0);
}

#[test]
fn a_body_that_trickles_in_is_cut_off() {
    let world = world(1);
    let server =
        start_with(&world, |config| config.limits.body_timeout = Duration::from_millis(200));
    let mut slow = Connection::open(server.address);
    slow.send_raw(
        b"POST /goods HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
          content-length: 100\r\n\r\n{",
    )
    .expect("sends");
    slow.answer("POST").expect("an answer").problem(408, "body-timeout");
    server.wait_until("the bytes come back", || server.held("body") == 0);
}
