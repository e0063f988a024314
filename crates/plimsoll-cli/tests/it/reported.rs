//! `plimsoll report run`: made by a server, fetched into a file, gone on with behind a kill.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::{Ended, Tool};

const DEADLINE: Duration = Duration::from_secs(40);

fn seeded(folder: &Path) {
    let demo = ["seed", "--products", "3000", "--orders", "500", "--customers", "50"];
    Tool::new(folder, &demo).run().expect(0, &[]);
}

fn line<'a>(url: &'a str, name: &'a str, output: &'a str) -> Vec<&'a str> {
    vec!["report", "run", name, "--output", output, "--url", url, "--json"]
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, args).run()
}

#[test]
fn a_report_is_run_into_a_file_by_its_name() {
    let folder = folder();
    let at = folder.path();
    seeded(at);
    std::fs::create_dir(at.join("queries")).unwrap();
    let few = "--! params = { n = { type = \"int\", default = 3 } }\n\
               select id, name from products where id <= :n";
    file(at, "queries/few.sql", few);
    let server = Server::start(at, &["--queries", "queries"]);
    let url = format!("http://{}", server.address);
    let output = |name: &str| std::fs::read(at.join(name)).unwrap();
    let done = run(at, &line(&url, "orders", "orders.csv")).json();
    let export = server.get("/orders/export/csv").body;
    assert!(output("orders.csv") == export, "{done}");
    assert_eq!((&done["rows"], &done["bytes"]), (&json!(500), &json!(export.len())), "{done}");
    let few = [&line(&url, "few", "few.csv")[..], &["--param", "n=7"]].concat();
    assert_eq!(run(at, &few).json()["rows"], 7);
    let sales = [&line(&url, "sales", "sales.json")[..], &["--format", "json"]].concat();
    let sales = [&sales[..], &["--param", "period=7d", "--param", "bucket=day"]].concat();
    run(at, &sales).expect(0, &[]);
    let rows: serde_json::Value = serde_json::from_slice(&output("sales.json")).unwrap();
    let trend = server.get("/analytics/trends?period=7d&bucket=day").json();
    assert_eq!(rows.as_array().map(Vec::len), trend["data"].as_array().map(Vec::len));
    let said = run(at, &["report", "run", "analytics", "-o", "a.csv", "--url", &url]);
    assert!(said.expect(0, &[]).text().contains("rows, "), "{}", said.text());
    assert!(String::from_utf8(output("a.csv")).unwrap().starts_with("section,key,label,"));
    for name in ["orders.csv", "sales.json", "a.csv"] {
        for tail in [".partial", ".report"] {
            assert!(!at.join(format!("{name}{tail}")).exists(), "{name}{tail} is left");
        }
    }
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_report_goes_on_behind_a_kill_with_the_report_and_the_bytes_there_are() {
    let folder = folder();
    let at = folder.path();
    seeded(at);
    // Nobody makes it: the tool is killed while it waits.
    let server = Server::start(at, &["--jobs-concurrency", "0"]);
    let url = format!("http://{}", server.address);
    let waiting = Tool::new(at, &line(&url, "orders", "o.csv")).start();
    let began = Instant::now();
    let kept = || std::fs::read(at.join("o.csv.report")).ok();
    let kept = || kept().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    while kept().is_none() {
        assert!(began.elapsed() < DEADLINE, "it asks for no report");
    }
    let first = kept().unwrap();
    let id = first["id"].clone();
    waiting.kill();
    server.stop().expect(0, &["stopped"]);
    let server = Server::start(at, &[]);
    let url = format!("http://{}", server.address);
    // The server is at another port now; as if it were the one that was asked.
    let mut known = first.clone();
    known["server"] = json!(server.address.to_string());
    file(at, "o.csv.report", known.to_string());
    let export = server.get("/orders/export/csv").body;
    // As if it had been killed in the middle of the download.
    std::fs::write(at.join("o.csv.partial"), &export[..1_000]).unwrap();
    let done = run(at, &line(&url, "orders", "o.csv")).json();
    assert_eq!((&done["id"], &done["resumed_at"]), (&id, &json!(1_000)), "{done}");
    assert!(std::fs::read(at.join("o.csv")).unwrap() == export);

    // Bytes that are not its own are found out, and another report is none of this command.
    let beside = known.to_string();
    file(at, "o.csv.report", &beside);
    std::fs::write(at.join("o.csv.partial"), vec![b'x'; 1_000]).unwrap();
    let refused = run(at, &line(&url, "orders", "o.csv"));
    refused.expect(1, &["not those of the report: run the same command again"]);
    assert!(std::fs::read(at.join("o.csv")).unwrap() == export, "the file stays as it was");
    let again = run(at, &line(&url, "orders", "o.csv")).json();
    assert_eq!((&again["id"], &again["resumed_at"]), (&id, &json!(0)), "{again}");
    file(at, "o.csv.report", &beside);
    let ndjson = [&line(&url, "orders", "o.csv")[..], &["--format", "ndjson"]].concat();
    assert_ne!(run(at, &ndjson).json()["id"], id, "another definition is another report");
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_kept_report_that_is_gone_or_of_another_server_or_payload_is_asked_for_anew() {
    let folder = folder();
    let at = folder.path();
    seeded(at);
    let server = Server::start(at, &[]);
    let url = format!("http://{}", server.address);
    let asked = r#"{"kind":"orders","format":"csv","params":{}}"#;
    let made = server.client().post("/api/v2/reports", asked).unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
    let definition: serde_json::Value = serde_json::from_str(asked).unwrap();
    let known = json!({
        "server": server.address.to_string(), "definition": definition, "id": made["id"],
        "payload": made["payload"],
    });
    let again = |kept: &serde_json::Value| {
        file(at, "o.csv.report", kept.to_string());
        run(at, &line(&url, "orders", "o.csv")).json()["id"].clone()
    };
    assert_eq!(again(&known), made["id"], "the one that is there is taken");
    for (name, value) in [
        ("server", json!("127.0.0.1:1")),
        ("payload", json!({"kind": "sales", "parameters": "", "format": "csv"})),
    ] {
        let mut other = known.clone();
        other[name] = value;
        assert_ne!(again(&other), made["id"], "{name}");
    }
    for entry in std::fs::read_dir(at.join("data/reports")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_ne!(again(&known), made["id"], "its file is gone");
    assert!(std::fs::read(at.join("o.csv")).unwrap() == server.get("/orders/export/csv").body);
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn what_is_no_report_is_refused_at_the_shell_and_leaves_no_file() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    let server = Server::start(at, &[]);
    let url = format!("http://{}", server.address);
    run(at, &line(&url, "slaes", "x.csv")).expect(1, &["there is no report of this name"]);
    let wrong = [&line(&url, "sales", "x.csv")[..], &["--param", "period=2d"]].concat();
    run(at, &wrong).expect(1, &["one of 1d, yesterday, 7d"]);
    let wrong = [&line(&url, "sales", "x.csv")[..], &["--param", "period"]].concat();
    run(at, &wrong).expect(2, &["NAME=VALUE"]);
    let wrong = [&line(&url, "sales", "x.csv")[..], &["--format", "xlsx"]].concat();
    run(at, &wrong).expect(2, &["xlsx"]);
    run(at, &line(&url, "sales", "none/x.csv")).expect(2, &["none is no directory"]);
    let jobs = Tool::new(at, &["jobs", "list", "--kind", "report.generate", "--json"]).run();
    assert!(!jobs.text().contains("report.generate"), "nothing was asked for: {}", jobs.text());
    let left: Vec<_> = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains("x.csv")), "{left:?}");
    server.stop().expect(0, &["stopped"]);
}
