//! The database as a whole: its threads, and the seam's methods over them.
//!
//! Promises: the threads, their connections and their caches are a fixed number from the start.
//! Never: a thread per request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use plimsoll::limits::{READS_WAITING_MAX, SNAPSHOTS_WAITING_MAX};
use plimsoll::record::Value;
use rusqlite::{Connection, OptionalExtension};

use super::beside::Beside;
use super::connection::{Bounds, Role, open};
use super::failure::explain;
use super::writer;
use super::{aggregate, introspect, memory, own, queries, reader, report, snapshot};
use crate::aggregate::{AggregateRequest, Aggregated};
use crate::catalogue::Resource;
use crate::database::{Database, DatabaseStats};
use crate::error::{Error, ErrorKind, Result};
use crate::lanes::Lanes;
use crate::own::Own;
use crate::pending::{Pending, Promise};
use crate::read::{Page, PageRequest, ReadLane};
use crate::report::{Report, ReportRequest};
use crate::snapshot::SnapshotRequest;
use crate::write::{Priority, WriteOutcome, WriteUnit};
use crate::writer_lane::{self, Job, WriterLane};

/// How a file is opened.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file.
    pub file: PathBuf,
    /// Threads that read pages, each with a connection.
    pub readers: usize,
    /// Page cache of each reading connection.
    pub reader_cache_bytes: u64,
    /// Page cache of the writing connection.
    pub writer_cache_bytes: u64,
    /// Largest value or stored row. The engine holds one whole on every connection before anybody
    /// can look at its length.
    pub value_bytes_max: u64,
    /// Open a writer too. Without one nothing in the file or beside it is written.
    pub writable: bool,
}

type ReadTask = Box<dyn FnOnce(&mut Connection, &Shared) + Send>;

struct Shared {
    pages: Lanes<ReadTask>,
    reports: Lanes<ReadTask>,
    snapshots: Lanes<ReadTask>,
    writer: WriterLane,
    busy: AtomicU64,
    snapshot_micros_max: AtomicU64,
}

/// A SQLite file with its threads.
pub struct SqliteDatabase {
    shared: Arc<Shared>,
    connections: u64,
    writable: bool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What stood beside a file that is only read.
    beside: Mutex<Option<Beside>>,
}

impl SqliteConfig {
    /// Bytes the connections may take together, a page cache and one row each: to be reserved
    /// before opening.
    #[must_use]
    pub fn connection_bytes(&self) -> u64 {
        // Reports and snapshots have a reading connection each.
        let readers = (self.readers as u64 + 2) * (self.reader_cache_bytes + self.value_bytes_max);
        let writer = self.writer_cache_bytes + self.value_bytes_max;
        readers + if self.writable { writer } else { 0 }
    }

    fn bounds(&self, role: Role) -> Bounds {
        let cache_bytes = match role {
            Role::Reader => self.reader_cache_bytes,
            Role::Writer => self.writer_cache_bytes,
        };
        Bounds { cache_bytes, value_bytes_max: self.value_bytes_max }
    }
}

impl SqliteDatabase {
    /// Opens the file and starts its threads. `resources` get their access paths filled in.
    ///
    /// # Errors
    /// When the file is missing, no database, locked, or a thread cannot be started.
    pub fn open(config: &SqliteConfig, resources: &mut [Resource]) -> Result<Self> {
        let shared = Arc::new(Shared {
            pages: Lanes::new(READS_WAITING_MAX),
            reports: Lanes::new(READS_WAITING_MAX),
            snapshots: Lanes::new(SNAPSHOTS_WAITING_MAX),
            writer: WriterLane::default(),
            busy: AtomicU64::new(0),
            snapshot_micros_max: AtomicU64::new(0),
        });
        let database = Self {
            shared: shared.clone(),
            connections: config.readers as u64 + 2 + u64::from(config.writable),
            writable: config.writable,
            threads: Mutex::default(),
            beside: Mutex::new((!config.writable).then(|| Beside::look(&config.file))),
        };
        // The writer comes first: it makes the log file that readers of a fresh file need.
        if config.writable {
            let mut connection = open(&config.file, Role::Writer, config.bounds(Role::Writer))?;
            let shared = shared.clone();
            database.spawn("db-writer", move || writer::run(&mut connection, &shared.writer))?;
        }
        let first = open(&config.file, Role::Reader, config.bounds(Role::Reader))?;
        introspect::complete(&first, resources)?;
        let reading = |mut connection: Connection, lanes: fn(&Shared) -> &Lanes<ReadTask>| {
            let shared = shared.clone();
            move || {
                while let Some(task) = lanes(&shared).take() {
                    shared.busy.fetch_add(1, Ordering::Relaxed);
                    // A bug in one request fails that request; a thread that ended would leave
                    // all later ones waiting.
                    let run = AssertUnwindSafe(|| task(&mut connection, &shared));
                    if catch_unwind(run).is_err() {
                        tracing::error!("a read panicked; its request fails, its thread goes on");
                        drop(connection.progress_handler(0, None::<fn() -> bool>));
                    }
                    shared.busy.fetch_sub(1, Ordering::Relaxed);
                }
            }
        };
        database.spawn("db-report", reading(first, |s| &s.reports))?;
        let whole = open(&config.file, Role::Reader, config.bounds(Role::Reader))?;
        database.spawn("db-snapshot", reading(whole, |s| &s.snapshots))?;
        for number in 0..config.readers {
            let connection = open(&config.file, Role::Reader, config.bounds(Role::Reader))?;
            database.spawn(&format!("db-read-{number}"), reading(connection, |s| &s.pages))?;
        }
        Ok(database)
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let builder = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES);
        let thread = builder
            .spawn(body)
            .map_err(|e| Error::new(ErrorKind::Io, format!("starting the thread {name}: {e}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn read<T: Send + 'static>(
        &self,
        lanes: &Lanes<ReadTask>,
        lane: ReadLane,
        task: impl FnOnce(&mut Connection, &Shared, &Promise<T>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (promise, pending) = Pending::new();
        let boxed: ReadTask = Box::new(move |connection, shared| {
            if !promise.is_abandoned() {
                let answer = task(connection, shared, &promise);
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

impl Database for SqliteDatabase {
    fn page(&self, request: PageRequest) -> Pending<Page> {
        let lane = request.lane;
        if request.resource.query.is_some() {
            // It may take as long as a report, which a page of a table never waits for.
            return self.read(&self.shared.reports, lane, move |connection, _, promise| {
                let watch = promise.watch();
                queries::page(connection, request, move || watch.is_abandoned())
            });
        }
        self.read(&self.shared.pages, lane, move |connection, shared, promise| {
            let began = Instant::now();
            let answer = reader::slice(connection, request, &|| promise.is_abandoned());
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            shared.snapshot_micros_max.fetch_max(micros, Ordering::Relaxed);
            answer
        })
    }

    fn report(&self, request: ReportRequest) -> Pending<Report> {
        self.read(&self.shared.reports, ReadLane::Bulk, move |connection, _, promise| {
            let watch = promise.watch();
            report::report(connection, &request, move || watch.is_abandoned())
        })
    }

    fn snapshot(&self, request: SnapshotRequest) -> Pending<u64> {
        self.read(&self.shared.snapshots, ReadLane::Bulk, move |connection, _, promise| {
            if request.resource.query.is_some() {
                let watch = promise.watch();
                return queries::whole(connection, request, move || watch.is_abandoned());
            }
            snapshot::snapshot(connection, request, &|| promise.is_abandoned())
        })
    }

    fn aggregate(&self, request: AggregateRequest) -> Pending<Aggregated> {
        self.read(&self.shared.reports, ReadLane::Bulk, move |connection, _, promise| {
            let watch = promise.watch();
            aggregate::aggregate(connection, request, move || watch.is_abandoned())
        })
    }

    fn query(&self, sql: &str, rows_max: usize) -> Pending<Vec<Vec<Value>>> {
        let sql = sql.to_owned();
        self.read(&self.shared.reports, ReadLane::Bulk, move |connection, _, _| {
            report::query(connection, &sql, rows_max)
        })
    }

    fn own(
        &self,
        statement: &'static Own,
        params: Vec<Value>,
        rows_max: usize,
    ) -> Pending<Vec<Vec<Value>>> {
        self.read(&self.shared.pages, ReadLane::Interactive, move |connection, _, _| {
            own::read(connection, statement, &params, rows_max)
        })
    }

    fn state(&self, kind: &'static str, key: &str) -> Pending<Option<String>> {
        let key = key.to_owned();
        self.read(&self.shared.pages, ReadLane::Interactive, move |connection, _, _| {
            let sql = "select state from plimsoll_state where kind = ?1 and key = ?2";
            connection
                .query_row(sql, [kind, &key], |r| r.get(0))
                .optional()
                .map_err(|e| explain("reading state", &e))
        })
    }

    fn write(&self, unit: WriteUnit, priority: Priority) -> Pending<WriteOutcome> {
        if !self.writable {
            return Pending::ready(Err(Error::new(
                ErrorKind::ReadOnly,
                "this database was opened for reading only",
            )));
        }
        let (promise, pending) = Pending::new();
        self.shared.writer.push(priority, Job { unit, promise, identity: None });
        pending
    }

    fn ping(&self) -> Pending<()> {
        if self.shared.writer.poisoned.load(Ordering::Acquire) {
            return Pending::ready(Err(writer_lane::poisoned()));
        }
        self.read(&self.shared.pages, ReadLane::Interactive, |connection, _, _| {
            connection
                .query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
                .map_err(|e| explain("asking the database", &e))
        })
    }

    fn stats(&self) -> DatabaseStats {
        let used = self.shared.busy.load(Ordering::Relaxed);
        DatabaseStats {
            connections_used: used,
            connections_idle: self.connections.saturating_sub(used),
            reads_waiting: (self.shared.pages.waiting() + self.shared.reports.waiting()) as u64,
            writes_waiting: self.shared.writer.waiting() as u64,
            commits: self.shared.writer.commits.load(Ordering::Relaxed),
            units: self.shared.writer.units.load(Ordering::Relaxed),
            memory_bytes: memory::engine_memory_bytes(),
            snapshot_micros_max: self.shared.snapshot_micros_max.load(Ordering::Relaxed),
            ..DatabaseStats::default()
        }
    }

    fn close(&self) -> Result<()> {
        self.shared.pages.close();
        self.shared.reports.close();
        self.shared.snapshots.close();
        self.shared.writer.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or("unnamed").to_owned();
            thread.join().map_err(|_| {
                Error::new(ErrorKind::Io, format!("the thread {name} panicked; see the log"))
            })?;
        }
        if let Some(beside) = self.beside.lock().unwrap_or_else(PoisonError::into_inner).take() {
            beside.tidy();
        }
        Ok(())
    }
}

impl Drop for SqliteDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(error = %error, "closing the database");
        }
    }
}

/// The directory SQLite puts temporary files into, for this process.
///
/// # Errors
/// When the directory's name is not UTF-8 or the database refuses it.
pub fn set_temporary_directory(directory: &Path) -> Result<()> {
    let text = directory.to_str().ok_or_else(|| {
        Error::invalid(format!("the spill directory {} is not UTF-8", directory.display()))
    })?;
    let fail = |e| explain("setting the directory for temporary files", &e);
    let connection = Connection::open_in_memory().map_err(fail)?;
    connection.pragma_update(None, "temp_store_directory", text).map_err(fail)
}
