//! Values keep their kind and their order; damaged bytes are no record.

use std::hash::{BuildHasher as _, RandomState};

use super::{RowBytes, TypedRecord, is_sound};
use crate::format::RowEncoder as _;
use crate::record::{Money, Timestamp, Value, ValueRef, ValueRow, compare};

fn values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Int(1),
        Value::Float(1.0),
        Value::Float(-0.0),
        Value::Float(0.0),
        Value::Float(1.5),
        Value::Float(f64::NAN),
        Value::Int(9_007_199_254_740_993),
        Value::Float(9_007_199_254_740_992.0),
        Value::Money(Money::from_units(-25_500)),
        Value::Time(Timestamp::from_micros(1)),
        Value::Text("".into()),
        Value::Text("tea Ä".into()),
        Value::Bytes(Box::from(&b"\x00\xff"[..])),
    ]
}

#[test]
fn every_kind_of_value_comes_back_through_a_spill_as_it_was() {
    let values = values();
    let names: Vec<String> = (0..values.len()).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let record = TypedRecord::new(&names, &values).expect("a record");
    let spilled = postcard::to_stdvec(&record).expect("bytes");
    let back: TypedRecord = postcard::from_bytes(&spilled).expect("the record");
    for (at, value) in values.iter().enumerate() {
        let kept = back.field(at);
        assert!(compare(kept, value.borrow()).is_eq(), "{kept:?} for {value:?}");
        assert_eq!(std::mem::discriminant(&kept), std::mem::discriminant(&value.borrow()));
        assert_eq!(
            back.get(&format!("c{at}")).map(|v| format!("{v:?}")),
            Some(format!("{kept:?}"))
        );
    }
    for cut in 0..spilled.len() {
        assert!(postcard::from_bytes::<TypedRecord>(&spilled[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn the_order_and_the_hash_are_those_of_the_one_order() {
    let state = RandomState::new();
    let one = |value: &Value| TypedRecord::new(&["a"], std::slice::from_ref(value)).expect("one");
    for a in &values() {
        for b in &values() {
            let order = compare(a.borrow(), b.borrow());
            assert_eq!(one(a).cmp(&one(b)), order, "{a:?} and {b:?}");
            if order.is_eq() {
                assert_eq!(state.hash_one(one(a)), state.hash_one(one(b)), "{a:?} and {b:?}");
            }
        }
    }
    let two = TypedRecord::new(&["a", "b"], &[Value::Null, Value::Null]).expect("two");
    assert!(two > one(&Value::Null), "a longer one comes behind its beginning");
}

#[test]
fn bytes_that_are_no_row_are_refused() {
    let mut bytes = Vec::new();
    RowBytes.row(&ValueRow(&values()), &mut bytes).expect("written");
    let width = values().len();
    assert!(is_sound(&bytes, width));
    assert!(!is_sound(&bytes, width - 1) && !is_sound(&bytes, width + 1));
    let record = TypedRecord::new(&["a"], &[Value::Null]).expect("one");
    for wrong in [&b""[..], b"\x09", b"\x03\x01", b"\x00\x00", b"\x07\x01\x00\x00\x00\xff"] {
        let error = record.with_bytes(wrong).expect_err("no row");
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{wrong:?}");
    }
    assert!(record.with_values(&[]).is_err());
    assert_eq!(record.with_bytes(b"\x02").expect("true").field(0), ValueRef::Bool(true));
}
