//! A batch counts its jobs in the transactions that end them, and each callback is enqueued once.

use std::time::Duration;

use plimsoll_jobs::{
    Declared, Ending, ErrorKind, Lease, Listing, NewBatch, NewJob, Registry, Rescuer, Run, State,
    Verdict, When, Worker, WorkerOptions,
};

use crate::fixture::{DEADLINE, Fixture, claim, random};

fn callback(kind: &str) -> NewJob {
    NewJob { queue: "after".into(), ..NewJob::new(kind, "{\"n\":1}") }
}

fn batch(name: &str) -> NewBatch {
    let callbacks = vec![
        (When::Then, callback("then")),
        (When::Catch, callback("catch")),
        (When::Finally, callback("finally")),
    ];
    NewBatch { batch: name.into(), name: "warm".into(), callbacks }
}

fn step() -> NewJob {
    NewJob::new("step", "{}")
}

/// The kinds of the callbacks that were enqueued since the last look, with their payloads.
fn called(fixture: &Fixture) -> Vec<String> {
    let jobs = claim(&fixture.queue, "w", "after", 100);
    let mut kinds: Vec<String> =
        jobs.iter().map(|job| format!("{} {}", job.kind, job.payload.replace(' ', ""))).collect();
    kinds.sort();
    kinds
}

fn complete(fixture: &Fixture, lease: Lease) {
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
}

fn fail(fixture: &Fixture, lease: Lease) {
    let verdict =
        Verdict { state: State::Failed, not_before_micros: None, attempts: 1, exceptions: 1 };
    fixture.queue.fail(lease, &verdict, ("error", "wrong"), 0).wait().expect("failed");
}

#[test]
fn then_and_finally_follow_when_all_have_completed() {
    let fixture = Fixture::new();
    assert!(fixture.queue.begin_batch(&batch("b1"), &[step(), step()], true).expect("begun"));
    let again = fixture.queue.begin_batch(&batch("b1"), &[step()], true).expect("asked");
    assert!(!again, "a repeat begins no second one");
    let jobs = fixture.claim(10);
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[0].batch.as_deref(), Some("b1"));
    complete(&fixture, jobs[0].lease);
    assert!(called(&fixture).is_empty());
    assert_eq!(fixture.queue.complete_many(&[jobs[1].lease]).wait().expect("asked").len(), 1);
    let payload = "{\"n\":1,\"batch\":\"b1\"}";
    let sorted = |text: &str| {
        let mut fields: Vec<&str> = text.trim_matches(['{', '}']).split(',').collect();
        fields.sort_unstable();
        fields.join(",")
    };
    let called: Vec<(String, String)> = called(&fixture)
        .iter()
        .map(|call| call.split_once(' ').expect("a payload"))
        .map(|(kind, payload)| (kind.to_owned(), sorted(payload)))
        .collect();
    let expected = sorted(payload);
    assert_eq!(called, [("finally".into(), expected.clone()), ("then".into(), expected)]);
    let shown = fixture.queue.show_batch("latest").wait().expect("a batch");
    assert_eq!((shown.total, shown.pending, shown.completed, shown.failed), (2, 0, 2, 0));
    assert!(shown.finished_micros.is_some() && shown.sealed);
}

#[test]
fn catch_follows_the_first_failure_and_finally_the_last_end() {
    let fixture = Fixture::new();
    fixture.queue.begin_batch(&batch("b1"), &[step(), step(), step()], true).expect("begun");
    let jobs = fixture.claim(10);
    fail(&fixture, jobs[0].lease);
    assert_eq!(kinds(&fixture), ["catch"]);
    fail(&fixture, jobs[1].lease);
    assert!(kinds(&fixture).is_empty(), "once");
    // The third is put aside behind three crashes.
    crash(&fixture, 3);
    assert_eq!(fixture.state(jobs[2].lease.id), State::Quarantined);
    assert_eq!(kinds(&fixture), ["finally"]);
    let shown = fixture.queue.show_batch("b1").wait().expect("a batch");
    assert_eq!((shown.failed, shown.failure), (3, Some(jobs[0].lease.id)));
    // Wanted again, it is pending again, and the callbacks stay those there were.
    fixture.queue.restart(jobs[0].lease.id).expect("restarted");
    assert_eq!(fixture.queue.show_batch("b1").wait().expect("a batch").pending, 1);
    complete(&fixture, fixture.claim(1)[0].lease);
    let shown = fixture.queue.show_batch("b1").wait().expect("a batch");
    assert_eq!((shown.pending, shown.completed, shown.failed), (0, 1, 2));
    assert!(kinds(&fixture).is_empty());
}

fn kinds(fixture: &Fixture) -> Vec<String> {
    let called = called(fixture).into_iter();
    called.map(|call| call.split(' ').next().unwrap_or_default().to_owned()).collect()
}

fn crash(fixture: &Fixture, times: u32) {
    for time in 0..times {
        if time > 0 {
            assert_eq!(fixture.claim(1).len(), 1);
        }
        let mut rescuer = Rescuer::new(Duration::from_secs(12));
        for seconds in [1, 14] {
            let at = Duration::from_secs(seconds);
            // Callbacks that were claimed run on.
            let running =
                Listing { state: Some(State::Running), rows_max: 50, ..Listing::default() };
            let running = fixture.queue.list(&running).wait().expect("listed");
            let ids: Vec<i64> = running.iter().map(|job| job.id).collect();
            fixture.queue.renew("w", &ids).wait().expect("renewed");
            rescuer.look(&fixture.queue, at, u64::MAX >> 1).expect("looked");
        }
    }
}

#[test]
fn a_cancelled_batch_ends_with_finally_behind_the_job_that_ran() {
    let fixture = Fixture::new();
    fixture.queue.begin_batch(&batch("b1"), &[step(), step(), step()], false).expect("begun");
    let running = fixture.claim(1)[0].lease;
    fixture.queue.cancel_batch("b1").expect("cancelled");
    assert!(kinds(&fixture).is_empty(), "one still runs");
    let refused = fixture.queue.add_to_batch("b1", &[step()]).expect_err("cancelled");
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert_eq!(fixture.queue.hand_back(running, 0).wait().expect("given"), State::Cancelled);
    assert_eq!(kinds(&fixture), ["finally"]);
    let shown = fixture.queue.show_batch("b1").wait().expect("a batch");
    assert_eq!((shown.cancelled, shown.pending), (3, 0));
    let over = fixture.queue.cancel_batch("b1").expect_err("over");
    assert_eq!(over.to_string(), "the batch b1 is over: nothing was changed");
    let none = fixture.queue.seal_batch("b2").expect_err("none");
    assert_eq!(none.kind(), ErrorKind::NotFound);
}

#[test]
fn an_open_batch_waits_for_more_and_an_empty_one_is_over_when_it_is_sealed() {
    let fixture = Fixture::new();
    fixture.queue.begin_batch(&batch("b1"), &[step()], false).expect("begun");
    complete(&fixture, fixture.claim(1)[0].lease);
    assert!(kinds(&fixture).is_empty(), "it is open");
    fixture.queue.add_to_batch("b1", &[step()]).expect("added");
    fixture.queue.seal_batch("b1").expect("sealed");
    complete(&fixture, fixture.claim(1)[0].lease);
    assert_eq!(kinds(&fixture), ["finally", "then"]);
    fixture.queue.begin_batch(&batch("b2"), &[], true).expect("begun");
    assert_eq!(kinds(&fixture), ["finally", "then"]);
}

#[test]
fn a_batch_that_is_not_sealed_is_extended_and_sealed_in_one_transaction_and_another_is_not() {
    let fixture = Fixture::new();
    let queue = &fixture.queue;
    queue.begin_batch(&batch("b1"), &[], false).expect("begun");
    queue.extend_batch("b1", &[step()], false).expect("extended");
    let wrong = NewJob { priority: 10, ..step() };
    let refused = queue.extend_batch("b1", &[step(), wrong], true).expect_err("a wrong one");
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let shown = queue.show_batch("b1").wait().expect("a batch");
    assert_eq!((shown.total, shown.sealed), (1, false), "nothing of it has happened");
    queue.extend_batch("b1", &[step(), step()], true).expect("extended and sealed");
    let sealed = queue.extend_batch("b1", &[step()], false).expect_err("sealed");
    assert_eq!(sealed.to_string(), "the batch b1 is sealed: nothing was changed");
    queue.add_to_batch("b1", &[step()]).expect("from one of its jobs");
    for job in fixture.claim(10) {
        complete(&fixture, job.lease);
    }
    assert_eq!(kinds(&fixture), ["finally", "then"]);
    let over = queue.extend_batch("b1", &[step()], false).expect_err("over");
    assert_eq!(over.to_string(), "the batch b1 is over: nothing was changed");
    assert_eq!(queue.show_batch("b1").wait().expect("a batch").total, 4);
    // Nothing but the seal: it is over at once.
    queue.begin_batch(&batch("b2"), &[], false).expect("begun");
    queue.extend_batch("b2", &[], true).expect("sealed");
    assert_eq!(kinds(&fixture), ["finally", "then"]);
    let none = queue.extend_batch("b3", &[step()], false).expect_err("none");
    assert_eq!(none.kind(), ErrorKind::NotFound);
}

#[test]
fn a_job_with_a_unique_key_that_is_taken_is_not_counted() {
    let fixture = Fixture::new();
    let keyed = NewJob { unique_key: Some("k".into()), ..step() };
    let elsewhere = fixture.enqueue(&keyed);
    fixture.queue.begin_batch(&batch("b1"), &[keyed, step()], true).expect("begun");
    assert_eq!(fixture.queue.show_batch("b1").wait().expect("a batch").total, 1);
    for job in fixture.claim(10) {
        complete(&fixture, job.lease);
    }
    assert_eq!(kinds(&fixture), ["finally", "then"]);
    assert_eq!(fixture.state(elsewhere), State::Completed);
}

#[test]
fn wrong_batches_are_refused() {
    let fixture = Fixture::new();
    let wrong = NewBatch { callbacks: vec![(When::Then, NewJob::new("a", "[]"))], ..batch("b1") };
    let error = fixture.queue.begin_batch(&wrong, &[], true).expect_err("no object");
    assert!(error.to_string().contains("is no object"), "{error}");
    let error = fixture.queue.begin_batch(&batch("b 1"), &[], true).expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let many = vec![step(); 1_001];
    assert!(fixture.queue.begin_batch(&batch("b1"), &many, true).is_err());
}

#[test]
fn a_worker_runs_a_batch_with_its_callbacks_and_jobs_that_add_jobs() {
    let fixture = Fixture::new();
    let mut registry = Registry::default();
    let declared = Declared::default();
    registry
        .add("seed", declared, |run: &mut Run<'_>| {
            let batch = run.job().batch.clone().expect("a batch");
            run.queue().add_to_batch(&batch, &vec![NewJob::new("step", "{}"); 5])?;
            Ok(Ending::done())
        })
        .expect("a kind");
    registry.add("step", declared, |_: &mut Run<'_>| Ok(Ending::done())).expect("a kind");
    registry.add("then", declared, |_: &mut Run<'_>| Ok(Ending::done())).expect("a kind");
    registry.add("finally", declared, |_: &mut Run<'_>| Ok(Ending::done())).expect("a kind");
    let options = WorkerOptions {
        queues: vec!["default".into(), "after".into()],
        concurrency: 3,
        ..WorkerOptions::new("test")
    };
    let queue = fixture.queue.clone();
    let worker = Worker::start(queue, registry, options, random()).expect("a worker");
    let seeded = [NewJob::new("seed", "{}")];
    fixture.queue.begin_batch(&batch("b1"), &seeded, true).expect("begun");
    let until = std::time::Instant::now() + DEADLINE;
    while fixture.queue.show_batch("b1").wait().expect("a batch").finished_micros.is_none() {
        assert!(std::time::Instant::now() < until, "the batch is not over");
        std::thread::yield_now();
    }
    let shown = fixture.queue.show_batch("b1").wait().expect("a batch");
    assert_eq!((shown.total, shown.completed), (6, 6));
    assert!(worker.stop(DEADLINE));
}
