//! A worker runs jobs to their ends, whatever they do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll_jobs::{
    Declared, Ending, JobError, NewJob, Progress, Registry, Run, State, Stop, Trying, Worker,
    WorkerOptions,
};

use crate::fixture::{DEADLINE, Fixture, effect, random};

fn options(concurrency: u32) -> WorkerOptions {
    WorkerOptions { concurrency, ..WorkerOptions::new("test") }
}

fn start(fixture: &Fixture, registry: Registry, options: WorkerOptions) -> Worker {
    Worker::start(fixture.queue.clone(), registry, options, random()).expect("a worker")
}

fn with(kind: &str, handler: impl plimsoll_jobs::Handler + 'static) -> Registry {
    let mut registry = Registry::default();
    registry.add(kind, Declared::default(), handler).expect("a kind");
    registry
}

/// A handler that says it has begun and waits for a word.
struct Gate {
    began: Mutex<SyncSender<i64>>,
    go_on: Mutex<Receiver<()>>,
}

fn gate() -> (Arc<Gate>, Receiver<i64>, SyncSender<()>) {
    let ((began, has_begun), (word, go_on)) = (sync_channel(8), sync_channel(8));
    (Arc::new(Gate { began: Mutex::new(began), go_on: Mutex::new(go_on) }), has_begun, word)
}

impl Gate {
    fn pass(&self, id: i64) {
        self.began.lock().expect("began").send(id).expect("the test listens");
        // A word, or the end of the test.
        let _word = self.go_on.lock().expect("a word").recv();
    }
}

#[test]
fn many_jobs_are_done_once_each_with_their_effects() {
    let fixture = Fixture::new();
    let registry = with("step", |run: &mut Run<'_>| {
        let effects = vec![effect(run.job().lease.id, 1)];
        Ok(Ending::Done { effects, result: None })
    });
    let worker = start(&fixture, registry, options(4));
    let ids: Vec<i64> = (0..300).map(|_| fixture.enqueue(&NewJob::new("step", "{}"))).collect();
    for id in &ids {
        fixture.until(*id, State::Completed);
    }
    let expected: Vec<(i64, i64)> = ids.iter().map(|id| (*id, 1)).collect();
    assert_eq!(fixture.effects(), expected);
    assert!(worker.stop(DEADLINE));
    assert_eq!(worker.stats().ended, 300);
}

#[test]
fn a_job_that_fails_is_tried_again_and_then_given_up() {
    let fixture = Fixture::new();
    let attempts = Arc::new(AtomicU64::new(0));
    let counted = attempts.clone();
    let registry = with("step", move |_: &mut Run<'_>| -> Result<Ending, JobError> {
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("the first time"),
            _ => Err(JobError::again("the second time")),
        }
    });
    let worker = start(&fixture, registry, options(1));
    let trying = Trying { tries_max: 2, exceptions_max: 5, timeout_ms: 60_000 };
    let id = fixture.enqueue(&NewJob { trying, ..NewJob::new("step", "{}") });
    fixture.until(id, State::Retrying);
    fixture.clock.pass(Duration::from_secs(10));
    fixture.until(id, State::Failed);
    let messages: Vec<Box<str>> = fixture
        .queue
        .failures(id)
        .wait()
        .expect("read")
        .into_iter()
        .map(|failure| failure.message)
        .collect();
    assert_eq!(messages, ["it panicked: the first time".into(), "the second time".into()]);
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_hopeless_job_and_one_of_the_wrong_shape_are_not_tried_again() {
    let fixture = Fixture::new();
    let registry = with("step", |run: &mut Run<'_>| {
        let _number: u64 = run.payload()?;
        Err(JobError::hopeless("never"))
    });
    let worker = start(&fixture, registry, options(1));
    let hopeless = fixture.enqueue(&NewJob::new("step", "7"));
    let shapeless = fixture.enqueue(&NewJob::new("step", "{\"a\":1}"));
    fixture.until(hopeless, State::Failed);
    fixture.until(shapeless, State::Failed);
    let told = fixture.queue.show(shapeless).wait().expect("a job").error.expect("an error");
    assert!(told.contains("the payload is not one of step"), "{told}");
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_stopped_worker_hands_back_and_the_next_goes_on_behind_the_checkpoint() {
    let fixture = Fixture::new();
    let (gate, began, _word) = gate();
    let waits = gate.clone();
    let registry = with("steps", move |run: &mut Run<'_>| {
        let first: i64 = run.checkpoint()?.unwrap_or_default();
        let id = run.job().lease.id;
        for step in first + 1..=6 {
            if step == 4 && first == 0 {
                waits.began.lock().expect("began").send(id).expect("the test listens");
            }
            let progress = Progress { done: step.cast_unsigned(), ..Progress::default() };
            let stop = run.save(vec![effect(id, step)], &step.to_string(), &progress)?;
            if stop.is_some() {
                return Ok(Ending::Stopped);
            }
            if step == 4 && first == 0 {
                while run.stop().is_none() {
                    std::thread::yield_now();
                }
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::done())
    });
    let worker = start(&fixture, registry.clone(), options(1));
    let id = fixture.enqueue(&NewJob::new("steps", "{}"));
    assert_eq!(began.recv_timeout(DEADLINE), Ok(id));
    assert!(worker.stop(DEADLINE));
    assert_eq!(fixture.state(id), State::Ready);
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!((job.attempts, job.crashes), (0, 0), "handing back is no attempt");
    let worker = start(&fixture, registry, options(1));
    fixture.until(id, State::Completed);
    let steps: Vec<i64> = fixture.effects().iter().map(|(_, step)| *step).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6], "each once");
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_cancelled_job_is_told_and_ends_cancelled() {
    let fixture = Fixture::new();
    let (began, has_begun) = sync_channel(8);
    let began = Mutex::new(began);
    let registry = with("long", move |run: &mut Run<'_>| {
        began.lock().expect("began").send(()).expect("the test listens");
        while run.stop().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(run.stop(), Some(Stop::Cancel));
        Ok(Ending::Stopped)
    });
    let quick = WorkerOptions { renew_every: Duration::from_millis(50), ..options(1) };
    let worker = start(&fixture, registry, quick);
    let id = fixture.enqueue(&NewJob::new("long", "{}"));
    has_begun.recv_timeout(DEADLINE).expect("begun");
    assert_eq!(fixture.queue.cancel(id).expect("asked"), State::Running);
    fixture.until(id, State::Cancelled);
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_job_that_does_not_end_loses_its_lease_and_its_thread_is_replaced() {
    let fixture = Fixture::new();
    let (gate, began, word) = gate();
    let waits = gate.clone();
    let registry = with("stuck", move |run: &mut Run<'_>| {
        let id = run.job().lease.id;
        if &*run.job().payload == "\"stuck\"" {
            waits.pass(id);
        }
        Ok(Ending::Done { effects: vec![effect(id, 1)], result: None })
    });
    let quick = WorkerOptions { grace: Duration::from_millis(50), ..options(1) };
    let worker = start(&fixture, registry, quick);
    let trying = Trying { tries_max: 1, timeout_ms: 50, ..Trying::default() };
    let stuck = fixture.enqueue(&NewJob { trying, ..NewJob::new("stuck", "\"stuck\"") });
    assert_eq!(began.recv_timeout(DEADLINE), Ok(stuck));
    fixture.until(stuck, State::Failed);
    let next = fixture.enqueue(&NewJob::new("stuck", "1"));
    fixture.until(next, State::Completed);
    // The zombie goes on, and nothing it writes is taken.
    word.send(()).expect("it waits");
    let last = fixture.enqueue(&NewJob::new("stuck", "2"));
    fixture.until(last, State::Completed);
    assert!(worker.stop(DEADLINE));
    assert_eq!(fixture.effects(), [(next, 1), (last, 1)]);
    assert_eq!(fixture.queue.failures(stuck).wait().expect("read")[0].what, "timeout".into());
}

#[test]
fn a_job_begins_when_its_memory_is_reserved_and_a_large_one_is_not_starved() {
    let fixture = Fixture::new();
    let budget = Budget::new(64 << 20, 64 << 20, Arc::new(Unmeasured)).expect("a budget");
    let node = budget.child("jobs", 8 << 20).expect("a child");
    let held = Arc::new(AtomicU64::new(0));
    let most = Arc::new(AtomicU64::new(0));
    let (now, peak) = (held.clone(), most.clone());
    let registry = with("big", move |run: &mut Run<'_>| {
        let mine = run.memory_bytes();
        let all = now.fetch_add(mine, Ordering::SeqCst) + mine;
        peak.fetch_max(all, Ordering::SeqCst);
        std::thread::yield_now();
        now.fetch_sub(mine, Ordering::SeqCst);
        Ok(Ending::done())
    });
    let worker = start(&fixture, registry, WorkerOptions { memory: Some(node), ..options(8) });
    let sized = |bytes| NewJob { memory_bytes: bytes, ..NewJob::new("big", "{}") };
    let mut ids: Vec<i64> = (0..40).map(|_| fixture.enqueue(&sized(2 << 20))).collect();
    ids.push(fixture.enqueue(&sized(8 << 20)));
    ids.extend((0..40).map(|_| fixture.enqueue(&sized(1 << 20))));
    let never = fixture.enqueue(&sized(9 << 20));
    for id in ids {
        fixture.until(id, State::Completed);
    }
    fixture.until(never, State::Failed);
    let told = fixture.queue.show(never).wait().expect("a job").error.expect("an error");
    assert!(told.contains("9437184 bytes") && told.contains("8388608"), "{told}");
    assert!(most.load(Ordering::SeqCst) <= 8 << 20);
    assert!(worker.stop(DEADLINE));
    assert_eq!(budget.reserved_bytes(), 0);
}

#[test]
fn a_worker_ends_after_so_many_jobs_and_leaves_the_rest() {
    let fixture = Fixture::new();
    let ids: Vec<i64> = (0..20).map(|_| fixture.enqueue(&NewJob::new("step", "{}"))).collect();
    let registry = with("step", |_: &mut Run<'_>| Ok(Ending::done()));
    let worker = start(&fixture, registry, WorkerOptions { jobs_max: Some(7), ..options(3) });
    assert!(worker.wait_over(DEADLINE));
    assert!(worker.stop(DEADLINE));
    let done = ids.iter().filter(|id| fixture.state(**id) == State::Completed).count();
    let ready = ids.iter().filter(|id| fixture.state(**id) == State::Ready).count();
    assert_eq!((done, ready), (7, 13));
}

#[test]
fn a_paused_queue_gives_out_nothing_until_it_is_resumed() {
    let fixture = Fixture::new();
    fixture.queue.pause_queue("default").expect("a name").wait().expect("paused");
    let registry = with("step", |_: &mut Run<'_>| Ok(Ending::done()));
    let worker = start(&fixture, registry, options(1));
    let id = fixture.enqueue(&NewJob::new("step", "{}"));
    let urgent = NewJob { queue: "other".into(), ..NewJob::new("step", "{}") };
    let other = fixture.enqueue(&urgent);
    // Its queue is not this worker's, so it says nothing but that time has passed.
    assert_eq!(fixture.state(other), State::Ready);
    assert!(!worker.wait_over(Duration::from_millis(300)));
    assert_eq!(fixture.state(id), State::Ready);
    fixture.queue.resume_queue("default").wait().expect("resumed");
    fixture.until(id, State::Completed);
    assert!(worker.stop(DEADLINE));
}
