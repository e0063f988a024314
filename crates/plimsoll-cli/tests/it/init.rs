//! `init` and the file it makes, where no server of PostgreSQL is needed.

use rusqlite::Connection;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::Tool;

const TABLES: &str = "
    create table authors (id integer primary key, name text, api_token text);
    create table books (id integer primary key, author integer references authors, title text);
    create index by_title on books (title, id);
    create table resets (token text primary key, at integer);
    create view names as select name from authors;
    insert into authors values (1, 'Anna', 'HUSH'), (2, 'Bert', 'HUSH');
    insert into books values (1, 2, 'B'), (2, 1, 'A');
    insert into resets values ('HUSH', 7);";

/// A folder with a database, and the name of it.
fn database() -> (tempfile::TempDir, String) {
    let folder = folder();
    let path = folder.path().join("app.db");
    Connection::open(&path).unwrap().execute_batch(TABLES).unwrap();
    let name = path.to_str().unwrap().to_owned();
    (folder, name)
}

#[test]
fn a_file_about_a_sqlite_database_is_written_reviewed_and_served() {
    let (folder, db) = database();
    let init = Tool::new(folder.path(), &["init", "--database", &db, "--out", "r.toml"]).run();
    init.expect(0, &[]);
    for told in ["3 tables to review: authors, books, resets", "authors.api_token", "names: "] {
        assert!(init.text().contains(told), "{told} in {}", init.text());
    }
    let text = std::fs::read_to_string(folder.path().join("r.toml")).unwrap();
    for line in [
        "# refers to: author -> authors (its key)",
        "# referred to by: books (author) -> its key",
        "# sorted by an index: id; title, id",
        "  # { name = \"api_token\", type = \"text\" },  # TEXT",
        "key = [\"rowid\"]",
        "# NOT SERVED: names: a view has no key to page by; name one in a resources file",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in {text}");
    }
    let reviewed = "[[resource]]\ntable = \"names\"\nkey = [\"name\"]\npath = \"who\"\n\
                    column = [{ name = \"name\" }]\n";
    file(folder.path(), "r.toml", format!("{text}\n{reviewed}"));
    let server = Server::start(folder.path(), &["--database", &db, "--resources", "r.toml"]);
    let names = server.get("/who?sort=-name").json()["data"].clone();
    assert_eq!(names, serde_json::json!([{"name": "Bert"}, {"name": "Anna"}]));
    for table in ["authors", "books", "resets"] {
        let stream = server.get(&format!("/api/v2/tables/{table}/stream"));
        let rows = String::from_utf8(stream.body).unwrap();
        assert!(stream.status == 200 && !rows.is_empty() && !rows.contains("HUSH"), "{rows}");
    }
    server.stop().expect(0, &[]);
    let export = ["export", "names", "--database", &db, "--resources", "r.toml"];
    let ended = Tool::new(folder.path(), &export).run();
    assert_eq!(ended.text(), "name\r\nAnna\r\nBert\r\n", "{ended:?}");
}

#[test]
fn a_file_that_is_there_is_written_over_only_when_forced() {
    let (folder, db) = database();
    file(folder.path(), "r.toml", "mine");
    let init = ["init", "--database", &db, "--out", "r.toml"];
    Tool::new(folder.path(), &init).run().expect(2, &["r.toml is there already", "--force"]);
    let read = || std::fs::read_to_string(folder.path().join("r.toml")).unwrap();
    assert_eq!(read(), "mine");
    Tool::new(folder.path(), &[&init[..], &["--force"]].concat()).run().expect(0, &[]);
    assert!(read().contains("[[resource]]"));
    let left = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = left.filter(|n| n.to_string_lossy().contains("partial")).collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}

#[test]
fn init_without_a_database_or_with_an_unknown_schema_is_refused() {
    let (folder, db) = database();
    Tool::new(folder.path(), &["init"]).run().expect(2, &["--database"]);
    let init = ["init", "--database", &db, "--schema", "public"];
    Tool::new(folder.path(), &init).run().expect(2, &["no table is in a schema 'public'"]);
    let init = ["init", "--database", &db, "--role-for", "r.toml"];
    Tool::new(folder.path(), &init).run().expect(2, &["has no roles"]);
    let init = ["init", "--database", "nowhere.db"];
    Tool::new(folder.path(), &init).run().expect(1, &["no database file nowhere.db"]);
    assert!(!folder.path().join("plimsoll-resources.toml").exists());
}

#[test]
fn a_resources_file_that_is_wrong_is_refused_with_its_name_and_what_there_is() {
    let (folder, db) = database();
    let serve = ["serve", "--port", "0", "--database", &db, "--resources", "r.toml"];
    let run = || Tool::new(folder.path(), &serve).run();
    run().expect(1, &["reading the resources file r.toml"]);
    for (text, told) in [
        ("[[resource]]\ntabel = \"books\"\n", &["r.toml", "line 2", "did you mean `table`?"][..]),
        (
            "[[resource]]\ntable = \"boks\"\ncolumn = []\n",
            &["no table 'boks', did you mean 'books'?", "authors, books, names, resets"],
        ),
        (
            "[[resource]]\ntable = \"books\"\ncolumn = [{ name = \"id\" }, { name = \"titel\" }]\n",
            &["'books'", "no column 'titel'", "id, author, title"],
        ),
        (
            "[[resource]]\ntable = \"books\"\npath = \"metrics\"\ncolumn = [{ name = \"id\" }]\n",
            &["'/metrics' is reserved"],
        ),
    ] {
        file(folder.path(), "r.toml", text);
        run().expect(1, told);
    }
    let serve = ["serve", "--port", "0", "--resources", "r.toml"];
    Tool::new(folder.path(), &serve).run().expect(2, &["database.resources", "database.url"]);
}
