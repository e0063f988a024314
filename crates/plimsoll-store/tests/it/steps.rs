//! Steps of a pack: cut into ranges, each exactly once, resumed where they stopped.
//!
//! Promises: a stop at every possible place gives the rows of a run without one.
//! Never: a pack's own SQL.

use std::ops::ControlFlow;

use plimsoll::record::Value;
use plimsoll_store::ErrorKind;
use plimsoll_store::catalogue::{Step, StepBatch};
use plimsoll_store::steps::{self, StepRun};

use crate::fixture::{Fixture, NOW, int, kind};

const TABLES: &str = "
create table source (id integer primary key, n integer not null) strict;
create table made (id integer primary key, n integer not null, seed integer not null) strict;
create table counted (n integer not null) strict;
create table total (n integer not null) strict;";

fn step(title: &str, sql: &str, batch: StepBatch) -> Step {
    Step { title: title.into(), sql: sql.into(), batch }
}

fn all() -> Vec<Step> {
    let table = StepBatch::Table { table: "source".into(), key: "id".into(), rows: 7 };
    let count = StepBatch::Count { count: "things".into(), rows: 10 };
    vec![
        step(
            "check",
            "select 'nothing is there' where not exists (select 1 from source)",
            StepBatch::Check,
        ),
        step(
            "made",
            "insert into made (n, seed) select n, :seed from source
             where id > :after and id <= :upto;
             update made set n = n where id < 0;",
            table,
        ),
        step(
            "counted",
            "insert into counted with recursive r(n) as
             (select :after + 1 union all select n + 1 from r where n < :upto) select n from r",
            count,
        ),
        step("total", "insert into total select sum(n) from made", StepBatch::Once),
    ]
}

fn fixture() -> Fixture {
    let fixture = Fixture::new(TABLES);
    let sql = "insert into source with recursive r(n) as (select 1 union all select n + 1 from r
               where n < 50) select n * 3 - 20, n from r";
    fixture.execute(sql);
    fixture
}

/// Runs with at most `shows` calls before it is stopped; true when it ran to its end.
fn run(fixture: &Fixture, steps: &[Step], mut shows: usize) -> bool {
    let params = [("seed".into(), Value::Int(5)), ("things".into(), Value::Int(25))];
    let run = StepRun { steps, params: &params, identity: "test".into(), now_micros: NOW };
    let mut stopped = false;
    steps::run(&fixture.store, &run, &mut |progress| {
        assert!(progress.done <= progress.total && progress.step <= progress.steps);
        if shows == 0 {
            stopped = true;
            return ControlFlow::Break(());
        }
        shows -= 1;
        ControlFlow::Continue(())
    })
    .expect("steps");
    !stopped
}

fn result(fixture: &Fixture) -> Vec<i64> {
    let queries = [
        "select count(*) from made",
        "select cast(sum(n) as bigint) from made",
        "select min(seed) from made",
        "select count(*) from counted",
        "select cast(sum(n) as bigint) from counted",
        "select count(*) from total",
        "select max(n) from total",
    ];
    queries.iter().map(|sql| int(&fixture.value(sql))).collect()
}

#[test]
fn a_stop_at_any_place_is_resumed_with_every_range_exactly_once() {
    let mut stops = 0;
    for at in 0.. {
        let fixture = fixture();
        let done = run(&fixture, &all(), at);
        stops += 1;
        assert!(run(&fixture, &all(), usize::MAX));
        assert_eq!(result(&fixture), [50, 1275, 5, 25, 325, 1, 1275], "stopped at {at}");
        assert!(run(&fixture, &all(), 0), "a run that is done does nothing");
        if done {
            break;
        }
    }
    assert!(stops > 20, "only {stops} places to stop at");
}

#[test]
fn stops_one_after_another_come_to_an_end() {
    let fixture = fixture();
    let mut runs = 0;
    while !run(&fixture, &all(), 2) {
        runs += 1;
        assert!(runs < 100, "no progress");
    }
    assert_eq!(result(&fixture), [50, 1275, 5, 25, 325, 1, 1275]);
}

#[test]
fn a_check_that_finds_a_row_stops_before_anything_is_written() {
    let fixture = Fixture::new(TABLES);
    let run = StepRun { steps: &all(), params: &[], identity: "test".into(), now_micros: NOW };
    let answer = steps::run(&fixture.store, &run, &mut |_| ControlFlow::Continue(()));
    assert_eq!(kind(answer), (ErrorKind::Conflict, "nothing is there".to_owned()));
    assert_eq!(fixture.store.state(steps::KIND, "test").wait().expect("read"), None);
}

#[test]
fn a_step_that_fails_leaves_nothing_of_its_range_and_is_met_again() {
    let fixture = fixture();
    let mut wrong = all();
    wrong[3].sql = "insert into total values (1); insert into nowhere values (1)".into();
    let params = [("seed".into(), Value::Int(5)), ("things".into(), Value::Int(25))];
    let run_wrong =
        StepRun { steps: &wrong, params: &params, identity: "test".into(), now_micros: NOW };
    let answer = steps::run(&fixture.store, &run_wrong, &mut |_| ControlFlow::Continue(()));
    assert!(kind(answer).1.contains("nowhere"));
    assert_eq!(fixture.count("total"), 0);
    assert!(run(&fixture, &all(), usize::MAX), "a mended step goes on there");
    assert_eq!(result(&fixture), [50, 1275, 5, 25, 325, 1, 1275]);
}

#[test]
fn a_step_over_what_is_not_there_is_refused_by_name() {
    let fixture = fixture();
    let batch = StepBatch::Count { count: "nothing".into(), rows: 1 };
    let steps = [step("odd", "select 1", batch)];
    let run = StepRun { steps: &steps, params: &[], identity: "x".into(), now_micros: NOW };
    let (kind, message) =
        kind(plimsoll_store::steps::run(&fixture.store, &run, &mut |_| ControlFlow::Continue(())));
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(message.contains("odd") && message.contains("nothing"), "{message}");
}
