//! A queue with a worker that pushes.
//!
//! Promises: a database of its own for every test, on either kind; a clock that a test moves.
//! Never: a wait without a deadline.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use plimsoll_jobs::{
    Clock, Job, JobId, NewJob, Queue, Registry, State, Worker, WorkerOptions, postgres_migrations,
    sqlite_migrations,
};
use plimsoll_server::push::{self, Allow, Options, Pusher, Secrets};
use plimsoll_store::catalogue::Catalogue;
use plimsoll_store::postgres::{self, PostgresDatabase};
use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase};
use plimsoll_store::{Database, Store};
use tempfile::TempDir;

use crate::served::{Served, on_postgres};

/// 2026-01-01, in microseconds.
pub(super) const NOW: i64 = 1_767_225_600_000_000;
/// What a test waits for at most.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// The keys of the secret `test`.
pub(super) const KEYS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_b2xkIGtleSBvZiAzMiBieXRlcyB0aGF0IGdvZXM="];

pub(super) struct TestClock {
    began: Instant,
    wall_micros: AtomicI64,
}

impl Clock for TestClock {
    fn now_micros(&self) -> i64 {
        self.wall_micros.load(Ordering::SeqCst)
    }

    fn steady(&self) -> Duration {
        self.began.elapsed()
    }
}

/// A queue with its database, and a worker over it.
pub(super) struct World {
    pub(super) worker: Option<Worker>,
    pub(super) queue: Queue,
    clock: Arc<TestClock>,
    _directory: TempDir,
    // Behind the queue, so that its threads end before their database goes.
    _served: Option<Served>,
}

/// Pushes to this machine, with short times.
pub(super) fn options() -> Options {
    let text = format!("[test]\nkeys = [{:?}, {:?}]", KEYS[0], KEYS[1]);
    Options {
        secrets: Secrets::parse(&text).unwrap_or_else(|e| panic!("{e}")),
        allow: Allow::parse(["127.0.0.0/8"]).expect("an allow-list"),
        ..Options::default()
    }
}

/// The same, where nothing but the world is allowed.
pub(super) fn strict() -> Options {
    Options { allow: Allow::default(), ..options() }
}

impl World {
    /// With a worker that pushes.
    pub(super) fn new(options: Options) -> Self {
        Self::with(options, Registry::default())
    }

    /// With more kinds of jobs.
    pub(super) fn with(options: Options, mut registry: Registry) -> Self {
        let pusher = Pusher::new(options).expect("a pusher");
        registry.add(push::KIND, push::declared(), pusher).expect("a kind");
        let mut world = Self::idle();
        let queue = world.queue.clone();
        let worker = Worker::start(queue, registry, WorkerOptions::new("test"), Arc::new(|| 5_000));
        world.worker = Some(worker.expect("a worker"));
        world
    }

    /// Without a worker.
    pub(super) fn idle() -> Self {
        let directory = TempDir::new().expect("a folder");
        let (database, served) = open(&directory);
        let store = Store::new(database, Arc::new(Catalogue::new(Vec::new(), None).expect("one")));
        let clock = Arc::new(TestClock { began: Instant::now(), wall_micros: AtomicI64::new(NOW) });
        let queue = Queue::new(store, clock.clone());
        Self { worker: None, queue, clock, _directory: directory, _served: served }
    }

    /// Enqueues a push of `body` to `url`.
    pub(super) fn push(&self, url: &str, body: &str) -> JobId {
        self.enqueue(&format!("{{\"url\":\"{url}\",\"secret\":\"test\",\"body\":{body}}}"))
    }

    /// Enqueues a push with any payload.
    pub(super) fn enqueue(&self, payload: &str) -> JobId {
        let trying = push::declared().trying;
        let job = NewJob { trying, ..NewJob::new(push::KIND, payload) };
        self.queue.enqueue(&job).expect("a job").wait().expect("enqueued").id
    }

    pub(super) fn show(&self, id: JobId) -> Job {
        self.queue.show(id).wait().expect("a job")
    }

    pub(super) fn pass(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).expect("a time of a test");
        self.clock.wall_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Waits until a job is in a state, and shows it.
    pub(super) fn until(&self, id: JobId, state: State) -> Job {
        let (_hold, never) = std::sync::mpsc::sync_channel::<()>(1);
        let until = Instant::now() + DEADLINE;
        loop {
            let job = self.show(id);
            if job.state == state {
                return job;
            }
            assert!(Instant::now() < until, "job {id} is not {state:?}: {job:?}");
            let _time = never.recv_timeout(Duration::from_millis(5));
        }
    }

    /// Waits until more than so many attempts are over, or the job is.
    pub(super) fn until_attempted(&self, id: JobId, before: u32) {
        let (_hold, never) = std::sync::mpsc::sync_channel::<()>(1);
        let until = Instant::now() + DEADLINE;
        loop {
            let job = self.show(id);
            if job.attempts > before || job.state == State::Completed {
                return;
            }
            assert!(Instant::now() < until, "job {id} is not tried again: {job:?}");
            let _time = never.recv_timeout(Duration::from_millis(5));
        }
    }

    /// The message of a job's last failure, once it is in a state.
    pub(super) fn failure(&self, id: JobId, state: State) -> String {
        let job = self.until(id, state);
        job.error.expect("a failure").into()
    }
}

fn open(directory: &TempDir) -> (Arc<dyn Database>, Option<Served>) {
    if on_postgres() {
        let (served, first) =
            Served::new("create table effects (job integer)", &mut [], directory.path(), NOW);
        drop(first);
        postgres::migrate(&served.config, &postgres_migrations(), &mut [], NOW).expect("migrated");
        let database = PostgresDatabase::open(&served.config, BTreeMap::new()).expect("opened");
        return (Arc::new(database), Some(served));
    }
    let config = SqliteConfig {
        file: directory.path().join("jobs.db"),
        readers: 1,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 1 << 20,
        value_bytes_max: 1 << 20,
        writable: true,
    };
    sqlite::migrate(&config.file, &sqlite_migrations(), NOW).expect("migrated");
    (Arc::new(SqliteDatabase::open(&config, &mut []).expect("opened")), None)
}
