//! A worker on PostgreSQL is told of jobs that others make ready, and looks where it is not told.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use plimsoll_jobs::{Declared, Ending, NewJob, Queue, Registry, Run, State, Worker, WorkerOptions};

use crate::by_sql::{App, on_a_server};
use crate::fixture::{DEADLINE, random};

/// No test waits for a look that is so far away.
const NEVER: Duration = Duration::from_secs(3_600);
const WAITS: &str = "select count(*) from plimsoll.job_idle";

/// A worker of the queue `default` that says which jobs it begins.
fn worker(queue: &Queue) -> (Worker, Receiver<i64>) {
    let (began, has_begun) = sync_channel(64);
    let mut registry = Registry::default();
    let handler = move |run: &mut Run<'_>| {
        began.send(run.job().lease.id).expect("the test listens");
        Ok(Ending::done())
    };
    registry.add("step", Declared::default(), handler).expect("a kind");
    let poll_every = Duration::from_millis(25);
    let options = WorkerOptions { poll_every, told_every: NEVER, ..WorkerOptions::new("told") };
    let worker = Worker::start(queue.clone(), registry, options, random());
    (worker.expect("a worker"), has_begun)
}

/// Waits until a number that the database gives is that.
fn until(app: &App, sql: &str, number: i64) {
    let until = Instant::now() + DEADLINE;
    while app.number(sql) != number {
        assert!(Instant::now() < until, "{sql} is not {number}");
        std::thread::yield_now();
    }
}

/// Until the worker waits, and its last looks are over: it finds what comes by being told alone.
fn until_settled(app: &App) {
    until(app, WAITS, 1);
    let (_hold, never) = sync_channel::<()>(1);
    assert!(never.recv_timeout(Duration::from_millis(900)).is_err());
}

#[test]
fn a_job_of_another_process_begins_at_once_while_nobody_looks() {
    let Some((fixture, url)) = on_a_server() else { return };
    let (worker, begun) = worker(&fixture.queue);
    let (app, another) = (App::connect(&url), fixture.another());
    until_settled(&app);
    let job = another.enqueue(&NewJob::new("step", "{}")).expect("a job").wait().expect("enqueued");
    let since = Instant::now();
    assert_eq!(begun.recv_timeout(DEADLINE).expect("begun"), job.id);
    println!("began {:?} behind its commit", since.elapsed());
    // It looks by itself from now on, until it has found nothing for a while.
    until(&app, WAITS, 0);
    until_settled(&app);
    // Nothing of a transaction that is rolled back, and one word for many.
    app.run("begin; select plimsoll.enqueue('step'); rollback");
    app.run("select plimsoll.enqueue('step') from generate_series(1, 5)");
    for _ in 0..5 {
        begun.recv_timeout(DEADLINE).expect("begun");
    }
    assert!(begun.try_recv().is_err());
    assert!(worker.stop(DEADLINE));
    assert_eq!(app.number(WAITS), 0, "who has stopped waits for nothing");
}

#[test]
fn whatever_makes_a_job_ready_is_told() {
    let Some((fixture, url)) = on_a_server() else { return };
    let (app, another) = (App::connect(&url), fixture.another());
    let paused = fixture.enqueue(&NewJob::new("step", "{}"));
    another.pause(paused).expect("paused");
    let (worker, begun) = worker(&fixture.queue);
    until_settled(&app);
    another.resume(paused).expect("resumed");
    assert_eq!(begun.recv_timeout(DEADLINE).expect("begun"), paused);
    assert!(worker.stop(DEADLINE));
}

#[test]
fn nothing_is_told_of_a_queue_at_which_nobody_waits_and_one_word_for_many_jobs() {
    let Some((fixture, url)) = on_a_server() else { return };
    let app = App::connect(&url);
    app.run("listen plimsoll_jobs");
    app.run("select plimsoll.enqueue('step', queue => 'low')");
    app.run("insert into plimsoll.job_idle values ('high', 'w', 0)");
    app.run("select plimsoll.enqueue('step', queue => 'low')");
    app.run("select plimsoll.enqueue('step', queue => 'high', delay => '1 h')");
    app.run(
        "select plimsoll.enqueue('step', queue => q) from generate_series(1, 9), \
         unnest(array['low', 'high']) as q",
    );
    assert_eq!(app.heard(), ["high"]);
    drop(fixture);
}

#[test]
fn a_worker_whose_connection_is_lost_looks_by_itself_and_is_told_again_behind_the_next() {
    let Some((fixture, url)) = on_a_server() else { return };
    let (worker, begun) = worker(&fixture.queue);
    let (app, another) = (App::connect(&url), fixture.another());
    let enqueue =
        || another.enqueue(&NewJob::new("step", "{}")).expect("a job").wait().expect("enqueued").id;
    let listens = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                   where datname = current_database() and query = 'listen plimsoll_jobs'";
    for _ in 0..2 {
        until_settled(&app);
        assert_eq!(app.number(listens), 1, "one connection listens");
        let id = enqueue();
        assert_eq!(begun.recv_timeout(DEADLINE).expect("begun"), id);
    }
    until_settled(&app);
    let id = enqueue();
    assert_eq!(begun.recv_timeout(DEADLINE).expect("begun"), id);
    assert!(worker.stop(DEADLINE));
}

#[test]
fn through_a_pooler_nobody_is_told_and_jobs_are_looked_for() {
    let Some((fixture, _)) = on_a_server() else { return };
    let Some(pooled) = fixture.through_pooler() else {
        return println!("SKIPPED: TESTED_PGBOUNCER names no pooler");
    };
    let app = App::connect(&fixture.url().expect("a server"));
    let (worker, begun) = worker(&pooled);
    for _ in 0..3 {
        let id = fixture.enqueue(&NewJob::new("step", "{}"));
        assert_eq!(begun.recv_timeout(DEADLINE).expect("begun"), id);
        fixture.until(id, State::Completed);
        let (_hold, never) = sync_channel::<()>(1);
        assert!(never.recv_timeout(Duration::from_secs(1)).is_err());
    }
    assert_eq!(app.number(WAITS), 0, "it says nowhere that it waits");
    let left = "select count(*) from pg_stat_activity where datname = current_database() \
                and query like 'listen%'";
    assert_eq!(app.number(left), 0, "and leaves no LISTEN behind on a connection of the pool");
    assert!(worker.stop(DEADLINE));
}
