//! A queue of a test's own.
//!
//! The same tests run on both databases: `TESTED_DATABASE=postgres` puts every [`Fixture`] into a
//! database of its own on the server that `TESTED_POSTGRES` names.
//!
//! Promises: a folder or database of its own for every test; a clock that a test moves.
//! Never: a wait without a deadline.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use plimsoll_jobs::{
    Claim, Claimed, Clock, JobId, NewJob, Queue, Random, State, Within, postgres_migrations,
    sqlite_migrations,
};
use plimsoll_store::catalogue::{Catalogue, Migration};
use plimsoll_store::postgres::{self, PostgresConfig, PostgresDatabase, REPLICA_LAG_MS_MAX};
use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase};
use plimsoll_store::{Database, Store, Write};
use tempfile::TempDir;

/// 2026-01-01, in microseconds.
pub(crate) const NOW: i64 = 1_767_225_600_000_000;
/// What a test waits for at most.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A wall clock that stands until it is moved, and the machine's steady one.
pub(crate) struct TestClock {
    began: Instant,
    wall_micros: AtomicI64,
}

impl TestClock {
    pub(crate) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a time of a test");
        self.wall_micros.fetch_add(micros, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a time of a test");
        self.wall_micros.fetch_sub(micros, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.wall_micros.load(Ordering::SeqCst)
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }
}

/// A database on the tested server, dropped with the fixture.
struct Served {
    server: String,
    name: String,
}

impl Served {
    fn new() -> Self {
        let server = std::env::var("TESTED_POSTGRES").expect("TESTED_POSTGRES names a server");
        let random = RandomState::new().hash_one(std::process::id());
        let served = Self { server, name: format!("j{random:x}") };
        served.run(&format!("create database {}", served.name));
        served
    }

    fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    fn run(&self, sql: &str) {
        execute(&format!("{}/postgres", self.server), sql);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run(&format!("drop database {} with (force)", self.name));
        }
    }
}

/// Runs statements as another client would.
pub(crate) fn execute(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("a connection");
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap_or_else(|e| panic!("{e:?}: {sql}"));
    });
}

/// Whether this run is the one on PostgreSQL.
pub(crate) fn on_postgres() -> bool {
    std::env::var("TESTED_DATABASE").is_ok_and(|name| name == "postgres")
}

/// A queue with its database.
pub(crate) struct Fixture {
    pub(crate) queue: Queue,
    pub(crate) clock: Arc<TestClock>,
    // Behind the queue, so that its threads end before their database goes.
    directory: TempDir,
    served: Option<Served>,
}

/// A table of the app's, for effects.
const EFFECTS: &str = "create table effects (job bigint not null, step bigint not null)";

impl Fixture {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().expect("a folder");
        let served = on_postgres().then(Served::new);
        let store = open(directory.path(), served.as_ref());
        let clock = Arc::new(TestClock { began: Instant::now(), wall_micros: AtomicI64::new(NOW) });
        let queue = Queue::new(store, clock.clone());
        Self { queue, clock, directory, served }
    }

    /// The same jobs through connections of their own, as another process has them.
    pub(crate) fn another(&self) -> Queue {
        Queue::new(open(self.directory.path(), self.served.as_ref()), self.clock.clone())
    }

    /// The same through the pooler that is tested, if there is one.
    pub(crate) fn through_pooler(&self) -> Option<Queue> {
        let (pooler, served) = (std::env::var("TESTED_PGBOUNCER").ok()?, self.served.as_ref()?);
        let pooled = Served { server: pooler, name: served.name.clone() };
        let store = open(self.directory.path(), Some(&pooled));
        // The database is dropped by whoever made it.
        std::mem::forget(pooled);
        Some(Queue::new(store, self.clock.clone()))
    }

    /// Where its PostgreSQL is, if that is what it has.
    pub(crate) fn url(&self) -> Option<String> {
        self.served.as_ref().map(Served::url)
    }

    pub(crate) fn enqueue(&self, job: &NewJob) -> JobId {
        let enqueued = self.queue.enqueue(job).expect("a job").wait().expect("enqueued");
        assert!(!enqueued.existed);
        enqueued.id
    }

    pub(crate) fn claim(&self, jobs_max: u32) -> Vec<Claimed> {
        claim(&self.queue, "w1", "default", jobs_max)
    }

    pub(crate) fn state(&self, id: JobId) -> State {
        self.queue.show(id).wait().expect("a job").state
    }

    /// Waits until a job is in a state.
    pub(crate) fn until(&self, id: JobId, state: State) {
        let (_hold, never) = std::sync::mpsc::sync_channel::<()>(1);
        let until = Instant::now() + DEADLINE;
        while self.state(id) != state {
            let job = self.queue.show(id).wait().expect("a job");
            assert!(Instant::now() < until, "job {id} is not {state:?}: {job:?}");
            let _time = never.recv_timeout(Duration::from_millis(5));
        }
    }

    /// Steps that jobs have done: job and step, in order.
    pub(crate) fn effects(&self) -> Vec<(i64, i64)> {
        let sql = "select job, step from effects order by job, step";
        let rows = self.queue.store().query(sql, 1_000_000).wait().expect("effects");
        let int = |value: &plimsoll::record::Value| match value {
            plimsoll::record::Value::Int(value) => *value,
            other => panic!("{other:?}"),
        };
        rows.iter().map(|row| (int(&row[0]), int(&row[1]))).collect()
    }
}

/// An effect of a job: a row.
pub(crate) fn effect(job: JobId, step: i64) -> Write {
    let params = vec![("job".into(), int(job)), ("step".into(), int(step))];
    Write::Sql { text: "insert into effects (job, step) values (:job, :step)".into(), params }
}

pub(crate) fn int(value: i64) -> plimsoll::record::Value {
    plimsoll::record::Value::Int(value)
}

pub(crate) fn claim(queue: &Queue, worker: &str, name: &str, jobs_max: u32) -> Vec<Claimed> {
    let claim =
        Claim { worker, queue: name, jobs_max, without: &[], only: None, within: Within::All };
    queue.claim(&claim).wait().expect("claimed")
}

/// Numbers that a seed gives, for the time between attempts.
pub(crate) fn random() -> Random {
    let state = AtomicU64::new(7);
    Arc::new(move || {
        let next = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        let mixed = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 27)
    })
}

fn open(directory: &Path, served: Option<&Served>) -> Store {
    let database: Arc<dyn Database> = match served {
        None => {
            let file = directory.join("jobs.db");
            let mut migrations = sqlite_migrations();
            migrations.push(Migration { id: "effects".into(), sql: EFFECTS.into() });
            sqlite::migrate(&file, &migrations, NOW).expect("migrated");
            let config = SqliteConfig {
                file,
                readers: 2,
                reader_cache_bytes: 1 << 20,
                writer_cache_bytes: 1 << 20,
                value_bytes_max: 1 << 20,
                writable: true,
            };
            Arc::new(SqliteDatabase::open(&config, &mut []).expect("opened"))
        }
        Some(served) => {
            let mut migrations = postgres_migrations();
            let effects = EFFECTS.replace("create table effects", "create table public.effects");
            migrations.push(Migration { id: "effects".into(), sql: effects.into() });
            let config = PostgresConfig {
                url: served.url(),
                readers: 2,
                spill_directory: directory.to_owned(),
                writable: true,
                replicas: Vec::new(),
                replica_lag_max_ms: REPLICA_LAG_MS_MAX,
                makes_way: true,
                row_bytes_max: 1 << 20,
            };
            postgres::migrate(&config, &migrations, &mut [], NOW).expect("migrated");
            Arc::new(PostgresDatabase::open(&config, BTreeMap::new()).expect("opened"))
        }
    };
    let catalogue = Catalogue::new(Vec::new(), None).expect("a catalogue");
    Store::new(database, Arc::new(catalogue))
}
