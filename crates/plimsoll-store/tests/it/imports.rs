//! Files into a resource: types, wrong rows, rows that are there, compression.
//!
//! Promises: what a summary counts is what the table and the file of rejected rows hold.
//! Never: a resumed run; those are in `resumed`.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use plimsoll::format::{Format, MappingOptions};
use plimsoll::record::{Money, Timestamp, Value};
use plimsoll_store::catalogue::ColumnRole;
use plimsoll_store::import::{self, Import, ImportOptions, ImportSummary, OnError};
use plimsoll_store::{ErrorKind, OnConflict, Result};

use crate::fixture::{Fixture, NOW, either, generated, int, kind, text};

const TABLE: &str = "
create table item (
  id integer primary key,
  code text not null unique,
  name text,
  price MONEY,
  sold TIME,
  stock integer not null default 3 constraint stock_is_there check (stock >= 0)
) strict;";

pub(crate) fn fixture() -> Fixture {
    Fixture::with(TABLE, |resource| {
        generated(resource, "id");
        let stock = resource.schema.position("stock").expect("a column");
        resource.roles[stock] = ColumnRole::Defaulted;
    })
}

pub(crate) fn options() -> ImportOptions {
    ImportOptions {
        format: Format::Csv,
        mapping: MappingOptions::default(),
        on_error: OnError::Stop,
        on_conflict: OnConflict::Error,
        dry_run: false,
        rejects: None,
        rejects_max: None,
        number_column: None,
        set_indexes_aside: false,
        reader: plimsoll::format::ReaderOptions::default(),
        batch_bytes_max: plimsoll::limits::IMPORT_BATCH_BYTES,
        output_bytes_max: None,
    }
}

pub(crate) fn rejects(fixture: &Fixture) -> PathBuf {
    fixture.directory.path().join("rejects.csv")
}

/// As [`options`], but wrong rows go to a file.
pub(crate) fn lenient(fixture: &Fixture) -> ImportOptions {
    let rejects = Some(rejects(fixture));
    ImportOptions { on_error: OnError::Continue, rejects, ..options() }
}

pub(crate) fn load(
    fixture: &Fixture,
    bytes: &[u8],
    options: ImportOptions,
    identity: Option<&str>,
    progress: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<ImportSummary> {
    let import = Import {
        resource: fixture.table("item"),
        input: Box::new(std::io::Cursor::new(bytes.to_vec())),
        options,
        identity: identity.map(Into::into),
        now_micros: NOW,
    };
    import::run(&fixture.store, import, &mut |_| progress())
}

fn whole(fixture: &Fixture, bytes: &[u8], options: ImportOptions) -> Result<ImportSummary> {
    load(fixture, bytes, options, None, &mut || ControlFlow::Continue(()))
}

#[test]
fn csv_texts_become_the_columns_types() {
    let fixture = fixture();
    let csv = "\u{feff}Name,code,PRICE,sold,note\r\n\
               \"te\"\"a\r\n, \",a,2.55,2010-12-01 08:26:00,x\r\n\
               ,b,,,\r\n\"\",c,-0.0001,2010-12-01T08:26:00.5+01:00,\r\n";
    let mapping = MappingOptions { ignore_unknown: true, ..MappingOptions::default() };
    let summary = whole(&fixture, csv.as_bytes(), ImportOptions { mapping, ..options() });
    assert_eq!(summary.expect("imported").total.rows, 3);
    let found = fixture.rows("select name, code, price, sold, stock from item order by id");
    let price = |text: &str| Value::Int(text.parse::<Money>().expect("money").units());
    let time = |text: &str| Value::Int(text.parse::<Timestamp>().expect("a time").micros());
    let first = vec![text("te\"a\r\n, "), text("a"), price("2.55"), time("2010-12-01 08:26:00")];
    let third = vec![text(""), text("c"), price("-0.0001"), time("2010-12-01 07:26:00.5")];
    let stock = |row: Vec<Value>| row.into_iter().chain([Value::Int(3)]).collect::<Vec<_>>();
    let second = vec![Value::Null, text("b"), Value::Null, Value::Null];
    assert_eq!(found, [stock(first), stock(second), stock(third)]);
}

#[test]
fn ndjson_objects_fill_the_columns_they_have() {
    let fixture = fixture();
    let json = "{\"code\":\"a\",\"price\":2.55}\n{\"stock\":0,\"code\":\"b\",\"name\":null}\n\
                {\"code\":\"c\",\"name\":\"\\u00e9\"}\n";
    let format = Format::Ndjson;
    whole(&fixture, json.as_bytes(), ImportOptions { format, ..options() }).expect("imported");
    let found = fixture.rows("select code, name, price, stock from item order by id");
    let wanted = [
        vec![text("a"), Value::Null, Value::Int(25_500), Value::Int(3)],
        vec![text("b"), Value::Null, Value::Null, Value::Int(0)],
        vec![text("c"), text("é"), Value::Null, Value::Int(3)],
    ];
    assert_eq!(found, wanted);
}

#[test]
fn an_update_writes_only_the_columns_a_record_has() {
    let fixture = fixture();
    let whole_rows = "{\"code\":\"a\",\"name\":\"A\",\"price\":1}\n";
    let format = Format::Ndjson;
    whole(&fixture, whole_rows.as_bytes(), ImportOptions { format, ..options() })
        .expect("imported");
    // The first record makes every column known; the second says nothing of the name.
    let partly = "{\"code\":\"b\",\"name\":\"B\",\"price\":2}\n{\"code\":\"a\",\"price\":3}\n";
    let on_conflict = OnConflict::Update;
    let update = ImportOptions { format, on_conflict, ..options() };
    whole(&fixture, partly.as_bytes(), update).expect("imported");
    let found = fixture.rows("select name, price from item where code = 'a'");
    assert_eq!(found, [vec![text("A"), Value::Int(30_000)]]);
}

#[test]
fn columns_are_renamed_and_unknown_ones_refused_by_name() {
    let fixture = fixture();
    let csv = b"Artikel,code\nx,a\n";
    let (kind, message) = kind(whole(&fixture, csv, options()));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("Artikel"), "{message}");
    let renames = vec![("Artikel".into(), "name".into())];
    let mapping = MappingOptions { renames, ..MappingOptions::default() };
    whole(&fixture, csv, ImportOptions { mapping, ..options() }).expect("imported");
    assert_eq!(fixture.value("select name from item"), text("x"));
}

#[test]
fn a_wrong_row_stops_behind_everything_before_it() {
    let fixture = fixture();
    let csv = b"code,price\na,1\nb,2\nc,1.23456\nd,4\n";
    for run in 0..2 {
        let answer =
            load(&fixture, csv, options(), Some("file"), &mut || ControlFlow::Continue(()));
        let (kind, message) = kind(answer);
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(message.contains("line 4") && message.contains("price"), "run {run}: {message}");
        assert!(message.contains("the 2 rows committed before it stand"), "run {run}: {message}");
        assert_eq!(fixture.count("item"), 2, "run {run}: the wrong row is met again, not passed");
    }
    let skip = ImportOptions { on_conflict: OnConflict::Skip, ..options() };
    let mended = b"code,price\na,1\nb,2\nc,1.2345\nd,4\n";
    let summary = whole(&fixture, mended, skip).expect("the corrected file");
    assert_eq!((summary.total.rows, summary.total.skipped), (2, 2));
    assert_eq!(fixture.count("item"), 4);
}

#[test]
fn wrong_rows_go_to_their_file_with_line_and_reason_and_the_rest_goes_on() {
    let fixture = fixture();
    let csv = "code,price,stock\na,1,1\nb,x,1\n\"c\nc\",1,1\nd,\"=1,\"\"2\",1\n,5,1\na,6,1\n\
               e,7,-1\nf,8,2\ng,9\n";
    let summary = whole(&fixture, csv.as_bytes(), lenient(&fixture)).expect("imported");
    assert_eq!((summary.total.rows, summary.total.rejected), (3, 6));
    let kept = fixture.rows("select code from item order by id");
    assert_eq!(kept.concat(), [text("a"), text("c\nc"), text("f")]);
    let file = std::fs::read_to_string(rejects(&fixture)).expect("the file");
    assert!(file.starts_with("line,reason,record\n"), "{file}");
    for (line, record, reason) in [
        (3, "\"b,x,1\"", "price"),
        (6, "\"d,\"\"=1,\"\"\"\"2\"\",1\"", "price"),
        (7, "\",5,1\"", "code"),
        (8, "\"a,6,1\"", "the same code"),
        (9, "\"e,7,-1\"", "stock_is_there"),
        (11, "\"g,9\"", "2"),
    ] {
        let row = file.lines().find(|l| l.starts_with(&format!("{line},")));
        let row = row.unwrap_or_else(|| panic!("line {line} is missing in\n{file}"));
        assert!(row.ends_with(record) && row.contains(reason), "{row}");
    }
    assert_eq!(file.lines().count(), 7, "{file}");
}

#[test]
fn going_on_behind_wrong_rows_needs_a_file_for_them() {
    let fixture = fixture();
    let on_error = OnError::Continue;
    let answer = whole(&fixture, b"code\na\n", ImportOptions { on_error, ..options() });
    assert_eq!(kind(answer).0, ErrorKind::Invalid);
}

#[test]
fn a_row_that_is_there_is_an_error_left_or_changed_as_asked() {
    let csv = b"code,name\na,new\nb,new\n";
    let old = |on_conflict| {
        let fixture = fixture();
        whole(&fixture, b"code,name,price\na,old,7\n", options()).expect("the first");
        let answer = whole(&fixture, csv, ImportOptions { on_conflict, ..options() });
        (fixture.rows("select code, name, price from item order by code"), answer)
    };
    let (found, answer) = old(OnConflict::Error);
    let (kind, message) = kind(answer);
    assert_eq!((kind, found.len()), (ErrorKind::Invalid, 1));
    assert!(message.contains("line 2") && message.contains("the same code"), "{message}");
    let price = Value::Int(70_000);
    let b = vec![text("b"), text("new"), Value::Null];
    let (found, answer) = old(OnConflict::Skip);
    assert_eq!(found, [vec![text("a"), text("old"), price.clone()], b.clone()]);
    let total = answer.expect("imported").total;
    assert_eq!((total.rows, total.skipped), (1, 1));
    let (found, answer) = old(OnConflict::Update);
    assert_eq!(found, [vec![text("a"), text("new"), price], b]);
    assert_eq!(answer.expect("imported").total.rows, 2);
}

#[test]
fn a_dry_run_checks_everything_and_changes_nothing() {
    let fixture = fixture();
    whole(&fixture, b"code\na\n", options()).expect("a row");
    let mut csv = b"code,stock\n".to_vec();
    for row in 0..9_000 {
        let code = if row == 4_500 { "a".to_owned() } else { format!("c{row}") };
        writeln!(csv, "{code},{}", if row == 8_000 { "x" } else { "1" }).expect("memory");
    }
    let dry = ImportOptions { dry_run: true, ..lenient(&fixture) };
    let total = load(&fixture, &csv, dry, Some("f"), &mut || ControlFlow::Continue(()));
    let total = total.expect("a dry run").total;
    assert_eq!((total.rows, total.rejected), (8_998, 2));
    assert_eq!(fixture.count("item"), 1);
    assert_eq!(fixture.store.state("import", "f").wait().expect("read"), None);
    let state = either("plimsoll_state", "plimsoll.state");
    assert_eq!(int(&fixture.value(&format!("select count(*) from {state}"))), 0);
}

#[test]
fn records_rejected_while_a_batch_is_on_its_way_are_counted() {
    for on_conflict in [OnConflict::Error, OnConflict::Skip, OnConflict::Update] {
        let fixture = fixture();
        let mut csv = b"code,stock\n".to_vec();
        for row in 0..10_000 {
            let stock = if row % 1_000 == 500 { "many" } else { "1" };
            writeln!(csv, "c{},{stock}", row % 9_999).expect("memory");
        }
        let options = ImportOptions { on_conflict, ..lenient(&fixture) };
        let total = whole(&fixture, &csv, options).expect("imported").total;
        let twice = u64::from(on_conflict == OnConflict::Error);
        assert_eq!(total.rejected, 10 + twice, "{on_conflict:?}");
        let skipped = u64::from(on_conflict == OnConflict::Skip);
        assert_eq!(
            (total.rows, total.skipped),
            (9_990 - twice - skipped, skipped),
            "{on_conflict:?}"
        );
        let file = std::fs::read_to_string(rejects(&fixture)).expect("the file");
        assert_eq!(file.lines().count() as u64, 1 + total.rejected, "{on_conflict:?}");
        assert_eq!(fixture.count("item"), 9_989, "{on_conflict:?}");
    }
}

#[test]
fn a_file_of_wrong_rows_alone_ends_with_all_of_them_rejected() {
    let fixture = fixture();
    let csv = format!("code,stock\n{}", "x,many\n".repeat(9_001));
    let mut commits = 0;
    let mut count = || {
        commits += 1;
        ControlFlow::Continue(())
    };
    let answer = load(&fixture, csv.as_bytes(), lenient(&fixture), Some("f"), &mut count);
    let total = answer.expect("imported").total;
    assert_eq!((total.rows, total.rejected, total.record), (0, 9_001, 9_001));
    assert!(commits >= 3, "only {commits} checkpoints over 9,001 rejected rows");
}

#[test]
fn compression_is_recognised_by_content() {
    let csv = b"code\na\nb\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(csv).expect("memory");
    let zstd = zstd::encode_all(&csv[..], 1).expect("memory");
    for bytes in [csv.to_vec(), gzip.finish().expect("memory"), zstd] {
        let fixture = fixture();
        assert_eq!(whole(&fixture, &bytes, options()).expect("imported").total.rows, 2);
    }
}

#[test]
fn a_file_that_unpacks_beyond_its_bound_is_refused_and_its_committed_rows_stand() {
    let fixture = fixture();
    let csv: String = (0..20_000).map(|n| format!("code {n}\n")).collect();
    let zstd = zstd::encode_all(format!("code\n{csv}").as_bytes(), 1).expect("memory");
    let bound = ImportOptions { output_bytes_max: Some(150_000), ..options() };
    let (kind, message) = kind(whole(&fixture, &zstd, bound));
    assert_eq!(kind, ErrorKind::TooLarge, "{message}");
    let there = fixture.count("item");
    assert!((4_000..20_000).contains(&there), "{there} rows");
}
