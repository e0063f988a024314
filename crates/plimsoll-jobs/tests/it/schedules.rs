//! A schedule enqueues its job once at each of its times, whoever looks and whatever is killed.

use std::sync::Barrier;
use std::time::Duration;

use plimsoll_jobs::{
    Declared, Ending, ErrorKind, JobId, Listing, NewJob, NewSchedule, Queue, Registry, Run,
    Schedule, State, Trying, Worker, WorkerOptions,
};
use plimsoll_store::{Priority, Write, WriteUnit};

use crate::fixture::{DEADLINE, Fixture, NOW, on_postgres, random};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).expect("a time of a test")
}

fn every_hour(name: &str) -> NewSchedule {
    NewSchedule::new(name, "0 * * * *", NewJob::new("tick", "{\"a\":1}"))
}

fn set(queue: &Queue, new: &NewSchedule) -> i64 {
    queue.set_schedule(new).expect("a schedule").wait().expect("set")
}

fn fire(fixture: &Fixture) -> u64 {
    fixture.queue.fire_schedules().expect("fired")
}

fn show(fixture: &Fixture, name: &str) -> Schedule {
    fixture.queue.show_schedule(name).wait().expect("a schedule")
}

/// All jobs there are, the first first.
fn jobs(queue: &Queue) -> Vec<JobId> {
    let listing = Listing { rows_max: 1_000, ..Listing::default() };
    let mut ids: Vec<_> = queue.list(&listing).wait().expect("jobs").iter().map(|j| j.id).collect();
    ids.reverse();
    ids
}

/// Ends the job that is ready.
fn complete(fixture: &Fixture) {
    let lease = fixture.claim(1)[0].lease;
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
}

/// A statement of the test's own about a table of the queue's.
fn tamper(queue: &Queue, sql: &str) {
    let own = if on_postgres() { "plimsoll." } else { "plimsoll_" };
    let write = Write::Sql { text: sql.replace('~', own).into(), params: Vec::new() };
    let unit = WriteUnit { writes: vec![write], now_micros: NOW, ..WriteUnit::default() };
    queue.store().write(unit, Priority::Normal).wait().unwrap_or_else(|e| panic!("{sql}: {e}"));
}

#[test]
fn a_schedule_enqueues_its_job_at_its_times_and_not_before() {
    let fixture = Fixture::new();
    let trying = Trying { tries_max: 7, exceptions_max: 6, timeout_ms: 5_000 };
    let job = NewJob {
        queue: "low".into(),
        priority: 2,
        trying,
        memory_bytes: 4_096,
        ..NewJob::new("tick", "{\"a\":1}")
    };
    let new =
        NewSchedule { zone: "europe/berlin".into(), ..NewSchedule::new("t", "0 2 * * *", job) };
    let next = NOW + micros(HOUR);
    assert_eq!(set(&fixture.queue, &new), next, "two o'clock in Berlin is one in UTC");
    fixture.clock.pass(HOUR.saturating_sub(Duration::from_micros(1)));
    assert_eq!((fire(&fixture), jobs(&fixture.queue).len()), (0, 0));
    fixture.clock.pass(Duration::from_micros(1));
    assert_eq!(fire(&fixture), 1);
    assert_eq!(fire(&fixture), 0, "once");
    let ids = jobs(&fixture.queue);
    let enqueued = fixture.queue.show(ids[0]).wait().expect("a job");
    assert_eq!((ids.len(), enqueued.state, enqueued.trying), (1, State::Ready, trying));
    assert_eq!((&*enqueued.kind, &*enqueued.queue, enqueued.priority), ("tick", "low", 2));
    assert_eq!((&*enqueued.payload, enqueued.memory_bytes), ("{\"a\":1}", 4_096));
    let is = show(&fixture, "t");
    assert_eq!((is.last_micros, is.last_job), (Some(next), Some(ids[0])));
    assert_eq!((is.next_micros, &*is.zone), (next + micros(24 * HOUR), "Europe/Berlin"));
}

#[test]
fn of_two_workers_one_enqueues_the_job() {
    let fixture = Fixture::new();
    let rounds = 20;
    for number in 0..3 {
        let new = NewSchedule { overlaps: true, ..every_hour(&format!("s{number}")) };
        set(&fixture.queue, &new);
    }
    let queues = [fixture.another(), fixture.another()];
    let barrier = Barrier::new(queues.len());
    let mut moved = 0;
    for _ in 0..rounds {
        fixture.clock.pass(HOUR);
        moved += std::thread::scope(|scope| {
            let workers = queues.each_ref().map(|queue| {
                scope.spawn(|| {
                    barrier.wait();
                    queue.fire_schedules().expect("fired")
                })
            });
            workers.map(|worker| worker.join().expect("a worker")).iter().sum::<u64>()
        });
    }
    assert_eq!((moved, jobs(&fixture.queue).len()), (3 * rounds, 3 * 20));
}

#[test]
fn a_unit_that_breaks_off_anywhere_loses_nothing_and_doubles_nothing() {
    // The first breaks the statement that enqueues, the second the one behind it.
    for (table, column) in [("jobs", "unique_key"), ("schedules", "skipped")] {
        let fixture = Fixture::new();
        set(&fixture.queue, &every_hour("t"));
        fixture.clock.pass(HOUR);
        let before = show(&fixture, "t");
        let rename = |from: &str, to: &str| format!("alter table ~{table} rename {from} to {to}");
        tamper(&fixture.queue, &rename(column, "away"));
        let worker = fixture.another();
        worker.fire_schedules().expect_err("the unit breaks off");
        tamper(&fixture.queue, &rename("away", column));
        assert_eq!(show(&fixture, "t"), before, "{table}.{column}");
        assert!(jobs(&fixture.queue).is_empty(), "{table}.{column}");
        assert_eq!(fixture.another().fire_schedules().expect("fired"), 1);
        assert_eq!(fire(&fixture), 0);
        assert_eq!(jobs(&fixture.queue).len(), 1, "{table}.{column}");
    }
}

#[test]
fn a_job_that_is_not_over_is_not_enqueued_again_unless_it_may_overlap() {
    let fixture = Fixture::new();
    set(&fixture.queue, &every_hour("one"));
    set(&fixture.queue, &NewSchedule { overlaps: true, ..every_hour("many") });
    for _ in 0..3 {
        fixture.clock.pass(HOUR);
        assert_eq!(fire(&fixture), 2);
    }
    let (one, many) = (show(&fixture, "one"), show(&fixture, "many"));
    assert_eq!((one.skipped, many.skipped, jobs(&fixture.queue).len()), (2, 0, 4));
    assert_eq!(one.last_micros, Some(NOW + micros(3 * HOUR)), "it was seen to");
    let ids = jobs(&fixture.queue);
    assert!(one.last_job.is_some_and(|id| ids[..2].contains(&id)), "{one:?} {ids:?}");
    assert_eq!(many.last_job, ids.last().copied());
    for _ in 0..4 {
        complete(&fixture);
    }
    fixture.clock.pass(HOUR);
    assert_eq!(fire(&fixture), 2);
    let again = show(&fixture, "one");
    assert_eq!((again.skipped, jobs(&fixture.queue).len()), (2, 6));
    assert_ne!(again.last_job, one.last_job);
}

#[test]
fn times_that_passed_while_nobody_looked_are_made_up_by_one_job() {
    let fixture = Fixture::new();
    set(&fixture.queue, &NewSchedule { overlaps: true, ..every_hour("t") });
    fixture.clock.pass(1_000 * HOUR + 5 * MINUTE);
    // As a program does that starts again.
    set(&fixture.queue, &NewSchedule { overlaps: true, ..every_hour("t") });
    assert_eq!(fire(&fixture), 1);
    assert_eq!(fire(&fixture), 0);
    assert_eq!(jobs(&fixture.queue).len(), 1);
    assert_eq!(show(&fixture, "t").next_micros, NOW + micros(1_001 * HOUR));
}

#[test]
fn a_clock_that_is_set_back_fires_nothing_twice() {
    let fixture = Fixture::new();
    set(&fixture.queue, &NewSchedule { overlaps: true, ..every_hour("t") });
    fixture.clock.pass(3 * HOUR);
    assert_eq!(fire(&fixture), 1);
    let next = show(&fixture, "t").next_micros;
    fixture.clock.set_back(2 * HOUR);
    for _ in 0..11 {
        assert_eq!(fire(&fixture), 0);
        // A program that starts meanwhile changes nothing about it.
        assert_eq!(set(&fixture.queue, &NewSchedule { overlaps: true, ..every_hour("t") }), next);
        fixture.clock.pass(15 * MINUTE);
    }
    fixture.clock.pass(15 * MINUTE);
    assert_eq!(fire(&fixture), 1, "the next time is the one behind what was done");
    assert_eq!(jobs(&fixture.queue).len(), 2);
}

#[test]
fn a_paused_schedule_fires_nothing_and_makes_up_for_nothing() {
    let fixture = Fixture::new();
    set(&fixture.queue, &every_hour("t"));
    fixture.queue.pause_schedule("t").expect("paused");
    let paused = show(&fixture, "t").paused_micros;
    assert_eq!(paused, Some(NOW));
    fixture.clock.pass(5 * HOUR + MINUTE);
    fixture.queue.pause_schedule("t").expect("paused again");
    set(&fixture.queue, &every_hour("t"));
    assert_eq!(show(&fixture, "t").paused_micros, paused, "since then, also when it is set again");
    assert_eq!(fire(&fixture), 0);
    fixture.queue.resume_schedule("t").expect("resumed");
    let next = NOW + micros(6 * HOUR);
    assert_eq!(show(&fixture, "t").next_micros, next);
    assert_eq!(fire(&fixture), 0, "what passed is not made up for");
    fixture.clock.pass(HOUR);
    fixture.queue.resume_schedule("t").expect("it goes on");
    assert_eq!(show(&fixture, "t").next_micros, next, "what is due stays due");
    assert_eq!((fire(&fixture), jobs(&fixture.queue).len()), (1, 1));
}

#[test]
fn a_change_of_the_line_plans_anew_and_a_change_of_the_job_does_not() {
    let fixture = Fixture::new();
    let next = set(&fixture.queue, &every_hour("t"));
    let other = NewSchedule { job: NewJob::new("other", "{}"), ..every_hour("t") };
    assert_eq!(set(&fixture.queue, &other), next);
    let half = NewSchedule { cron: "30 * * * *".into(), ..other };
    assert_eq!(set(&fixture.queue, &half), NOW + micros(30 * MINUTE));
    fixture.clock.pass(30 * MINUTE);
    assert_eq!(fire(&fixture), 1);
    let id = show(&fixture, "t").last_job.expect("a job");
    assert_eq!(&*fixture.queue.show(id).wait().expect("a job").kind, "other");
    fixture.queue.remove_schedule("t").expect("removed");
    fixture.clock.pass(HOUR);
    assert_eq!(fire(&fixture), 0);
    assert_eq!(fixture.state(id), State::Ready, "its job goes on");
}

#[test]
fn a_time_that_does_not_exist_or_is_there_twice_fires_once() {
    // In Berlin 02:30 is not there on 29 March and is there twice on 25 October. How far the times
    // of five days behind the 85th and the 295th lie apart, in half hours:
    for (days, apart) in [(85, [48, 47, 47, 48]), (295, [48, 48, 50, 48])] {
        let fixture = Fixture::new();
        fixture.clock.pass(days * 24 * HOUR);
        let new = NewSchedule { zone: "Europe/Berlin".into(), ..every_hour("t") };
        set(&fixture.queue, &NewSchedule { cron: "30 2 * * *".into(), overlaps: true, ..new });
        let mut fired = Vec::new();
        for half_hours in 1..=5 * 48 {
            fixture.clock.pass(30 * MINUTE);
            match fire(&fixture) {
                0 => {}
                1 => fired.push(half_hours),
                many => panic!("{many} at once"),
            }
        }
        let between: Vec<i32> = fired.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!((between, jobs(&fixture.queue).len()), (apart.to_vec(), 5));
    }
}

#[test]
fn a_schedule_that_cannot_be_is_refused_and_nothing_is_written() {
    let fixture = Fixture::new();
    let base = every_hour("t");
    let of = |job: NewJob| NewSchedule { job, ..every_hour("t") };
    let job = || NewJob::new("tick", "{}");
    for (new, told) in [
        (NewSchedule { cron: "0 0 30 2 *".into(), ..base.clone() }, "never fires"),
        (NewSchedule { cron: "0 24 * * *".into(), ..base.clone() }, "field 2, the hour: \"24\""),
        (NewSchedule { zone: "Mars".into(), ..base.clone() }, "\"Mars\" is not known"),
        (NewSchedule { name: "a b".into(), ..base }, "is not a name"),
        (of(NewJob { unique_key: Some("k".into()), ..job() }), "a unique key of its own"),
        (of(NewJob { not_before_micros: Some(1), ..job() }), "a time of its own"),
        (of(NewJob { batch: Some("b".into()), ..job() }), "a batch of its own"),
        (of(NewJob::new("tick", "{")), "no JSON"),
    ] {
        let error = fixture.queue.set_schedule(&new).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(told), "{error}");
    }
    assert!(fixture.queue.schedules(None, 10).wait().expect("read").is_empty());
    for result in [
        fixture.queue.pause_schedule("none"),
        fixture.queue.resume_schedule("none"),
        fixture.queue.remove_schedule("none"),
    ] {
        assert_eq!(result.expect_err("none").kind(), ErrorKind::NotFound);
    }
}

#[test]
fn schedules_are_listed_by_name_behind_a_name() {
    let fixture = Fixture::new();
    for name in ["c", "a", "b"] {
        set(&fixture.queue, &every_hour(name));
    }
    let names = |behind: Option<&str>, rows_max| {
        let rows = fixture.queue.schedules(behind, rows_max).wait().expect("read");
        rows.into_iter().map(|row| row.name.into_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 2), ["a", "b"]);
    assert_eq!(names(Some("b"), 2), ["c"]);
}

#[test]
fn a_line_that_somebody_broke_by_hand_stops_its_schedule_and_no_other() {
    let fixture = Fixture::new();
    for name in ["broken", "well"] {
        set(&fixture.queue, &every_hour(name));
    }
    tamper(&fixture.queue, "update ~schedules set cron = '61 * * * *' where name = 'broken'");
    fixture.clock.pass(HOUR);
    fire(&fixture);
    assert_eq!((fire(&fixture), jobs(&fixture.queue).len()), (0, 1), "it is not tried again");
    let is = show(&fixture, "broken");
    assert!(is.paused_micros.is_some() && is.error.is_some_and(|e| e.contains("the minute")));
    let error = fixture.queue.resume_schedule("broken").expect_err("still broken");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(set(&fixture.queue, &every_hour("broken")), NOW + micros(2 * HOUR));
    let is = show(&fixture, "broken");
    assert_eq!((is.paused_micros, is.error), (None, None), "a line that is right starts it again");
}

#[test]
fn more_schedules_than_go_at_once_all_fire() {
    let fixture = Fixture::new();
    for number in 0..105 {
        set(&fixture.queue, &every_hour(&format!("s{number}")));
    }
    fixture.clock.pass(HOUR);
    assert_eq!((fire(&fixture), fire(&fixture), fire(&fixture)), (100, 5, 0));
}

#[test]
fn a_worker_fires_what_is_due_and_runs_it() {
    let fixture = Fixture::new();
    set(&fixture.queue, &every_hour("t"));
    let mut registry = Registry::default();
    let done = |_: &mut Run<'_>| Ok(Ending::Done { effects: Vec::new(), result: None });
    registry.add("tick", Declared::default(), done).expect("a kind");
    let options = WorkerOptions::new("test");
    let worker =
        Worker::start(fixture.queue.clone(), registry, options, random()).expect("started");
    fixture.clock.pass(HOUR);
    let (_hold, never) = std::sync::mpsc::sync_channel::<()>(1);
    let until = std::time::Instant::now() + DEADLINE;
    let id = loop {
        if let Some(id) = show(&fixture, "t").last_job {
            break id;
        }
        assert!(std::time::Instant::now() < until, "nothing was enqueued");
        let _time = never.recv_timeout(Duration::from_millis(5));
    };
    fixture.until(id, State::Completed);
    assert!(worker.stop(DEADLINE));
    assert_eq!(jobs(&fixture.queue), [id]);
}
