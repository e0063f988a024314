//! Reports by name: sums, rankings and the analytics as rows of a file, and a line for each day.

use serde_json::{Value as Json, json};

use crate::access::{As, access};
use crate::jobs::{JSON, jobs};
use crate::reports::desk;
use crate::support::{World, start, start_with, world};

fn sold() -> World {
    let world = world(10);
    world.add_sale(1, "online", "2026-01-29T23:59:59Z", 1, "10");
    world.add_sale(2, "online", "2026-01-30T00:00:00Z", 2, "2.5");
    world.add_sale(3, "till", "2026-01-30T23:59:59Z", 1, "0.0001");
    world.add_sale(4, "online", "2026-01-31T00:00:00Z", 3, "7");
    world.add_sale(5, "online", "2026-01-31T01:00:00Z", 3, "1");
    world.add_sale(6, "online", "2026-01-31T01:00:00Z", 4, "1");
    world
}

#[test]
fn a_report_of_sums_by_its_name_has_the_rows_of_the_analytics_in_every_format() {
    let world = sold();
    let desk = desk(&world);
    let range = json!({"from": "2026-01-28", "to": "2026-01-31"});
    let trend = "/analytics/trends?from=2026-01-28&to=2026-01-31";
    let ranking = json!({"by": "orders", "limit": 2, "period": "7d"});
    let top = "/analytics/top-goods?by=orders&limit=2&period=7d";
    for (kind, params, path) in [("sales", &range, trend), ("goods", &ranking, top)] {
        let expected = desk.server.get(path).json()["data"].clone();
        let rows = expected.as_array().expect("rows");
        for format in ["json", "ndjson", "csv"] {
            let definition = json!({"kind": kind, "params": params, "format": format});
            let (place, job) = desk.made(&definition);
            assert_eq!(job["result"]["rows"], rows.len(), "{job}");
            assert_eq!(job["payload"]["kind"], kind, "{job}");
            let got = desk.download(&place, &[]);
            let name = format!("{kind}_2026-01-31.");
            assert!(got.header("content-disposition").is_some_and(|text| text.contains(&name)));
            let text = got.text();
            match format {
                "json" => assert_eq!(got.json(), expected),
                "ndjson" => {
                    let lines = text.lines().map(serde_json::from_str::<Json>);
                    let lines: Vec<Json> = lines.map(|line| line.expect("JSON")).collect();
                    assert_eq!(&lines, rows);
                }
                _ => {
                    let first = rows[0].as_object().expect("an object");
                    let mut titles: Vec<&str> =
                        text.lines().next().expect("titles").split(',').collect();
                    titles.sort_unstable();
                    assert_eq!(titles, first.keys().collect::<Vec<_>>());
                    assert_eq!(text.lines().count(), rows.len() + 1);
                }
            }
        }
    }
    desk.server.stop().expect("stops");
}

#[test]
fn the_analytics_as_a_report_are_the_document_of_the_sales_row_by_row() {
    let world = sold();
    let desk = desk(&world);
    let body = json!({"params": {"period": "7d", "channel": "online"}, "format": "json"});
    let asked = desk.server.ask("POST", "/analytics/report", JSON, body.to_string().as_bytes());
    assert_eq!(asked.status, 202, "{}", asked.text());
    let place = asked.header("location").expect("a place").to_owned();
    let job = desk.over(&place);
    assert_eq!(
        (&job["state"], &job["payload"]["kind"]),
        (&json!("completed"), &json!("analytics"))
    );
    let rows = desk.download(&place, &[]).json();
    let sales = desk.server.get("/analytics/sales?period=7d&channel=online").json();
    let of = |section: &str| -> Vec<Json> {
        let rows = rows.as_array().expect("rows").iter();
        rows.filter(|row| row["section"] == section).cloned().collect()
    };
    for (section, member) in [("total", &sales), ("previous", &sales["previous"])] {
        for name in ["revenue", "orders", "items", "quantity", "average_order"] {
            assert_eq!(of(section)[0][name], member[name], "{section} {name}");
        }
    }
    for (section, member, key) in
        [("day", "per_day", "date"), ("channel", "per_channel", "channel"), ("top", "top", "key")]
    {
        let expected = sales[member].as_array().expect("a list");
        assert_eq!(of(section).len(), expected.len(), "{section}");
        for (row, one) in of(section).iter().zip(expected) {
            assert_eq!((&row["key"], &row["revenue"]), (&one[key], &one["revenue"]), "{row}");
        }
    }
    assert!(of("top")[0]["label"].as_str().is_some_and(|name| name.starts_with("good number")));
    // What is named is that, at this path too.
    let named = json!({"resource": "goods"}).to_string();
    let other = desk.server.ask("POST", "/analytics/report", JSON, named.as_bytes());
    assert_eq!(other.json()["payload"]["resource"], "goods");
    // And any resource or path by its name alone.
    let (place, _) = desk.made(&json!({"kind": "pairs", "format": "csv"}));
    let export = desk.server.get("/api/v2/tables/pairs/export/csv");
    assert_eq!(desk.download(&place, &[]).body, export.body);
}

#[test]
fn a_report_by_day_has_a_line_for_each_day_and_the_dates_in_its_name() {
    let world = sold();
    let server = start(&world);
    let path = "/api/v2/reports/export/csv?start_date=2026-01-28&end_date=2026-01-31";
    let got = server.get(path);
    assert_eq!(got.status, 200, "{}", got.text());
    assert!(got.header("content-type").is_some_and(|kind| kind.starts_with("text/csv;")));
    let name = got.header("content-disposition").expect("a name");
    assert!(name.contains("filename=\"report_2026-01-28_2026-01-31.csv\""), "{name}");
    let text = got.text().replace("\r\n", "\n");
    let expected = "Date,Orders,Revenue,Customers\n2026-01-28,0,0,0\n2026-01-29,1,10,1\n\
                    2026-01-30,2,2.5001,2\n2026-01-31,3,9,2\n";
    assert_eq!(text, expected);
    assert!(got.complete, "it has its end");
    // Thirty days up to today where nothing is said, thirty up to the last where that is.
    let preset = server.get("/reports/export/csv");
    assert!(preset.text().contains("2026-01-02,") && preset.text().lines().count() == 31);
    let until = server.get("/reports/export/csv?end_date=2026-01-30");
    let name = until.header("content-disposition").expect("a name").to_owned();
    assert!(name.contains("report_2026-01-01_2026-01-30.csv"), "{name}");
    let head = server.ask("HEAD", path, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    server.stop().expect("stops");
}

#[test]
fn days_that_cannot_be_reported_are_refused_before_a_line_is_sent() {
    let world = world(0);
    let server = start(&world);
    for query in [
        "start_date=soon",
        "start_date=2026-02-30",
        "start_date=2026-01-01T00:00:00Z",
        "start_date=2026-02-01&end_date=2026-01-01",
        "start_date=1900-01-01&end_date=2026-01-01",
        "end_date=",
    ] {
        let path = format!("/reports/export/csv?{query}");
        server.get(&path).problem(400, "invalid-parameter");
    }
    server.get("/reports/export/csv?from=2026-01-01").problem(400, "unknown-parameter");
    server.ask("POST", "/reports/export/csv", &[], b"").problem(405, "method-not-allowed");
}

#[test]
fn a_key_makes_reports_of_sums_where_it_may_read_what_they_are_of() {
    const ACCESS: &str = r#"
[[key]]
name = "some"
hash = "KEY1"
scopes = ["read:goods", "read:sales", "export:*"]
[[key]]
name = "all"
hash = "KEY2"
scopes = ["read:*"]
"#;
    let world = sold();
    let server = start_with(&world, |config| {
        (config.jobs, config.access) = (Some(jobs(&world)), Some(access(ACCESS)));
    });
    let (some, all) = (As::key(&server, 1), As::key(&server, 2));
    let ask = |who: &As<'_>, kind| who.send("POST", "/reports", &[], &json!({"kind": kind}));
    for kind in ["sales", "goods", "analytics"] {
        let why = ask(&some, kind).problem(403, "forbidden");
        assert_eq!(why["scope"], "read:lines", "{why}");
    }
    some.get("/reports/export/csv").problem(403, "forbidden");
    server.get("/reports/export/csv").problem(401, "unauthorized");
    assert_eq!(all.get("/reports/export/csv").status, 200);
    // Rows of a resource are an export, and what is not there is refused as what is.
    ask(&all, "pairs").problem(403, "forbidden");
    ask(&all, "none").problem(403, "forbidden");
    let place = ask(&all, "goods").header("location").expect("a place").to_owned();
    server.wait_until("made", || all.get(&place).json()["state"] == "completed");
    some.get(&place).problem(404, "not-found");
}
