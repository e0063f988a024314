//! The queue of Plimsoll's own database, and how its workers work, from the settings.
//!
//! Promises: the server and `plimsoll worker` read the same settings; a worker's name is no
//! other's.
//! Never: jobs beside somebody's own database.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use plimsoll_jobs::{Queue, Random, Registry, SystemClock, WorkerOptions, add_own_kinds};
use plimsoll_server::{JobsConfig, ReportsConfig};
use plimsoll_store::Store;
use plimsoll_store::catalogue::Pack;

use crate::config::Config;
use crate::database::{Opened, Use};
use crate::exit::Usage;
use crate::setup::Setup;

/// How often a worker looks for jobs that other processes enqueued.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The queue of a store.
pub(crate) fn queue(store: &Store) -> Queue {
    Queue::new(store.clone(), Arc::new(SystemClock::default()))
}

/// The database that is configured, for a command about its jobs.
pub(crate) fn open(setup: &Setup, packs: &[Pack]) -> anyhow::Result<Opened> {
    setup.spill()?;
    setup.open_own(&setup.packs(packs)?, Use::Tool)
}

/// The kinds that every worker knows.
pub(crate) fn registry() -> anyhow::Result<Registry> {
    let mut registry = Registry::default();
    add_own_kinds(&mut registry)?;
    Ok(registry)
}

/// Uniform random numbers.
pub(crate) fn random() -> Random {
    Arc::new(|| RandomState::new().hash_one(0_u8))
}

/// The queues that are configured, the first goes first.
pub(crate) fn queues(config: &Config) -> Vec<Box<str>> {
    config.text("jobs.queues").split(',').map(|name| name.trim().into()).collect()
}

/// How a worker works that is called after `what`.
pub(crate) fn options(setup: &Setup, what: &str) -> anyhow::Result<WorkerOptions> {
    let config = &setup.config;
    let time = |key: &str| Duration::from_millis(config.duration_ms(key));
    let (lease, renew_every) = (time("jobs.lease"), time("jobs.renew"));
    if renew_every * 2 > lease {
        bail!(Usage(format!(
            "jobs.renew is {} ms, from {}, and jobs.lease {} ms: a lease has to be renewed twice \
             within its time, so that one late write does not lose it",
            renew_every.as_millis(),
            config.origin("jobs.renew"),
            lease.as_millis()
        )));
    }
    let number = RandomState::new().hash_one(0_u8) >> 40;
    let budget = &setup.memory.budget;
    Ok(WorkerOptions {
        queues: queues(config),
        memory: Some(budget.child("jobs", budget.limit_bytes())?),
        lease,
        renew_every,
        poll_every: POLL_EVERY,
        ..WorkerOptions::new(format!("{what}-{}-{number:x}", std::process::id()))
    })
}

/// The jobs of a server, with its own worker.
pub(crate) fn of_server(setup: &Setup, store: &Store) -> anyhow::Result<JobsConfig> {
    let mut worker = options(setup, "server")?;
    let concurrency = u32::try_from(setup.config.integer("jobs.concurrency"))?;
    if concurrency == 0 {
        worker.queues.clear();
    }
    worker.concurrency = concurrency.max(1);
    let reports = ReportsConfig {
        directory: setup.data().join("reports"),
        keep: Duration::from_millis(setup.config.duration_ms("reports.keep")),
    };
    let registry = registry()?;
    Ok(JobsConfig { queue: queue(store), registry, worker, reports, random: random() })
}
