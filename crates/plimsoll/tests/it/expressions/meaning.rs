//! What a filter means on a row.

use plimsoll::ErrorKind;
use plimsoll::expr::{self, ArithmeticOp, Evaluated, Function};
use plimsoll::record::{Value, ValueRef, ValueRow};

use super::{int, parse, schema};

/// A row of NULLs with `fields` put in by column name.
fn row(fields: &[(&str, Value)]) -> Vec<Value> {
    let schema = schema();
    let mut row = vec![Value::Null; schema.columns.len()];
    for (name, value) in fields {
        row[schema.position(name).expect("a column of the test schema")] = value.clone();
    }
    row
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn money(value: &str) -> Value {
    Value::Money(value.parse().expect("an amount"))
}

/// The filter's three-valued result on a row.
fn truth(filter: &str, fields: &[(&str, Value)]) -> Option<bool> {
    let (filter, row) = (parse(filter), row(fields));
    let row = ValueRow(&row);
    let value = expr::evaluate(&filter, &row).expect("in range");
    let value = match value.borrow() {
        ValueRef::Null => None,
        ValueRef::Bool(value) => Some(value),
        other => panic!("a filter gave {other:?}"),
    };
    assert_eq!(expr::matches(&filter, &row).expect("in range"), value == Some(true));
    value
}

#[test]
fn three_valued_logic_has_the_tables_of_sql() {
    let values = [("true", Some(true)), ("false", Some(false)), ("null", None)];
    for (a, left) in values {
        assert_eq!(truth(&format!("not {a}"), &[]), left.map(|v| !v));
        assert_eq!(truth(&format!("{a} is null"), &[]), Some(left.is_none()));
        for (b, right) in values {
            let and = match (left, right) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let or = match (left, right) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            assert_eq!(truth(&format!("{a} and {b}"), &[]), and, "{a} and {b}");
            assert_eq!(truth(&format!("{a} or {b}"), &[]), or, "{a} or {b}");
        }
    }
}

#[test]
fn null_makes_a_comparison_unknown() {
    for filter in [
        "id = 1",
        "id != 1",
        "id < 1",
        "not id = 1",
        "id = quantity",
        "id in (1, 2)",
        "id not in (1, 2)",
        "id between 1 and 2",
        "id not between 1 and 2",
        "id + 1 = 2",
        "contains(name, 'a')",
        "length(name) = 0",
        "active",
        "not active",
        "abs(id) = 1",
        "lower(name) = 'a'",
        "price * 2 = 2",
    ] {
        assert_eq!(truth(filter, &[]), None, "{filter}");
    }
    assert_eq!(truth("id is null", &[]), Some(true));
    assert_eq!(truth("id + 1 is not null", &[]), Some(false));
    assert_eq!(truth("(id = 1) is null", &[]), Some(true));
    assert_eq!(truth("coalesce(id, 5) = 5", &[]), Some(true));
    assert_eq!(truth("id in (1, 2) or id is null", &[]), Some(true));
}

#[test]
fn comparisons_mean_what_the_records_order_says() {
    let float = |value| ("weight", Value::Float(value));
    let big = 9_007_199_254_740_993; // 2^53 + 1, which no float is
    for (filter, fields, expected) in [
        ("id = 9007199254740993", vec![("id", int(big))], true),
        ("id = weight", vec![("id", int(big)), float(9_007_199_254_740_992.0)], false),
        ("weight < 9007199254740993", vec![float(9_007_199_254_740_992.0)], true),
        ("weight = 0", vec![float(-0.0)], true),
        ("weight > 1e308", vec![float(f64::INFINITY)], true),
        ("id > 2.5", vec![("id", int(3))], true),
        ("id = 2.5", vec![("id", int(2))], false),
        ("price = 0.1", vec![("price", money("0.1"))], true),
        ("price + 0.2 = 0.3", vec![("price", money("0.1"))], true),
        ("weight + 0.2 = 0.3", vec![float(0.1)], false),
        ("price * 3 = 0.3", vec![("price", money("0.1"))], true),
        ("name < 'a'", vec![("name", text("B"))], true),
        ("name > 'z'", vec![("name", text("é"))], true),
        ("active > false", vec![("active", Value::Bool(true))], true),
        ("made < '1970-01-01'", vec![("made", Value::Time("1969-12-31".parse().unwrap()))], true),
        ("blob < x'01'", vec![("blob", Value::Bytes([0u8, 9].as_slice().into()))], true),
        ("misc < 'a'", vec![("misc", int(i64::MAX))], true),
        ("misc < x''", vec![("misc", text("\u{10ffff}"))], true),
        ("misc = 1.0", vec![("misc", int(1))], true),
        ("misc = 'id'", vec![("misc", int(1))], false),
        ("misc in (1, 'a', x'00')", vec![("misc", text("a"))], true),
        ("misc in (1, 'a', x'00')", vec![("misc", text("b"))], false),
        ("id in (5, 3, 1)", vec![("id", int(3))], true),
        ("id not in (5, 3, 1)", vec![("id", int(2))], true),
        ("-id = 5", vec![("id", int(-5))], true),
        ("-(id + 1) * 2 = 8", vec![("id", int(-5))], true),
    ] {
        assert_eq!(truth(filter, &fields), Some(expected), "{filter}");
    }
}

#[test]
fn functions_agree_with_what_is_written_about_them() {
    for (filter, value, expected) in [
        ("length(name) = 3", "thé", true),
        ("length(name) = 5", "ab\0cd", true),
        ("length(name) = 0", "", true),
        ("contains(name, '')", "", true),
        ("contains(name, 'b')", "abc", true),
        ("contains(name, 'B')", "abc", false),
        ("contains(name, 'c')", "a\0c", true),
        ("contains(name, '%')", "abc", false),
        ("contains(lower(name), 'tea')", "TEApot", true),
        ("starts_with(name, 'ab')", "abc", true),
        ("starts_with(name, 'abcd')", "abc", false),
        ("ends_with(name, 'bc')", "abc", true),
        ("ends_with(name, '')", "abc", true),
        ("upper(name) = 'AéB'", "aéb", true),
        ("lower(upper(name)) = 'aéb'", "AéB", true),
        ("lower(name) = 'É'", "É", true),
        ("coalesce(lower(name), 'x') = 'a'", "A", true),
    ] {
        assert_eq!(truth(filter, &[("name", text(value))]), Some(expected), "{filter}");
    }
}

#[test]
fn what_leaves_its_range_is_an_error_and_not_another_number() {
    let float = |value| ("weight", Value::Float(value));
    for (filter, fields) in [
        ("id + 1 = 0", vec![("id", int(i64::MAX))]),
        ("id - 1 = 0", vec![("id", int(i64::MIN))]),
        ("id * 2 = 0", vec![("id", int(i64::MAX))]),
        ("-id = 0", vec![("id", int(i64::MIN))]),
        ("abs(id) = 0", vec![("id", int(i64::MIN))]),
        ("price + 0.0001 > 0", vec![("price", money("922337203685477.5807"))]),
        ("price * 2 > 0", vec![("price", money("922337203685477.5807"))]),
        ("abs(price) > 0", vec![("price", money("-922337203685477.5808"))]),
        ("weight + 1e308 > 0", vec![float(1e308)]),
        ("weight * 1e-300 = 0", vec![float(1e-300)]),
    ] {
        let row = row(&fields);
        let refused = expr::matches(&parse(filter), &ValueRow(&row)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{filter}");
        assert!(refused.to_string().contains("out of range"), "{refused}");
    }
    // Not a number is NULL, an infinity that came in stays one.
    let infinite = [float(f64::INFINITY)];
    assert_eq!(truth("weight - weight is null", &infinite), Some(true));
    assert_eq!(truth("weight + 1 = weight", &infinite), Some(true));
    // The side that decides is looked at first here.
    let largest = [("id", int(i64::MAX))];
    assert_eq!(truth("id = 0 and id + 1 = 0", &largest), Some(false));
    assert_eq!(truth("id != 0 or id + 1 = 0", &largest), Some(true));
}

#[test]
fn a_field_that_contradicts_its_column_is_corrupt() {
    for (filter, column) in [
        ("active", "active"),
        ("id + 1 = 2", "id"),
        ("contains(name, 'a')", "name"),
        ("abs(id) = 2", "id"),
    ] {
        let row = row(&[(column, Value::Bytes([1u8].as_slice().into()))]);
        let refused = expr::matches(&parse(filter), &ValueRow(&row)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{filter}: {refused}");
    }
}

#[test]
fn a_store_can_register_the_very_same_functions() {
    let sum = expr::arithmetic(ArithmeticOp::Multiply, ValueRef::Int(i64::MAX), ValueRef::Int(2));
    assert_eq!(sum.unwrap_err().kind(), ErrorKind::Invalid);
    let borrowed = |text| Evaluated::Borrowed(ValueRef::Text(text));
    let lower = expr::call(Function::Lower, borrowed("A\0B"), Evaluated::NULL).unwrap();
    assert_eq!(lower.borrow(), ValueRef::Text("a\0b"));
    let null = expr::call(Function::Contains, borrowed("a"), Evaluated::NULL).unwrap();
    assert_eq!(null, Evaluated::NULL);
}
