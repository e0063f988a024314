//! A server says how to use it, stops in time, and makes the same demo everywhere.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::corpus::{Draw, file, folder, moment, products};
use crate::server::Server;
use crate::tool::Tool;

const DEMO: [&str; 6] = ["--demo", "--products", "2000", "--orders", "3000", "--customers=200"];

/// What a server over `folder` streams of each table, after filling it as `args` say.
fn streams(folder: &Path, args: &[&str]) -> Vec<Vec<u8>> {
    let server = Server::fastest(folder, args);
    let all = ["products", "customers", "orders", "order-items"].map(|name| {
        let answer = server.get(&format!("/{name}/stream?format=ndjson"));
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    });
    server.stop().expect(0, &[]);
    all.into()
}

#[test]
fn it_starts_with_the_limit_its_source_and_three_requests_that_work() {
    let folder = folder();
    let path = products(folder.path(), 10);
    Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    let has_curl = Command::new("curl").arg("--version").output().is_ok();
    let mut running = Tool::new(folder.path(), &["serve", "--port", "0", "--memory", "64M"])
        .telling("analytics")
        .start();
    running.told();
    running.signal(rustix::process::Signal::TERM);
    let first = running.wait();
    first.expect(0, &["plimsoll: memory limit 64 MiB from --memory\n", "of 64 MiB"]);
    let server = Server::start(folder.path(), &[]);
    let lines = first.err.lines().filter_map(|line| line.strip_prefix("  curl "));
    let lines: Vec<String> = lines
        .map(|line| {
            let (before, after) = line.split_once("127.0.0.1:").unwrap();
            let (_, path) = after.split_once('/').unwrap();
            format!("curl -f {before}{}/{path}", server.address)
        })
        .collect();
    assert_eq!(lines.len(), 3, "{first:?}");
    if !has_curl {
        println!("SKIPPED: curl is not here");
        return;
    }
    for line in lines {
        let ended = Tool::shell(folder.path(), &format!("set -o pipefail; {line}")).run();
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
        assert!(ended.text().lines().all(|line| line.starts_with('{')), "{line}: {ended:?}");
        assert!(!ended.out.is_empty(), "{line}");
    }
}

#[test]
fn sigterm_ends_it_within_the_drain_time_even_when_a_client_does_not_read() {
    let folder = folder();
    let path = products(folder.path(), 100_000);
    Tool::fastest(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    file(folder.path(), "plimsoll.toml", "[http]\ndrain_timeout = \"500ms\"\n");
    let server = Server::start(folder.path(), &[]);
    let mut client = server.client();
    let head = client.begin("GET", "/products/stream?format=ndjson", "", "").unwrap();
    assert_eq!(head.status, 200);
    let began = Instant::now();
    let ended = server.terminate().wait();
    let took = began.elapsed();
    ended.expect(0, &["stopped; VmHWM "]);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    // What the client then reads has no end: nobody takes a part for the whole.
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    while let Ok(read @ 1..) = client.read(&mut piece) {
        bytes.extend_from_slice(&piece[..read]);
    }
    assert!(!bytes.ends_with(b"0\r\n\r\n"), "a stream that was cut off ended cleanly");
}

#[test]
fn a_demo_of_the_same_numbers_is_the_same_everywhere() {
    let (one, two, other) = (folder(), folder(), folder());
    let first = streams(one.path(), &DEMO);
    assert_eq!(first[0].iter().filter(|byte| **byte == b'\n').count(), 2000);
    assert_eq!(first[2].iter().filter(|byte| **byte == b'\n').count(), 3000);
    assert!(first == streams(two.path(), &DEMO), "two folders differ");
    assert!(first == streams(one.path(), &DEMO), "the second start changed it");
    let seeded = [&DEMO[..], &["--seed", "7"]].concat();
    assert!(first != streams(other.path(), &seeded), "the seed has no effect");
}

#[test]
fn a_demo_killed_while_it_fills_goes_on_to_the_same_rows() {
    // Several batches of each table.
    const LARGER: [&str; 6] =
        ["--demo", "--products", "25000", "--orders", "25000", "--customers=25000"];
    let mut draw = Draw::printed();
    let (once, often) = (folder(), folder());
    let began = Instant::now();
    Server::fastest(once.path(), &LARGER).kill();
    let filling = began.elapsed();
    let args = [&["serve", "--port", "0"], &LARGER[..]].concat();
    let mut cut = 0;
    for _ in 0..8 {
        let mut running = Tool::fastest(often.path(), &args).start();
        let moment = moment(&mut draw, filling / 4);
        assert!(running.ends_within(moment).is_none(), "a server ended by itself");
        let begun = often.path().join("data/plimsoll.db").exists();
        cut += u32::from(begun && !running.kill().err.contains("serving on"));
    }
    assert!(cut >= 2, "only {cut} were killed while they filled");
    assert!(streams(once.path(), &LARGER) == streams(often.path(), &LARGER));
}

#[test]
fn a_demo_of_other_numbers_is_refused_where_there_is_one() {
    let folder = folder();
    let seed = ["seed", "--products", "20", "--customers", "5", "--orders", "10"];
    let ended = Tool::new(folder.path(), &[&seed[..], &["--json"]].concat()).run();
    ended.expect(0, &[]);
    assert_eq!([&ended.json()["products"], &ended.json()["orders"]], ["20", "10"]);
    let again = Tool::new(folder.path(), &seed).run();
    again.expect(0, &[]);
    assert!(again.text().contains("order items "), "{again:?}");
    let ended = Tool::new(folder.path(), &["serve", "--port", "0", "--demo"]).run();
    ended.expect(1, &["20 products", "seed 42", "--data"]);
}
