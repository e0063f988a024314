//! The statements of batches.
//!
//! Promises: what is counted is left to the triggers.
//! Never: a callback; those are the triggers' too.

use plimsoll_store::Own;

/// Begins a batch: batch, name, callbacks as JSON, now.
pub(crate) static BEGIN_BATCH: Own = Own::new(
    "insert into ~job_batches (batch, name, callbacks, created_at) \
     values ($1:text, $2:text, $3:text, $4:int) on conflict do nothing",
);

/// Holds a batch that takes jobs: batch.
pub(crate) static OPEN_BATCH: Own = Own::new(
    "update ~job_batches set name = name where batch = $1:text and finished_at is null \
     and cancelled_at is null",
);

/// Holds one that takes jobs from outside: batch.
pub(crate) static TAKE_MORE: Own = Own::new(
    "update ~job_batches set name = name where batch = $1:text and sealed = 0 \
     and finished_at is null and cancelled_at is null",
);

/// No more jobs: batch.
pub(crate) static SEAL_BATCH: Own =
    Own::new("update ~job_batches set sealed = 1 where batch = $1:text");

/// Cancels a batch: batch, now.
pub(crate) static CANCEL_BATCH: Own = Own::new(
    "update ~job_batches set cancelled_at = coalesce(cancelled_at, $2:int), sealed = 1 \
     where batch = $1:text and finished_at is null",
);

/// And its jobs: batch, now.
pub(crate) static CANCEL_OF_BATCH: Own = Own::new(
    "update ~jobs set wish = case when state = 'running' then 'cancel' end, \
     finished_at = case when state = 'running' then finished_at else $2:int end, \
     state = case when state = 'running' then 'running' else 'cancelled' end \
     where batch = $1:text and state in ('scheduled', 'ready', 'retrying', 'running', 'paused')",
);

macro_rules! batches {
    ($rest:literal) => {
        concat!(
            "select batch, name, sealed, total, pending, completed, failed, cancelled, failure, \
             created_at, cancelled_at, finished_at from ~job_batches ",
            $rest
        )
    };
}

/// One batch: batch.
pub(crate) static SHOW_BATCH: Own = Own::new(batches!("where batch = $1:text"));

/// The one that began last.
pub(crate) static LATEST_BATCH: Own =
    Own::new(batches!("order by created_at desc, batch desc limit 1"));

/// Those that began last: how many at most.
pub(crate) static BATCHES: Own =
    Own::new(batches!("order by created_at desc, batch desc limit $1:int"));

/// Counts what is pending anew.
pub(crate) static RECONCILE: Own = Own::new(
    "update ~job_batches set pending = (select count(*) from ~jobs as j \
     where j.batch = ~job_batches.batch and \
     j.state in ('scheduled', 'ready', 'running', 'retrying', 'paused')) \
     where finished_at is null and pending <> (select count(*) from ~jobs as j \
     where j.batch = ~job_batches.batch and \
     j.state in ('scheduled', 'ready', 'running', 'retrying', 'paused'))",
);
