//! The line in front of the writer: who goes first, what it waits for, and when it ends.
//!
//! Promises: locks of another process, a full disk, the end of the store.
//! Never: a sleep; order is made with a lock that another connection holds.

use plimsoll_store::{ErrorKind, Priority, Write};

use crate::fixture::{Fixture, int, kind, text};
use crate::writes::{book, fixture, unit};

#[test]
fn urgent_units_overtake_bulk_ones_that_wait() {
    let fixture = Fixture::new("create table t (id integer primary key, a text) strict;");
    let lock = fixture.hold("t");
    let send = |name: &str, priority| {
        let writes = vec![fixture.insert("t", &["a"], vec![text(name)])];
        fixture.store.write(unit(writes), priority)
    };
    // The first is in the writer's hands already; the rest waits in line behind the lock.
    let mut answers = vec![send("first", Priority::Bulk)];
    while fixture.store.stats().writes_waiting > 0 {
        std::thread::yield_now();
    }
    answers.extend((0..5).map(|_| send("bulk", Priority::Bulk)));
    answers.push(send("normal", Priority::Normal));
    answers.push(send("urgent", Priority::Urgent));
    lock.give_back();
    for answer in answers {
        answer.wait().expect("written");
    }
    let rows = fixture.store.query("select a from t order by id", 9).wait().expect("rows");
    let names: Vec<_> = rows.iter().map(|r| r[0].clone()).collect();
    assert_eq!(names[..3], [text("first"), text("urgent"), text("normal")], "{names:?}");
}

#[test]
fn a_lock_that_another_process_keeps_is_waited_for_and_then_reported() {
    let fixture = fixture();
    let lock = fixture.hold("book");
    let (kind, message) = kind(fixture.write(vec![book(&fixture, "one", None)]));
    assert_eq!(kind, ErrorKind::Busy, "{message}");
    assert!(message.contains("another process"), "{message}");
    lock.give_back();
    fixture.write(vec![book(&fixture, "one", None)]).expect("after it");
}

#[test]
fn nothing_is_written_after_the_end_or_without_leave() {
    let fixture = fixture();
    let writes = || vec![book(&fixture, "one", None)];
    let reader = fixture.open(false);
    let answer = reader.write(unit(writes()), Priority::Normal).wait();
    assert_eq!(kind(answer).0, ErrorKind::ReadOnly);
    let accepted = fixture.store.write(unit(writes()), Priority::Normal);
    fixture.store.close().expect("closed");
    accepted.wait().expect("what was accepted is finished");
    assert_eq!(kind(fixture.write(writes())).0, ErrorKind::Stopped);
    let rows = reader.query("select count(*) from book", 1).wait().expect("an answer");
    assert_eq!(int(&rows[0][0]), 1);
    reader.close().expect("closed");
}

#[test]
fn a_full_database_says_so_and_writes_again_once_there_is_room() {
    let fixture = Fixture::new("create table t (id integer primary key, a text) strict;");
    let sql = |text: String| Write::Sql { text: text.into(), params: Vec::new() };
    fixture.write(vec![fixture.insert("t", &["a"], vec![text("kept")])]).expect("room");
    let pages = int(&fixture.value("select page_count from pragma_page_count"));
    fixture.write(vec![sql(format!("pragma max_page_count = {}", pages + 4))]).expect("a bound");
    let long = "x".repeat(3000);
    let row = || fixture.insert("t", &["a"], vec![text(&long)]);
    let (mut kept, mut full) = (1, false);
    for _ in 0..20 {
        match fixture.write(vec![row(), row()]) {
            Ok(_) => kept += 2,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::DiskFull, "{error}");
                assert!(error.to_string().contains("free space"), "{error}");
                full = true;
            }
        }
        assert_eq!(fixture.count("t"), kept, "what was acknowledged, and nothing else");
    }
    assert!(full, "{kept} rows of 3 KB went into 4 pages");
    fixture.write(vec![sql("pragma max_page_count = 1000000".into())]).expect("room again");
    fixture.write(vec![row()]).expect("written again");
    assert_eq!(fixture.count("t"), kept + 1);
}
