//! `plimsoll worker`: runs jobs of Plimsoll's own database, beside a server or alone.
//!
//! ```text
//!   SIGTERM, SIGINT, SIGHUP, queue restart ─> takes nothing more, asks its jobs to stop, hands
//!                                             back what they leave ─> ends, status 0
//!   a second signal                        ─> ends now; its leases run out
//! ```
//!
//! With a program (`--exec`, or behind `--`) it does all kinds, those that are not Plimsoll's own
//! in children of that program.
//!
//! Promises: what it has is handed back within http.drain_timeout; a kill loses the work behind
//! the last checkpoints alone.
//! Never: a start of its own after it has ended: whoever supervises it does that.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, bail};
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::units::ByteSize;
use plimsoll_jobs::child::Limits;
use plimsoll_jobs::{Declared, ExecRunner, Registry, Worker, WorkerOptions};
use plimsoll_store::catalogue::Pack;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::{Global, WorkerArgs};
use crate::exit::{Outcome, Usage};
use crate::setup::Setup;
use crate::{interrupt, jobs, process, setup};

/// Between two looks whether it has ended, which wakes by itself when it does.
const LOOK_EVERY: Duration = Duration::from_secs(60);

pub(crate) fn run(global: &Global, args: &WorkerArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let command = command(args)?;
    let setup = setup::start_saying(global, TOOL_LIMIT_BYTES_MIN, args.verbose)?;
    let opened = jobs::open(&setup, packs)?;
    let options = options(&setup, args)?;
    let drain = Duration::from_millis(setup.config.duration_ms("http.drain_timeout"));
    let registry = registry(&command, args.child_memory)?;
    let greeting = greeting(&setup, &options, &command)?;
    let queue = jobs::queue(&opened.store);
    let worker = Worker::start(queue, registry, options, jobs::random())?;
    let worker = Arc::new(worker);
    let stopping = on_signals(&worker, drain)?;
    std::io::stderr().write_all(greeting.as_bytes())?;
    while !worker.wait_over(LOOK_EVERY) {}
    let stopping = stopping.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(thread) = stopping
        && thread.join().is_err()
    {
        tracing::error!("the thread that stops the worker panicked");
    }
    worker.stop(drain);
    let ended = worker.stats().ended;
    opened.store.close().context("closing the database")?;
    let peak = ByteSize::new(process::resident_peak_bytes());
    let limit = ByteSize::new(setup.memory.limit.bytes);
    writeln!(std::io::stderr(), "worker ended: {ended} jobs; VmHWM {peak} of {limit}")?;
    Ok(Outcome::Done)
}

fn options(setup: &Setup, args: &WorkerArgs) -> anyhow::Result<WorkerOptions> {
    let mut options = jobs::options(setup, "worker")?;
    if !args.queue.is_empty() {
        options.queues = args.queue.iter().map(|name| name.as_str().into()).collect();
    }
    let configured = u32::try_from(setup.config.integer("jobs.concurrency"))?;
    options.concurrency = args.concurrency.unwrap_or(configured.max(1));
    options.jobs_max = args.max_jobs;
    options.time_max = args.max_time;
    Ok(options)
}

/// The program of the children and its arguments; empty where there is none.
fn command(args: &WorkerArgs) -> anyhow::Result<Vec<String>> {
    let Some(exec) = &args.exec else {
        if args.command.is_empty() && args.child_memory.is_some() {
            bail!(Usage("--child-memory is of a program: name it with --exec or behind --".into()));
        }
        return Ok(args.command.clone());
    };
    if exec.contains(['"', '\'', '\\', '$', '`', '|', ';', '<', '>', '*']) {
        bail!(Usage(format!(
            "--exec '{}' is not given to a shell, only split at spaces: write the program and its \
             arguments behind --, e.g. plimsoll worker -- php artisan work",
            plimsoll::error::excerpt(exec)
        )));
    }
    let command: Vec<String> = exec.split_whitespace().map(str::to_owned).collect();
    if command.is_empty() {
        bail!(Usage("--exec names no program".into()));
    }
    Ok(command)
}

fn registry(command: &[String], child_memory_bytes: Option<u64>) -> anyhow::Result<Registry> {
    let mut registry = jobs::registry()?;
    if !command.is_empty() {
        let limits = Limits { memory_bytes: child_memory_bytes, ..Limits::default() };
        let runner = ExecRunner::new(command.to_vec(), limits).map_err(Usage)?;
        registry.add_rest(Declared::default(), runner);
    }
    Ok(registry)
}

fn greeting(setup: &Setup, options: &WorkerOptions, command: &[String]) -> anyhow::Result<String> {
    let kinds = jobs::registry()?.kinds().unwrap_or_default();
    let others = match command {
        [] => "others are for workers that pull, see docs/JOBS.md".to_owned(),
        _ => format!("others are for {}", command.join(" ")),
    };
    Ok(format!(
        "plimsoll: memory limit {}\nplimsoll: worker {} takes {} at a time of the queues {}\n\
         plimsoll: it knows the kinds {}; {others}\n",
        setup.memory.limit,
        options.name,
        options.concurrency,
        options.queues.join(", "),
        kinds.join(", "),
    ))
}

/// Stops the worker at the first signal, on a thread that is handed over, and the process at the
/// second.
fn on_signals(
    worker: &Arc<Worker>,
    drain: Duration,
) -> anyhow::Result<Arc<Mutex<Option<JoinHandle<()>>>>> {
    let stopping = Arc::new(Mutex::new(None));
    let (worker, handed) = (Arc::clone(worker), Arc::clone(&stopping));
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for signals")?;
    let spawn = |name: &str| {
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.stack_size(plimsoll::limits::THREAD_STACK_BYTES)
    };
    spawn("signals")
        .spawn(move || {
            for (n, _) in signals.forever().enumerate() {
                if n > 0 {
                    std::process::exit(i32::from(interrupt::STATUS));
                }
                let worker = Arc::clone(&worker);
                let mut place = handed.lock().unwrap_or_else(PoisonError::into_inner);
                let thread = spawn("jobs-stop").spawn(move || {
                    if !worker.stop(drain) {
                        tracing::warn!("jobs did not stop in time; their leases were taken");
                    }
                });
                match thread {
                    Ok(thread) => *place = Some(thread),
                    Err(error) => tracing::error!(%error, "no thread that stops the worker"),
                }
            }
        })
        .context("starting the thread that waits for signals")?;
    Ok(stopping)
}
