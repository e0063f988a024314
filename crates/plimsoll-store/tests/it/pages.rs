//! Pages: every row once, in order, whatever the slices.
//!
//! Promises: walks with random bounds, forwards and backwards, still and under writers.
//! Never: an order the database was not asked for.

use std::sync::Arc;

use plimsoll::expr::testing::Random;
use plimsoll::record::Value;
use plimsoll_store::{Page, PageEnd, PageRequest, Position, Resource, Scope};

use crate::fixture::{Fixture, filtered, from, lines, page, request, text, walk};

const SEED: u64 = 0x5eed_9a6e5;

const ORDERS: [&str; 9] = ["", "-id", "a", "-a", "a,b", "-a,-b", "b,-a", "c,a", "-c"];

/// Three nullable columns with few distinct values, and an index for most of [`ORDERS`].
fn fixture(random: &mut Random, rows: usize) -> Fixture {
    let fixture = Fixture::new(
        "create table t (id integer primary key, a integer, b text, c real) strict;
         create index by_a_b on t (a, b);
         create index by_a on t (a);
         create index by_b_a on t (b, a desc);",
    );
    let mut values = Vec::new();
    for _ in 0..rows {
        values.extend(row(random));
    }
    fixture.write(vec![fixture.insert("t", &["a", "b", "c"], values)]).expect("rows");
    fixture
}

fn row(random: &mut Random) -> [Value; 3] {
    let null = |random: &mut Random, value| if random.below(4) == 0 { Value::Null } else { value };
    let (a, c) = (random.below(4) as i64, random.below(3) as f64 / 2.0);
    let b = text(["", "x", "Y", "é\"\\\n"][random.below(4)]);
    [null(random, Value::Int(a)), null(random, b), null(random, Value::Float(c))]
}

fn bounded(random: &mut Random, table: &Arc<Resource>, order: &str) -> PageRequest {
    let mut request = request(table, order);
    request.rows_max = 1 + random.below(30) as u64;
    request.bytes_max = 1 + random.below(1500);
    request.row_ends = Some(Vec::new());
    request
}

/// The `order by` of `order`, written by hand: the database's own reading of the same words.
fn by_hand(order: &str, backwards: bool) -> String {
    let mut terms: Vec<(String, bool)> = order
        .split(',')
        .filter(|t| !t.is_empty())
        .map(|t| (t.trim_start_matches('-').to_owned(), t.starts_with('-')))
        .collect();
    if !terms.iter().any(|(name, _)| name == "id") {
        let last = terms.last().is_some_and(|(_, descending)| *descending);
        terms.push(("id".to_owned(), last));
    }
    let words = terms.iter().map(|(name, descending)| {
        let down = *descending != backwards;
        format!("{name} {}", if down { "desc nulls last" } else { "asc nulls first" })
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Ids in the order they came.
fn ids(out: &[u8]) -> Vec<i64> {
    lines(out)
        .iter()
        .map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
            row["id"].as_i64().expect("an id")
        })
        .collect()
}

fn ids_by_hand(fixture: &Fixture, order: &str, backwards: bool, clause: &str) -> Vec<i64> {
    let sql = format!("select id from t {clause} order by {}", by_hand(order, backwards));
    let rows = fixture.store.query(&sql, usize::MAX).wait().expect("rows");
    rows.into_iter()
        .map(|row| match row[0] {
            Value::Int(id) => id,
            ref other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_walk_gives_every_row_once_in_order_either_way() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let fixture = fixture(&mut random, 500);
    let table = fixture.table("t");
    for order in ORDERS {
        for backwards in [false, true] {
            let out = walk(&fixture.store, backwards, || bounded(&mut random, &table, order));
            let wanted = ids_by_hand(&fixture, order, backwards, "");
            assert_eq!(ids(&out.expect("rows")), wanted, "'{order}' backwards {backwards}");
        }
    }
}

#[test]
fn a_walk_with_a_filter_gives_the_rows_the_filter_is_true_of() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 1);
    let fixture = fixture(&mut random, 400);
    let table = fixture.table("t");
    for filter in
        ["a = 1", "a is null", "a >= 1 and a < 3", "a = 2 and b = 'x'", "c > 0.4 or b = ''"]
    {
        for order in ORDERS {
            let again = || filtered(bounded(&mut random, &table, order), filter);
            let out = walk(&fixture.store, false, again).expect("rows");
            let wanted = ids_by_hand(&fixture, order, false, &format!("where {filter}"));
            assert_eq!(ids(&out), wanted, "'{order}' where {filter}");
        }
    }
}

#[test]
fn a_page_knows_its_first_and_last_row_and_where_each_one_ends() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 2);
    let fixture = fixture(&mut random, 60);
    let table = fixture.table("t");
    for bytes_max in [1, 40, 400, 1 << 20] {
        for rows_max in [1, 7, 60, 61] {
            let mut asked = request(&table, "a");
            (asked.bytes_max, asked.rows_max) = (bytes_max, rows_max);
            asked.row_ends = Some(Vec::new());
            let page = page(&fixture.store, asked).expect("a page");
            let case = format!("{bytes_max} bytes, {rows_max} rows");
            let ends = page.row_ends.as_ref().expect("asked for");
            assert_eq!(ends.len() as u64, page.rows, "{case}");
            assert_eq!(ends.last(), Some(&page.out.len()), "{case}");
            assert!(ends.iter().all(|end| page.out[end - 1] == b'\n'), "{case}");
            let found = ids(&page.out);
            assert_eq!(id_of(page.first.as_ref(), &case), found[0], "{case}");
            if page.end != PageEnd::Exhausted {
                let last = *found.last().expect("a row");
                assert_eq!(id_of(page.last.as_ref(), &case), last, "{case}");
            }
        }
    }
}

fn id_of(position: Option<&Position>, case: &str) -> i64 {
    match position.unwrap_or_else(|| panic!("no position: {case}")).0.last() {
        Some(Value::Int(id)) => *id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_page_before_the_page_after_is_the_page() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 3);
    let fixture = fixture(&mut random, 100);
    let table = fixture.table("t");
    for order in ORDERS {
        let ten = || {
            let mut asked = request(&table, order);
            asked.rows_max = 10;
            asked
        };
        let mut at: Option<Position> = None;
        loop {
            let page: Page = page(&fixture.store, from(ten(), at.clone(), false)).expect("a page");
            let PageEnd::More(next) = page.end else { break };
            let following =
                crate::fixture::page(&fixture.store, from(ten(), Some(next.clone()), false));
            let back = following.expect("the next page").first.expect("its first row");
            let again = crate::fixture::page(&fixture.store, from(ten(), Some(back), true));
            let mut again = ids(&again.expect("the page before").out);
            again.reverse();
            assert_eq!(again, ids(&page.out), "'{order}' before {next:?}");
            at = Some(next);
        }
    }
}

#[test]
fn rows_that_are_there_throughout_appear_exactly_once_under_writers() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 4);
    for order in ["", "a", "-b,a", "b,-a"] {
        let fixture = fixture(&mut random, 300);
        let table = fixture.table("t");
        let kept: Vec<i64> = (1..=300).filter(|id| id % 3 != 0).collect();
        let (mut seen, mut at) = (Vec::new(), None);
        for slice in 1.. {
            let mut asked = bounded(&mut random, &table, order);
            asked.rows_max = asked.rows_max.min(20);
            let page = page(&fixture.store, from(asked, at, false)).expect("a slice");
            seen.extend(ids(&page.out));
            let PageEnd::More(next) = page.end else { break };
            at = Some(next);
            let row = row(&mut random);
            let mut writes = vec![fixture.insert("t", &["a", "b", "c"], row.into())];
            let goes = 3 * slice;
            if goes <= 300 {
                let key = vec![Value::Int(goes)];
                writes.push(plimsoll_store::Write::Delete {
                    resource: table.clone(),
                    key,
                    if_version: None,
                });
            }
            fixture.write(writes).expect("a write between two slices");
        }
        let mut stayed: Vec<i64> = seen.iter().copied().filter(|id| kept.contains(id)).collect();
        stayed.sort_unstable();
        assert_eq!(stayed, kept, "'{order}'");
        let total = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), total, "'{order}': a row twice");
    }
}

#[test]
fn one_row_is_read_by_its_key_and_none_by_another() {
    let mut random = Random::new(SEED ^ 5);
    let fixture = fixture(&mut random, 3);
    let table = fixture.table("t");
    for (key, rows) in [(2, 1), (4, 0)] {
        let mut asked = request(&table, "");
        asked.scope = Scope::Key(vec![Value::Int(key)]);
        let page = page(&fixture.store, asked).expect("an answer");
        assert_eq!((page.rows, page.end), (rows, PageEnd::Exhausted));
    }
}

#[test]
fn every_field_of_a_walk_is_what_the_database_says() {
    let mut random = Random::new(SEED ^ 6);
    let fixture = fixture(&mut random, 120);
    let table = fixture.table("t");
    let out = walk(&fixture.store, false, || bounded(&mut random, &table, "b,-a"));
    let sql = "select id, a, b, c from t order by b nulls first, a desc nulls last, id desc";
    let rows = fixture.store.query(sql, 1000).wait().expect("rows");
    for (line, row) in lines(&out.expect("rows")).iter().zip(&rows) {
        let found: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for (name, value) in ["id", "a", "b", "c"].iter().zip(row) {
            let wanted = match value {
                Value::Null => serde_json::Value::Null,
                Value::Int(v) => (*v).into(),
                Value::Float(v) => (*v).into(),
                Value::Text(v) => v.to_string().into(),
                other => panic!("{other:?}"),
            };
            assert_eq!(found[name], wanted, "{name} of {line}");
        }
    }
}
