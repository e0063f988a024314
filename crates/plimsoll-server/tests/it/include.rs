//! `include=`: related rows, a request per relation, and bounds that are told.

use serde_json::{Value as Json, json};

use crate::support::{World, failing_after, start, start_with, world};

use plimsoll::record::Value;

/// Sales 1 to 6 of one line each, of goods 1 and 2 in turn.
fn with_sales() -> World {
    let world = world(4);
    for id in 1..=6 {
        world.add_sale(id, "online", "2026-01-02T03:04:05Z", 1 + id % 2, "2.50");
    }
    world
}

fn add_lines(world: &World, ids: std::ops::RangeInclusive<i64>, sale: i64) {
    let mut values = Vec::new();
    for id in ids {
        values.extend([id, sale, 3, 1].map(Value::Int));
        values.push(Value::Money("1".parse().expect("an amount")));
    }
    world.insert("lines", &[0, 1, 2, 3, 4], values);
}

fn ids(rows: &Json) -> Vec<i64> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("rows: {rows}"));
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[test]
fn related_rows_stand_in_the_rows_they_go_with_in_both_directions() {
    let world = with_sales();
    add_lines(&world, 7..=8, 2);
    let server = start(&world);
    let page = server.get("/api/v2/tables/lines?include=sale,good&fields=id&limit=2").json();
    let line = &page["data"][1];
    assert_eq!(line["id"], 2);
    assert_eq!(line["sale"]["id"], 2, "{page}");
    assert_eq!(line["sale"]["sold_at"], "2026-01-02T03:04:05Z");
    assert_eq!(line["good"]["code"], "G0000001");
    assert_eq!(line.as_object().expect("a row").len(), 3, "the key's columns do not show: {line}");
    assert_eq!(page["meta"]["truncated"], Json::Null);

    let sales = server.get("/api/v2/tables/sales?include=lines&limit=3").json();
    let lines: Vec<Vec<i64>> =
        sales["data"].as_array().expect("rows").iter().map(|sale| ids(&sale["lines"])).collect();
    assert_eq!(lines, [vec![1], vec![2, 7, 8], vec![3]]);
    let goods = server.get("/goods?include=lines&fields=id").json();
    assert_eq!(goods["data"][3], json!({"id": 4, "lines": []}), "no row is no row");

    let sale = server.get("/api/v2/tables/sales/2?include=lines");
    assert_eq!(ids(&sale.json()["lines"]), [2, 7, 8]);
    assert_eq!(sale.header("plimsoll-truncated"), None);
    let tag = sale.header("etag").expect("a tag").to_owned();
    let again = [("if-none-match", tag.as_str())];
    let path = "/api/v2/tables/sales/2?include=lines";
    assert_eq!(server.ask("GET", path, &again, b"").status, 304);
    add_lines(&world, 9..=9, 2);
    assert_eq!(server.ask("GET", path, &again, b"").status, 200, "the lines are another answer");
    assert_eq!(server.get("/goods/2?include=lines").json()["id"], 2);
    server.get("/goods/99?include=lines").problem(404, "not-found");
}

#[test]
fn pages_with_related_rows_go_on_in_both_directions() {
    let world = with_sales();
    let server = start(&world);
    let check = |page: &Json, expected: [i64; 2]| {
        assert_eq!(ids(&page["data"]), expected);
        for row in page["data"].as_array().expect("rows") {
            assert_eq!(row["sale"]["id"], row["sale_id"], "{row}");
        }
    };
    let first = server.get("/api/v2/tables/lines?include=sale&limit=2").json();
    check(&first, [1, 2]);
    let next = server.get(first["links"]["next"].as_str().expect("more")).json();
    check(&next, [3, 4]);
    let prev = server.get(next["links"]["prev"].as_str().expect("before")).json();
    check(&prev, [1, 2]);
    let last = server.get("/api/v2/tables/lines?include=sale&limit=2&sort=-sale_id").json();
    check(&last, [6, 5]);
}

#[test]
fn a_page_takes_one_request_for_each_relation() {
    let world = with_sales();
    let path = "/api/v2/tables/lines?include=sale,good";
    // The third request fails, and a page with two relations makes three.
    let enough = start_with(&world, |config| config.store = failing_after(&world, 3, false));
    let answer = enough.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    enough.get("/livez");
    enough.get(path).problem(500, "internal");
    let short = start_with(&world, |config| config.store = failing_after(&world, 2, false));
    short.get(path).problem(500, "internal");
}

#[test]
fn what_a_bound_leaves_out_is_told() {
    let world = with_sales();
    add_lines(&world, 101..=220, 3);
    let server = start(&world);
    let page = server.get("/api/v2/tables/sales?include=lines").json();
    assert_eq!(page["data"][2]["lines"].as_array().expect("lines").len(), 100);
    assert_eq!(ids(&page["data"][3]["lines"]), [4]);
    assert_eq!(page["meta"]["truncated"], json!({"lines": {"cut": 1, "left_out": 0}}));
    let sale = server.get("/api/v2/tables/sales/3?include=lines");
    assert_eq!(sale.header("plimsoll-truncated"), Some("lines"));

    // 24 sales of 100 lines are more than a page reads.
    for id in 7..=30 {
        world.add_sale(id, "online", "2026-01-02T03:04:05Z", 1, "2.50");
        add_lines(&world, id * 1_000..=id * 1_000 + 98, id);
    }
    let page = server.get("/api/v2/tables/sales?include=lines").json();
    let rows = page["data"].as_array().expect("rows");
    let lines =
        |row: &Json| row.get("lines").map_or(0, |lines| lines.as_array().map_or(0, Vec::len));
    assert!(rows.iter().map(lines).sum::<usize>() <= 2_000);
    let without = rows.iter().filter(|row| row.get("lines").is_none()).count();
    assert!(without > 0, "what was not read is not shown as nothing");
    assert_eq!(page["meta"]["truncated"]["lines"]["left_out"], without);
    server.wait_until("all is given back", || server.held("page") == 0);
}

#[test]
fn what_cannot_be_included_is_refused_with_what_can() {
    let world = with_sales();
    let server = start(&world);
    let refused = |path: &str| server.get(path).problem(400, "invalid-parameter");
    let problem = refused("/api/v2/tables/lines?include=sales");
    assert_eq!(problem["allowed"], json!(["sale", "good"]), "{problem}");
    assert_eq!(problem["did_you_mean"], "sale");
    refused("/api/v2/tables/lines?include=");
    refused("/api/v2/tables/lines?include=sale,sale");
    refused("/api/v2/tables/lines/1?include=id");
    let none = refused("/api/v2/tables/pairs?include=x");
    assert_eq!(none["allowed"], json!([]));
    server.get("/api/v2/tables/lines/stream?include=sale").problem(400, "unknown-parameter");
}

#[test]
fn related_rows_that_no_index_finds_are_refused_with_the_index_to_make() {
    let world = with_sales();
    for part in 0..11 {
        add_lines(&world, 1_000 * (part + 1)..=1_000 * (part + 1) + 999, 5);
    }
    let server = start(&world);
    let problem = server.get("/goods?include=lines&limit=1").problem(400, "sort-unindexed");
    let index = problem["create_index"].as_str().expect("a statement");
    assert!(index.contains("good_id"), "{problem}");
    let sale = server.get("/api/v2/tables/sales/1?include=lines").json();
    assert_eq!(ids(&sale["lines"]), [1], "an index finds these");
}
