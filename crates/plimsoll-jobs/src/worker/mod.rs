//! Runs the jobs of some queues, so many at a time.
//!
//! ```text
//!   feed ──> waiting ──> ready ──> runners (N) ──> settle
//!              memory                  ^
//!   keep: leases, times, wishes ───────┘           tend: due, rescue, prune, settings
//! ```
//!
//! Promises: N + 4 threads, whatever happens, but for those of jobs that do not end; a worker that
//! is stopped hands back what it has; nothing it holds outlives it unsaid.
//! Never: a job that begins before its memory is reserved.

mod admit;
mod feed;
mod idle;
mod keep;
mod options;
mod peaks;
mod runner;
mod settle;
mod shared;
mod strangers;
mod tend;

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use plimsoll::limits::THREAD_STACK_BYTES;

pub use self::options::{CONCURRENCY_MAX, WorkerOptions};
pub use self::peaks::{PEAK_BYTES, Peaks};
use self::settle::Unsettled;
use self::shared::{Phase, Shared};
use crate::bell::Hears;
use crate::error::{Error, Result};
use crate::handler::Registry;
use crate::queue::Queue;

/// Uniform random numbers, for the time between attempts.
pub type Random = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a worker is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStats {
    /// Jobs that ended here, however.
    pub ended: u64,
    /// Jobs at work.
    pub busy: u64,
    /// Jobs claimed and not over.
    pub held: u64,
    /// Of those, how many wait for memory.
    pub waiting: u64,
    /// What attempts of jobs took at most.
    pub peaks: Peaks,
}

/// A worker with its threads.
pub struct Worker {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Worker {
    /// Starts it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for options out of their bounds, and where a thread cannot be
    /// started.
    pub fn start(
        queue: Queue,
        registry: Registry,
        options: WorkerOptions,
        random: Random,
    ) -> Result<Self> {
        if options.concurrency == 0 || options.concurrency > CONCURRENCY_MAX {
            return Err(Error::invalid(format!(
                "a worker runs 1 to {CONCURRENCY_MAX} jobs at a time, not {}",
                options.concurrency
            )));
        }
        for queue in &options.queues {
            crate::job::check_name("queue", queue)?;
        }
        let consumer = options.memory.as_ref().map(|node| node.consumer("jobs")).transpose();
        let consumer = consumer.map_err(|e| Error::invalid(e.to_string()))?;
        let shared = Arc::new(Shared::new(queue, registry, options, consumer));
        let hears: Weak<dyn Hears> = Arc::downgrade(&shared) as Weak<dyn Hears>;
        shared.queue.bell.listen(hears);
        if !shared.options.queues.is_empty() {
            shared.queue.listen();
        }
        let worker = Self { shared: Arc::clone(&shared), threads: Mutex::default() };
        let (settle, ends) = sync_channel(shared.unsettled_max());
        for number in 0..shared.options.concurrency {
            let thread = runner(&shared, settle.clone(), Arc::clone(&random), number)?;
            worker.add(thread);
        }
        let replace = {
            let (shared, random) = (Arc::clone(&shared), Arc::clone(&random));
            move || {
                // The given up thread's own end of the channel keeps the settler, as it does here.
                if let Err(error) = runner(&shared, settle.clone(), Arc::clone(&random), 0) {
                    tracing::error!(%error, "a runner has no substitute: the worker ends");
                    shared.enter(Phase::Quiet);
                }
            }
        };
        let each = |name, body: Box<dyn FnOnce(&Shared) + Send>| {
            let shared = Arc::clone(&shared);
            spawn(name, move || body(&shared))
        };
        worker.add(each("jobs-feed", Box::new(feed::run))?);
        worker.add(each("jobs-tend", Box::new(tend::run))?);
        worker.add(each("jobs-settle", Box::new(move |shared| settle::run(shared, &ends)))?);
        worker.add(each("jobs-keep", Box::new(move |shared| keep::run(shared, &replace)))?);
        Ok(worker)
    }

    fn add(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// What it is doing.
    #[must_use]
    pub fn stats(&self) -> WorkerStats {
        let state = self.shared.lock();
        WorkerStats {
            ended: state.ended,
            busy: state.busy as u64,
            held: state.held.len() as u64,
            waiting: state.waiting.len() as u64,
            peaks: self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner).peaks,
        }
    }

    /// Takes no more jobs; those it has go on.
    pub fn quiet(&self) {
        self.shared.enter(Phase::Quiet);
    }

    /// Waits until it has ended by itself (its number of jobs, its time, a wish), or for so long.
    /// Whether it has.
    #[must_use]
    pub fn wait_over(&self, time: Duration) -> bool {
        let until = self.shared.steady() + time;
        let mut state = self.shared.lock();
        loop {
            let over = state.phase >= Phase::Quiet && state.held.is_empty();
            let left = until.saturating_sub(self.shared.steady());
            if over || left.is_zero() {
                return over;
            }
            state = self.shared.wait(state, left);
        }
    }

    /// Asks its jobs to stop, hands back what they leave, and waits so long for that. What has not
    /// ended by then has its lease taken from it. Whether all had.
    pub fn stop(&self, time: Duration) -> bool {
        self.shared.enter(Phase::Stopping);
        let over = self.wait_over(time);
        if !over {
            let left: Vec<_> = self.shared.lock().held.values().cloned().collect();
            for control in left {
                control.ask(crate::control::Stop::LeaseLost);
                if let Err(error) = self.shared.queue.hand_back(control.lease, 0).wait() {
                    tracing::warn!(%error, job = control.lease.id, "handing a job back");
                }
                self.shared.let_go(control.lease.id);
            }
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        // A handler that does not end keeps its thread; the process that ends takes it along.
        let all_end = over && self.shared.lock().lost.is_empty();
        for thread in threads {
            if all_end && thread.join().is_err() {
                tracing::error!("a thread of the worker panicked; see the log");
            }
        }
        over
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.enter(Phase::Stopping);
    }
}

fn runner(
    shared: &Arc<Shared>,
    settle: SyncSender<Unsettled>,
    random: Random,
    number: u32,
) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    spawn(&format!("jobs-run-{number}"), move || runner::run(&shared, &settle, &*random))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder
        .stack_size(THREAD_STACK_BYTES)
        .spawn(body)
        .map_err(|e| Error::invalid(format!("starting the thread {name}: {e}")))
}
