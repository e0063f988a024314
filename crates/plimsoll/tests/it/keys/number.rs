//! Numbers against a model that lays every digit into its place of a long row of digits.

use std::cmp::{Ordering, Reverse};
use std::collections::HashSet;

use plimsoll::expr::testing::Random;
use plimsoll::record::key::{KeyKind, KeyTerm, Nulls, Packed, pack_number};

use super::{NULLS, fault, key, pick, random};

/// Places before and after the point: an exponent of three digits and forty digits on each side.
const PLACES: usize = 1_100;
type Places = Vec<u8>;

/// What a field is; the order of the forms is the order of the fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Model {
    MinusInfinity,
    Negative(Reverse<Places>),
    Zero,
    Positive(Places),
    Infinity,
    Nan,
    Text(Vec<u8>),
}

/// Reads a field whose digits all lie within [`PLACES`] of the point.
pub(super) fn model(field: &[u8]) -> Model {
    let other = || Model::Text(field.to_vec());
    let Ok(text) = std::str::from_utf8(field) else { return other() };
    let text = text.trim_matches([' ', '\t']).to_ascii_lowercase();
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    match unsigned {
        "nan" => return Model::Nan,
        "inf" | "infinity" if negative => return Model::MinusInfinity,
        "inf" | "infinity" => return Model::Infinity,
        _ => {}
    }
    let (digits, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    // An exponent's form is that of Rust's integers; its size is that of the generator.
    let Ok(exponent) = exponent.parse::<isize>() else { return other() };
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return other();
    }
    let mut places = vec![0; 2 * PLACES];
    for (position, digit) in all.bytes().enumerate() {
        let place = (PLACES + position) as isize - whole.len() as isize - exponent;
        if digit != b'0' {
            places[usize::try_from(place).unwrap()] = digit - b'0';
        }
    }
    match (places.iter().all(|digit| *digit == 0), negative) {
        (true, _) => Model::Zero,
        (false, true) => Model::Negative(Reverse(places)),
        (false, false) => Model::Positive(places),
    }
}

fn digits(random: &mut Random, length: usize) -> String {
    // Runs of one digit make numbers that differ late, zeros and nines those at the borders.
    let pool = pick(random, &["0", "9", "01", "0123456789", "0009", "5"]).as_bytes();
    (0..length).map(|_| char::from(pick(random, pool))).collect()
}

/// A number, or what looks like one, in any of the ways it can be written.
fn any(random: &mut Random) -> String {
    let sign = pick(random, &["", "", "", "-", "-", "+"]);
    if random.below(30) == 0 {
        let word = pick(random, &["inf", "INF", "Infinity", "nan", "NaN", "NAN"]);
        return format!("{sign}{word}");
    }
    let length = pick(random, &[0, 1, 2, 3, 5, 15, 16, 17, 18, 19, 20, 33, 40]);
    let whole = digits(random, length);
    let length = pick(random, &[0, 0, 1, 2, 4, 15, 16, 17, 40]);
    let fraction = digits(random, length);
    let point = if fraction.is_empty() && random.below(4) != 0 { "" } else { "." };
    let exponent = match random.below(12) {
        0..=6 => String::new(),
        7..=8 => format!("e{}", random.below(6)),
        9 => format!("E-{}", random.below(20)),
        10 => format!("e{}{}", pick(random, &["+", "-", ""]), 100 + random.below(60)),
        _ => format!("e{}{}", pick(random, &["+", "-", ""]), 290 + random.below(500)),
    };
    let around = |random: &mut Random| pick(random, &["", "", "", "", " ", "\t "]);
    let text = format!("{sign}{whole}{point}{fraction}{exponent}");
    let broken = match random.below(25) {
        0 => format!("{text}x"),
        1 => text.replacen('.', "..", 1),
        2 => text.replacen('e', "e ", 1),
        3 => format!("{text}e"),
        4 => format!("{sign}{text}"),
        _ => text,
    };
    format!("{}{broken}{}", around(random), around(random))
}

/// Numbers of few values, so that pairs are often equal or neighbours.
pub(super) fn near(random: &mut Random) -> String {
    let few = ["0", "-0", "1", "1.0", "+1", "10e-1", "-1", "1.00000000000000001", "nan", "x", ""];
    if random.below(2) == 0 { pick(random, &few).to_owned() } else { any(random) }
}

/// The same text with one thing changed.
fn changed(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i].is_ascii_digit()).collect();
    match random.below(3) {
        0 if !places.is_empty() => {
            bytes[pick(random, &places)] = pick(random, b"01589");
        }
        1 if text.contains('.') && !text.contains(['e', 'E']) => bytes.push(b'0'),
        2 if !text.contains(['e', 'E', '.']) => bytes.extend_from_slice(b".0"),
        _ => {}
    }
    String::from_utf8(bytes).unwrap()
}

fn number(descending: bool, nulls: Nulls) -> KeyTerm {
    KeyTerm { column: 0, kind: KeyKind::Number, descending, nulls }
}

/// The first pair of the stream on which `encode` fails.
fn first_fault(
    rounds: usize,
    encode: impl Fn(KeyTerm, Option<&[u8]>) -> Vec<u8>,
) -> Option<String> {
    let mut random = random();
    let mut outcomes = [0_usize; 3];
    for round in 0..rounds {
        let (descending, nulls) = (random.below(2) == 0, pick(&mut random, &NULLS));
        let term = number(descending, nulls);
        let a = near(&mut random);
        let b = if random.below(2) == 0 { near(&mut random) } else { changed(&a, &mut random) };
        let expected = model(a.as_bytes()).cmp(&model(b.as_bytes()));
        outcomes[(expected as i8 + 1) as usize] += 1;
        let expected = if descending { expected.reverse() } else { expected };
        let (left, right) = (encode(term, Some(a.as_bytes())), encode(term, Some(b.as_bytes())));
        if let Some(found) = fault(expected, &left, &right) {
            return Some(format!("round {round}: {term:?} {a:?} {b:?}: {found}"));
        }
        let null = encode(term, None);
        let side = if nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
        if let Some(found) = fault(side, &null, &left) {
            return Some(format!("round {round}: {term:?} NULL {a:?}: {found}"));
        }
    }
    assert!(outcomes.iter().all(|n| *n > rounds / 10), "less, equal, greater: {outcomes:?}");
    None
}

#[test]
fn numbers_of_any_shape_compare_exactly() {
    assert_eq!(first_fault(50_000, key), None);
}

/// Up to eight bytes, up to nineteen and more are read in three ways; the bytes beside the digits
/// in ASCII and with the high bit set are those a word-wide test could mistake.
#[test]
fn short_fields_of_any_bytes_are_numbers_or_text_as_the_model_says() {
    let mut random = random();
    let term = number(false, Nulls::First);
    let mut numbers = 0;
    let mut field = |random: &mut Random| -> Vec<u8> {
        let length = random.below(22);
        let mut field: Vec<u8> = (0..length).map(|_| pick(random, b"000123456789")).collect();
        for _ in 0..random.below(3) {
            let byte = pick(random, b"....-+/: \xb0\xb9\xae\x00\xff");
            if let Some(place) = field.len().checked_sub(1) {
                field[random.below(place + 1)] = byte;
            }
        }
        numbers += usize::from(!matches!(model(&field), Model::Text(_)));
        field
    };
    for round in 0..50_000 {
        let a = field(&mut random);
        let mut b = if random.below(2) == 0 { a.clone() } else { field(&mut random) };
        if !b.is_empty() && random.below(2) == 0 {
            let place = random.below(b.len());
            b[place] = pick(&mut random, b"0189.");
        }
        let found = fault(model(&a).cmp(&model(&b)), &key(term, Some(&a)), &key(term, Some(&b)));
        assert_eq!(found, None, "round {round}: {:?} {:?}", a.escape_ascii(), b.escape_ascii());
    }
    assert!((30_000..60_000).contains(&numbers), "{numbers} numbers");
}

#[test]
fn the_check_sees_a_key_that_rounds_and_one_that_cuts() {
    let rounds = |term: KeyTerm, field: Option<&[u8]>| {
        let text = field.and_then(|f| std::str::from_utf8(f).ok()).map(str::trim);
        match text.and_then(|t| t.parse::<f64>().ok()).filter(|f| f.is_finite()) {
            Some(float) => key(term, Some(format!("{float:e}").as_bytes())),
            None => key(term, field),
        }
    };
    assert!(first_fault(100_000, rounds).is_some());
    let cuts = |term: KeyTerm, field: Option<&[u8]>| key(term, field)[..8].to_vec();
    assert!(first_fault(100_000, cuts).is_some());
}

#[test]
fn words_are_the_beginnings_of_the_keys() {
    let mut random = random();
    let mut whole = 0;
    for round in 0..20_000 {
        let text = any(&mut random);
        let field = text.as_bytes();
        let packed = pack_number(field);
        for (term, packed) in [
            (number(false, Nulls::First), packed),
            (number(true, Nulls::First), packed.descending()),
        ] {
            let key = key(term, Some(field));
            assert_eq!(key[..8], packed.word.to_be_bytes(), "round {round}: {text:?}");
            assert_eq!(key.len() == 8, packed.whole, "round {round}: {text:?}");
        }
        whole += usize::from(packed.whole);
    }
    assert!((2_000..18_000).contains(&whole), "{whole} whole keys");
    for nulls in NULLS {
        let null = Packed::null(nulls);
        assert!(null.whole);
        assert_eq!(key(number(true, nulls), None), null.word.to_be_bytes());
    }
}

/// Every step up is a step up, and all spellings of a step are one.
#[test]
fn the_ladder_of_numbers_is_climbed_in_order() {
    let nines = "9".repeat(400);
    let steps: Vec<Vec<String>> = [
        vec!["-inf", "-INF", " -Infinity\t"],
        vec!["-1e9007199254740991"],
        vec!["-1e9007199254740990", "-10e9007199254740989"],
        vec!["-1e300"],
        vec!["-1e126", "-0.1e127"],
        vec!["-9.9e125"],
        vec!["-12345678901234567.1"],
        vec!["-12345678901234567"],
        vec!["-12345678901234566.9"],
        vec!["-1234567890123456"],
        vec!["-1"],
        vec!["-1e-124"],
        vec!["-9e-125"],
        vec!["-1e-9007199254740991"],
        vec!["0", "-0", "+0.0", "0e99999999999999999999999", ".0", "0.", "-.0e-7"],
        vec!["1e-9007199254740991", "0.1e-9007199254740990"],
        vec!["1e-400"],
        vec!["9e-125"],
        vec!["1e-124", "0.01e-122"],
        vec!["1.5", "1.50", "15e-1", "+1.5", "  1.5 ", "0.15E+1", "01.5", "150000000000000000e-17"],
        vec!["1234567890123456"],
        vec!["1234567890123456.1"],
        vec!["1234567890123456.10000000000000000000000000000001"],
        vec!["1234567890123456.2", "12345678901234562e-1"],
        vec!["1234567890123457"],
        vec!["9.999e125"],
        vec!["1e126"],
        vec!["1.0000000000000000000000001e126"],
        vec!["2e126"],
        vec!["1e127"],
        vec![nines.as_str()],
        vec!["1e400"],
        vec!["1e9007199254740991"],
        vec!["inf", "+inf", "INFINITY"],
        vec!["nan", "NaN", "NAN", "-nan"],
        vec![""],
        vec![" "],
        vec!["+"],
        vec!["."],
        vec!["0x10"],
        vec!["1 2"],
        vec!["1,5"],
        vec!["1e"],
        vec!["1e9007199254740992"],
        vec!["\u{a0}1"],
    ]
    .into_iter()
    .map(|step| step.into_iter().map(str::to_owned).collect())
    .collect();

    let term = number(false, Nulls::First);
    for step in &steps {
        let keys: HashSet<_> = step.iter().map(|text| key(term, Some(text.as_bytes()))).collect();
        assert_eq!(keys.len(), 1, "{step:?}");
    }
    for (position, low) in steps.iter().enumerate() {
        for high in &steps[position + 1..] {
            let keys = [low, high].map(|step| key(term, Some(step[0].as_bytes())));
            let found = fault(Ordering::Less, &keys[0], &keys[1]);
            assert_eq!(found, None, "{:?} {:?}", low[0], high[0]);
        }
    }
}

#[test]
fn usual_numbers_take_eight_bytes_and_longer_ones_half_a_byte_per_digit() {
    let term = number(false, Nulls::First);
    let length = |text: &str| key(term, Some(text.as_bytes())).len();
    for text in ["0", "-19.99", "1234567890123456", "1e125", "1e-124", "100000000000000000000"] {
        assert_eq!(length(text), 8, "{text}");
    }
    for (text, bytes) in [
        ("12345678901234567", 10),
        ("123456789012345678", 10),
        ("1234567890123456789", 11),
        ("1e126", 10),
        ("-1.25e-300", 11),
        ("x", 11),
    ] {
        assert_eq!(length(text), bytes, "{text}");
    }
    assert_eq!(length(&"7".repeat(100)), 9 + (100 - 16) / 2);
    assert_eq!(length(&"7".repeat(1_000_000)), 9 + 1_000_000 / 2);
}
