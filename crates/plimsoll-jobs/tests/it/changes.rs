//! What people do to jobs and queues, and what they are told.

use std::time::Duration;

use plimsoll_jobs::{ErrorKind, Listing, NewJob, State, Verdict};

use crate::fixture::{Fixture, NOW};

#[test]
fn what_cannot_be_done_says_what_the_job_is() {
    let fixture = Fixture::new();
    let id = fixture.enqueue(&NewJob::new("a", "{}"));
    let lease = fixture.claim(1)[0].lease;
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
    let error = fixture.queue.cancel(id).expect_err("over");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let told = format!("job {id} is completed and over: it cannot be cancelled");
    assert_eq!(error.to_string(), told);
    assert_eq!(fixture.queue.cancel(id + 1).expect_err("none").kind(), ErrorKind::NotFound);
    let other = fixture.enqueue(&NewJob::new("a", "{}"));
    assert_eq!(fixture.queue.remove(other).expect_err("not over").kind(), ErrorKind::Conflict);
    fixture.queue.remove(id).expect("removed");
    assert_eq!(fixture.queue.show(id).wait().expect_err("gone").kind(), ErrorKind::NotFound);
}

#[test]
fn every_attempts_error_is_kept_up_to_a_bound() {
    let fixture = Fixture::new();
    let id = fixture.enqueue(&NewJob::new("a", "{}"));
    for attempt in 1..=30_u32 {
        let lease = fixture.claim(1)[0].lease;
        let verdict = Verdict {
            state: State::Retrying,
            not_before_micros: Some(NOW),
            attempts: attempt,
            exceptions: attempt,
        };
        let message = format!("attempt {attempt} {}", "é".repeat(2_000));
        let failed = fixture.queue.fail(lease, &verdict, ("error", &message), 0).wait();
        assert_eq!(failed.expect("failed"), State::Retrying);
        assert_eq!(fixture.queue.due().wait().expect("due"), 1);
    }
    let failures = fixture.queue.failures(id).wait().expect("read");
    assert_eq!(failures.len(), 25);
    assert!(failures[0].message.starts_with("attempt 6 "), "{}", failures[0].message);
    assert!(failures.iter().all(|failure| failure.message.len() <= 2_000));
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!((job.attempts, job.exceptions, job.crashes), (30, 30, 0));
}

#[test]
fn lists_and_counts_are_by_state_queue_and_kind_and_bounded() {
    let fixture = Fixture::new();
    let mut ids = Vec::new();
    for number in 0..6 {
        let kind = if number % 2 == 0 { "even" } else { "odd" };
        let queue = if number < 4 { "default" } else { "low" };
        ids.push(fixture.enqueue(&NewJob { queue: queue.into(), ..NewJob::new(kind, "{}") }));
    }
    fixture.queue.pause(ids[0]).expect("paused");
    let list = |listing: Listing| -> Vec<i64> {
        let jobs = fixture.queue.list(&listing).wait().expect("listed");
        jobs.iter().map(|job| job.id).collect()
    };
    let all = || Listing { rows_max: 10, ..Listing::default() };
    assert_eq!(list(all()), [ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]]);
    assert_eq!(list(Listing { rows_max: 2, before: Some(ids[4]), ..all() }), [ids[3], ids[2]]);
    assert_eq!(list(Listing { kind: Some("odd".into()), ..all() }), [ids[5], ids[3], ids[1]]);
    assert_eq!(list(Listing { queue: Some("low".into()), ..all() }), [ids[5], ids[4]]);
    assert_eq!(list(Listing { state: Some(State::Paused), ..all() }), [ids[0]]);
    fixture.claim(1);
    assert_eq!(list(Listing { state: Some(State::Running), ..all() }), [ids[1]]);
    let queues = fixture.queue.queues().expect("queues");
    assert_eq!(queues["low"].jobs, [("ready", 2)].into());
    let default = &queues["default"].jobs;
    assert_eq!(*default, [("paused", 1), ("ready", 2), ("running", 1)].into());
    fixture.queue.pause_queue("low").expect("a name").wait().expect("paused");
    assert_eq!(fixture.queue.queues().expect("queues")["low"].paused_micros, Some(NOW));
    fixture.queue.resume_queue("low").wait().expect("resumed");
    assert_eq!(fixture.queue.queues().expect("queues")["low"].paused_micros, None);
}

#[test]
fn jobs_that_are_over_for_long_are_removed_with_their_errors_and_failed_ones_stay() {
    let fixture = Fixture::new();
    let done = fixture.enqueue(&NewJob::new("a", "{}"));
    let lease = fixture.claim(1)[0].lease;
    let retry = Verdict {
        state: State::Retrying,
        not_before_micros: Some(NOW),
        attempts: 1,
        exceptions: 1,
    };
    fixture.queue.fail(lease, &retry, ("error", "once"), 0).wait().expect("failed");
    fixture.queue.due().wait().expect("due");
    let lease = fixture.claim(1)[0].lease;
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
    let failed = fixture.enqueue(&NewJob::new("a", "{}"));
    let lease = fixture.claim(1)[0].lease;
    let given_up = Verdict { state: State::Failed, not_before_micros: None, ..retry };
    fixture.queue.fail(lease, &given_up, ("error", "for good"), 0).wait().expect("failed");
    fixture.clock.pass(Duration::from_secs(100));
    assert_eq!(fixture.queue.prune(NOW, 10).expect("pruned"), 0);
    assert_eq!(fixture.queue.prune(NOW + 1, 10).expect("pruned"), 1);
    assert_eq!(fixture.queue.show(done).wait().expect_err("gone").kind(), ErrorKind::NotFound);
    assert!(fixture.queue.failures(done).wait().expect("read").is_empty());
    assert_eq!(fixture.state(failed), State::Failed, "somebody has to look");
}
