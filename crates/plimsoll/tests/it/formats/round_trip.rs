//! What is written reads back equal, however the bytes arrive and wherever reading resumes.

use plimsoll::format::{
    Csv, CsvOptions, CsvReader, Delimiter, Format, JsonArray, JsonReader, LineEnd, Mapping,
    MappingOptions, Ndjson, NdjsonReader, ReaderOptions, RecordReader, RowEncoder,
};
use plimsoll::record::{Column, ColumnType, Money, Schema, Timestamp, Value, ValueRow};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{Step, drip, source, steps};

/// Text with everything that means something to a format, and some that does not.
pub(super) fn nasty_text(chars_max: usize) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z0-9 ]{1,9}",
        4 => proptest::sample::select(vec![
            "\"", "\"\"", ",", ";", "\t", "|", "\n", "\r", "\r\n", "'", "=", "+", "-", "@", "\0",
            "\\", "\\u0041", "\\\"", "/", "{", "}", "[", "]", ":", "null", "\u{feff}", "＝", "é",
            "😀", "\u{7f}", "\u{1}", "\u{2028}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..=chars_max.div_ceil(9).max(8)).prop_map(|pieces| pieces.concat())
}

/// The instants a calendar of the years -9999 to 9999 has, to the second.
fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![-377_705_023_200..253_402_207_200_i64, 0..2_000_000_000_i64]
        .prop_flat_map(|second| (Just(second), prop_oneof![Just(0), 0..1_000_000_i64]))
        .prop_map(|(second, micros)| second * 1_000_000 + micros)
}

/// One row of [`schema`].
pub(super) fn row_of_every_type() -> impl Strategy<Value = Vec<Value>> {
    let finite = any::<f64>().prop_filter("JSON has no other", |number| number.is_finite());
    (
        of(any::<bool>().prop_map(Value::Bool)),
        of(any::<i64>().prop_map(Value::Int)),
        of(finite.prop_map(Value::Float)),
        of(any::<i64>().prop_map(|units| Value::Money(Money::from_units(units)))),
        of(instant().prop_map(|micros| Value::Time(Timestamp::from_micros(micros)))),
        of(nasty_text(40).prop_map(|text| Value::Text(text.into()))),
        of(vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into()))),
        of(nasty_text(8).prop_map(|text| Value::Text(text.into()))),
    )
        .prop_map(|(a, b, c, d, e, f, g, h)| {
            [a, b, c, d, e, f, g, h].map(|value| value.unwrap_or(Value::Null)).into()
        })
}

fn schema() -> Schema {
    let columns = [
        ("yes, or no", ColumnType::Bool),
        ("count", ColumnType::Int),
        ("ratio", ColumnType::Float),
        ("price \"net\"", ColumnType::Money),
        ("at", ColumnType::Time),
        ("note", ColumnType::Text),
        ("blob", ColumnType::Bytes),
        ("läst\n", ColumnType::Text),
    ];
    Schema { columns: columns.map(|(name, kind)| Column::nullable(name, kind)).into() }
}

fn names() -> Vec<Box<str>> {
    schema().columns.into_iter().map(|column| column.name).collect()
}

fn written(encoder: &mut dyn RowEncoder, rows: &[Vec<Value>]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for row in rows {
        encoder.row(&ValueRow(row), &mut out).unwrap();
    }
    encoder.end(&mut out);
    out
}

fn read_back(reader: &mut dyn RecordReader, mut mapping: Mapping) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        mapping.apply(&record, &mut row).unwrap();
        rows.push(row.clone());
    }
    rows
}

fn csv_options() -> impl Strategy<Value = CsvOptions> {
    let delimiter = proptest::sample::select(vec![
        Delimiter::Comma,
        Delimiter::Semicolon,
        Delimiter::Tab,
        Delimiter::Pipe,
    ]);
    let line_end = proptest::sample::select(vec![LineEnd::CrLf, LineEnd::Lf]);
    (delimiter, line_end, any::<bool>(), any::<bool>()).prop_map(
        |(delimiter, line_end, bom, guard)| CsvOptions {
            delimiter,
            line_end,
            header: true,
            bom,
            guard,
        },
    )
}

proptest! {
    #[test]
    fn csv_reads_back_equal(
        rows in vec(row_of_every_type(), 0..12),
        options in csv_options(),
        seed in any::<u64>(),
    ) {
        let bytes = written(&mut Csv::new(names(), options), &rows);
        let read = ReaderOptions { delimiter: options.delimiter, ..ReaderOptions::default() };
        let mut reader = CsvReader::open(drip(&bytes, seed), read).unwrap();
        let map = MappingOptions { strip_guard: options.guard, ..MappingOptions::default() };
        let mapping = Mapping::from_header(reader.columns(), &schema(), map).unwrap();
        prop_assert_eq!(read_back(&mut reader, mapping), rows);
    }

    #[test]
    fn ndjson_and_json_read_back_equal(
        rows in vec(row_of_every_type(), 0..12),
        seed in any::<u64>(),
    ) {
        let mapping = || Mapping::by_name(&schema(), MappingOptions::default()).unwrap();
        let options = ReaderOptions::default();
        let lines = written(&mut Ndjson::new(names()), &rows);
        let mut reader = NdjsonReader::open(drip(&lines, seed), options).unwrap();
        prop_assert_eq!(&read_back(&mut reader, mapping()), &rows);
        let array = written(&mut JsonArray::new(names()), &rows);
        let mut reader = JsonReader::open(drip(&array, seed), options).unwrap();
        prop_assert_eq!(&read_back(&mut reader, mapping()), &rows);
        // The lines are objects one after another, too.
        if !rows.is_empty() {
            let mut reader = JsonReader::open(drip(&lines, seed), options).unwrap();
            prop_assert_eq!(&read_back(&mut reader, mapping()), &rows);
        }
    }

    #[test]
    fn reading_resumes_at_every_record(
        rows in vec(row_of_every_type(), 1..8),
        seed in any::<u64>(),
    ) {
        for format in Format::ALL {
            let bytes = written(&mut *format.encoder(names()), &rows);
            resumes_everywhere(format, &bytes, seed);
        }
    }

    #[test]
    fn bytes_of_any_kind_resume_and_drip_alike(
        body in "([a\",;\r\n ]|é|\\{\"a\":1\\}|\\[|\\]|\\{\"b\":\"\\\\n\"\\}){0,40}",
        seed in any::<u64>(),
    ) {
        resumes_everywhere(Format::Csv, format!("a,b\n{body}").as_bytes(), seed);
        resumes_everywhere(Format::Ndjson, body.as_bytes(), seed);
        resumes_everywhere(Format::Json, format!("[{body}").as_bytes(), seed);
        resumes_everywhere(Format::Json, format!("{{}}{body}").as_bytes(), seed);
    }

    #[test]
    fn another_csv_parser_sees_the_same_records(body in "[ab\",\r\n]{0,60}") {
        let text = format!("x,y,z\n{body}");
        let (ours, fatal) = steps(&mut *super::reader(Format::Csv, text.as_bytes()));
        prop_assert_eq!(fatal, None);
        let theirs = csv_core_records(body.as_bytes());
        prop_assert_eq!(ours.len(), theirs.len());
        for (our, their) in ours.iter().zip(theirs) {
            if let Ok(fields) = &our.outcome {
                let fields: Vec<_> =
                    fields.iter().map(|(_, text)| text.clone().unwrap_or_default()).collect();
                prop_assert_eq!(fields, their);
            }
        }
    }
}

/// Dripped or whole, from the beginning or from any place: the same steps.
fn resumes_everywhere(format: Format, bytes: &[u8], seed: u64) {
    let options = ReaderOptions::default();
    let whole = steps(&mut *format.reader(source(bytes), options).unwrap());
    let dripped = steps(&mut *format.reader(drip(bytes, seed), options).unwrap());
    assert_eq!(whole, dripped, "{format:?}");
    let (all, fatal) = whole;
    for (done, step) in all.iter().enumerate() {
        let mut reader = format.reader(drip(bytes, seed), options).unwrap();
        reader.resume_at(step.after).unwrap();
        assert_eq!(reader.position(), step.after);
        let (rest, rest_fatal) = steps(&mut *reader);
        // A new JSON reader has not met the earlier names, so the order of fields may differ.
        assert_eq!(sorted(rest), sorted(all[done + 1..].to_vec()), "{format:?} after {done}");
        assert_eq!(rest_fatal, fatal);
    }
}

fn sorted(mut steps: Vec<Step>) -> Vec<Step> {
    for fields in steps.iter_mut().filter_map(|step| step.outcome.as_mut().ok()) {
        fields.sort();
    }
    steps
}

fn csv_core_records(mut input: &[u8]) -> Vec<Vec<String>> {
    let mut parser = csv_core::Reader::new();
    let (mut out, mut ends) = ([0; 1024], [0; 128]);
    let mut records = Vec::new();
    let (mut out_len, mut ends_len) = (0, 0);
    loop {
        let (result, read, wrote, ended) =
            parser.read_record(input, &mut out[out_len..], &mut ends[ends_len..]);
        input = &input[read..];
        out_len += wrote;
        ends_len += ended;
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::End => return records,
            csv_core::ReadRecordResult::Record => {
                let mut start = 0;
                let mut fields = Vec::new();
                for &end in &ends[..ends_len] {
                    fields.push(String::from_utf8(out[start..end].to_vec()).unwrap());
                    start = end;
                }
                records.push(fields);
                (out_len, ends_len) = (0, 0);
            }
            full => panic!("the test's buffers are too small: {full:?}"),
        }
    }
}
