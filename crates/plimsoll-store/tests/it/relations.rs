//! Relations are found by foreign keys on both databases, and read by an index or not at all.
//!
//! Promises: the tables are their owner's, with the types and names that owners choose.
//! Never: a relation to a table or a column that is not served.

use std::sync::Arc;

use plimsoll::record::Value;
use plimsoll_store::catalogue::Resource;
use plimsoll_store::{PageRequest, Scope, Store, postgres, sqlite};

use crate::fixture::{Served, kind, lines, open, open_postgres, page, postgres_config, request};

const TABLES: &str = "
create table people (id integer primary key, name text, chief_id integer references people (id));
create table tags (code text primary key not null, secret_hash text unique);
create table parts (a integer not null, b integer not null, primary key (a, b));
create table notes (
  id integer primary key, author_id integer not null references people (id),
  reviewer_id integer references people (id), tag text references tags (code),
  a integer, b integer, hash text references tags (secret_hash),
  foreign key (a, b) references parts (a, b)
);
create index notes_by_author on notes (author_id);
insert into people values (1, 'ann', null), (2, 'bob', 1), (3, 'cy', 1);
insert into tags values ('x', null);
insert into notes values (10, 1, 2, 'x', null, null, null), (11, 2, null, null, null, null, null),
  (12, 1, null, 'x', null, null, null);";

/// `name -> table`, with `*` for many and `2` for two columns.
fn relations(resources: &[Resource], of: &str) -> Vec<String> {
    let resource = resources.iter().find(|r| &*r.name == of).expect("served");
    let text = |r: &plimsoll_store::catalogue::Relation| {
        let many = if r.many { "*" } else { "" };
        let wide = if r.columns.len() == 2 { "2" } else { "" };
        format!("{} -> {}{many}{wide}", r.name, r.to)
    };
    let mut all: Vec<String> = resource.relations.iter().map(text).collect();
    all.sort();
    all
}

fn check(resources: &[Resource]) {
    let notes = ["author -> people", "parts -> parts2", "reviewer -> people", "tags -> tags"];
    assert_eq!(relations(resources, "notes"), notes, "nothing by a column that is hidden");
    let people = relations(resources, "people");
    let own = ["chief -> people", "people -> people*"];
    let by = ["notes -> notes*", "notes_by_reviewer_id -> notes*"];
    let other = ["notes -> notes*", "notes_by_author_id -> notes*"];
    let with = |names: [&str; 2]| [own[0], names[0], names[1], own[1]].map(str::to_owned);
    assert!(people == with(by) || people == with(other), "{people:?}");
    assert_eq!(relations(resources, "tags"), ["notes -> notes*"]);
}

fn among(store: &Store, column: &str, values: &[Value], each_max: u64) -> PageRequest {
    let resource = Arc::clone(store.catalogue().table("notes").expect("served"));
    let column = resource.column(column).expect("a column");
    let scope = Scope::Among { column, values: values.into(), each_max };
    PageRequest { scope, ..request(&resource, "") }
}

fn read(store: &Store) {
    let authors = [3, 1, 2].map(Value::Int);
    let found = page(store, among(store, "author_id", &authors, 5)).expect("a page");
    assert_eq!(found.places, [1, 1, 2], "in the order of the values");
    let rows = lines(&found.out);
    let ids = ["\"id\":10", "\"id\":12", "\"id\":11"];
    assert!(rows.iter().zip(ids).all(|(row, id)| row.contains(id)), "{rows:?}");
    let one = page(store, among(store, "author_id", &authors, 1)).expect("a page");
    assert_eq!(one.places, [1, 2], "so many of each value");
    let hostile = [Value::Text("x'; drop table notes; --".into()), Value::Text("x".into())];
    let tagged = page(store, among(store, "tag", &hostile, 5)).expect("a small table needs none");
    assert_eq!(tagged.places, [1, 1]);
}

fn refuses(store: &Store) {
    let refused = page(store, among(store, "reviewer_id", &[Value::Int(1)], 5));
    let (_, message) = kind(refused);
    assert!(message.contains("begins with reviewer_id"), "{message}");
    let found = page(store, among(store, "author_id", &[Value::Int(2)], 5)).expect("an index");
    assert_eq!(found.rows, 1);
}

#[test]
fn relations_of_a_sqlite_file_go_both_ways_and_large_tables_need_an_index() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("theirs.db");
    let connection = rusqlite::Connection::open(&file).expect("a file");
    connection.execute_batch(TABLES).expect("their tables");
    check(&sqlite::introspect(&file).expect("a database").0);
    read(&open(&file, false, &|_| {}));
    let more = "with recursive n(i) as (values (100) union all select i + 1 from n where i < 10200)
        insert into notes (id, author_id) select i, 3 from n;";
    connection.execute_batch(more).expect("more notes");
    drop(connection);
    refuses(&open(&file, false, &|_| {}));
}

#[test]
fn relations_of_a_postgres_database_go_both_ways_and_large_tables_need_an_index() {
    if std::env::var_os("TESTED_POSTGRES").is_none() {
        return;
    }
    let (served, spill) = (Served::new(), tempfile::tempdir().expect("a folder"));
    served.execute(TABLES);
    let config = postgres_config(&served, spill.path(), false);
    check(&postgres::introspect(&config).expect("looked at").resources);
    read(&open_postgres(&config, &|_| {}));
    served.execute(
        "insert into notes (id, author_id) select i, 3 from generate_series(100, 10200) as g(i)",
    );
    refuses(&open_postgres(&config, &|_| {}));
}
