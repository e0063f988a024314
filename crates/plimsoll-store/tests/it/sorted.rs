//! Rows sorted without an index: the order of the database itself, for every kind of value.
//!
//! Promises: what is small enough for the database to sort is the model of what is sorted here.
//! Never: a sort of more than ten thousand rows.

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::format::{Ndjson, RowEncoder};
use plimsoll::limits::{FRAME_BYTES, ROW_BYTES_MAX};
use plimsoll::record::Value;
use plimsoll::spill::SpillOptions;
use plimsoll::storage::Disk;
use plimsoll_store::{
    ErrorKind, Order, Page, PageEnd, Position, Resource, Result, SORT_WORKSPACE_BYTES_MIN,
    SortRequest, SortSpace, sort,
};

use crate::fixture::{Fixture, either, filtered, kind, lines, page, repeated, request, walk};

const COLUMNS: [&str; 4] = ["number", "note", "bytes", "mixed"];

/// Four thousand rows with a key of two columns, of which one descends in the table's own path.
fn mixed() -> Fixture {
    let fixture = Fixture::new(&format!(
        "create table t (
           k text not null, n integer not null, number real, note text, bytes blob, mixed ANY,
           few integer, primary key (n{}, k)) strict, without rowid;",
        either(" desc", "")
    ));
    let (mixed, bytes, text) = (
        either(
            "case i % 6 when 0 then null when 1 then i % 50 when 2 then i % 50 + 0.5
               when 3 then 'x' || i % 50 when 4 then x'00ff' else 9007199254740992 + i % 3 end",
            "case i % 3 when 0 then null else 'x' || i % 50 end",
        ),
        either("randomblob(i % 3)", "substr(sha256(int8send(i)), 1, (i % 3)::int)"),
        either(
            "char(97 + i % 3, 0x1f600 + i % 40, 65 + i % 26)",
            "chr(97 + i % 3) || chr(128512 + i % 40) || chr(65 + i % 26)",
        ),
    );
    let sql = format!(
        "
        insert into t with recursive i(i) as (select 0 union all select i + 1 from i
          where i < 3999)
        select 'k' || i % 7, i * 37 % 4001,
               case when i % 5 = 0 then null else (i * 31 % 997 - 500) / 8.0 end,
               case i % 6 when 0 then null when 1 then '' when 2 then 'Ä' || i % 9 else {text} end,
               case i % 4 when 0 then null else {bytes} end, {mixed}, i % 3
        from i"
    );
    fixture.execute(&sql);
    fixture
}

/// Everything below a workspace of `bytes`, in pieces.
fn sorted(
    fixture: &Fixture,
    table: &Arc<Resource>,
    order: &str,
    from: Option<Position>,
    bytes: u64,
) -> Result<Vec<u8>> {
    let budget = Budget::new(64 << 20, 0, Arc::new(Unmeasured)).expect("a budget");
    let consumer = budget.consumer("sort").expect("a consumer");
    let spill = fixture.directory.path().join("spill");
    std::fs::create_dir_all(&spill).expect("a directory");
    let space = SortSpace {
        storage: Arc::new(Disk),
        directory: spill.clone(),
        options: SpillOptions::default(),
        consumer: consumer.clone(),
        workspace_bytes: bytes,
    };
    let encoder: Box<dyn RowEncoder> = Box::new(Ndjson::new(table.column_names()));
    let request = SortRequest {
        resource: table.clone(),
        filter: None,
        search: None,
        order: Arc::new(Order::parse(table, order).expect("an order")),
        from,
        columns: table.all_columns().into(),
        encoder,
        separator: b"",
        horizon: None,
    };
    let made = sort(&fixture.store, request, &space, &|| false).and_then(|mut range| {
        let (mut out, mut piece) = (Vec::new(), Vec::new());
        let mut extra = consumer.try_reserve(0).expect("nothing");
        while range.fill(&mut piece, FRAME_BYTES, &mut extra)? {
            out.append(&mut piece);
        }
        out.append(&mut piece);
        Ok(out)
    });
    assert_eq!(std::fs::read_dir(&spill).expect("a directory").count(), 0);
    assert_eq!(budget.reserved_bytes(), 0, "everything is given back");
    made
}

#[test]
fn the_order_is_the_databases_own_for_every_kind_of_value_and_direction() {
    let fixture = mixed();
    let table = fixture.table("t");
    for column in COLUMNS {
        for order in [column.to_owned(), format!("-{column}"), format!("few,-{column},-k")] {
            let own = walk(&fixture.store, false, || request(&table, &order)).expect("small");
            let made = sorted(&fixture, &table, &order, None, SORT_WORKSPACE_BYTES_MIN);
            assert!(lines(&made.expect("sorted")) == lines(&own), "{order}");
        }
    }
}

#[test]
fn a_sort_goes_on_behind_a_position() {
    let fixture = mixed();
    let table = fixture.table("t");
    for order in ["mixed", "-note,number"] {
        let own = lines(&walk(&fixture.store, false, || request(&table, order)).expect("small"));
        let mut first = request(&table, order);
        first.rows_max = 1_234;
        let Page { out, end, .. } = page(&fixture.store, first).expect("a page");
        let PageEnd::More(at) = end else { panic!("{order}: more follows") };
        let made = sorted(&fixture, &table, order, Some(at), SORT_WORKSPACE_BYTES_MIN);
        assert!(lines(&made.expect("sorted")) == own[lines(&out).len()..], "{order}");
    }
    let wrong = Some(Position(vec![Value::Null]));
    let refused = kind(sorted(&fixture, &table, "mixed", wrong, SORT_WORKSPACE_BYTES_MIN));
    assert_eq!(refused.0, ErrorKind::Invalid, "{refused:?}");
}

#[test]
fn a_row_larger_than_the_workspace_is_refused_and_nothing_is_held() {
    let fixture =
        Fixture::new("create table t (id integer primary key, x text, y integer) strict;");
    let large = repeated('x', ROW_BYTES_MAX / 3);
    fixture.execute(&format!("insert into t values (1, {large}, 2), (2, 'x', 1)"));
    let table = fixture.table("t");
    let refused = kind(sorted(&fixture, &table, "y", None, SORT_WORKSPACE_BYTES_MIN));
    assert_eq!(refused.0, ErrorKind::TooLarge, "{refused:?}");
    let made = sorted(&fixture, &table, "y", None, 8 << 20).expect("there is room");
    assert_eq!(lines(&made).len(), 2);
    assert!(page(&fixture.store, filtered(request(&table, "y"), "id = 2")).is_ok());
}
