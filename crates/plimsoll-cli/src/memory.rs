//! The process's limit and budget, and the thread that keeps measuring.
//!
//! Promises: the limit is found, printed with its source and obeyed from here on.
//! Never: a larger limit than any of those that bind the process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use plimsoll::budget::Budget;
use plimsoll::budget::discover::{ExplicitLimit, HostFiles, Limit, LimitSource, discover};

use crate::allocator::ProcessMemory;
use crate::config::Config;
use crate::exit::Usage;

/// Between two measurements.
const MEASURE_EVERY: Duration = Duration::from_millis(100);

/// The limit with its budget.
pub(crate) struct Memory {
    pub(crate) limit: Limit,
    pub(crate) budget: Budget,
    _monitor: Monitor,
}

/// Finds the limit and makes the budget.
pub(crate) fn start(config: &Config, minimum_bytes: u64) -> anyhow::Result<Memory> {
    let explicit = config
        .bytes("memory.limit")
        .map(|bytes| ExplicitLimit { bytes, origin: config.origin("memory.limit").to_string() });
    let limits = rustix::process::getrlimit(rustix::process::Resource::As);
    let limit = discover(&HostFiles, explicit, limits.current)?;
    let budget = Budget::new(limit.bytes, minimum_bytes, Arc::new(ProcessMemory));
    let budget = budget.map_err(|error| match &limit.source {
        // What a person asked for is theirs to correct; what the machine gives is not.
        LimitSource::Explicit { origin } => anyhow!(Usage(format!("{origin}: {error}"))),
        _ => anyhow!(error),
    })?;
    let monitor = Monitor::start(budget.clone())?;
    Ok(Memory { limit, budget, _monitor: monitor })
}

/// The measuring thread; it ends when this is dropped.
struct Monitor {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Monitor {
    fn start(budget: Budget) -> anyhow::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("measure".to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
            .spawn(move || measure(&budget, &stopped))
            .context("starting the measuring thread")?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn measure(budget: &Budget, stopped: &Receiver<()>) {
    while stopped.recv_timeout(MEASURE_EVERY) == Err(RecvTimeoutError::Timeout) {
        budget.measure();
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to save here.
            let _panicked = thread.join();
        }
    }
}
