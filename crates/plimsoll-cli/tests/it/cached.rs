//! `plimsoll cache`: warmed by a job in the database, looked at and cleared in the server.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::{Ended, Tool};

const DEADLINE: Duration = Duration::from_secs(40);

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, &[&["cache"], args].concat()).run()
}

/// The document of a key, once it is there.
fn until_warm(folder: &Path, url: &str, key: &str) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let seen = run(folder, &["inspect", key, "--json", "--url", url]);
        if seen.code == Some(0) {
            return seen.json()[0].clone();
        }
        assert!(began.elapsed() < DEADLINE, "it does not become warm: {seen:?}");
    }
}

#[test]
fn a_cache_is_warmed_inspected_and_cleared_at_the_shell() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    // Before there is a server: the job waits for one.
    let warm = ["warm", "--periods", "7d,yesterday", "--channels", "all"];
    let asked = run(at, &warm);
    let said = asked.expect(0, &["it waits for a server"]).text().to_owned();
    assert!(said.contains("job 1 warms the cache by the batch warm-1"), "{said}");
    assert!(run(at, &warm).expect(0, &[]).text().contains("which was asked for already"));
    let server = Server::start(at, &[]);
    let url = format!("http://{}", server.address);
    let with_url = |args: &[&str]| run(at, &[args, &["--url", &url]].concat());
    let week = until_warm(at, &url, "sales/7d/all");
    assert_eq!((&week["tier"], &week["stale"]), (&json!("hot"), &json!(false)), "{week}");
    until_warm(at, &url, "sales/yesterday/all");
    let all = with_url(&["inspect", "--json"]).json();
    let found = |name: &str| {
        let of = |one: &&serde_json::Value| one["key"] == format!("sales/{name}/all");
        !all.as_array().unwrap().iter().find(of).unwrap()["tier"].is_null()
    };
    assert!(found("7d") && found("yesterday") && !found("90d"), "what was asked for: {all}");
    let text = with_url(&["inspect"]).text().to_owned();
    assert!(text.contains("fresh") && text.contains("not cached"), "{text}");
    let stats = with_url(&["stats", "--json"]).json();
    assert_eq!((&stats["hot"]["entries"], &stats["hot"]["hits"]), (&json!(2), &json!(0)));
    assert!(with_url(&["stats"]).text().contains("hot    2 entries"));

    assert_eq!(with_url(&["clear", "sales/7d/all"]).text().trim(), "1 entries are gone");
    with_url(&["clear", "sales/7d/all"]).expect(1, &["nothing is cached as 'sales/7d/all'"]);
    assert_eq!(with_url(&["clear", "--json"]).json(), json!({"removed": 1}));
    assert_eq!(with_url(&["stats", "--json"]).json()["hot"]["entries"], 0);
    // The settings say where the server is, too.
    let port = server.address.port().to_string();
    run(at, &["stats", "--port", &port]).expect(0, &[]);
    server.stop().expect(0, &["stopped"]);
    with_url(&["stats"]).expect(1, &["is `plimsoll serve` running there?"]);
}

#[test]
fn a_server_that_asks_who_is_there_is_asked_with_a_key_from_a_file_or_the_environment() {
    let folder = folder();
    let at = folder.path();
    let made = Tool::new(at, &["key", "new", "--name", "ops", "--scope", "admin"]).run();
    let text = made.expect(0, &[]).text().to_owned();
    let key = text.lines().find_map(|line| line.split_once("Bearer ")).expect("a key").1;
    let (_, entry) = text.split_once("\n\n").expect("an entry");
    let access = file(at, "access.toml", entry);
    let server = Server::start(at, &["--access", &access]);
    let url = format!("http://{}", server.address);
    let line = ["cache", "stats", "--json", "--url", &url];
    Tool::new(at, &line).run().expect(1, &["(unauthorized)"]);
    Tool::new(at, &line).env("PLIMSOLL_API_KEY", key).run().expect(0, &[]);
    let kept = file(at, "key.txt", format!("{key}\n"));
    run(at, &["stats", "--url", &url, "--key-file", &kept]).expect(0, &[]);
    server.stop().expect(0, &["stopped"]);
    let elsewhere = ["cache", "stats", "--url", "http://192.0.2.1:8000"];
    let tool = Tool::new(at, &elsewhere).env("PLIMSOLL_API_KEY", key);
    tool.run().expect(2, &["a key is sent to this machine alone"]);
    let dotenv = file(at, ".env", format!("PLIMSOLL_API_KEY={key}\n"));
    let told = run(at, &["stats"]);
    told.expect(2, &["PLIMSOLL_API_KEY is read from the environment alone"]);
    assert!(!told.err.contains(key), "{} is not shown", dotenv);
}

#[test]
fn what_cannot_be_warmed_or_asked_is_refused_at_the_shell() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    let url = |url| ["stats", "--url", url];
    for (args, said) in [
        (&["warm", "--periods", "8d"][..], "there is no period '8d': 1d, yesterday"),
        (&["warm", "--periods", "7d,7d"], "7d twice"),
        (&["warm", "--channels", "all,"], "is no channel"),
        (&url("https://127.0.0.1"), "begins with http://"),
        (&url("127.0.0.1:8000"), "begins with http://"),
        (&url("http://127.0.0.1/jobs"), "a host and a port"),
        (&url("http://"), "a host and a port"),
    ] {
        run(at, args).expect(2, &[said]);
    }
    let missing = ["stats", "--url", "http://127.0.0.1:1", "--key-file", "none.txt"];
    run(at, &missing).expect(1, &["reading the key in none.txt"]);
    let jobs = Tool::new(at, &["jobs", "list", "--json"]).run().json();
    assert_eq!(jobs, json!([]), "nothing was enqueued");
}
