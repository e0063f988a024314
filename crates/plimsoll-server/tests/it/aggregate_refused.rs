//! The table of bad inputs for aggregations: each is refused by name, with what is allowed.

use plimsoll::record::Value;
use serde_json::{Value as Json, json};

use crate::aggregate::{AS_JSON, JSON, PATH, ask, rows};
use crate::support::{start, world};

/// A body, the slug of its problem, a word of its detail.
const REFUSED: [(&str, &str, &str); 42] = [
    (r#"{"resource":"goods""#, "invalid-request", "line 1"),
    (r#"["goods"]"#, "invalid-request", "expected an object"),
    (r#"{}"#, "invalid-parameter", "/resource is missing"),
    (r#"{"resource":7}"#, "invalid-parameter", "/resource is not a text"),
    (r#"{"resource":"god"}"#, "invalid-parameter", "no resource of this name"),
    (r#"{"resource":"goods"}"#, "invalid-parameter", "neither"),
    (r#"{"resource":"goods","groupby":["kind"]}"#, "unknown-parameter", "group_by, measures"),
    (r#"{"resource":"goods","resource":"sales"}"#, "invalid-parameter", "stands there twice"),
    (r#"{"resource":"goods","group_by":"kind"}"#, "invalid-parameter", "not an array"),
    (r#"{"resource":"goods","group_by":[7]}"#, "invalid-parameter", "/group_by/0 is not a text"),
    (r#"{"resource":"goods","group_by":["kin"]}"#, "unknown-field", "allowed: id, code"),
    (r#"{"resource":"goods","group_by":["kind","kind"]}"#, "invalid-parameter", "'kind'"),
    (r#"{"resource":"pairs","group_by":["hidden"]}"#, "unknown-field", "allowed: a, b, note"),
    (r#"{"resource":"goods","measures":[7]}"#, "invalid-parameter", "neither an object"),
    (r#"{"resource":"goods","measures":["sum(prise)"]}"#, "invalid-parameter", "no column 'prise'"),
    (
        r#"{"resource":"goods","measures":["approx_quantile(price, 0.5)"]}"#,
        "invalid-parameter",
        "count(*), count",
    ),
    (r#"{"resource":"goods","measures":["min(id), max(id)"]}"#, "invalid-parameter", "several"),
    (
        r#"{"resource":"goods","measures":["max(coalesce(kind, 'a'))"]}"#,
        "invalid-parameter",
        "'as'",
    ),
    (r#"{"resource":"goods","measures":[{}]}"#, "invalid-parameter", "/measures/0/function"),
    (r#"{"resource":"goods","measures":[{"function":"mode"}]}"#, "invalid-parameter", "avg"),
    (
        r#"{"resource":"goods","measures":[{"function":"quantile","expression":"price"}]}"#,
        "invalid-parameter",
        "/measures/0/rank is missing",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"quantile","expression":"id","rank":1.5}]}"#,
        "invalid-parameter",
        "from 0 to 1",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"median","expression":"id","rank":0.5}]}"#,
        "invalid-parameter",
        "median takes none",
    ),
    (
        r#"{"resource":"goods","measures":["median(name)"]}"#,
        "invalid-parameter",
        "takes int, float, money",
    ),
    (r#"{"resource":"goods","measures":[{"function":"sum"}]}"#, "invalid-parameter", "needs one"),
    (r#"{"resource":"goods","measures":[{"fn":"sum"}]}"#, "unknown-parameter", "function, expres"),
    (r#"{"resource":"goods","group_by":["kind"],"order":"-value"}"#, "sort-invalid", "'value'"),
    (r#"{"resource":"goods","group_by":["kind"],"order":"price"}"#, "sort-invalid", "neither"),
    (r#"{"resource":"goods","group_by":["kind"],"order":"kind,-kind"}"#, "sort-invalid", "twice"),
    (r#"{"resource":"goods","group_by":["kind"],"order":""}"#, "sort-invalid", "''"),
    (r#"{"resource":"goods","group_by":["kind"],"filter":"prise > 1"}"#, "filter-invalid", "^^^^^"),
    (r#"{"resource":"goods","group_by":["kind"],"filter":"price"}"#, "filter-invalid", "condition"),
    (r#"{"resource":"goods","group_by":["kind"],"limit":0}"#, "invalid-parameter", "from 1"),
    (r#"{"resource":"goods","group_by":["kind"],"limit":-1}"#, "invalid-parameter", "from 1"),
    (r#"{"resource":"goods","group_by":["kind"],"limit":"7"}"#, "invalid-parameter", "from 1"),
    (r#"{"resource":"goods","group_by":["kind"],"limit":10001}"#, "invalid-parameter", "to 10000"),
    (
        r#"{"resource":"goods","measures":[{"function":"sum","expression":"name"}]}"#,
        "invalid-parameter",
        "takes int, float and money",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"sum","expression":"prise * 2","as":"x"}]}"#,
        "invalid-parameter",
        "  ^^^^^",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"sum","expression":"price * 2"}]}"#,
        "invalid-parameter",
        "needs a name",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"count","as":"-n"}]}"#,
        "invalid-parameter",
        "/measures/0/as is '-n'",
    ),
    (
        r#"{"resource":"goods","measures":[{"function":"count"},{"function":"count"}]}"#,
        "invalid-parameter",
        "two fields of the result would be called 'count'",
    ),
    (
        r#"{"resource":"pairs","measures":[{"function":"max","expression":"hidden"}]}"#,
        "invalid-parameter",
        "there is no column 'hidden'",
    ),
];

#[test]
fn a_wrong_aggregation_is_refused_with_the_place_and_what_is_allowed() {
    let world = world(5);
    let server = start(&world);
    for (body, slug, word) in REFUSED {
        for method in ["POST", "QUERY"] {
            let length = body.len().to_string();
            let mut headers = vec![JSON, AS_JSON];
            if method == "QUERY" {
                headers.push(("content-length", &length));
            }
            let answer = server.ask(method, PATH, &headers, body.as_bytes());
            let problem = answer.problem(400, slug);
            let detail = problem["detail"].as_str().expect("text");
            assert!(detail.contains(word), "{body}: {detail}");
            assert_eq!(answer.header("etag"), None);
        }
    }
    let near = ask(&server, "POST", &json!({"resource": "good"}));
    let near = near.problem(400, "invalid-parameter");
    assert_eq!(near["did_you_mean"], "goods");
    assert_eq!(near["pointer"], "/resource");
    assert_eq!(near["allowed"], json!(["goods", "lines", "mixed", "pairs", "sales"]));
}

#[test]
fn an_aggregation_beyond_its_bounds_is_refused_with_the_bound() {
    let world = world(5);
    let server = start(&world);
    let refuse = |body: &Json, word: &str| {
        let problem = ask(&server, "POST", body).problem(400, "invalid-parameter");
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains(word)), "{problem}");
    };
    let columns: Vec<_> = (0..9).map(|_| "kind").collect();
    refuse(&json!({"resource": "goods", "group_by": columns}), "more than 8 items");
    let count = |n: usize| json!({"function": "count", "as": format!("n{n}")});
    let measures: Vec<_> = (0..33).map(count).collect();
    refuse(&json!({"resource": "goods", "measures": measures}), "more than 32 items");
    let measures: Vec<_> = (0..32).map(count).collect();
    assert_eq!(rows(&server, &json!({"resource": "goods", "measures": measures})).len(), 1);
    let mut different = json!({"function": "count_distinct", "expression": "kind"});
    let different = |n: usize| {
        different["as"] = json!(format!("n{n}"));
        different.clone()
    };
    let measures: Vec<_> = (0..5).map(different).collect();
    refuse(&json!({"resource": "goods", "measures": measures}), "at most 4 measures that count");
    let long = |n: usize| {
        let expression = format!("price{}", " ".repeat(2_000)) + "+ price";
        json!({"function": "sum", "expression": expression, "as": format!("n{n}")})
    };
    let measures: Vec<_> = (0..3).map(long).collect();
    refuse(&json!({"resource": "goods", "measures": measures}), "at most 4096 bytes together");
    let ask = |headers: &[(&str, &str)], body: &[u8]| server.ask("POST", PATH, headers, body);
    let large = format!("{{\"resource\":\"{}\"}}", "x".repeat(300_000));
    ask(&[JSON], large.as_bytes()).problem(413, "body-too-large");
    ask(&[("content-type", "text/plain")], b"{}").problem(415, "unsupported-media-type");
    let patch = ("content-type", "application/merge-patch+json");
    ask(&[patch], b"{}").problem(415, "unsupported-media-type");
    ask(&[JSON, ("accept", "image/png")], b"{}").problem(406, "unsupported-format");
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = server.ask(method, PATH, &[], b"");
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("POST, QUERY"));
    }
    let query = server.ask("POST", &format!("{PATH}?limit=3"), &[JSON], b"{}");
    query.problem(400, "unknown-parameter");
    // Nothing of all that is still reserved.
    assert_eq!((server.held("stream"), server.held("page"), server.held("body")), (0, 0, 0));
}

#[test]
fn a_sum_over_a_text_is_refused_and_the_numbers_beside_it_are_added() {
    let world = world(0);
    let rows_of_x = [Value::Int(7), Value::Float(0.5), Value::Null, Value::Text("7".into())];
    for (id, x) in (1..).zip(rows_of_x) {
        world.insert("mixed", &[0, 1], vec![Value::Int(id), x]);
    }
    let server = start(&world);
    let sum = |filter: &str| {
        json!({
            "resource": "mixed", "filter": filter,
            "measures": [{"function": "sum", "expression": "x"}],
        })
    };
    assert_eq!(rows(&server, &sum("id < 4")), [json!({"sum_x": 7.5})]);
    let problem = ask(&server, "POST", &sum("true")).problem(400, "invalid-request");
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains("the measure 'sum_x' (sum) meets a text or bytes"), "{detail}");
}
