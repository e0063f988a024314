//! What bounds a slice: time, bytes of a row, rows that may be sorted, and threads that survive.
//!
//! Promises: each bound is met from outside, and the request that was refused is helped by what
//! the refusal says.
//! Never: a sleep.

use std::time::Instant;

use plimsoll::format::{Ndjson, RowEncoder};
use plimsoll::limits::{
    FRAME_BYTES, FRAME_SLACK_BYTES, ROW_BYTES_MAX, SLICE_MS_MAX, UNINDEXED_SORT_ROWS_MAX,
};
use plimsoll::record::{Row, Value};
use plimsoll_store::{ErrorKind, PageEnd, Scope};

use crate::fixture::{Fixture, filtered, from, kind, lines, page, repeated, request, walk};

/// Rows made by the database itself, for tables too large to send.
fn numbers(rows: u64) -> Fixture {
    let fixture = Fixture::new(
        "create table t (id integer primary key, a integer not null, b integer not null) strict;
         create index by_a on t (a, id);",
    );
    let sql = format!(
        "insert into t (a, b) with recursive n(n) as (select 1 union all select n + 1 from n
           where n < {rows})
         select n % 10, n * 7 % 1000 from n"
    );
    fixture.execute(&sql);
    fixture
}

#[test]
fn a_filter_that_matches_nothing_ends_every_slice_in_time_and_goes_on() {
    let fixture = numbers(300_000);
    let table = fixture.table("t");
    for order in ["", "-id", "a", "-a"] {
        let (mut at, mut scanned, mut slices) = (None, 0, 0);
        loop {
            let asked = from(filtered(request(&table, order), "b * 2 = 1"), at, false);
            let began = Instant::now();
            let page = page(&fixture.store, asked).expect("a slice");
            let took = began.elapsed().as_millis();
            // A loaded machine may take the processor away for a while; a walk of it all would
            // take longer than this in any build that is not optimised.
            assert!(took < u128::from(SLICE_MS_MAX) * 10, "a slice took {took} ms");
            assert_eq!((page.rows, page.out.len()), (0, 0));
            assert!(page.rows_scanned > 0, "a slice that does not advance");
            (scanned, slices) = (scanned + page.rows_scanned, slices + 1);
            match page.end {
                PageEnd::Exhausted => break,
                PageEnd::More(next) => at = Some(next),
            }
        }
        assert_eq!(scanned, 300_000, "'{order}' in {slices} slices");
    }
    let snapshot = fixture.store.stats().snapshot_micros_max;
    assert!(snapshot < SLICE_MS_MAX * 10_000, "a snapshot was held for {snapshot} microseconds");
}

/// Two texts of 3 MiB each: every value within its bound, the row beyond it.
fn large_rows() -> Fixture {
    let fixture = Fixture::new(
        "create table t (id integer primary key, a text not null, b text not null) strict;",
    );
    let half = ROW_BYTES_MAX * 3 / 4;
    let sql = format!(
        "insert into t values (1, 'small', 'small');
         insert into t values (2, {}, {});
         insert into t values (3, 'small', 'small');
         insert into t values (4, {}, '');",
        repeated('x', half),
        repeated('y', half),
        repeated('\u{1}', 2_000_000)
    );
    fixture.execute(&sql);
    fixture
}

#[test]
fn a_row_beyond_the_bound_is_refused_whatever_room_the_buffer_has() {
    let fixture = large_rows();
    let table = fixture.table("t");
    for capacity in [0, FRAME_BYTES + FRAME_SLACK_BYTES, 2 * ROW_BYTES_MAX] {
        // Row 4 is 2 MB of a character that JSON writes in six.
        for key in [2, 4] {
            let mut asked = request(&table, "");
            asked.scope = Scope::Key(vec![Value::Int(key)]);
            asked.out = Vec::with_capacity(capacity);
            let (kind, message) = kind(page(&fixture.store, asked));
            assert_eq!(kind, ErrorKind::TooLarge, "{message}");
            assert!(message.contains("fields="), "{message}");
        }
    }
    let mut asked = request(&table, "");
    asked.scope = Scope::Key(vec![Value::Int(2)]);
    (asked.columns, asked.encoder) = ([0, 1].into(), Box::new(Ndjson::new(["id", "a"])));
    let page = page(&fixture.store, asked).expect("one large column is within the bound");
    assert!(page.out.len() > ROW_BYTES_MAX / 2);
}

#[test]
fn a_stream_that_meets_a_row_beyond_the_bound_has_given_the_rows_before_it_whole() {
    let fixture = large_rows();
    let table = fixture.table("t");
    let mut asked = request(&table, "");
    asked.rows_max = 1;
    let first = page(&fixture.store, asked).expect("the small row");
    assert_eq!(lines(&first.out), [r#"{"id":1,"a":"small","b":"small"}"#]);
    let PageEnd::More(next) = first.end else { panic!("more follows") };
    let answer = page(&fixture.store, from(request(&table, ""), Some(next), false));
    assert_eq!(kind(answer).0, ErrorKind::TooLarge);
}

#[test]
fn a_large_unindexed_sort_is_refused_with_the_index_that_serves_it() {
    let fixture = numbers(UNINDEXED_SORT_ROWS_MAX + 1);
    for order in ["-b", "a,b", "b,-a", "b,-id"] {
        let answer = page(&fixture.store, request(&fixture.table("t"), order));
        let error = answer.map(drop).expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Unindexed, "{order}: {error}");
        assert!(error.to_string().contains("more than 10000 rows"), "{error}");
        let remedy = error.remedy().expect("what to run");
        fixture.execute(remedy);
        let store = fixture.open(false);
        let table = store.catalogue().table("t").expect("the table").clone();
        let out = walk(&store, false, || request(&table, order)).expect("served");
        assert_eq!(lines(&out).len() as u64, UNINDEXED_SORT_ROWS_MAX + 1, "{order}: {remedy}");
        store.close().expect("closed");
    }
}

#[test]
fn an_unindexed_sort_up_to_the_limit_is_served() {
    let fixture = numbers(UNINDEXED_SORT_ROWS_MAX);
    let table = fixture.table("t");
    let mut asked = request(&table, "-b,a");
    asked.rows_max = 3;
    let page = page(&fixture.store, asked).expect("served");
    let wanted: Vec<String> = fixture
        .store
        .query("select id from t order by b desc, a, id limit 3", 3)
        .wait()
        .expect("rows")
        .iter()
        .map(|row| format!("{{\"id\":{},", crate::fixture::int(&row[0])))
        .collect();
    for (line, start) in lines(&page.out).iter().zip(&wanted) {
        assert!(line.starts_with(start), "{line} for {start}");
    }
}

/// Panics at every row, as a bug would.
struct Panics;

impl RowEncoder for Panics {
    fn begin(&mut self, _: &mut Vec<u8>) {}
    fn row(&mut self, _: &dyn Row, _: &mut Vec<u8>) -> plimsoll::Result<()> {
        panic!("an encoder with a bug");
    }
    fn end(&mut self, _: &mut Vec<u8>) {}
    fn row_bytes_max(&self, _: &dyn Row) -> plimsoll::Result<usize> {
        Ok(0)
    }
}

#[test]
fn a_panic_in_one_request_fails_that_request_and_no_other() {
    let fixture = numbers(10);
    let table = fixture.table("t");
    for _ in 0..8 {
        let mut asked = request(&table, "");
        asked.encoder = Box::new(Panics);
        assert_eq!(kind(page(&fixture.store, asked)).0, ErrorKind::Stopped);
    }
    let page = page(&fixture.store, request(&table, "")).expect("the readers are still there");
    assert_eq!(page.rows, 10);
    fixture.store.close().expect("the readers end in order");
    assert_eq!(fixture.store.stats().connections_used, 0, "a reader that is busy for ever");
}

#[test]
fn a_panic_in_the_writer_stops_writing_and_leaves_nobody_waiting() {
    let fixture = numbers(10);
    let table = fixture.table("t");
    let unit = |encoder| plimsoll_store::WriteUnit {
        writes: vec![fixture.insert("t", &["a", "b"], vec![Value::Int(1), Value::Int(2)])],
        read_back: Some(plimsoll_store::ReadBack {
            resource: table.clone(),
            key: None,
            columns: table.all_columns().into(),
            encoder,
        }),
        now_micros: crate::fixture::NOW,
        ..plimsoll_store::WriteUnit::default()
    };
    let normal = plimsoll_store::Priority::Normal;
    let names = || Box::new(Ndjson::new(table.column_names()));
    fixture.store.write(unit(names()), normal).wait().expect("a row");
    assert_eq!(
        kind(fixture.store.write(unit(Box::new(Panics)), normal).wait()).0,
        ErrorKind::Stopped
    );
    assert_eq!(kind(fixture.store.write(unit(names()), normal).wait()).0, ErrorKind::Stopped);
    assert_eq!(fixture.count("t"), 11, "what was acknowledged is there, and nothing else");
    fixture.store.close().expect("the writer ends in order");
}

#[test]
fn a_key_with_too_few_values_names_no_row() {
    let fixture = numbers(3);
    let mut asked = request(&fixture.table("t"), "");
    asked.scope = Scope::Key(Vec::new());
    assert_eq!(kind(page(&fixture.store, asked)).0, ErrorKind::Invalid);
    let mut asked = request(&fixture.table("t"), "");
    asked.scope = Scope::Key(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(kind(page(&fixture.store, asked)).0, ErrorKind::Invalid);
}
