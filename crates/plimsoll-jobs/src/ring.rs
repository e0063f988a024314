//! What PostgreSQL tells of jobs that are ready, and to whom.
//!
//! ```text
//!   worker    nothing found for 2 s ─> a row in job_idle for each of its queues ─> waits
//!   commit    a job is ready, and its queue has such a row ─> NOTIFY plimsoll_jobs, the queue
//!   worker    told ─> claims ─> its rows go ─> looks by itself, as long as there is work
//! ```
//!
//! A NOTIFY takes a lock at the commit that all commits with one share, and queues them behind each
//! other's flush: so nothing is told of a queue where all who work at it look anyway. A worker
//! comes and goes from `job_idle` once in two seconds at most. Whoever enqueued before a row was
//! there and commits behind it tells nothing: for that a worker goes on looking for half a second,
//! and once a second whatever is told.
//!
//! Promises: one word for each queue and transaction, however many jobs became ready; whichever
//! statement made them so.
//! Never: a word about a queue at which nobody waits.

use std::sync::Arc;

use plimsoll::record::Value;
use plimsoll_store::{Listener, Own, Priority};

use crate::error::Result;
use crate::queue::{Queue, own, text};

/// Under which it is told.
const CHANNEL: &str = "plimsoll_jobs";
/// Rows of workers that are gone stay so long.
const GONE_MICROS: i64 = 60_000_000;

/// What makes the table, and the triggers that tell.
pub(crate) const POSTGRES: &str = r"
create table plimsoll.job_idle (
  queue text not null,
  worker text not null,
  at bigint not null,
  primary key (queue, worker)
);

create function plimsoll.job_rung() returns trigger language plpgsql as $body$
begin
  if exists (select from plimsoll.job_idle as i where i.queue = new.queue) then
    perform pg_catalog.pg_notify('plimsoll_jobs', new.queue);
  end if;
  return null;
end
$body$;

create trigger jobs_came after insert on plimsoll.jobs for each row
when (new.state = 'ready') execute function plimsoll.job_rung();
create trigger jobs_ready_again after update of state on plimsoll.jobs for each row
when (new.state = 'ready' and old.state <> 'ready') execute function plimsoll.job_rung();
";

/// A worker waits at these queues: worker, queues as `a,b`, now.
static WAITS: Own = Own::new(
    "insert into ~job_idle (queue, worker, at) \
     select q, $1:text, $3:int from unnest(string_to_array($2:text, ',')) as q \
     on conflict do nothing",
);

/// And does no more: worker.
static LOOKS: Own = Own::new("delete from ~job_idle where worker = $1:text");

/// Those that are gone do not either: of before when.
static FORGET: Own = Own::new(
    "delete from ~job_idle as i where at < $1:int and not exists \
     (select 1 from ~job_workers as w where w.worker = i.worker)",
);

impl Queue {
    /// Has this process told of jobs that others make ready, where the database tells. Asked once.
    pub(crate) fn listen(&self) {
        self.bell.ask_once(|| {
            let bell = Arc::clone(&self.bell) as Arc<dyn Listener>;
            self.store().listen(CHANNEL, bell).unwrap_or_else(|error| {
                tracing::warn!(%error, "nobody listens; jobs are looked for instead");
                false
            })
        });
    }

    /// A worker waits to be told.
    pub(crate) fn waits_to_be_told(&self, worker: &str, queues: &[Box<str>]) -> Result<()> {
        let names = Value::Text(queues.join(",").into());
        let write = own(&WAITS, vec![text(worker), names, Value::Int(self.now_micros())]);
        self.write(vec![write], Priority::Normal, |_| Ok(())).wait()
    }

    /// A worker looks by itself again.
    pub(crate) fn looks_by_itself(&self, worker: &str) -> Result<()> {
        self.write(vec![own(&LOOKS, vec![text(worker)])], Priority::Normal, |_| Ok(())).wait()
    }

    /// Workers that are gone wait no more. Nothing where nobody is told.
    pub(crate) fn forget_who_waits(&self) -> Result<()> {
        if !self.bell.is_told_at_all() {
            return Ok(());
        }
        let before = self.now_micros().saturating_sub(GONE_MICROS);
        let write = own(&FORGET, vec![Value::Int(before)]);
        self.write(vec![write], Priority::Bulk, |_| Ok(())).wait()
    }
}
