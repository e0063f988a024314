//! The statements of events.
//!
//! Promises: the numbers of events are in the order of their commits.
//! Never: an event without its topic.

use plimsoll_store::Own;

/// Tells an event: topic, name, payload, now. Those who tell do so one after another, so that the
/// numbers are those of the commits, and who reads behind a number misses none.
pub(crate) static TELL: Own = Own::new(
    "insert into ~events (topic, name, payload, at) select $1:text, $2:text, $3:text, $4:int \
     {from (select pg_advisory_xact_lock(7160262)) as held??}",
);

/// A job for a listener of the event that this transaction told last: kind, queue, priority, now,
/// tries, exceptions, timeout, memory.
pub(crate) static LISTEN: Own = Own::new(
    "insert into ~jobs (kind, queue, priority, state, payload, unique_key, place, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, enqueued_at) \
     select $1:text, $2:text, $3:int, 'ready', {json_build_object??json_object}('event', e.id, \
     'name', e.name, 'payload', {e.payload::json??json(e.payload)}){::text??}, \
     'event:' || e.id, $4:int, $5:int, $6:int, $7:int, $8:int, $4:int from ~events as e \
     where e.id = {currval('plimsoll.events_id_seq')??(select max(l.id) from ~events as l)} \
     on conflict do nothing",
);

/// A job for a subscription to it: kind, queue, priority, now, tries, exceptions, timeout, memory,
/// the subscription's name, and the payload around the event's number.
pub(crate) static SUBSCRIBED: Own = Own::new(
    "insert into ~jobs (kind, queue, priority, state, payload, unique_key, place, tries_max, \
     exceptions_max, timeout_ms, memory_bytes, enqueued_at) \
     select $1:text, $2:text, $3:int, 'ready', $10:text || e.id || $11:text || e.id || $12:text, \
     'event:' || e.id || ':' || $9:text, $4:int, $5:int, $6:int, $7:int, $8:int, $4:int \
     from ~events as e \
     where e.id = {currval('plimsoll.events_id_seq')??(select max(l.id) from ~events as l)} \
     on conflict do nothing",
);

macro_rules! events {
    ($rest:literal) => {
        concat!("select id, topic, name, payload, at from ~events ", $rest)
    };
}

/// Events behind a number: number, how many at most.
pub(crate) static EVENTS: Own = Own::new(events!("where id > $1:int order by id limit $2:int"));

/// Those of a topic: the same, and the topic.
pub(crate) static EVENTS_OF_TOPIC: Own =
    Own::new(events!("where topic = $3:text and id > $1:int order by id limit $2:int"));

/// The number of the last event.
pub(crate) static LAST_EVENT: Own = Own::new("select max(id) from ~events");

/// Away with events from before a time: when, how many at most.
pub(crate) static PRUNE_EVENTS: Own = Own::new(
    "delete from ~events where id in (select id from ~events where at < $1:int \
     order by id limit $2:int)",
);
