//! Places and values of quantiles, by examples worked out by hand.

use super::*;

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

fn of(kind: ColumnType, q: f64, count: u64, lower: u64, upper: u64) -> Value {
    Rank::new(q).unwrap().place(count).value(kind, lower, upper)
}

#[test]
fn a_rank_is_the_decimal_that_was_written() {
    for (q, count, lower, parts) in [
        (0.0, 5, 0, 0),
        (1.0, 5, 4, 0),
        (0.5, 4, 1, PARTS / 2),
        // In binary 0.29 x 100 is 28.999999999999996, and 0.7 x 10 ends below 7.
        (0.29, 101, 29, 0),
        (0.7, 11, 7, 0),
        (0.9, 4, 2, PARTS / 10 * 7),
        (1e-300, u64::MAX, 0, 0),
        (0.5, u64::MAX, (u64::MAX - 1) / 2, 0),
    ] {
        assert_eq!(Rank::new(q).unwrap().place(count), Place { lower, parts }, "{q} of {count}");
    }
}

#[test]
fn a_rank_is_from_0_to_1() {
    for q in [-0.1, 1.000_000_1, f64::NAN, f64::INFINITY] {
        assert!(Rank::new(q).unwrap_err().to_string().contains("from 0 to 1"), "{q}");
    }
    let rank = Rank::new(0.29).unwrap();
    assert_eq!(Rank::from_parts(rank.parts()).unwrap(), rank);
    assert!(Rank::from_parts(PARTS + 1).is_err());
}

#[test]
fn the_mean_of_two_middle_amounts_is_exact_and_rounds_half_to_even_at_the_fourth_decimal() {
    for (lower, upper, expected) in [
        ("1.10", "1.25", "1.175"),
        ("0.10", "0.20", "0.15"),
        ("0.0001", "0.0002", "0.0002"),
        ("0.0002", "0.0003", "0.0002"),
        ("-0.0001", "-0.0002", "-0.0002"),
        ("-922337203685477.5807", "922337203685477.5807", "0"),
        ("922337203685477.5806", "922337203685477.5807", "922337203685477.5806"),
    ] {
        let (low, high) = (money(lower).to_key(), money(upper).to_key());
        let value = of(ColumnType::Money, 0.5, 2, low, high);
        assert_eq!(value, Value::Money(money(expected)), "{lower} {upper}");
    }
}

#[test]
fn ints_become_the_nearest_float_and_floats_beyond_the_range_stay_in_it() {
    let int = |q, a: i64, b: i64| of(ColumnType::Int, q, 2, a.to_key(), b.to_key());
    assert_eq!(int(0.5, 1, 2), Value::Float(1.5));
    assert_eq!(int(0.5, i64::MIN, i64::MAX), Value::Float(-0.5));
    assert_eq!(int(0.1, 0, 3), Value::Float(0.3));
    let float = |a: f64, b: f64| of(ColumnType::Float, 0.5, 2, a.to_key(), b.to_key());
    assert_eq!(float(-f64::MAX, f64::MAX), Value::Float(0.0));
    assert_eq!(float(f64::INFINITY, f64::INFINITY), Value::Float(f64::INFINITY));
    assert_eq!(float(f64::NEG_INFINITY, f64::INFINITY), Value::Null);
}
