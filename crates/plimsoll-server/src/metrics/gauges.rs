//! What is read at the moment of a scrape: budget, process, database, admission.
//!
//! Promises: one reading of each source per scrape.
//! Never: a value that is kept between scrapes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll::budget::{Budget, LedgerNode};
use plimsoll::pressure::Level;
use plimsoll_jobs::{PEAK_BYTES, Peaks, QueueState, Worker, WorkerStats};
use plimsoll_store::{DatabaseStats, RoleStats, Store};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::config::{Build, ProcessProbe};
use crate::stream::Admission;

/// The sources.
pub(crate) struct Gauges {
    pub(crate) budget: Budget,
    pub(crate) store: Store,
    pub(crate) process: Arc<dyn ProcessProbe>,
    pub(crate) admission: Arc<Admission>,
    /// The server's own worker, and what the queues had at the last scrape, where there are jobs.
    pub(crate) jobs: Option<(Arc<Worker>, Arc<LastQueues>)>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gauges")
    }
}

/// Writes gauges.
struct Page<'e>(DescriptorEncoder<'e>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    #[allow(clippy::cast_precision_loss)] // a scrape's sums are floats
    fn peaks(&mut self, peaks: &Peaks) -> fmt::Result {
        let help = "What attempts of jobs in this process took at most, of memory";
        let bounds = PEAK_BYTES.iter().map(|bound| *bound as f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(peaks.counts).collect();
        let count = peaks.counts.iter().sum();
        self.0
            .encode_descriptor("jobs_peak_bytes", help, None, MetricType::Histogram)?
            .encode_histogram::<[(&str, &str); 0]>(peaks.sum_bytes as f64, count, &buckets, None)
    }

    fn family<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        rows: &[([(&'static str, String); N], u64)],
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            family.encode_family(labels)?.encode_gauge(value)?;
        }
        Ok(())
    }
}

impl Collector for Gauges {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = &mut Page(encoder);
        self.memory(page)?;
        self.database(page)?;
        page.gauge(
            "spacetime_admission_waiting",
            "Streams that wait for a permit",
            self.admission.waiting() as u64,
        )?;
        if let Some((worker, queues)) = &self.jobs {
            jobs(page, &worker.stats())?;
            queues.encode(page)?;
        }
        page.gauge("spacetime_streams_active", "Streams that run", self.admission.active() as u64)
    }
}

impl Gauges {
    fn memory(&self, page: &mut Page<'_>) -> fmt::Result {
        let ledger = self.budget.ledger();
        let process = self.process.sample();
        let allocator = process.allocator;
        let mut reserved = Vec::new();
        list(&ledger.root, "", &mut reserved);
        page.gauge("spacetime_memory_usage_bytes", "Reserved in total", ledger.root.held_bytes)?;
        page.family("spacetime_memory_reserved_bytes", "Reserved, by consumer", &reserved)?;
        page.gauge("spacetime_memory_budget_bytes", "The limit", ledger.limit_bytes)?;
        page.gauge("spacetime_memory_rss_bytes", "Resident", process.rss_bytes)?;
        page.gauge("memory_usage_bytes", "Resident", process.rss_bytes)?;
        page.gauge(
            "spacetime_memory_unaccounted_bytes",
            "Heap that nobody reserved",
            ledger.unreserved_bytes,
        )?;
        page.gauge(
            "spacetime_memory_pressure_level",
            "0 none, 1 warning, 2 critical, 3 emergency",
            match Level::of(process.rss_bytes, ledger.limit_bytes) {
                Level::Normal => 0,
                Level::Warning => 1,
                Level::Critical => 2,
                Level::Emergency => 3,
            },
        )?;
        page.gauge("allocator_allocated_bytes", "Handed out", allocator.allocated_bytes)?;
        page.gauge("allocator_resident_bytes", "Resident", allocator.resident_bytes)?;
        page.gauge("allocator_retained_bytes", "Address space kept", allocator.retained_bytes)?;
        page.gauge("spacetime_spill_files", "Spill files", process.spill_files)?;
        page.gauge("process_threads", "Threads", process.threads)
    }

    fn database(&self, page: &mut Page<'_>) -> fmt::Result {
        let stats = self.store.stats();
        let one = |state: &str, role: &str, count| {
            ([("state", state.to_owned()), ("role", role.to_owned())], count)
        };
        let mut connections = vec![
            one("used", "primary", stats.connections_used),
            one("idle", "primary", stats.connections_idle),
        ];
        if stats.replicas.hosts > 0 {
            connections.push(one("used", "replica", stats.replicas.connections_used));
            connections.push(one("idle", "replica", stats.replicas.connections_idle));
            roles(page, &stats)?;
        }
        page.family("database_connections", "Connections by state and role", &connections)?;
        page.gauge("sqlite_memory_bytes", "Held by the database engine", stats.memory_bytes)?;
        page.gauge("database_reads_waiting", "Reads in line", stats.reads_waiting)?;
        page.gauge("database_writes_waiting", "Writes in line", stats.writes_waiting)?;
        page.gauge(
            "database_snapshot_micros_max",
            "Longest time a slice has held its snapshot",
            stats.snapshot_micros_max,
        )
    }
}

/// Queues that are counted by name; more share a series.
const QUEUES_NAMED_MAX: usize = 32;

/// Jobs by queue and state, as they were read for this scrape.
#[derive(Debug, Default)]
pub(crate) struct LastQueues(Mutex<Vec<Series>>);

/// Labels and a figure.
type Series = ([(&'static str, String); 2], u64);

impl LastQueues {
    pub(crate) fn set(&self, queues: &BTreeMap<Box<str>, QueueState>) {
        let mut counted: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
        for (number, (name, queue)) in queues.iter().enumerate() {
            let name = if number < QUEUES_NAMED_MAX { &**name } else { "(others)" };
            for (state, count) in &queue.jobs {
                *counted.entry((name, state)).or_default() += count;
            }
        }
        let series = counted.into_iter().map(|((name, state), count)| {
            ([("queue", name.to_owned()), ("state", state.to_owned())], count)
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = series.collect();
    }

    fn encode(&self, page: &mut Page<'_>) -> fmt::Result {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.family("jobs", "Jobs by queue and state, up to 10,000 each", &series)
    }
}

/// What the server's own worker does.
fn jobs(page: &mut Page<'_>, stats: &WorkerStats) -> fmt::Result {
    page.gauge("jobs_busy", "Jobs at work in this process", stats.busy)?;
    page.gauge("jobs_held", "Jobs claimed by this process and not over", stats.held)?;
    page.gauge("jobs_waiting_for_memory", "Of those, waiting for memory", stats.waiting)?;
    page.gauge("jobs_ended", "Jobs that ended in this process so far", stats.ended)?;
    page.peaks(&stats.peaks)
}

/// Where there are replicas: who is there, and who is read from.
fn roles(page: &mut Page<'_>, stats: &DatabaseStats) -> fmt::Result {
    let by_role = |figure: fn(&RoleStats) -> u64| {
        [("primary", &stats.primary), ("replica", &stats.replicas)]
            .map(|(role, stats)| ([("role", role.to_owned())], figure(stats)))
    };
    page.family("database_hosts", "Hosts that are configured", &by_role(|role| role.hosts))?;
    page.family(
        "database_hosts_healthy",
        "Hosts that answered the last look",
        &by_role(|role| role.healthy),
    )?;
    page.family("database_pages_read", "Slices of rows read so far", &by_role(|role| role.pages))?;
    page.gauge(
        "database_replica_lag_milliseconds",
        "The most that a replica is behind",
        stats.replicas.lag_ms_max,
    )
}

/// Sums of consumers by path; several of one name share a series.
fn list(node: &LedgerNode, above: &str, rows: &mut Vec<([(&'static str, String); 1], u64)>) {
    for consumer in &node.consumers {
        let path = if above.is_empty() {
            consumer.name.to_string()
        } else {
            format!("{above}/{}", consumer.name)
        };
        match rows.iter_mut().find(|([(_, name)], _)| *name == path) {
            Some((_, bytes)) => *bytes += consumer.held_bytes,
            None => rows.push(([("consumer", path)], consumer.held_bytes)),
        }
    }
    for child in &node.children {
        let path = if above.is_empty() {
            child.name.to_string()
        } else {
            format!("{above}/{}", child.name)
        };
        list(child, &path, rows);
    }
}

/// Which build answers, as a gauge that is always 1.
#[derive(Debug)]
pub(crate) struct BuildInfo(pub(crate) Build);

impl Collector for BuildInfo {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let labels =
            [("version", self.0.version.to_string()), ("commit", self.0.commit.to_string())];
        Page(encoder).family("build_info", "The build that answers", &[(labels, 1)])
    }
}
