//! A job that is a type: its payload, its checkpoints and its memory are those of the type.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll_jobs::typed::{Job, Work};
use plimsoll_jobs::{
    Declared, Ending, ErrorKind, JobError, NewJob, Progress, Registry, State, Trying, Worker,
    WorkerOptions,
};
use serde::{Deserialize, Serialize};

use crate::fixture::{DEADLINE, Fixture, effect, random};

/// Does steps, one effect each, and says with which memory it began from where.
struct Steps {
    began: Mutex<SyncSender<(Option<i64>, u64)>>,
    /// It stops by itself behind this one, where it has not begun there.
    halfway: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    upto: i64,
}

#[derive(Serialize, Deserialize)]
struct At {
    step: i64,
}

impl Job for Steps {
    const NAME: &'static str = "steps";
    const MEMORY_BYTES: u64 = 3 << 20;
    type Payload = Asked;
    type Checkpoint = At;

    fn declared() -> Declared {
        let trying = Trying { tries_max: 7, ..Trying::default() };
        Declared { memory_bytes: Self::MEMORY_BYTES, trying, queue: "stairs" }
    }

    fn run(
        &self,
        asked: Asked,
        last: Option<At>,
        work: &mut Work<'_, '_, Self>,
    ) -> Result<Ending, JobError> {
        let first = last.map(|at| at.step);
        let told = (first, work.memory_bytes());
        self.began.lock().expect("began").send(told).expect("the test listens");
        let id = work.job().lease.id;
        for step in first.unwrap_or_default() + 1..=asked.upto {
            let progress = Progress { done: step.unsigned_abs(), ..Progress::default() };
            let stop = work.save(vec![effect(id, step)], &At { step }, &progress)?;
            if stop.is_some() || (first.is_none() && self.halfway == Some(step)) {
                return Ok(Ending::Stopped);
            }
        }
        Ok(Ending::done())
    }
}

type Began = std::sync::mpsc::Receiver<(Option<i64>, u64)>;

fn start(fixture: &Fixture, halfway: Option<i64>, budget: &Budget) -> (Worker, Began) {
    let (began, has_begun) = sync_channel(16);
    let mut registry = Registry::default();
    registry.add_job(Steps { began: Mutex::new(began), halfway }).expect("a kind");
    let memory = budget.child("jobs", 8 << 20).expect("a child");
    let options = WorkerOptions {
        queues: vec!["stairs".into()],
        memory: Some(memory),
        ..WorkerOptions::new("test")
    };
    let worker = Worker::start(fixture.queue.clone(), registry, options, random());
    (worker.expect("a worker"), has_begun)
}

fn budget() -> Budget {
    Budget::new(64 << 20, 64 << 20, Arc::new(Unmeasured)).expect("a budget")
}

#[test]
fn a_typed_job_has_its_payload_its_memory_and_its_last_checkpoint() {
    let (fixture, budget) = (Fixture::new(), budget());
    let (worker, began) = start(&fixture, Some(4), &budget);
    let made = fixture.queue.enqueue_job::<Steps>(&Asked { upto: 6 }).expect("a job");
    let id = made.wait().expect("enqueued").id;
    assert_eq!(began.recv_timeout(DEADLINE), Ok((None, Steps::MEMORY_BYTES)));
    fixture.until(id, State::Completed);
    assert_eq!(began.recv_timeout(DEADLINE), Ok((Some(4), Steps::MEMORY_BYTES)));
    let steps: Vec<i64> = fixture.effects().iter().map(|(_, step)| *step).collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6], "each once");
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!((&*job.kind, &*job.queue, job.trying.tries_max), ("steps", "stairs", 7));
    assert_eq!((job.memory_bytes, job.attempts), (Steps::MEMORY_BYTES, 0));
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_payload_or_checkpoint_of_the_wrong_shape_fails_a_typed_job_once_and_for_good() {
    let (fixture, budget) = (Fixture::new(), budget());
    let of = |payload: &str| NewJob { queue: "stairs".into(), ..NewJob::new("steps", payload) };
    let wrong = [
        ("{\"upto\":\"six\"}", "invalid type: string \"six\", expected i64"),
        ("{\"up_to\":6}", "unknown field `up_to`"),
        ("[]", "invalid length 0"),
        ("null", "invalid type: null"),
    ];
    let ids = wrong.map(|(payload, _)| fixture.enqueue(&of(payload)));
    // What an earlier version left, or another program.
    let old = fixture.enqueue(&NewJob { priority: 0, ..of("{\"upto\":6}") });
    let claimed = crate::fixture::claim(&fixture.queue, "w0", "stairs", 1).remove(0);
    assert_eq!(claimed.lease.id, old);
    let saved = fixture.queue.checkpoint(claimed.lease, Vec::new(), "[4]x", &Progress::default());
    saved.expect("small").wait().expect("saved");
    fixture.queue.hand_back(claimed.lease, 0).wait().expect("handed back");
    let (worker, began) = start(&fixture, None, &budget);
    for (id, (payload, expected)) in ids.into_iter().zip(wrong) {
        fixture.until(id, State::Failed);
        let failures = fixture.queue.failures(id).wait().expect("read");
        assert_eq!(failures.len(), 1, "{payload} is not tried again");
        let told = &*failures[0].message;
        let place = told.contains(expected) && told.contains("line 1 column");
        assert!(told.starts_with("the payload is not one of steps: ") && place, "{told}");
    }
    fixture.until(old, State::Failed);
    let failures = fixture.queue.failures(old).wait().expect("read");
    assert_eq!(failures.len(), 1);
    assert!(failures[0].message.starts_with("the checkpoint is not one of steps: "));
    assert!(began.try_recv().is_err() && fixture.effects().is_empty(), "none has begun");
    assert!(worker.stop(DEADLINE));
}

/// Its payload has keys that JSON cannot have.
struct Odd;

impl Job for Odd {
    const NAME: &'static str = "odd";
    const MEMORY_BYTES: u64 = 1;
    type Payload = std::collections::BTreeMap<Vec<u8>, u8>;
    type Checkpoint = ();

    fn run(
        &self,
        _: Self::Payload,
        _: Option<()>,
        _: &mut Work<'_, '_, Self>,
    ) -> Result<Ending, JobError> {
        Ok(Ending::done())
    }
}

#[test]
fn what_cannot_be_enqueued_or_added_is_refused_with_the_kind() {
    let error = NewJob::of::<Odd>(&[(vec![1], 1)].into()).expect_err("no JSON");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("the payload of a job of odd is no JSON"), "{error}");
    let mut registry = Registry::default();
    registry.add_job(Odd).expect("a kind");
    let twice = registry.add_job(Odd).expect_err("twice").to_string();
    assert_eq!(twice, "the kind odd is there already");
}

#[test]
fn the_rust_job_of_the_document_is_the_one_that_runs() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let (source, document) = (read("src/typed.rs"), read("../../docs/JOBS.md"));
    let run: Vec<&str> = source.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let run: String =
        run.iter().map(|line| format!("{}\n", line.trim_start_matches(' '))).collect();
    let mut blocks = document.split("```rust\n").skip(1);
    let shown = blocks.next().and_then(|rest| rest.split("```").next()).expect("a job in Rust");
    assert!(blocks.next().is_none(), "one job in Rust");
    let shown: String = shown.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    for part in shown.split("\n\n") {
        assert!(run.contains(part), "not in the example that runs:\n{part}");
    }
}
