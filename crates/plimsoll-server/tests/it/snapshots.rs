//! Streams with `consistency=snapshot`: the rows of one moment, at the client's pace.
//!
//! Promises: the same bytes as without it while nobody writes; files, bytes and the turn come back
//! however the stream ends.
//! Never: a table that fits the spool's memory.

use std::io::{BufRead as _, Read as _};
use std::net::TcpStream;

use plimsoll::record::Value;

use crate::client::Connection;
use crate::support::{TestServer, start_with, world};

const MANY: u64 = 20_000;

fn started(world: &crate::support::World, spill: &std::path::Path) -> TestServer {
    start_with(world, |config| config.spill_directory = spill.to_owned())
}

/// A client that takes nothing until it is asked to.
fn idle_client(server: &TestServer, target: &str) -> Connection {
    let socket =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("an option");
    socket.connect(&server.address.into()).expect("connects");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a timeout");
    let mut client = Connection { reader: std::io::BufReader::with_capacity(1 << 10, stream) };
    // HTTP/1.0 has no chunks, so the bytes can be compared as they come.
    client.send_raw(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes()).expect("sends");
    client
}

#[test]
fn a_snapshot_has_the_same_bytes_as_a_stream_while_nobody_writes() {
    let world = world(MANY);
    let spill = tempfile::tempdir().expect("a folder");
    let server = started(&world, spill.path());
    for query in ["format=ndjson", "format=json", "format=csv", "sort=-id&format=json&kind=b"] {
        let plain = server.get(&format!("/goods/stream?{query}"));
        let snapshot = server.get(&format!("/goods/stream?{query}&consistency=snapshot"));
        assert_eq!((snapshot.status, snapshot.complete), (200, true), "{query}");
        assert!(snapshot.body == plain.body, "{query}: {} bytes", snapshot.body.len());
    }
    let empty = server.get("/goods/stream?format=json&filter=id%3C0&consistency=snapshot");
    assert_eq!((empty.complete, empty.text()), (true, "[]"));
    let export = server.get("/goods/export?format=csv&consistency=snapshot&fields=id");
    assert_eq!(export.text().lines().count() as u64, MANY + 1);
}

#[test]
fn a_slow_client_gets_the_rows_of_the_first_moment_and_holds_no_snapshot() {
    let world = world(MANY);
    let spill = tempfile::tempdir().expect("a folder");
    let server = started(&world, spill.path());
    let before = server.get("/goods/stream?format=csv").body;
    let mut slow = idle_client(&server, "/goods/stream?format=csv&consistency=snapshot");
    assert_eq!(slow.head().expect("a head").status, 200);
    // The reading is over although hardly a row was taken; all of it lies in the spool.
    server.wait_until("the snapshot ends", || {
        world.store.stats().connections_used == 0
            && std::fs::read_dir(spill.path()).is_ok_and(|d| d.count() > 0)
    });
    let id = i64::try_from(MANY).expect("few") + 1;
    let text = |text: &str| Value::Text(text.into());
    let price = Value::Money("1".parse().expect("an amount"));
    let row = vec![Value::Int(id), text("NEW"), text("new"), Value::Null, price];
    world.insert("goods", &[0, 1, 2, 3, 4], row);
    let mut taken = Vec::new();
    slow.reader.read_to_end(&mut taken).expect("the rest");
    assert!(taken == before, "{} bytes of {}", taken.len(), before.len());
    server.wait_until("its bytes come back", || server.held("stream") == 0);
    assert_ne!(server.get("/goods/stream?format=csv").body, before, "the change is there");
}

#[test]
fn a_client_that_leaves_gives_turn_and_files_back() {
    let world = world(MANY);
    let spill = tempfile::tempdir().expect("a folder");
    let server = started(&world, spill.path());
    for _ in 0..3 {
        let mut client = idle_client(&server, "/goods/stream?consistency=snapshot");
        assert_eq!(client.head().expect("a head").status, 200);
        let mut line = String::new();
        client.reader.read_line(&mut line).expect("a row");
        drop(client);
        server.wait_until("its bytes come back", || server.held("stream") == 0);
        server.wait_until("its files go", || {
            std::fs::read_dir(spill.path()).is_ok_and(|mut entries| entries.next().is_none())
        });
    }
    let whole = server.get("/goods/stream?consistency=snapshot&fields=id");
    assert_eq!(whole.text().lines().count() as u64, MANY);
}

#[test]
fn a_second_snapshot_waits_and_is_refused_with_a_time_to_come_back() {
    let world = world(MANY);
    let spill = tempfile::tempdir().expect("a folder");
    let server = start_with(&world, |config| {
        config.spill_directory = spill.path().to_owned();
        config.limits.admission_wait = std::time::Duration::from_millis(50);
    });
    let mut first = idle_client(&server, "/goods/stream?consistency=snapshot");
    assert_eq!(first.head().expect("a head").status, 200);
    let second = server.get("/goods/stream?consistency=snapshot");
    assert_eq!(second.status, 429, "{}", second.text());
    assert!(second.header("retry-after").is_some());
    assert_eq!(server.get("/goods/stream?fields=id").text().lines().count() as u64, MANY);
}

#[test]
fn a_snapshot_in_an_order_without_an_index_is_refused_with_the_index_to_make() {
    let world = world(MANY);
    let server = start_with(&world, |_| {});
    let answer = server.get("/goods/stream?sort=stock&consistency=snapshot");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("CREATE INDEX"), "{}", answer.text());
    let wrong = server.get("/goods/stream?consistency=strong");
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("keyset or snapshot"), "{}", wrong.text());
}
