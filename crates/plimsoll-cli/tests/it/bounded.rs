//! Resident memory stays below what was promised, as the kernel counts it (VmHWM).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::corpus::{folder, online_retail};
use crate::http::Client;
use crate::server::Server;
use crate::tool::{Tool, optimised};

const LIMIT_BYTES: u64 = 64 << 20;
const PRODUCTS: usize = 200_000;

/// Whether a peak is within its bound.
fn within(peak_bytes: u64, bytes_max: u64) -> Result<(), String> {
    match peak_bytes {
        0 => Err("no peak was measured".to_owned()),
        peak if peak > bytes_max => Err(format!("{peak} bytes, {} too many", peak - bytes_max)),
        _ => Ok(()),
    }
}

fn tested() -> Option<PathBuf> {
    let binary = optimised();
    if binary.is_none() {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
    }
    binary
}

fn demo<'a>(products: &'a str, orders: &'a str) -> [&'a str; 7] {
    ["--demo", "--products", products, "--customers", "1000", "--orders", orders]
}

#[test]
fn the_check_of_memory_finds_a_peak_above_its_bound() {
    assert!(within(0, 50).is_err() && within(51, 50).is_err() && within(50, 50).is_ok());
    let folder = folder();
    let server = Server::fastest(folder.path(), &[]);
    assert_eq!(server.get("/livez").status, 200);
    let peak = server.resident_peak_bytes();
    // No process with a database fits into so little.
    assert!(within(peak, 4 << 20).is_err(), "{peak}");
    let ended = server.stop();
    ended.expect(0, &["stopped; VmHWM "]);
    let text = ended.err.split("VmHWM ").nth(1).unwrap();
    let own = text.split(" of ").next().unwrap().replace(' ', "");
    let own = own.parse::<plimsoll::units::ByteSize>().unwrap().bytes();
    assert!(within(own, peak + (4 << 20)).is_ok() && own + (1 << 20) > peak, "{own} {peak}");
}

#[test]
fn ten_thousand_products_as_one_json_array_take_less_than_50_mb() {
    let Some(binary) = tested() else { return };
    let folder = folder();
    let server = Server::of(&binary, folder.path(), &demo("10000", "10000"));
    for path in ["/api/products/stream", "/products/stream", "/api/v2/products/stream"] {
        let answer = server.client().get(path, "application/json").unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert_eq!(answer.json().as_array().map(Vec::len), Some(10_000), "{path}");
    }
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    within(peak, 50_000_000).unwrap();
    server.stop().expect(0, &[]);
}

#[test]
fn an_import_of_half_a_million_lines_stays_within_its_limit() {
    let Some(binary) = tested() else { return };
    let Some(path) = online_retail() else { return };
    let folder = folder();
    let import = ["import", "online-retail", path.to_str().unwrap(), "--memory", "64M", "--json"];
    let ended = Tool::of(&binary, folder.path(), &import).run();
    ended.expect(0, &[]);
    let json = ended.json();
    println!("VmHWM {}", json["rss_peak_bytes"]);
    within(json["rss_peak_bytes"].as_u64().unwrap(), LIMIT_BYTES).unwrap();
    assert_eq!(json["rows"], 541_909);
    assert_eq!(json["figures"]["revenue"], "9747747.934");
}

/// Reads a little now and then until `done`; gives how much.
fn slow(mut client: Client, done: &AtomicBool) -> u64 {
    let head = client.begin("GET", "/products/stream", "Accept: application/x-ndjson\r\n", "");
    assert_eq!(head.unwrap().status, 200);
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    let mut piece = [0; 1024];
    let mut bytes = 0;
    while !done.load(Ordering::Acquire) {
        bytes += client.read(&mut piece).unwrap() as u64;
        let _paced = never.recv_timeout(Duration::from_millis(20));
    }
    bytes
}

/// Reads everything; gives the rows.
fn fast(mut client: Client) -> usize {
    let answer = client.get("/products/stream", "application/x-ndjson").unwrap();
    assert_eq!(answer.status, 200);
    answer.body.iter().filter(|byte| **byte == b'\n').count()
}

fn sixteen_slow_and_eight_fast(binary: &Path, folder: &Path) {
    let count = PRODUCTS.to_string();
    let args = [&demo(&count, "0")[..], &["--memory", "64M"]].concat();
    let server = Server::of(binary, folder, &args);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        let clients = [(); 16].map(|()| server.client());
        let slow = clients.map(|client| scope.spawn(move || slow(client, done)));
        let clients = [(); 8].map(|()| server.client());
        let fast = clients.map(|client| scope.spawn(move || fast(client)));
        let rows = fast.map(std::thread::ScopedJoinHandle::join);
        // The slow ones end whatever became of the fast ones.
        done.store(true, Ordering::Release);
        assert!(slow.into_iter().all(|client| client.join().unwrap() > 0));
        assert!(rows.iter().all(|rows| matches!(rows, Ok(PRODUCTS))), "{rows:?}");
    });
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    within(peak, LIMIT_BYTES).unwrap();
    server.stop().expect(0, &["of 64 MiB"]);
}

#[test]
fn sixteen_slow_and_eight_fast_streams_stay_within_the_limit() {
    let Some(binary) = tested() else { return };
    let folder = folder();
    sixteen_slow_and_eight_fast(&binary, folder.path());
}

/// Searches for words that are rare, everywhere, many, next to one another and absent.
const SEARCHES: [&str; 7] = [
    "/products/search?q=rustic&limit=500",
    "/products/search?q=yoga+mat+-rustic&sort=-price&limit=500",
    "/products/search?q=%22of+of+of+of+of+of+of+of+of+of+of+of+of+of+of+of%22&limit=500",
    "/products/search?q=of+-a+-b+-c+-d+-oak+-steel+-linen+-glass+-felt+-wool+-zinc+-cork+-red+-xl",
    "/products/search?q=%22set+of%22+2&sort=-stock&limit=500",
    "/products/stream?search=set&fields=id,name",
    "/products/stream?search=oak+-small&sort=name",
];

#[test]
fn searches_by_many_clients_stay_within_the_least_limit() {
    let Some(binary) = tested() else { return };
    let folder = folder();
    let count = PRODUCTS.to_string();
    let args = [&demo(&count, "0")[..], &["--memory", "32M"]].concat();
    let server = Server::of(&binary, folder.path(), &args);
    std::thread::scope(|scope| {
        let ask = |mut client: Client| {
            for path in SEARCHES.iter().cycle().take(4 * SEARCHES.len()) {
                let answer = client.get(path, "*/*").unwrap();
                // A sort of the second stream may have to wait for its turn in vain.
                assert!([200, 429, 503].contains(&answer.status), "{path}: {}", answer.status);
            }
        };
        let clients = [(); 8].map(|()| server.client());
        let asking = clients.map(|client| scope.spawn(move || ask(client)));
        assert!(asking.into_iter().all(|client| client.join().is_ok()));
    });
    let found = server.client().get(SEARCHES[0], "*/*").unwrap();
    assert_eq!(found.json()["data"].as_array().map(Vec::len), Some(500));
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    within(peak, 32 << 20).unwrap();
    server.stop().expect(0, &["of 32 MiB"]);
}

/// Somebody's table of a million rows, each a group of its own by `name`, which no index orders.
fn a_million_names(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "create table sold (id integer primary key, name text, amount integer);
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000000)
             insert into sold
             select i, 'the name of number ' || (i * 7919 % 1000003), i * 31 % 1000 from n;",
        )
        .unwrap();
}

#[test]
fn a_million_groups_are_made_within_the_limit() {
    let Some(binary) = tested() else { return };
    let (folder, theirs) = (folder(), folder());
    let path = theirs.path().join("sold.db");
    a_million_names(&path);
    let args = ["--database", path.to_str().unwrap(), "--memory", "64M"];
    let server = Server::of(&binary, folder.path(), &args);
    let ask = |body: &str| {
        let answer = server.client().post("/analytics/aggregate", body).unwrap();
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.body
    };
    // Sorted twice: by group, then by what was summed. The answer itself is beyond the limit.
    let groups = ask(r#"{"resource":"sold","group_by":["name"],"order":"-total,name","measures":[
            {"function":"sum","expression":"amount * 1000","as":"total"},{"function":"count"},
            {"function":"max","expression":"name","as":"the largest of all the names of the group"}
        ]}"#);
    assert!(groups.len() as u64 > LIMIT_BYTES, "{}", groups.len());
    assert_eq!(groups.iter().filter(|byte| **byte == b'\n').count(), 1_000_000);
    assert!(groups.starts_with(br#"{"name":"the name of number "#));
    let different =
        |n| format!(r#"{{"function":"count_distinct","expression":"name","as":"n{n}"}}"#);
    let measures = [0, 1, 2, 3].map(different).join(",");
    let counted = ask(&format!(r#"{{"resource":"sold","measures":[{measures}]}}"#));
    let counted = String::from_utf8(counted).unwrap();
    assert_eq!(counted.matches(":1000000").count(), 4, "{counted}");
    // Each takes the rows in its own order, with their places.
    let middle = ask(r#"{"resource":"sold","measures":["median(amount)","quantile(id, 0.9) as q",
            "median(-id * 2) as twice"]}"#);
    let middle = String::from_utf8(middle).unwrap();
    assert!(
        middle.contains(r#"{"median(amount)":499.5,"q":900000.1,"twice":-1000001.0}"#),
        "{middle}"
    );
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    within(peak, LIMIT_BYTES).unwrap();
    server.stop().expect(0, &["of 64 MiB"]);
}
