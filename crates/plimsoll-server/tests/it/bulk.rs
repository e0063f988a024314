//! Many rows changed at once: few while the client waits, many by a job.
//!
//! Promises: the version of a row, which counts its changes, says that each happened once, wherever
//! the job was broken off.
//! Never: a wait without a deadline.

use plimsoll::record::Value;
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::imports::{Break, Desk, breaking, desk, desk_over};
use crate::support::{World, world};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const NDJSON: &[(&str, &str)] = &[("content-type", "application/x-ndjson")];
const TARGET: &str = "/api/v2/goods/bulk-update";

fn send(desk: &Desk, body: &Json) -> Answer {
    desk.send(TARGET, JSON, body.to_string().as_bytes())
}

/// How many goods were changed so often and have this stock.
fn count(world: &World, version: u64, stock: u64) -> i64 {
    let sql = format!("select count(*) from goods where version = {version} and stock = {stock}");
    let rows = world.store.query(&sql, 1).wait().expect("counted");
    match rows[0][0] {
        Value::Int(rows) => rows,
        ref other => panic!("{other:?}"),
    }
}

/// Changes of goods to a stock, one to a line.
fn lines(ids: std::ops::RangeInclusive<u64>, stock: u64) -> String {
    ids.map(|id| format!("{{\"id\":{id},\"set\":{{\"stock\":{stock},\"kind\":null}}}}\n")).collect()
}

#[test]
fn few_rows_are_changed_at_once_and_those_that_are_not_there_are_named() {
    let world = world(100);
    let desk = desk(&world);
    let changes = json!([
        {"id": 1, "set": {"stock": 7, "price": 2.55}},
        {"set": {"stock": 7}, "id": 2},
        {"id": 999, "set": {"stock": 7}},
    ]);
    let answer = send(&desk, &changes);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let counts = json!({"rows": 3, "updated": 2, "missing": 1, "missing_keys": ["999"]});
    assert_eq!(answer.json(), counts);
    assert_eq!(count(&world, 2, 7), 2);
    let row = desk.server.get("/goods/1").json();
    assert_eq!((&row["price"], &row["stock"]), (&json!(2.55), &json!(7)));
    let answer = desk.send(TARGET, NDJSON, lines(11..=60, 3).as_bytes());
    assert_eq!(answer.json()["updated"], 50, "{}", answer.text());
    assert_eq!(count(&world, 2, 3), 50);
    // The pairs have a key of two columns.
    world.insert("pairs", &[0, 1], vec![Value::Text("x".into()), Value::Int(1)]);
    let pairs = json!([{"a": "x", "b": 1, "set": {"note": "n"}}]).to_string();
    let answer = desk.send("/api/v2/tables/pairs/bulk-update", JSON, pairs.as_bytes());
    assert_eq!(answer.json()["updated"], 1, "{}", answer.text());
}

#[test]
fn a_repeat_under_the_same_idempotency_key_changes_nothing_and_is_answered_alike() {
    let world = world(2_000);
    let desk = desk(&world);
    let keyed = |key: &'static str| [JSON[0], ("idempotency-key", key)];
    let few = json!([{"id": 1, "set": {"stock": 5}}, {"id": 9_999, "set": {"stock": 5}}]);
    let few = few.to_string();
    let first = desk.send(TARGET, &keyed("k1"), few.as_bytes());
    let again = desk.send(TARGET, &keyed("k1"), few.as_bytes());
    assert_eq!((first.status, again.status), (200, 200), "{}", again.text());
    assert_eq!(first.json(), again.json());
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(count(&world, 2, 5), 1, "changed once");
    let other = few.replace("\"stock\":5", "\"stock\":6");
    let reused = desk.send(TARGET, &keyed("k1"), other.as_bytes());
    reused.problem(422, "idempotency-key-reused");
    // A job is the same one, also when it is over.
    let many = format!("[{}]", lines(1..=1_500, 8).trim_end().replace('\n', ","));
    let first = desk.taken(&desk.send(TARGET, &keyed("k2"), many.as_bytes()));
    assert_eq!(desk.over(&first)["state"], "completed");
    let again = desk.send(TARGET, &keyed("k2"), many.as_bytes());
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.text());
    assert_eq!(desk.taken(&again), first);
    let reused = desk.send(TARGET, &keyed("k2"), many.replace(":8,", ":9,").as_bytes());
    reused.problem(422, "idempotency-key-reused");
    assert_eq!(desk.files(), [""; 0], "the file of a repeat is not kept");
    assert_eq!(count(&world, 2, 8) + count(&world, 3, 8), 1_500);
}

#[test]
fn many_changes_broken_off_at_any_unit_happen_once() {
    let world = world(2_000);
    let mut version = 1;
    // 1,990 changes are four units, and one more says that it is over, before the file goes.
    for unit in 1..=5 {
        for how in [Break::Before, Break::Behind, Break::Stolen, Break::Lost] {
            let desk = desk_over(&world, breaking(&world, unit, how));
            let stock = 10 * version;
            let mut body = lines(11..=2_000, stock);
            body.push_str(&lines(5_000..=5_004, stock));
            let place = desk.taken(&desk.send(TARGET, NDJSON, body.as_bytes()));
            let job = desk.over(&place);
            let what = format!("unit {unit}, {how:?}: {job}");
            version += 1;
            assert_eq!((&job["state"], &job["resumed_count"]), (&json!("completed"), &json!(1)));
            assert_eq!(count(&world, version, stock), 1_990, "{what}");
            assert_eq!(job["result"]["rows"], 1_995, "{what}");
            // What was not there is known of the units behind the break, and of those before it
            // but for one.
            assert!(job["result"]["updated"].as_u64() >= Some(1_490), "{what}");
            let missing = &job["result"]["missing"];
            let is_marked = unit == 5 && matches!(how, Break::Behind | Break::Lost);
            let is_known = unit < 4 || is_marked;
            assert!(!is_known || *missing == 5, "the last unit has them: {what}");
            assert_eq!(desk.files(), [""; 0]);
        }
    }
}

/// A zstd frame of texts, each with so many of a letter behind it.
fn packed(parts: &[(String, usize)]) -> Vec<u8> {
    // No checksum and no length, a window of 128 KiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
    let mut begin = |kind: usize, length: usize, content: &[u8]| {
        let head = kind << 1 | length << 3;
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.extend_from_slice(content);
    };
    for (text, letters) in parts {
        begin(0, text.len(), text.as_bytes());
        if *letters > 0 {
            begin(1, *letters, b"x");
        }
    }
    // The last one is empty.
    frame.extend_from_slice(&[1, 0, 0]);
    frame
}

#[test]
fn a_small_body_that_unpacks_to_far_more_goes_by_a_job() {
    let world = world(1_000);
    let desk = desk(&world);
    let body = |letters: usize, first: &str, behind: &str| {
        let row = |n: usize| {
            let first = first.replace("NUMBER", &n.to_string());
            [(first, letters), (behind.to_owned(), 0)]
        };
        packed(&(1..=500).flat_map(row).collect::<Vec<_>>())
    };
    let change = "{\"id\":NUMBER,\"set\":{\"name\":\"";
    let good = "{\"code\":\"ZNUMBER\",\"price\":1,\"name\":\"";
    for (target, first, behind) in
        [(TARGET, change, "\"}}\n"), ("/goods?on_conflict=update", good, "\"}\n")]
    {
        let few = desk.send(target, NDJSON, &body(10, first, behind));
        assert_eq!((few.status, &few.json()["rows"]), (200, &json!(500)), "{}", few.text());
        let many = desk.send(target, NDJSON, &body(2_000, first, behind));
        let job = desk.over(&desk.taken(&many));
        assert_eq!((&job["state"], &job["result"]["rows"]), (&json!("completed"), &json!(500)));
    }
}

#[test]
fn what_is_no_change_is_refused_or_fails_and_nothing_is_changed() {
    let world = world(2_000);
    let desk = desk(&world);
    for (body, status, slug, expected) in [
        (json!([{"id": 1}]), 422, "validation", "names id and 'set'"),
        (json!([{"set": {"stock": 1}}]), 422, "validation", "names id and 'set'"),
        (json!([{"id": "x", "set": {"stock": 1}}]), 422, "validation", "'id'"),
        (json!([{"id": null, "set": {"stock": 1}}]), 422, "validation", "null"),
        (json!([{"id": 1, "set": {}}]), 422, "validation", "sets no column"),
        (json!([{"id": 1, "set": 7}]), 422, "validation", "line 1"),
        (json!([{"id": 1, "set": {"id": 2}}]), 422, "validation", "made by the server"),
        (json!([{"id": 1, "set": {"colour": 2}}]), 422, "validation", "/colour"),
        (json!([{"id": 1, "set": {"version": 2}}]), 422, "validation", "made by the server"),
        (json!([{"id": 1, "set": {"stock": "a"}}]), 422, "validation", "/stock"),
        (json!([{"id": 1, "put": {"stock": 1}}]), 422, "validation", "'put'"),
        (json!([]), 400, "invalid-request", "no change"),
        (json!([7]), 400, "invalid-request", "an object is expected"),
        (json!([{"id": 1, "set": {"code": "G0000002"}}]), 409, "conflict", "code"),
    ] {
        // What is well said stands beside it, and does not happen.
        let mut body = body;
        if let Some(list) = body.as_array_mut().filter(|list| !list.is_empty()) {
            list.insert(0, json!({"id": 3, "set": {"stock": 77}}));
        }
        let problem = send(&desk, &body).problem(status, slug);
        let detail = problem["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(expected), "{body}: {problem}");
    }
    let bytes = json!([{"id": 3, "set": {"stock": 77}}]).to_string();
    let text: &[(&str, &str)] = &[("content-type", "text/csv")];
    desk.send(TARGET, text, bytes.as_bytes()).problem(415, "unsupported-media-type");
    desk.send(TARGET, JSON, b"").problem(400, "invalid-request");
    desk.send(TARGET, JSON, b"[{\"id\": 1").problem(400, "invalid-request");
    desk.send(&format!("{TARGET}?dry=1"), JSON, bytes.as_bytes()).problem(400, "unknown-parameter");
    let sales = "/api/v2/tables/sales/bulk-update";
    desk.send(sales, JSON, bytes.as_bytes()).problem(405, "method-not-allowed");
    let forged = json!({"kind": "bulk.update", "payload": {}}).to_string();
    desk.send("/jobs", JSON, forged.as_bytes()).problem(422, "job-invalid");
    // Of many, one that cannot be read.
    let mut many = lines(1..=1_800, 77);
    many.push_str("{\"id\":5,\"set\":{\"colour\":1}}\n");
    let answer = desk.send(TARGET, NDJSON, many.as_bytes());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = desk.over(&desk.taken(&answer));
    assert_eq!(job["state"], "failed", "{job}");
    assert!(job["error"]["detail"].as_str().is_some_and(|e| e.contains("line 1801")), "{job}");
    assert_eq!((count(&world, 2, 77), count(&world, 1, 77)), (0, 0));
}
