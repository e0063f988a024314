//! SQL over a whole table, range by range, whatever stops it in between.

use std::time::Duration;

use plimsoll_jobs::{
    Declared, NewJob, Registry, SQL_KIND, SqlJob, SqlRunner, State, Worker, WorkerOptions,
};

use crate::fixture::{DEADLINE, Fixture, effect, random};

/// Counts how often each row was touched.
const TOUCH: &str = "-- table: effects\n-- key: job\n-- rows: 7\n\
                     update effects set step = step + 1 where job > :after and job <= :upto";

fn payload(text: &str) -> String {
    serde_json::to_string(&SqlJob::parse(text).expect("a job")).expect("JSON")
}

fn worker(fixture: &Fixture, name: &str) -> Worker {
    let mut registry = Registry::default();
    registry.add(SQL_KIND, Declared::default(), SqlRunner).expect("a kind");
    let options =
        WorkerOptions { poll_every: Duration::from_millis(1), ..WorkerOptions::new(name) };
    Worker::start(fixture.queue.clone(), registry, options, random()).expect("a worker")
}

fn fill(fixture: &Fixture, rows: i64) {
    let writes: Vec<_> = (0..rows).map(|row| effect(row * 1_000_003 % 900_001 * 11, 0)).collect();
    let unit = plimsoll_store::WriteUnit { writes, ..Default::default() };
    fixture.queue.store().write(unit, plimsoll_store::Priority::Bulk).wait().expect("filled");
}

#[test]
fn every_row_is_touched_once_however_often_the_worker_is_stopped() {
    let fixture = Fixture::new();
    fill(&fixture, 500);
    let id = fixture.enqueue(&NewJob::new(SQL_KIND, payload(TOUCH)));
    let mut stops = 0;
    while fixture.state(id) != State::Completed {
        let worker = worker(&fixture, &format!("w{stops}"));
        // Some ranges, and then it is stopped in the middle of whatever it does.
        let _is_over = worker.wait_over(Duration::from_millis(20));
        assert!(worker.stop(DEADLINE));
        stops += 1;
        assert!(stops < 1_000, "it does not come to an end");
    }
    let touched = fixture.effects();
    assert_eq!(touched.len(), 500);
    assert!(touched.iter().all(|(_, times)| *times == 1), "{touched:?}");
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!(job.result.as_deref(), Some("{\"ranges\":72,\"rows\":500}"));
    assert_eq!((job.progress.done, job.progress.total), (500, Some(500)));
    assert_eq!((job.attempts, job.crashes), (0, 0));
}

#[test]
fn an_empty_table_is_done_at_once_and_wrong_ones_fail_with_the_reason() {
    let fixture = Fixture::new();
    let worker = worker(&fixture, "w");
    let empty = fixture.enqueue(&NewJob::new(SQL_KIND, payload(TOUCH)));
    fixture.until(empty, State::Completed);
    let wrong = |from: &str, to: &str| {
        let trying = plimsoll_jobs::Trying { tries_max: 1, ..Default::default() };
        let text = payload(&TOUCH.replace(from, to));
        fixture.enqueue(&NewJob { trying, ..NewJob::new(SQL_KIND, text) })
    };
    let missing = wrong("table: effects", "table: nowhere");
    fixture.until(missing, State::Failed);
    let told = fixture.queue.show(missing).wait().expect("a job").error.expect("an error");
    assert!(told.contains("nowhere"), "{told}");
    fill(&fixture, 1);
    let broken = wrong("set step", "set no_step");
    fixture.until(broken, State::Failed);
    let told = fixture.queue.show(broken).wait().expect("a job").error.expect("an error");
    assert!(told.contains("no_step"), "{told}");
    assert!(worker.stop(DEADLINE));
}
