//! A PostgreSQL database as Plimsoll's own: one URL changed, and all is as on the embedded one.

use serde_json::json;

use crate::corpus::{HEADER, file, folder};
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::{Ended, Tool};

/// What an app of another kind has there, all of it with names that Plimsoll knows too.
const THEIRS: &str = "
create table jobs (id int primary key); create table cache (key text primary key);
create table sessions (id text primary key); create table users (id int primary key);
create table migrations (id int primary key); create table state (id int primary key);
insert into jobs values (1); insert into migrations values (7);";

fn run(folder: &std::path::Path, database: &Database, args: &[&str]) -> Ended {
    let url = database.url();
    Tool::new(folder, &[args, &["--database", &url]].concat()).run()
}

fn products(rows: u32) -> String {
    let rows: Vec<String> =
        (1..=rows).map(|n| format!("s{n},\"Tea \\ {n}\",Drinks,{n}.25,{n}\n")).collect();
    format!("{HEADER}\n{}", rows.concat())
}

#[test]
fn a_migrated_postgresql_is_served_with_writes_beside_an_apps_tables() {
    let folder = folder();
    let Some(database) = Database::with(THEIRS) else { return };
    let status = run(folder.path(), &database, &["migrate", "--status", "--json"]);
    assert!(status.json().as_array().unwrap().iter().all(|m| m["applied_at"].is_null()));
    assert_eq!(database.count("select count(*) from pg_namespace where nspname = 'plimsoll'"), 0);
    for _ in 0..2 {
        run(folder.path(), &database, &["migrate"]).expect(0, &[]);
    }
    let status = run(folder.path(), &database, &["migrate", "--status", "--json"]);
    assert!(status.json().as_array().unwrap().iter().all(|m| m["applied_at"].is_string()));

    let server = Server::start(folder.path(), &["--database", &database.url()]);
    let body = "{\"sku\":\"a\",\"name\":\"Tea\",\"price\":\"2.50\"}";
    let made = server.client().post("/products", body).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    let listed = server.get("/products?limit=5").json();
    assert_eq!(listed["data"][0]["sku"], "a", "{listed}");
    assert_eq!(server.get("/api/v2/tables/jobs").status, 404, "the app's are not its own");
    server.stop().expect(0, &["stopped"]);
    assert_eq!(database.count("select count(*) from products"), 1);
    assert_eq!(
        database.execute("select id from public.jobs union all select id from public.migrations"),
        "1\n7\n"
    );
}

#[test]
fn a_file_is_imported_merged_and_exported_there_as_on_the_embedded_one() {
    let folder = folder();
    let Some(database) = Database::with("") else { return };
    run(folder.path(), &database, &["migrate"]).expect(0, &[]);
    let path = file(folder.path(), "a.csv", products(3_000));
    let ended = run(folder.path(), &database, &["import", "products", &path, "--json"]);
    assert_eq!((ended.json()["rows"].clone(), ended.code), (3_000.into(), Some(0)), "{ended:?}");
    let again = run(folder.path(), &database, &["import", "products", &path, "--json"]);
    assert_eq!(again.json()["done_before"], json!(true));
    let dearer = file(folder.path(), "b.csv", products(3_001).replace(".25,", ".75,"));
    for (how, rows, skipped) in [("skip", 1, 3_000), ("update", 3_001, 0)] {
        let import = ["import", "products", &dearer, "--on-conflict", how, "--again", "--json"];
        let ended = run(folder.path(), &database, &import);
        let told = ended.json();
        assert_eq!(told["skipped"], skipped, "{told}");
        assert_eq!(told["rows"], rows, "{told}");
    }
    let bad =
        file(folder.path(), "c.csv", format!("{HEADER}\ns9,A,,1,1\nnew,B,,-1,1\nfine,C,,1,1\n"));
    let import = ["import", "products", &bad, "--on-error", "continue"];
    run(folder.path(), &database, &import).expect(3, &[]);
    let export = |args: &[&str]| {
        let args = [&["export", "products", "--fields", "sku,name,price,stock"], args].concat();
        Tool::new(folder.path(), &args).run().expect(0, &[]).text().to_owned()
    };
    let there = export(&["--database", &database.url()]);
    // The embedded database, in the same steps.
    let import = |args: &[&str], code| {
        Tool::new(folder.path(), &[&["import", "products"], args].concat()).run().expect(code, &[]);
    };
    import(&[&path], 0);
    import(&[&dearer, "--on-conflict", "update"], 0);
    import(&[&bad, "--on-error", "continue"], 3);
    assert_eq!(there, export(&[]));
    assert_eq!(there.lines().count(), 1 + 3_001 + 1);
}

#[test]
fn an_import_goes_through_a_pooler_in_transaction_mode() {
    let folder = folder();
    let (Some(database), Ok(pooler)) = (Database::with(""), std::env::var("TESTED_PGBOUNCER"))
    else {
        println!("SKIPPED: TESTED_PGBOUNCER names no pooler");
        return;
    };
    let url = database.url();
    let url = format!("{pooler}/{}", url.rsplit_once('/').unwrap().1);
    let run =
        |args: &[&str]| Tool::new(folder.path(), &[args, &["--database", &url]].concat()).run();
    run(&["migrate"]).expect(0, &[]);
    let path = file(folder.path(), "a.csv", products(3_000));
    for how in ["error", "skip", "update"] {
        let import = ["import", "products", &path, "--on-conflict", how, "--again"];
        run(&import).expect(0, &[]);
    }
    assert_eq!(database.count("select count(*) from products where version = 2"), 3_000);
}

#[test]
fn a_recipe_gives_the_figures_there_that_it_gives_on_the_embedded_one() {
    let folder = folder();
    let Some(database) = Database::with("") else { return };
    run(folder.path(), &database, &["migrate"]).expect(0, &[]);
    let text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
                536365,85123A,WHITE HANGER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n\
                536365,71053,LANTERN,2,2010-12-01 08:26:00,3.39,17850,United Kingdom\n\
                C536379,85123A,WHITE HANGER,-1,2010-12-01 09:41:00,2.55,14527,France\n";
    let path = file(folder.path(), "retail.csv", text);
    let import = ["import", "online-retail", &path, "--json"];
    let there = run(folder.path(), &database, &import);
    there.expect(0, &[]);
    let here = Tool::new(folder.path(), &import).run();
    assert_eq!(there.json()["figures"], here.json()["figures"]);
    assert!(there.json()["figures"].as_object().is_some_and(|f| !f.is_empty()));
    assert_eq!(database.count("select count(*) from order_items"), 3);
}

#[test]
fn what_plimsoll_did_not_make_stays_somebodys_own() {
    let folder = folder();
    let Some(database) = Database::with("create table t (id int primary key, a text);") else {
        return;
    };
    let path = file(folder.path(), "a.csv", "id,a\n1,x\n");
    let told = ["only read", "plimsoll migrate", "--database"];
    run(folder.path(), &database, &["import", "t", &path]).expect(2, &told);
    run(folder.path(), &database, &["seed"]).expect(2, &told[..2]);
    let server = Server::start(folder.path(), &["--database", &database.url()]);
    let refused = server.client().post("/api/v2/tables/t", "{\"id\":2}").unwrap();
    assert_eq!(refused.status, 405, "{refused:?}");
    server.stop().expect(0, &[]);
    assert_eq!(database.count("select count(*) from t"), 0);
    run(folder.path(), &database, &["migrate"]).expect(0, &[]);
    // Demo data is in SQLite's words alone.
    run(folder.path(), &database, &["seed"]).expect(1, &["in the words of this database"]);
    // A migration that is not what ran.
    database.execute("update plimsoll.migrations set digest = 'other'");
    run(folder.path(), &database, &["import", "products", &path]).expect(1, &["was changed after"]);
    assert_eq!(database.count("select count(*) from products"), 0);
}

#[test]
fn a_table_of_a_packs_name_keeps_the_database_from_becoming_plimsolls_own() {
    let folder = folder();
    let Some(database) = Database::with("create table orders (id int primary key);") else {
        return;
    };
    run(folder.path(), &database, &["migrate"]).expect(1, &["0001-schema", "\"orders\""]);
    let tables = "select count(*) from pg_tables where schemaname in ('public', 'plimsoll')";
    assert_eq!(database.count(tables), 1, "nothing is made");
}

#[test]
fn uninstall_drops_its_own_schema_alone_and_only_when_told_to() {
    let folder = folder();
    let Some(database) = Database::with(THEIRS) else { return };
    run(folder.path(), &database, &["uninstall", "--yes"]).expect(0, &[]);
    run(folder.path(), &database, &["migrate"]).expect(0, &[]);
    let tables = "select string_agg(schemaname || '.' || tablename, ',' order by 1) \
                  from (select schemaname, tablename from pg_tables order by 1, 2) as t \
                  where schemaname in ('public', 'plimsoll')";
    let before = database.execute(tables);
    let asked = run(folder.path(), &database, &["uninstall"]);
    asked.expect(2, &["--yes"]);
    for name in ["idempotency", "migrations", "state", "jobs", "job_workers"] {
        assert!(asked.text().contains(name), "{name}: {asked:?}");
    }
    assert_eq!(database.execute(tables), before);
    for theirs in [
        "create table plimsoll.precious (id int)",
        "create view public.watching as select * from plimsoll.state",
    ] {
        database.execute(theirs);
        let name = if theirs.contains("view") { "watching" } else { "plimsoll.precious" };
        run(folder.path(), &database, &["uninstall", "--yes"]).expect(1, &[name]);
        let kind = theirs.split(' ').nth(1).unwrap();
        let full = theirs.split(' ').nth(2).unwrap();
        assert!(database.count("select count(*) from plimsoll.migrations") > 2, "{name}");
        database.execute(&format!("drop {kind} {full}"));
    }
    let done = run(folder.path(), &database, &["uninstall", "--yes"]);
    done.expect(0, &[]);
    assert!(done.text().contains("dropped: the schema plimsoll"), "{done:?}");
    assert_eq!(database.count("select count(*) from pg_namespace where nspname = 'plimsoll'"), 0);
    let left = database.execute(tables);
    assert!(before.starts_with("plimsoll.") && before.trim_end().ends_with(left.trim_end()));
    assert_eq!(database.count("select count(*) from jobs"), 1);
    let embedded = Tool::new(folder.path(), &["uninstall", "--yes"]).run();
    embedded.expect(2, &["--database URL"]);
}
