//! Units of writing: wholly or not at all, each for itself, acknowledged when durable.
//!
//! Promises: every outcome and refusal a caller can meet, from the outside.
//! Never: what happens while units wait, or to a full disk; that is in `waiting`.

use std::sync::{Arc, Barrier};

use plimsoll::format::Ndjson;
use plimsoll::record::Value;
use plimsoll_store::{
    ErrorKind, OnConflict, Priority, ReadBack, RefusedRow, Remember, Write, WriteUnit,
};

use crate::fixture::{Fixture, NOW, int, kind, text};

const TABLES: &str = "
create table shelf (id integer primary key, code text not null unique) strict;
create table book (
  id integer primary key,
  title text not null,
  isbn text unique,
  shelf integer references shelf (id),
  copies integer not null default 1 constraint copies_are_there check (copies >= 0),
  made TIME not null,
  changed TIME not null,
  version integer not null default 1
) strict;";

pub(crate) fn fixture() -> Fixture {
    Fixture::with(TABLES, |resource| {
        resource.version = resource.schema.position("version");
        resource.created = resource.schema.position("made");
        resource.updated = resource.schema.position("changed");
    })
}

pub(crate) fn book(fixture: &Fixture, title: &str, isbn: Option<&str>) -> Write {
    let isbn = isbn.map_or(Value::Null, text);
    fixture.insert("book", &["title", "isbn"], vec![text(title), isbn])
}

pub(crate) fn unit(writes: Vec<Write>) -> WriteUnit {
    WriteUnit { writes, now_micros: NOW, ..WriteUnit::default() }
}

fn update(fixture: &Fixture, key: i64, set: &[(&str, Value)], if_version: Option<i64>) -> Write {
    let resource = fixture.table("book");
    let set = set.iter().map(|(n, v)| (resource.column(n).expect("a column"), v.clone())).collect();
    Write::Update { resource, key: vec![Value::Int(key)], set, if_version }
}

fn delete(fixture: &Fixture, key: i64, if_version: Option<i64>) -> Write {
    Write::Delete { resource: fixture.table("book"), key: vec![Value::Int(key)], if_version }
}

#[test]
fn a_unit_that_fails_harms_no_other_in_its_group() {
    let fixture = fixture();
    let barrier = Arc::new(Barrier::new(64));
    let threads: Vec<_> = (0..64)
        .map(|number| {
            let (store, barrier) = (fixture.store.clone(), barrier.clone());
            // Every third one repeats an ISBN within its own unit, behind a row that is fine.
            let wrong = number % 3 == 0;
            let isbn = format!("isbn {number}");
            let first = book(&fixture, &format!("a {number}"), Some(&isbn));
            let again = if wrong { isbn } else { format!("{isbn} b") };
            let writes = vec![first, book(&fixture, &format!("b {number}"), Some(&again))];
            std::thread::spawn(move || {
                barrier.wait();
                (number, store.write(unit(writes), Priority::Normal).wait())
            })
        })
        .collect();
    for thread in threads {
        let (number, answer) = thread.join().expect("no panic");
        if number % 3 == 0 {
            let (kind, message) = kind(answer);
            assert_eq!(kind, ErrorKind::Conflict, "{message}");
            assert!(message.contains("the same isbn"), "{message}");
        } else {
            assert_eq!(answer.expect("written").rows, [1, 1]);
        }
        // What was acknowledged is there for anybody else, and what failed is not.
        let sql = format!("select count(*) from book where title in ('a {number}', 'b {number}')");
        assert_eq!(int(&fixture.value(&sql)), if number % 3 == 0 { 0 } else { 2 }, "{number}");
    }
    let stats = fixture.store.stats();
    assert_eq!(stats.writes_waiting, 0);
    assert!(stats.commits <= 64, "{stats:?}");
}

#[test]
fn a_row_that_is_missing_or_at_another_version_is_said_to_be() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "one", None)]).expect("a row");
    let title = [("title", text("two"))];
    assert_eq!(kind(fixture.write(vec![update(&fixture, 9, &title, None)])).0, ErrorKind::NotFound);
    assert_eq!(
        kind(fixture.write(vec![update(&fixture, 9, &title, Some(1))])).0,
        ErrorKind::NotFound
    );
    assert_eq!(kind(fixture.write(vec![delete(&fixture, 9, Some(1))])).0, ErrorKind::NotFound);
    assert_eq!(kind(fixture.write(vec![update(&fixture, 1, &title, Some(2))])).0, ErrorKind::Stale);
    assert_eq!(kind(fixture.write(vec![delete(&fixture, 1, Some(2))])).0, ErrorKind::Stale);
    fixture.write(vec![update(&fixture, 1, &title, Some(1))]).expect("the right version");
    assert_eq!(int(&fixture.value("select version from book")), 2, "a write counts up");
    assert_eq!(fixture.value("select title from book"), text("two"));
    fixture.write(vec![delete(&fixture, 1, Some(2))]).expect("the right version");
    assert_eq!(fixture.count("book"), 0);
}

#[test]
fn a_contradiction_names_its_column() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "one", Some("x"))]).expect("a row");
    let insert = |columns: &[&str], values| fixture.insert("book", columns, values);
    let cases = [
        (insert(&["title", "isbn"], vec![text("b"), text("x")]), "the same isbn"),
        (insert(&["title", "shelf"], vec![text("b"), Value::Int(7)]), "a row that is not there"),
        (insert(&["title", "copies"], vec![text("b"), Value::Int(-1)]), "copies_are_there"),
        (insert(&["title"], vec![Value::Null]), "title must have a value"),
        (insert(&["title"], vec![Value::Bytes([0xff].into())]), "book.title"),
        (update(&fixture, 1, &[("copies", Value::Int(-1))], None), "copies_are_there"),
        (update(&fixture, 1, &[("copies", text("many"))], None), "book.copies"),
    ];
    for (write, named) in cases {
        let (kind, message) = kind(fixture.write(vec![write]));
        assert_eq!(kind, ErrorKind::Conflict, "{message}");
        assert!(message.contains(named), "{message} for {named}");
    }
    fixture.write(vec![fixture.insert("shelf", &["code"], vec![text("s")])]).expect("a shelf");
    let on_it = insert(&["title", "shelf"], vec![text("c"), Value::Int(1)]);
    fixture.write(vec![on_it]).expect("a book on it");
    let shelf = Write::Delete {
        resource: fixture.table("shelf"),
        key: vec![Value::Int(1)],
        if_version: None,
    };
    assert_eq!(kind(fixture.write(vec![shelf])).0, ErrorKind::Conflict);
}

#[test]
fn a_deferred_contradiction_fails_its_own_unit_and_not_the_group() {
    let fixture = Fixture::new(
        "create table a (id integer primary key) strict;
         create table b (
           id integer primary key,
           a integer not null references a (id) deferrable initially deferred
         ) strict;",
    );
    let lock = fixture.hold("b");
    let write = |value| {
        let insert = fixture.insert("b", &["a"], vec![Value::Int(value)]);
        let a = fixture.insert("a", &["id"], vec![Value::Int(1)]);
        let writes = if value == 1 { vec![insert, a] } else { vec![insert] };
        fixture.store.write(unit(writes), Priority::Normal)
    };
    let (right, wrong) = (write(1), write(2));
    lock.give_back();
    assert_eq!(kind(wrong.wait()).0, ErrorKind::Conflict);
    right.wait().expect("its own key is there by the end of the unit");
    assert_eq!((fixture.count("a"), fixture.count("b")), (1, 1));
}

#[test]
fn a_repeat_of_a_remembered_unit_gets_the_first_answer_until_it_expires() {
    let fixture = fixture();
    let table = fixture.table("book");
    let send = |title: &str, fingerprint: u8, now_micros: i64| {
        let unit = WriteUnit {
            writes: vec![book(&fixture, title, None)],
            read_back: Some(ReadBack {
                resource: table.clone(),
                key: None,
                columns: [0, 1].into(),
                encoder: Box::new(Ndjson::new(["id", "title"])),
            }),
            remember: Some(Remember {
                key: "k".into(),
                fingerprint: [fingerprint; 32],
                keep_seconds: 60,
                tag: 201,
            }),
            now_micros,
            ..WriteUnit::default()
        };
        fixture.store.write(unit, Priority::Normal).wait()
    };
    let first = send("one", 1, NOW).expect("written");
    assert_eq!((first.replayed, first.version, first.inserted_key), (None, Some(1), Some(1)));
    assert_eq!(first.body, b"{\"id\":1,\"title\":\"one\"}\n");
    let again = send("one", 1, NOW + 59_000_000).expect("replayed");
    assert_eq!((again.replayed, again.version, again.body), (Some(201), Some(1), first.body));
    assert_eq!(kind(send("two", 2, NOW + 59_000_000)).0, ErrorKind::KeyReused);
    assert_eq!(fixture.count("book"), 1);
    assert_eq!(send("two", 2, NOW + 60_000_000).expect("expired").replayed, None);
    assert_eq!(fixture.count("book"), 2);
}

#[test]
fn a_unit_that_failed_is_not_remembered() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "one", Some("x"))]).expect("a row");
    let send = |isbn: &str| {
        let remember =
            Remember { key: "k".into(), fingerprint: [7; 32], keep_seconds: 60, tag: 201 };
        let writes = vec![book(&fixture, "two", Some(isbn))];
        let unit = WriteUnit { remember: Some(remember), ..unit(writes) };
        fixture.store.write(unit, Priority::Normal).wait()
    };
    assert_eq!(kind(send("x")).0, ErrorKind::Conflict);
    assert_eq!(send("y").expect("done anew").replayed, None);
}

#[test]
fn a_trial_says_what_it_would_do_and_leaves_nothing() {
    let fixture = fixture();
    let put = Write::Put { kind: "test", key: "k".into(), state: "{}".into() };
    let writes = vec![book(&fixture, "one", None), put];
    let trial = WriteUnit { trial: true, ..unit(writes) };
    let outcome = fixture.store.write(trial, Priority::Normal).wait().expect("a trial");
    assert_eq!(outcome.rows, [1, 1]);
    assert_eq!(fixture.count("book"), 0);
    assert_eq!(fixture.store.state("test", "k").wait().expect("read"), None);
}

#[test]
fn refused_rows_come_back_with_the_statements_and_nothing_is_written() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "there", Some("x"))]).expect("a row");
    let rows = |isbns: &[&str]| {
        let values = isbns.iter().flat_map(|i| [text("b"), text(i)]).collect();
        fixture.insert("book", &["title", "isbn"], values)
    };
    let writes = vec![rows(&["a", "x", "b"]), rows(&["b", "c"])];
    let unit = WriteUnit { report_conflicts: true, ..unit(writes) };
    let outcome = fixture.store.write(unit, Priority::Normal).wait().expect("an answer");
    let places: Vec<usize> = outcome.refused.iter().map(|r: &RefusedRow| r.row).collect();
    assert_eq!(places, [1, 3], "the row that was there, and the one its own unit repeats");
    assert!(outcome.refused[0].message.contains("the same isbn"), "{:?}", outcome.refused);
    assert_eq!(outcome.returned.len(), 2);
    assert_eq!(fixture.count("book"), 1);
}

#[test]
fn a_row_that_is_there_is_left_or_takes_the_new_values_as_asked() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "old", Some("x"))]).expect("a row");
    let again = |on_conflict, title: &str| {
        let resource = fixture.table("book");
        let columns = [1, 2].into();
        let values = vec![text(title), text("x")];
        let writes = vec![Write::Insert { resource, columns, values, on_conflict }];
        let later = WriteUnit { now_micros: NOW + 5, ..unit(writes) };
        fixture.store.write(later, Priority::Normal).wait().expect("written")
    };
    let skipped = again(OnConflict::Skip, "new");
    assert_eq!((skipped.rows, skipped.inserted_key), (vec![0], None), "no row was made");
    assert_eq!(fixture.value("select title from book"), text("old"));
    assert_eq!(again(OnConflict::Update, "new").rows, [1]);
    let rows = fixture.rows("select title, made, changed, version from book");
    let wanted = vec![text("new"), Value::Int(NOW), Value::Int(NOW + 5), Value::Int(2)];
    assert_eq!(rows, [wanted]);
}

#[test]
fn an_upsert_finds_its_row_by_whichever_unique_set_is_the_same() {
    let fixture = fixture();
    fixture.write(vec![book(&fixture, "old", Some("x"))]).expect("a row");
    let upsert = |id: i64, title: &str, isbn: &str| {
        let resource = fixture.table("book");
        let columns = [0, 1, 2].into();
        let values = vec![Value::Int(id), text(title), text(isbn)];
        let on_conflict = OnConflict::Update;
        fixture.write(vec![Write::Insert { resource, columns, values, on_conflict }])
    };
    for (id, isbn) in [(1, "y"), (9, "y"), (1, "z")] {
        let title = format!("{id} {isbn}");
        assert_eq!(upsert(id, &title, isbn).expect("written").rows, [1]);
        let there = fixture.rows("select id, title, isbn from book");
        assert_eq!(there, [vec![Value::Int(1), text(&title), text(isbn)]]);
    }
    upsert(9, "another", "w").expect("made");
    assert_eq!(fixture.count("book"), 2);
    // The key is one row's and the ISBN another's.
    assert_eq!(kind(upsert(1, "both", "w")).0, ErrorKind::Conflict);
    assert_eq!(
        fixture.rows("select title from book order by id"),
        [[text("1 z")], [text("another")]]
    );
}

#[test]
fn an_upsert_of_the_key_alone_leaves_the_row() {
    let fixture = Fixture::new("create table t (id integer primary key, a text) strict;");
    let upsert = || Write::Insert {
        resource: fixture.table("t"),
        columns: [0].into(),
        values: vec![Value::Int(1)],
        on_conflict: OnConflict::Update,
    };
    fixture.write(vec![upsert()]).expect("made");
    fixture.write(vec![upsert()]).expect("there");
    assert_eq!(fixture.count("t"), 1);
}

#[test]
fn a_write_without_columns_is_refused_and_the_writer_goes_on() {
    let fixture = fixture();
    let nothing = fixture.insert("book", &[], Vec::new());
    assert_eq!(kind(fixture.write(vec![nothing])).0, ErrorKind::Invalid);
    let plain = Fixture::new("create table t (id integer primary key, a text) strict;");
    let set = Vec::new();
    let key = vec![Value::Int(1)];
    let none = Write::Update { resource: plain.table("t"), key, set, if_version: None };
    assert_eq!(kind(plain.write(vec![none])).0, ErrorKind::Invalid);
    let no_key = Write::Delete { resource: plain.table("t"), key: Vec::new(), if_version: None };
    plain.write(vec![plain.insert("t", &["a"], vec![text("x")])]).expect("a row");
    assert_eq!(kind(plain.write(vec![no_key])).0, ErrorKind::Invalid);
    assert_eq!(plain.count("t"), 1, "half a key deletes nothing");
    fixture.write(vec![book(&fixture, "one", None)]).expect("the writer is there");
}
