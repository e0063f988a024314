//! The text of a key's columns: what is read, what is refused, and how names find columns.

use plimsoll::ErrorKind;
use plimsoll::limits::{NAME_BYTES_MAX, SORT_TERMS_MAX};
use plimsoll::record::ColumnType;
use plimsoll::record::key::{ByTerm, KeyKind, KeyTerm, Nulls, parse_by, resolve};

use super::{pick, random};

fn term(column: &str) -> ByTerm {
    ByTerm { column: column.into(), descending: false, kind: None, nulls: None }
}

fn refused(spec: &str) -> String {
    parse_by(spec).expect_err(spec).to_string()
}

#[test]
fn terms_are_read_with_their_options_in_any_order() {
    let full = ByTerm {
        column: "price".into(),
        descending: true,
        kind: Some(KeyKind::Number),
        nulls: Some(Nulls::First),
    };
    for (spec, expected) in [
        ("id", vec![term("id")]),
        ("id,price", vec![term("id"), term("price")]),
        (" id , price ", vec![term("id"), term("price")]),
        ("price:desc:num:nulls-first", vec![full.clone()]),
        ("-price:nulls-first:num", vec![full.clone()]),
        (" - price : NUM : Nulls-First ", vec![full.clone()]),
        ("\"price\":num:nulls-first:desc,id:asc", vec![full, term("id")]),
        ("\"a,b:c\"", vec![term("a,b:c")]),
        ("\"5\"\" disk\" ,\"-x\"", vec![term("5\" disk"), term("-x")]),
        ("\" a \"", vec![term(" a ")]),
        ("unit price-net", vec![term("unit price-net")]),
        ("Größe:text", vec![ByTerm { kind: Some(KeyKind::Text), ..term("Größe") }]),
        ("a:nulls-last", vec![ByTerm { nulls: Some(Nulls::Last), ..term("a") }]),
    ] {
        assert_eq!(parse_by(spec).unwrap_or_else(|e| panic!("{spec}: {e}")), expected, "{spec}");
    }
}

#[test]
fn a_refusal_shows_the_place_and_what_is_allowed() {
    for (spec, character, says) in [
        ("", 1, "no column is named; write column[:option].., with commas"),
        ("  ", 1, "no column is named"),
        ("id,", 4, "a column's name is missing"),
        ("id,,x", 4, "a column's name is missing"),
        (":desc", 1, "a column's name is missing"),
        ("-", 2, "a column's name is missing"),
        ("\"\"", 1, "a column's name is missing"),
        ("id:", 4, "an option is missing; the options are asc, desc, num, text, nulls-first"),
        ("id: down", 5, "there is no option 'down'; the options are asc, desc, num, text"),
        ("id:asc:desc", 8, "the direction is said twice; write one of -name, asc and desc"),
        ("-id:asc", 5, "the direction is said twice"),
        ("id:num:num", 8, "how to compare is said twice; write one of num and text"),
        ("id:nulls-last:nulls-first", 15, "where NULL stands is said twice"),
        ("id,price,-id:num", 11, "column 'id' is named twice"),
        ("id,\"price", 4, "this quote has no end"),
        ("\"a\"b", 4, "after a name in quotes comes ':'"),
        ("a \"b\"", 3, "a name with a quote is put into quotes as a whole"),
    ] {
        let message = refused(spec);
        let beginning = format!("key columns, character {character}: {says}");
        assert!(message.starts_with(&beginning), "{spec}: {message}");
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert_eq!(lines[1], format!("  {spec}"));
        let caret = lines[2].find('^').unwrap();
        assert_eq!(caret, 1 + character, "{message}");
    }
}

#[test]
fn the_place_in_a_long_text_is_cut_out_and_made_harmless() {
    let spec = format!("{}\u{1b}[31m\n:{}", "ä".repeat(100), "x".repeat(100));
    assert_eq!(
        refused(&spec),
        format!(
            "key columns, character 108: there is no option '{}…'; the options are \
             asc, desc, num, text, nulls-first and nulls-last\n  …{}\u{fffd}[31m :{}…\n  {}{}",
            "x".repeat(60),
            "ä".repeat(23),
            "x".repeat(70),
            " ".repeat(31),
            "^".repeat(40)
        )
    );
}

#[test]
fn terms_and_names_are_bounded() {
    let names: Vec<String> = (0..=SORT_TERMS_MAX).map(|i| format!("c{i}")).collect();
    assert_eq!(parse_by(&names[1..].join(",")).unwrap().len(), SORT_TERMS_MAX);
    let error = parse_by(&names.join(",")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("more than 8 columns"), "{error}");

    let name = "x".repeat(NAME_BYTES_MAX);
    assert_eq!(parse_by(&name).unwrap(), [term(&name)]);
    let error = parse_by(&format!("{name}x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("at most 256 bytes; this one has 257"), "{error}");
}

#[test]
fn any_text_is_read_or_refused() {
    let mut random = random();
    let parts = ["a", "b", "é", " ", ",", ":", "\"", "-", "desc", "num", "nulls-first", "\n"];
    let (mut read, mut errors) = (0, 0);
    for _ in 0..20_000 {
        let length = random.below(10);
        let spec: String = (0..length).map(|_| pick(&mut random, &parts)).collect();
        match parse_by(&spec) {
            Ok(terms) => {
                assert!(!terms.is_empty() && terms.iter().all(|t| !t.column.is_empty()), "{spec}");
                read += 1;
            }
            Err(error) => {
                assert_eq!(error.to_string().lines().count(), 3, "{spec:?}: {error}");
                errors += 1;
            }
        }
    }
    assert!(read > 1_000 && errors > 1_000, "{read} read, {errors} refused");
}

fn columns(names: &[&str]) -> Vec<Box<str>> {
    names.iter().map(|name| (*name).into()).collect()
}

#[test]
fn what_was_not_said_follows_from_the_column_and_the_direction() {
    let columns = columns(&["t", "i", "m", "f", "d"]);
    let kinds =
        [ColumnType::Text, ColumnType::Int, ColumnType::Money, ColumnType::Float, ColumnType::Time];
    let of = |spec: &str| resolve(&parse_by(spec).unwrap(), &columns, &kinds).unwrap();
    let key = |column, kind, descending, nulls| KeyTerm { column, kind, descending, nulls };
    assert_eq!(
        of("f:desc,t,i:text,-m:nulls-first,d:nulls-last"),
        [
            key(3, KeyKind::Number, true, Nulls::Last),
            key(0, KeyKind::Text, false, Nulls::First),
            key(1, KeyKind::Text, false, Nulls::First),
            key(2, KeyKind::Number, true, Nulls::First),
            key(4, KeyKind::Text, false, Nulls::Last),
        ]
    );
    assert_eq!(of("t:num")[0].kind, KeyKind::Number);
}

#[test]
fn an_unknown_column_is_refused_with_the_columns_and_the_near_one() {
    let columns = columns(&["id", "price", "country"]);
    let kinds = [ColumnType::Text; 3];
    let refused = |name: &str| resolve(&[term(name)], &columns, &kinds).unwrap_err().to_string();
    for (name, near) in
        [("Price", "price"), ("pirce", "price"), ("contry", "country"), ("ID", "id")]
    {
        let expected = format!(
            "key columns: there is no column '{name}', did you mean '{near}'? The columns are \
             id, price, country"
        );
        assert_eq!(refused(name), expected);
    }
    for name in ["weight", "ix", "x", &"p".repeat(5_000)] {
        let message = refused(name);
        assert!(message.ends_with("; the columns are id, price, country"), "{message}");
    }
    let many: Vec<Box<str>> = (0..30).map(|i| format!("column {i}").into()).collect();
    let error = resolve(&[term("nothing")], &many, &[ColumnType::Text; 30]).unwrap_err();
    assert!(error.to_string().ends_with("column 19 and 10 more"), "{error}");
}

#[test]
fn a_name_of_several_columns_is_refused() {
    let columns = columns(&["a", "b", "a"]);
    let error = resolve(&[term("a")], &columns, &[ColumnType::Int; 3]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "key columns: several columns are called 'a'; rename all but one of them"
    );
    assert!(resolve(&[term("b")], &columns, &[ColumnType::Int; 3]).is_ok());
}
