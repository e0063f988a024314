//! The queue's statements.
//!
//! Every one that follows a claim names `id`, `token` and `state = 'running'`.
//! On PostgreSQL what is picked is an array: a subquery with a limit and locks may be run again
//! for each row of a join, and then more rows are met than the limit says. Nothing that names a job
//! by its number says what would let PostgreSQL read all of a partial index instead, which it takes
//! for empty and which is long beside an old snapshot: what was locked as ready is not asked for
//! its state again, and the index of running jobs is for those who say `worker is not null`.
//!
//! Promises: each is one step of [`crate::State::after`], and no other; a claim reads an index of
//! ready jobs alone.
//! Never: a value in a text.

pub(crate) mod batches;
pub(crate) mod events;
pub(crate) mod schedules;
mod shown;

use plimsoll_store::Own;

pub(crate) use self::shown::{LIST, LIST_RARE, LIST_RUNNING, LIST_STATE, SHOW};

macro_rules! claim {
    ($limit:literal) => {
        concat!(
            "update ~jobs set state = 'running', token = token + 1, worker = $1:text, beat = 0, \
             wish = null, deliveries = deliveries + 1, claimed_at = $2:int where id \
             {= any(array(select p.id from unnest(string_to_array($7:text, ',')::bigint[]) \
             with ordinality as f(place, n) cross join lateral (select j.id from ~jobs as j \
             where j.state = 'ready' and j.queue = $3:text and j.priority = f.n - 1 \
             and j.place >= f.place and position(',' || j.kind || ',' in $5:text) = 0 \
             and ($6:text is null or position(',' || j.kind || ',' in $6:text) > 0) \
             and not exists (select 1 from ~job_queues as q where q.queue = $3:text \
             and q.paused_at is not null) order by j.place, j.id limit $4:int \
             for update skip locked) as p??in (select id from ~jobs where state = 'ready' \
             and queue = $3:text and place >= (select min(value) from json_each('[' || $7:text \
             || ']')) and instr($5:text, ',' || kind || ',') = 0 \
             and ($6:text is null or instr($6:text, ',' || kind || ',') > 0) \
             and not exists (select 1 from ~job_queues as q where q.queue = $3:text \
             and q.paused_at is not null) order by priority, place, id} ",
            $limit,
            "{)??}) returning id, token, kind, queue, payload, tries_max, \
             exceptions_max, timeout_ms, attempts, exceptions, crashes, memory_bytes, batch, \
             checkpoint, place, priority"
        )
    };
}

/// One job; `$1` to `$13`.
pub(crate) static ENQUEUE: Own = Own::with_gathered(
    "insert into ~jobs (kind, queue, priority, state, payload, unique_key, place, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, batch, enqueued_at) values ($1:text, $2:text, \
     $3:int, $4:text, $5:text, $6:text, $7:int, $8:int, $9:int, $10:int, \
     {greatest??max}($11:int, coalesce((select k.peak_bytes from ~job_kinds as k \
     where k.kind = $1:text), 0)), $12:text, $13:int) \
     on conflict do nothing returning id",
    "insert into ~jobs (kind, queue, priority, state, payload, unique_key, place, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, batch, enqueued_at) select n.kind, n.queue, \
     n.priority, n.state, n.payload, n.unique_key, n.place, n.tries, n.exceptions, n.timeout, \
     greatest(n.memory, coalesce((select k.peak_bytes from ~job_kinds as k \
     where k.kind = n.kind), 0)), n.batch, n.at from unnest($1:list, $2:list, \
     $3:list::bigint[], $4:list, $5:list, $6:list, $7:list::bigint[], $8:list::bigint[], \
     $9:list::bigint[], $10:list::bigint[], $11:list::bigint[], $12:list, $13:list::bigint[]) \
     with ordinality as n(kind, queue, priority, state, payload, unique_key, place, tries, \
     exceptions, timeout, memory, batch, at, nth) order by n.nth on conflict do nothing \
     returning id",
);

/// The job that is not over with a unique key.
pub(crate) static WITH_KEY: Own = Own::new(
    "select id from ~jobs where kind = $1:text and unique_key = $2:text and state in \
     ('scheduled', 'ready', 'running', 'retrying', 'paused')",
);

/// Jobs whose time has come: now, how many at most.
pub(crate) static DUE: Own = Own::new(
    "update ~jobs set state = 'ready' where id {= any(array(??in (}select id from ~jobs \
     where state in ('scheduled', 'retrying') and place <= $1:int order by place limit $2:int \
     {for update skip locked))??)}",
);

/// When the next job that waits for its time is due.
pub(crate) static NEXT_DUE: Own = Own::new(
    "select place from ~jobs where state in ('scheduled', 'retrying') order by place limit 1",
);

/// Takes ready jobs of one queue: worker, now, queue, how many at most, kinds that are left out as
/// `,a,b,`, the kinds to take likewise or null, where each priority begins as `1,2,`.
/// On PostgreSQL each priority is looked at behind the one before, and no more is locked than is
/// taken: a nested loop gives its rows one by one.
pub(crate) static CLAIM: Own = Own::new(claim!("limit $4:int"));

/// Takes jobs of one kind that has limits: the same, with the kind as `$8`. Behind
/// [`LOCK_KIND`], so that two workers do not take what is left for one.
pub(crate) static CLAIM_LIMITED: Own = Own::new(claim!(
    "limit {greatest??max}(0, {least??min}($4:int, \
     coalesce((select {least??min}(coalesce(k.concurrency_max, 1000000) \
     - (select count(*) from ~jobs as r where r.state = 'running' and r.worker is not null \
     and r.kind = k.kind), \
     case when k.rate_ms is null then 1000000 \
     when $2:int - k.rate_from >= k.rate_ms * 1000 then k.rate_count \
     else k.rate_count - k.rate_used end) from ~job_kinds as k where k.kind = $8:text), 0)))"
));

/// Takes jobs of a queue that has a limit: the same, without a kind. Behind [`LOCK_QUEUE`].
pub(crate) static CLAIM_IN_LIMITED: Own = Own::new(claim!(
    "limit {greatest??max}(0, {least??min}($4:int, coalesce((select q.concurrency_max \
     - (select count(*) from ~jobs as r where r.state = 'running' and r.worker is not null \
     and r.queue = q.queue) \
     from ~job_queues as q \
     where q.queue = $3:text), 0)))"
));

/// Holds a kind's limits until the unit's end: kind.
pub(crate) static LOCK_KIND: Own =
    Own::new("select 1 from ~job_kinds where kind = $1:text {for update??}");

/// Holds a queue's limits until the unit's end: queue.
pub(crate) static LOCK_QUEUE: Own =
    Own::new("select 1 from ~job_queues where queue = $1:text {for update??}");

/// The first ready job of each priority: queue, where each begins as `1,2,`.
pub(crate) static FIRST_READY: Own = Own::new(
    "select f.n - 1, (select j.place from ~jobs as j where j.state = 'ready' \
     and j.queue = $1:text and j.priority = f.n - 1 and j.place >= f.place \
     order by j.place, j.id limit 1) from {unnest(string_to_array($2:text, ',')::bigint[]) \
     with ordinality as f(place, n)??(select key + 1 as n, value as place from \
     json_each('[' || $2:text || ']')) as f}",
);

/// The worker lives: worker, the jobs that it holds as `1,2`. Its name is not compared as it is:
/// then its index would be read, which has all that it ever held beside an old snapshot.
pub(crate) static RENEW: Own = Own::new(
    "update ~jobs set beat = beat + 1 where id {= any(string_to_array($2:text, ',')::bigint[])??\
     in (select value from json_each('[' || $2:text || ']'))} and coalesce(worker, '') = $1:text \
     and state = 'running' returning id, token, wish",
);

/// All jobs of a worker: worker, how many at most.
pub(crate) static OF_WORKER: Own = Own::new(
    "select id, token from ~jobs where worker = $1:text and state = 'running' limit $2:int",
);

/// The worker of one job lives: id, token.
pub(crate) static RENEW_ONE: Own = Own::new(
    "update ~jobs set beat = beat + 1 where id = $1:int and token = $2:int and \
     state = 'running' returning wish",
);

/// Effects so far: id, token, checkpoint, done, total, unit.
pub(crate) static CHECKPOINT: Own = Own::new(
    "update ~jobs set checkpoint = $3:text, checkpoints = checkpoints + 1, done = $4:int, \
     total = $5:int, unit = $6:text, beat = beat + 1 where id = $1:int and token = $2:int and \
     state = 'running' returning wish",
);

/// How far it is, without a checkpoint: id, token, done, total, unit.
pub(crate) static PROGRESS: Own = Own::new(
    "update ~jobs set done = $3:int, total = $4:int, unit = $5:text, beat = beat + 1 \
     where id = $1:int and token = $2:int and state = 'running' returning wish",
);

/// Done: id, token, now, result, peak.
pub(crate) static COMPLETE: Own = Own::with_gathered(
    "update ~jobs set state = 'completed', finished_at = $3:int, result = $4:text, \
     worker = null, wish = null, error = null, peak_bytes = {greatest??max}(peak_bytes, \
     $5:int) \
     where id = $1:int and token = $2:int and state = 'running'",
    "update ~jobs as j set state = 'completed', finished_at = d.at, result = d.result, \
     worker = null, wish = null, error = null, peak_bytes = greatest(j.peak_bytes, d.peak) \
     from unnest($1:list::bigint[], $2:list::bigint[], $3:list::bigint[], $4:list, \
     $5:list::bigint[]) as d(id, token, at, result, peak) where j.id = d.id and \
     j.token = d.token and j.state = 'running'",
);

/// Done, many at a time and without a result: ids and tokens as `1,2`, now. Gives those it met.
pub(crate) static COMPLETE_MANY: Own = Own::new(
    "update ~jobs set state = 'completed', finished_at = $3:int, worker = null, wish = null, \
     error = null {from unnest(string_to_array($1:text, ',')::bigint[], \
     string_to_array($2:text, ',')::bigint[]) as d(did, dtoken) \
     where id = did and token = dtoken??\
     where (id, token) in (select i.value, t.value from json_each('[' || $1:text || ']') as i \
     join json_each('[' || $2:text || ']') as t on t.key = i.key)} \
     and state = 'running' returning id",
);

/// Failed: id, token, the state (`retrying` or `failed`), now, its next time, attempts,
/// exceptions, message, peak.
pub(crate) static FAIL: Own = Own::new(
    "update ~jobs set state = case when wish = 'cancel' then 'cancelled' \
     when wish = 'pause' and $3:text = 'retrying' then 'paused' else $3:text end, \
     finished_at = case when wish = 'cancel' or $3:text = 'failed' then $4:int end, \
     place = $5:int, attempts = $6:int, exceptions = $7:int, error = $8:text, worker = null, \
     wish = null, peak_bytes = {greatest??max}(peak_bytes, $9:int) \
     where id = $1:int and token = $2:int and state = 'running' returning state",
);

/// Given back without an attempt: id, token, now, memory it needs from now on.
pub(crate) static HAND_BACK: Own = Own::new(
    "update ~jobs set state = case when wish = 'cancel' then 'cancelled' \
     when wish = 'pause' then 'paused' else 'ready' end, \
     finished_at = case when wish = 'cancel' then $3:int end, worker = null, wish = null, \
     memory_bytes = {greatest??max}(memory_bytes, $4:int) \
     where id = $1:int and token = $2:int and state = 'running' returning state",
);

/// Jobs that run, with what tells whether their worker lives.
pub(crate) static RUNNING: Own = Own::new(
    "select id, token, beat, worker, crashes, memory_bytes from ~jobs where state = 'running' \
     and worker is not null",
);

/// Its worker was not heard of: id, token, beat, now, crashes from which on it is quarantined,
/// message, bytes that a job may be given at most.
pub(crate) static RESCUE: Own = Own::new(
    "update ~jobs set state = case when wish = 'cancel' then 'cancelled' \
     when crashes + 1 >= $5:int then 'quarantined' when wish = 'pause' then 'paused' \
     else 'ready' end, \
     finished_at = case when wish = 'cancel' or crashes + 1 >= $5:int then $4:int end, \
     crashes = crashes + 1, token = token + 1, worker = null, wish = null, error = $6:text, \
     memory_bytes = {least??min}(memory_bytes * 2, {greatest??max}($7:int, memory_bytes)) \
     where id = $1:int and token = $2:int and beat = $3:int and state = 'running' \
     returning state",
);

/// One more failed attempt: id, now, what, message, how many are kept.
pub(crate) static KEEP_ERROR: Own = Own::new(
    "insert into ~job_errors (job, number, at, what, message) \
     select $1:int, coalesce(max(number), 0) + 1, $2:int, $3:text, $4:text \
     from ~job_errors where job = $1:int",
);

/// Forgets the oldest: id, how many are kept.
pub(crate) static FORGET_ERRORS: Own = Own::new(
    "delete from ~job_errors where job = $1:int and number <= \
     (select max(number) from ~job_errors where job = $1:int) - $2:int",
);

/// The failed attempts of a job: id.
pub(crate) static ERRORS: Own =
    Own::new("select at, what, message from ~job_errors where job = $1:int order by number");

/// To stop until it is resumed: id.
pub(crate) static PAUSE: Own = Own::new(
    "update ~jobs set wish = case when state = 'running' then 'pause' end, \
     state = case when state = 'running' then 'running' else 'paused' end \
     where id = $1:int and state in ('scheduled', 'ready', 'retrying', 'running') \
     returning state",
);

/// To go on: id.
pub(crate) static RESUME: Own = Own::new(
    "update ~jobs set state = case when state = 'paused' then 'ready' else state end, \
     wish = case when wish = 'pause' then null else wish end where id = $1:int and \
     (state = 'paused' or (state = 'running' and wish = 'pause')) returning state",
);

/// Not wanted any more: id, now.
pub(crate) static CANCEL: Own = Own::new(
    "update ~jobs set wish = case when state = 'running' then 'cancel' end, \
     finished_at = case when state = 'running' then finished_at else $2:int end, \
     state = case when state = 'running' then 'running' else 'cancelled' end \
     where id = $1:int and state in ('scheduled', 'ready', 'retrying', 'running', 'paused') \
     returning state",
);

/// Wanted again: id, its place.
pub(crate) static RESTART: Own = Own::new(
    "update ~jobs set state = 'ready', attempts = 0, exceptions = 0, crashes = 0, \
     finished_at = null, place = $2:int where id = $1:int and \
     state in ('failed', 'cancelled', 'quarantined') returning state",
);

/// Away with it: id.
pub(crate) static REMOVE: Own = Own::new(
    "delete from ~jobs where id = $1:int and \
     state in ('completed', 'failed', 'cancelled', 'quarantined') returning id",
);

/// Away with those that are over for long: before when, how many at most.
pub(crate) static PRUNE: Own = Own::new(
    "delete from ~jobs where id {= any(array(??in (}select id from ~jobs \
     where finished_at is not null and finished_at < $1:int and state in ('completed', \
     'cancelled') order by finished_at \
     limit $2:int{))??)} returning id",
);

/// And with what they left: ids as `,1,2,` are those of jobs that are there no more.
pub(crate) static PRUNE_ERRORS: Own = Own::new(
    "delete from ~job_errors where job = $1:int and not exists \
     (select 1 from ~jobs where id = $1:int)",
);

/// How many jobs of a queue are ready, up to a bound: queue, bound.
pub(crate) static COUNT_READY: Own = Own::new(
    "select count(*), min(place) from (select place from ~jobs where state = 'ready' and \
     queue = $1:text limit $2:int) as r",
);

/// How many wait for their time, and how many are in a state that few are in, up to a bound.
pub(crate) static COUNT_OTHERS: Own = Own::new(
    "select queue, state, count(*) from (select queue, state from ~jobs where state in \
     ('scheduled', 'retrying') limit $1:int) as d group by queue, state union all \
     select queue, state, count(*) from (select queue, state from ~jobs where state in \
     ('paused', 'failed', 'cancelled', 'quarantined') limit $1:int) as r group by queue, state \
     union all select queue, state, count(*) from ~jobs where state = 'running' \
     and worker is not null \
     group by queue, state",
);

/// The queues that have ready jobs, by hopping over their index.
pub(crate) static QUEUES_READY: Own = Own::new(
    "with recursive q(queue) as (select min(queue) from ~jobs where state = 'ready' union all \
     select (select min(j.queue) from ~jobs as j where j.state = 'ready' and j.queue > \
     q.queue) \
     from q where q.queue is not null) select queue from q where queue is not null",
);

/// What is set of queues.
pub(crate) static QUEUES: Own = Own::new(
    "select queue, paused_at, concurrency_max, restart_at from ~job_queues order by queue",
);

/// Pauses a queue: queue, now.
pub(crate) static PAUSE_QUEUE: Own = Own::new(
    "insert into ~job_queues as q (queue, paused_at) values ($1:text, $2:int) \
     on conflict (queue) do update set paused_at = coalesce(q.paused_at, excluded.paused_at)",
);

/// And lets it go on: queue.
pub(crate) static RESUME_QUEUE: Own =
    Own::new("update ~job_queues set paused_at = null where queue = $1:text");

/// Limits of a queue: queue, jobs at a time.
pub(crate) static LIMIT_QUEUE: Own = Own::new(
    "insert into ~job_queues (queue, concurrency_max) values ($1:text, $2:int) \
     on conflict (queue) do update set concurrency_max = excluded.concurrency_max",
);

/// Workers of a queue end what they do and start anew: queue, now.
pub(crate) static RESTART_QUEUE: Own = Own::new(
    "insert into ~job_queues (queue, restart_at) values ($1:text, $2:int) \
     on conflict (queue) do update set restart_at = excluded.restart_at",
);

/// Limits of a kind: kind, jobs at a time, jobs in a time, that time.
pub(crate) static LIMIT_KIND: Own = Own::new(
    "insert into ~job_kinds (kind, concurrency_max, rate_count, rate_ms) \
     values ($1:text, $2:int, $3:int, $4:int) on conflict (kind) do update set \
     concurrency_max = excluded.concurrency_max, rate_count = excluded.rate_count, \
     rate_ms = excluded.rate_ms",
);

/// Kinds with limits.
pub(crate) static LIMITED_KINDS: Own = Own::new(
    "select kind from ~job_kinds where concurrency_max is not null or rate_ms is not null \
     order by kind",
);

/// Counts the jobs of a kind that this claim let through: kind, now, worker.
pub(crate) static RATE_USED: Own = Own::new(
    "update ~job_kinds set rate_used = case when $2:int - rate_from >= rate_ms * 1000 \
     then 0 else rate_used end + (select count(*) from ~jobs as r where r.worker = $3:text \
     and r.state = 'running' and r.claimed_at = $2:int and r.kind = $1:text), rate_from = \
     case when $2:int - rate_from >= rate_ms * 1000 then $2:int else rate_from end \
     where kind = $1:text and rate_ms is not null",
);

/// What a job of a kind took: kind, peak. What is known sinks by a sixteenth a run.
pub(crate) static LEARN: Own = Own::new(
    "insert into ~job_kinds as k (kind, peak_bytes, runs) values ($1:text, $2:int, 1) \
     on conflict (kind) do update set runs = k.runs + 1, peak_bytes = \
     {greatest??max}(excluded.peak_bytes, k.peak_bytes - k.peak_bytes / 16)",
);

/// A worker is there: worker, now, about it as JSON. Gives what is wished of it.
pub(crate) static SEEN: Own = Own::new(
    "insert into ~job_workers as w (worker, started_at, seen_at, about) \
     values ($1:text, $2:int, $2:int, $3:text) on conflict (worker) do update set \
     seen_at = excluded.seen_at, beat = w.beat + 1, about = excluded.about returning wish",
);

/// And has gone: worker.
pub(crate) static LEAVE: Own = Own::new("delete from ~job_workers where worker = $1:text");

/// Workers that were not heard of since: when.
pub(crate) static FORGET_WORKERS: Own = Own::new(
    "delete from ~job_workers where seen_at < \
$1:int",
);

/// All workers.
pub(crate) static WORKERS: Own = Own::new(
    "select worker, started_at, seen_at, wish, about from ~job_workers order by \
    worker",
);

/// What is wished of a worker: worker, `quiet` or `stop`.
pub(crate) static WISH_WORKER: Own =
    Own::new("update ~job_workers set wish = $2:text where worker = $1:text returning worker");

/// Jobs that are over for long, the first to end first: before when, how many at most.
pub(crate) static OLD: Own = Own::new(
    "select id from ~jobs where finished_at is not null and finished_at < $1:int and state in \
     ('completed', 'cancelled') order by finished_at limit $2:int",
);

/// Away with some of them: ids as `1,2`.
pub(crate) static REMOVE_MANY: Own = Own::new(
    "delete from ~jobs where id {= any(string_to_array($1:text, ',')::bigint[])??\
     in (select value from json_each('[' || $1:text || ']'))} and state in ('completed', \
     'cancelled')",
);

/// And with the errors of those that are gone: the same ids.
pub(crate) static REMOVE_ERRORS: Own = Own::new(
    "delete from ~job_errors where job {= any(string_to_array($1:text, ',')::bigint[])??\
     in (select value from json_each('[' || $1:text || ']'))} and not exists \
     (select 1 from ~jobs as j where j.id = job)",
);

/// How far a queue is used: queue. Since when it is paused, its limit, what runs of it.
pub(crate) static QUEUE_USE: Own = Own::new(
    "select q.paused_at, q.concurrency_max, (select count(*) from ~jobs as r where \
     r.state = 'running' and r.worker is not null and r.queue = q.queue) \
     from ~job_queues as q where q.queue = $1:text",
);

/// How far a kind is used: kind, now. Its limit, what runs of it, and whether its rate is used
/// up.
pub(crate) static KIND_USE: Own = Own::new(
    "select k.concurrency_max, (select count(*) from ~jobs as r where r.state = 'running' and \
     r.worker is not null and r.kind = k.kind), case when k.rate_ms is not null and \
     $2:int - k.rate_from < k.rate_ms * 1000 and k.rate_used >= k.rate_count then 1 else 0 end \
     from ~job_kinds as k where k.kind = $1:text",
);
