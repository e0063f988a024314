//! What measures give, at the edges.

use plimsoll::ErrorKind;
use plimsoll::aggregate::UpdateError;
use plimsoll::group::Table;
use plimsoll::record::{Value, ValueRow};

use super::{layout, measured, money, row};

const ALL: &str = "count(*), count(qty), sum(qty), avg(qty), min(qty), max(qty), sum(price), \
                   avg(price), sum(weight), avg(weight), min(name), max(misc), min(flag)";

fn ints(values: &[i64]) -> Vec<Vec<Value>> {
    values.iter().map(|v| row(&[("qty", Value::Int(*v))])).collect()
}

fn floats(values: &[f64]) -> Vec<Vec<Value>> {
    values.iter().map(|v| row(&[("weight", Value::Float(*v))])).collect()
}

fn amounts(values: &[&str]) -> Vec<Vec<Value>> {
    values.iter().map(|v| row(&[("price", money(v))])).collect()
}

#[test]
fn no_rows_count_zero_and_all_else_is_null() {
    let mut expected = vec![Value::Int(0), Value::Int(0)];
    expected.resize(13, Value::Null);
    assert_eq!(measured(ALL, &[]).unwrap(), expected);
}

#[test]
fn nulls_are_rows_and_nothing_else() {
    let mut expected = vec![Value::Int(3), Value::Int(0)];
    expected.resize(13, Value::Null);
    assert_eq!(measured(ALL, &[row(&[]), row(&[]), row(&[])]).unwrap(), expected);
}

#[test]
fn a_sum_of_ints_is_exact_whatever_stands_in_between() {
    let rows = ints(&[i64::MAX, i64::MAX, 1, -i64::MAX]);
    let refused = measured("sum(qty) as s", &rows).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert_eq!(
        refused.to_string(),
        "measure 's': the result of a group is outside of an int's range, -2^63 to 2^63-1; take \
         smaller groups, or narrow the rows to smaller values"
    );
    let back = ints(&[i64::MAX, i64::MAX, 1, -i64::MAX, -2]);
    assert_eq!(measured("sum(qty)", &back).unwrap(), [Value::Int(i64::MAX - 1)]);
    // The mean of numbers whose sum fits nowhere is there all the same.
    assert_eq!(measured("avg(qty)", &rows).unwrap(), [Value::Float(2_305_843_009_213_693_952.0)]);
}

#[test]
fn money_stays_money() {
    let rows = amounts(&["-0.0001", "-2.55", "10"]);
    assert_eq!(
        measured("sum(price), avg(price), min(price), max(price)", &rows).unwrap(),
        [money("7.4499"), money("2.4833"), money("-2.55"), money("10")]
    );
    for (values, mean) in [
        (["0.0001", "0.0002"], "0.0002"),
        (["0.0002", "0.0003"], "0.0002"),
        (["-0.0001", "-0.0002"], "-0.0002"),
        (["-0.0002", "-0.0003"], "-0.0002"),
        (["922337203685477.5807", "922337203685477.5807"], "922337203685477.5807"),
    ] {
        assert_eq!(measured("avg(price)", &amounts(&values)).unwrap(), [money(mean)], "{values:?}");
    }
    let refused = measured("sum(price)", &amounts(&["922337203685477.5807", "0.0001"]));
    assert!(refused.unwrap_err().to_string().starts_with("measure 'sum(price)': the result"));
}

#[test]
fn a_product_is_exact_and_refuses_to_overflow() {
    let rows: Vec<_> = [(3, "2.55"), (-2, "0.0001")]
        .map(|(qty, price)| row(&[("qty", Value::Int(qty)), ("price", money(price))]))
        .into();
    let text = "sum(qty*price) as a, sum(price * qty + 0.01) as b, max(qty * qty) as c";
    assert_eq!(measured(text, &rows).unwrap(), [money("7.6498"), money("7.6698"), Value::Int(9)]);
    for text in ["sum(qty*qty) as squares", "min(qty * qty + 1) as squares"] {
        let layout = layout(text);
        let mut table = Table::new(1 << 16, &layout, 1).unwrap();
        let mut group = table.upsert(b"").unwrap();
        let large = row(&[("qty", Value::Int(i64::MAX))]);
        match layout.update(&mut group, &ValueRow(&large)) {
            Err(UpdateError::Failed(refused)) => assert_eq!(
                refused.to_string(),
                "measure 'squares': a number leaves the range of its type on a row; narrow the \
                 rows to smaller values or measure without the arithmetic"
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_sum_of_floats_loses_nothing_to_cancellation() {
    let sum = |values: &[f64]| measured("sum(weight), avg(weight)", &floats(values));
    assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]).unwrap(), [Value::Float(2.0), Value::Float(0.5)]);
    assert_eq!(sum(&[0.1; 10]).unwrap(), [Value::Float(1.0), Value::Float(0.1)]);
    assert_eq!(
        sum(&[1.0, f64::INFINITY]).unwrap(),
        [Value::Float(f64::INFINITY), Value::Float(f64::INFINITY)]
    );
    assert_eq!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).unwrap(), [Value::Null, Value::Null]);
    assert_eq!(sum(&[1.0, f64::NAN]).unwrap(), [Value::Null, Value::Null]);
    let refused = sum(&[1e308, 1e308]).unwrap_err().to_string();
    assert!(refused.contains("outside of a float's range, ±1.79"), "{refused}");
}

#[test]
fn extremes_follow_the_one_order_whatever_comes_first() {
    let rows: Vec<_> = [
        Value::Text("b".into()),
        Value::Float(2.0),
        Value::Bytes([0].as_slice().into()),
        Value::Int(2),
        Value::Null,
        Value::Text("a longer text".into()),
    ]
    .map(|value| row(&[("misc", value)]))
    .into();
    let turned: Vec<_> = rows.iter().rev().cloned().collect();
    for rows in [&rows[..], &turned] {
        assert_eq!(
            measured("min(misc), max(misc)", rows).unwrap(),
            [Value::Int(2), Value::Bytes([0].as_slice().into())]
        );
    }
    let zeros = [floats(&[-0.0, 0.0]), floats(&[0.0, -0.0])];
    for rows in &zeros {
        let values = measured("min(weight), max(weight)", rows).unwrap();
        let signs: Vec<_> =
            values.iter().map(|v| matches!(v, Value::Float(v) if v.is_sign_negative())).collect();
        assert_eq!(signs, [false, false]);
    }
    match measured("min(weight), max(weight)", &floats(&[1.0, f64::NAN])).unwrap()[..] {
        [Value::Float(low), Value::Float(high)] => assert!(low == 1.0 && high.is_nan()),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn texts_that_begin_alike_or_are_short_have_their_order_whichever_comes_first() {
    // Whether they differ within their first eight bytes, behind them, or by zeros at the end.
    let texts = ["", "\0", "a", "a\0", "b", "é", "abcdefg", "abcdefgh", "abcdefgh\0", "abcdefghi"]
        .map(|text| Value::Text(text.into()));
    let blobs = texts.iter().map(|text| match text {
        Value::Text(text) => Value::Bytes(text.as_bytes().into()),
        _ => unreachable!("texts alone"),
    });
    // All texts stand before all bytes, and behind numbers.
    let mixed = [Value::Int(7), money("-2")].into_iter().chain(texts.clone()).chain(blobs);
    for (column, values) in [("name", texts.to_vec()), ("misc", mixed.collect())] {
        for one in &values {
            for other in &values {
                let rows = [row(&[(column, one.clone())]), row(&[(column, other.clone())])];
                let found = measured(&format!("min({column}), max({column})"), &rows).unwrap();
                let falls = plimsoll::record::compare(one.borrow(), other.borrow()).is_gt();
                let (least, most) = if falls { (other, one) } else { (one, other) };
                assert_eq!(found, [least.clone(), most.clone()]);
            }
        }
    }
}

#[test]
fn a_field_of_another_type_than_its_column_is_refused() {
    for (text, column, value) in [
        ("sum(price)", "price", Value::Int(1)),
        ("avg(qty)", "qty", money("1")),
        ("sum(weight)", "weight", Value::Int(1)),
        ("min(name)", "name", Value::Bytes([1].as_slice().into())),
        ("max(ts)", "ts", Value::Int(1)),
    ] {
        let layout = layout(text);
        let mut table = Table::new(1 << 16, &layout, 1).unwrap();
        let mut group = table.upsert(b"").unwrap();
        match layout.update(&mut group, &ValueRow(&row(&[(column, value)]))) {
            Err(UpdateError::Failed(refused)) => {
                assert_eq!(refused.kind(), ErrorKind::Corrupt);
                let expected = format!("measure '{text}': a row holds something that is not ");
                assert!(refused.to_string().starts_with(&expected), "{refused}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}
