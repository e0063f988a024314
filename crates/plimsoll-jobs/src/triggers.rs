//! What the database itself does when a job of a batch ends.
//!
//! ```text
//!   jobs     inserted                  ─> batch: total + 1, pending + 1
//!            over, restarted, removed  ─> batch: pending, completed, failed, cancelled
//!   batch    its first failure         ─> its `catch` jobs
//!            sealed and nothing pending ─> its `then` jobs where all completed, its `finally` jobs
//! ```
//!
//! A job that stands for a callback has the unique key `batch:what:number`, and the batch notes
//! that it fired: `finished_at` is set once.
//!
//! Promises: in the transaction that ends the job, whichever statement that is; each callback once.
//! Never: a callback in a batch, which would then never be over.

macro_rules! over {
    ($row:literal) => {
        concat!($row, ".state in ('completed', 'failed', 'cancelled', 'quarantined')")
    };
}

/// In SQLite's words.
pub(crate) const SQLITE: &str = concat!(
    "
create trigger plimsoll_jobs_added after insert on plimsoll_jobs when new.batch is not null
begin
  update plimsoll_job_batches set total = total + 1, pending = pending + 1
  where batch = new.batch;
end;

create trigger plimsoll_jobs_ended after update of state on plimsoll_jobs
when new.batch is not null and new.state <> old.state and (",
    over!("new"),
    " or ",
    over!("old"),
    ")
begin
  update plimsoll_job_batches set
    pending = pending - (",
    over!("new"),
    ") + (",
    over!("old"),
    "),
    completed = completed + (new.state = 'completed') - (old.state = 'completed'),
    failed = failed + (new.state in ('failed', 'quarantined'))
      - (old.state in ('failed', 'quarantined')),
    cancelled = cancelled + (new.state = 'cancelled') - (old.state = 'cancelled'),
    failure = coalesce(failure,
      case when new.state in ('failed', 'quarantined') then new.id end)
  where batch = new.batch;
end;

create trigger plimsoll_batches_turn after update of pending, failed, sealed
on plimsoll_job_batches
when new.finished_at is null
  and ((new.failed > 0 and new.caught = 0) or (new.sealed = 1 and new.pending = 0))
begin
  insert into plimsoll_jobs (kind, queue, priority, state, payload, unique_key, place, tries_max,
    exceptions_max, timeout_ms, memory_bytes, enqueued_at)
  select c.value ->> 'kind', c.value ->> 'queue', c.value ->> 'priority', 'ready',
    json_set(c.value ->> 'payload', '$.batch', new.batch),
    new.batch || ':' || (c.value ->> 'what') || ':' || c.key,
    cast(unixepoch('subsec') * 1000000 as integer), c.value ->> 'tries_max',
    c.value ->> 'exceptions_max', c.value ->> 'timeout_ms', c.value ->> 'memory_bytes',
    cast(unixepoch('subsec') * 1000000 as integer)
  from json_each(new.callbacks) as c
  where (c.value ->> 'what' = 'catch' and new.failed > 0 and new.caught = 0)
    or (new.sealed = 1 and new.pending = 0 and (c.value ->> 'what' = 'finally'
      or (c.value ->> 'what' = 'then' and new.failed = 0 and new.cancelled = 0)))
  on conflict do nothing;
  update plimsoll_job_batches set
    caught = case when new.failed > 0 then 1 else caught end,
    finished_at = case when new.sealed = 1 and new.pending = 0
      then cast(unixepoch('subsec') * 1000000 as integer) end
  where batch = new.batch;
end;
"
);

/// In PostgreSQL's words.
pub(crate) const POSTGRES: &str = "
create function plimsoll.job_is_over(state text) returns boolean language sql immutable as
'select state in (''completed'', ''failed'', ''cancelled'', ''quarantined'')';

create function plimsoll.job_added() returns trigger language plpgsql as '
begin
  update plimsoll.job_batches set total = total + 1, pending = pending + 1
  where batch = new.batch;
  return null;
end';
create trigger jobs_added after insert on plimsoll.jobs for each row
when (new.batch is not null) execute function plimsoll.job_added();

create function plimsoll.job_ended() returns trigger language plpgsql as '
begin
  update plimsoll.job_batches set
    pending = pending - plimsoll.job_is_over(new.state)::int
      + plimsoll.job_is_over(old.state)::int,
    completed = completed + (new.state = ''completed'')::int - (old.state = ''completed'')::int,
    failed = failed + (new.state in (''failed'', ''quarantined''))::int
      - (old.state in (''failed'', ''quarantined''))::int,
    cancelled = cancelled + (new.state = ''cancelled'')::int - (old.state = ''cancelled'')::int,
    failure = coalesce(failure,
      case when new.state in (''failed'', ''quarantined'') then new.id end)
  where batch = new.batch;
  return null;
end';
create trigger jobs_ended after update of state on plimsoll.jobs for each row
when (new.batch is not null and new.state <> old.state
  and (plimsoll.job_is_over(new.state) or plimsoll.job_is_over(old.state)))
execute function plimsoll.job_ended();

create function plimsoll.batch_turn() returns trigger language plpgsql as '
declare
  is_over boolean := new.sealed = 1 and new.pending = 0;
  now_micros bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
begin
  insert into plimsoll.jobs (kind, queue, priority, state, payload, unique_key, place, tries_max,
    exceptions_max, timeout_ms, memory_bytes, enqueued_at)
  select c.value ->> ''kind'', c.value ->> ''queue'', (c.value ->> ''priority'')::bigint, ''ready'',
    ((c.value ->> ''payload'')::jsonb || jsonb_build_object(''batch'', new.batch))::text,
    new.batch || '':'' || (c.value ->> ''what'') || '':'' || (c.place - 1), now_micros,
    (c.value ->> ''tries_max'')::bigint, (c.value ->> ''exceptions_max'')::bigint,
    (c.value ->> ''timeout_ms'')::bigint, (c.value ->> ''memory_bytes'')::bigint, now_micros
  from jsonb_array_elements(new.callbacks::jsonb) with ordinality as c(value, place)
  where (c.value ->> ''what'' = ''catch'' and new.failed > 0 and new.caught = 0)
    or (is_over and (c.value ->> ''what'' = ''finally''
      or (c.value ->> ''what'' = ''then'' and new.failed = 0 and new.cancelled = 0)))
  on conflict do nothing;
  update plimsoll.job_batches set
    caught = case when new.failed > 0 then 1 else caught end,
    finished_at = case when is_over then now_micros end
  where batch = new.batch;
  return null;
end';
create trigger batches_turn after update of pending, failed, sealed on plimsoll.job_batches
for each row
when (new.finished_at is null
  and ((new.failed > 0 and new.caught = 0) or (new.sealed = 1 and new.pending = 0)))
execute function plimsoll.batch_turn();
";
