//! How SQLite answers the texts of a search, by its own plan for them.
//!
//! Promises: the index of words drives what it should drive, and nothing is sorted that need not
//! be.
//! Never: a plan that is not looked at for both directions.

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::{Way, found};
use crate::catalogue::{Order, Resource};
use crate::plan::{access, phases};
use crate::read::Position;
use crate::search::Search;
use crate::sqlite::connection::{Bounds, Role, open};
use crate::sqlite::dialect::Select;
use crate::sqlite::introspect;
use crate::sqlite::value::Bind;
use plimsoll::record::Value;

const TABLE: &str = "
    create table goods (id integer primary key, name text not null, price integer);
    create index by_price on goods (price);
    create virtual table goods_search using fts5(name, content=goods, content_rowid=id);
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000)
    insert into goods select i, iif(i % 1000 = 0, 'rare thing', 'common thing'), i % 100 from n;
    insert into goods_search(goods_search) values ('rebuild');";

/// How FTS5 says that it reads: `64` by row id, `192` downwards, `>` `<` `=` with a bound on it.
fn fts_way(plan: &str) -> &str {
    let way = plan.split_once("f VIRTUAL TABLE INDEX ").map(|(_, way)| way);
    let way = way.unwrap_or_else(|| panic!("FTS5 is not asked: {plan}"));
    way.split_once(';').map_or(way, |(way, _)| way)
}

fn goods() -> (TempDir, Connection, Arc<Resource>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.db");
    let writer = Connection::open(&file).expect("a file");
    writer.execute_batch("pragma synchronous = off").expect("a throwaway file");
    writer.execute_batch(TABLE).expect("the table");
    drop(writer);
    let resources = introspect(&file).expect("a database").0;
    let goods = resources.into_iter().find(|r| &*r.name == "goods").expect("served");
    let connection = open(&file, Role::Reader, Bounds::SETUP).expect("a reader");
    (folder, connection, Arc::new(goods))
}

/// How the rows are found, and the plan of each range's text.
fn plans(
    connection: &Connection,
    resource: &Resource,
    (words, order, from): (&str, &str, Option<Position>),
    backwards: bool,
) -> (Way, Vec<String>) {
    let order = Order::parse(resource, order).expect("an order");
    let filter = plimsoll::expr::parse("price > 3", &resource.schema).expect("a filter");
    let access = access(resource, &order, Some(&filter));
    let search = Search::parse(words).expect("a search");
    let found = found(connection, resource, &search, &order, &access).expect("a way");
    let columns = resource.all_columns();
    let select = Select {
        resource,
        index: access.index.as_deref(),
        columns: &columns,
        flag: Some(&filter),
        equal: &access.equal,
        bounds: &access.bounds,
        order: &order,
        backwards,
    };
    let ranges = phases(resource, &order, from.as_ref(), backwards).expect("ranges");
    let plan = |range: &Vec<_>| {
        let sql = found.select(&select, range, true);
        let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
        let lines: Vec<String> = connection
            .prepare(&format!("explain query plan {}", sql.text))
            .and_then(|mut s| s.query_map(params, |r| r.get(3))?.collect())
            .unwrap_or_else(|e| panic!("{e}: {}", sql.text));
        lines.join("; ")
    };
    (found.way, ranges.iter().map(plan).collect())
}

#[test]
fn by_the_row_id_the_index_of_words_is_read_on_from_there_and_nothing_is_sorted() {
    let (_folder, connection, goods) = goods();
    let at = || Some(Position(vec![Value::Int(5_000)]));
    for words in ["rare", "common", "thing -rare", "\"common thing\""] {
        for (order, from, backwards) in
            [("", None, false), ("", at(), false), ("-id", at(), false), ("", at(), true)]
        {
            let (way, plans) = plans(&connection, &goods, (words, order, from.clone()), backwards);
            assert_eq!(way, Way::Followed(0));
            let is_downwards = (order == "-id") != backwards;
            let way = match (&from, is_downwards) {
                (None, false) => "64:M1",
                (None, true) => "192:M1",
                (Some(_), false) => "64:M1>",
                (Some(_), true) => "192:M1<",
            };
            for plan in plans {
                assert_eq!(fts_way(&plan), way, "{plan}");
                assert!(plan.contains("SEARCH t USING INTEGER PRIMARY KEY"), "{plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{words} by '{order}': {plan}");
            }
        }
    }
}

#[test]
fn by_another_order_few_rows_are_gathered_and_many_are_walked() {
    let (_folder, connection, goods) = goods();
    let at = || Some(Position(vec![Value::Int(50), Value::Int(5_000)]));
    for (order, from, backwards) in
        [("price", None, false), ("-price", at(), false), ("price", at(), true)]
    {
        let (way, gathered) = plans(&connection, &goods, ("rare", order, from.clone()), backwards);
        assert_eq!(way, Way::Gathered);
        for plan in gathered {
            assert!(plan.contains("SCAN f VIRTUAL TABLE"), "{plan}");
            assert!(!plan.contains("SCAN t") && !plan.contains("by_price"), "{plan}");
        }
        let (way, walked) = plans(&connection, &goods, ("common", order, from), backwards);
        assert_eq!(way, Way::Walked);
        for plan in walked {
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            let (walked, asked) = plan.split_once("SUBQUERY").expect("asked for each row");
            assert!(walked.contains("t USING INDEX by_price"), "{plan}");
            assert_eq!(fts_way(asked), "0:=M1", "{plan}");
        }
    }
    let (way, _) = plans(&connection, &goods, ("rare", "name", None), false);
    assert_eq!(way, Way::Gathered, "an order that no index has");
}
