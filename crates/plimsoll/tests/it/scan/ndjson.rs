//! NDJSON: the same interface, fields by name.

use plimsoll::expr::testing::Random;
use plimsoll::format::{Field, Format, ReaderOptions, Source};
use plimsoll::record::ColumnType::{Float, Int, Money, Text};
use plimsoll::scan::{RawField, Records, ScanOptions, Segments};

use super::{drip, open, read_all, read_segments, seed, tile};

fn ndjson(text: &[u8]) -> plimsoll::Result<Segments> {
    open(text, ScanOptions::new(Format::Ndjson))
}

fn fault(text: &str) -> String {
    // A good first line gives the column; the fault then comes from the reading.
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1 << 20));
    let options = ScanOptions { record_bytes_max: 2 << 20, ..ScanOptions::new(Format::Ndjson) };
    let input = format!("{{\"a\":1}}\n{long}{text}");
    read_all(&open(input.as_bytes(), options).unwrap(), 4 << 20, 0).1.unwrap().to_string()
}

#[test]
fn fields_are_found_by_name_and_strings_are_decoded() {
    let text = br#"{"a":"x\"y\u00e9\n","b":-1.50}
{"b":null,"a":"\ud83d\ude00 plain"}

 {"c":{"a":[1]},"a":""}"#;
    let (given, error) = read_all(&ndjson(text).unwrap(), 999, 0);
    assert!(error.is_none(), "{error:?}");
    let some = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(given[0].fields, [some("x\"y\u{e9}\n"), some("-1.50"), None]);
    assert_eq!(given[1].fields, [some("\u{1f600} plain"), None, None]);
    assert_eq!(given[2].fields, [some(""), None, some("{\"a\":[1]}")]);
    assert_eq!(given.iter().map(|given| given.line).collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn only_the_columns_needed_are_read() {
    let segments = ndjson(b"{\"a\":1,\"b\":2,\"c\":3}\n").unwrap();
    let mut memory = [0; 64];
    let segment = segments.next(&mut memory, 0).unwrap().unwrap();
    let mut records = Records::new(&segments, &[1]);
    let record = records.next(&memory[..segment.bytes]).unwrap().unwrap();
    assert_eq!(
        [0, 1, 2].map(|n| record.field(n)),
        [RawField::Null, RawField::Plain(b"2"), RawField::Null]
    );
}

#[test]
fn types_come_from_the_values_and_a_string_of_digits_is_text() {
    let text = b"{\"i\":1,\"m\":1.5,\"f\":1e9,\"s\":\"1\",\"b\":true}\n{\"i\":null,\"m\":2}\n";
    let segments = ndjson(text).unwrap();
    assert_eq!(segments.kinds(), [Int, Money, Float, Text, Text]);
    assert_eq!(segments.header(), b"");
}

#[test]
fn a_line_that_is_no_object_is_refused_with_its_line() {
    assert!(fault("{\"a\":1,}\n").starts_with("line 3: "));
    assert!(fault("{\"a\":1} {}\n").starts_with("line 3: "));
    assert!(fault("[{\"a\":1}]\n").contains("NDJSON has one object per line"));
    assert!(fault("{\"a\":1,\"a\":2}\n").contains("the name 'a' stands twice"));
    assert!(fault("{\"a\":\"\\ud800\"}\n").contains("half of a surrogate pair"));
    assert!(fault("{\"b\":{\"a\":[1}}\n").starts_with("line 3: "));
}

#[test]
fn random_objects_hold_what_the_other_reader_finds_however_they_are_cut() {
    const VALUES: [&str; 9] = [
        "1",
        "-2.50",
        "null",
        "true",
        "\"\"",
        "\"a\\\\\\\"b\"",
        "\"\u{e9}\"",
        "[1,{}]",
        "{\"a\":2}",
    ];
    let seed = seed(5);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..200 {
        let line_end = ["\n", "\r\n", "\n\n"][random.below(3)];
        let mut text = String::from("{\"a\":1,\"b\":2,\"c\":3}\n");
        for _ in 0..random.below(50) {
            let names = ["a", "b", "c", "d"].into_iter().filter(|_| random.below(4) > 0);
            let names: Vec<_> = names.collect();
            let members: Vec<_> = names
                .into_iter()
                .map(|name| format!("\"{name}\": {}", VALUES[random.below(VALUES.len())]))
                .collect();
            text.push_str(&format!("{{{}}}{line_end}", members.join(",")));
        }
        let input = drip(text.as_bytes(), 1 + random.below(100), random.bits());
        let segments = Segments::open(input, ScanOptions::new(Format::Ndjson)).unwrap();
        let (given, cuts, error) = read_segments(&segments, 120 + random.below(300), 8);
        assert!(error.is_none(), "round {round}: {error:?}");
        assert!(tile(&cuts, 0, text.len() as u64));
        let source = Source::open(drip(text.as_bytes(), 100, 1), None).unwrap();
        let mut reader = Format::Ndjson.reader(source, ReaderOptions::default()).unwrap();
        for given in given {
            let record = reader.next_record().unwrap().unwrap();
            for position in 0..record.columns().len() {
                let expected = match record.field(position) {
                    Field::Text(text) => Some(text.as_bytes()),
                    Field::Absent | Field::Null => None,
                };
                assert_eq!(given.fields[position].as_deref(), expected, "round {round}");
            }
            assert_eq!(given.line, record.line());
        }
        assert!(reader.next_record().unwrap().is_none());
    }
}
