//! Sums and rankings by date and channel.

use plimsoll::record::Value;
use serde_json::json;

use crate::support::{World, start, world};

fn sold() -> World {
    let world = world(10);
    world.add_sale(1, "online", "2026-01-29T23:59:59Z", 1, "10");
    world.add_sale(2, "online", "2026-01-30T00:00:00Z", 2, "2.5");
    world.add_sale(3, "till", "2026-01-30T23:59:59Z", 1, "0.0001");
    world.add_sale(4, "online", "2026-01-31T00:00:00Z", 3, "7");
    world
}

#[test]
fn a_summary_is_exact_and_bounded_by_dates_and_channel() {
    let world = sold();
    let server = start(&world);
    let all = server.get("/analytics/summary").json();
    assert_eq!(all["data"]["orders"], 4);
    assert_eq!(all["data"]["quantity"], 8);
    assert_eq!(all["data"]["revenue"].to_string(), "19.5001");
    // A date as `to` includes its day.
    let day = server.get("/api/v2/analytics/summary?from=2026-01-30&to=2026-01-30").json();
    assert_eq!(day["data"]["orders"], 2);
    assert_eq!(day["data"]["revenue"].to_string(), "2.5001");
    assert_eq!(day["meta"]["until"], "2026-01-31T00:00:00Z");
    // An instant is exclusive.
    let until = server.get("/api/analytics/summary?to=2026-01-30T00:00:00Z").json();
    assert_eq!(until["data"]["orders"], 1);
    let yesterday = server.get("/analytics/summary?period=yesterday&channel=till").json();
    assert_eq!(yesterday["data"]["orders"], 1);
}

#[test]
fn a_ranking_is_named_after_its_subject_and_ordered_by_the_measure() {
    let world = sold();
    let server = start(&world);
    let top = server.get("/analytics/top-goods?limit=2").json();
    assert_eq!(top["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(top["data"][0]["id"], 1);
    assert_eq!(top["data"][0]["code"], "G0000001");
    assert_eq!(top["data"][0]["revenue"].to_string(), "10.0001");
    let by_orders = server.get("/analytics/top-goods?by=orders&channel=online").json();
    let ids: Vec<_> =
        by_orders["data"].as_array().expect("rows").iter().map(|r| &r["id"]).collect();
    assert_eq!(json!(ids), json!([1, 2, 3]));
}

#[test]
fn a_bad_report_parameter_is_refused_with_what_is_allowed() {
    let world = world(1);
    let server = start(&world);
    for (query, slug) in [
        ("from=soon", "invalid-parameter"),
        ("period=2d", "invalid-parameter"),
        ("period=7d&from=2026-01-01", "invalid-parameter"),
        ("from=2026-02-01&to=2026-01-01", "invalid-parameter"),
        ("limit=5", "unknown-parameter"),
        ("chanel=x", "unknown-parameter"),
    ] {
        server.get(&format!("/analytics/summary?{query}")).problem(400, slug);
    }
    for query in ["limit=0", "limit=501", "by=profit"] {
        server.get(&format!("/analytics/top-goods?{query}")).problem(400, "invalid-parameter");
    }
}

#[test]
fn reports_beyond_the_bound_wait_and_are_refused_in_the_end() {
    let world = sold();
    let server = crate::support::start_with(&world, |config| {
        config.limits.reports_max = 0;
        config.limits.report_timeout = std::time::Duration::from_millis(50);
    });
    let refused = server.get("/analytics/summary");
    refused.problem(503, "busy");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_trend_has_every_bucket_of_its_range_and_adds_up_to_the_summary() {
    let world = sold();
    world.insert(
        "sales",
        &[0, 1, 2, 3],
        vec![
            Value::Int(9),
            Value::Text("till".into()),
            Value::Null,
            Value::Time("2026-02-03T10:30:00Z".parse().expect("a time")),
        ],
    );
    let server = start(&world);
    let days = server.get("/analytics/trends").json();
    let row = |at: usize| days["data"][at].clone();
    assert_eq!(days["data"].as_array().map(Vec::len), Some(6));
    assert_eq!(row(0)["start"], "2026-01-29T00:00:00Z");
    assert_eq!(row(1)["revenue"].to_string(), "2.5001");
    assert_eq!((row(1)["orders"].as_i64(), row(1)["items"].as_i64()), (Some(2), Some(2)));
    assert_eq!(row(1)["average_order"].to_string(), "1.2501");
    let empty = json!({"start": "2026-02-01T00:00:00Z", "revenue": 0, "orders": 0, "items": 0,
        "quantity": 0, "average_order": null});
    assert_eq!(row(3), empty);
    // An order without a line counts as an order.
    assert_eq!((row(5)["orders"].as_i64(), row(5)["items"].as_i64()), (Some(1), Some(0)));
    for bucket in ["hour", "day", "week", "month"] {
        let trend = server.get(&format!("/api/v2/analytics/trends?bucket={bucket}")).json();
        let rows = trend["data"].as_array().expect("rows");
        let orders: i64 = rows.iter().map(|row| row["orders"].as_i64().expect("a count")).sum();
        assert_eq!(orders, 5, "{bucket}");
    }
    let months = server.get("/analytics/trends?bucket=month&metric=revenue&channel=online").json();
    assert_eq!(months["data"], json!([{"start": "2026-01-01T00:00:00Z", "revenue": 19.5}]));
    let ranged = server.get("/analytics/trends?from=2026-01-25&to=2026-02-07&bucket=week").json();
    let starts: Vec<_> =
        ranged["data"].as_array().expect("rows").iter().map(|row| row["start"].clone()).collect();
    let mondays = ["2026-01-19T00:00:00Z", "2026-01-26T00:00:00Z", "2026-02-02T00:00:00Z"];
    assert_eq!(json!(starts), json!(mondays));
}

#[test]
fn a_trend_that_is_too_long_or_unknown_is_refused_with_what_helps() {
    let world = sold();
    let server = start(&world);
    let long = server.get("/analytics/trends?from=1990-01-01&to=2026-01-01&bucket=hour");
    assert_eq!(long.status, 422, "{}", long.text());
    assert!(long.text().contains("larger bucket"), "{}", long.text());
    for query in ["bucket=year", "metric=customers"] {
        server.get(&format!("/analytics/trends?{query}")).problem(400, "invalid-parameter");
    }
    server.get("/analytics/trends?limit=1").problem(400, "unknown-parameter");
}
