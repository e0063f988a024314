//! What a server is given: store, budget, bounds, clock and the process's numbers.
//!
//! Promises: everything that differs between machines or tests comes in here.
//! Never: an environment variable or a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::budget::Budget;
use plimsoll::cache::Cache;
use plimsoll_store::{Catalogue, Store};

use crate::access::Access;
use crate::jobs::JobsConfig;
use crate::logs::Logs;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970, UTC.
    fn now_micros(&self) -> i64;
}

impl<F: Fn() -> i64 + Send + Sync> Clock for F {
    fn now_micros(&self) -> i64 {
        self()
    }
}

/// What the allocator says of itself, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllocatorSample {
    /// Handed out and not got back.
    pub allocated_bytes: u64,
    /// Resident in memory.
    pub resident_bytes: u64,
    /// Address space kept without memory behind it.
    pub retained_bytes: u64,
}

/// What the kernel and the allocator say of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSample {
    /// Resident bytes now.
    pub rss_bytes: u64,
    /// The most resident bytes there have been (VmHWM).
    pub rss_peak_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// The allocator's own numbers.
    pub allocator: AllocatorSample,
    /// Bytes in spill files.
    pub spill_bytes: u64,
    /// Spill files.
    pub spill_files: u64,
    /// Lines of the control group's `memory.stat` that are readable: name and bytes.
    pub cgroup: Vec<(&'static str, u64)>,
}

/// The source of [`ProcessSample`]s.
pub trait ProcessProbe: Send + Sync {
    /// Reads the numbers now. Called by `/system/memory` and by every scrape of the metrics.
    fn sample(&self) -> ProcessSample;
}

/// Which build answers.
#[derive(Clone, Debug)]
pub struct Build {
    /// E.g. `0.1.0`.
    pub version: Box<str>,
    /// The commit it was built from, or `unknown`.
    pub commit: Box<str>,
}

/// Bounds of one server. The default is what `plimsoll serve` uses.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Connections served at once; more are answered 503 and closed.
    pub connections_max: usize,
    /// Streams and exports served at once.
    pub streams_max: usize,
    /// Streams that may wait for one of them to end.
    pub admissions_waiting_max: usize,
    /// How long each waits before it is refused.
    pub admission_wait: Duration,
    /// From the first byte of a connection, or the end of the last answer, to the end of the next
    /// request's headers.
    pub header_timeout: Duration,
    /// From the headers to the end of the body.
    pub body_timeout: Duration,
    /// A client that takes no byte for this long is disconnected.
    pub stall_timeout: Duration,
    /// A single request other than a stream is given up after this.
    pub request_timeout: Duration,
    /// Streams and exports sorted at once, because no index runs in their order.
    pub sorts_max: usize,
    /// A stream with `consistency=snapshot` holds its snapshot at most this long.
    pub snapshot_timeout: Duration,
    /// Links to exports that can be used at one time.
    pub exports_max: usize,
    /// Files of exports by link at one time.
    pub exports_kept_max: usize,
    /// Bytes of these files together.
    pub exports_bytes_max: u64,
    /// Such a file is kept this long at most once it is whole.
    pub export_kept: Duration,
    /// Reports made at once.
    pub reports_max: usize,
    /// A report is given up after this.
    pub report_timeout: Duration,
    /// Exports whose end is not in the audit yet; more are refused.
    pub audits_open_max: usize,
    /// How long new connections are still served after the shutdown began, with `/readyz` saying
    /// 503, so that whoever sends traffic here notices in time.
    pub leave_delay: Duration,
    /// How long open answers may go on after that.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            streams_max: 256,
            admissions_waiting_max: 256,
            admission_wait: Duration::from_secs(2),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            sorts_max: 2,
            snapshot_timeout: Duration::from_secs(30 * 60),
            exports_max: 1024,
            // Each is an open file, beside as many connections as there may be.
            exports_kept_max: 64,
            exports_bytes_max: 4 << 30,
            export_kept: Duration::from_secs(30 * 60),
            reports_max: 2,
            report_timeout: Duration::from_secs(30),
            // Twice as many as run and wait: ends are flushed many at a time.
            audits_open_max: 1_024,
            leave_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a catalogue comes from that may have changed: somebody's own database, a file.
pub trait CatalogueSource: Send + Sync {
    /// Looks again. Called on a thread of its own, one call at a time; it may take seconds.
    ///
    /// # Errors
    /// What is told to whoever asked for it; the catalogue there is stays.
    fn look(&self) -> plimsoll_store::Result<Catalogue>;
}

/// Everything a server needs.
pub struct ServerConfig {
    /// The resources and their database.
    pub store: Store,
    /// Where a reload finds the resources; without one there is nothing to reload.
    pub catalogue_source: Option<Arc<dyn CatalogueSource>>,
    /// The process's budget; the server makes itself a child called `http`.
    pub budget: Budget,
    /// Cap of that child, in bytes.
    pub http_cap_bytes: u64,
    /// An existing directory on a real disk, for what is sorted and does not fit into memory.
    pub spill_directory: PathBuf,
    /// What stands before the path in links that leave the server, e.g. `https://data.example.org`;
    /// without it they are paths.
    pub public_url: Option<Box<str>>,
    /// Where the limit came from, for people, e.g. `--memory-limit`.
    pub limit_source: Box<str>,
    /// Bounds.
    pub limits: ServerLimits,
    /// Signs cursors, and a key made of it links. The same key after a restart keeps them valid.
    pub cursor_key: [u8; 32],
    /// Who may ask for what. Without it everybody may ask for everything.
    pub access: Option<Access>,
    /// The file in which each export has a row before it begins and one behind it. Without it none
    /// has.
    pub audit: Option<PathBuf>,
    /// The jobs of the database; without them their paths say how to have some.
    pub jobs: Option<JobsConfig>,
    /// Where the sales of periods are kept warm.
    pub cache: Option<Cache>,
    /// The last lines of the log, for `/system/logs`; whoever makes it reserves its bytes.
    pub logs: Option<Arc<Logs>>,
    /// Whether POST, PATCH and DELETE are served at all.
    pub writable: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The process's numbers.
    pub process: Arc<dyn ProcessProbe>,
    /// Which build answers.
    pub build: Build,
}
