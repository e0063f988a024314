//! The database as a whole: its threads, and the seam's methods over them.
//!
//! Promises: the threads are a fixed number from the start, each with one connection at most,
//! opened when it is first needed.
//! Never: a thread or a connection per request.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use plimsoll::limits::{READS_WAITING_MAX, SNAPSHOTS_WAITING_MAX};
use plimsoll::record::Value;
use tokio::sync::watch;

use super::company::{Company, Others};
use super::config::PostgresConfig;
use super::connection::Link;
use super::failure::explain;
use super::guise::Guise;
use super::hosts::{Hosts, Need, Role};
use super::listen::Listening;
use super::lookout::Lookout;
use super::native::Table;
use super::pace::Pace;
use super::reader::Around;
use super::{aggregate, control, own, reader, report, snapshot, writer};
use crate::aggregate::{AggregateRequest, Aggregated};
use crate::catalogue::{Handle, Resource};
use crate::database::{Database, DatabaseStats, RoleStats};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::lanes::Lanes;
use crate::listener::Listener;
use crate::own::Own;
use crate::pending::{Pending, Promise};
use crate::read::{Page, PageRequest, ReadLane};
use crate::report::{Report, ReportRequest};
use crate::snapshot::SnapshotRequest;
use crate::write::{Priority, WriteOutcome, WriteUnit};
use crate::writer_lane::{Job, WriterLane};

/// A table with what is known of its rows.
pub(super) struct Known {
    pub(super) table: Table,
    pace: Pace,
}

impl Known {
    pub(super) fn new(table: Table) -> Self {
        Self { table, pace: Pace::default() }
    }
}

type ReadTask = Box<dyn FnOnce(&mut Link, &Shared) + Send>;

/// What all threads of a database share.
pub(super) struct Shared {
    tables: RwLock<BTreeMap<Box<str>, Arc<Known>>>,
    row_bytes_max: u64,
    pub(super) writer: WriterLane,
    pub(super) hosts: Arc<Hosts>,
    /// Whom streams make way for, if they do.
    company: Option<Company>,
    spill_directory: PathBuf,
    pages: Lanes<ReadTask>,
    reports: Lanes<ReadTask>,
    snapshots: Lanes<ReadTask>,
    snapshot_micros_max: AtomicU64,
}

impl Shared {
    /// What the server calls a resource: what goes with it, else the table of its name.
    pub(super) fn table(&self, resource: &Resource) -> Result<Arc<Known>> {
        if let Some(known) = resource.handle.as_ref().and_then(Handle::get) {
            return Ok(known);
        }
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.get(&resource.name).cloned().ok_or_else(|| {
            let name = &resource.name;
            Error::new(ErrorKind::NotFound, format!("{name} is no table that was looked at"))
        })
    }

    /// A table that was made just now.
    pub(super) fn add(&self, resource: &Resource, table: Table) {
        let table = Table { row_bytes_max: self.row_bytes_max, ..table };
        let known = Arc::new(Known::new(table));
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(resource.name.clone(), known);
    }
}

/// A PostgreSQL database with its threads.
pub struct PostgresDatabase {
    shared: Arc<Shared>,
    /// Connections of the reading threads to each host.
    readers: u64,
    writable: bool,
    /// As whom it is asked, where that is not the connections' own role.
    acting: Option<Acting>,
    /// True when it closes.
    closing: watch::Sender<bool>,
    /// Those of somebody else where it is asked as somebody.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Somebody, and the SQL that makes a transaction theirs.
struct Acting {
    identity: Arc<Identity>,
    guise: Arc<Guise>,
}

impl PostgresDatabase {
    /// Starts the threads. `tables` are those of resources that [`super::migrate`] looked at; what
    /// [`super::survey`] found goes with its resources.
    ///
    /// # Errors
    /// When the URL cannot be read or a thread cannot be started.
    pub fn open(config: &PostgresConfig, tables: BTreeMap<Box<str>, Table>) -> Result<Self> {
        let lag_max = Duration::from_millis(config.replica_lag_max_ms);
        let hosts = Arc::new(Hosts::new(&config.url, &config.replicas, lag_max)?);
        let row_bytes_max = config.row_bytes_max();
        let known = |table| Arc::new(Known::new(Table { row_bytes_max, ..table }));
        let tables = tables.into_iter().map(|(name, table)| (name, known(table))).collect();
        let shared = Arc::new(Shared {
            tables: RwLock::new(tables),
            row_bytes_max,
            writer: WriterLane::default(),
            hosts: hosts.clone(),
            company: config.makes_way.then(Company::default),
            spill_directory: config.spill_directory.clone(),
            pages: Lanes::new(READS_WAITING_MAX),
            reports: Lanes::new(READS_WAITING_MAX),
            snapshots: Lanes::new(SNAPSHOTS_WAITING_MAX),
            snapshot_micros_max: AtomicU64::new(0),
        });
        let database = Self {
            shared,
            readers: config.reading_threads(),
            writable: config.writable,
            acting: None,
            closing: watch::Sender::default(),
            threads: Mutex::default(),
        };
        if config.writable {
            let (mut link, shared) = (Link::new(hosts.clone())?, database.shared.clone());
            database.start("pg-write", move || writer::run(&mut link, &shared))?;
        }
        database.spawn("pg-report", Link::new(hosts.clone())?, |s| &s.reports)?;
        database.spawn("pg-snapshot", Link::new(hosts.clone())?, |s| &s.snapshots)?;
        for number in 0..config.readers {
            let name = format!("pg-read-{number}");
            database.spawn(&name, Link::new(hosts.clone())?, |s| &s.pages)?;
        }
        if hosts.has_replicas() {
            let lookout = Lookout::new(hosts)?;
            let (looked, first_look) = sync_channel(1);
            database.start("pg-hosts", move || lookout.run(&looked))?;
            // So that who reads at once does not read from the primary.
            let _looked = first_look.recv();
        }
        Ok(database)
    }

    fn spawn(
        &self,
        name: &str,
        mut link: Link,
        lanes: fn(&Shared) -> &Lanes<ReadTask>,
    ) -> Result<()> {
        let shared = self.shared.clone();
        let body = move || {
            while let Some(task) = lanes(&shared).take() {
                // A bug in one request fails that request; a thread that ended would leave all
                // later ones waiting.
                let run = AssertUnwindSafe(|| task(&mut link, &shared));
                if catch_unwind(run).is_err() {
                    tracing::error!("a read panicked; its request fails, its thread goes on");
                }
            }
        };
        self.start(name, body)
    }

    fn start(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let builder = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES);
        let thread = builder
            .spawn(body)
            .map_err(|e| Error::new(ErrorKind::Io, format!("starting the thread {name}: {e}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Reads as whoever asks.
    fn read<T: Send + 'static>(
        &self,
        lanes: &Lanes<ReadTask>,
        lane: ReadLane,
        task: impl FnOnce(&mut Link, &Shared, &Promise<T>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let guise = self.acting.as_ref().map(|acting| acting.guise.clone());
        Self::read_as(guise, lanes, lane, task)
    }

    /// Reads what is Plimsoll's own, whoever asks.
    fn read_own<T: Send + 'static>(
        lanes: &Lanes<ReadTask>,
        lane: ReadLane,
        task: impl FnOnce(&mut Link, &Shared, &Promise<T>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        Self::read_as(None, lanes, lane, task)
    }

    fn read_as<T: Send + 'static>(
        guise: Option<Arc<Guise>>,
        lanes: &Lanes<ReadTask>,
        lane: ReadLane,
        task: impl FnOnce(&mut Link, &Shared, &Promise<T>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (promise, pending) = Pending::new();
        let boxed: ReadTask = Box::new(move |link, shared| {
            if !promise.is_abandoned() {
                link.act_as(guise);
                let answer = task(link, shared, &promise);
                promise.keep(answer);
            }
        });
        match lanes.push(lane, boxed) {
            Ok(()) => pending,
            Err(_refused) => Pending::ready(Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "{READS_WAITING_MAX} reads wait already, or the store is closing; try again"
                ),
            ))),
        }
    }
}

impl Database for PostgresDatabase {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        let lane = request.lane;
        // A query may take as long as a report, which a page of a table never waits for.
        let is_query = request.resource.query.is_some();
        let lanes = if is_query { &self.shared.reports } else { &self.shared.pages };
        self.read(lanes, lane, move |link, shared, promise| {
            let known = shared.table(&request.resource)?;
            let began = Instant::now();
            let company = shared.company.as_ref().filter(|_| lane == ReadLane::Bulk);
            let own = || shared.writer.transactions();
            let others = company.map(|company| Others { company, own: &own });
            let around = Around { pace: &known.pace, others };
            let answer = reader::slice(link, &known.table, &around, &promise.watch(), request);
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            if !is_query {
                shared.snapshot_micros_max.fetch_max(micros, Ordering::Relaxed);
            }
            link.host().pages.fetch_add(1, Ordering::Relaxed);
            answer
        })
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.read(&self.shared.reports, ReadLane::Bulk, move |link, shared, promise| {
            link.choose(Need::Read(request.horizon))?;
            let table = |resource: &Resource| shared.table(resource);
            report::report(link, &promise.watch(), &table, &request)
        })
    }

    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.read(&self.shared.snapshots, ReadLane::Bulk, move |link, shared, promise| {
            let known = shared.table(&request.resource)?;
            link.choose(Need::Read(request.horizon))?;
            snapshot::snapshot(link, &promise.watch(), &known.table, request)
        })
    }

    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.read(&self.shared.reports, ReadLane::Bulk, move |link, shared, promise| {
            let known = shared.table(&request.aggregation.resource)?;
            link.choose(Need::Read(request.horizon))?;
            let directory = &shared.spill_directory;
            aggregate::aggregate(link, &promise.watch(), &known.table, directory, request)
        })
    }

    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        let sql = sql.to_owned();
        Self::read_own(&self.shared.reports, ReadLane::Bulk, move |link, _, promise| {
            // What it tells may decide over a write.
            link.choose(Need::Primary)?;
            report::query(link, &promise.watch(), sql, rows_max)
        })
    }

    fn own(
        &self,
        statement: &'static Own,
        params: Vec<Value>,
        rows_max: usize,
    ) -> Pending<Vec<Vec<Value>>> {
        Self::read_own(&self.shared.pages, ReadLane::Interactive, move |link, _, promise| {
            link.choose(Need::Primary)?;
            link.run(&promise.watch(), async |client| {
                own::read(client, statement, &params, rows_max).await
            })
        })
    }

    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        let key = key.to_owned();
        Self::read_own(&self.shared.pages, ReadLane::Interactive, move |link, _, promise| {
            link.choose(Need::Primary)?;
            link.run(&promise.watch(), async |client| control::state(client, kind, &key).await)
        })
    }

    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        if !self.writable {
            return Pending::ready(Err(Error::new(
                ErrorKind::ReadOnly,
                "this database was opened for reading only",
            )));
        }
        let identity = self.acting.as_ref().map(|acting| acting.identity.clone());
        let (promise, pending) = Pending::new();
        self.shared.writer.push(priority, Job { unit, promise, identity });
        pending
    }

    fn ping(&self) -> Pending<()> {
        Self::read_own(&self.shared.pages, ReadLane::Interactive, |link, _, promise| {
            link.choose(Need::Read(None))?;
            link.run(&promise.watch(), async |client| {
                client.check_connection().await.map_err(|e| explain("asking the database", &e))
            })
        })
    }

    fn stats(&self) -> DatabaseStats {
        let hosts = &self.shared.hosts;
        let primary = hosts.stats(Role::Primary, self.readers + u64::from(self.writable));
        let with_replicas = |stats| if hosts.has_replicas() { stats } else { RoleStats::default() };
        DatabaseStats {
            connections_used: primary.connections_used,
            connections_idle: primary.connections_idle,
            primary: with_replicas(primary),
            replicas: hosts.stats(Role::Replica, self.readers),
            reads_waiting: (self.shared.pages.waiting() + self.shared.reports.waiting()) as u64,
            writes_waiting: self.shared.writer.waiting() as u64,
            commits: self.shared.writer.commits.load(Ordering::Relaxed),
            units: self.shared.writer.units.load(Ordering::Relaxed),
            snapshot_micros_max: self.shared.snapshot_micros_max.load(Ordering::Relaxed),
            ..DatabaseStats::default()
        }
    }

    fn acting_as(&self, identity: &Arc<Identity>) -> Result<Arc<dyn Database>> {
        let acting = Acting { identity: identity.clone(), guise: Arc::new(Guise::of(identity)) };
        Ok(Arc::new(Self {
            shared: self.shared.clone(),
            readers: self.readers,
            writable: self.writable,
            acting: Some(acting),
            closing: watch::Sender::default(),
            threads: Mutex::default(),
        }))
    }

    fn listen(&self, channel: &'static str, listener: Arc<dyn Listener>) -> Result<bool> {
        if self.acting.is_some() {
            return Err(Error::invalid("who asks as somebody listens to nothing"));
        }
        let (hosts, closing) = (self.shared.hosts.clone(), self.closing.subscribe());
        let listening = Listening { hosts, channel, listener, closing };
        self.start("pg-listen", move || listening.run())?;
        Ok(true)
    }

    fn close(&self) -> Result<()> {
        if self.acting.is_some() {
            // It is over the threads of another, who closes them.
            return Ok(());
        }
        self.shared.pages.close();
        self.shared.reports.close();
        self.shared.snapshots.close();
        self.shared.writer.close();
        self.shared.hosts.close();
        self.closing.send_replace(true);
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or("unnamed").to_owned();
            thread.join().map_err(|_| {
                Error::new(ErrorKind::Io, format!("the thread {name} panicked; see the log"))
            })?;
        }
        Ok(())
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = %error, "closing the database");
        }
    }
}
