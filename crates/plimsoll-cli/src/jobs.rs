//! The queue of the jobs' database, and how its workers work, from the settings.
//!
//! Promises: the server and `plimsoll worker` read the same settings; a worker's name is no
//! other's.
//! Never: a job's table among those of somebody's own database; see `control`.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use plimsoll::cache::Cache;
use plimsoll_jobs::{
    Answer, NewSchedule, Queue, Random, Registry, SystemClock, Warming, WorkerOptions,
    add_datasets, add_own_kinds, add_refreshing, add_warming, refreshing_schedule,
};
use plimsoll_server::{IntakeConfig, JobsConfig, ReportsConfig, push};
use plimsoll_store::Store;
use plimsoll_store::catalogue::Pack;
use plimsoll_store::sales::Period;

use crate::config::Config;
use crate::control;
use crate::database::{Opened, Use};
use crate::exit::Usage;
use crate::process;
use crate::setup::Setup;

/// How often a worker looks for jobs that other processes enqueued.
const POLL_EVERY: Duration = Duration::from_millis(40);

/// Bytes in which a pass over the orders groups.
const WARM_ENGINE_BYTES: u64 = 4 << 20;

/// The queue of a store.
pub(crate) fn queue(store: &Store) -> Queue {
    Queue::new(store.clone(), Arc::new(SystemClock::default()))
}

/// The database that is configured, for a command about its jobs.
pub(crate) fn open(setup: &Setup, packs: &[Pack]) -> anyhow::Result<Opened> {
    setup.spill()?;
    setup.open_jobs(&setup.packs(packs)?, Use::Tool)
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

/// Calls other servers, signed with the secrets that are configured. Gives those who subscribed to
/// events.
fn push(setup: &Setup, registry: &mut Registry) -> anyhow::Result<Option<push::Webhooks>> {
    let config = &setup.config;
    let wrong = |key: &'static str, why: String| {
        Usage(format!("{key}, from {}: {why}", config.origin(key)))
    };
    let secrets = match config.path("push.secrets") {
        Some(file) => push::Secrets::open(file).map_err(|e| wrong("push.secrets", e))?,
        None => push::Secrets::default(),
    };
    let listed = config.optional_text("push.allow").unwrap_or_default();
    let entries = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let allow = push::Allow::parse(entries).map_err(|e| wrong("push.allow", e))?;
    let webhooks = config.path("events.webhooks");
    let webhooks = webhooks.map(|file| push::Webhooks::open(file, &secrets)).transpose();
    let webhooks = webhooks.map_err(|e| wrong("events.webhooks", e))?;
    let options = push::Options { secrets, allow, ..push::Options::default() };
    let pusher = push::Pusher::new(options).map_err(|e| wrong("push.secrets", e))?;
    registry.add(push::KIND, push::declared(), pusher)?;
    Ok(webhooks)
}

/// Keeps the sales of a pack with a mapping warm; gives where.
fn warm(
    setup: &Setup,
    store: &Store,
    spill: &Path,
    registry: &mut Registry,
) -> anyhow::Result<Option<Cache>> {
    let Some(mapping) = store.catalogue().sales() else { return Ok(None) };
    let list = |key: &str| -> Vec<Box<str>> {
        setup.config.text(key).split(',').map(|name| name.trim().into()).collect()
    };
    let periods = list("cache.warm.periods");
    if let Some(unknown) = periods.iter().find(|name| !Period::NAMES.contains(&&***name)) {
        bail!(Usage(format!(
            "cache.warm.periods, from {}: {unknown} is none of {}",
            setup.config.origin("cache.warm.periods"),
            Period::NAMES.join(", ")
        )));
    }
    let budget = &setup.memory.budget;
    let node = budget.child("cache", budget.limit_bytes())?;
    let memory_bytes = budget.limit_bytes() / 16;
    let cache = Cache::builder().memory_bytes(memory_bytes).build(&node)?;
    let seen = || {
        let peak = process::resident_peak_bytes();
        (process::resident_bytes(), peak)
    };
    let warming = Warming {
        cache: cache.clone(),
        mapping: Arc::clone(mapping),
        periods,
        channels: list("cache.warm.channels"),
        fresh: Duration::from_millis(setup.config.duration_ms("cache.warm.fresh")),
        consumer: budget.consumer("warming")?,
        engine_bytes: WARM_ENGINE_BYTES,
        spill: spill.to_owned(),
        seen: Arc::new(seen),
    };
    add_warming(registry, warming)?;
    Ok(Some(cache))
}

/// Sets a schedule that there is not yet. A server whose disk takes nothing serves all the same.
fn schedule(queue: &Queue, new: &NewSchedule) {
    if queue.show_schedule(&new.name).wait().is_ok() {
        return;
    }
    let set = queue.set_schedule(new).and_then(Answer::wait);
    if let Err(error) = set {
        let schedule = &*new.name;
        tracing::warn!(%error, schedule, "setting a schedule; the next start tries again");
    }
}

/// The jobs of a server, with its own worker, and the cache that they warm. Beside somebody's own
/// database they are in a store of their own.
pub(crate) fn of_server(
    setup: &Setup,
    store: &Store,
    beside: Option<&Store>,
    spill: &Path,
) -> anyhow::Result<(JobsConfig, Option<Cache>)> {
    let mut worker = options(setup, "server")?;
    let concurrency = u32::try_from(setup.config.integer("jobs.concurrency"))?;
    if concurrency == 0 {
        worker.queues.clear();
    }
    worker.concurrency = concurrency.max(1);
    let mut registry = registry()?;
    let webhooks = push(setup, &mut registry)?;
    // What warms and refreshes reads and writes where the jobs are.
    let cache = match beside {
        None => warm(setup, store, spill, &mut registry)?,
        Some(_) => None,
    };
    let datasets = store.catalogue().datasets();
    if beside.is_none() && !datasets.is_empty() {
        add_datasets(&mut registry, Arc::clone(datasets))?;
    }
    let mut queue = queue(beside.unwrap_or(store));
    if let Some(webhooks) = webhooks {
        queue = queue.with_subscribers(Arc::new(webhooks));
    }
    let analytics = store.catalogue().analytics().filter(|_| beside.is_none());
    if let Some(analytics) = analytics.filter(|found| found.rollup.is_some()) {
        add_refreshing(&mut registry, Arc::clone(analytics))?;
        schedule(&queue, &refreshing_schedule());
    }
    let directory = |name: &str| match beside {
        Some(_) => setup.data().join(control::marked(&setup.config, name)),
        None => setup.data().join(name),
    };
    let reports = ReportsConfig {
        directory: directory("reports"),
        keep: Duration::from_millis(setup.config.duration_ms("reports.keep")),
    };
    let intake = IntakeConfig {
        directory: directory("intake"),
        keep: Duration::from_millis(setup.config.duration_ms("intake.keep")),
        disk_bytes_max: setup.config.bytes("intake.disk_max").unwrap_or(u64::MAX),
    };
    Ok((JobsConfig { queue, registry, worker, reports, intake, random: random() }, cache))
}
