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
use plimsoll_store::ErrorKind;
use plimsoll_store::import::check;

use super::super::jobs::jobs;
use super::enqueue;
use super::options::Options;
use crate::app::Context;
use crate::intake::{Asked, IMPORT, Intake, Received, receive};
use crate::problem::{Kind, Problem, Result};
use crate::reports::Maker;
use crate::router::RouteLabel;
use crate::served::Served;

/// See the module.
pub(crate) async fn import(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    let options = Options::read(request.uri.query())?;
    take(context, served, label, request, body, (options, false)).await
}

/// Takes a file for a job, which tells of its end where it is asked to.
pub(super) async fn take(
    context: &Arc<Context>,
    served: &Arc<Served>,
    label: &RouteLabel,
    request: &Parts,
    body: Body,
    (options, tells): (Options, bool),
) -> Result<Response<Body>> {
    let jobs = jobs(context)?;
    let received = receive(context, &jobs.intake, &request.headers, body, options.format).await?;
    let Received { upload, format } = received;
    let maker = context.principal.as_deref().map(Maker::of);
    let asked = Asked {
        goes_on: options.goes_on,
        errors_max: options.errors_max,
        on_conflict: options.on_conflict,
        ignore_unknown: options.ignore_unknown,
        dry_run: options.dry_run,
        tells: tells && !options.dry_run,
        ..Asked::plain(&served.resource.name, &upload, format, maker)
    };
    begins_well(&jobs.intake, served, &asked).await?;
    let memory_bytes = asked.memory_bytes();
    enqueue(context, jobs, (label, request), upload, IMPORT, (asked, memory_bytes)).await
}

/// Whether the store could begin with the file.
async fn begins_well(intake: &Arc<Intake>, served: &Arc<Served>, asked: &Asked) -> Result<()> {
    let (intake, served, asked) = (Arc::clone(intake), Arc::clone(served), asked.clone());
    let checking = tokio::task::spawn_blocking(move || fits(&intake, &served, &asked));
    checking.await.map_err(|e| Problem::internal(&e))?
}

/// Looks at the beginning of the file, on a thread that may wait.
pub(super) fn fits(intake: &Intake, served: &Served, asked: &Asked) -> Result<()> {
    let file = File::open(intake.upload_path(&asked.token)).map_err(|e| Problem::internal(&e))?;
    check(&served.resource, Box::new(file), &asked.options()).map_err(|error| match error.kind() {
        ErrorKind::Invalid => Problem::new(Kind::Validation, error.to_string()),
        _ => error.into(),
    })
}
