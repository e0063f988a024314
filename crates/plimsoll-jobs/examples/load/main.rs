//! How many jobs a second: load [--database URL] [--folder DIR] [--seconds N] [--queued N]
//!
//! ```text
//!   commits      one writer, one row, one commit after another             C a second
//!   jobs         256 enqueuers, 8 runners; start, effect and end durable   jobs a second
//!   checkpoints  8 jobs that save a row and a checkpoint, again and again  a second
//!   queued       so many ready jobs: claims one by one, a page of a queue  p50, p99
//! ```
//!
//! Promises: nothing is acknowledged before its commit; a line of JSON with all figures comes last.
//! Never: a database that somebody else uses.

#[path = "../torture/database.rs"]
mod database;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use plimsoll::record::Value;
use plimsoll_jobs::{
    Claim, Declared, Ending, JobError, Listing, NewJob, Progress, Queue, Registry, Run, Trying,
    Within, Worker, WorkerOptions,
};
use plimsoll_store::{Priority, Write, WriteUnit};

const ENQUEUERS: usize = 256;
const RUNNERS: u32 = 8;

/// What was asked for; the database is opened as the torture does.
#[derive(Clone, Debug, Default)]
struct Options {
    database: Option<String>,
    folder: String,
    clock_seconds: i64,
    seconds: u64,
    queued: u64,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut options = Options { seconds: 5, ..Options::default() };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} has no value", pair[0]).into()) };
        match name.as_str() {
            "--database" => options.database = Some(value.clone()),
            "--folder" => options.folder.clone_from(value),
            "--seconds" => options.seconds = value.parse()?,
            "--queued" => options.queued = value.parse()?,
            _ => return Err(format!("{name} is no option").into()),
        }
    }
    let own = tempfile::tempdir()?;
    if options.folder.is_empty() {
        options.folder = own.path().display().to_string();
    }
    let queue = database::open(&options)?;
    let time = Duration::from_secs(options.seconds);
    let commits = commits(&queue, time)?;
    let jobs = jobs(&queue, time)?;
    let checkpoints = checkpoints(&queue, time)?;
    let mut figures = serde_json::json!({
        "commits_per_s": commits.round(),
        "jobs_per_s": jobs.round(),
        "checkpoints_per_s": checkpoints.round(),
    });
    if options.queued > 0 {
        figures["queued"] = queued(&queue, options.queued)?;
    }
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

fn effect(job: i64, step: i64) -> Write {
    let params = vec![("job".into(), Value::Int(job)), ("step".into(), Value::Int(step))];
    Write::Sql { text: "insert into effects (job, step) values (:job, :step)".into(), params }
}

fn commits(queue: &Queue, time: Duration) -> Result<f64> {
    let (began, mut done) = (Instant::now(), 0_u32);
    while began.elapsed() < time {
        let unit = WriteUnit { writes: vec![effect(-1, 0)], ..WriteUnit::default() };
        queue.store().write(unit, Priority::Normal).wait()?;
        done += 1;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

fn worker(queue: &Queue, registry: Registry) -> Result<Worker> {
    let options = WorkerOptions { concurrency: RUNNERS, ..WorkerOptions::new("load") };
    Ok(Worker::start(queue.clone(), registry, options, Arc::new(|| 7))?)
}

fn jobs(queue: &Queue, time: Duration) -> Result<f64> {
    let ended = Arc::new(AtomicU64::new(0));
    let counted = ended.clone();
    let mut registry = Registry::default();
    registry.add("step", Declared::default(), move |run: &mut Run<'_>| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Ending::Done { effects: vec![effect(run.job().lease.id, 1)], result: None })
    })?;
    let worker = worker(queue, registry)?;
    let over = AtomicBool::new(false);
    let rate = std::thread::scope(|scope| -> Result<f64> {
        for _ in 0..ENQUEUERS {
            std::thread::Builder::new().stack_size(128 << 10).spawn_scoped(scope, || {
                while !over.load(Ordering::Relaxed) {
                    let job = NewJob::new("step", "{\"a\":1}");
                    if queue.enqueue(&job).and_then(plimsoll_jobs::Answer::wait).is_err() {
                        // Too many write at once: a little later.
                        std::thread::park_timeout(Duration::from_millis(5));
                    }
                }
            })?;
        }
        std::thread::park_timeout(Duration::from_secs(1));
        let (began, before) = (Instant::now(), worker.stats().ended);
        std::thread::park_timeout(time);
        let done = worker.stats().ended - before;
        let rate = done as f64 / began.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        Ok(rate)
    })?;
    worker.stop(Duration::from_secs(30));
    Ok(rate)
}

fn checkpoints(queue: &Queue, time: Duration) -> Result<f64> {
    let saved = Arc::new(AtomicU64::new(0));
    let counted = saved.clone();
    let mut registry = Registry::default();
    registry.add("saves", Declared::default(), move |run: &mut Run<'_>| {
        let id = run.job().lease.id;
        for step in 1.. {
            let progress = Progress { done: step, ..Progress::default() };
            let effects = vec![effect(id, step.cast_signed())];
            if run.save(effects, &step.to_string(), &progress)?.is_some() {
                break;
            }
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, JobError>(Ending::Stopped)
    })?;
    let worker = worker(queue, registry)?;
    let trying = Trying { timeout_ms: 600_000, ..Trying::default() };
    for _ in 0..RUNNERS {
        queue.enqueue(&NewJob { trying, priority: 0, ..NewJob::new("saves", "{}") })?.wait()?;
    }
    std::thread::park_timeout(Duration::from_secs(1));
    let (began, before) = (Instant::now(), saved.load(Ordering::Relaxed));
    std::thread::park_timeout(time);
    let rate = (saved.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64();
    worker.stop(Duration::from_secs(30));
    Ok(rate)
}

/// Fills a queue of its own, and measures single claims and a page.
fn queued(queue: &Queue, jobs: u64) -> Result<serde_json::Value> {
    let deep = |n: u64| NewJob { queue: "deep".into(), ..NewJob::new("deep", format!("{n}")) };
    let mut left = jobs;
    while left > 0 {
        let some = left.min(2_000);
        let mut writes = Vec::new();
        for n in 0..some {
            writes.extend(queue.enqueue_writes(&deep(n))?);
        }
        let unit = WriteUnit { writes, ..WriteUnit::default() };
        queue.store().write(unit, Priority::Bulk).wait()?;
        left -= some;
    }
    let mut micros = Vec::new();
    for _ in 0..2_000 {
        let claim = Claim {
            worker: "load",
            queue: "deep",
            jobs_max: 1,
            without: &[],
            only: None,
            within: Within::All,
        };
        let began = Instant::now();
        let claimed = queue.claim(&claim).wait()?;
        micros.push(began.elapsed().as_micros());
        assert_eq!(claimed.len(), 1, "there are some");
    }
    micros.sort_unstable();
    let listing = Listing { queue: Some("deep".into()), rows_max: 50, ..Listing::default() };
    let began = Instant::now();
    queue.list(&listing).wait()?;
    let page = began.elapsed();
    let began = Instant::now();
    queue.queues()?;
    Ok(serde_json::json!({
        "jobs": jobs,
        "claim_p50_ms": micros[micros.len() / 2] as f64 / 1_000.0,
        "claim_p99_ms": micros[micros.len() * 99 / 100] as f64 / 1_000.0,
        "page_ms": page.as_secs_f64() * 1_000.0,
        "queues_ms": began.elapsed().as_secs_f64() * 1_000.0,
    }))
}
