//! What is enqueued is claimed once, in order, under a lease that fences.

use plimsoll_jobs::{
    Claim, ErrorKind, KindLimits, Lease, Listing, NewJob, Progress, State, Wish, Within,
};

use crate::fixture::{Fixture, NOW, claim, effect};

fn named(kind: &str) -> NewJob {
    NewJob::new(kind, "{\"a\":1}")
}

#[test]
fn jobs_are_claimed_by_priority_and_then_in_the_order_they_came() {
    let fixture = Fixture::new();
    let late = fixture.enqueue(&NewJob { priority: 9, ..named("a") });
    let first = fixture.enqueue(&named("a"));
    let second = fixture.enqueue(&named("b"));
    let urgent = fixture.enqueue(&NewJob { priority: 0, ..named("c") });
    let elsewhere = fixture.enqueue(&NewJob { queue: "low".into(), ..named("d") });
    let ids: Vec<i64> = fixture.claim(10).iter().map(|job| job.lease.id).collect();
    assert_eq!(ids, [urgent, first, second, late]);
    assert!(fixture.claim(10).is_empty(), "claimed once");
    assert_eq!(claim(&fixture.queue, "w", "low", 1)[0].lease.id, elsewhere);
}

#[test]
fn two_workers_never_claim_the_same_job() {
    let fixture = Fixture::new();
    for _ in 0..200 {
        fixture.enqueue(&named("a"));
    }
    let queues = [fixture.another(), fixture.another()];
    let taken: Vec<Vec<i64>> = std::thread::scope(|scope| {
        let workers = queues.iter().enumerate().map(|(number, queue)| {
            scope.spawn(move || {
                let mut ids = Vec::new();
                loop {
                    let claimed = claim(queue, &format!("w{number}"), "default", 7);
                    if claimed.is_empty() {
                        return ids;
                    }
                    ids.extend(claimed.iter().map(|job| job.lease.id));
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
    });
    let mut all: Vec<i64> = taken.concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), taken.concat().len()), (200, 200));
}

#[test]
fn a_stale_lease_changes_nothing_and_its_effects_are_rolled_back() {
    let fixture = Fixture::new();
    let id = fixture.enqueue(&named("a"));
    let old = fixture.claim(1)[0].lease;
    fixture.queue.hand_back(old, 0).wait().expect("handed back");
    let new = fixture.claim(1)[0].lease;
    assert!(new.id == old.id && new.token > old.token);
    let lost = |error: plimsoll_jobs::Error| assert_eq!(error.kind(), ErrorKind::LeaseLost);
    let queue = &fixture.queue;
    lost(queue.complete(old, vec![effect(id, 1)], None, 0).wait().expect_err("complete"));
    let checkpoint = queue.checkpoint(old, vec![effect(id, 2)], "{}", &Progress::default());
    lost(checkpoint.expect("small").wait().expect_err("checkpoint"));
    lost(queue.hand_back(old, 0).wait().expect_err("hand back"));
    lost(queue.renew_one(old).wait().expect_err("renew"));
    lost(queue.progress(old, &Progress::default()).wait().expect_err("progress"));
    assert!(queue.complete_many(&[old]).wait().expect("asked").is_empty());
    assert_eq!((fixture.effects(), fixture.state(id)), (vec![], State::Running));
    queue.complete(new, vec![effect(id, 3)], Some("{\"n\":1}"), 0).wait().expect("complete");
    assert_eq!((fixture.effects(), fixture.state(id)), (vec![(id, 3)], State::Completed));
}

#[test]
fn effects_and_checkpoint_are_one_and_the_next_attempt_has_it() {
    let fixture = Fixture::new();
    let id = fixture.enqueue(&named("a"));
    let lease = fixture.claim(1)[0].lease;
    let progress = Progress { done: 5, total: Some(9), unit: Some("rows".into()) };
    let saved = fixture.queue.checkpoint(lease, vec![effect(id, 1)], "{\"at\":5}", &progress);
    assert_eq!(saved.expect("small").wait().expect("saved"), None);
    fixture.queue.hand_back(lease, 77).wait().expect("handed back");
    let again = &fixture.claim(1)[0];
    assert_eq!(again.checkpoint.as_deref(), Some("{\"at\":5}"));
    assert_eq!((again.attempts, again.memory_bytes), (0, 77), "no attempt, and it was learned");
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!((job.progress, job.deliveries, job.checkpoints), (progress, 2, 1));
}

#[test]
fn ends_of_many_jobs_are_one_statement_that_meets_those_whose_lease_holds() {
    let fixture = Fixture::new();
    let ids: Vec<i64> = (0..5).map(|_| fixture.enqueue(&named("a"))).collect();
    let mut leases: Vec<Lease> = fixture.claim(5).iter().map(|job| job.lease).collect();
    leases[2].token += 1;
    let mut met = fixture.queue.complete_many(&leases).wait().expect("completed");
    met.sort_unstable();
    assert_eq!(met, [ids[0], ids[1], ids[3], ids[4]]);
    assert_eq!(fixture.state(ids[2]), State::Running);
}

/// Sent without waiting, so that the writer finds many at a time.
#[test]
fn what_many_write_at_once_is_each_ones_own() {
    let fixture = Fixture::new();
    let hostile = |n: i64| format!("{{\"n\":{n},\"a\":\"\\\\,'}}{{\\\"NULL é\"}}");
    let jobs = (0..300).map(|n| NewJob { priority: 5, ..NewJob::new("a", hostile(n)) });
    let sent: Vec<_> = jobs.map(|job| fixture.queue.enqueue(&job).expect("checked")).collect();
    let ids: Vec<i64> = sent.into_iter().map(|one| one.wait().expect("enqueued").id).collect();
    for (n, id) in ids.iter().enumerate().step_by(37) {
        let job = fixture.queue.show(*id).wait().expect("a job");
        let n = i64::try_from(n).expect("small");
        assert_eq!((&*job.payload, job.batch, job.unique_key), (&*hostile(n), None, None));
    }
    let mut leases: Vec<Lease> = fixture.claim(300).iter().map(|job| job.lease).collect();
    leases[7].token += 1;
    leases.push(leases[9]);
    let result = |id: i64| (id % 2 == 0).then(|| format!("{{\"of\":{id}}}"));
    let end = |lease: &Lease| {
        let effects = vec![effect(lease.id, 1)];
        fixture.queue.complete(*lease, effects, result(lease.id).as_deref(), 3)
    };
    let sent: Vec<_> = leases.iter().map(end).collect();
    let ended: Vec<_> = sent.into_iter().map(|one| one.wait().map_err(|e| e.kind())).collect();
    let lost: Vec<usize> = (0..ended.len()).filter(|n| ended[*n].is_err()).collect();
    assert_eq!(lost, [7, 300], "a stale lease, and one that had ended");
    assert!(lost.iter().all(|n| ended[*n] == Err(ErrorKind::LeaseLost)));
    let mut done: Vec<(i64, i64)> = ids.iter().map(|id| (*id, 1)).collect();
    done.retain(|(id, _)| *id != leases[7].id);
    assert_eq!(fixture.effects(), done);
    for id in ids.iter().step_by(41).filter(|id| **id != leases[7].id) {
        let job = fixture.queue.show(*id).wait().expect("a job");
        assert_eq!(
            (job.state, job.peak_bytes, job.result),
            (State::Completed, 3, result(*id).map(Into::into))
        );
    }
}

#[test]
fn a_unique_key_is_that_of_one_job_until_it_is_over() {
    let fixture = Fixture::new();
    let keyed = NewJob { unique_key: Some("day-1".into()), ..named("sync") };
    let id = fixture.enqueue(&keyed);
    let same = fixture.queue.enqueue(&keyed).expect("a job").wait().expect("found");
    assert_eq!((same.id, same.existed), (id, true));
    let other = NewJob { unique_key: Some("day-1".into()), ..named("other") };
    assert_ne!(fixture.enqueue(&other), id, "another kind has its own keys");
    let lease = fixture.claim(1)[0].lease;
    assert!(fixture.queue.enqueue(&keyed).expect("a job").wait().expect("found").existed);
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
    let next = fixture.enqueue(&keyed);
    assert_ne!(next, id);
    fixture.queue.cancel(next).expect("cancelled");
    let newer = fixture.enqueue(&keyed);
    let error = fixture.queue.restart(next).expect_err("two of one key");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("unique key"), "{error}");
    assert_eq!(fixture.state(newer), State::Ready);
}

#[test]
fn what_is_due_later_is_claimed_then_and_not_before() {
    let fixture = Fixture::new();
    let at = NOW + 60_000_000;
    let id = fixture.enqueue(&NewJob { not_before_micros: Some(at), ..named("a") });
    assert_eq!(fixture.queue.next_due().wait().expect("asked"), Some(at));
    assert_eq!(fixture.queue.due().wait().expect("due"), 0);
    assert!(fixture.claim(1).is_empty());
    fixture.clock.pass(std::time::Duration::from_secs(60));
    assert_eq!(fixture.queue.due().wait().expect("due"), 1);
    assert_eq!(fixture.claim(1)[0].lease.id, id);
}

#[test]
fn a_renewal_tells_what_is_wished_and_a_worker_renews_its_own_alone() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.enqueue(&named("a")), fixture.enqueue(&named("b")));
    let mine = claim(&fixture.queue, "w1", "default", 1)[0].lease;
    let theirs = claim(&fixture.queue, "w2", "default", 1)[0].lease;
    assert_eq!((mine.id, theirs.id), (a, b));
    fixture.queue.cancel(a).expect("asked");
    let renewed = fixture.queue.renew("w1", &[a, b]).wait().expect("renewed");
    assert_eq!(renewed, [(mine, Some(Wish::Cancel))]);
    fixture.queue.pause(b).expect("asked");
    assert_eq!(fixture.queue.renew_one(theirs).wait().expect("renewed"), Some(Wish::Pause));
    fixture.queue.resume(b).expect("asked");
    assert_eq!(fixture.queue.renew_one(theirs).wait().expect("renewed"), None);
}

#[test]
fn limits_of_a_kind_and_of_a_queue_hold_over_all_workers() {
    let fixture = Fixture::new();
    let queue = &fixture.queue;
    for _ in 0..6 {
        fixture.enqueue(&named("few"));
        fixture.enqueue(&NewJob { queue: "narrow".into(), ..named("b") });
    }
    let limits = KindLimits { concurrency_max: Some(2), rate: None };
    queue.limit_kind("few", limits).expect("a name").wait().expect("set");
    queue.limit_queue("narrow", Some(3)).expect("a name").wait().expect("set");
    let take = |worker, name, within| {
        let claim = Claim { worker, queue: name, jobs_max: 5, without: &[], only: None, within };
        queue.claim(&claim).wait().expect("claimed")
    };
    let first = take("w1", "default", Within::Kind("few"));
    assert_eq!(first.len(), 2);
    assert!(take("w2", "default", Within::Kind("few")).is_empty());
    queue.complete(first[0].lease, Vec::new(), None, 0).wait().expect("completed");
    assert_eq!(take("w2", "default", Within::Kind("few")).len(), 1);
    assert_eq!(take("w1", "narrow", Within::Queue).len(), 3);
    assert!(take("w2", "narrow", Within::Queue).is_empty());
}

#[test]
fn a_rate_lets_so_many_through_in_its_time_and_counts_no_attempt() {
    let fixture = Fixture::new();
    for _ in 0..10 {
        fixture.enqueue(&named("mail"));
    }
    let limits = KindLimits { concurrency_max: None, rate: Some((3, 1_000)) };
    fixture.queue.limit_kind("mail", limits).expect("a name").wait().expect("set");
    let take = || {
        let within = Within::Kind("mail");
        let claim =
            Claim { worker: "w", queue: "default", jobs_max: 2, without: &[], only: None, within };
        let claimed = fixture.queue.claim(&claim).wait().expect("claimed");
        fixture.clock.pass(std::time::Duration::from_millis(1));
        claimed.len()
    };
    assert_eq!([take(), take(), take()], [2, 1, 0]);
    fixture.clock.pass(std::time::Duration::from_secs(1));
    assert_eq!([take(), take(), take()], [2, 1, 0]);
    let waiting = Listing { state: Some(State::Ready), rows_max: 10, ..Listing::default() };
    let waiting = fixture.queue.list(&waiting).wait().expect("listed");
    assert!(waiting.len() == 4 && waiting.iter().all(|job| job.attempts == 0));
}

#[test]
fn wrong_jobs_are_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    let wrong = [
        (NewJob::new("no name", "{}"), "is not a name"),
        (NewJob::new("a", "{"), "no JSON"),
        (NewJob::new("a", "\"\\u0000\""), "no JSON"),
        (NewJob::new("a", format!("\"{}\"", "x".repeat(70_000))), "of at most 65536"),
        (NewJob { queue: "".into(), ..named("a") }, "queue"),
        (NewJob { priority: 10, ..named("a") }, "priority"),
        (NewJob { unique_key: Some("".into()), ..named("a") }, "unique key"),
    ];
    for (job, expected) in wrong {
        let error = fixture.queue.enqueue(&job).err().expect(expected);
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let all = Listing { rows_max: 10, ..Listing::default() };
    assert!(fixture.queue.list(&all).wait().expect("listed").is_empty());
}

#[test]
fn what_plimsoll_does_itself_is_given_to_nobody_who_takes_all_kinds() {
    let fixture = Fixture::new();
    for kind in plimsoll_jobs::OWN_KINDS {
        fixture.enqueue(&named(kind));
    }
    let mail = fixture.enqueue(&named("mail"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let taken = runtime.block_on(fixture.queue.take("w", &["default".into()], None, 20));
    let ids: Vec<i64> = taken.expect("taken").iter().map(|job| job.lease.id).collect();
    assert_eq!(ids, [mail]);
}
