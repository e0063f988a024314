//! Another program does the jobs of a queue, and is resumed where it stopped.

use std::path::Path;
use std::time::Duration;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll_jobs::child::Limits;
use plimsoll_jobs::{Declared, ExecRunner, NewJob, Registry, State, Worker, WorkerOptions};

use crate::fixture::{DEADLINE, Fixture, random};

/// Does the steps that a payload asks for, behind those of the checkpoint; with `eat`, takes so
/// many MiB first; with `wait`, waits for a word to stop behind its first checkpoint.
const CHILD: &str = r#"
import json, sys
def say(**line): print(json.dumps(line), flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if "job" not in told: continue
    job = told["job"]
    payload, eaten = job["payload"], None
    if isinstance(payload, str): payload = json.loads(payload)
    if payload.get("fail"):
        say(id=job["id"], failed={"message": "asked to", "retry": False}); continue
    first = job["checkpoint"] or 0
    if isinstance(first, str): first = json.loads(first)
    if payload.get("eat") and not first: eaten = bytearray(payload["eat"] << 20)
    stopped = False
    for step in range(first + 1, payload["steps"] + 1):
        say(id=job["id"], progress={"done": step, "total": payload["steps"], "unit": "steps"})
        say(id=job["id"], checkpoint=step)
        while True:
            word = json.loads(sys.stdin.readline())
            if "stop" in word: stopped = True
            if word.get("ok") == "checkpoint": break
        if (payload.get("wait") or eaten) and not first:
            while not stopped: stopped = "stop" in json.loads(sys.stdin.readline())
        if stopped: break
    eaten = None
    if stopped: sys.exit(0)
    say(id=job["id"], done={"steps": step, "from": first})
"#;

fn python() -> bool {
    std::process::Command::new("python3").arg("--version").output().is_ok()
}

fn worker(fixture: &Fixture, memory_bytes: Option<u64>) -> Worker {
    let command = ["python3", "-c", CHILD].map(str::to_owned).to_vec();
    let limits = Limits { memory_bytes, ..Limits::default() };
    let mut registry = Registry::default();
    registry.add_rest(Declared::default(), ExecRunner::new(command, limits).expect("a program"));
    let budget = Budget::new(1 << 30, 1 << 30, std::sync::Arc::new(Unmeasured)).expect("a budget");
    let memory = Some(budget.child("jobs", 512 << 20).expect("a child"));
    let options = WorkerOptions {
        memory,
        renew_every: Duration::from_millis(50),
        ..WorkerOptions::new("exec")
    };
    Worker::start(fixture.queue.clone(), registry, options, random()).expect("a worker")
}

#[test]
fn a_programs_jobs_are_done_with_progress_checkpoints_and_results() {
    if !python() {
        return println!("SKIPPED: python3 is missing");
    }
    let fixture = Fixture::new();
    let worker = worker(&fixture, None);
    let ids: Vec<i64> = (1..=5)
        .map(|n| fixture.enqueue(&NewJob::new(format!("kind.{n}"), format!("{{\"steps\":{n}}}"))))
        .collect();
    for id in &ids {
        fixture.until(*id, State::Completed);
    }
    let last = fixture.queue.show(ids[4]).wait().expect("a job");
    let result: serde_json::Value =
        serde_json::from_str(&last.result.expect("a result")).expect("JSON");
    assert_eq!(result, serde_json::json!({"steps": 5, "from": 0}));
    assert_eq!((last.progress.done, last.progress.total, last.checkpoints), (5, Some(5), 5));
    assert!(last.peak_bytes > 1 << 20, "its memory was seen: {}", last.peak_bytes);
    let failed = fixture.enqueue(&NewJob::new("kind.f", "{\"fail\":true}"));
    fixture.until(failed, State::Failed);
    assert_eq!(
        fixture.queue.show(failed).wait().expect("a job").error.as_deref(),
        Some("asked to")
    );
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_stopped_programs_job_goes_on_behind_its_checkpoint() {
    if !python() {
        return println!("SKIPPED: python3 is missing");
    }
    let fixture = Fixture::new();
    let first = worker(&fixture, None);
    let id = fixture.enqueue(&NewJob::new("kind", "{\"steps\":3,\"wait\":true}"));
    let until = std::time::Instant::now() + DEADLINE;
    while fixture.queue.show(id).wait().expect("a job").checkpoints == 0 {
        assert!(std::time::Instant::now() < until, "no checkpoint");
        std::thread::yield_now();
    }
    assert!(first.stop(DEADLINE));
    assert_eq!(fixture.state(id), State::Ready);
    let second = worker(&fixture, None);
    fixture.until(id, State::Completed);
    let job = fixture.queue.show(id).wait().expect("a job");
    assert!(job.result.expect("a result").contains("\"from\": 1"));
    assert_eq!((job.attempts, job.deliveries), (0, 2));
    assert!(second.stop(DEADLINE));
}

#[test]
fn a_program_over_its_share_is_handed_back_and_its_need_is_learned() {
    if !python() {
        return println!("SKIPPED: python3 is missing");
    }
    let fixture = Fixture::new();
    let worker = worker(&fixture, Some(100 << 20));
    let id = fixture.enqueue(&NewJob::new("kind", "{\"steps\":3,\"eat\":150}"));
    fixture.until(id, State::Completed);
    let job = fixture.queue.show(id).wait().expect("a job");
    assert_eq!((job.attempts, job.exceptions, job.crashes), (0, 0, 0), "it is no failure");
    assert!(job.deliveries >= 2 && job.memory_bytes >= 100 << 20, "{job:?}");
    assert!(worker.stop(DEADLINE));
}

#[test]
fn a_program_that_cannot_be_started_fails_the_job_with_the_reason() {
    let fixture = Fixture::new();
    let runner = ExecRunner::new(vec!["/nowhere/at-all".into()], Limits::default());
    let mut registry = Registry::default();
    registry.add_rest(Declared::default(), runner.expect("a name"));
    let worker = Worker::start(fixture.queue.clone(), registry, WorkerOptions::new("w"), random());
    let trying = plimsoll_jobs::Trying { tries_max: 1, ..Default::default() };
    let id = fixture.enqueue(&NewJob { trying, ..NewJob::new("kind", "{}") });
    fixture.until(id, State::Failed);
    let told = fixture.queue.show(id).wait().expect("a job").error.expect("an error");
    assert!(told.contains("/nowhere/at-all"), "{told}");
    assert!(worker.expect("a worker").stop(DEADLINE));
    assert!(ExecRunner::new(Vec::new(), Limits::default()).is_err());
    assert!(Path::new("/nowhere").metadata().is_err());
}
