//! One of the workers: runs jobs of steps, and enqueues more.
//!
//! ```text
//!   steps      for each step: note that it begins ─> unit { row (job, step), checkpoint } ─> note
//!              in the end, where power is cut: a file ─> row (job) in the completing transaction
//!   finally    row (batch) in the transaction that completes the callback
//!   enqueuer   enqueue ─> acknowledged ─> note the job's number
//! ```
//!
//! Promises: a note is in its file before what it notes is done, or behind what it notes was
//! acknowledged.
//! Never: an end of its own; it is killed, or told to stop by the end of its standard input.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use plimsoll::record::Value;
use plimsoll_jobs::{
    Declared, Ending, Handler, JobError, NewBatch, NewJob, Progress, Queue, Registry, Run, Trying,
    When, Worker, WorkerOptions,
};
use plimsoll_store::Write;
use rustix::process::Signal;

use crate::process::signal_process;
use crate::{Options, Random, database, file};

/// Steps of a job.
pub(crate) const STEPS: i64 = 5;
/// So short that a run sees many leases end.
const LEASE: Duration = Duration::from_millis(1_500);

/// A file of lines that are there when the call returns, whoever is killed then.
struct Notes(Mutex<File>);

impl Notes {
    fn open(options: &Options, what: &str) -> std::io::Result<Self> {
        let path = format!("{}/{what}", options.notes());
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Mutex::new(file)))
    }

    fn write(&self, line: &str) -> Result<(), JobError> {
        let mut file = self.0.lock().map_err(|_| JobError::again("another step panicked"))?;
        file.write_all(format!("{line}\n").as_bytes()).map_err(|e| JobError::again(e.to_string()))
    }
}

struct Steps {
    begun: Notes,
    saved: Notes,
    /// Where files are left, if that is wanted.
    files: String,
    saves: AtomicU64,
    abort_at: u64,
    /// Where this file comes, it stops before its next checkpoint until somebody lets it go on.
    freezes: PathBuf,
}

/// The file that has a worker stop itself.
pub(crate) fn freezes(options: &Options, name: &str) -> PathBuf {
    Path::new(options.notes()).join(format!("freeze-{name}"))
}

impl Handler for Steps {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let id = run.job().lease.id;
        let first: i64 = run.checkpoint()?.unwrap_or_default();
        for step in first + 1..=STEPS {
            if run.stop().is_some() {
                return Ok(Ending::Stopped);
            }
            self.begun.write(&format!("{id} {step}"))?;
            let save = self.saves.fetch_add(1, Ordering::SeqCst) + 1;
            if save == self.abort_at && save % 2 == 1 {
                std::process::abort();
            }
            // Whoever takes the file away stops: one of the threads, once.
            if self.freezes.exists() && std::fs::remove_file(&self.freezes).is_ok() {
                // By the time it goes on the job is another's.
                signal_process(std::process::id(), Signal::STOP);
            }
            let params = vec![("job".into(), Value::Int(id)), ("step".into(), Value::Int(step))];
            let sql = "insert into effects (job, step) values (:job, :step)";
            let effect = Write::Sql { text: sql.into(), params };
            let progress = Progress { done: step.cast_unsigned(), ..Progress::default() };
            run.save(vec![effect], &step.to_string(), &progress)?;
            self.saved.write(&format!("{id} {step}"))?;
            if save == self.abort_at {
                std::process::abort();
            }
        }
        if self.files.is_empty() {
            return Ok(Ending::done());
        }
        file::write(&self.files, id).map_err(|e| JobError::again(e.to_string()))?;
        let params = vec![("job".into(), Value::Int(id))];
        let sql = "insert into files (job) values (:job)";
        let effects = vec![Write::Sql { text: sql.into(), params }];
        Ok(Ending::Done { effects, result: None })
    }
}

fn finally(run: &mut Run<'_>) -> Result<Ending, JobError> {
    #[derive(serde::Deserialize)]
    struct Payload {
        batch: Box<str>,
    }
    let payload: Payload = run.payload()?;
    let params = vec![("batch".into(), Value::Text(payload.batch))];
    let sql = "insert into finals (batch) values (:batch)";
    let effects = vec![Write::Sql { text: sql.into(), params }];
    Ok(Ending::Done { effects, result: None })
}

pub(crate) fn run(options: &Options) -> plimsoll_store::Result<()> {
    let io = |e: std::io::Error| plimsoll_store::Error::invalid(e.to_string());
    let queue = database::open(options)?;
    let steps = Steps {
        begun: Notes::open(options, "begun").map_err(io)?,
        saved: Notes::open(options, "saved").map_err(io)?,
        files: options.files.clone(),
        saves: AtomicU64::new(0),
        abort_at: options.abort_at,
        freezes: freezes(options, &options.name),
    };
    let mut registry = Registry::default();
    let wrong = |e: plimsoll_jobs::Error| plimsoll_store::Error::invalid(e.to_string());
    registry.add("steps", Declared::default(), steps).map_err(wrong)?;
    registry.add("finally", Declared::default(), finally).map_err(wrong)?;
    let work = WorkerOptions {
        concurrency: 3,
        lease: LEASE,
        renew_every: LEASE / 6,
        grace: LEASE,
        ..WorkerOptions::new(options.name.clone())
    };
    let state = Mutex::new(Random(options.seed));
    let random = move || state.lock().map_or(7, |mut random| random.next());
    let worker = Worker::start(queue.clone(), registry, work, std::sync::Arc::new(random));
    let worker = worker.map_err(wrong)?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| enqueue(options, &queue, &over));
        // The parent closes it when nothing more is to be enqueued, and kills whoever is left.
        let mut nothing = Vec::new();
        drop(std::io::stdin().read_to_end(&mut nothing));
        over.store(true, Ordering::SeqCst);
    });
    let _until_killed = worker.wait_over(Duration::from_secs(600));
    let _all_ended = worker.stop(Duration::from_secs(5));
    Ok(())
}

/// Enqueues jobs and batches, and notes what was acknowledged.
fn enqueue(options: &Options, queue: &Queue, over: &AtomicBool) {
    let (Ok(jobs), Ok(batches)) = (Notes::open(options, "jobs"), Notes::open(options, "batches"))
    else {
        return crate::say("the files of notes cannot be opened");
    };
    let mut random = Random(options.seed);
    let trying = Trying { tries_max: 1_000, exceptions_max: 1_000, timeout_ms: 60_000 };
    let step = || NewJob { trying, ..NewJob::new("steps", "{}") };
    let mut acknowledged = 0;
    while !over.load(Ordering::SeqCst) {
        let noted = if random.below(4) == 0 {
            let batch: Box<str> = format!("b{:016x}", random.next()).into();
            let finally = NewJob { trying, ..NewJob::new("finally", "{}") };
            let callbacks = vec![(When::Finally, finally)];
            let new = NewBatch { batch: batch.clone(), name: "torture".into(), callbacks };
            let begun = queue.begin_batch(&new, &[step(), step(), step()], true);
            begun.is_ok_and(|is_new| is_new && batches.write(&batch).is_ok())
        } else {
            let enqueued = queue.enqueue(&step()).and_then(plimsoll_jobs::Answer::wait);
            enqueued.is_ok_and(|job| jobs.write(&job.id.to_string()).is_ok())
        };
        // What was not acknowledged may be there or not; a little later there is more.
        acknowledged += u64::from(noted);
        if noted && acknowledged == options.abort_noted {
            std::process::abort();
        }
        std::thread::park_timeout(Duration::from_millis(20 + random.below(40)));
    }
}
