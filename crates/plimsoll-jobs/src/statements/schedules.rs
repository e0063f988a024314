//! The statements of schedules.
//!
//! Promises: what moves a schedule names the time and the line that it was read with, so that of
//! two who read the same one moves it.
//! Never: a job that is enqueued in another transaction than the one that moves its schedule.

use plimsoll_store::Own;

/// Sets one: name, line, zone, kind, queue, priority, payload, tries, exceptions, timeout, memory,
/// whether jobs may overlap, its next time. One that is there and keeps its line keeps its next
/// time, too, and stays paused, unless it was stopped by an error.
pub(crate) static SET: Own = Own::new(
    "insert into ~schedules as s (name, cron, zone, kind, queue, priority, payload, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, may_overlap, next_at) values ($1:text, $2:text, \
     $3:text, $4:text, $5:text, $6:int, $7:text, $8:int, $9:int, $10:int, $11:int, $12:int, \
     $13:int) on conflict (name) do update set cron = excluded.cron, zone = excluded.zone, \
     kind = excluded.kind, queue = excluded.queue, priority = excluded.priority, \
     payload = excluded.payload, tries_max = excluded.tries_max, \
     exceptions_max = excluded.exceptions_max, timeout_ms = excluded.timeout_ms, \
     memory_bytes = excluded.memory_bytes, may_overlap = excluded.may_overlap, \
     next_at = case when s.cron = excluded.cron and s.zone = excluded.zone \
     and s.error is null then s.next_at else excluded.next_at end, \
     paused_at = case when s.error is null then s.paused_at end, error = null returning next_at",
);

/// What is due: now, how many at most.
pub(crate) static DUE: Own = Own::new(
    "select name, cron, zone, next_at from ~schedules where paused_at is null \
     and next_at <= $1:int order by next_at, name limit $2:int",
);

/// On to its next time: name, the time and the line and the zone it was read with, the next time,
/// now.
pub(crate) static MOVE: Own = Own::new(
    "update ~schedules set next_at = $5:int, last_at = $6:int where name = $1:text \
     and next_at = $2:int and cron = $3:text and zone = $4:text and paused_at is null",
);

/// The key of a schedule's job: without overlaps the same for all, so that there is one at a time.
macro_rules! key {
    () => {
        "'schedule:' || s.name || case when s.may_overlap = 1 then ':' || $2:int else '' end"
    };
}

/// Enqueues the job of a schedule that was moved: name, the time that was due, now.
pub(crate) static FIRE: Own = Own::new(concat!(
    "insert into ~jobs (kind, queue, priority, state, payload, unique_key, place, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, enqueued_at) select s.kind, s.queue, s.priority, \
     'ready', s.payload, ",
    key!(),
    ", $3:int, s.tries_max, s.exceptions_max, s.timeout_ms, {greatest??max}(s.memory_bytes, \
     coalesce((select k.peak_bytes from ~job_kinds as k where k.kind = s.kind), 0)), $3:int \
     from ~schedules as s where s.name = $1:text on conflict do nothing"
));

/// Notes which job that is, and whether it was there before: name, the time that was due.
pub(crate) static NOTE: Own = Own::new(concat!(
    "update ~schedules set skipped = skipped + case when last_job = f.id then 1 else 0 end, \
     last_job = f.id from (select j.id from ~schedules as s join ~jobs as j on j.kind = s.kind \
     and j.unique_key = ",
    key!(),
    " where s.name = $1:text and j.state in ('scheduled', 'ready', 'running', 'retrying', \
     'paused')) as f where name = $1:text"
));

/// Stops one whose line cannot be followed any more: name, the time and line it was read with,
/// now, why.
pub(crate) static STOP: Own = Own::new(
    "update ~schedules set paused_at = $4:int, error = $5:text where name = $1:text \
     and next_at = $2:int and cron = $3:text and paused_at is null",
);

/// Pauses one: name, now.
pub(crate) static PAUSE: Own = Own::new(
    "update ~schedules set paused_at = coalesce(paused_at, $2:int) where name = $1:text \
     returning name",
);

/// And lets it go on: name, the line and the zone it was read with, its next time.
pub(crate) static RESUME: Own = Own::new(
    "update ~schedules set paused_at = null, error = null, next_at = $4:int \
     where name = $1:text and cron = $2:text and zone = $3:text and paused_at is not null \
     returning name",
);

/// Away with it: name.
pub(crate) static REMOVE: Own =
    Own::new("delete from ~schedules where name = $1:text returning name");

macro_rules! shown {
    ($payload:literal, $rest:literal) => {
        concat!(
            "select name, cron, zone, kind, queue, priority, ",
            $payload,
            ", tries_max, exceptions_max, timeout_ms, memory_bytes, may_overlap, paused_at, \
             next_at, last_at, last_job, skipped, error from ~schedules ",
            $rest
        )
    };
}

/// One: name.
pub(crate) static SHOW: Own = Own::new(shown!("payload", "where name = $1:text"));

/// By their names, without payloads of more than 1 KiB: behind which, how many at most.
pub(crate) static LIST: Own = Own::new(shown!(
    "case when octet_length(payload) <= 1024 then payload else '' end",
    "where name > $1:text order by name limit $2:int"
));
