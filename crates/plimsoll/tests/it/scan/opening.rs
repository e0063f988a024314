//! Headers, delimiters and types.

use plimsoll::format::{Delimiter, Format};
use plimsoll::record::ColumnType::{Any, Float, Int, Money, Text};
use plimsoll::scan::ScanOptions;

use super::{csv, open, read_all, texts};

fn refusal(text: &[u8]) -> String {
    csv(text).err().unwrap().to_string()
}

#[test]
fn the_header_is_kept_as_it_stands_and_its_names_are_read() {
    let segments = csv(b"\xef\xbb\xbfid,\"the \"\"name\"\"\"\r\n1,2\r\n").unwrap();
    assert_eq!(segments.header(), b"\xef\xbb\xbfid,\"the \"\"name\"\"\"\r\n");
    assert_eq!(segments.columns(), [Box::from("id"), Box::from("the \"name\"")]);
    let segments = csv(b"\n\r\na,b\n1,2\n").unwrap();
    assert_eq!(segments.header(), b"a,b\n");
    let (given, _) = read_all(&segments, 99, 0);
    assert_eq!(given[0].line, 4);
}

#[test]
fn a_header_alone_has_no_records() {
    for text in ["a,b", "a,b\n", "a,b\r\n\n\n"] {
        assert!(texts(text.as_bytes()).is_empty());
    }
}

#[test]
fn a_header_that_is_none_is_refused() {
    assert_eq!(refusal(b""), "the CSV input is empty: it needs a header");
    assert_eq!(refusal(b"\n\r\n"), "the CSV input is empty: it needs a header");
    assert!(refusal(b"a,a\n").contains("column 2: the name 'a' stands twice"));
    assert!(refusal(b"\xff\xfea\0").contains("UTF-16"));
    assert!(refusal(b"a,\xff\n").contains("column 2: the name is not UTF-8"));
    assert!(refusal(b"a,b\r1,2\r").contains("convert the line ends to LF"));
    assert!(refusal(b"a,\"b\n").contains("line 1: a quote opened on this line is not closed"));
    assert!(refusal("x".repeat(257).as_bytes()).contains("longer than 256 bytes"));
    assert!(refusal(",".repeat(600).as_bytes()).contains("601 columns; at most 512"));
    assert!(refusal("x".repeat(2 << 20).as_bytes()).contains("is this CSV"));
}

#[test]
fn the_delimiter_is_the_one_given() {
    let options = ScanOptions { delimiter: Delimiter::Semicolon, ..ScanOptions::new(Format::Csv) };
    let (given, error) = read_all(&open(b"a;b\n1,5;\"x;y\"\n", options).unwrap(), 99, 0);
    assert!(error.is_none());
    assert_eq!(given[0].fields, [Some(b"1,5".to_vec()), Some(b"x;y".to_vec())]);
}

#[test]
fn types_are_the_narrowest_that_hold_every_value_quoted_or_not() {
    let segments = csv(b"i,m,f,t,n\n1,2.5,1e3,x,\n\"-2\",3,0.00001,007,\n").unwrap();
    assert_eq!(segments.kinds(), [Int, Money, Float, Text, Text]);
}

#[test]
fn a_type_that_is_given_holds_and_one_for_no_column_is_refused_with_the_columns() {
    let with = |name: &str| ScanOptions {
        kinds: vec![(name.into(), Any)],
        ..ScanOptions::new(Format::Csv)
    };
    assert_eq!(open(b"a,b\n1,2\n", with("b")).unwrap().kinds(), [Int, Any]);
    let refusal = open(b"a,b\n1,2\n", with("c")).err().unwrap().to_string();
    assert_eq!(
        refusal,
        "the type of 'c' is given and the input has no such column; it has 'a', 'b'"
    );
}

#[test]
fn a_record_that_is_wrong_does_not_stop_the_opening() {
    let segments = csv(b"a,b\n1,2\n3\nx,y\n").unwrap();
    assert_eq!(segments.kinds(), [Int, Int]);
    assert!(read_all(&segments, 99, 0).1.unwrap().to_string().contains("line 3"));
}

#[test]
fn a_json_array_and_bounds_out_of_range_are_refused() {
    let refusal = open(b"[]", ScanOptions::new(Format::Json)).err().unwrap().to_string();
    assert!(refusal.contains("give csv or ndjson"));
    let options = ScanOptions { record_bytes_max: 1, ..ScanOptions::new(Format::Csv) };
    assert!(open(b"a\n", options).err().unwrap().to_string().contains("256 to 1073741824"));
}
