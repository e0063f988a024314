//! An import that stopped anywhere goes on with no row lost and none there twice.
//!
//! Promises: a stop after every batch; a file cut off in the middle; rejected rows once each.
//! Never: a kill; that is in `killed`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::ControlFlow;

use plimsoll::format::Format;
use plimsoll::limits::IMPORT_BATCH_ROWS;
use plimsoll_store::import::{ImportOptions, ImportSummary};
use plimsoll_store::{ErrorKind, OnConflict, Result};

use crate::fixture::{Fixture, int, kind};
use crate::imports::{fixture, lenient, load, options, rejects};

const ROWS: usize = 5 * IMPORT_BATCH_ROWS + 123;

/// Unique codes; every row tells its number.
fn csv(rows: usize) -> Vec<u8> {
    let mut out = b"code,stock,name\n".to_vec();
    for row in 0..rows {
        writeln!(out, "c{row},{row},\"line\n{row}\"").expect("memory");
    }
    out
}

fn ndjson(rows: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for row in 0..rows {
        writeln!(out, "{{\"stock\":{row},\"code\":\"c{row}\"}}").expect("memory");
    }
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// Runs with a stop after `commits` calls of progress.
fn stopping(
    fixture: &Fixture,
    bytes: &[u8],
    options: ImportOptions,
    mut commits: usize,
) -> Result<ImportSummary> {
    load(fixture, bytes, options, Some("file"), &mut || {
        if commits == 0 {
            return ControlFlow::Break(());
        }
        commits -= 1;
        ControlFlow::Continue(())
    })
}

fn is_whole(fixture: &Fixture, rows: usize) {
    let sums = fixture
        .store
        .query("select count(*), count(distinct code), cast(sum(stock) as bigint) from item", 1)
        .wait()
        .expect("sums");
    let found: Vec<i64> = sums[0].iter().map(int).collect();
    let rows = i64::try_from(rows).expect("few");
    assert_eq!(found, [rows, rows, rows * (rows - 1) / 2]);
}

#[test]
fn a_stop_after_any_batch_is_resumed_with_every_row_once() {
    let files = [
        (Format::Csv, csv(ROWS)),
        (Format::Csv, gzip(&csv(ROWS))),
        (Format::Ndjson, zstd::encode_all(&ndjson(ROWS)[..], 1).expect("memory")),
    ];
    for (format, file) in files {
        for commits in 0..7 {
            let fixture = fixture();
            let with = || ImportOptions { format, ..options() };
            let first = stopping(&fixture, &file, with(), commits).expect("a part");
            assert!(first.total.done == (commits > 4), "{commits}");
            assert_eq!(fixture.count("item") as u64, first.total.rows, "{commits}");
            let second = stopping(&fixture, &file, with(), usize::MAX).expect("the rest");
            assert_eq!(second.resumed_rows, first.total.rows);
            assert_eq!(second.total.rows, ROWS as u64);
            is_whole(&fixture, ROWS);
            let third = stopping(&fixture, &file, with(), usize::MAX).expect("nothing");
            assert!(third.was_done && third.total == second.total, "{third:?}");
        }
    }
}

#[test]
fn stops_at_every_batch_one_after_another_come_to_the_end() {
    let (fixture, file) = (fixture(), csv(ROWS));
    let mut runs = 0;
    while !stopping(&fixture, &file, options(), 0).expect("a part").total.done {
        runs += 1;
        assert!(runs < 20, "no progress");
    }
    is_whole(&fixture, ROWS);
}

#[test]
fn a_file_cut_off_keeps_what_was_committed_and_the_whole_one_goes_on() {
    let file = gzip(&csv(ROWS));
    for keep in [file.len() / 3, file.len() * 2 / 3, file.len() - 9] {
        let fixture = fixture();
        let (kind, message) = kind(stopping(&fixture, &file[..keep], options(), usize::MAX));
        assert_eq!(kind, ErrorKind::Corrupt, "{message}");
        assert!(message.contains("cut off"), "{message}");
        let there = fixture.count("item");
        assert!(there > 0, "{keep} of {} bytes", file.len());
        stopping(&fixture, &file, options(), usize::MAX).expect("the whole file");
        is_whole(&fixture, ROWS);
    }
}

/// Every 100th row is wrong, every 1000th repeats the code of the row before.
fn dirty(rows: usize) -> (Vec<u8>, BTreeSet<u64>) {
    let (mut out, mut wrong) = (b"code,stock\n".to_vec(), BTreeSet::new());
    for row in 0..rows {
        let (code, stock) = match row {
            n if n % 1_000 == 999 => (n - 1, n.to_string()),
            n if n % 100 == 50 => (n, "many".to_owned()),
            n => (n, n.to_string()),
        };
        if row % 1_000 == 999 || row % 100 == 50 {
            wrong.insert(row as u64 + 2);
        }
        writeln!(out, "c{code},{stock}").expect("memory");
    }
    (out, wrong)
}

fn rejected_lines(fixture: &Fixture) -> Vec<u64> {
    let file = std::fs::read_to_string(rejects(fixture)).expect("the file of rejected rows");
    let numbers = file.lines().skip(1).map(|l| l.split(',').next().expect("a line number"));
    let mut lines: Vec<u64> = numbers.map(|n| n.parse().expect("a number")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn rejected_rows_stand_in_their_file_once_wherever_a_run_stopped() {
    let (file, wrong) = dirty(ROWS);
    let wanted: Vec<u64> = wrong.into_iter().collect();
    for on_conflict in [OnConflict::Error, OnConflict::Skip] {
        for commits in 0..6 {
            let fixture = fixture();
            let with = || ImportOptions { on_conflict, ..lenient(&fixture) };
            stopping(&fixture, &file, with(), commits).expect("a part");
            let total = stopping(&fixture, &file, with(), usize::MAX).expect("the rest").total;
            let repeats = (ROWS / 1_000) as u64;
            let (rejected, skipped) = match on_conflict {
                OnConflict::Skip => (wanted.len() as u64 - repeats, repeats),
                _ => (wanted.len() as u64, 0),
            };
            assert_eq!((total.rejected, total.skipped), (rejected, skipped), "stop at {commits}");
            assert_eq!(total.rows, ROWS as u64 - rejected - skipped, "stop at {commits}");
            assert_eq!(fixture.count("item") as u64, total.rows, "stop at {commits}");
            let lines = rejected_lines(&fixture);
            assert_eq!(lines.len() as u64, rejected, "stop at {commits}");
            if on_conflict == OnConflict::Error {
                assert_eq!(lines, wanted, "stop at {commits}");
            }
        }
    }
}

#[test]
fn a_cut_behind_a_batch_that_was_sent_twice_rejects_no_row_twice() {
    let (file, wrong) = dirty(ROWS);
    let wanted: Vec<u64> = wrong.into_iter().collect();
    // The file ends early just behind wrong records of the batch after the one on its way.
    for rows in [IMPORT_BATCH_ROWS + 900, 2 * IMPORT_BATCH_ROWS + 1_200, 4 * IMPORT_BATCH_ROWS] {
        let fixture = fixture();
        let bytes = dirty(rows).0.len();
        let cut = [gzip(&file[..bytes]), vec![0x1f, 0x8b, 8]].concat();
        stopping(&fixture, &cut, lenient(&fixture), usize::MAX).expect_err("cut off");
        let total = stopping(&fixture, &file, lenient(&fixture), usize::MAX).expect("whole").total;
        assert_eq!(rejected_lines(&fixture), wanted, "cut behind {rows} rows");
        assert_eq!(total.rejected, wanted.len() as u64, "cut behind {rows} rows");
        assert_eq!(fixture.count("item") as u64, total.rows);
    }
}

#[test]
fn a_file_of_rejected_rows_that_lost_its_end_is_noticed() {
    let (file, _) = dirty(ROWS);
    let fixture = fixture();
    stopping(&fixture, &file, lenient(&fixture), 2).expect("a part");
    std::fs::write(rejects(&fixture), "line,reason,record\n").expect("truncated");
    let (kind, message) = kind(stopping(&fixture, &file, lenient(&fixture), usize::MAX));
    assert_eq!(kind, ErrorKind::Corrupt, "{message}");
    assert!(message.contains("rejects.csv"), "{message}");
}
