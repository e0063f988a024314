//! Why a job does not run.
//!
//! ```text
//!   paused, scheduled, retrying ─> the state says it
//!   ready ─> queue paused? kind at its limit? queue at its limit? nobody knows the kind? its turn
//!   running ─> its worker says that it waits for memory
//! ```
//!
//! Promises: one reason, the first that would have to go away; it says what helps.
//! Never: a guess about what a worker does beyond what it told.

use plimsoll_store::nearest;

use crate::error::Result;
use crate::job::{Fields, Job};
use crate::manage::WorkerState;
use crate::queue::{Queue, text};
use crate::state::State;
use crate::statements as sql;

/// A worker that was not heard of for so long does not count.
const HEARD_MICROS: i64 = 60_000_000;

/// Why a job does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// `time`, `paused`, `queue-paused`, `kind-limit`, `queue-limit`, `worker`, `memory` or
    /// `turn`.
    pub code: &'static str,
    /// A sentence.
    pub detail: String,
}

fn why(code: &'static str, detail: impl Into<String>) -> Option<Why> {
    Some(Why { code, detail: detail.into() })
}

/// What a worker says about itself.
struct About {
    queues: Vec<Box<str>>,
    kinds: Option<Vec<Box<str>>>,
    wait_for_memory: Vec<i64>,
}

fn about(worker: &WorkerState) -> About {
    let told: serde_json::Value = serde_json::from_str(&worker.about).unwrap_or_default();
    let names = |member: &str| {
        let list = told.get(member)?.as_array()?;
        Some(list.iter().filter_map(|name| Some(name.as_str()?.into())).collect())
    };
    let waiting = told.get("wait_for_memory").and_then(|list| list.as_array());
    About {
        queues: names("queues").unwrap_or_default(),
        kinds: names("kinds"),
        wait_for_memory: waiting.into_iter().flatten().filter_map(|id| id.as_i64()).collect(),
    }
}

impl Queue {
    /// Why a job does not run; `None` where it does, or is over.
    ///
    /// # Errors
    /// What the store gives.
    pub async fn why(&self, job: &Job) -> Result<Option<Why>> {
        match job.state {
            State::Scheduled => Ok(why("time", "it waits for the time it was asked for")),
            State::Retrying => {
                Ok(why("time", "an attempt failed; it waits for the time of the next"))
            }
            State::Paused => Ok(why("paused", "it is paused until it is resumed")),
            State::Running => self.why_held(job).await,
            State::Ready => self.why_ready(job).await,
            _ => Ok(None),
        }
    }

    async fn why_held(&self, job: &Job) -> Result<Option<Why>> {
        let workers = self.workers().await?;
        let mut its = workers.iter().filter(|one| Some(&one.worker) == job.worker.as_ref());
        let waits = its.any(|one| about(one).wait_for_memory.contains(&job.id));
        let text = || {
            format!(
                "its worker has claimed it, and it waits for {} bytes of the memory that jobs \
                 have together",
                job.memory_bytes
            )
        };
        Ok(waits.then(text).and_then(|text| why("memory", text)))
    }

    async fn why_ready(&self, job: &Job) -> Result<Option<Why>> {
        let rows = self.read(&sql::QUEUE_USE, vec![text(&job.queue)], 1, Ok).await?;
        let mut queue_limit = None;
        if let Some(row) = rows.into_iter().next() {
            let mut fields = Fields::of(row);
            if fields.int_or_null()?.is_some() {
                let text = format!("the queue {} is paused until it is resumed", job.queue);
                return Ok(why("queue-paused", text));
            }
            let (most, running) = (fields.int_or_null()?, fields.int()?);
            queue_limit = most.filter(|most| running >= *most);
        }
        let params = vec![text(&job.kind), plimsoll::record::Value::Int(self.now_micros())];
        if let Some(row) = self.read(&sql::KIND_USE, params, 1, Ok).await?.into_iter().next() {
            let mut fields = Fields::of(row);
            let (most, running, rate) = (fields.int_or_null()?, fields.int()?, fields.int()?);
            if most.is_some_and(|most| running >= most) {
                let text = format!("{running} jobs of {} run, as many as may", job.kind);
                return Ok(why("kind-limit", text));
            }
            if rate > 0 {
                let text = format!("as many jobs of {} began lately as may in that time", job.kind);
                return Ok(why("kind-limit", text));
            }
        }
        if let Some(most) = queue_limit {
            let text = format!("{most} jobs of the queue {} run, as many as may", job.queue);
            return Ok(why("queue-limit", text));
        }
        Ok(nobody(job, &self.workers().await?, self.now_micros())
            .or_else(|| why("turn", "it is ready, and waits for a worker that has room")))
    }
}

/// No worker takes it, if that is so.
fn nobody(job: &Job, workers: &[WorkerState], now_micros: i64) -> Option<Why> {
    let heard = |one: &&WorkerState| {
        one.wish.is_none() && now_micros.saturating_sub(one.seen_micros) < HEARD_MICROS
    };
    let workers: Vec<About> = workers.iter().filter(heard).map(about).collect();
    let knows = |one: &&About| one.kinds.as_ref().is_none_or(|kinds| kinds.contains(&job.kind));
    let takes = |one: &&About| one.queues.contains(&job.queue);
    if workers.iter().any(|one| knows(&one) && takes(&one)) {
        return None;
    }
    if workers.iter().any(|one| knows(&one)) {
        let queues = workers.iter().flat_map(|one| &one.queues).map(|name| &**name);
        let near = meant(nearest(&job.queue, queues));
        let text = format!("no worker that was heard of takes the queue {}{near}", job.queue);
        return why("worker", text);
    }
    let kinds = workers.iter().flat_map(|one| one.kinds.iter().flatten()).map(|name| &**name);
    let near = meant(nearest(&job.kind, kinds));
    why("worker", format!("no worker that was heard of knows the kind {}{near}", job.kind))
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}
