//! Writers: exact bytes, whole rows or none, a bound that holds.

use plimsoll::format::{
    Csv, CsvOptions, Delimiter, Format, JsonArray, JsonObjects, LineEnd, Ndjson, RowEncoder, guard,
    unguard,
};
use plimsoll::record::{Row, Value, ValueRef, ValueRow};
use plimsoll::{Error, Result};
use proptest::prelude::*;

use super::round_trip::{nasty_text, row_of_every_type};

fn written(encoder: &mut dyn RowEncoder, rows: &[Vec<Value>]) -> String {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for row in rows {
        encoder.row(&ValueRow(row), &mut out).unwrap();
    }
    encoder.end(&mut out);
    String::from_utf8(out).unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Fails at its second field.
struct Torn;

impl Row for Torn {
    fn width(&self) -> usize {
        2
    }

    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        match position {
            0 => Ok(ValueRef::Int(1)),
            _ => Err(Error::corrupt("not UTF-8")),
        }
    }
}

#[test]
fn an_error_in_the_middle_of_a_row_leaves_nothing_of_it() {
    let names = ["a", "b"];
    let mut encoders: Vec<Box<dyn RowEncoder>> = Format::ALL.map(|f| f.encoder(names)).into();
    encoders.push(Box::new(JsonObjects::new(names)));
    for mut encoder in encoders {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        let good = [Value::Int(1), Value::Null];
        encoder.row(&ValueRow(&good), &mut out).unwrap();
        let before = out.clone();
        encoder.row(&Torn, &mut out).unwrap_err();
        assert_eq!(out, before);
        encoder.row_bytes_max(&Torn).unwrap_err();
    }
}

#[test]
fn an_array_is_valid_json_with_no_row_one_row_and_a_failed_first_row() {
    assert_eq!(written(&mut JsonArray::new(["a"]), &[]), "[]");
    assert_eq!(written(&mut JsonArray::new(["a"]), &[vec![Value::Int(1)]]), "[{\"a\":1}]");
    let mut encoder = JsonArray::new(["a", "b"]);
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.row(&Torn, &mut out).unwrap_err();
    encoder.row(&ValueRow(&[Value::Int(1), Value::Null]), &mut out).unwrap();
    encoder.end(&mut out);
    assert_eq!(out, b"[{\"a\":1,\"b\":null}]");
}

#[test]
fn json_escapes_what_it_must_and_nothing_else() {
    let row = vec![text("a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}/é\u{2028}")];
    assert_eq!(
        written(&mut Ndjson::new(["k\"\n"]), &[row]),
        "{\"k\\\"\\n\":\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\\u001f\u{7f}/é\u{2028}\"}\n"
    );
}

#[test]
fn every_value_has_its_json_and_its_csv() {
    let row = vec![
        Value::Null,
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Float(f64::NAN),
        Value::Float(0.1),
        Value::Money("-0.0001".parse().unwrap()),
        Value::Time("2010-12-01T08:26:00.5Z".parse().unwrap()),
        text(""),
        Value::Bytes([0xfb, 0xef, 0xbe].as_slice().into()),
        Value::Bytes([].as_slice().into()),
    ];
    let names = ["n", "b", "i", "nan", "f", "m", "t", "e", "y", "z"];
    assert_eq!(
        written(&mut Ndjson::new(names), std::slice::from_ref(&row)),
        "{\"n\":null,\"b\":true,\"i\":-9223372036854775808,\"nan\":null,\"f\":0.1,\
         \"m\":-0.0001,\"t\":\"2010-12-01T08:26:00.5Z\",\"e\":\"\",\"y\":\"++++\",\"z\":\"\"}\n"
    );
    let mut csv = Csv::new(names, CsvOptions { header: false, ..CsvOptions::default() });
    assert_eq!(
        written(&mut csv, &[row]),
        ",true,-9223372036854775808,,0.1,-0.0001,2010-12-01T08:26:00.5Z,\"\",'++++,\"\"\r\n"
    );
}

#[test]
fn csv_quotes_only_where_it_must_and_guards_text_but_not_numbers() {
    let rows = [
        vec![text("tea; a cup"), Value::Int(-1)],
        vec![text("a,b"), Value::Null],
        vec![text("say \"hi\""), Value::Money("-2.5".parse().unwrap())],
        vec![text("=cmd|' /C calc'!A0"), Value::Float(-0.5)],
        vec![text("two\nlines"), Value::Int(0)],
    ];
    assert_eq!(
        written(&mut Csv::new(["t", "n"], CsvOptions::default()), &rows),
        "t,n\r\ntea; a cup,-1\r\n\"a,b\",\r\n\"say \"\"hi\"\"\",-2.5\r\n\
         '=cmd|' /C calc'!A0,-0.5\r\n\"two\nlines\",0\r\n"
    );
    let options = CsvOptions {
        delimiter: Delimiter::Semicolon,
        line_end: LineEnd::Lf,
        header: true,
        bom: true,
        guard: false,
    };
    assert_eq!(
        written(&mut Csv::new(["t;", "n"], options), &rows[..4]),
        "\u{feff}\"t;\";n\n\"tea; a cup\";-1\na,b;\n\"say \"\"hi\"\"\";-2.5\n\
         =cmd|' /C calc'!A0;-0.5\n"
    );
}

#[test]
fn the_guard_covers_every_formula_character_and_the_texts_that_look_guarded() {
    for formula in ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"] {
        for before in ["", "'", "''"] {
            let text = format!("{before}{formula}1");
            assert_eq!(guard(&text), "'", "{text:?}");
            assert_eq!(unguard(&format!("'{text}")), text);
            // What was never guarded keeps everything but an apostrophe.
            assert_eq!(unguard(formula), formula);
        }
    }
    for harmless in ["", "tea", "1-1", "'tea'", "'", "é=", "（", "'1", " =1"] {
        assert_eq!(guard(harmless), "", "{harmless:?}");
        assert_eq!(unguard(harmless), harmless);
    }
}

proptest! {
    #[test]
    fn the_guard_is_undone_exactly(text in "['=+@＝\\-\t\0a1]{0,6}|.{0,8}") {
        let guarded = format!("{}{text}", guard(&text));
        prop_assert_eq!(unguard(&guarded), &text);
        // What reaches a spreadsheet never begins with a formula character.
        prop_assert!(!guarded.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']));
    }

    #[test]
    fn no_row_is_longer_than_its_bound(row in row_of_every_type(), long in nasty_text(400)) {
        let mut row = row;
        row.push(Value::Text(long.into()));
        let long_name = |n| format!("a \"quoted\" name, {n}{:60}", '.');
        let names: Vec<String> = (0..row.len()).map(long_name).collect();
        let mut encoders: Vec<Box<dyn RowEncoder>> = Format::ALL.map(|f| f.encoder(&names)).into();
        encoders.push(Box::new(JsonObjects::new(&names)));
        for mut encoder in encoders {
            let mut out = Vec::new();
            encoder.begin(&mut out);
            encoder.row(&ValueRow(&row), &mut out).unwrap();
            let before = out.len();
            encoder.row(&ValueRow(&row), &mut out).unwrap();
            let bound = encoder.row_bytes_max(&ValueRow(&row)).unwrap();
            prop_assert!(out.len() - before <= bound, "{} > {bound}", out.len() - before);
        }
    }
}
