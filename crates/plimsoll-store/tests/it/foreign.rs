//! Other people's databases: every shape of table is served whole, or refused with its reason.
//!
//! Promises: a walk gives what SQLite's own select gives, in the key's order.
//! Never: a table made by this project.

use std::path::PathBuf;

use plimsoll::record::ColumnType;
use plimsoll_store::catalogue::Resource;
use plimsoll_store::sqlite::introspect;
use plimsoll_store::{ErrorKind, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{filtered, kind, lines, open, page, request, walk};

struct Foreign {
    _directory: TempDir,
    file: PathBuf,
    store: Store,
}

fn foreign(ddl: &str) -> Foreign {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("theirs.db");
    let connection = Connection::open(&file).expect("a file");
    connection.execute_batch(ddl).expect("their tables");
    drop(connection);
    let store = open(&file, false, &|_| {});
    Foreign { _directory: directory, file, store }
}

fn names(resource: &Resource) -> Vec<&str> {
    resource.column_names()
}

/// The values of the resource's columns by SQLite itself, in the order of the key.
fn select(foreign: &Foreign, resource: &Resource) -> Vec<Vec<rusqlite::types::Value>> {
    let quoted = |name: &str| format!("t.\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<_> = names(resource).into_iter().map(quoted).collect();
    let key: Vec<_> =
        resource.key.iter().map(|&c| quoted(&resource.schema.columns[c].name)).collect();
    let table = resource.name.replace('"', "\"\"");
    let (columns, key) = (columns.join(", "), key.join(", "));
    let sql = format!("select {columns} from \"{table}\" as t order by {key}");
    let connection = Connection::open(&foreign.file).expect("a connection");
    let mut statement = connection.prepare(&sql).expect("a select");
    let width = resource.schema.columns.len();
    let rows = statement.query_map([], |r| (0..width).map(|at| r.get(at)).collect());
    rows.and_then(Iterator::collect).expect("rows")
}

fn same(found: &serde_json::Value, wanted: &rusqlite::types::Value) -> bool {
    use rusqlite::types::Value as Stored;
    match wanted {
        Stored::Null => found.is_null(),
        Stored::Integer(v) => found.as_i64() == Some(*v),
        Stored::Real(v) => found.as_f64() == Some(*v),
        Stored::Text(v) => found.as_str() == Some(v),
        Stored::Blob(v) => {
            found.as_str().and_then(plimsoll::format::base64_decode).as_deref() == Some(v)
        }
    }
}

/// Walks the table in small slices and compares every field. Returns the number of rows.
fn streams_whole(foreign: &Foreign, table: &str) -> usize {
    let resource = foreign.store.catalogue().table(table).expect("served").clone();
    let wanted = select(foreign, &resource);
    for backwards in [false, true] {
        let out = walk(&foreign.store, backwards, || {
            let mut asked = request(&resource, "");
            asked.rows_max = 3;
            asked
        });
        let mut found = lines(&out.unwrap_or_else(|e| panic!("{table}: {e}")));
        if backwards {
            found.reverse();
        }
        assert_eq!(found.len(), wanted.len(), "{table}");
        for (line, row) in found.iter().zip(&wanted) {
            let found: serde_json::Value = serde_json::from_str(line).expect("JSON");
            for (name, value) in names(&resource).into_iter().zip(row) {
                assert!(same(&found[name], value), "{table}.{name}: {line} for {value:?}");
            }
        }
    }
    wanted.len()
}

const TABLES: &str = r#"
create table alias (id integer primary key, a text);
insert into alias (a) values ('x'), (null), ('y'), ('x'), ('z');
create table descending (id integer primary key desc not null, a text);
insert into descending values (3, 'x'), (1, 'y'), (7, 'z'), (2, 'a');
create table composite (a text not null, b integer not null, c any, primary key (b, a));
insert into composite values ('x', 2, 1), ('y', 1, 'one'), ('x', 1, x'00ff'), ('a', 2, null);
create table compact (a text, b integer, c real, primary key (a, b)) without rowid;
insert into compact values ('x', 2, 1), ('X', 2, 0.5), ('', -1, null), ('x', 1, 1e300);
create table keyless (a text, b blob);
insert into keyless values ('x', x''), ('x', x'00'), (null, null), ('x', x'');
create table nulls (code text primary key, a integer);
insert into nulls values ('x', 1), (null, 2), (null, 3), ('a', 4);
create table computed (
  id integer primary key, a integer, twice as (a * 2), stored as (a + 1) stored
);
insert into computed (a) values (1), (null), (-5);
create table "two ""quotes""; drop table alias; --" (
  "a b" text, "c""d" integer, "select" text, "ключ" integer primary key, "'" any, "`" any, "[" any
);
insert into "two ""quotes""; drop table alias; --" values
  ('1', 2, 's', 9, ''' or 1=1', '`', ']'), ('2', 3, 't', 4, 'x', null, 5);
create table nocase (name text collate nocase primary key not null, a integer);
insert into nocase values ('b', 1), ('A', 2), ('a2', 3), ('B2', 4), ('é', 5), ('É', 6);
create table "rowid text" (rowid text primary key not null, a integer);
insert into "rowid text" values ('x', 1), ('b', 2), ('ab', 3);
create index by_a_of_rowid on "rowid text" (a);
create table mixed (id integer primary key, v blob, n numeric, i integer, t text, d date);
insert into mixed values
  (1, 1, 1, 1, 1, '2010-12-01'), (2, '1', '1', '1', '1', '2010-12-01 08:26:00'),
  (3, 1.5, 'x', 'x', 1.5, 20101201), (4, x'31', x'31', x'31', x'31', null),
  (5, 9223372036854775807, 9e18, 1.5, '', 'yesterday');
create table empty (id integer primary key);
create table "Größe" (id integer primary key, "höhe" real);
insert into "Größe" values (1, 0.1), (2, -0.0), (3, 1e-300);
create table secrets (
  id integer primary key, password text, api_token text, "Secret" blob, pw_hash text, name text
);
insert into secrets values (1, 'p', 't', 's', 'h', 'n');
"#;

#[test]
fn every_served_table_streams_whole_in_the_order_of_its_key() {
    let foreign = foreign(TABLES);
    let tables: Vec<String> =
        foreign.store.catalogue().resources().map(|r| r.name.to_string()).collect();
    let mut rows = 0;
    for table in &tables {
        rows += streams_whole(&foreign, table);
    }
    assert_eq!((tables.len(), rows), (14, 48), "{tables:?}");
}

#[test]
fn the_key_is_what_tells_rows_apart_in_pages() {
    let foreign = foreign(TABLES);
    let keys = [
        ("alias", "id", 1),
        ("descending", "id", 1),
        ("composite", "b a", 2),
        ("compact", "a b", 2),
        ("keyless", "rowid", 1),
        ("nulls", "rowid", 1),
        ("rowid text", "rowid", 1),
    ];
    for (table, key, width) in keys {
        let resource = foreign.store.catalogue().table(table).expect("served");
        let found: Vec<_> =
            resource.key.iter().map(|&c| &*resource.schema.columns[c].name).collect();
        assert_eq!((found.join(" "), found.len()), (key.to_owned(), width), "{table}");
        let path = resource.indexes.iter().any(|i| {
            i.columns.iter().map(|c| c.column).take(width).eq(resource.key.iter().copied())
        });
        assert!(path, "{table} has no access path in the order of its key");
    }
}

#[test]
fn columns_that_look_like_secrets_are_left_out() {
    let foreign = foreign(TABLES);
    let resource = foreign.store.catalogue().table("secrets").expect("served").clone();
    assert_eq!(names(&resource), ["id", "name"]);
    let page = page(&foreign.store, request(&resource, "")).expect("a page");
    assert_eq!(lines(&page.out), [r#"{"id":1,"name":"n"}"#]);
    assert_eq!(kind(resource.column("password").map(drop)).0, ErrorKind::Invalid);
}

#[test]
fn what_cannot_be_paged_is_refused_with_a_reason() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("theirs.db");
    let ddl = "create table t (id integer primary key);
        create view seen as select * from t;
        create table hidden (rowid text, a integer);
        create virtual table words using fts5 (body);
        create table plimsoll_state (a); create table plimsolls (id integer primary key);";
    Connection::open(&file).and_then(|c| c.execute_batch(ddl)).expect("their tables");
    let (served, refused) = introspect(&file).expect("a database");
    let served: Vec<_> = served.iter().map(|r| r.name.to_string()).collect();
    assert_eq!(served, ["plimsolls", "t"], "shadow tables and control tables are nobody's");
    let refused: Vec<_> = refused.iter().map(|(name, why)| (&**name, !why.is_empty())).collect();
    assert_eq!(refused, [("hidden", true), ("seen", true), ("words", true)]);
}

#[test]
fn only_an_index_in_the_columns_own_collation_and_without_conditions_serves_an_order() {
    let foreign = foreign(
        "create table t (id integer primary key, a text, b text collate nocase, c integer);
         create index a_nocase on t (a collate nocase);
         create index b_binary on t (b collate binary);
         create index c_some on t (c) where a is not null;
         create index c_expression on t (abs(c));
         create index c_down on t (c desc, a);
         create index b_own on t (b);",
    );
    let resource = foreign.store.catalogue().table("t").expect("served");
    let mut found: Vec<&str> = resource.indexes.iter().map(|i| &*i.name).collect();
    found.sort_unstable();
    assert_eq!(found, ["b_own", "c_down", "row id"]);
    let down = resource.indexes.iter().find(|i| &*i.name == "c_down").expect("there");
    let columns: Vec<_> = down.columns.iter().map(|c| (c.column, c.descending)).collect();
    assert_eq!(columns, [(3, true), (1, false), (0, false)], "the row id follows");
}

#[test]
fn text_that_is_not_utf8_is_an_error_with_its_kind_and_other_columns_are_still_served() {
    let foreign = foreign(
        "create table t (id integer primary key, a text, b text);
         insert into t values (1, 'fine', 'x'), (2, cast(x'61ff62' as text), 'y');",
    );
    let resource = foreign.store.catalogue().table("t").expect("served").clone();
    let (kind, message) = kind(page(&foreign.store, request(&resource, "")));
    assert_eq!(kind, ErrorKind::Corrupt, "{message}");
    assert!(message.contains("UTF-8") && message.contains("fields="), "{message}");
    let mut asked = request(&resource, "");
    asked.columns = [0, 2].into();
    asked.encoder = Box::new(plimsoll::format::Ndjson::new(["id", "b"]));
    let page = page(&foreign.store, asked).expect("the other columns");
    assert_eq!(lines(&page.out), [r#"{"id":1,"b":"x"}"#, r#"{"id":2,"b":"y"}"#]);
}

#[test]
fn a_column_of_mixed_types_is_compared_as_what_each_row_holds() {
    let foreign = foreign(TABLES);
    let resource = foreign.store.catalogue().table("mixed").expect("served").clone();
    assert_eq!(resource.schema.columns[1].kind, ColumnType::Any);
    let cases = [("v = 1", "1"), ("v = '1'", "2"), ("v > 1 and v < 2", "3"), ("v = x'31'", "4")];
    for (filter, wanted) in cases {
        let page = page(&foreign.store, filtered(request(&resource, ""), filter)).expect("a page");
        let ids: Vec<String> = lines(&page.out).iter().map(|l| l[6..7].to_owned()).collect();
        assert_eq!(ids.join(" "), wanted, "{filter}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "this is no database, but it is longer than a header".repeat(99))
        .expect("a file");
    let (kind, message) = kind(introspect(&file).map(drop));
    assert_eq!(kind, ErrorKind::Corrupt, "{message}");
    assert!(message.contains("notes.txt"), "{message}");
    let missing = directory.path().join("none.db");
    let (kind, message) = crate::fixture::kind(introspect(&missing).map(drop));
    assert_eq!(kind, ErrorKind::Io, "{message}");
    assert!(!missing.exists(), "a reader makes no file");
}
