//! `POST /{resource}/import`: a file into a resource.
//!
//! Promises: 202 comes when the file is on the disk and its job is committed; a file whose
//! beginning fits no row of the resource is refused, and nothing of it stays.
//! Never: somebody else's rows by way of a job: it writes as whoever sent the file.

use std::fs::File;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll_jobs::NewJob;
use plimsoll_store::ErrorKind;
use plimsoll_store::import::check;

use super::super::jobs::{jobs, soon};
use super::accepted;
use super::options::Options;
use crate::app::Context;
use crate::intake::{Asked, IMPORT, Intake, Received, receive};
use crate::problem::{Kind, Problem, Result};
use crate::reports::Maker;
use crate::served::Served;

/// See the module.
pub(crate) async fn import(
    context: &Arc<Context>,
    served: &Arc<Served>,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let jobs = jobs(context)?;
    let options = Options::read(request.uri.query())?;
    let received = receive(context, &jobs.intake, &request.headers, body, options.format).await?;
    let Received { upload, format } = received;
    let asked = Asked {
        resource: served.resource.name.clone(),
        token: upload.token().into(),
        format: format.name().into(),
        goes_on: options.goes_on,
        errors_max: options.errors_max,
        on_conflict: options.on_conflict,
        ignore_unknown: options.ignore_unknown,
        dry_run: options.dry_run,
        maker: context.principal.as_deref().map(Maker::of),
    };
    begins_well(&jobs.intake, served, &asked).await?;
    let memory_bytes = asked.memory_bytes();
    if let Some(most) = jobs.memory_bytes_max.filter(|most| memory_bytes > *most) {
        let why = format!(
            "an import holds {memory_bytes} bytes and jobs have {most} together: give the server \
             more with memory.limit, or use `plimsoll import` at the shell"
        );
        return Err(Problem::new(Kind::TooLarge, why).with("bytes_max", most));
    }
    let payload = serde_json::to_string(&jobs.intake.seal(asked));
    let payload = payload.map_err(|e| Problem::internal(&e))?;
    let job = NewJob {
        unique_key: Some(upload.token().into()),
        memory_bytes,
        ..jobs.registry.job(IMPORT, payload)?
    };
    soon(context, jobs.queue.enqueue(&jobs.intake.look_again(&jobs.queue))?).await?;
    let made = soon(context, jobs.queue.enqueue(&job)?).await?;
    upload.leave();
    let job = soon(context, jobs.queue.show(made.id)).await?;
    accepted(context, jobs, &job).await
}

/// Whether the store could begin with the file.
pub(super) async fn begins_well(
    intake: &Arc<Intake>,
    served: &Arc<Served>,
    asked: &Asked,
) -> Result<()> {
    let (path, served) = (intake.upload_path(&asked.token), Arc::clone(served));
    let options = asked.options();
    let checking = tokio::task::spawn_blocking(move || {
        let file = File::open(path).map_err(|e| Problem::internal(&e))?;
        check(&served.resource, Box::new(file), &options).map_err(|error| match error.kind() {
            ErrorKind::Invalid => Problem::new(Kind::Validation, error.to_string()),
            _ => error.into(),
        })
    });
    checking.await.map_err(|e| Problem::internal(&e))?
}
