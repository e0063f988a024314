//! What the catalogue says an index serves, against SQLite's own plan for the same text.
//!
//! ```text
//!   random table and indexes ─> introspect ─> access: served ─> select text ─> EXPLAIN QUERY PLAN
//!                                                                └─> its rows, against brute force
//! ```
//!
//! Promises: an order called served is never sorted by SQLite, forwards, backwards or resumed.
//! Never: a table that a person could not have made.

use std::cmp::Ordering;

use plimsoll::expr::testing::Random;
use plimsoll::record::{ColumnType, Value, compare};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Select, create_index, select};
use crate::catalogue::{Order, Resource, SortTerm};
use crate::plan::{access, phases};
use crate::read::Position;
use crate::sqlite::connection::{Bounds, Role, open};
use crate::sqlite::value::{Bind, typed};
use crate::sqlite::{functions, introspect};

const SEED: u64 = 0x005e_edac_ce55;

/// The DDL of a table `t` of columns a to d under some key, and of its indexes.
fn random_ddl(random: &mut Random) -> Vec<String> {
    let columns: Vec<String> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| {
            let kind = ["INTEGER", "TEXT", "REAL", "TEXT COLLATE NOCASE"][random.below(4)];
            let null = if random.below(2) == 0 { " NOT NULL" } else { "" };
            format!("{name} {kind}{null}")
        })
        .collect();
    let columns = columns.join(", ");
    let (id, table, tail) = match random.below(8) {
        0 => ("id INTEGER PRIMARY KEY, ", "", ""),
        1 => ("", "", ""),
        2 => ("id TEXT NOT NULL PRIMARY KEY, ", "", ""),
        3 => ("id INTEGER PRIMARY KEY, ", "", " WITHOUT ROWID"),
        4 => ("id INTEGER NOT NULL, k TEXT NOT NULL, ", ", PRIMARY KEY (k, id)", " WITHOUT ROWID"),
        5 => ("id INTEGER NOT NULL, k TEXT NOT NULL, ", ", PRIMARY KEY (k, id DESC)", ""),
        6 => ("rowid TEXT NOT NULL PRIMARY KEY, ", "", ""),
        _ => ("id INTEGER PRIMARY KEY DESC NOT NULL, ", "", ""),
    };
    let mut ddl = vec![format!("CREATE TABLE t ({id}{columns}{table}){tail}")];
    for number in 0..random.below(5) {
        let mut left = vec!["a", "b", "c", "d"];
        let terms: Vec<String> = (0..1 + random.below(3))
            .map(|_| {
                let name = left.swap_remove(random.below(left.len()));
                let collate = ["", "", "", " COLLATE NOCASE", " COLLATE BINARY"][random.below(5)];
                let direction = ["", "", " DESC"][random.below(3)];
                format!("{name}{collate}{direction}")
            })
            .collect();
        let partial = if random.below(8) == 0 { " WHERE a IS NOT NULL" } else { "" };
        let terms = terms.join(", ");
        let terms = if random.below(10) == 0 { format!("lower(a), {terms}") } else { terms };
        ddl.push(format!("CREATE INDEX i{number} ON t ({terms}){partial}"));
    }
    ddl
}

fn fill(connection: &Connection, random: &mut Random, rows: usize) {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM pragma_table_xinfo('t')")
        .and_then(|mut s| s.query_map([], |r| r.get(0))?.collect())
        .expect("the columns");
    let words = ["'x'", "'X'", "'y'", "'Yy'", "''", "'é'"];
    for row in 0..rows {
        let values: Vec<String> = names
            .iter()
            .map(|name| match &**name {
                "id" => row.to_string(),
                "k" => format!("'k{}'", row % 3),
                "rowid" => format!("'r{row}'"),
                _ if random.below(5) == 0 => "NULL".to_owned(),
                _ if random.below(2) == 0 => random.below(4).to_string(),
                _ => words[random.below(words.len())].to_owned(),
            })
            .collect();
        let names = names.join(", ");
        let text = format!("INSERT OR IGNORE INTO t ({names}) VALUES ({})", values.join(", "));
        connection.execute(&text, []).expect("a row");
    }
}

fn random_order(random: &mut Random, resource: &Resource) -> Order {
    let mut left: Vec<usize> = (0..resource.schema.columns.len()).collect();
    let count = random.below(left.len().min(3) + 1);
    let same = random.below(2) == 0;
    let terms: Vec<SortTerm> = (0..count)
        .map(|at| {
            let column = left.swap_remove(random.below(left.len()));
            SortTerm { column, descending: if same { at > 9 } else { random.below(2) == 0 } }
        })
        .collect();
    Order::new(resource, &terms).expect("an order")
}

fn random_filter(random: &mut Random, resource: &Resource) -> Option<plimsoll::expr::Expr> {
    let mut parts = Vec::new();
    for name in ["a", "b", "c", "d"] {
        if random.below(3) > 0 {
            continue;
        }
        let at = resource.schema.position(name).expect("a column");
        let op = ["=", "=", "=", ">", "<="][random.below(5)];
        let literal = match resource.schema.columns[at].kind {
            ColumnType::Text => "'x'".to_owned(),
            ColumnType::Float => "1.0".to_owned(),
            _ => random.below(4).to_string(),
        };
        parts.push(format!("{name} {op} {literal}"));
    }
    (!parts.is_empty())
        .then(|| plimsoll::expr::parse(&parts.join(" and "), &resource.schema).expect("a filter"))
}

/// The plan's lines and the rows of a text: every column of the resource.
fn explain_and_run(
    connection: &Connection,
    resource: &Resource,
    sql: &super::Sql,
) -> (Vec<String>, Vec<Vec<Value>>) {
    let params = || rusqlite::params_from_iter(sql.params.iter().map(Bind));
    let plan = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text))
        .and_then(|mut s| s.query_map(params(), |r| r.get(3))?.collect())
        .unwrap_or_else(|e| panic!("{e}: {}", sql.text));
    let mut statement = connection.prepare(&sql.text).expect("the text");
    let mut found = statement.query(params()).expect("rows");
    let mut rows = Vec::new();
    while let Some(row) = found.next().expect("a row") {
        if row.get::<_, Option<bool>>(0).expect("the flag") != Some(true) {
            continue;
        }
        let field = |(at, c): (usize, &plimsoll::record::Column)| {
            typed(c.kind, row.get_ref(at + 1).expect("a field")).expect("UTF-8").to_owned()
        };
        rows.push(resource.schema.columns.iter().enumerate().map(field).collect());
    }
    (plan, rows)
}

/// Whether SQLite sorts more than the rows of one position: a sort of the last terms within equal
/// first ones holds no row back.
fn sorts(plan: &[String]) -> bool {
    plan.iter().any(|line| line.contains("USE TEMP B-TREE FOR ORDER BY"))
}

struct Case {
    _directory: TempDir,
    connection: Connection,
    resource: Resource,
    ddl: Vec<String>,
}

fn case(random: &mut Random, rows: usize) -> Case {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("t.db");
    let ddl = random_ddl(random);
    let writer = Connection::open(&file).expect("a file");
    writer.execute_batch("PRAGMA synchronous = OFF").expect("a throwaway file");
    for text in &ddl {
        writer.execute_batch(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    }
    writer.execute_batch("BEGIN").expect("begin");
    fill(&writer, random, rows);
    writer.execute_batch("COMMIT").expect("commit");
    if random.below(4) == 0 {
        writer.execute_batch("ANALYZE").expect("statistics");
    }
    drop(writer);
    let (mut resources, refused) = introspect(&file).expect("a database");
    assert_eq!(refused, [], "{ddl:?}");
    let resource = resources.pop().expect("the table t");
    let connection = open(&file, Role::Reader, Bounds::SETUP).expect("a reader");
    functions::register(&connection).expect("functions");
    Case { _directory: directory, connection, resource, ddl }
}

fn text_of(
    case: &Case,
    order: &Order,
    filter: Option<&plimsoll::expr::Expr>,
) -> (bool, Vec<usize>) {
    let access = access(&case.resource, order, filter);
    (access.served, access.equal.iter().map(|(c, _)| *c).collect())
}

#[test]
fn what_is_called_served_is_never_sorted_by_the_database() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let (mut served, mut unserved) = (0, 0);
    for _ in 0..150 {
        let case = case(&mut random, 40);
        for _ in 0..12 {
            let order = random_order(&mut random, &case.resource);
            let filter = random_filter(&mut random, &case.resource);
            if check(&case, &order, filter.as_ref()) {
                served += 1;
            } else {
                unserved += 1;
            }
        }
    }
    println!("{served} orders served, {unserved} not");
    assert!(served > 300 && unserved > 300, "{served} served, {unserved} not: a lopsided sample");
}

/// Compares plan and rows of every slice; true when the order is served.
fn check(case: &Case, order: &Order, filter: Option<&plimsoll::expr::Expr>) -> bool {
    let resource = &case.resource;
    let access = access(resource, order, filter);
    let columns = resource.all_columns();
    for backwards in [false, true] {
        let parts = Select {
            resource,
            index: access.index.as_deref(),
            columns: &columns,
            flag: filter,
            equal: &access.equal,
            bounds: &access.bounds,
            order,
            backwards,
        };
        let context = || {
            let terms: Vec<_> = order
                .terms()
                .iter()
                .map(|t| (&*resource.schema.columns[t.column].name, t.descending))
                .collect();
            format!("{:#?}\norder {terms:?} backwards {backwards} {filter:?}", case.ddl)
        };
        let run = |from: Option<&Position>| {
            let mut rows = Vec::new();
            for range in phases(resource, order, from, backwards).expect("phases") {
                let sql = select(&parts, &range);
                let (plan, mut found) = explain_and_run(&case.connection, resource, &sql);
                assert!(!(access.served && sorts(&plan)), "{plan:?}\n{}\n{}", sql.text, context());
                rows.append(&mut found);
            }
            rows
        };
        let all = run(None);
        for at in [0, all.len() / 3, all.len().saturating_sub(1)] {
            let Some(row) = all.get(at) else { continue };
            let position = order.terms().iter().map(|t| row[t.column].clone()).collect();
            let after = run(Some(&Position(position)));
            assert_eq!(after, all[at + 1..], "row {at} of {}\n{}", all.len(), context());
        }
    }
    access.served
}

#[test]
fn the_remedy_of_an_unserved_order_serves_it_once_it_has_run() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 2);
    for _ in 0..120 {
        let case = case(&mut random, 10);
        let order = random_order(&mut random, &case.resource);
        if text_of(&case, &order, None).0 {
            continue;
        }
        let remedy = create_index(&case.resource, &order);
        let file = case.connection.path().expect("a file").to_owned();
        let writer = Connection::open(&file).expect("a writer");
        writer.execute_batch(&remedy).unwrap_or_else(|e| panic!("{e}: {remedy} {:?}", case.ddl));
        drop(writer);
        let resource = introspect(file.as_ref()).expect("a database").0.pop().expect("t");
        let access = access(&resource, &order, None);
        assert!(access.served, "{remedy} does not serve it: {:?}", case.ddl);
    }
}

#[test]
fn a_sort_by_the_database_is_noticed() {
    let connection = Connection::open_in_memory().expect("memory");
    connection.execute_batch("CREATE TABLE t (a, b)").expect("a table");
    let plan: Vec<String> = connection
        .prepare("EXPLAIN QUERY PLAN SELECT a FROM t ORDER BY b")
        .and_then(|mut s| s.query_map([], |r| r.get(3))?.collect())
        .expect("a plan");
    assert!(sorts(&plan), "{plan:?}");
    assert_eq!(compare(Value::Null.borrow(), Value::Int(0).borrow()), Ordering::Less);
}
