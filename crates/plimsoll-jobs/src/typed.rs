//! A job in Rust: one type says what it is called, what it takes, where it stands and what it
//! needs.
//!
//! ```text
//!   Queue::enqueue_job::<J>(&payload) ─> JSON ─> queue ─> worker ─> J::run(payload, last, work)
//!                                                           wrong shape ─> failed, not tried again
//! ```
//!
//! Promises: a payload or checkpoint that is not one of the job's types fails it for good, with
//! the place that is wrong; the job's own code sees neither as text.
//! Never: a queue, state or lease of its own; it is a [`Handler`] like any other.
//!
//! ```
//! use std::sync::Arc;
//!
//! use plimsoll::record::Value;
//! use plimsoll_jobs::typed::{Job, Work};
//! use plimsoll_jobs::{Ending, JobError, Progress, Registry};
//! use plimsoll_store::Write;
//! use serde::{Deserialize, Serialize};
//!
//! /// Gives every account its interest.
//! struct Interest;
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Year {
//!     percent: i64,
//!     accounts: i64,
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Behind {
//!     account: i64,
//! }
//!
//! impl Job for Interest {
//!     const NAME: &'static str = "accounts.interest";
//!     const MEMORY_BYTES: u64 = 4 << 20;
//!     type Payload = Year;
//!     type Checkpoint = Behind;
//!
//!     fn run(
//!         &self,
//!         year: Year,
//!         last: Option<Behind>,
//!         work: &mut Work<'_, '_, Self>,
//!     ) -> Result<Ending, JobError> {
//!         let text = "update accounts set cents = cents + cents * :percent / 100 \
//!                     where id > :behind and id <= :upto";
//!         let mut behind = last.map_or(0, |last| last.account);
//!         while behind < year.accounts {
//!             let upto = year.accounts.min(behind + 500);
//!             let numbers = [("percent", year.percent), ("behind", behind), ("upto", upto)];
//!             let params = numbers.map(|(name, number)| (name.into(), Value::Int(number)));
//!             let effect = Write::Sql { text: text.into(), params: params.into() };
//!             let done = Progress { done: upto.unsigned_abs(), ..Progress::default() };
//!             // The interest of these accounts and the checkpoint behind them: one transaction.
//!             if work.save(vec![effect], &Behind { account: upto }, &done)?.is_some() {
//!                 return Ok(Ending::Stopped);
//!             }
//!             behind = upto;
//!         }
//!         Ok(Ending::done())
//!     }
//! }
//!
//! # use std::time::Duration;
//! # use plimsoll_jobs::{Queue, State, SystemClock, Worker, WorkerOptions, sqlite_migrations};
//! # use plimsoll_store::catalogue::{Catalogue, Migration};
//! # use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase};
//! # let folder = tempfile::tempdir()?;
//! # let config = SqliteConfig {
//! #     file: folder.path().join("accounts.db"),
//! #     readers: 1,
//! #     reader_cache_bytes: 1 << 20,
//! #     writer_cache_bytes: 1 << 20,
//! #     value_bytes_max: 1 << 20,
//! #     writable: true,
//! # };
//! # let sql = "create table accounts (id integer primary key, cents integer not null); \
//! #     with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200) \
//! #     insert into accounts select i, 1000 from n";
//! # let mut migrations = sqlite_migrations();
//! # migrations.push(Migration { id: "accounts".into(), sql: sql.into() });
//! # sqlite::migrate(&config.file, &migrations, 0)?;
//! # let database = Arc::new(SqliteDatabase::open(&config, &mut [])?);
//! # let catalogue = Arc::new(Catalogue::new(Vec::new(), None)?);
//! # let store = plimsoll_store::Store::new(database, catalogue);
//! # let queue = Queue::new(store.clone(), Arc::new(SystemClock::default()));
//! # let options = WorkerOptions { jobs_max: Some(1), ..WorkerOptions::new("example") };
//! # let random = Arc::new(|| 7);
//! let mut registry = Registry::default();
//! registry.add_job(Interest)?;
//! let worker = Worker::start(queue.clone(), registry, options, random)?;
//! let made = queue.enqueue_job::<Interest>(&Year { percent: 2, accounts: 1_200 })?.wait()?;
//! # assert!(worker.wait_over(Duration::from_secs(30)) && worker.stop(Duration::from_secs(30)));
//! # assert_eq!(queue.show(made.id).wait()?.state, State::Completed);
//! # let sums = store.query("select sum(cents) from accounts", 1).wait()?;
//! # assert_eq!(sums[0][0], Value::Int(1_200 * 1_020));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use plimsoll_store::Write;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::Stop;
use crate::error::{Error, Result};
use crate::handler::{Declared, Ending, Handler, JobError, Registry};
use crate::job::{Enqueued, NewJob, Progress};
use crate::queue::{Queue, Written};
use crate::run::Run;

/// A kind of job. See the module for one that runs.
pub trait Job: Send + Sync + Sized + 'static {
    /// What the kind is called; once in a registry.
    const NAME: &'static str;
    /// Bytes a job needs, which are reserved before it begins.
    const MEMORY_BYTES: u64;
    /// What it is asked to do. JSON objects with names, so that a later version reads them.
    type Payload: Serialize + DeserializeOwned;
    /// Where it stands: positions and names of files, no results.
    type Checkpoint: Serialize + DeserializeOwned;

    /// Where its jobs wait and how they are tried; the presets, where it says nothing else.
    #[must_use]
    fn declared() -> Declared {
        Declared { memory_bytes: Self::MEMORY_BYTES, ..Declared::default() }
    }

    /// Works until it is done or asked to stop, from the last checkpoint on where there is one.
    ///
    /// # Errors
    /// Why it failed; see [`JobError`].
    fn run(
        &self,
        payload: Self::Payload,
        last: Option<Self::Checkpoint>,
        work: &mut Work<'_, '_, Self>,
    ) -> Result<Ending, JobError>;
}

/// A [`Run`] whose checkpoints are of the job's type.
pub struct Work<'w, 'a, J: Job> {
    run: &'w mut Run<'a>,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> Work<'_, '_, J> {
    /// Effects and the checkpoint behind them, in one transaction; says whether to stop.
    ///
    /// # Errors
    /// Those of [`Run::save`], and hopeless for a checkpoint that is no JSON.
    pub fn save(
        &mut self,
        effects: Vec<Write>,
        checkpoint: &J::Checkpoint,
        progress: &Progress,
    ) -> Result<Option<Stop>, JobError> {
        let text = serde_json::to_string(checkpoint).map_err(|e| {
            JobError::hopeless(format!("a checkpoint of {} is no JSON: {e}", J::NAME))
        })?;
        self.run.save(effects, &text, progress)
    }
}

impl<'a, J: Job> Deref for Work<'_, 'a, J> {
    type Target = Run<'a>;

    fn deref(&self) -> &Self::Target {
        self.run
    }
}

impl<J: Job> DerefMut for Work<'_, '_, J> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.run
    }
}

/// A job as the handler of its kind.
struct Typed<J>(J);

impl<J: Job> Handler for Typed<J> {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let payload = run.payload()?;
        let last = run.checkpoint()?;
        self.0.run(payload, last, &mut Work { run, job: PhantomData })
    }
}

impl Registry {
    /// Adds a kind that is a type.
    ///
    /// # Errors
    /// Those of [`Registry::add`].
    pub fn add_job<J: Job>(&mut self, job: J) -> Result<()> {
        self.add(J::NAME, J::declared(), Typed(job))
    }
}

impl NewJob {
    /// A job of that type, with what is declared for it; what is said of it alone is set on the
    /// answer, e.g. a unique key.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] where the payload cannot be JSON.
    pub fn of<J: Job>(payload: &J::Payload) -> Result<Self> {
        let text = serde_json::to_string(payload).map_err(|e| {
            Error::invalid(format!("the payload of a job of {} is no JSON: {e}", J::NAME))
        })?;
        let declared = J::declared();
        Ok(Self {
            queue: declared.queue.into(),
            trying: declared.trying,
            memory_bytes: declared.memory_bytes,
            ..Self::new(J::NAME, text)
        })
    }
}

impl Queue {
    /// Enqueues a job of that type.
    ///
    /// # Errors
    /// Those of [`NewJob::of`] and [`Queue::enqueue`].
    pub fn enqueue_job<J: Job>(&self, payload: &J::Payload) -> Result<Written<Enqueued>> {
        self.enqueue(&NewJob::of::<J>(payload)?)
    }
}
