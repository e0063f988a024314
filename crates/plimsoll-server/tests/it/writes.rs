//! Writes: exact, durable, bound to a version where asked, and once per key.

use serde_json::json;

use crate::client::Answer;
use crate::support::{TestServer, start, start_with, world};

const JSON: (&str, &str) = ("content-type", "application/json");

fn post(server: &TestServer, body: &str) -> Answer {
    server.ask("POST", "/goods", &[JSON], body.as_bytes())
}

#[test]
fn a_row_is_created_changed_and_deleted() {
    let world = world(0);
    let server = start(&world);
    let made = post(&server, r#"{"code":"T-1","name":"tea","price":2.50}"#);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("location"), Some("/goods/1"));
    assert_eq!(made.header("etag"), Some("\"1\""));
    let row = made.json();
    assert_eq!(row["price"].to_string(), "2.5");
    assert_eq!((&row["stock"], &row["kind"]), (&json!(0), &json!(null)));
    assert_eq!(row["updated_at"], "2026-01-31T12:00:00Z");
    assert_eq!(server.get("/goods/1").json(), row);

    let changed = server.ask("PATCH", "/goods/1", &[JSON], br#"{"stock":7}"#);
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!(changed.header("etag"), Some("\"2\""));
    assert_eq!(changed.json()["stock"], 7);
    assert_eq!(changed.json()["name"], "tea");

    let gone = server.ask("DELETE", "/goods/1", &[], b"");
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    server.get("/goods/1").problem(404, "not-found");
    server.ask("DELETE", "/goods/1", &[], b"").problem(404, "not-found");
    server.ask("PATCH", "/goods/1", &[JSON], br#"{"stock":7}"#).problem(404, "not-found");
}

#[test]
fn amounts_keep_their_digits_as_number_and_as_string() {
    let world = world(0);
    let server = start(&world);
    for (number, text) in [
        ("0.1", "0.1"),
        ("922337203685477.5807", "922337203685477.5807"),
        ("\"19.9900\"", "19.99"),
        ("4.0", "4"),
    ] {
        let body = format!("{{\"code\":\"c{text}\",\"name\":\"n\",\"price\":{number}}}");
        let made = post(&server, &body);
        assert_eq!(made.status, 201, "{}", made.text());
        assert!(made.text().contains(&format!("\"price\":{text},")), "{}", made.text());
    }
    for number in ["0.00001", "922337203685477.5808", "1e3", "\"x\"", "true"] {
        let body = format!("{{\"code\":\"c\",\"name\":\"n\",\"price\":{number}}}");
        let problem = post(&server, &body).problem(422, "validation");
        assert_eq!(problem["errors"][0]["pointer"], "/price", "{problem}");
    }
}

#[test]
fn every_mistake_of_a_body_is_reported_with_its_place() {
    let world = world(0);
    let server = start(&world);
    let body = r#"{"id":5,"nam":"x","stock":1.5,"code":null,"kind":["a"],"kind2":1}"#;
    let problem = post(&server, body).problem(422, "validation");
    let found: Vec<&str> = problem["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    assert_eq!(
        found,
        ["/id", "/nam", "/stock", "/code", "/kind", "/kind2", "/name", "/price"],
        "{problem}"
    );
    assert_eq!(problem["errors"][1]["did_you_mean"], "name");
    assert_eq!(problem["allowed"], json!(["code", "name", "kind", "price", "stock"]));
    post(&server, r#"{"code":"a","code":"b","name":"n","price":1}"#).problem(422, "validation");
    post(&server, "{}").problem(422, "validation");
    server.ask("PATCH", "/goods/1", &[JSON], b"{}").problem(422, "validation");
}

#[test]
fn a_write_that_contradicts_what_is_there_is_a_conflict() {
    let world = world(1);
    let server = start(&world);
    post(&server, r#"{"code":"G0000001","name":"n","price":1}"#).problem(409, "conflict");
    let answer = post(&server, r#"{"code":"x","name":"n","price":-1}"#);
    assert_eq!(answer.problem(409, "conflict")["status"], 409);
}

#[test]
fn a_stale_version_changes_nothing() {
    let world = world(1);
    let server = start(&world);
    let with = |tag| [JSON, ("if-match", tag)];
    let change = |tag, stock: u8| {
        let body = format!("{{\"stock\":{stock}}}");
        server.ask("PATCH", "/goods/1", &with(tag), body.as_bytes())
    };
    assert_eq!(change("\"1\"", 1).status, 200);
    change("\"1\"", 2).problem(412, "precondition-failed");
    change("\"b3-1\"", 2).problem(412, "precondition-failed");
    assert_eq!(server.get("/goods/1").json()["stock"], 1);
    assert_eq!(change("*", 3).status, 200);
    server.ask("DELETE", "/goods/1", &with("\"1\""), b"").problem(412, "precondition-failed");
    assert_eq!(server.ask("DELETE", "/goods/1", &with("\"3\""), b"").status, 204);
}

#[test]
fn a_repeat_under_the_same_key_gets_the_same_answer_and_does_nothing() {
    let world = world(0);
    let server = start(&world);
    let key = ("idempotency-key", "order-77");
    let body = br#"{"code":"T-1","name":"tea","price":2.50}"#;
    let first = server.ask("POST", "/goods", &[JSON, key], body);
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = server.ask("POST", "/goods", &[JSON, key], body);
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body);
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_eq!(server.get("/goods").json()["data"].as_array().map(Vec::len), Some(1));
    let other = br#"{"code":"T-2","name":"tea","price":2.50}"#;
    server.ask("POST", "/goods", &[JSON, key], other).problem(422, "idempotency-key-reused");

    let delete = ("idempotency-key", "bye");
    assert_eq!(server.ask("DELETE", "/goods/1", &[delete], b"").status, 204);
    let again = server.ask("DELETE", "/goods/1", &[delete], b"");
    assert_eq!((again.status, again.header("idempotent-replayed")), (204, Some("true")));
    for bad in ["", "a b", &"x".repeat(256)] {
        let key = ("idempotency-key", bad);
        server.ask("POST", "/goods", &[JSON, key], body).problem(400, "invalid-request");
    }
}

#[test]
fn rows_with_a_composite_key_are_addressed_by_all_of_it() {
    let world = world(0);
    let server = start(&world);
    let made = server.ask(
        "POST",
        "/api/v2/tables/pairs",
        &[JSON],
        r#"{"a":"x,/ü","b":-3,"note":"n"}"#.as_bytes(),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let location = made.header("location").expect("a place").to_owned();
    assert_eq!(location, "/api/v2/tables/pairs/x%2C%2F%C3%BC,-3");
    assert_eq!(server.get(&location).json()["note"], "n");
    let tag = server.get(&location).header("etag").expect("a tag").to_owned();
    assert_eq!(made.header("etag"), Some(tag.as_str()));
    let stale = [JSON, ("if-match", tag.as_str())];
    server.ask("PATCH", &location, &stale, br#"{"note":"m"}"#).problem(412, "precondition-failed");
    assert_eq!(server.ask("PATCH", &location, &[JSON], br#"{"note":"m"}"#).status, 200);
    server.ask("PATCH", &location, &[JSON], br#"{"b":1}"#).problem(422, "validation");
    assert_eq!(server.ask("DELETE", &location, &[], b"").status, 204);
    server.get("/api/v2/tables/pairs/x").problem(400, "invalid-request");
}

#[test]
fn what_is_read_only_says_so() {
    let world = world(1);
    let server = start(&world);
    let refused = server.ask("POST", "/api/v2/tables/sales", &[JSON], b"{}");
    refused.problem(405, "method-not-allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    let reading = start_with(&world, |config| config.writable = false);
    for (method, path) in [("POST", "/goods"), ("PATCH", "/goods/1"), ("DELETE", "/goods/1")] {
        let refused = reading.ask(method, path, &[JSON], b"{}");
        refused.problem(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    }
}
