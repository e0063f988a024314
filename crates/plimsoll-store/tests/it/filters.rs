//! Filters mean the same in the database and in the library.
//!
//! ```text
//!   random filter ─┬─ expr::matches on every row ─> ids ─┐
//!                  └─ SQL, run by the store ──────> ids ─┴─ equal
//! ```
//!
//! Where a number leaves its range on a row, the library's reading fails on that row. The
//! database's may answer instead where the other side of an `and`, `or` or `coalesce` decides, for
//! it may look at that side first; and a walk fails at its first such row.
//!
//! Promises: several thousand filters over every type, with and without an index that serves them.
//! Never: an answer of one side that the other did not give or fail on.

use std::sync::Arc;

use plimsoll::expr::{self, Expr, testing::Random};
use plimsoll::record::{Value, ValueRow};
use plimsoll_store::{PageEnd, Result, Scope, Store};

use crate::fixture::{Fixture, from, lines, on_postgres, page, request};

const SEED: u64 = 0x5eed_f117e5;
const ROWS: i64 = 24;

const TABLE: &str = "create table t (
  id integer primary key, flag BOOL, n integer, f real, m MONEY, at TIME, s text, b blob,
  strict_n integer not null, strict_s text not null
) strict;
create index by_n on t (n);
create index by_s_n on t (s, n desc);
create index by_f on t (f);
create index by_m on t (strict_s, m);";

fn fixture(random: &mut Random) -> (Fixture, Vec<Vec<Value>>) {
    // What each row decides is SQLite's alone.
    let table = if on_postgres() {
        TABLE.to_owned()
    } else {
        TABLE.replace("s text not null\n", "s text not null, x any\n")
    };
    let fixture = Fixture::new(&table);
    let table = fixture.table("t");
    let rows: Vec<Vec<Value>> = (1..=ROWS)
        .map(|id| {
            let mut row = random.row(&table.schema);
            row[0] = Value::Int(id);
            row
        })
        .collect();
    let insert = fixture.insert("t", &table.column_names(), rows.concat());
    fixture.write(vec![insert]).expect("rows");
    (fixture, rows)
}

fn ids(store: &Store, filter: &Expr, order: &str) -> Result<Vec<i64>> {
    let table = store.catalogue().table("t")?.clone();
    let (mut found, mut at) = (Vec::new(), None);
    loop {
        let mut asked = from(request(&table, order), at, false);
        asked.columns = [0].into();
        asked.encoder = Box::new(plimsoll::format::Ndjson::new(["id"]));
        asked.rows_max = 7;
        let Scope::Range { filter: wanted, .. } = &mut asked.scope else { panic!("a range") };
        *wanted = Some(Arc::new(filter.clone()));
        let page = page(store, asked)?;
        found.extend(lines(&page.out).iter().map(|line| {
            let digits: String = line.chars().filter(char::is_ascii_digit).collect();
            digits.parse::<i64>().expect("an id")
        }));
        match page.end {
            PageEnd::Exhausted => break,
            PageEnd::More(next) => at = Some(next),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether an error of the library may be an answer of the database: another side may decide.
fn may_short_circuit(filter: &Expr) -> bool {
    let own = matches!(filter, Expr::And(_) | Expr::Or(_) | Expr::Call { .. });
    own || filter.children().any(may_short_circuit)
}

#[test]
fn a_filter_selects_the_rows_it_is_true_of_whoever_reads_it() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let (fixture, rows) = fixture(&mut random);
    let schema = fixture.table("t").schema.clone();
    let (mut both, mut failed, mut apart) = (0, 0, 0);
    for case in 0..4000 {
        let filter = random.filter(&schema);
        let order = ["", "n", "-s,n", "f", "strict_s,m"][random.below(5)];
        let answers: Vec<_> =
            rows.iter().map(|row| expr::matches(&filter, &ValueRow(row))).collect();
        let context = || format!("case {case}, order '{order}': {}", filter.canonical(&schema));
        match ids(&fixture.store, &filter, order) {
            Ok(found) => {
                for (answer, row) in answers.iter().zip(&rows) {
                    let Value::Int(id) = row[0] else { panic!("{row:?}") };
                    let there = found.contains(&id);
                    match answer {
                        Ok(wanted) => assert_eq!(there, *wanted, "{} on {row:?}", context()),
                        Err(e) => {
                            assert!(may_short_circuit(&filter), "{e}: {} on {row:?}", context());
                            apart += 1;
                        }
                    }
                }
                both += 1;
            }
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    plimsoll_store::ErrorKind::Invalid,
                    "{error} {}",
                    context()
                );
                let same = answers.iter().any(Result::is_err);
                assert!(same || may_short_circuit(&filter), "{error}: {}", context());
                failed += 1;
            }
        }
    }
    println!("{both} answered, {failed} failed, {apart} rows where one side alone failed");
    assert!(both > 2000 && failed > 20, "a lopsided sample: {both} answered, {failed} failed");
}

#[test]
fn a_number_out_of_range_is_an_error_and_never_a_float() {
    let mut random = Random::new(SEED ^ 1);
    let (fixture, _) = fixture(&mut random);
    let schema = fixture.table("t").schema.clone();
    for text in ["strict_n * 9223372036854775807 > 0", "strict_n - 9223372036854775807 - 9 < 0"] {
        let filter = expr::parse(text, &schema).expect("a filter");
        let error = ids(&fixture.store, &filter, "").expect_err("out of range");
        assert_eq!(error.kind(), plimsoll_store::ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("range"), "{error}");
    }
}
