//! A snapshot has the rows of one moment, whatever is written while it is read.
//!
//! Promises: the writer is another client, and writes between two pieces.
//! Never: a table that fits one piece.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll::expr;
use plimsoll::format::Ndjson;
use plimsoll::record::Value;
use plimsoll_store::{
    Error, ErrorKind, Order, PieceSink, Position, Priority, Resource, Result, SnapshotRequest,
    Store, Write, WriteUnit,
};

use crate::fixture::{Fixture, NOW, kind, lines, on_postgres};

const ROWS: i64 = 3_000;

fn fixture() -> Fixture {
    let fixture = Fixture::new(
        "create table t (id integer primary key, a integer, b integer not null) strict;
         create index by_a on t (a, id);",
    );
    fixture.execute(&format!(
        "insert into t with recursive n(n) as (select 1 union all select n + 1 from n
           where n < {ROWS})
         select n, nullif(n % 7, 0), n * 7 % 1000 from n"
    ));
    fixture
}

/// What came, and what happens between two pieces.
struct Taken {
    out: Arc<Mutex<Vec<u8>>>,
    between: Box<dyn FnMut() -> Result<()> + Send>,
}

impl PieceSink for Taken {
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.lock().expect("not poisoned").extend_from_slice(bytes);
        (self.between)()
    }
}

fn snapshot(
    store: &Store,
    table: &Arc<Resource>,
    (order, filter, from): (&str, &str, Option<Position>),
    between: impl FnMut() -> Result<()> + Send + 'static,
) -> Result<Vec<String>> {
    let filter = (!filter.is_empty())
        .then(|| expr::parse(filter, &table.schema).map(Arc::new))
        .transpose()?;
    let out = Arc::new(Mutex::new(Vec::new()));
    let request = SnapshotRequest {
        resource: Arc::clone(table),
        filter,
        search: None,
        order: Arc::new(Order::parse(table, order)?),
        from,
        horizon: None,
        columns: table.all_columns().into(),
        encoder: Box::new(Ndjson::new(table.column_names())),
        out: Vec::new(),
        extra: None,
        sink: Box::new(Taken { out: Arc::clone(&out), between: Box::new(between) }),
        timeout_ms: 60_000,
    };
    let rows = store.snapshot(request).wait()?;
    let lines = lines(&out.lock().expect("not poisoned"));
    assert_eq!(lines.len() as u64, rows);
    Ok(lines)
}

#[test]
fn a_snapshot_has_the_rows_of_its_first_moment_while_others_write() {
    let fixture = fixture();
    let table = fixture.table("t");
    let quiet = |order: &str, filter: &str| {
        snapshot(&fixture.store, &table, (order, filter, None), || Ok(())).expect(order)
    };
    for (order, filter) in [("", ""), ("a", ""), ("-a", "b < 500"), ("", "b = 3 or b > 990")] {
        let before = quiet(order, filter);
        let (store, resource) = (fixture.store.clone(), table.clone());
        let mut next = 0;
        let written = snapshot(&fixture.store, &table, (order, filter, None), move || {
            next += 1;
            // A row behind, a row in front, and a change of one that has not been read yet.
            let values = vec![Value::Int(100_000 + next), Value::Int(next % 7), Value::Int(3)];
            let writes = vec![
                Write::Insert {
                    resource: resource.clone(),
                    columns: [0, 1, 2].into(),
                    values,
                    on_conflict: plimsoll_store::OnConflict::Update,
                },
                Write::Update {
                    resource: resource.clone(),
                    key: vec![Value::Int(ROWS)],
                    set: vec![(2, Value::Int(next))],
                    if_version: None,
                },
            ];
            let unit = WriteUnit { writes, now_micros: NOW, ..WriteUnit::default() };
            // Another thread's, as in a server: the one that reads drives its connection.
            let store = store.clone();
            let written = std::thread::spawn(move || store.write(unit, Priority::Normal).wait());
            written.join().expect("no panic").map(drop)
        });
        assert_eq!(written.expect("a snapshot"), before, "'{order}' where '{filter}'");
        assert_ne!(quiet("", ""), before, "nothing was written meanwhile");
        fixture.execute(&format!("delete from t where id > {ROWS}"));
        fixture.execute(&format!("update t set b = {ROWS} * 7 % 1000 where id = {ROWS}"));
    }
}

#[test]
fn a_snapshot_goes_on_behind_a_position() {
    let fixture = fixture();
    let table = fixture.table("t");
    for order in ["", "a", "-a"] {
        let take =
            |from| snapshot(&fixture.store, &table, (order, "", from), || Ok(())).expect(order);
        let all = take(None);
        let at = 1_234;
        let row: serde_json::Value = serde_json::from_str(&all[at]).expect("JSON");
        let field = |name: &str| row[name].as_i64().map_or(Value::Null, Value::Int);
        let position = match order {
            "" => vec![field("id")],
            _ => vec![field("a"), field("id")],
        };
        assert_eq!(take(Some(Position(position))), all[at + 1..], "'{order}'");
    }
}

#[test]
fn an_order_without_an_index_is_refused_and_a_sink_ends_the_reading() {
    let fixture = fixture();
    let table = fixture.table("t");
    let unindexed = snapshot(&fixture.store, &table, ("b", "", None), || Ok(()));
    assert_eq!(kind(unindexed).0, ErrorKind::Unindexed);
    let mut pieces = 0;
    let full = snapshot(&fixture.store, &table, ("", "", None), move || {
        pieces += 1;
        if pieces < 3 { Ok(()) } else { Err(Error::new(ErrorKind::DiskFull, "no room")) }
    });
    assert_eq!(kind(full), (ErrorKind::DiskFull, "no room".to_owned()));
    let again = snapshot(&fixture.store, &table, ("", "", None), || Ok(())).expect("rows");
    assert_eq!(again.len() as i64, ROWS);
}

#[test]
fn a_reading_that_was_broken_off_leaves_no_snapshot_on_the_server() {
    if !on_postgres() {
        return;
    }
    let fixture = Fixture::new("create table t (id integer primary key, a text not null) strict;");
    fixture.execute("insert into t select n, repeat('x', 1000) from generate_series(1, 50000) n");
    let table = fixture.table("t");
    let broken = snapshot(&fixture.store, &table, ("", "", None), || {
        Err(Error::new(ErrorKind::DiskFull, "no room"))
    });
    assert_eq!(kind(broken).0, ErrorKind::DiskFull);
    let held = "select count(*) from pg_stat_activity where datname = current_database() \
                and backend_xmin is not null and pid <> pg_backend_pid()";
    let until = Instant::now() + Duration::from_secs(10);
    while fixture.value(held) != Value::Int(0) {
        assert!(Instant::now() < until, "a snapshot is still held");
    }
}
