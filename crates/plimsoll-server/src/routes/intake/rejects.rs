//! `GET /jobs/{id}/rejects`: the rows that an import left out.
//!
//! Promises: as many bytes as the job counts, which never change; parts of them by Range.
//! Never: rows of a job that may still change them; a file that is not the job's own, whatever its
//! result says.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, header};
use plimsoll::format::Format;
use plimsoll_jobs::{Job, State as JobState};

use super::super::export::attachment;
use super::super::jobs::{job, soon};
use super::super::stream::content_type;
use super::super::whole_file::{WholeFile, open, send};
use crate::app::Context;
use crate::intake::{Asked, IMPORT, Outcome, Rejected, State, is_rejects_of};
use crate::jobs::Jobs;
use crate::problem::{Kind, Problem, Result};
use crate::sealed::Sealed;

/// See the module.
pub(in crate::routes) async fn rejects(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
) -> Result<Response<Body>> {
    let job = job(context, jobs, request).await?;
    let rejected = rejected(context, jobs, &job).await?;
    let gone = || {
        let why = format!("the rows that job {} left out are not kept any more", job.id);
        Problem::new(Kind::Gone, why)
    };
    let (file, bytes) = open(jobs.intake.path(&rejected.file)).await?.ok_or_else(gone)?;
    if bytes < rejected.bytes {
        return Err(gone());
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, content_type(Format::Csv));
    let name = format!("import-{}-rejects.csv", job.id);
    headers.insert(header::CONTENT_DISPOSITION, attachment(&name));
    let whole = WholeFile { file, bytes: rejected.bytes, tag: rejected.tag(), headers };
    send(context, request, whole).await
}

async fn rejected(context: &Context, jobs: &Jobs, job: &Job) -> Result<Rejected> {
    let none = |why: &str| Problem::new(Kind::NotFound, format!("job {} {why}", job.id));
    if &*job.kind != IMPORT {
        return Err(none("is no import, and leaves no rows out"));
    }
    if !job.state.is_over() {
        let why = format!(
            "job {} is {}: its rejected rows can be had when it is over; its progress is at \
             /api/v2/jobs/{0}",
            job.id,
            job.state.name()
        );
        let problem = Problem::new(Kind::ReportNotReady, why);
        return Err(problem.with("state", job.state.name()).retry_after(2));
    }
    let rejected = if job.state == JobState::Completed {
        let outcome = job.result.as_deref().and_then(|text| serde_json::from_str(text).ok());
        outcome.and_then(|outcome: Outcome| outcome.rejects)
    } else {
        let text = soon(context, jobs.queue.checkpoint_of(job.id)).await?;
        let state: Option<State> = text.and_then(|text| serde_json::from_str(&text).ok());
        state.and_then(|state| {
            Some(Rejected::new(job.id, &state.rejects?, state.import.rejects_bytes))
        })
    };
    let rejected = rejected
        .ok_or_else(|| none("left no rows out; with on_error=continue wrong ones are kept"))?;
    // What a result or a checkpoint says may be a worker's elsewhere; the payload is the server's.
    let sealed = serde_json::from_str::<Sealed<Asked>>(&job.payload).ok();
    let asked = sealed.and_then(|sealed| jobs.intake.unseal(sealed));
    if asked.is_none_or(|asked| !is_rejects_of(&rejected.file, &asked.token)) {
        return Err(none("names rejected rows that are not its own"));
    }
    Ok(rejected)
}
