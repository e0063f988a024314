//! Aggregations over other people's tables, where a column's type says little.
//!
//! Promises: texts are told apart by their bytes, numbers are never read out of texts, and whole
//! numbers stay whole.
//! Never: a table made by this project.

use std::sync::Arc;

use plimsoll::expr;
use plimsoll::format::Ndjson;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll_store::{
    AggregateFunction, AggregateRequest, Aggregated, Aggregation, Error, ErrorKind, Measure, Store,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{lines, open};

const TABLES: &str = "
create table t (id integer primary key, name text collate nocase, x, f real);
insert into t (name, x, f) values
  ('a', 1, 0.1), ('A', 2, 0.2), ('a', 9007199254740993, 1e300),
  ('b', '7', 1e308), ('b', 2.5, 1e308),
  ('c', null, null), ('d', 9223372036854775807, -1e300), ('d', 1, 1e300), ('d', -1, 0.5);";

fn theirs() -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("theirs.db");
    Connection::open(&file).and_then(|c| c.execute_batch(TABLES)).expect("their tables");
    let store = open(&file, false, &|_| {});
    (directory, store)
}

fn make(
    store: &Store,
    by: &[&str],
    measures: &[(&str, &str)],
    filter: &str,
) -> Result<Aggregated, Error> {
    let table = Arc::clone(store.catalogue().table("t").expect("a table"));
    let group_by = by.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?;
    let measures = measures.iter().enumerate().map(|(place, (function, text))| {
        let argument = expr::parse_operand(text, &table.schema)?;
        Ok::<_, Error>(Measure {
            function: AggregateFunction::from_name(function).expect("a function"),
            argument: Some(argument),
            name: format!("m{place}").into(),
        })
    });
    let aggregation = Aggregation::new(&table, group_by, measures.collect::<Result<_, _>>()?)?;
    let names: Vec<_> = aggregation.schema().columns.iter().map(|c| c.name.clone()).collect();
    let request = AggregateRequest {
        filter: Some(Arc::new(expr::parse(filter, &table.schema)?)),
        aggregation,
        rows_max: None,
        encoder: Box::new(Ndjson::new(names)),
        out: Vec::with_capacity(FRAME_BYTES + FRAME_SLACK_BYTES),
        extra: None,
        digest: false,
        timeout_ms: 10_000,
    };
    store.aggregate(request).wait()
}

#[test]
fn texts_are_grouped_and_compared_by_their_bytes_whatever_the_collation() {
    let (_directory, store) = theirs();
    let made = make(&store, &["name"], &[("count", "id")], "true").expect("made");
    let expected = [("A", 1), ("a", 2), ("b", 2), ("c", 1), ("d", 3)]
        .map(|(name, count)| format!(r#"{{"name":"{name}","m0":{count}}}"#));
    assert_eq!(lines(&made.out), expected);
    let all = [("count_distinct", "name"), ("min", "name"), ("max", "name")];
    let made = make(&store, &[], &all, "id <= 3").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":2,"m1":"A","m2":"a"}"#]);
}

#[test]
fn whole_numbers_stay_whole_and_a_text_is_never_a_number() {
    let (_directory, store) = theirs();
    let sums = [("sum", "x"), ("avg", "x")];
    let made = make(&store, &["name"], &sums, "name in ('a', 'd') and id <> 7").expect("made");
    let expected = [
        r#"{"name":"A","m0":2,"m1":2.0}"#,
        r#"{"name":"a","m0":9007199254740994,"m1":4503599627370497.0}"#,
        r#"{"name":"d","m0":0,"m1":0.0}"#,
    ];
    assert_eq!(lines(&made.out), expected);
    // On the way it is beyond 64 bits, in the end it is not.
    let made = make(&store, &[], &[("sum", "x")], "name = 'd'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":9223372036854775807}"#]);
    let error = make(&store, &["name"], &sums, "true").expect_err("a text");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("'m0' (sum) meets a text"), "{error}");
    let error = make(&store, &[], &[("sum", "x")], "id in (7, 8)").expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("'m0' (sum)"), "{error}");
}

#[test]
fn quantiles_pass_over_null_and_refuse_a_text() {
    let (_directory, store) = theirs();
    let medians = [("median", "x"), ("median", "f"), ("count_distinct", "x")];
    let made = make(&store, &["name"], &medians, "name <> 'b'").expect("made");
    let expected = [
        r#"{"name":"A","m0":2.0,"m1":0.2,"m2":1}"#,
        r#"{"name":"a","m0":4503599627370497.0,"m1":5e+299,"m2":2}"#,
        r#"{"name":"c","m0":null,"m1":null,"m2":0}"#,
        r#"{"name":"d","m0":1.0,"m1":0.5,"m2":3}"#,
    ];
    assert_eq!(lines(&made.out), expected);
    let made = make(&store, &[], &medians[..2], "name = 'd' or name = 'A'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":1.5,"m1":0.35}"#]);
    let error = make(&store, &["name"], &medians, "true").expect_err("a text");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("'m0' (quantile) meets a text"), "{error}");
}

#[test]
fn floats_lose_nothing_to_their_order_and_infinity_is_an_error() {
    let (_directory, store) = theirs();
    // 1e300 + 0.5 - 1e300, in the order of the rows: added up plainly it would be 0.
    let made = make(&store, &[], &[("sum", "f")], "name = 'd'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":0.5}"#]);
    let error = make(&store, &[], &[("sum", "f")], "name = 'b'").expect_err("infinite");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let made = make(&store, &[], &[("sum", "f")], "name = 'c'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":null}"#]);
}

#[test]
fn a_measure_of_a_type_it_does_not_take_is_refused_before_anything_is_read() {
    let (_directory, store) = theirs();
    let error = make(&store, &[], &[("avg", "name")], "true").expect_err("a text");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("takes int, float and money"), "{error}");
    let error = make(&store, &["name", "name"], &[], "true").expect_err("twice");
    assert!(error.to_string().contains("'name'"), "{error}");
    let error = make(&store, &[], &[], "true").expect_err("nothing");
    assert!(error.to_string().contains("neither"), "{error}");
}
