//! The statements that show jobs.
//!
//! Promises: a page has a bound, in rows and in bytes of each.
//! Never: a write.

use plimsoll_store::Own;

macro_rules! shown {
    ($rest:literal) => {
        concat!(
            "select id, kind, queue, priority, state, wish, payload, unique_key, place, token, \
             worker, tries_max, exceptions_max, timeout_ms, deliveries, attempts, exceptions, \
             crashes, memory_bytes, peak_bytes, batch, checkpoints, done, total, unit, result, \
             error, enqueued_at, claimed_at, finished_at from ~jobs ",
            $rest
        )
    };
}

/// The same without payloads and results of more than 1 KiB, so that a page has a bound.
macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "select id, kind, queue, priority, state, wish, \
             case when octet_length(payload) <= 1024 then payload else '' end, unique_key, place, \
             token, worker, tries_max, exceptions_max, timeout_ms, deliveries, attempts, \
             exceptions, crashes, memory_bytes, peak_bytes, batch, checkpoints, done, total, \
             unit, case when octet_length(result) <= 1024 then result end, error, enqueued_at, \
             claimed_at, finished_at from ~jobs ",
            $rest
        )
    };
}

/// One job: id.
pub(crate) static SHOW: Own = Own::new(shown!("where id = $1:int"));

/// Jobs from the newest on: before which id, queue, kind, how many at most.
pub(crate) static LIST: Own = Own::new(listed!(
    "where id < $1:int and ($2:text is null or queue = $2:text) \
     and ($3:text is null or kind = $3:text) order by id desc limit $4:int"
));

/// Those in a state that few are in: the same, and the state.
pub(crate) static LIST_RARE: Own = Own::new(listed!(
    "where state = $5:text and state in ('paused', 'failed', 'cancelled', 'quarantined') \
     and id < $1:int and ($2:text is null or queue = $2:text) \
     and ($3:text is null or kind = $3:text) order by id desc limit $4:int"
));

/// Those that run.
pub(crate) static LIST_RUNNING: Own = Own::new(listed!(
    "where state = 'running' and worker is not null and $5:text is not null and id < $1:int \
     and ($2:text is null or queue = $2:text) and ($3:text is null or kind = $3:text) \
     order by id desc limit $4:int"
));

/// Those in any other state.
pub(crate) static LIST_STATE: Own = Own::new(listed!(
    "where state = $5:text and id < $1:int and ($2:text is null or queue = $2:text) \
     and ($3:text is null or kind = $3:text) order by id desc limit $4:int"
));
