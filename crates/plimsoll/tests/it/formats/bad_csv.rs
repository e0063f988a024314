//! CSV as it is found in the wild: each oddity read, or refused by line and column.

use plimsoll::ErrorKind;
use plimsoll::format::{CsvReader, Delimiter, Format, ReaderOptions, RecordReader};
use plimsoll::limits::{COLUMNS_MAX, NAME_BYTES_MAX};

use super::{reader, source, steps, texts};

/// What each record came to: its fields with `|` between them, or the refusal.
fn outcomes(text: &[u8]) -> Vec<String> {
    let (steps, fatal) = steps(&mut *reader(Format::Csv, text));
    assert_eq!(fatal, None);
    steps
        .into_iter()
        .map(|step| match step.outcome {
            Ok(fields) => {
                let fields = fields.into_iter().map(|(_, text)| text.unwrap_or("<null>".into()));
                fields.collect::<Vec<_>>().join("|")
            }
            Err(error) => error,
        })
        .collect()
}

fn refused_at_open(text: &[u8]) -> (ErrorKind, String) {
    let error = CsvReader::open(source(text), ReaderOptions::default()).err().unwrap();
    (error.kind(), error.to_string())
}

#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_named() {
    assert_eq!(texts(Format::Csv, "\u{feff}a,b\n1,2\n".as_bytes()), [["1", "2"]]);
    let reader = reader(Format::Csv, "\u{feff}\"a\",b\n".as_bytes());
    assert_eq!(&*reader.columns()[0], "a");
    let (kind, message) = refused_at_open(b"\xff\xfea\0,\0b\0\n\0");
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("UTF-16"), "{message}");
}

#[test]
fn crlf_lf_and_a_lone_cr_each_end_a_record_and_count_as_one_line() {
    let (steps, _) = steps(&mut *reader(Format::Csv, b"a,b\r\n1,2\n3,4\r5,6\r\n\r\n7,8"));
    let seen: Vec<_> = steps.iter().map(|step| (step.line, step.raw.as_slice())).collect();
    assert_eq!(seen, [(2, &b"1,2"[..]), (3, b"3,4"), (4, b"5,6"), (6, b"7,8")]);
}

#[test]
fn null_and_the_empty_text_are_told_apart() {
    assert_eq!(outcomes(b"a,b,c\n,\"\",\"\"\"\"\n"), ["<null>||\""]);
}

#[test]
fn a_blank_line_is_null_in_a_file_of_one_column_and_nothing_in_others() {
    assert_eq!(outcomes(b"a\n\nx\n\"\"\n\r\n"), ["<null>", "x", "", "<null>"]);
    assert_eq!(outcomes(b"\n\na,b\n\n1,2\n\r\n\n"), ["1|2"]);
}

#[test]
fn a_quoted_line_break_belongs_to_its_field_and_lines_go_on_counting() {
    let text = b"a,b\n1,\"x\ny\r\nz\rw\"\n2,3,4\n\"5\",6\n";
    let (steps, _) = steps(&mut *reader(Format::Csv, text));
    assert_eq!(steps[0].outcome.as_ref().unwrap()[1].1.as_deref(), Some("x\ny\r\nz\rw"));
    assert_eq!(steps[0].line, 2);
    assert_eq!(steps[1].outcome, Err("line 6: 3 fields where the header has 2".into()));
    assert_eq!(steps[2].line, 7);
}

#[test]
fn a_ragged_row_costs_that_row_and_says_how_many_fields_it_has() {
    assert_eq!(
        outcomes(b"a,b\n1\n2,3\n4,5,6\n7,8\n"),
        [
            "line 2: 1 fields where the header has 2",
            "2|3",
            "line 4: 3 fields where the header has 2",
            "7|8",
        ]
    );
    // Any number of fields is counted without being held.
    let many = format!("a,b\n{}\n1,2\n", ",".repeat(100_000));
    assert_eq!(outcomes(many.as_bytes()), ["line 2: 100001 fields where the header has 2", "1|2"]);
}

#[test]
fn invalid_utf8_names_line_column_and_byte() {
    assert_eq!(
        outcomes(b"id,name\n1,tea\n2,caf\xe9\n\"3\",\"\xff\"\n4,\xc3\xa9\n"),
        [
            "1|tea",
            "line 3, column 'name': byte 4 of the field is not UTF-8 (0xe9): convert the file \
             first",
            "line 4, column 'name': byte 1 of the field is not UTF-8 (0xff): convert the file \
             first",
            "4|é",
        ]
    );
}

#[test]
fn text_behind_a_closing_quote_costs_that_record() {
    assert_eq!(
        outcomes(b"a,b\n\"x\"y,2\n\"p\"\" q\",r\"s\n\"\"\"\",\"u\" \n"),
        [
            "line 2, column 'a': text stands behind the closing quote: a quote inside quotes is \
             written twice",
            "p\" q|r\"s",
            "line 4, column 'b': text stands behind the closing quote: a quote inside quotes is \
             written twice",
        ]
    );
}

#[test]
fn an_unterminated_quote_names_the_line_it_opened_on() {
    let text = b"a,b\n1,2\n\"x\ny\",\"z\nthe rest\nof the file\n";
    let (steps, fatal) = steps(&mut *reader(Format::Csv, text));
    assert_eq!(fatal, None);
    assert_eq!(steps.len(), 2);
    assert_eq!(
        steps[1].outcome,
        Err("line 4: a quote opened on this line is not closed before the end of the file".into())
    );
    assert_eq!(steps[1].raw, &text[8..]);
    assert_eq!(steps[1].after.byte_offset, text.len() as u64);
}

#[test]
fn a_header_that_cannot_be_used_is_refused() {
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    let many = ",".repeat(COLUMNS_MAX);
    for (text, part) in [
        (&b""[..], "the CSV input is empty"),
        (b"\xef\xbb\xbf\r\n\n", "the CSV input is empty"),
        (b"a,b,a\n", "column '#3': the name 'a' stands twice"),
        (b"a,\"b\n", "a quote opened on this line is not closed"),
        (b"a,\xff\n", "line 1, column '#2': byte 1 of the field is not UTF-8"),
        (long.as_bytes(), "longer than 256 bytes"),
        (many.as_bytes(), "has 513 columns; at most 512 are read: is the delimiter right?"),
    ] {
        let (kind, message) = refused_at_open(text);
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn another_delimiter_is_read_where_it_is_asked_for() {
    let options = ReaderOptions { delimiter: Delimiter::Semicolon, ..ReaderOptions::default() };
    let mut reader = CsvReader::open(source(b"a;b\n1,5;\"x;y\"\n"), options).unwrap();
    let record = reader.next_record().unwrap().unwrap();
    assert_eq!(record.field(0), plimsoll::format::Field::Text("1,5"));
    assert_eq!(record.field(1), plimsoll::format::Field::Text("x;y"));
}

#[test]
fn resuming_in_another_file_or_backwards_is_refused() {
    let text = b"a,b\n1,2\n3,4\n";
    let mut reader = CsvReader::open(source(text), ReaderOptions::default()).unwrap();
    let begin = reader.position();
    reader.next_record().unwrap();
    let error = reader.resume_at(begin).unwrap_err();
    assert!(error.to_string().contains("open the input again"), "{error}");
    let mut beyond = begin;
    beyond.byte_offset = 1000;
    let error = reader.resume_at(beyond).unwrap_err();
    assert!(error.to_string().contains("the input has only 12"), "{error}");
}
