//! Sums and rankings by date and channel.

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
