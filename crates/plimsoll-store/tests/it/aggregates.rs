//! Aggregations over other people's tables, where a column's type says little.
//!
//! Promises: texts are told apart by their bytes, numbers are never read out of texts, and whole
//! numbers stay whole.
//! Never: a measure of a column whose collation or type would have chosen this project.

use std::sync::Arc;

use plimsoll::aggregate::Rank;
use plimsoll::expr;
use plimsoll::expr::testing::Random;
use plimsoll::format::Ndjson;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll::quantile::OrderKey;
use plimsoll::record::{ColumnType, Money, Value};
use plimsoll_store::{
    AggregateFunction, AggregateRequest, Aggregated, Aggregation, Error, ErrorKind, Measure,
};

use crate::fixture::{Fixture, either, lines, on_postgres};

/// `x` has what a column without a type may have; `n` what of it is a whole number.
const ROWS: &str = "
insert into t (name, n, f, x) values
  ('a', 1, 0.1, 1), ('A', 2, 0.2, 2), ('a', 9007199254740993, 1e300, 9007199254740993),
  ('b', null, 1e308, '7'), ('b', null, 1e308, 2.5),
  ('c', null, null, null), ('d', 9223372036854775807, -1e300, 9223372036854775807),
  ('d', 1, 1e300, 1), ('d', -1, 0.5, -1);";

/// A table whose texts are one to it where only their case differs.
fn theirs() -> Fixture {
    let blind = "create collation nocase
                 (provider = icu, locale = 'und-u-ks-level2', deterministic = false);";
    let fixture = Fixture::new(&format!(
        "{} create table t (id integer primary key, name text collate nocase, n integer, f real,
                            x ANY) strict;",
        either("", blind)
    ));
    let rows = if on_postgres() { ROWS.replace(", 2.5)", ", '2.5')") } else { ROWS.to_owned() };
    fixture.execute(&rows);
    fixture
}

fn make(
    fixture: &Fixture,
    by: &[&str],
    measures: &[(&str, &str)],
    filter: &str,
) -> Result<Aggregated, Error> {
    let table = fixture.table("t");
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
        horizon: None,
    };
    fixture.store.aggregate(request).wait()
}

#[test]
fn texts_are_grouped_and_compared_by_their_bytes_whatever_the_collation() {
    let fixture = theirs();
    let made = make(&fixture, &["name"], &[("count", "id")], "true").expect("made");
    let expected = [("A", 1), ("a", 2), ("b", 2), ("c", 1), ("d", 3)]
        .map(|(name, count)| format!(r#"{{"name":"{name}","m0":{count}}}"#));
    assert_eq!(lines(&made.out), expected);
    let all = [("count_distinct", "name"), ("min", "name"), ("max", "name")];
    let made = make(&fixture, &[], &all, "id <= 3").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":2,"m1":"A","m2":"a"}"#]);
}

#[test]
fn whole_numbers_stay_whole() {
    let fixture = theirs();
    let sums = [("sum", "n"), ("avg", "n")];
    let made = make(&fixture, &["name"], &sums, "id <= 3 or id > 7").expect("made");
    let expected = [
        r#"{"name":"A","m0":2,"m1":2.0}"#,
        r#"{"name":"a","m0":9007199254740994,"m1":4503599627370497.0}"#,
        r#"{"name":"d","m0":0,"m1":0.0}"#,
    ];
    assert_eq!(lines(&made.out), expected);
    // On the way it is beyond 64 bits, in the end it is not.
    let made = make(&fixture, &[], &[("sum", "n")], "name = 'd'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":9223372036854775807}"#]);
    let error = make(&fixture, &[], &[("sum", "n")], "id in (7, 8)").expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("'m0' (sum)"), "{error}");
}

#[test]
fn a_text_in_a_column_without_a_type_is_never_a_number() {
    let fixture = theirs();
    let sums = [("sum", "x"), ("avg", "x"), ("median", "x")];
    let made = make(&fixture, &[], &sums, "id <= 3").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":9007199254740996,"m1":3002399751580332.0,"m2":2.0}"#]);
    for (function, named) in [("sum", "(sum)"), ("avg", "(avg)"), ("median", "(quantile)")] {
        let error = make(&fixture, &["name"], &[(function, "x")], "true").expect_err("a text");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(&format!("'m0' {named} meets a text")), "{error}");
    }
}

#[test]
fn quantiles_pass_over_null() {
    let fixture = theirs();
    let medians = [("median", "n"), ("median", "f"), ("count_distinct", "n")];
    let made = make(&fixture, &["name"], &medians, "name <> 'b'").expect("made");
    let expected = [
        r#"{"name":"A","m0":2.0,"m1":0.2,"m2":1}"#,
        r#"{"name":"a","m0":4503599627370497.0,"m1":5e+299,"m2":2}"#,
        r#"{"name":"c","m0":null,"m1":null,"m2":0}"#,
        r#"{"name":"d","m0":1.0,"m1":0.5,"m2":3}"#,
    ];
    assert_eq!(lines(&made.out), expected);
    let made = make(&fixture, &[], &medians[..2], "id = 2 or id > 6").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":1.5,"m1":0.35}"#]);
}

#[test]
fn floats_lose_nothing_to_their_order() {
    let fixture = theirs();
    // 1e300 + 0.5 - 1e300, in the order of the rows: added up plainly it would be 0.
    let made = make(&fixture, &[], &[("sum", "f")], "name = 'd'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":0.5}"#]);
}

#[test]
fn a_sum_of_floats_beyond_their_range_is_an_error() {
    let fixture = theirs();
    let error = make(&fixture, &[], &[("sum", "f")], "name = 'b'").expect_err("infinite");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let made = make(&fixture, &[], &[("sum", "f")], "name = 'c'").expect("made");
    assert_eq!(lines(&made.out), [r#"{"m0":null}"#]);
}

#[test]
fn a_measure_of_a_type_it_does_not_take_is_refused_before_anything_is_read() {
    let fixture = theirs();
    let error = make(&fixture, &[], &[("avg", "name")], "true").expect_err("a text");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("takes int, float and money"), "{error}");
    let error = make(&fixture, &["name", "name"], &[], "true").expect_err("twice");
    assert!(error.to_string().contains("'name'"), "{error}");
    let error = make(&fixture, &[], &[], "true").expect_err("nothing");
    assert!(error.to_string().contains("neither"), "{error}");
}

#[test]
fn a_quantile_is_the_ranks_own_value_of_every_type() {
    let seed = 20_260_728;
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let ddl = "create table t (id integer primary key, i integer, m MONEY, f real) strict;";
    let fixture = Fixture::new(ddl);
    let edges = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX];
    let floats = [f64::MIN, -1e308, -0.1, 0.0, 0.3, 7.0, 1e308, f64::MAX];
    for round in 0..60 {
        fixture.execute("delete from t");
        let count = 1 + random.below(12);
        let (mut whole, mut real) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let some = i64::try_from(random.below(1_000)).expect("small") * 7_919 - 4_000_000;
            whole.push(if random.below(3) == 0 { edges[random.below(edges.len())] } else { some });
            real.push(floats[random.below(floats.len())]);
        }
        let rows = whole.iter().zip(&real).flat_map(|(&i, &f)| {
            [Value::Int(i), Value::Money(Money::from_units(i)), Value::Float(f)]
        });
        let writes = vec![fixture.insert("t", &["i", "m", "f"], rows.collect())];
        fixture.write(writes).expect("rows");
        whole.sort_unstable();
        real.sort_unstable_by(f64::total_cmp);
        let q = [0.0, 0.25, 1.0 / 3.0, 0.5, 0.9, 1.0][random.below(6)];
        let rank = Rank::new(q).expect("a rank");
        let place = rank.place(count as u64);
        let at = usize::try_from(place.lower()).expect("small");
        let next = (at + 1).min(count - 1);
        for (column, kind) in
            [("i", ColumnType::Int), ("m", ColumnType::Money), ("f", ColumnType::Float)]
        {
            let (lower, upper) = match kind {
                ColumnType::Float => (real[at].to_key(), real[next].to_key()),
                _ => (whole[at].to_key(), whole[next].to_key()),
            };
            let made = quantile(&fixture, column, rank);
            let expected = place.value(kind, lower, upper);
            assert_eq!(made, expected, "round {round}, {q} of {column}: {whole:?} {real:?}");
        }
    }
}

/// One quantile of all rows.
fn quantile(fixture: &Fixture, column: &str, rank: Rank) -> Value {
    let table = fixture.table("t");
    let argument = Some(expr::parse_operand(column, &table.schema).expect("a column"));
    let function = AggregateFunction::Quantile(rank);
    let measures = vec![Measure { function, argument, name: "m".into() }];
    let aggregation = Aggregation::new(&table, Vec::new(), measures).expect("one measure");
    let made = fixture.store.aggregate(AggregateRequest {
        filter: None,
        aggregation,
        rows_max: None,
        encoder: Box::new(Ndjson::new(["m"])),
        out: Vec::with_capacity(FRAME_BYTES + FRAME_SLACK_BYTES),
        extra: None,
        digest: false,
        timeout_ms: 10_000,
        horizon: None,
    });
    let made = made.wait().expect("made");
    let line = String::from_utf8(made.out).expect("UTF-8");
    let number = line.trim_end().trim_start_matches("{\"m\":").trim_end_matches('}');
    match column {
        "m" => Value::Money(number.parse().expect("an amount")),
        _ => Value::Float(number.parse().expect("a float")),
    }
}
