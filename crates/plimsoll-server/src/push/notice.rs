//! A notice that a job completed: another job, enqueued in the transaction that completes it.
//!
//! ```text
//!   Done { effects, result } ─> effects + enqueue http.push ─> one commit: completed, and noticed
//! ```
//!
//! Promises: the notice is there if and only if the job is completed, and once.
//! Never: a payload of the job; it may hold what the receiver is not to see.

use plimsoll_jobs::{Claimed, Ending, Handler, JobError, NewJob, Run, State};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{KIND, declared};

/// Bytes of a result that a notice carries; of a larger one it says that it is left out.
const RESULT_BYTES_MAX: usize = 32 << 10;

/// Where notices go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// To this URL.
    pub url: Box<str>,
    /// The name of the secret that signs them.
    pub secret: Box<str>,
}

#[derive(Serialize)]
struct Payload<'a> {
    url: &'a str,
    secret: &'a str,
    body: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    id: i64,
    kind: &'a str,
    state: &'static str,
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_left_out_bytes: Option<usize>,
}

/// The job that says that another completed: `{"type": "job.completed", "data": {"id", "kind",
/// "state", "result"}}`. Enqueued among that one's last effects, it is one commit with its end.
///
/// ```no_run
/// # use plimsoll_jobs::{Ending, JobError, Run};
/// # use plimsoll_server::push::{Destination, notice};
/// fn work(run: &mut Run<'_>, to: &Destination) -> Result<Ending, JobError> {
///     let result = r#"{"rows": 7}"#;
///     let job = notice(run.job(), Some(result), to)?;
///     let effects = run.queue().enqueue_writes(&job)?;
///     Ok(Ending::Done { effects, result: Some(result.into()) })
/// }
/// ```
///
/// # Errors
/// Hopeless, for a result that is no JSON.
pub fn notice(job: &Claimed, result: Option<&str>, to: &Destination) -> Result<NewJob, JobError> {
    let left_out = result.map(str::len).filter(|bytes| *bytes > RESULT_BYTES_MAX);
    let result = result.filter(|_| left_out.is_none());
    let read = result.map(serde_json::from_str::<&RawValue>).transpose();
    let failed = |e: serde_json::Error| {
        JobError::hopeless(format!("a notice of a job of {}: {e}", job.kind))
    };
    let data = Data {
        id: job.lease.id,
        kind: &job.kind,
        state: State::Completed.name(),
        result: read.map_err(failed)?,
        result_left_out_bytes: left_out,
    };
    let body = Body { r#type: "job.completed", data };
    let payload = Payload { url: &to.url, secret: &to.secret, body };
    let payload = serde_json::to_string(&payload).map_err(failed)?;
    let declared = declared();
    Ok(NewJob {
        queue: declared.queue.into(),
        trying: declared.trying,
        memory_bytes: declared.memory_bytes,
        ..NewJob::new(KIND, payload)
    })
}

/// A handler whose jobs are noticed when they complete.
pub struct Notifying<H> {
    handler: H,
    to: Destination,
}

impl<H: Handler> Notifying<H> {
    /// Does what `handler` does, and tells `to`.
    #[must_use]
    pub fn new(handler: H, to: Destination) -> Self {
        Self { handler, to }
    }
}

impl<H: Handler> Handler for Notifying<H> {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        match self.handler.run(run)? {
            Ending::Done { mut effects, result } => {
                let job = notice(run.job(), result.as_deref(), &self.to)?;
                effects.extend(run.queue().enqueue_writes(&job)?);
                Ok(Ending::Done { effects, result })
            }
            other => Ok(other),
        }
    }
}
