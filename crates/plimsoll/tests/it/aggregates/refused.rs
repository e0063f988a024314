//! How lists of measures read, and what is refused with which words.

use plimsoll::ErrorKind;
use plimsoll::aggregate::{self, Aggregate, Keeps, Layout};
use plimsoll::limits::MEASURES_MAX;
use plimsoll::record::ColumnType;

use super::{measures, schema};

fn refusal(text: &str) -> String {
    match aggregate::parse(text, &schema()) {
        Ok(accepted) => panic!("{text} was read as {accepted:?}"),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn a_measure_is_called_as_it_is_written_or_as_it_says() {
    let read = measures(
        "sum(qty*price) as revenue, COUNT( * ), max(ts) AS \"last seen\", count(distinct name), \
         min(coalesce(name, 'a, b')), median(qty), quantile(price, 0.9), quantile(ts, 1), \
         approx_count_distinct(name), approx_quantile(weight, 0.5), avg(price), avg(qty + 1), \
         count(flag and not flag), max(misc), count(\"flag\"), sum(weight * qty)",
    );
    let names: Vec<_> = read.iter().map(|m| (m.name(), m.kind())).collect();
    assert_eq!(
        names,
        [
            ("revenue", ColumnType::Money),
            ("COUNT( * )", ColumnType::Int),
            ("last seen", ColumnType::Time),
            ("count(distinct name)", ColumnType::Int),
            ("min(coalesce(name, 'a, b'))", ColumnType::Text),
            ("median(qty)", ColumnType::Float),
            ("quantile(price, 0.9)", ColumnType::Money),
            ("quantile(ts, 1)", ColumnType::Time),
            ("approx_count_distinct(name)", ColumnType::Int),
            ("approx_quantile(weight, 0.5)", ColumnType::Float),
            ("avg(price)", ColumnType::Money),
            ("avg(qty + 1)", ColumnType::Float),
            ("count(flag and not flag)", ColumnType::Int),
            ("max(misc)", ColumnType::Any),
            ("count(\"flag\")", ColumnType::Int),
            ("sum(weight * qty)", ColumnType::Float),
        ]
    );
    assert_eq!(read[0].text(), "sum(qty*price)");
    assert_eq!((read[1].argument(), read[1].aggregate()), (None, Aggregate::Count));
    assert_eq!(read[3].aggregate().keeps(), Keeps::Values);
    assert_eq!(read[5].aggregate(), Aggregate::Quantile(0.5));
    assert_eq!(read[7].aggregate(), Aggregate::Quantile(1.0));
    assert_eq!(read[9].aggregate().keeps(), Keeps::Sketch);
    assert_eq!(read[10].aggregate().keeps(), Keeps::State);
}

/// What is refused, the message up to its caret line, and what the caret stands under.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("", "character 1: the measure list ends here, expected a measure, as sum(a) or count(*)", ""),
    (
        "count(*),",
        "character 10: the measure list ends here, expected a measure, as sum(a) or count(*)",
        "",
    ),
    ("price", "character 6: the measure list ends here, expected '(' and what is measured", ""),
    (
        "count(*), total(price)",
        "character 11: there is no measure 'total'; the measures are approx_count_distinct(x), \
         approx_quantile(x, 0.9), avg(x), count(*), count(x), count(distinct x), max(x), \
         median(x), min(x), quantile(x, 0.9), sum(x)",
        "total",
    ),
    (
        "count(*), sum(prise * qty)",
        "character 15: there is no column 'prise'; the columns are qty, price, weight, ts, name, \
         blob, flag, misc",
        "prise",
    ),
    (
        "max(ts), sum(name)",
        "character 14: 'name' is text, and sum takes int, float or money",
        "name",
    ),
    ("avg(ts)", "character 5: 'ts' is time, and avg takes int, float or money", "ts"),
    ("sum(misc)", "character 5: 'misc' is any, and sum takes int, float or money", "misc"),
    (
        "sum(qty > 1)",
        "character 5: 'qty > 1' is bool, and sum takes int, float or money",
        "qty > 1",
    ),
    (
        "median(name)",
        "character 8: 'name' is text, and median takes int, float, money or time",
        "name",
    ),
    (
        "sum(price * weight)",
        "character 5: column 'price' is money, column 'weight' is float: money is exact and float \
         is not; multiply money with an int",
        "price * weight",
    ),
    ("sum(*)", "character 5: '*' stands in count alone; write sum(x)", "*"),
    (
        "sum(distinct qty)",
        "character 5: 'distinct' stands in count alone; write sum(x)",
        "distinct",
    ),
    (
        "count()",
        "character 1: count takes one argument, 0 given; write count(*), count(x), \
         count(distinct x)",
        "count()",
    ),
    (
        "count(*), sum(qty, price)",
        "character 11: sum takes one argument, 2 given; write sum(x)",
        "sum(qty, price)",
    ),
    (
        "quantile(qty)",
        "character 1: quantile takes two arguments, 1 given; write quantile(x, 0.9)",
        "quantile(qty)",
    ),
    (
        "quantile(qty, 90)",
        "character 15: the rank of a quantile is a number from 0 to 1, as 0.9",
        "90",
    ),
    (
        "approx_quantile(qty, weight)",
        "character 22: the rank of a quantile is a number from 0 to 1, as 0.9",
        "weight",
    ),
    (
        "quantile(qty, -0.1)",
        "character 15: the rank of a quantile is a number from 0 to 1, as 0.9",
        "-0.1",
    ),
    (
        "sum(qty), count(*), sum(qty)",
        "character 21: there is a measure called 'sum(qty)' already; put another name after as",
        "sum(qty)",
    ),
    (
        "sum(qty) as n, count(*) as \"n\"",
        "character 28: there is a measure called 'n' already; put another name after as",
        "\"n\"",
    ),
    (
        "sum(qty) as null",
        "character 13: 'null' stands here, expected a name; any text is one in \"double quotes\"",
        "null",
    ),
    (
        "sum(qty) as \"\"",
        "character 13: '\"\"' stands here, expected a name; any text is one in \"double quotes\"",
        "\"\"",
    ),
    ("sum(qty) total", "character 10: 'total' stands here, expected as, ',' or the end", "total"),
    ("sum(qty) as a b", "character 15: 'b' stands here, expected ',' or the end", "b"),
    ("sum(qty", "character 8: the measure list ends here, expected ',' or ')'", ""),
    ("count(* 1)", "character 9: '1' stands here, expected ')'", "1"),
    (
        "sum(sum(qty))",
        "character 5: there is no function 'sum'; the functions are abs(number), \
         coalesce(a, b), contains(text, part), ends_with(text, part), length(text), lower(text), \
         starts_with(text, part), upper(text)",
        "sum",
    ),
];

#[test]
fn a_refusal_names_what_is_allowed_and_shows_the_place_in_the_whole_list() {
    for (written, what, place) in REFUSALS {
        let message = refusal(written);
        let lines: Vec<_> = message.split('\n').collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert_eq!(lines[0], format!("measure list, {what}"), "{written}");
        let caret = lines[2].chars().position(|c| c == '^').expect("a caret");
        let shown: String = lines[1].chars().skip(caret).collect();
        assert!(shown.starts_with(place), "{written}: caret under {shown}");
        let carets = lines[2].chars().filter(|c| *c == '^').count();
        assert_eq!(carets, place.chars().count().max(1), "{message}");
    }
}

#[test]
fn the_caret_of_a_long_list_stands_in_its_surroundings() {
    assert_eq!(
        refusal(
            "count(*) as n, sum(qty * price) as revenue, max(tz) as last, min(ts) as first_one"
        ),
        "measure list, character 49: there is no column 'tz'; the columns are qty, price, weight, \
         ts, name, blob, flag, misc\n  \
         …(qty * price) as revenue, max(tz) as last, min(ts) as first_on…\n  \
         \u{20}                              ^^"
    );
}

#[test]
fn each_bound_admits_its_last_and_refuses_the_next() {
    let list = |n: usize| (0..n).map(|i| format!("count(*) as c{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(measures(&list(MEASURES_MAX)).len(), MEASURES_MAX);
    let refused = aggregate::parse(&list(MEASURES_MAX + 1), &schema()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    assert!(refused.to_string().contains("has more than 64 of them"), "{refused}");

    let named = |bytes: usize| format!("count(*) as {}", "n".repeat(bytes));
    assert_eq!(measures(&named(256))[0].name().len(), 256);
    assert!(refusal(&named(257)).contains("a name has at most 256 bytes, this has 257"));

    let parts = format!("sum(qty{}), sum(qty{})", "*qty".repeat(20), "+1".repeat(25));
    assert_eq!(measures(&parts).len(), 2);
    let many = vec!["max(qty + 1 + 1)"; 60].join(" as a,");
    let refused = aggregate::parse(&many, &schema()).unwrap_err();
    assert!(refused.to_string().contains("the measure list has more than 256 parts"), "{refused}");
    let long = format!("count(*){}", " ".repeat(5000));
    assert!(refusal(&long).starts_with("measure list: 5008 bytes long; at most 4096 are read"));
}

#[test]
fn a_layout_refuses_what_keeps_no_state() {
    let refused = |text| Layout::new(&measures(text)).unwrap_err().to_string();
    assert_eq!(
        refused("count(distinct name)"),
        "measure 'count(distinct name)': it needs every value of a group, and a state of fixed \
         size holds none; sort the rows by group and value instead"
    );
    assert!(refused("median(qty)").starts_with("measure 'median(qty)': it needs every value"));
}
