//! A server that asks who is there: keys made by the tool, and tenants as the documents say.
//!
//! Promises: the SQL and the files of docs/OPERATING.md are run as they are written.
//! Never: a role of another test: names are made the database's own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::corpus::{file, folder};
use crate::http::{Answer, Client};
use crate::postgres::{Database, psql};
use crate::server::Server;
use crate::tool::Tool;

/// A file is read again within this.
const SEEN_WITHIN: Duration = Duration::from_secs(30);

/// A new key and its entry.
fn new_key(folder: &Path, name: &str, scopes: &[&str]) -> (String, String) {
    let mut line = vec!["key", "new", "--name", name];
    for scope in scopes {
        line.extend(["--scope", scope]);
    }
    let ended = Tool::new(folder, &line).run();
    let text = ended.expect(0, &[]).text().to_owned();
    let key = text.lines().find_map(|line| line.split_once("Bearer ")).expect("a key").1;
    let (_, entry) = text.split_once("\n\n").expect("an entry");
    (key.to_owned(), entry.to_owned())
}

fn get(server: &Server, key: &str, path: &str) -> Answer {
    let mut client: Client = server.client();
    client.ask("GET", path, &format!("Authorization: Bearer {key}\r\n"), "").unwrap()
}

#[test]
fn a_new_key_is_let_in_by_the_entry_that_is_printed_with_it() {
    let folder = folder();
    let (key, entry) =
        new_key(folder.path(), "reports@app", &["read:*", "export:products", "write:products"]);
    assert!(key.starts_with("plk_") && !entry.contains(&key), "{entry}");
    let (other, _) = new_key(folder.path(), "reports@app", &["read:*"]);
    assert_ne!(key, other);
    // The whole of what is printed is an access file.
    let access = file(folder.path(), "access.toml", format!("# keys\n{entry}"));
    let server = Server::start(folder.path(), &["--access", &access]);
    assert_eq!(server.get("/products").status, 401);
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(get(&server, &other, "/products").status, 401);
    let headers = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
    let made = "{\"sku\":\"a\",\"name\":\"Tea\",\"price\":\"2.50\"}";
    assert_eq!(server.client().ask("POST", "/products", &headers, made).unwrap().status, 201);
    assert_eq!(get(&server, &key, "/products?limit=1").status, 200);
    assert_eq!(get(&server, &key, "/products/export/csv").status, 200);
    assert_eq!(get(&server, &key, "/orders/stream").status, 403);
    server.stop().expect(0, &["-H \"Authorization: Bearer $KEY\" 'http:", "stopped"]);
    let audit = folder.path().join("data/audit.ndjson");
    let rows = std::fs::read_to_string(&audit).unwrap();
    assert_eq!(rows.lines().count(), 2, "{rows}");
    let end: serde_json::Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert_eq!((&end["principal"], &end["rows"]), (&"reports@app".into(), &1.into()), "{end}");
    assert_eq!(std::fs::metadata(&audit).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn after_sighup_a_key_that_was_taken_out_is_not_known_and_a_new_one_is() {
    let folder = folder();
    let (first, one) = new_key(folder.path(), "one", &["read:*"]);
    let (second, two) = new_key(folder.path(), "two", &["read:*"]);
    let access = file(folder.path(), "access.toml", &one);
    let server = Server::start(folder.path(), &["--access", &access]);
    let statuses = || [&first, &second].map(|key| get(&server, key, "/products").status);
    let until = |wanted: [u16; 2]| {
        let until = Instant::now() + SEEN_WITHIN;
        while statuses() != wanted {
            assert!(Instant::now() < until, "{:?} and not {wanted:?}", statuses());
        }
    };
    assert_eq!(statuses(), [200, 401]);
    file(folder.path(), "access.toml", format!("{one}\n{two}"));
    server.hang_up();
    until([200, 200]);
    file(folder.path(), "access.toml", format!("{two}\nrole = \"none\""));
    server.hang_up();
    file(folder.path(), "access.toml", &two);
    server.hang_up();
    until([401, 200]);
    server.stop().expect(0, &["the access file was read again"]);
}

#[test]
fn an_access_file_that_is_wrong_is_a_wrong_call_with_its_line() {
    let folder = folder();
    let (_, entry) = new_key(folder.path(), "one", &["read:*"]);
    let serve = |text: &str, more: &[&str]| {
        let access = file(folder.path(), "access.toml", text);
        let line = [&["serve", "--port", "0", "--access", &access], more].concat();
        Tool::new(folder.path(), &line).run()
    };
    let mistakes = [
        ("", 2, &["access.toml", "neither a [[key]]"][..]),
        (&entry.replace("scopes", "scope"), 2, &["line 4", "did you mean `scopes`?"]),
        (&entry.replace("read:*", "reed:*"), 2, &["line 4", "did you mean 'read:*'?"]),
        (&format!("{entry}\nrole = \"x\""), 1, &["the key 'one' has a role", "PostgreSQL"]),
        (
            "[[jwt]]\nname = \"a\"\nalgorithm = \"HS256\"\nsecret_env = \"NONE\"",
            2,
            &["line 1: the issuer 'a'", "the variable NONE is not set"],
        ),
        (
            "[[jwt]]\nname = \"a\"\nalgorithm = \"RS256\"\npublic_key_file = \"no.pem\"",
            2,
            &["the issuer 'a'", "no.pem"],
        ),
    ];
    for (text, code, told) in mistakes {
        serve(text, &[]).expect(code, told);
    }
    let none = ["serve", "--port", "0", "--access", "none.toml"];
    Tool::new(folder.path(), &none).run().expect(1, &["the access file none.toml"]);
    for (name, scope) in [("a b", "read:*"), ("a", "reed:*")] {
        let line = ["key", "new", "--name", name, "--scope", scope];
        Tool::new(folder.path(), &line).run().expect(2, &["could not be let in", scope.min(name)]);
    }
}

#[test]
fn an_address_beyond_loopback_needs_an_access_file_and_a_review() {
    let folder = folder();
    let (key, entry) = new_key(folder.path(), "one", &["read:*"]);
    let access = file(folder.path(), "access.toml", entry);
    let beyond = ["--host", "0.0.0.0", "--access", &access];
    let server = Server::start(folder.path(), &beyond);
    let address = ([127, 0, 0, 1], server.address.port()).into();
    let mut client = Client::connect(address).unwrap();
    let known = client.ask("GET", "/products", &format!("Authorization: Bearer {key}\r\n"), "");
    assert_eq!(known.unwrap().status, 200);
    server.stop().expect(0, &["stopped"]);
    let theirs = folder.path().join("theirs.db");
    let connection = rusqlite::Connection::open(&theirs).unwrap();
    connection.execute_batch("create table t (id integer primary key)").unwrap();
    let line = [&["serve", "--port", "0", "--database", theirs.to_str().unwrap()], &beyond[..]];
    Tool::new(folder.path(), &line.concat()).run().expect(2, &["reviewed", "--resources"]);
}

/// What stands between fences of this language in the section about tenants.
fn documented(language: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATING.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once("\n### Tenants\n").expect("the section");
    let (_, block) = section.split_once(&format!("```{language}\n")).expect("a block");
    block.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_sql_and_the_file_of_the_documents_give_each_tenant_its_own_rows() {
    let folder = folder();
    let Some(database) = Database::with(
        "create table orders (id bigint primary key, tenant_id int not null, total numeric(12,2));
         insert into orders select n, n % 3, n from generate_series(1, 300) n;",
    ) else {
        return;
    };
    let url = database.url();
    let init = ["init", "--database", &url, "--out", "resources.toml"];
    let role = Tool::new(folder.path(), &init).run().expect(0, &[]).text().to_owned();
    let url = database.make_role(&role);
    let tenants = format!("tenants_{}", database.role());
    let own = |text: &str| {
        text.replace("app_tenants", &tenants).replace("plimsoll_reader", &database.role())
    };
    database.execute(&own(&documented("sql")));
    let (key, entry) = new_key(folder.path(), "unused", &["read:*"]);
    let hash = entry.split('"').find(|part| part.starts_with("blake3:")).unwrap();
    let access = own(&documented("toml")).replace("blake3:...", hash);
    file(folder.path(), "jwt.secret", "0123456789abcdef0123456789abcdef\n");
    let access = file(folder.path(), "access.toml", access);
    let line = ["--database", &url, "--resources", "resources.toml", "--access", &access];
    let server = Server::start(folder.path(), &line);
    let rows = get(&server, &key, "/api/v2/tables/orders?limit=500").json();
    let rows = rows["data"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 100);
    assert!(rows.iter().all(|row| row["tenant_id"] == 2), "the key's tenant");
    let streamed = get(&server, &key, "/api/v2/tables/orders/stream?format=ndjson").body;
    assert_eq!(streamed.iter().filter(|b| **b == b'\n').count(), 100);
    server.stop().expect(0, &["stopped"]);
    database.execute(&format!("drop owned by {tenants}"));
    psql(&database.url(), &format!("drop role {tenants}"));
}
