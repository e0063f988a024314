//! Rows as a stream of the library: all of them, again and again, and no more than is asked for.
//!
//! Promises: what comes out is compared with the database's own answer to SQL by hand.
//! Never: a table of one page; every walk crosses pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll::ErrorKind;
use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::record::{Value, ValueRef};
use plimsoll::stream::{LazyOptions, Stream, TypedRecord};
use plimsoll::typed::Engine;
use plimsoll_store::{
    AggregateRequest, Aggregated, Database, DatabaseStats, Page, PageRequest, Pending, Priority,
    Report, ReportRequest, Result, RowQuery, SnapshotRequest, Store, WriteOutcome, WriteUnit,
};

use crate::fixture::{Fixture, either};

const ROWS: usize = 3_000;

/// A database that counts what is asked of it: pages, rows, and bytes of rows.
struct Counted {
    store: Store,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    pages: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Counts {
    /// Since the last call.
    fn take(&self) -> (u64, u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::SeqCst);
        (take(&self.pages), take(&self.rows), take(&self.bytes))
    }
}

impl Database for Counted {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        let before = request.out.len();
        let answer = self.store.page(request).wait();
        if let Ok(page) = &answer {
            self.counts.pages.fetch_add(1, Ordering::SeqCst);
            self.counts.rows.fetch_add(page.rows, Ordering::SeqCst);
            self.counts.bytes.fetch_add((page.out.len() - before) as u64, Ordering::SeqCst);
        }
        Pending::ready(answer)
    }
    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.store.report(request)
    }
    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.store.snapshot(request)
    }
    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.store.aggregate(request)
    }
    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        self.store.query(sql, rows_max)
    }
    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        self.store.state(kind, key)
    }
    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        self.store.write(unit, priority)
    }
    fn ping(&self) -> Pending<()> {
        self.store.ping()
    }
    fn stats(&self) -> DatabaseStats {
        self.store.stats()
    }
    fn close(&self) -> Result<()> {
        self.store.close()
    }
}

struct Bench {
    fixture: Fixture,
    store: Store,
    counts: Arc<Counts>,
    budget: Budget,
    engine: Engine,
}

impl Bench {
    /// A table of every type, with NULLs and empty texts, by a key of two columns.
    fn new() -> Self {
        let fixture = Fixture::new(
            "create table t (k text not null, n integer not null, number real, note text,
               bytes blob, mixed ANY, primary key (n, k)) strict, without rowid;
             create index by_note on t (note, n, k);",
        );
        let blob = either("randomblob(i % 9)", "substr(sha256(int8send(i)), 1, i % 9)");
        let mixed = either("case i % 3 when 0 then i when 1 then i + 0.5 else 'x' || i end", "'x'");
        let sql = format!(
            "insert into t with recursive i(i) as
               (select 0 union all select i + 1 from i where i + 1 < {ROWS})
             select 'k' || (i % 7), i / 3, case when i % 5 > 0 then (i % 97 - 50) / 8.0 end,
               case i % 4 when 0 then null when 1 then '' else 'note ' || (i % 50) end,
               case when i % 3 > 0 then {blob} end, {mixed}
             from i"
        );
        fixture.execute(&sql);
        let counts = Arc::new(Counts::default());
        let counted = Counted { store: fixture.store.clone(), counts: Arc::clone(&counts) };
        let store = Store::new(Arc::new(counted), fixture.store.catalogue().clone());
        let budget = Budget::new(64 << 20, 0, Arc::new(Unmeasured)).expect("a budget");
        let consumer = budget.consumer("stream").expect("a consumer");
        let engine = Engine::new(consumer, 128 << 10, fixture.directory.path()).expect("an engine");
        Self { fixture, store, counts, budget, engine }
    }

    fn query(&self) -> RowQuery {
        RowQuery::new(&self.fixture.table("t")).expect("a query")
    }

    fn stream(&self, query: RowQuery) -> Stream<TypedRecord> {
        self.store.stream(&self.engine, query).expect("a stream")
    }

    fn by_hand(&self, sql: &str) -> Vec<Vec<Value>> {
        self.fixture.store.query(sql, usize::MAX).wait().expect("rows")
    }
}

fn all(stream: &Stream<TypedRecord>) -> Vec<Vec<Value>> {
    let values = |row: TypedRecord| row.values().map(ValueRef::to_owned).collect();
    stream.iter().map(|row| row.map(values)).collect::<plimsoll::Result<_>>().expect("rows")
}

#[test]
fn the_rows_of_a_stream_are_those_of_the_table_in_its_order() {
    let bench = Bench::new();
    let whole = bench.by_hand("select k, n, number, note, bytes, mixed from t order by n, k");
    assert_eq!(whole.len(), ROWS);
    for (batch_size, prefetch) in [(500, false), (7, true), (100_000, false)] {
        let mut query = bench.query();
        query.pages = LazyOptions { batch_size, prefetch, ..LazyOptions::default() };
        let rows = all(&bench.stream(query));
        assert!(rows == whole, "{batch_size}");
    }
    let query = bench.query().filtered("n > 500 and note = ''").expect("a filter");
    let query = query.ordered("note,n").expect("an order").with_columns(&["n", "note"]);
    let sql = "select n, note from t where n > 500 and note = '' order by note, n, k";
    assert_eq!(all(&bench.stream(query.expect("columns"))), bench.by_hand(sql));
    assert_eq!(bench.budget.reserved_bytes(), 0);
}

#[test]
fn every_epoch_reads_the_table_anew() {
    let bench = Bench::new();
    let stream = bench.stream(bench.query());
    let batches = |stream: &Stream<TypedRecord>| {
        let batches = stream.clone().batch(100).map(|batch| batch.len() as u64);
        batches.reduce(|a, b| a + b).expect("rows")
    };
    assert_eq!(batches(&stream), Some(ROWS as u64));
    assert_eq!(batches(&stream), Some(ROWS as u64), "the second epoch is not empty");
    let one = "insert into t values ('new', 5000, null, null, null, null)";
    bench.fixture.execute(one);
    assert_eq!(batches(&stream), Some(ROWS as u64 + 1), "and sees what came meanwhile");
}

#[test]
fn taking_reads_no_page_that_is_not_needed() {
    let bench = Bench::new();
    let mut query = bench.query();
    query.pages.batch_size = 100;
    let stream = bench.stream(query.clone());
    assert_eq!(bench.counts.take().0, 0, "nothing is read before it is asked for");
    for (taken, pages) in [(1, 1), (100, 1), (101, 2), (250, 3)] {
        assert_eq!(stream.clone().take(taken).count().expect("rows"), taken as u64);
        let (read, rows, _) = bench.counts.take();
        assert_eq!((read, rows), (pages, pages * 100), "{taken} rows");
    }
    query.pages.limit = Some(130);
    assert_eq!(bench.stream(query).count().expect("rows"), 130);
    assert_eq!(bench.counts.take().1, 130, "a limit cuts the last page");
}

#[test]
fn an_offset_passes_over_rows_by_their_keys_alone() {
    let bench = Bench::new();
    let whole = bench.by_hand("select k, n, number, note, bytes, mixed from t order by n, k");
    for offset in [0_usize, 1, 1_234, 2_999, 3_000, 5_000] {
        let mut query = bench.query();
        let limit = Some(40);
        query.pages = LazyOptions { offset: offset as u64, limit, ..LazyOptions::default() };
        let rows = all(&bench.stream(query));
        let expected = &whole[offset.min(whole.len())..(offset + 40).min(whole.len())];
        assert_eq!(rows, expected, "{offset}");
    }
    bench.counts.take();
    let mut query = bench.query();
    query.pages = LazyOptions { offset: 2_000, limit: Some(10), ..LazyOptions::default() };
    assert_eq!(bench.stream(query).count().expect("rows"), 10);
    let (pages, rows, bytes) = bench.counts.take();
    assert_eq!((pages, rows), (2, 2_010), "2000 keys in one page, ten rows in another");
    assert!(bytes < 10 * 100, "{bytes} bytes of rows were read");
}

#[test]
fn stages_that_spill_and_files_take_rows_of_a_table() {
    let bench = Bench::new();
    let work = tempfile::tempdir().expect("a folder");
    let by_note = |a: &TypedRecord, b: &TypedRecord| {
        let compare = plimsoll::record::compare;
        compare(a.field(3), b.field(3)).then(compare(a.field(1), b.field(1)))
    };
    let sorted = bench
        .stream(bench.query())
        .filter(|row| matches!(row.get("n"), Some(ValueRef::Int(n)) if n > 9));
    let sorted = sorted.sort_by(by_note);
    let sql = "select note, n from t where n > 9 order by note nulls first, n";
    let model: Vec<Vec<Value>> = bench.by_hand(sql);
    let two = |row: Vec<Value>| vec![row[3].clone(), row[1].clone()];
    assert_eq!(all(&sorted).into_iter().map(two).collect::<Vec<_>>(), model);
    assert!(bench.engine.spill_stats().written_bytes > 0, "it was more than the sort may hold");
    let groups = bench.stream(bench.query()).group_by(
        |row| row.get("n").map_or(0, |n| if let ValueRef::Int(n) = n { n } else { -1 }),
        |count: &mut u64, _| *count += 1,
        |count, more| *count += more,
    );
    assert_eq!(groups.filter(|(_, count)| *count == 3).count().expect("groups"), ROWS as u64 / 3);
    let path = work.path().join("t.csv");
    let csv = bench.stream(bench.query().with_columns(&["n", "note", "number"]).expect("columns"));
    csv.clone().take(5).to_csv(&path).expect("a file");
    let text = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(text.lines().next(), Some("n,note,number"));
    assert_eq!(text.lines().nth(2), Some("0,\"\",-6.125"), "{text}");
    assert_eq!(text.lines().nth(1), Some("0,,"), "{text}");
    csv.skip(2).take(1).to_jsonl(&path).expect("a file");
    let text = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(text, "{\"n\":0,\"note\":\"note 2\",\"number\":-6.0}\n", "numbers stay numbers");
}

#[test]
fn memory_of_a_stream_is_reserved_while_it_is_read_and_bounded_whatever_the_table() {
    let bench = Bench::new();
    let zeros = either("zeroblob(307200)", "decode(repeat('00', 307200), 'hex')");
    let wide = format!("update t set bytes = {zeros} where n % 50 = 0");
    bench.fixture.execute(&wide);
    let mut rows = bench.stream(bench.query()).iter();
    assert_eq!(bench.budget.reserved_bytes(), 288 << 10, "the buffers of a page");
    let mut most = 0;
    while rows.next().transpose().expect("a row").is_some() {
        most = most.max(bench.budget.reserved_bytes());
    }
    // A page ends behind its first wide row.
    assert!((588 << 10..1 << 20).contains(&most), "{most}");
    drop(rows);
    assert_eq!(bench.budget.reserved_bytes(), 0);
    let small = Budget::new(4 << 20, 0, Arc::new(Unmeasured)).expect("a budget");
    let narrow = small.child("narrow", 400 << 10).expect("a child");
    let consumer = narrow.consumer("stream").expect("a consumer");
    let engine = Engine::new(consumer, 128 << 10, bench.fixture.directory.path()).expect("one");
    let refused = bench.store.stream(&engine, bench.query()).expect("a stream").count();
    assert_eq!(refused.expect_err("no room").kind(), ErrorKind::OutOfBudget);
    assert_eq!(small.reserved_bytes(), 0);
}

#[test]
fn an_error_of_the_store_is_the_last_item_and_says_what_mends_it() {
    let bench = Bench::new();
    let more = "insert into t with recursive i(i) as (select 0 union all select i + 1 from i
                where i < 9000) select 'more', i, null, null, null, null from i";
    bench.fixture.execute(more);
    let mut rows = bench.stream(bench.query().ordered("mixed").expect("an order")).iter();
    let error = rows.next().expect("an item").expect_err("no index");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("; run: CREATE INDEX"), "{error}");
    assert!(rows.next().is_none());
    let mut query = bench.query();
    query.pages.batch_size = 0;
    assert!(bench.store.stream(&bench.engine, query).is_err());
    assert!(bench.query().with_columns(&["nope"]).is_err());
}
