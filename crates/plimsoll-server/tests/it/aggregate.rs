//! Sums and counts by group: exact, of one snapshot, and refused by name.

use plimsoll::record::{Money, Value};
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::support::{TestServer, World, start, start_with, world};

pub(crate) const PATH: &str = "/api/v2/analytics/aggregate";
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const AS_JSON: (&str, &str) = ("accept", "application/json");

pub(crate) fn ask(server: &TestServer, method: &str, body: &Json) -> Answer {
    server.ask(method, PATH, &[JSON, AS_JSON], body.to_string().as_bytes())
}

pub(crate) fn rows(server: &TestServer, body: &Json) -> Vec<Json> {
    let answer = ask(server, "POST", body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text());
    assert!(answer.complete);
    answer.json()["data"].as_array().expect("rows").clone()
}

pub(crate) fn money(units: i64) -> Value {
    Value::Money(Money::from_units(units))
}

/// Lines of good 1 with these quantities and amounts.
pub(crate) fn lines(lines: &[(i64, i64)]) -> World {
    let world = world(0);
    let mut values = Vec::new();
    for (id, &(quantity, units)) in (1..).zip(lines) {
        let ids = [id, 1, 1, quantity];
        values.extend(ids.map(Value::Int));
        values.push(money(units));
    }
    world.insert("lines", &[0, 1, 2, 3, 4], values);
    world
}

#[test]
fn groups_are_summed_filtered_ordered_and_cut_off() {
    let world = world(10);
    let server = start(&world);
    let body = json!({
        "resource": "goods",
        "group_by": ["kind"],
        "measures": [
            {"function": "sum", "expression": "price * id", "as": "value"},
            {"function": "count"},
            {"function": "max", "expression": "code"},
            {"function": "min", "expression": "price"},
        ],
        "filter": "id <= 9",
        "order": "-value,kind",
    });
    let answer = ask(&server, "POST", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("accept-query"), Some("application/json"));
    assert_eq!(answer.header("etag"), None);
    let expected = json!({
        "data": [
            {"kind": "b", "value": 1.07, "count": 3, "max_code": "G0000009", "min_price": 0.01},
            {"kind": "a", "value": 0.8, "count": 2, "max_code": "G0000008", "min_price": 0.04},
            {"kind": null, "value": 0.58, "count": 2, "max_code": "G0000007", "min_price": 0.03},
            {"kind": "c", "value": 0.4, "count": 2, "max_code": "G0000006", "min_price": 0.02},
        ],
        "meta": {"groups": 4, "more": false},
    });
    assert_eq!(answer.json(), expected);
    let mut cut = body.clone();
    cut["limit"] = json!(3);
    let cut = ask(&server, "POST", &cut).json();
    assert_eq!(cut["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(cut["meta"], json!({"groups": 3, "more": true}));
}

#[test]
fn without_a_group_there_is_one_row_and_without_a_measure_the_groups_alone() {
    let world = world(10);
    let server = start(&world);
    let all = json!({
        "resource": "goods", "filter": "id > 99",
        "measures": [{"function": "count"}, {"function": "sum", "expression": "price"}],
    });
    assert_eq!(rows(&server, &all), [json!({"count": 0, "sum_price": null})]);
    // NULL is a group of its own, and the smallest.
    let kinds = json!({"resource": "goods", "group_by": ["kind"]});
    let expected = [json!(null), json!("a"), json!("b"), json!("c")].map(|k| json!({"kind": k}));
    assert_eq!(rows(&server, &kinds), expected);
    let down = json!({"resource": "goods", "group_by": ["kind"], "order": "-kind", "limit": 1});
    assert_eq!(rows(&server, &down), [json!({"kind": "c"})]);
    let none = json!({"resource": "pairs", "group_by": ["a"], "measures": [{"function": "count"}]});
    assert_eq!(rows(&server, &none), [json!(null); 0]);
}

#[test]
fn every_format_has_the_same_rows_and_the_document_alone_has_a_bound() {
    let world = world(10_050);
    let server = start(&world);
    let body = json!({
        "resource": "goods", "group_by": ["id", "code"],
        "measures": [{"function": "sum", "expression": "price"}],
    });
    let text = body.to_string();
    let ask = |target: &str, accept: &str| {
        let headers = [JSON, ("accept", accept)];
        let answer = server.ask("POST", target, &headers, text.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.complete);
        answer
    };
    let ndjson = ask(PATH, "*/*");
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(ndjson.text().lines().count(), 10_050);
    let first = ndjson.text().lines().next();
    assert_eq!(first, Some(r#"{"id":1,"code":"G0000001","sum_price":0.01}"#));
    let last = ndjson.text().lines().last();
    assert_eq!(last, Some(r#"{"id":10050,"code":"G0010050","sum_price":100.5}"#));
    let csv = ask("/analytics/aggregate?bom=1", "text/csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert!(csv.text().starts_with("\u{feff}id,code,sum_price\r\n1,G0000001,0.01\r\n"));
    assert_eq!(csv.text().lines().count(), 10_051);
    let document = ask("/api/analytics/aggregate?format=json", "text/csv").json();
    assert_eq!(document["data"].as_array().map(Vec::len), Some(10_000));
    assert_eq!(document["meta"], json!({"groups": 10_000, "more": true}));
    for (row, line) in document["data"].as_array().expect("rows").iter().zip(ndjson.text().lines())
    {
        assert_eq!(*row, serde_json::from_str::<Json>(line).expect("a row"));
    }
    server.wait_until("the stream's bytes come home", || server.held("stream") == 0);
    server.wait_until("the page's bytes come home", || server.held("page") == 0);
}

#[test]
fn sums_of_amounts_keep_every_digit_whatever_the_order_of_the_rows() {
    // A float has 53 bits, so it would round the first sum's units to a multiple of 16.
    let world = lines(&[(1, 90_071_992_547_409_931), (1, 1), (2, 1_000), (2, 2_000)]);
    let server = start(&world);
    let sums = json!({
        "resource": "lines", "group_by": ["quantity"],
        "measures": [{"function": "sum", "expression": "amount"}],
    });
    let answer = ask(&server, "POST", &sums);
    for digits in [r#""sum_amount":9007199254740.9932}"#, r#""sum_amount":0.3}"#] {
        assert!(answer.text().contains(digits), "{}", answer.text());
    }
    // The sum leaves 64 bits on the way and comes back.
    let (most, least) = (i64::MAX, i64::MIN);
    let world = lines(&[(1, most), (1, most), (1, least), (1, least), (1, 7)]);
    let server = start(&world);
    let all = json!({
        "resource": "lines",
        "measures": [
            {"function": "sum", "expression": "amount", "as": "s"},
            {"function": "avg", "expression": "amount", "as": "a"},
            {"function": "max", "expression": "amount", "as": "m"},
        ],
    });
    let answer = ask(&server, "POST", &all);
    assert!(
        answer.text().starts_with(r#"{"data":[{"s":0.0005,"a":0.0001,"m":922337203685477.5807}]"#),
        "{}",
        answer.text()
    );
}

#[test]
fn an_average_of_amounts_is_rounded_half_to_even_at_the_fourth_decimal() {
    let world = lines(&[(1, 1), (1, 2), (2, 3), (2, 4), (3, -1), (3, -2), (4, 2), (4, 2), (4, 1)]);
    let server = start(&world);
    let body = json!({
        "resource": "lines", "group_by": ["quantity"],
        "measures": [
            {"function": "avg", "expression": "amount", "as": "a"},
            {"function": "avg", "expression": "id", "as": "i"},
        ],
    });
    let averages: Vec<String> =
        rows(&server, &body).iter().map(|row| row["a"].to_string()).collect();
    assert_eq!(averages, ["0.0002", "0.0004", "-0.0002", "0.0002"]);
    assert_eq!(rows(&server, &body)[0]["i"], json!(1.5));
}

#[test]
fn quantiles_of_amounts_keep_every_digit_and_those_of_ints_are_floats() {
    let world = lines(&[(1, 11_000), (2, 12_500), (3, 12_501), (9, 922_337_203_685_477)]);
    let server = start(&world);
    let body = json!({"resource": "lines", "group_by": ["good_id"], "measures": [
        {"function": "median", "expression": "amount"},
        {"function": "quantile", "expression": "amount", "rank": 0.9, "as": "high"},
        {"function": "count_distinct", "expression": "amount"},
        "median(quantity)",
    ]});
    let answer = ask(&server, "POST", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // 1.25005 lies between two amounts: the even one; 0.7 of the way to the largest.
    let expected = concat!(
        r#"{"good_id":1,"median_amount":1.25,"high":64563604258.3584,"#,
        r#""count_distinct_amount":4,"median(quantity)":2.5}"#
    );
    assert!(answer.text().contains(expected), "{}", answer.text());
    let none = json!({"resource": "lines", "filter": "id < 0", "measures": ["median(amount)"]});
    assert_eq!(rows(&server, &none), [json!({"median(amount)": null})]);
}

#[test]
fn a_sum_without_a_place_in_its_type_is_a_problem_that_names_the_measure() {
    let world = lines(&[(1, i64::MAX), (1, 1), (3, 5)]);
    let server = start(&world);
    let sum = |name: &str, filter: &str| {
        json!({
            "resource": "lines", "filter": filter,
            "measures": [
                {"function": "count"},
                {"function": "sum", "expression": "amount", "as": name},
            ],
        })
    };
    let refused = ask(&server, "POST", &sum("all of it", "true")).problem(422, "too-large");
    let detail = refused["detail"].as_str().expect("text");
    assert!(detail.contains("the measure 'all of it' (sum)"), "{detail}");
    assert_eq!(rows(&server, &sum("s", "quantity = 3"))[0]["s"].to_string(), "0.0005");
    let product = json!({
        "resource": "lines",
        "measures": [{"function": "sum", "expression": "amount * quantity", "as": "s"}],
        "filter": "id <> 2",
    });
    let sum = ask(&server, "POST", &product).problem(422, "too-large");
    assert!(sum["detail"].as_str().is_some_and(|d| d.contains("'s' (sum)")), "{sum}");
    let row = json!({
        "resource": "lines",
        "measures": [{"function": "max", "expression": "amount * 2", "as": "m"}],
    });
    let row = ask(&server, "POST", &row).problem(400, "invalid-request");
    let detail = row["detail"].as_str().expect("text");
    assert!(detail.contains("the filter or a measure's expression"), "{detail}");
}

#[test]
fn query_is_safe_and_its_answer_has_a_tag_that_saves_sending_it_again() {
    let world = world(20_000);
    let server = start(&world);
    let body = json!({
        "resource": "goods", "group_by": ["code"],
        "measures": [{"function": "sum", "expression": "stock"}],
    });
    let text = body.to_string();
    let query = |headers: &[(&str, &str)]| {
        let headers = [&[JSON], headers].concat();
        let length = text.len().to_string();
        let headers = [&headers[..], &[("content-length", length.as_str())]].concat();
        server.ask("QUERY", PATH, &headers, text.as_bytes())
    };
    let answer = query(&[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    assert_eq!(answer.header("vary"), Some("accept"));
    // More than a frame: it went through the disk.
    assert!(answer.complete && answer.body.len() > 200_000, "{}", answer.body.len());
    let posted = server.ask("POST", PATH, &[JSON], text.as_bytes());
    assert_eq!(posted.body, answer.body);
    let tag = answer.header("etag").expect("a tag");
    assert!(tag.starts_with("\"b3-"), "{tag}");
    let again = query(&[("if-none-match", tag)]);
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag)));
    let csv = query(&[("accept", "text/csv"), ("if-none-match", tag)]);
    assert_eq!(csv.status, 200);
    assert_ne!(csv.header("etag"), Some(tag));
    world.insert(
        "goods",
        &[0, 1, 2, 4],
        vec![
            Value::Int(30_000),
            Value::Text("another".into()),
            Value::Text("another".into()),
            money(1),
        ],
    );
    let changed = query(&[("if-none-match", tag)]);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag));
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains(r#"method="QUERY",route="/api/v2/analytics/aggregate""#));
}

#[test]
fn aggregations_beyond_the_bound_of_reports_wait_and_are_refused_in_the_end() {
    let world = world(1);
    let server = start_with(&world, |config| {
        config.limits.reports_max = 0;
        config.limits.report_timeout = std::time::Duration::from_millis(50);
    });
    let refused = ask(&server, "POST", &json!({"resource": "goods", "group_by": ["kind"]}));
    refused.problem(503, "busy");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn an_aggregation_that_takes_too_long_is_given_up() {
    let world = world(20_000);
    let server = start_with(&world, |config| {
        config.limits.report_timeout = std::time::Duration::from_millis(2);
    });
    let body = json!({
        "resource": "goods", "group_by": ["name"],
        "measures": [{"function": "max", "expression": "lower(upper(lower(name)))", "as": "m"}],
    });
    let problem = ask(&server, "POST", &body).problem(503, "busy");
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("time")), "{problem}");
}

#[test]
fn a_client_that_leaves_an_aggregation_gives_its_bytes_back() {
    let world = world(40_000);
    let server = start(&world);
    let body = json!({"resource": "goods", "group_by": ["code", "name"]}).to_string();
    let mut connection = crate::client::Connection::open(server.address);
    connection.send("POST", PATH, &[JSON], body.as_bytes());
    assert_eq!(connection.head().expect("a head").status, 200);
    assert!(server.held("stream") > 0);
    drop(connection);
    server.wait_until("the bytes come back", || server.held("stream") == 0);
}

#[test]
fn measures_may_be_written_as_text_beside_objects() {
    let world = world(10);
    let server = start(&world);
    let body = json!({
        "resource": "goods",
        "group_by": ["kind"],
        "measures": [
            "sum(price * id) as value",
            "count(*)",
            {"function": "max", "expression": "code"},
            "count(distinct price) as prices",
            "count(kind)", "avg(id)", "min(price)", "max(id)",
        ],
        "filter": "id <= 9",
        "order": "-value,-count(*)",
        "limit": 1,
    });
    let expected = json!([{
        "kind": "b", "value": 1.07, "count(*)": 3, "max_code": "G0000009", "prices": 3,
        "count(kind)": 3, "avg(id)": 5.0, "min(price)": 0.01, "max(id)": 9,
    }]);
    assert_eq!(Json::from(rows(&server, &body)), expected);
}
