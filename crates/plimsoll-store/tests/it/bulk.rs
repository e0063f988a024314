//! Units of so many rows that a database takes them by its fastest way.
//!
//! Promises: what many rows make, count and refuse is what as many units of one row would.
//! Never: how fast that is.

use plimsoll::record::{Money, Timestamp, Value};
use plimsoll_store::{ErrorKind, OnConflict, Priority, Write, WriteOutcome, WriteUnit};

use crate::fixture::{Fixture, NOW, int, kind, on_postgres, text};
use crate::writes::{fixture, unit};

/// Rows of a unit: more than one statement of any database begins to copy from.
const MANY: i64 = 500;

fn rows(
    fixture: &Fixture,
    columns: &[usize],
    rows: impl IntoIterator<Item = Vec<Value>>,
    on_conflict: OnConflict,
) -> Write {
    let values = rows.into_iter().flatten().collect();
    Write::Insert { resource: fixture.table("book"), columns: columns.into(), values, on_conflict }
}

/// A book with key, title and ISBN.
fn book(id: i64, title: &str) -> Vec<Value> {
    vec![Value::Int(id), text(title), text(&format!("isbn {id}"))]
}

fn reported(fixture: &Fixture, write: Write) -> WriteOutcome {
    let unit = WriteUnit { report_conflicts: true, ..unit(vec![write]) };
    fixture.store.write(unit, Priority::Normal).wait().expect("written")
}

const HOSTILE_TABLE: &str = "
create table t (
  id integer primary key, a text, b blob, c real, d BOOL, e MONEY, f TIME
) strict;";

/// Texts that mean something on the way into one database or another.
const HOSTILE: [&str; 32] = [
    "",
    " ",
    "\\",
    "\\\\",
    "\\N",
    "\\.",
    "\n\\.\n",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\r",
    "\t",
    "'",
    "''",
    "\"",
    "\\'",
    "$1",
    ":a",
    "%s",
    "\u{8}\u{b}\u{c}",
    "NULL",
    "null",
    "{1,2}",
    "ﬀ☃\u{1f6a2}",
    "\u{feff}x",
    "e\u{301}",
    "\\x41",
    "\\t",
    "\\n",
    "\\\n",
    "; drop table t; --",
    "\u{1}\u{7f}",
];

/// A row of such texts, bytes, and numbers at their ends.
fn hostile(id: i64) -> Vec<Value> {
    let at = usize::try_from(id).expect("small");
    let word = HOSTILE[at % HOSTILE.len()];
    let float = [None, Some(-0.1), Some(1e300), Some(5e-324), Some(f64::MAX)][at % 5];
    vec![
        Value::Int(id),
        if id % 37 == 5 { Value::Null } else { text(word) },
        if id % 5 == 2 { Value::Null } else { Value::Bytes(word.as_bytes().into()) },
        float.map_or(Value::Null, Value::Float),
        [Value::Null, Value::Bool(true), Value::Bool(false)][at % 3].clone(),
        Value::Money(Money::from_units(id * id * 7 - 1_000)),
        Value::Time(Timestamp::from_micros(NOW + id * id * 7 - 1_000)),
    ]
}

/// A value as [`Fixture::rows`] tells it.
fn as_told(value: Value) -> Value {
    match value {
        Value::Money(amount) => Value::Int(amount.units()),
        Value::Time(instant) => Value::Int(instant.micros()),
        Value::Bool(yes) if !on_postgres() => Value::Int(yes.into()),
        other => other,
    }
}

#[test]
fn no_value_of_many_rows_is_taken_for_anything_but_itself() {
    let fixture = Fixture::new(HOSTILE_TABLE);
    for on_conflict in [OnConflict::Error, OnConflict::Skip, OnConflict::Update] {
        fixture.execute("delete from t");
        let write = Write::Insert {
            resource: fixture.table("t"),
            columns: (0..7).collect(),
            values: (0..MANY).flat_map(hostile).collect(),
            on_conflict,
        };
        let done = fixture.write(vec![write]).expect("written");
        assert_eq!(done.rows, [MANY.cast_unsigned()], "{on_conflict:?}");
        let there = fixture.rows("select id, a, b, c, d, e, f from t order by id");
        assert_eq!(there.len() as u64, MANY.cast_unsigned());
        for (id, there) in (0..MANY).zip(there) {
            let wanted: Vec<Value> = hostile(id).into_iter().map(as_told).collect();
            assert_eq!(there, wanted, "{on_conflict:?}, row {id}");
        }
    }
}

#[test]
fn many_rows_get_keys_stamps_and_defaults_as_one_does() {
    let fixture = fixture();
    let without = (1..=MANY).map(|n| vec![text(&format!("title {n}"))]);
    let done = fixture.write(vec![rows(&fixture, &[1], without, OnConflict::Error)]);
    let done = done.expect("written");
    assert_eq!((done.rows, done.inserted_key), (vec![MANY.cast_unsigned()], Some(MANY)));
    let first = fixture.rows("select id, copies, made, changed, version from book where id = 1");
    let [one, now] = [Value::Int(1), Value::Int(NOW)];
    assert_eq!(first, [vec![one.clone(), one.clone(), now.clone(), now, one]]);
    let given = (0..MANY).map(|n| book(10_000 - n, "given"));
    let done = fixture.write(vec![rows(&fixture, &[0, 1, 2], given, OnConflict::Error)]);
    assert_eq!(done.expect("written").inserted_key, Some(10_000 - MANY + 1));
    // Some with a key and some without.
    let mixed = (0..MANY).map(|n| match n % 2 {
        0 => book(20_000 + n, "mixed"),
        _ => vec![Value::Null, text("mixed"), Value::Null],
    });
    fixture.write(vec![rows(&fixture, &[0, 1, 2], mixed, OnConflict::Error)]).expect("written");
    assert_eq!(fixture.count("book"), 3 * MANY);
}

#[test]
fn of_many_rows_exactly_those_that_contradict_are_told() {
    let fixture = fixture();
    fixture
        .write(vec![rows(&fixture, &[0, 1, 2], [book(7, "old")], OnConflict::Error)])
        .expect("7");
    let wrong = |n| match n {
        77 => vec![Value::Int(n), Value::Null, Value::Null],
        177 => vec![Value::Int(n), text("b"), text("isbn 176")],
        277 => vec![Value::Int(n), Value::Bytes([0xff].into()), Value::Null],
        _ => book(n, "new"),
    };
    for on_conflict in [OnConflict::Error, OnConflict::Skip] {
        let all = rows(&fixture, &[0, 1, 2], (1..=MANY).map(wrong), on_conflict);
        let done = reported(&fixture, all);
        let told: Vec<(usize, &str)> = done.refused.iter().map(|r| (r.row, &*r.message)).collect();
        let places: Vec<usize> = told.iter().map(|(place, _)| *place).collect();
        let wanted: &[usize] = match on_conflict {
            OnConflict::Error => &[6, 76, 176, 276],
            _ => &[76, 276],
        };
        assert_eq!(places, wanted, "{on_conflict:?}: {told:?}");
        assert!(told.iter().any(|(_, m)| m.contains("title must have a value")), "{told:?}");
        assert_eq!(fixture.count("book"), 1, "refused rows are reported before any is kept");
    }
    // Without a report the unit fails as a whole, with the reason of one row.
    let all = rows(&fixture, &[0, 1, 2], (1..=MANY).map(|n| book(n, "new")), OnConflict::Error);
    let (kind, message) = kind(fixture.write(vec![all]));
    assert_eq!(kind, ErrorKind::Conflict);
    assert!(message.contains("is already there"), "{message}");
    assert_eq!(fixture.count("book"), 1);
}

#[test]
fn many_rows_are_merged_as_one_after_another_would_be() {
    let fixture = fixture();
    let there = (1..=MANY).step_by(2).map(|n| book(n, "old"));
    fixture.write(vec![rows(&fixture, &[0, 1, 2], there, OnConflict::Error)]).expect("written");
    let titled =
        |title| int(&fixture.value(&format!("select count(*) from book where title = '{title}'")));
    let half = MANY.cast_unsigned() / 2;

    let again = (1..=MANY).map(|n| book(n, "skipped"));
    let done = reported(&fixture, rows(&fixture, &[0, 1, 2], again, OnConflict::Skip));
    assert_eq!((done.rows, done.inserted_key), (vec![half], None));
    assert_eq!((titled("old"), titled("skipped")), (MANY / 2, MANY / 2));

    let again = (1..=MANY + 10).map(|n| book(n, "new"));
    let done = reported(&fixture, rows(&fixture, &[0, 1, 2], again, OnConflict::Update));
    assert_eq!(done.rows, [MANY.cast_unsigned() + 10]);
    assert_eq!(titled("new"), MANY + 10);
    assert_eq!(int(&fixture.value("select cast(sum(version) as bigint) from book")), 2 * MANY + 10);

    // Found by the ISBN alone, and a row that hits another of its unit: the last one counts.
    let mixed = (1..=MANY).map(|n| match n {
        1 => vec![Value::Int(9_000), text("by isbn"), text("isbn 1")],
        MANY => book(2, "twice"),
        _ => book(n, "again"),
    });
    let done = reported(&fixture, rows(&fixture, &[0, 1, 2], mixed, OnConflict::Update));
    assert_eq!(done.rows, [MANY.cast_unsigned()]);
    let some = fixture.rows("select title, version from book where id in (1, 2, 3) order by id");
    let row = |title, version| vec![text(title), Value::Int(version)];
    assert_eq!(some[1], row("twice", 4), "updated twice");
    assert_eq!(some[2], row("again", 3));
    assert_eq!(fixture.count("book"), MANY + 10);
    assert_eq!(titled("by isbn"), 1);
}

#[test]
fn many_rows_are_copied_and_a_few_are_not() {
    if !on_postgres() {
        println!("SKIPPED: an embedded database has no other way");
        return;
    }
    let fixture = fixture();
    fixture.execute(
        "create table seen (way text);
         create function see() returns trigger language plpgsql as
           'begin
              insert into seen values (split_part(current_query(), '' '', 1)); return null;
            end';
         create trigger t after insert on book for each statement execute function see();",
    );
    let ways = || {
        let ways = fixture.rows("select way from seen");
        fixture.execute("truncate seen");
        ways.into_iter().flatten().collect::<Vec<_>>()
    };
    let books = |from: i64, rows: i64| (from..from + rows).map(|n| book(n, "a"));
    let columns = [0, 1, 2];
    fixture.write(vec![rows(&fixture, &columns, books(0, 3), OnConflict::Error)]).expect("few");
    assert_eq!(ways(), [text("insert")]);
    fixture
        .write(vec![rows(&fixture, &columns, books(10, MANY), OnConflict::Error)])
        .expect("many");
    assert_eq!(ways(), [text("copy")]);
    // One statement for all rows, where each was one of its own.
    fixture
        .write(vec![rows(&fixture, &columns, books(10, MANY), OnConflict::Update)])
        .expect("upsert");
    assert_eq!(ways(), [text("insert")]);
}
