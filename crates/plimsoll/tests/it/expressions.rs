//! Expressions, by promise: what is accepted, how it reads, what it means, how it is refused.

mod grammar;
mod meaning;
mod random;
mod refused;

use plimsoll::expr::{self, CompareOp, Expr};
use plimsoll::limits::FILTER_BYTES_MAX;
use plimsoll::record::{Column, ColumnType, Schema, Value};

/// One column of each type and some awkward names.
fn schema() -> Schema {
    let columns = [
        ("id", ColumnType::Int),
        ("price", ColumnType::Money),
        ("name", ColumnType::Text),
        ("active", ColumnType::Bool),
        ("weight", ColumnType::Float),
        ("made", ColumnType::Time),
        ("blob", ColumnType::Bytes),
        ("misc", ColumnType::Any),
        ("Größe \"L\"", ColumnType::Int),
        ("or", ColumnType::Bool),
        ("quantity", ColumnType::Int),
    ];
    Schema {
        columns: columns.into_iter().map(|(name, kind)| Column::nullable(name, kind)).collect(),
    }
}

fn parse(text: &str) -> Expr {
    expr::parse(text, &schema()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn canonical(text: &str) -> String {
    parse(text).canonical(&schema()).to_string()
}

fn int(value: i64) -> Value {
    Value::Int(value)
}

#[test]
fn a_raw_comparison_is_the_filter_it_abbreviates() {
    for (column, word, raw, filter) in [
        ("name", "eq", "toys", "name = 'toys'"),
        ("name", "ne", "O'Neill", "name != 'O''Neill'"),
        ("price", "gte", "10", "price >= 10"),
        ("id", "lt", "-3", "id < -3"),
        ("weight", "lte", "2.5", "weight <= 2.5"),
        ("made", "gt", "2010-12-01", "made > '2010-12-01'"),
        ("active", "eq", "t", "active = true"),
        ("misc", "eq", "10", "misc = 10"),
        ("misc", "eq", "1.5", "misc = 1.5"),
        ("misc", "eq", "inf", "misc = 'inf'"),
    ] {
        let op = CompareOp::from_word(word).expect("a known word");
        let compared = expr::compare(&schema(), column, op, raw).unwrap();
        assert_eq!(compared, parse(filter), "{filter}");
        assert_eq!(canonical(filter), compared.canonical(&schema()).to_string());
    }
    assert_eq!(CompareOp::from_word("like"), None);
    let refused = |column, raw: &str| {
        let compared = expr::compare(&schema(), column, CompareOp::Equal, raw);
        compared.unwrap_err().to_string()
    };
    assert!(refused("nmae", "x").starts_with("filter: there is no column 'nmae'; the columns are"));
    assert_eq!(
        refused("id", "five"),
        "filter: column 'id': 'five' is not a whole number between -2^63 and 2^63-1"
    );
    assert!(refused("name", "a\0").contains("cannot hold the character NUL"));
    assert!(refused("name", &"x".repeat(FILTER_BYTES_MAX + 1)).contains("4097 bytes"));
}

#[test]
fn a_planner_finds_columns_conjuncts_and_comparisons() {
    let filter =
        parse("5 < id and (price = 1 or name = 'a') and id + quantity = 3 and id = weight");
    let conjuncts = filter.conjuncts();
    assert_eq!(conjuncts.len(), 4);
    let compare = conjuncts[0].as_column_compare().unwrap();
    assert_eq!((compare.column, compare.op), (0, CompareOp::Greater));
    assert_eq!(compare.literal, &int(5));
    assert!(conjuncts[1..].iter().all(|c| c.as_column_compare().is_none()));
    assert_eq!(filter.columns().collect::<Vec<_>>(), [0, 1, 2, 0, 10, 0, 4]);
    assert_eq!(parse("active").conjuncts(), [&parse("active")]);
    assert_eq!(
        parse("active and id = 1").and(parse("id = 2 and active")),
        parse("active and id = 1 and id = 2 and active")
    );
}

#[test]
fn the_kind_of_an_expression_is_that_of_its_values() {
    let schema = schema();
    let kinds = |filter: &str| match parse(filter) {
        Expr::Compare { left, .. } => left.kind(&schema),
        other => other.kind(&schema),
    };
    for (filter, expected) in [
        ("active and active", ColumnType::Bool),
        ("id * 2 = 1", ColumnType::Int),
        ("id * 2.5 = 1", ColumnType::Float),
        ("weight - id = 1", ColumnType::Float),
        ("price * id = 1", ColumnType::Money),
        ("2 * price = 1", ColumnType::Money),
        ("-price = 1", ColumnType::Money),
        ("abs(weight) = 1", ColumnType::Float),
        ("length(name) = 1", ColumnType::Int),
        ("upper(name) = 'A'", ColumnType::Text),
        ("coalesce(made, '2010-12-01') > '2010-12-01'", ColumnType::Time),
        ("coalesce(misc, 1) = 1", ColumnType::Any),
        ("starts_with(name, 'a') = true", ColumnType::Bool),
    ] {
        assert_eq!(kinds(filter), expected, "{filter}");
    }
}
