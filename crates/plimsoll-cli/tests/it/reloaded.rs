//! A reload: the catalogue is looked at again while requests go on.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::corpus::{file, folder};
use crate::postgres::{Database, psql};
use crate::server::Server;
use crate::tool::Tool;

/// A catalogue of two tables is read within this.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

const RELOAD: &str = "/system/catalog/reload";

fn one(column: &str) -> String {
    format!(
        "[[resource]]\ntable = \"t\"\npath = \"things\"\n\
         column = [{{ name = \"id\" }}, {{ name = \"{column}\" }}]\n"
    )
}

#[test]
fn a_reload_shows_new_tables_and_columns_and_a_stream_under_way_keeps_its_own() {
    let folder = folder();
    let Some(database) = Database::with(
        "create table t (id int primary key, a text not null);
         insert into t select n, repeat('a', 500) from generate_series(1, 40000) n;",
    ) else {
        return;
    };
    let server = Server::start(folder.path(), &["--database", &database.url()]);
    let mut slow = server.client();
    let begun = slow.begin("GET", "/api/v2/tables/t/stream", "", "").unwrap();
    assert_eq!(begun.status, 200);
    // The new column stands where the old one stood.
    database.execute(
        "create table u (id int primary key); alter table t rename a to b;
         alter table t add a text not null default 'new'; alter table t drop column b;
         alter table t add b text not null default 'b';",
    );
    let answer = server.client().post(RELOAD, "").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), serde_json::json!({"resources": 2, "added": ["u"], "removed": []}));
    let row = server.get("/api/v2/tables/t?limit=1").json()["data"][0].clone();
    assert_eq!(row, serde_json::json!({"id": 1, "a": "new", "b": "b"}));
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    while !bytes.ends_with(b"0\r\n\r\n") {
        let read = slow.read(&mut piece).unwrap();
        assert!(read > 0, "the stream was cut");
        bytes.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("\"id\":40000,\"a\":\"new\"}"), "all rows, in the columns it began with");
    assert!(!text.contains("\"b\":"), "a column of the catalogue after it");
    server.stop().expect(0, &["the catalogue was reloaded"]);
}

#[test]
fn a_reload_that_fails_keeps_the_old_catalogue_and_tells_the_reason() {
    let folder = folder();
    let Some(database) = Database::with(
        "create table t (id int primary key, a text, b text); insert into t values (1, 'a', 'b');",
    ) else {
        return;
    };
    file(folder.path(), "r.toml", one("a"));
    let url = database.url();
    let server = Server::start(folder.path(), &["--database", &url, "--resources", "r.toml"]);
    let row = || server.get("/things").json()["data"][0].clone();
    let reload = || server.client().post(RELOAD, "").unwrap();
    assert_eq!(row(), serde_json::json!({"id": 1, "a": "a"}));
    file(folder.path(), "r.toml", one("c"));
    let answer = reload();
    assert_eq!(
        (answer.status, &*answer.json()["type"].to_string()),
        (409, "\"/problems/catalog-refused\"")
    );
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("no column 'c'") && detail.contains("id, a, b"), "{detail}");
    assert_eq!(row(), serde_json::json!({"id": 1, "a": "a"}));
    let allow = |word: &str| {
        let (url, name) = (database.url(), database.url().rsplit('/').next().unwrap().to_owned());
        let server = url.trim_end_matches(&name).to_owned() + "postgres";
        psql(&server, &format!("alter database {name} allow_connections {word}"));
    };
    allow("false");
    file(folder.path(), "r.toml", one("b").replace("things", "items"));
    let answer = reload();
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.json()["detail"].to_string().contains("not currently accepting"), "{answer:?}");
    assert_eq!(row(), serde_json::json!({"id": 1, "a": "a"}), "over the connection there is");
    allow("true");
    assert_eq!(reload().status, 200);
    assert_eq!(server.get("/items").json()["data"][0], serde_json::json!({"id": 1, "b": "b"}));
    assert_eq!(server.get("/things").status, 404, "short paths are the new file's");
    assert_eq!(server.get(RELOAD).status, 405);
    server.stop().expect(0, &["no reload; the catalogue there is stays", "no column 'c'"]);
}

#[test]
fn a_hangup_reloads_and_says_so_in_the_log() {
    let folder = folder();
    let path = folder.path().join("app.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("create table t (id integer primary key)").unwrap();
    let serve = ["serve", "--port", "0", "--database", path.to_str().unwrap()];
    let mut running = Tool::new(folder.path(), &serve).telling("serving on http://").start();
    let line = running.told();
    let address = line.split_once("http://").unwrap().1.trim().parse().unwrap();
    let client = || crate::http::Client::connect(address).unwrap();
    theirs.execute_batch("create table u (id integer primary key)").unwrap();
    running.signal(Signal::HUP);
    let until = Instant::now() + SEEN_WITHIN;
    while client().get("/api/v2/tables/u", "*/*").unwrap().status != 200 {
        assert!(Instant::now() < until, "the signal reloaded nothing");
    }
    running.signal(Signal::TERM);
    let ended = running.wait();
    ended.expect(0, &["the catalogue was reloaded", "\"added\":1"]);
}

#[test]
fn the_embedded_database_has_nothing_to_reload() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let answer = server.client().post(RELOAD, "").unwrap();
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.json()["detail"].to_string().contains("nothing to reload"), "{answer:?}");
    server.stop().expect(0, &[]);
}
