//! Somebody's own database is served as it is and left as it was.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::Tool;

/// A database of somebody else's with a few rows.
fn database(path: &Path, journal_mode: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    let mode: String = connection
        .query_row(&format!("pragma journal_mode = {journal_mode}"), [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, journal_mode);
    connection
        .execute_batch(
            "create table films (id integer primary key, title text, password text);
             insert into films values (1, 'Metropolis', 'x'), (2, 'M', 'y'), (3, NULL, 'z');
             create table notes (text text);
             insert into notes values ('without a key');",
        )
        .unwrap();
    connection
}

/// Every file of a folder, with its bytes.
fn listing(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(&path).unwrap())
    });
    named.collect()
}

fn titles(server: &Server) -> Vec<serde_json::Value> {
    let list = server.get("/api/v2/tables/films");
    assert_eq!(list.status, 200, "{list:?}");
    let rows = list.json()["data"].as_array().unwrap().clone();
    assert!(rows.iter().all(|row| row.get("password").is_none()), "{rows:?}");
    rows.iter().map(|row| row["title"].clone()).collect()
}

#[test]
fn a_foreign_file_is_served_without_a_change_to_it_or_beside_it() {
    for mode in ["delete", "wal"] {
        let (folder, theirs) = (folder(), folder());
        let path = theirs.path().join("films.db");
        drop(database(&path, mode));
        let before = listing(theirs.path());
        let server = Server::start(folder.path(), &["--database", path.to_str().unwrap()]);
        let expected = [serde_json::json!("Metropolis"), "M".into(), serde_json::Value::Null];
        assert_eq!(titles(&server), expected);
        let stream = server.get("/api/v2/tables/notes/stream?format=ndjson");
        assert!(String::from_utf8(stream.body).unwrap().contains("without a key"));
        let body = "{\"title\":\"Fury\"}";
        let refused = server.client().post("/api/v2/tables/films", body).unwrap();
        assert_eq!(refused.status, 405, "{refused:?}");
        server.stop().expect(0, &["stopped"]);
        let after = listing(theirs.path());
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{mode}");
        assert!(before == after, "{mode}: bytes changed");
    }
}

#[test]
fn a_foreign_file_in_use_keeps_its_log_and_shows_what_is_written_meanwhile() {
    let (folder, theirs) = (folder(), folder());
    let path = theirs.path().join("films.db");
    let writer = database(&path, "wal");
    let server = Server::start(folder.path(), &["--database", path.to_str().unwrap()]);
    assert_eq!(titles(&server).len(), 3);
    writer.execute("insert into films values (4, 'Fury', '')", []).unwrap();
    assert_eq!(titles(&server).last().unwrap(), "Fury");
    server.stop().expect(0, &[]);
    assert!(listing(theirs.path()).contains_key("films.db-wal"));
    writer.execute("insert into films values (5, 'Fog', '')", []).unwrap();
    drop(writer);
    let again = Connection::open(&path).unwrap();
    let rows: i64 = again.query_row("select count(*) from films", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 5);
}

#[test]
fn a_foreign_file_can_be_exported_and_is_not_imported_into() {
    let (folder, theirs) = (folder(), folder());
    let path = theirs.path().join("films.db");
    drop(database(&path, "wal"));
    let before = listing(theirs.path());
    let url = path.to_str().unwrap();
    let export = ["export", "films", "--fields", "title"];
    let ended = Tool::new(folder.path(), &export).env("DATABASE_URL", url).run();
    ended.expect(0, &[]);
    assert_eq!(ended.text(), "title\r\nMetropolis\r\nM\r\n\r\n");
    file(folder.path(), "a.csv", "title\nx\n");
    let import = ["import", "films", "a.csv"];
    let ended = Tool::new(folder.path(), &import).env("DATABASE_URL", url).run();
    ended.expect(2, &["database.url", "DATABASE_URL", "only read"]);
    assert!(before == listing(theirs.path()));
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = folder();
    let path = file(folder.path(), "notes.db", "not a database, only a long text. ".repeat(99));
    let run = ["serve", "--port", "0", "--database", &path];
    Tool::new(folder.path(), &run).run().expect(1, &["notes.db", "is not a database"]);
    let run = ["serve", "--port", "0", "--database", "nowhere.db"];
    Tool::new(folder.path(), &run).run().expect(1, &["no database file nowhere.db"]);
}

#[test]
fn a_damaged_database_is_refused() {
    let folder = folder();
    let path = folder.path().join("films.db");
    drop(database(&path, "delete"));
    let mut bytes = std::fs::read(&path).unwrap();
    // The schema's page: its header stays, what follows is noise.
    bytes[100..4096].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let run = ["serve", "--port", "0", "--database", path.to_str().unwrap()];
    Tool::new(folder.path(), &run).run().expect(1, &["films.db", "malformed"]);
}
