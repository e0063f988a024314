//! Keys of typed values against the one total order.

use std::cmp::Ordering;

use plimsoll::expr::testing::Random;
use plimsoll::record::key::{Nulls, encode_value};
use plimsoll::record::{Money, Timestamp, Value, ValueRef, compare};

use super::{NULLS, bytes, directed, fault, pick, random};

fn encoded(value: ValueRef<'_>, descending: bool, nulls: Nulls) -> Vec<u8> {
    let mut key = Vec::new();
    encode_value(value, descending, nulls, &mut key);
    key
}

/// Every kind of value, at the places where something changes.
fn special() -> Vec<Value> {
    let mut values = vec![Value::Null, Value::Bool(false), Value::Bool(true)];
    let two_53 = 1_i64 << 53;
    let borders = [0, 1, 2, 512, 1_023, 1_024, 1_025, two_53, two_53 * 2, 1 << 62, i64::MAX];
    for border in borders {
        for near in -2..=2 {
            let int = border.saturating_add(near);
            for int in [int, int.checked_neg().unwrap(), -1 - int] {
                values.push(Value::Int(int));
                values.push(Value::Float(int as f64));
                values.push(Value::Float((int as f64).next_up()));
                values.push(Value::Float((int as f64).next_down()));
                values.push(Value::Money(Money::from_units(int)));
                values.push(Value::Time(Timestamp::from_micros(int)));
            }
        }
    }
    let floats = [0.0, 0.5, 1e-300, 5e-324, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN];
    values.extend(floats.iter().flat_map(|f| [Value::Float(*f), Value::Float(-*f)]));
    values.extend(
        ["", "\0", "\0\0", "\0\u{1}", "a", "a\0", "ab", "é", "日本"].map(|t| Value::Text(t.into())),
    );
    let blobs: [&[u8]; 7] = [b"", b"\0", b"\0\xff", b"\0\0", b"\x01", b"\xff", b"\xff\0"];
    values.extend(blobs.map(|b| Value::Bytes(b.into())));
    values
}

fn any(random: &mut Random) -> Value {
    let bits = random.bits() >> random.below(64);
    let int = bits.cast_signed() * pick(random, &[1, -1]);
    match random.below(9) {
        0 => Value::Null,
        1 => Value::Bool(bits.is_multiple_of(2)),
        2 => Value::Int(int),
        3 => Value::Float(int as f64),
        4 => Value::Float(f64::from_bits(random.bits())),
        5 => Value::Money(Money::from_units(int)),
        6 => Value::Time(Timestamp::from_micros(int)),
        7 => Value::Text(String::from_utf8_lossy(&bytes(random)).into()),
        _ => Value::Bytes(bytes(random).into()),
    }
}

fn check(a: ValueRef<'_>, b: ValueRef<'_>) {
    for (descending, nulls) in
        [(false, NULLS[0]), (false, NULLS[1]), (true, NULLS[0]), (true, NULLS[1])]
    {
        let present = |value: ValueRef<'_>| !value.is_null();
        let expected = directed(
            Some(a).filter(|v| present(*v)),
            Some(b).filter(|v| present(*v)),
            (descending, nulls),
            compare,
        );
        let (left, right) = (encoded(a, descending, nulls), encoded(b, descending, nulls));
        let found = fault(expected, &left, &right);
        assert_eq!(found, None, "{a:?} {b:?} descending {descending} {nulls:?}");
    }
}

#[test]
fn every_pair_of_special_values_compares_as_the_total_order_says() {
    let values = special();
    assert!(values.len() > 400, "{}", values.len());
    for a in &values {
        for b in &values {
            check(a.borrow(), b.borrow());
        }
    }
}

#[test]
fn random_pairs_compare_as_the_total_order_says() {
    let (mut random, special) = (random(), special());
    for _ in 0..50_000 {
        let a = any(&mut random);
        let b = match random.below(3) {
            0 => special[random.below(special.len())].clone(),
            1 => neighbour(&a),
            _ => any(&mut random),
        };
        check(a.borrow(), b.borrow());
    }
}

/// The same number as a float, or the next one, or the value itself.
#[allow(clippy::cast_possible_truncation, reason = "near is enough")]
fn neighbour(value: &Value) -> Value {
    match value {
        Value::Int(int) if int % 2 == 0 => Value::Float(*int as f64),
        Value::Int(int) => Value::Int(int.saturating_add(1)),
        Value::Float(float) => Value::Int(*float as i64),
        other => other.clone(),
    }
}

#[test]
fn with_null_as_the_smallest_value_descending_is_the_total_order_turned() {
    let values = special();
    for a in &values {
        for b in &values {
            for descending in [false, true] {
                let nulls = Nulls::smallest(descending);
                let key = |v: &Value| encoded(v.borrow(), descending, nulls);
                let found = key(a).cmp(&key(b));
                let found = if descending { found.reverse() } else { found };
                assert_eq!(found, compare(a.borrow(), b.borrow()), "{a:?} {b:?}");
            }
        }
    }
}

/// The special values are sharp enough to refuse a key that rounds integers to floats.
#[test]
fn the_special_values_show_a_key_that_rounds() {
    let rounded = |value: &Value| match value {
        Value::Int(int) => Value::Float(*int as f64),
        other => other.clone(),
    };
    let values = special();
    let differs = |a: &Value, b: &Value| {
        compare(rounded(a).borrow(), rounded(b).borrow()) != compare(a.borrow(), b.borrow())
    };
    assert!(values.iter().any(|a| values.iter().any(|b| differs(a, b))));
    assert_eq!(compare(ValueRef::Float(-0.0), ValueRef::Int(0)), Ordering::Equal);
}

#[test]
fn keys_of_numbers_have_the_length_that_is_told() {
    let length = |value| encoded(value, false, Nulls::First).len();
    assert_eq!(length(ValueRef::Int((1 << 53) - 1)), 9);
    assert_eq!(length(ValueRef::Int(1 << 53)), 11);
    assert_eq!(length(ValueRef::Float(1e300)), 9);
    assert_eq!(length(ValueRef::Money(Money::from_units(-1))), 9);
    assert_eq!(length(ValueRef::Text("a\0b")), 7);
    assert_eq!(length(ValueRef::Null), 1);
}
