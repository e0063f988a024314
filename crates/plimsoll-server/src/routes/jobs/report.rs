//! What a worker that pulls says about a job: it lives, it got so far, it is done, it failed.
//!
//! Promises: each is fenced by the token; the answer to the first two says whether the job is to
//! stop.
//! Never: a word of a worker whose lease is another's by now, or about a job of a kind that
//! Plimsoll does itself.

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll_jobs::{Ended, Job, Lease, OWN_KINDS, Progress, RESULT_BYTES_MAX, Wish, is_own};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::{job_id, json as json_answer, parse, read_body, soon};
use crate::app::Context;
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Heartbeat,
    Checkpoint,
    Complete,
    Fail,
}

/// How far it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Far {
    done: u64,
    total: Option<u64>,
    unit: Option<Box<str>>,
}

impl From<Far> for Progress {
    fn from(Far { done, total, unit }: Far) -> Self {
        Self { done, total, unit }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Heartbeat {
    token: i64,
    progress: Option<Far>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint<'b> {
    token: i64,
    #[serde(borrow)]
    checkpoint: &'b RawValue,
    progress: Option<Far>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Complete<'b> {
    token: i64,
    #[serde(borrow)]
    result: Option<&'b RawValue>,
    peak_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    token: i64,
    message: Option<Box<str>>,
    /// Trying again is of no use.
    #[serde(default)]
    hopeless: bool,
    /// To be tried again after this long; that is no error.
    later_ms: Option<u64>,
    /// It stopped because it was asked to, and is given back; that is no attempt.
    #[serde(default)]
    stopped: bool,
}

/// `POST /jobs/{id}/heartbeat`, `checkpoint`, `complete` or `fail`.
pub(super) async fn report(
    context: &Context,
    jobs: &Jobs,
    report: Report,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let id = job_id(request)?;
    let body = read_body(context, request, body).await?;
    let job = soon(context, jobs.queue.show(id)).await?;
    if context.may_work("*").is_err() {
        context.may_work(&job.queue)?;
    }
    expect_pulled(&job)?;
    let lease = |token| Lease { id, token };
    let bytes = &body.bytes;
    match report {
        Report::Heartbeat => {
            let Heartbeat { token, progress } = parse(bytes)?;
            let told = match progress {
                Some(far) => soon(context, jobs.queue.progress(lease(token), &far.into())).await?,
                None => soon(context, jobs.queue.renew_one(lease(token))).await?,
            };
            Ok(wished(told))
        }
        Report::Checkpoint => {
            let Checkpoint { token, checkpoint, progress } = parse(bytes)?;
            let progress = match progress {
                Some(far) => far.into(),
                None => job.progress,
            };
            let saved =
                jobs.queue.checkpoint(lease(token), Vec::new(), checkpoint.get(), &progress)?;
            Ok(wished(soon(context, saved).await?))
        }
        Report::Complete => {
            let Complete { token, result, peak_bytes } = parse(bytes)?;
            let result = result.map(RawValue::get).filter(|text| *text != "null");
            check_result(result)?;
            let peak = peak_bytes.unwrap_or(0);
            soon(context, jobs.queue.complete(lease(token), Vec::new(), result, peak)).await?;
            Ok(json_answer(&json!({"id": id, "state": "completed"})))
        }
        Report::Fail => fail(context, jobs, id, &parse(bytes)?).await,
    }
}

async fn fail(context: &Context, jobs: &Jobs, id: i64, said: &Fail) -> Result<Response<Body>> {
    let lease = Lease { id, token: said.token };
    if said.stopped {
        let state = soon(context, jobs.queue.hand_back(lease, 0)).await?;
        return Ok(json_answer(&json!({"id": id, "state": state.name()})));
    }
    let ended = match said.later_ms {
        Some(after_ms) => Ended::Later { after_ms },
        None if said.hopeless => Ended::Hopeless,
        None => Ended::Failed,
    };
    let message = said.message.as_deref().unwrap_or("the worker gave no message");
    let random = (jobs.random)();
    let state = soon(context, jobs.queue.fail_attempt(lease, ended, message, random)).await?;
    Ok(json_answer(&json!({"id": id, "state": state.name()})))
}

/// Nobody who pulls is given a job of Plimsoll's own kinds, and its result is believed: it names
/// files. Tokens are numbers that can be guessed.
fn expect_pulled(job: &Job) -> Result<()> {
    if is_own(&job.kind) || OWN_KINDS.contains(&&*job.kind) {
        let why = format!(
            "job {} is of {}, which Plimsoll does itself: no token of it was given to a worker \
             that pulls",
            job.id, job.kind
        );
        return Err(Problem::new(Kind::LeaseLost, why));
    }
    Ok(())
}

fn check_result(result: Option<&str>) -> Result<()> {
    match result {
        Some(text) if text.len() > RESULT_BYTES_MAX => Err(Problem::new(
            Kind::JobInvalid,
            format!(
                "a result of {} bytes: at most {RESULT_BYTES_MAX} are kept, so put it into a file \
                 and name that",
                text.len()
            ),
        )),
        _ => Ok(()),
    }
}

/// What is wished of the job.
fn wished(wish: Option<Wish>) -> Response<Body> {
    let wish = wish.map(|wish| match wish {
        Wish::Pause => "pause",
        Wish::Cancel => "cancel",
    });
    json_answer(&json!({ "wish": wish }))
}
