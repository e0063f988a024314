//! Jobs that events have, whoever tells them: those of people who subscribed.
//!
//! ```text
//!   unit { effects, event, its listeners, a job for each subscription } ─> commit
//! ```
//!
//! Promises: one job for each event and subscription, in the event's own transaction.
//! Never: a payload larger than that of a job.

use plimsoll::record::Value;
use plimsoll_store::Write;

use crate::error::{Error, Result};
use crate::event::{LISTENERS_MAX, NewEvent};
use crate::job::{KEY_BYTES_MAX, NewJob, PAYLOAD_BYTES_MAX};
use crate::queue::{Queue, int, own, text};
use crate::statements::events as sql;

/// Digits of an event's number, twice, and of the rest of a unique key.
const NUMBERS_BYTES: usize = 64;

/// Who wants to know of events.
pub trait Subscribers: Send + Sync {
    /// The jobs of an event, [`LISTENERS_MAX`] at most.
    fn subscribed(&self, event: &NewEvent, at_micros: i64) -> Vec<Subscribed>;
}

/// A job of one subscription for one event.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The subscription's name: with the event's number it is the job's unique key.
    pub name: Box<str>,
    /// Kind, queue and how it is tried; its payload is not looked at.
    pub job: NewJob,
    /// The payload around the event's number, which stands in it twice.
    pub around: [Box<str>; 3],
}

impl Queue {
    /// Enqueues the jobs of these for every event that is told by this queue and its clones.
    #[must_use]
    pub fn with_subscribers(mut self, subscribers: std::sync::Arc<dyn Subscribers>) -> Self {
        self.subscribers = Some(subscribers);
        self
    }

    /// The statements that enqueue them, behind that of the event.
    pub(crate) fn subscribed_writes(&self, event: &NewEvent, now: i64) -> Result<Vec<Write>> {
        let Some(subscribers) = &self.subscribers else { return Ok(Vec::new()) };
        let all = subscribers.subscribed(event, now);
        if all.len() > LISTENERS_MAX {
            let text = format!("{} has more than {LISTENERS_MAX} subscriptions", event.name);
            return Err(Error::invalid(text));
        }
        all.iter().map(|one| write(event, one, now)).collect()
    }
}

fn write(event: &NewEvent, one: &Subscribed, now: i64) -> Result<Write> {
    let Subscribed { name, job, around } = one;
    let payload_bytes = around.iter().map(|part| part.len()).sum::<usize>() + NUMBERS_BYTES;
    if payload_bytes > PAYLOAD_BYTES_MAX || name.len() + NUMBERS_BYTES > KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the subscription {name} makes a job of {payload_bytes} bytes of the event {}: at \
             most {PAYLOAD_BYTES_MAX}",
            event.name
        )));
    }
    job.check()?;
    let mut params = vec![text(&job.kind), text(&job.queue), int(job.priority), Value::Int(now)];
    params.extend([int(job.trying.tries_max), int(job.trying.exceptions_max)]);
    params.extend([int(job.trying.timeout_ms), int(job.memory_bytes), text(name)]);
    params.extend(around.iter().map(|part| text(part)));
    Ok(own(&sql::SUBSCRIBED, params))
}
