//! What is wrong is refused with its line.

use plimsoll::format::Format;
use plimsoll::scan::{ScanOptions, Segments};
use plimsoll::{Error, ErrorKind};

use super::{csv, open, read_all, texts};

fn fault(text: &[u8]) -> Error {
    read_all(&csv(text).unwrap(), 1 << 16, 0).1.unwrap()
}

fn sentence(text: &[u8]) -> String {
    let error = fault(text);
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[test]
fn a_ragged_row_is_refused_with_both_widths() {
    assert_eq!(sentence(b"a,b,c\n1,2,3\n1,2\n"), "line 3: 2 fields where the header has 3");
    assert_eq!(sentence(b"a,b\n1,2\n\n1,2,3"), "line 4: 3 fields where the header has 2");
    assert_eq!(sentence(b"a\n1\n1,2\n"), "line 3: 2 fields where the header has 1");
    assert_eq!(sentence(b"a,b\n1,\"x\ny\"\n\"1\"\n"), "line 4: 1 fields where the header has 2");
}

#[test]
fn a_ragged_row_of_two_records_width_is_refused() {
    assert_eq!(sentence(b"a,b\n1\n2,3,4\n"), "line 2: 1 fields where the header has 2");
}

#[test]
fn a_quote_inside_a_bare_field_is_refused_with_line_and_column() {
    let expected = "line 3, column 'b': a quote inside an unquoted field: quote the field and \
                    double the quote";
    for text in ["a,b\n1,2\n1,x\"y\n", "a,b\n1,2\n1,x\"y\"\n3,4\n", "a,b\n1,2\n1,x\"y\n3,\"z\"\n"] {
        assert_eq!(sentence(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn text_behind_a_closing_quote_is_refused_with_line_and_column() {
    let expected = "text stands behind the closing quote: a quote inside quotes is written twice";
    for text in ["a,b\n\"1\"x,2\n", "a,b\n\"1\" ,2\n", "a,b\n\"1\"\"x\"y,2\n", "a,b\n\"1\"\rx,2\n"]
    {
        assert_eq!(
            sentence(text.as_bytes()),
            format!("line 2, column 'a': {expected}"),
            "{text:?}"
        );
    }
    let later = "a,b\n\"two\nlines\",\"1\"x\"\"\n";
    assert_eq!(sentence(later.as_bytes()), format!("line 3, column 'b': {expected}"));
}

#[test]
fn faults_in_a_long_record_are_found_like_those_in_a_short_one() {
    let long = "x".repeat(40_000);
    let ragged = format!("a,b\n1,2\n{long}\n3,4\n");
    assert_eq!(sentence(ragged.as_bytes()), "line 3: 1 fields where the header has 2");
    let inside = format!("a,b\n1,2\n1,{long}\"y\"\n3,4\n");
    assert!(sentence(inside.as_bytes()).starts_with("line 3, column 'b': a quote inside"));
    let behind = format!("a,b\n\"{long}\n\"\"\"z,2\n");
    assert!(sentence(behind.as_bytes()).starts_with("line 3, column 'a': text stands behind"));
    let good = format!("a,b\n\"{long}\n\"\"\",2\r\n3,4\n");
    assert_eq!(texts(good.as_bytes()), [[&format!("{long}\n\""), "2"], ["3", "4"]]);
}

#[test]
fn a_quote_that_is_not_closed_is_refused_with_the_line_where_it_opened() {
    let expected = "a quote opened on this line is not closed before the end of the input";
    let text = b"a,b\n1,2\n\"x\ny\",\"z\n3,4\n5,6\n";
    assert_eq!(sentence(text), format!("line 4: {expected}"));
    assert_eq!(sentence(b"a,b\n1,\""), format!("line 2: {expected}"));
}

#[test]
fn a_record_larger_than_the_room_is_refused_with_its_line_and_the_room() {
    let long = format!("a,b\n1,2\n3,{}\n5,6\n", "x".repeat(500));
    let (given, error) = read_all(&csv(long.as_bytes()).unwrap(), 300, 8);
    let error = error.unwrap();
    assert_eq!(given.len(), 1);
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let sentence = error.to_string();
    assert!(sentence.starts_with("line 3: the csv record does not fit: 300 bytes"), "{sentence}");
    assert!(sentence.contains("the room is 300 with 8 for the record's entry"), "{sentence}");
    let (given, error) = read_all(&csv(long.as_bytes()).unwrap(), 503 + 8, 8);
    assert!(error.is_none() && given.len() == 3, "it fits to the byte: {error:?}");
    assert!(read_all(&csv(long.as_bytes()).unwrap(), 503 + 7, 8).1.is_some());
}

#[test]
fn a_record_larger_than_the_room_says_where_its_quote_opened() {
    let long = format!("a,b\n1,2\n3,\"{}\n", "x\n".repeat(500));
    let sentence = read_all(&csv(long.as_bytes()).unwrap(), 300, 8).1.unwrap().to_string();
    assert!(sentence.contains("(a quote opened on line 3 is not closed)"), "{sentence}");
}

#[test]
fn a_record_of_many_line_breaks_fits_although_each_could_be_a_record() {
    let note = "\n".repeat(400);
    let text = format!("a,b\n1,\"{note}\"\n2,3\n");
    let (given, error) = read_all(&csv(text.as_bytes()).unwrap(), 500, 64);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(given[0].fields[1], Some(note.into_bytes()));
    assert_eq!(given[1].line, 403);
}

#[test]
fn a_record_beyond_the_bound_is_refused_wherever_it_lies() {
    let long = "x".repeat(1 << 20);
    for before in [0, 1, 5_000] {
        let text = format!("a,b\n{}3,{long}\n5,6\n", "1,2\n".repeat(before));
        let line = before + 2;
        for room in [1 << 22, 3 << 19] {
            let error = read_all(&csv(text.as_bytes()).unwrap(), room, 0).1.unwrap();
            assert_eq!(error.kind(), ErrorKind::TooLarge);
            assert!(error.to_string().starts_with(&format!("line {line}: ")), "{error}");
        }
        let options = ScanOptions { record_bytes_max: 2 << 20, ..ScanOptions::new(Format::Csv) };
        let (given, error) = read_all(&open(text.as_bytes(), options).unwrap(), 1 << 22, 0);
        assert!(error.is_none() && given.len() == before + 2, "{error:?}");
    }
}

#[test]
fn a_device_that_fails_is_named_and_an_error_inside_is_passed_on() {
    struct Failing(bool);
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(match self.0 {
                true => std::io::Error::other(Error::corrupt("the gzip file is damaged")),
                false => std::io::Error::other("cable pulled"),
            })
        }
    }
    let open = |inner| Segments::open(Box::new(Failing(inner)), ScanOptions::new(Format::Csv));
    let outer = open(false).err().unwrap();
    assert_eq!(outer.kind(), ErrorKind::Io);
    assert_eq!(outer.to_string(), "reading the input after 0 bytes: cable pulled");
    let inner = open(true).err().unwrap();
    assert_eq!(inner.kind(), ErrorKind::Corrupt);
    assert_eq!(inner.to_string(), "the gzip file is damaged");
}
