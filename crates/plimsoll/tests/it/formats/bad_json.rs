//! JSON as it is found in the wild: each oddity read, or refused by line and byte.

use plimsoll::ErrorKind;
use plimsoll::format::{Format, JsonReader, ReaderOptions};
use plimsoll::limits::{COLUMNS_MAX, JSON_DEPTH_MAX, NAME_BYTES_MAX};

use super::{reader, source, steps, texts};

/// What each record came to: `name=text` with `|` between them, or the refusal.
fn outcomes(format: Format, text: &[u8]) -> (Vec<String>, Option<String>) {
    let (steps, fatal) = steps(&mut *reader(format, text));
    let shown = |(name, text): (String, Option<String>)| match text {
        Some(text) => format!("{name}={text}"),
        None => format!("{name} is null"),
    };
    let outcome = |step: super::Step| match step.outcome {
        Ok(fields) => fields.into_iter().map(shown).collect::<Vec<_>>().join("|"),
        Err(error) => error,
    };
    (steps.into_iter().map(outcome).collect(), fatal)
}

fn lines(text: &[u8]) -> Vec<String> {
    let (outcomes, fatal) = outcomes(Format::Ndjson, text);
    assert_eq!(fatal, None);
    outcomes
}

#[test]
fn numbers_keep_every_digit_and_nested_values_their_text() {
    assert_eq!(
        lines(
            b"{\"n\":9007199254740993,\"m\":-0.10000,\"e\":1E+400,\"o\":{\"a\": [1,\"}\"]},\
              \"t\":true,\"z\":null,\"s\":\"\"}\n"
        ),
        ["n=9007199254740993|m=-0.10000|e=1E+400|o={\"a\": [1,\"}\"]}|t=true|z is null|s="]
    );
}

#[test]
fn escapes_are_decoded_in_names_and_values() {
    let line = br#"{"a\n":"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00 end"}"#;
    assert_eq!(texts(Format::Ndjson, line), [["\"\\/\u{8}\u{c}\n\r\tAé😀 end"]]);
    let mut reader = reader(Format::Ndjson, line);
    assert_eq!(&*reader.next_record().unwrap().unwrap().columns()[0], "a\n");
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    for half in ["\\ud83d", "\\ude00", "\\ud83d\\n", "\\ud83d\\u0041", "\\ud83dxx\\ude00"] {
        let outcome = lines(format!("{{\"a\":\"{half}\"}}").as_bytes());
        assert!(outcome[0].contains("column 'a': half of a surrogate pair"), "{outcome:?}");
    }
}

#[test]
fn names_may_come_in_any_order_and_some_may_be_absent() {
    assert_eq!(
        lines(b"{\"a\":1,\"b\":2}\r\n\n  \r\n{\"b\":3}\n{\"c\":4,\"a\":5}\n{}"),
        ["a=1|b=2", "b=3", "a=5|c=4", ""]
    );
}

#[test]
fn a_line_that_is_wrong_costs_that_line_and_names_it() {
    let outcome = lines(
        b"\xef\xbb\xbf{\"a\":1}\n{\"a\":tru}\n[1]\n7\n{\"a\":1,\"a\":2}\n{\"a\":\"\xff\"}\n\
          {\"a\":1} x\n{\"a\":\n{\"a\":01}\n{\"a\":2}\n",
    );
    let expected = [
        "a=1",
        "line 2, column 'a': expected ident, at byte 9",
        "line 3: the line begins with '[': NDJSON has one object per line; read an array as \
         format json",
        "line 4: invalid type: integer `7`, expected an object such as {\"id\":1}, at byte 1",
        "line 5, column 'a': the name stands twice in one object, at byte 10",
        "line 6: byte 7 of the object is not UTF-8 (0xff)",
        "line 7: trailing characters, at byte 9",
        "line 8, column 'a': EOF while parsing a value, at byte 5",
        "line 9, column 'a': invalid number, at byte 7",
        "a=2",
    ];
    assert_eq!(outcome, expected);
}

#[test]
fn nesting_beyond_the_bound_is_refused_however_deep() {
    for (depth, fits) in [(JSON_DEPTH_MAX, true), (JSON_DEPTH_MAX + 1, false), (300_000, false)] {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        let line = format!("{{\"a\":{value}}}");
        for format in [Format::Ndjson, Format::Json] {
            let (outcome, fatal) = outcomes(format, line.as_bytes());
            assert_eq!(fatal, None);
            assert_eq!(outcome[0].starts_with("a="), fits, "{depth}");
            assert!(fits || outcome[0].contains("at most 64 are allowed"), "{depth}");
        }
    }
}

#[test]
fn names_are_bounded_in_number_and_length() {
    let many: String = (0..=COLUMNS_MAX).map(|n| format!("{{\"n{n}\":1}}\n")).collect();
    let outcome = lines(many.as_bytes());
    assert!(outcome[COLUMNS_MAX - 1].starts_with("n511="));
    assert!(outcome[COLUMNS_MAX].contains("one name more than the 512 allowed"), "{outcome:?}");
    let long = format!("{{\"{}\":1}}", "x".repeat(NAME_BYTES_MAX + 1));
    assert!(lines(long.as_bytes())[0].contains("longer than 256 bytes"));
}

#[test]
fn an_array_is_read_object_by_object_over_any_lines() {
    let text = b" \n[\n {\"a\":1},\n\n {\"a\":\n  \"x]}\\\"\" }\n,{\"a\":tru}, {\"a\":2} ]\n ";
    let (steps, fatal) = steps(&mut *reader(Format::Json, text));
    assert_eq!(fatal, None);
    let seen: Vec<_> = steps.iter().map(|step| step.line).collect();
    assert_eq!(seen, [3, 5, 7, 7]);
    assert_eq!(steps[1].outcome.as_ref().unwrap()[0].1.as_deref(), Some("x]}\""));
    assert_eq!(steps[2].outcome, Err("line 7, column 'a': expected ident, at byte 9".into()));
    assert_eq!(steps[3].raw, b"{\"a\":2}");
}

#[test]
fn the_line_of_a_fault_inside_an_object_of_many_lines_is_its_own() {
    let (outcome, _) = outcomes(Format::Json, b"[\n{\n\"a\":1,\n\"b\":x\n}\n]");
    assert!(outcome[0].starts_with("line 4, column 'b': "), "{outcome:?}");
}

#[test]
fn objects_one_after_another_need_nothing_between_them() {
    let (outcome, fatal) = outcomes(Format::Json, b"{\"a\":1}{\"a\":2}\n\n  {\"a\":3}");
    assert_eq!((outcome.join(" "), fatal), ("a=1 a=2 a=3".into(), None));
    assert_eq!(outcomes(Format::Json, b"[]"), (vec![], None));
}

#[test]
fn what_stands_between_objects_and_should_not_ends_the_reading_by_line_and_byte() {
    for (text, records, part) in [
        ("[{},\n7]", 1, "line 2, byte 6 of the input: '7' where an object is expected"),
        ("[{} {}]", 1, "'{' where ',' or ']' is expected"),
        ("[,{}]", 0, "',' where an object is expected"),
        ("[{},]", 1, "']' where an object is expected"),
        ("[{}]{}", 1, "'{' where nothing behind the closing ']' is expected"),
        ("{},{}", 1, "',' where an object is expected"),
        ("[{},{}", 2, "line 1: the JSON array ends without ']': the input was cut off"),
        ("[\n{\"a\":\"]}", 0, "line 2: the JSON object that begins here does not end"),
    ] {
        let (outcome, fatal) = outcomes(Format::Json, text.as_bytes());
        let fatal = fatal.unwrap();
        assert_eq!(outcome.len(), records, "{text}");
        assert!(fatal.contains(part), "{text}: {fatal}");
    }
    for (text, part) in [("", "is empty"), (" \n", "is empty"), ("nul", "'n' where '[' or '{'")] {
        let error = JsonReader::open(source(text.as_bytes()), ReaderOptions::default());
        let error = error.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    }
}
