//! Jobs that survive `kill -9`.
//!
//! ```text
//!   enqueue ─> queue (tables of the store) ─> claim, a lease ─> runner ─> effects + checkpoint
//!                 ^                                   │                   in one WriteUnit
//!                 └── rescued, retried, handed back <─┘
//! ```
//!
//! Promises: every write after a claim names the job, the token of its lease and the state
//! `running`; where that fits no row it is rolled back.
//! Never: an async runtime or HTTP; a result carried in a checkpoint.

mod answer;
mod batch;
mod bell;
mod by_sql;
mod cadence;
mod checkpoint;
pub mod child;
mod clock;
mod control;
mod dataset;
mod document;
mod error;
mod event;
mod exec;
mod floors;
mod handler;
mod job;
mod manage;
mod membership;
mod own;
mod policy;
mod prune;
mod pull;
mod queue;
mod refreshing;
mod renewal;
mod rescue;
mod ring;
mod run;
mod schedule;
mod schema;
mod sparingly;
mod sql_job;
mod state;
mod statements;
mod subscribers;
mod timetable;
mod triggers;
pub mod typed;
mod waits;
mod warm_asked;
mod warming;
mod worker;

pub use answer::Answer;
pub use batch::{ADDED_MAX, Batch, CALLBACKS_MAX, NewBatch, When};
pub use cadence::{Cadence, Pacer};
pub use clock::{Clock, SystemClock};
pub use control::Stop;
pub use dataset::{DATASET, add_datasets, check_dataset};
pub use document::{batch_document, document, event_document, schedule_document, state_document};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, LISTENERS_MAX, NewEvent};
pub use exec::ExecRunner;
pub use handler::{Declared, Ending, Handler, JobError, MEMORY_BYTES_PRESET, Registry};
pub use job::{
    CHECKPOINT_BYTES_MAX, Claimed, Enqueued, Failure, Job, JobId, KEY_BYTES_MAX, Lease,
    MEMORY_BYTES_MAX, NAME_BYTES_MAX, NewJob, PAYLOAD_BYTES_MAX, PRIORITY_MAX, Progress,
    RESULT_BYTES_MAX, Trying, Wish, check_name,
};
pub use manage::{COUNTED_MAX, LIST_MAX, Listing, QueueState, WorkerState};
pub use membership::KindLimits;
pub use own::{OWN_KINDS, add_own_kinds, check_own, is_own, is_sql};
pub use policy::{BACKOFF_BASE_MS, BACKOFF_MS_MAX, Ended, Verdict, backoff_ms, judge};
pub use prune::{PRUNE, Prune};
pub use queue::{Claim, Queue, Read, Within, Written};
pub use refreshing::{REFRESH, add_refreshing, refreshing_schedule};
pub use rescue::{CRASHES_MAX, LEASE, RENEW_EVERY, RUNNING_MAX, Rescued, Rescuer};
pub use run::Run;
pub use schedule::{FIRED_MAX, NewSchedule, Schedule};
pub use schema::{
    functions_on_postgres, postgres_migrations, sqlite_migrations, tables_on_postgres,
};
pub use sql_job::{SQL_KIND, SqlJob, SqlRunner};
pub use state::{State, Step};
pub use subscribers::{Subscribed, Subscribers};
pub use timetable::{CRON_BYTES_MAX, Timetable};
pub use waits::Why;
pub use warm_asked::{WARM_CHANNELS_MAX, WarmAsked};
pub use warming::{
    Seen, WARM, WARM_BATCH, WARM_PERIOD, WARM_QUEUE, WARMED, WARMED_EVENT, Warming, add_warming,
    warm_key,
};
pub use worker::{CONCURRENCY_MAX, PEAK_BYTES, Peaks, Random, Worker, WorkerOptions, WorkerStats};
