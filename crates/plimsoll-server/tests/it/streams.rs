//! Streams and exports: every row once, in the format asked for; a failure never looks complete.

use serde_json::{Value as Json, json};

use crate::client::Connection;
use crate::support::{failing_after, start, start_with, world};

/// Enough for several frames and more than the kernel buffers of both ends.
const MANY: u64 = 12_000;

#[test]
fn a_get_json_of_ten_thousand_rows_is_one_array_with_the_exact_content_type() {
    let world = world(10_000);
    let server = start(&world);
    let headers = [("accept", "application/json")];
    let answer = server.ask("GET", "/api/goods/stream", &headers, b"");
    assert_eq!((answer.status, answer.complete), (200, true));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let rows = answer.json();
    let rows = rows.as_array().expect("an array");
    assert_eq!(rows.len(), 10_000);
    for (row, id) in rows.iter().zip(1..) {
        assert_eq!(row["id"], id);
    }
}

#[test]
fn every_format_carries_every_row() {
    let world = world(MANY);
    let server = start(&world);
    for accept in ["*/*", "application/x-ndjson", "application/jsonl"] {
        let answer = server.ask("GET", "/goods/stream", &[("accept", accept)], b"");
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        assert!(answer.complete);
        let rows: Vec<Json> = answer
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("a row per line"))
            .collect();
        assert_eq!(rows.len() as u64, MANY);
        assert!(rows.iter().zip(1..).all(|(row, id)| row["id"] == id));
    }
    let csv = server.get("/goods/stream?format=csv&fields=id,name");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    let lines: Vec<&str> = csv.text().split_terminator("\r\n").collect();
    assert_eq!(lines[0], "id,name");
    assert_eq!(lines[2], "2,\"good number 2, \"\"quoted\"\"\"");
    assert_eq!(lines.len() as u64, MANY + 1);
}

#[test]
fn an_empty_stream_is_complete_in_every_format() {
    let world = world(0);
    let server = start(&world);
    for (format, body) in [("ndjson", ""), ("json", "[]"), ("csv", "id\r\n")] {
        let answer = server.get(&format!("/goods/stream?format={format}&fields=id"));
        assert_eq!((answer.status, answer.complete, answer.text()), (200, true, body));
    }
}

#[test]
fn a_stream_is_filtered_sorted_and_resumed() {
    let world = world(100);
    let server = start(&world);
    let answer = server.get("/goods/stream?kind=b&sort=-price&fields=id");
    let ids: Vec<Json> =
        answer.text().lines().map(|l| serde_json::from_str::<Json>(l).expect("a row")).collect();
    assert_eq!(ids.first(), Some(&json!({"id": 97})));
    assert_eq!(ids.len(), 25);
    let page = server.get("/goods?kind=b&sort=-price&limit=20").json();
    let cursor = page["meta"]["cursor"]["next"].as_str().expect("more");
    let rest = server.get(&format!("/goods/stream?kind=b&sort=-price&fields=id&after={cursor}"));
    assert_eq!(rest.text().lines().count(), 5);
    assert!(answer.text().ends_with(rest.text()));
}

#[test]
fn an_export_is_a_dated_file_with_the_columns_of_its_resource() {
    let world = world(2);
    let server = start(&world);
    let answer = server.get("/goods/export/csv");
    assert_eq!(
        answer.header("content-disposition"),
        Some(
            "attachment; filename=\"goods_2026-01-31.csv\"; \
             filename*=UTF-8''goods_2026-01-31.csv"
        )
    );
    assert!(answer.text().starts_with("ID,Name\r\n1,"), "{}", answer.text());
    let ndjson = server.get("/goods/export?format=ndjson&fields=id");
    assert_eq!(ndjson.text(), "{\"id\":1}\n{\"id\":2}\n");
    assert!(ndjson.header("content-disposition").is_some_and(|d| d.contains(".ndjson")));
    server.get("/goods/export/csv?format=json").problem(400, "invalid-parameter");
    let table = server.get("/api/v2/tables/sales/export/csv");
    assert_eq!(table.text(), "id,channel,buyer,sold_at\r\n");
}

#[test]
fn a_formula_is_guarded_unless_the_client_says_otherwise() {
    let world = world(0);
    let note = plimsoll::record::Value::Text("=1+1".into());
    let row =
        vec![plimsoll::record::Value::Text("x".into()), plimsoll::record::Value::Int(1), note];
    world.insert("pairs", &[0, 1, 2], row);
    let server = start(&world);
    let path = "/api/v2/tables/pairs/export/csv?fields=note";
    assert_eq!(server.get(path).text(), "note\r\n'=1+1\r\n");
    let raw = server.get(&format!("{path}&formula_guard=0&bom=1"));
    assert_eq!(raw.text(), "\u{feff}note\r\n=1+1\r\n");
}

#[test]
fn a_stream_that_fails_midway_never_ends_cleanly() {
    let world = world(MANY);
    for (format, says_so) in [("ndjson", true), ("json", false), ("csv", false)] {
        let store = failing_after(&world, 3, false);
        let server = start_with(&world, |config| config.store = store);
        let answer = server.get(&format!("/goods/stream?format={format}"));
        assert_eq!((answer.status, answer.complete), (200, false), "{format}");
        let text = answer.text();
        assert!(text.len() > 100_000, "what was read before arrives: {}", text.len());
        assert!(!text.contains("secret"), "causes stay in the log");
        let last = text.lines().last().expect("lines");
        if says_so {
            let last: Json = serde_json::from_str(last).expect("json");
            assert_eq!(last["error"]["type"], "/problems/internal");
            assert_eq!(last["error"]["instance"].as_str(), answer.header("x-request-id"));
        } else {
            assert!(!text.contains("/problems/") && !text.ends_with(']'), "{format}");
        }
        server.wait_until("the permit comes back", || server.held("stream") == 0);
    }
}

#[test]
fn a_stream_whose_first_slice_fails_is_an_ordinary_problem() {
    let world = world(10);
    let store = failing_after(&world, 0, false);
    let server = start_with(&world, |config| config.store = store);
    let problem = server.get("/goods/stream").problem(500, "internal");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert_eq!(server.held("stream"), 0);
}

#[test]
fn a_client_that_leaves_gives_its_bytes_back() {
    let world = world(MANY);
    let server = start(&world);
    let mut connection = Connection::open(server.address);
    connection.send("GET", "/goods/stream", &[], b"");
    assert_eq!(connection.head().expect("a head").status, 200);
    assert!(server.held("stream") > 0);
    drop(connection);
    server.wait_until("everything comes back", || {
        server.held("stream") == 0 && server.held("connection") == 0
    });
}

#[test]
fn head_of_a_stream_has_its_headers_and_holds_nothing_afterwards() {
    let world = world(MANY);
    let server = start(&world);
    let head = server.ask("HEAD", "/goods/stream", &[], b"");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("application/x-ndjson"));
    server.wait_until("the permit comes back", || server.held("stream") == 0);
}

#[test]
fn a_cut_stream_ends_in_a_reset_where_only_the_connection_frames_it() {
    let world = world(MANY);
    let read = |store| {
        let server = start_with(&world, |config| config.store = store);
        let mut old = Connection::open(server.address);
        old.send_raw(b"GET /goods/stream?format=csv HTTP/1.0\r\n\r\n").expect("sends");
        let head = old.head().expect("a head");
        assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut old.reader, &mut body).map(|_| body)
    };
    let whole = read(world.store.clone()).expect("complete");
    assert!(whole.ends_with(b"1\r\n"));
    let cut = read(failing_after(&world, 3, false)).expect_err("cut");
    assert_eq!(cut.kind(), std::io::ErrorKind::ConnectionReset);
}
