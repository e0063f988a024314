//! What has happened, told in the transaction in which it happened.
//!
//! ```text
//!   unit { effects, event, a job for each listener } ─> commit ─┬─> events, read by their numbers
//!                                                               └─> listeners, as durable jobs
//! ```
//!
//! Promises: an event is there if and only if what it tells has happened; a listener's job has the
//! event's number, which is the same however often it is delivered.
//! Never: a listener that is called inside the transaction.

use plimsoll::record::Value;
use plimsoll_store::{Priority, Write};

use crate::error::{Error, Result};
use crate::job::{Fields, NAME_BYTES_MAX, NewJob, PAYLOAD_BYTES_MAX, check_name};
use crate::manage::LIST_MAX;
use crate::queue::{Queue, Read, int, own, text};
use crate::statements::events as sql;

/// Listeners of an event at most.
pub const LISTENERS_MAX: usize = 32;

/// An event to tell.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What it is about, e.g. `orders`.
    pub topic: Box<str>,
    /// What happened, e.g. `OrdersSynced`.
    pub name: Box<str>,
    /// JSON, an object.
    pub payload: Box<str>,
}

/// An event as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; later ones have larger numbers.
    pub id: i64,
    /// What it is about.
    pub topic: Box<str>,
    /// What happened.
    pub name: Box<str>,
    /// JSON.
    pub payload: Box<str>,
    /// When, microseconds UTC.
    pub at_micros: i64,
}

impl Queue {
    /// The statements that tell an event and enqueue its listeners, to stand in the unit of what
    /// happened. A listener's payload is replaced by
    /// `{"event": number, "name": .., "payload": ..}`. Those who subscribed are among them, see
    /// [`Queue::with_subscribers`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for what is no name, no object, or too large.
    pub fn event_writes(&self, event: &NewEvent, listeners: &[NewJob]) -> Result<Vec<Write>> {
        check_name("topic", &event.topic)?;
        check_name("event", &event.name)?;
        let bound = PAYLOAD_BYTES_MAX - 4 * NAME_BYTES_MAX;
        let is_object = event.payload.trim_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(&event.payload).is_ok();
        if event.payload.len() > bound || !is_object || event.payload.contains("\\u0000") {
            return Err(Error::invalid(format!(
                "the payload of the event {} is no JSON object of {bound} bytes at most",
                event.name
            )));
        }
        if listeners.len() > LISTENERS_MAX {
            let text = format!("{} has more than {LISTENERS_MAX} listeners", event.name);
            return Err(Error::invalid(text));
        }
        let now = self.now_micros();
        let told =
            vec![text(&event.topic), text(&event.name), text(&event.payload), Value::Int(now)];
        let mut writes = vec![own(&sql::TELL, told)];
        for listener in listeners {
            listener.check()?;
            writes.push(own(
                &sql::LISTEN,
                vec![
                    text(&listener.kind),
                    text(&listener.queue),
                    int(listener.priority),
                    Value::Int(now),
                    int(listener.trying.tries_max),
                    int(listener.trying.exceptions_max),
                    int(listener.trying.timeout_ms),
                    int(listener.memory_bytes),
                ],
            ));
        }
        writes.extend(self.subscribed_writes(event, now)?);
        Ok(writes)
    }

    /// Tells an event by itself.
    ///
    /// # Errors
    /// Those of [`Queue::event_writes`], and what the store gives.
    pub fn tell(&self, event: &NewEvent, listeners: &[NewJob]) -> Result<()> {
        let writes = self.event_writes(event, listeners)?;
        self.write(writes, Priority::Normal, |_| Ok(())).wait()?;
        self.bell.ring();
        Ok(())
    }

    /// Events behind a number, the oldest first; of one topic, or of all.
    pub fn events(&self, topic: Option<&str>, behind: i64, rows_max: u32) -> Read<Vec<Event>> {
        let rows_max = rows_max.min(LIST_MAX);
        let mut params = vec![Value::Int(behind), int(rows_max)];
        let statement = match topic {
            Some(topic) => {
                params.push(text(topic));
                &sql::EVENTS_OF_TOPIC
            }
            None => &sql::EVENTS,
        };
        self.read(statement, params, rows_max as usize, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                Ok(Event {
                    id: fields.int()?,
                    topic: fields.text()?,
                    name: fields.text()?,
                    payload: fields.text()?,
                    at_micros: fields.int()?,
                })
            });
            each.collect()
        })
    }

    /// The number of the last event; 0 where there is none.
    pub fn last_event(&self) -> Read<i64> {
        self.read(&sql::LAST_EVENT, Vec::new(), 1, |rows| {
            let row = rows.into_iter().next().unwrap_or_default();
            Ok(Fields::of(row).int_or_null()?.unwrap_or_default())
        })
    }

    /// Removes events from before a time; gives how many.
    ///
    /// # Errors
    /// What the store gives.
    pub fn prune_events(&self, before_micros: i64, rows_max: u32) -> Result<u64> {
        let params = vec![Value::Int(before_micros), int(rows_max)];
        let write = own(&sql::PRUNE_EVENTS, params);
        self.write(vec![write], Priority::Bulk, |outcome| {
            Ok(outcome.rows.first().copied().unwrap_or_default())
        })
        .wait()
    }
}
