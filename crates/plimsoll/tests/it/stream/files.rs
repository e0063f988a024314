//! Streams from files and to files.

use std::fs;

use plimsoll::format::{CsvOptions, LineEnd};
use plimsoll::record::{Value, ValueRow};
use plimsoll::stream::{CsvWriter, Record, Stream};
use plimsoll::{Error, ErrorKind, Result};

use super::super::typed::{Bench, KIB, MIB, random};
use super::{all, counted};

#[test]
fn a_csv_file_sorted_by_spilling_reads_back_as_the_model() {
    let bench = Bench::new(256 * KIB);
    let mut random = random();
    let mut model: Vec<(String, Option<String>)> = (0..6_000)
        .map(|_| {
            let note = (random.below(4) > 0).then(|| format!("n,\"{}\"", random.below(100)));
            (format!("{:08}", random.below(1_000_000)), note)
        })
        .collect();
    let work = tempfile::tempdir().unwrap();
    let (from, to) = (work.path().join("from.csv"), work.path().join("to.jsonl"));
    let first = Record::new(&["id", "note"], &[None, None]).unwrap();
    let rows = model
        .clone()
        .into_iter()
        .map(move |(id, note)| first.with_fields(&[Some(id.as_str()), note.as_deref()]).unwrap());
    let written = Stream::from_iter(&bench.engine, rows).to_csv(&from).unwrap();
    assert_eq!(written, fs::metadata(&from).unwrap().len());
    let sorted =
        Stream::from_csv(&bench.engine, &from).sort_by(|a, b| a.get("id").cmp(&b.get("id")));
    sorted.to_jsonl(&to).unwrap();
    assert!(bench.engine.spill_stats().written_bytes > 0);
    model.sort_by(|a, b| a.0.cmp(&b.0));
    for _epoch in 0..2 {
        let back = all(&Stream::from_jsonl(&bench.engine, &to).map(|record| {
            (record.get("id").unwrap().to_owned(), record.get("note").map(str::to_owned))
        }));
        assert_eq!(back, model);
    }
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 2, "no part is left");
    bench.assert_clean();
}

#[test]
fn null_and_the_empty_text_stay_apart_through_a_spill_and_a_file() {
    let bench = Bench::new(MIB);
    let record = Record::new(&["a", "b"], &[None, Some("")]).unwrap();
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("two.csv");
    Stream::from_iter(&bench.engine, [record.clone()]).to_csv(&path).unwrap();
    let back = all(&Stream::from_csv(&bench.engine, &path));
    assert_eq!(back, [record]);
    assert_eq!((back[0].field(0), back[0].field(1)), (None, Some("")));
    assert!(Record::new(&["a"], &[]).is_err());
}

#[test]
fn a_wrong_record_is_an_error_item_with_its_line_and_the_next_one_follows() {
    let bench = Bench::new(MIB);
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("wrong.csv");
    fs::write(&path, "a,b\n1,2\n3\n4,5\n").unwrap();
    let items: Vec<Result<Record>> = Stream::from_csv(&bench.engine, &path).iter().collect();
    assert_eq!(items.len(), 3);
    let error = items[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("line 3"), "{error}");
    assert_eq!(items[2].as_ref().unwrap().get("b"), Some("5"));
    let missing = Stream::from_csv(&bench.engine, work.path().join("none.csv"));
    assert_eq!(missing.count().unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_csv_file_is_written_row_by_row_and_appears_when_it_is_whole() {
    let bench = Bench::new(MIB);
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("sales.csv");
    fs::write(&path, "before").unwrap();
    let open = |options| CsvWriter::create(&bench.engine, &path, options).unwrap();
    let row = |n: i64, note: &str| [Value::Int(n), Value::Text(note.into()), Value::Null];
    let mut writer = open(CsvOptions::default());
    writer.write_headers(&["n", "note", "rest"]).unwrap();
    for n in 0..20_000 {
        writer.write_row(&ValueRow(&row(n, "=SUM(A1),\"x\""))).unwrap();
    }
    assert_eq!(bench.budget.reserved_bytes(), 128 * KIB);
    let narrow = writer.write_row(&ValueRow(&[Value::Null])).unwrap_err();
    assert_eq!(narrow.kind(), ErrorKind::Invalid);
    assert!(narrow.to_string().contains("a row of 1 fields"), "{narrow}");
    assert!(writer.write_headers(&["again"]).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    let bytes = writer.finish().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.len() as u64, bytes);
    assert!(text.starts_with("n,note,rest\r\n0,\"'=SUM(A1),\"\"x\"\"\",\r\n"), "{text:.60}");
    assert_eq!(text.lines().count(), 20_001);
    // Dropped in the middle, and without headers.
    let mut dropped = open(CsvOptions::default());
    dropped.write_row(&ValueRow(&row(1, "a"))).unwrap();
    drop(dropped);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let mut bare = open(CsvOptions { line_end: LineEnd::Lf, ..CsvOptions::default() });
    bare.write_row(&ValueRow(&row(1, "a"))).unwrap();
    bare.finish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1,a,\n");
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1, "no part is left");
    bench.assert_clean();
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let bench = Bench::new(MIB);
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("numbers.txt");
    fs::write(&path, "before").unwrap();
    let torn = Stream::from_source(&bench.engine, || {
        Ok((0..100_000_u64).map(|n| if n == 90_000 { Err(Error::invalid("torn")) } else { Ok(n) }))
    });
    let line = |n: &u64, out: &mut Vec<u8>| {
        out.extend_from_slice(format!("{n}\n").as_bytes());
        Ok(())
    };
    assert_eq!(torn.to_file(&path, line).unwrap_err().to_string(), "torn");
    assert_eq!(fs::read_to_string(&path).unwrap(), "before");
    let (whole, _) = counted(&bench.engine, 100_000);
    let bytes = whole.to_file(&path, line).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.len() as u64, bytes);
    assert!(text.lines().map(|line| line.parse::<u64>().unwrap()).eq(0..100_000));
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1, "no part is left");
    bench.assert_clean();
}

#[test]
fn records_of_other_names_are_not_written_under_the_first_ones() {
    let bench = Bench::new(MIB);
    let work = tempfile::tempdir().unwrap();
    let records =
        [Record::new(&["a"], &[Some("1")]).unwrap(), Record::new(&["b"], &[Some("2")]).unwrap()];
    let stream = Stream::from_iter(&bench.engine, records);
    let error = stream.to_csv(work.path().join("mixed.csv")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
}
