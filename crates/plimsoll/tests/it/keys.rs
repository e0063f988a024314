//! Normalised keys, by promise: the order of numbers, of values, of tuples, and the text of a key.

mod number;
mod spec;
mod value;

use std::cmp::Ordering;

use plimsoll::expr::testing::Random;
use plimsoll::record::key::{KeyKind, KeyTerm, Nulls, encode_field};

const NULLS: [Nulls; 2] = [Nulls::First, Nulls::Last];

/// A stream of its own for each test; `TEST_SEED` replays one.
#[allow(clippy::print_stdout, reason = "shown where a test fails")]
fn random() -> Random {
    let given = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or(0x5eed);
    println!("TEST_SEED={seed}");
    Random::new(seed)
}

fn pick<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len())]
}

fn key(term: KeyTerm, field: Option<&[u8]>) -> Vec<u8> {
    let mut key = Vec::new();
    encode_field(term, field, &mut key);
    key
}

/// Says what is wrong with two keys whose rows compare as `expected`, descending turned in.
fn fault(expected: Ordering, a: &[u8], b: &[u8]) -> Option<&'static str> {
    if a.cmp(b) != expected {
        return Some("the order differs");
    }
    (a != b && (a.starts_with(b) || b.starts_with(a))).then_some("one is a prefix of the other")
}

/// What a descending term makes of the order of two fields, `None` being NULL.
fn directed<T>(
    a: Option<T>,
    b: Option<T>,
    (descending, nulls): (bool, Nulls),
    compare: impl Fn(T, T) -> Ordering,
) -> Ordering {
    let null = if nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => null,
        (Some(_), None) => null.reverse(),
        (Some(a), Some(b)) if descending => compare(a, b).reverse(),
        (Some(a), Some(b)) => compare(a, b),
    }
}

/// Few bytes, those around the escapes and the classes.
fn bytes(random: &mut Random) -> Vec<u8> {
    let length = random.below(6);
    (0..length).map(|_| pick(random, &[0x00, 0x01, 0x02, b'a', 0xfe, 0xff])).collect()
}

#[test]
fn the_check_sees_a_wrong_order_and_a_prefix() {
    assert_eq!(fault(Ordering::Less, b"b", b"a"), Some("the order differs"));
    assert_eq!(fault(Ordering::Equal, b"b", b"a"), Some("the order differs"));
    assert_eq!(fault(Ordering::Less, b"a", b"ab"), Some("one is a prefix of the other"));
    assert_eq!(fault(Ordering::Less, b"aa", b"ab"), None);
}

#[test]
fn texts_compare_by_bytes_in_both_directions_with_null_where_it_was_put() {
    let mut random = random();
    for round in 0..50_000 {
        let (descending, nulls) = (random.below(2) == 0, pick(&mut random, &NULLS));
        let term = KeyTerm { column: 0, kind: KeyKind::Text, descending, nulls };
        let mut field = || (random.below(8) != 0).then(|| bytes(&mut random));
        let (a, b) = (field(), field());
        let (a, b) = (a.as_deref(), b.as_deref());
        let expected = directed(a, b, (descending, nulls), Ord::cmp);
        let found = fault(expected, &key(term, a), &key(term, b));
        assert_eq!(found, None, "round {round}: {term:?} {a:x?} {b:x?}");
    }
}

#[test]
fn null_is_the_smallest_value_unless_it_is_said_otherwise() {
    assert_eq!(Nulls::smallest(false), Nulls::First);
    assert_eq!(Nulls::smallest(true), Nulls::Last);
}

#[test]
fn keys_of_several_terms_compare_like_tuples() {
    let mut random = random();
    let mut equal = 0;
    for round in 0..50_000 {
        let count = 1 + random.below(4);
        let terms: Vec<KeyTerm> = (0..count)
            .map(|column| KeyTerm {
                column,
                kind: pick(&mut random, &[KeyKind::Number, KeyKind::Text]),
                descending: random.below(2) == 0,
                nulls: pick(&mut random, &NULLS),
            })
            .collect();
        let mut row = || -> Vec<Option<Vec<u8>>> {
            let field = |term: &KeyTerm| match (random.below(5), term.kind) {
                (0, _) => None,
                (_, KeyKind::Text) => Some(bytes(&mut random)),
                (_, KeyKind::Number) => Some(number::near(&mut random).into_bytes()),
            };
            terms.iter().map(field).collect()
        };
        let (a, mut b) = (row(), row());
        // Most pairs share their first fields, so that the later ones decide.
        let shared = random.below(count + 1);
        b[..shared].clone_from_slice(&a[..shared]);
        let encode = |row: &[Option<Vec<u8>>]| {
            let mut key = Vec::new();
            for term in &terms {
                encode_field(*term, row[term.column].as_deref(), &mut key);
            }
            key
        };
        let expected = terms.iter().fold(Ordering::Equal, |so_far, term| {
            let (a, b) = (a[term.column].as_deref(), b[term.column].as_deref());
            let compare = |a: &[u8], b: &[u8]| match term.kind {
                KeyKind::Text => a.cmp(b),
                KeyKind::Number => number::model(a).cmp(&number::model(b)),
            };
            so_far.then_with(|| directed(a, b, (term.descending, term.nulls), compare))
        });
        equal += usize::from(expected.is_eq());
        let found = fault(expected, &encode(&a), &encode(&b));
        assert_eq!(found, None, "round {round}: {terms:?} {a:?} {b:?}");
    }
    assert!((2_000..48_000).contains(&equal), "{equal} equal pairs");
}
