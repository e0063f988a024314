//! `POST /jobs/{id}/resume` with a file: a corrected one for an import that a wrong row stopped.
//!
//! ```text
//!   old file  ──────── the same bytes ────────│x ───────
//!   new file  ────────────────────────────────│──────────────     from the checkpoint on
//!                                    checkpoint┘
//! ```
//!
//! Promises: what was taken in already is compared byte by byte, so that the rows behind it are
//! taken in once and no other; the job is the same one. It writes as whoever sent the first file,
//! who alone corrects it, while they may still write.
//! Never: a file that is replaced while its job could complete with another.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll::format::{Format, Source};
use plimsoll_jobs::{Job, JobId, Queue};
use plimsoll_store::import::Checkpoint;

use super::super::jobs::{job, soon};
use super::import::fits;
use super::{accepted, is_own, takes_file};
use crate::app::Context;
use crate::intake::{Asked, Correcting, Intake, State, UNPACKED_BYTES_MAX, Upload, receive};
use crate::jobs::Jobs;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::sealed::Sealed;
use crate::served::Served;

/// Bytes that are compared at a time, of each file.
const COMPARED_BYTES: usize = 64 << 10;

/// See the module.
pub(in crate::routes) async fn corrected(
    context: &Arc<Context>,
    jobs: &Jobs,
    request: &Parts,
    body: Body,
) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let job = job(context, jobs, request).await?;
    let asked = stopped(jobs, &job)?;
    may_correct(context, &job, &asked)?;
    let Some(served) = context.tables.whole(&asked.resource) else {
        return Err(Problem::new(Kind::NotFound, "the resource is not served any more"));
    };
    let format = Format::from_name(&asked.format);
    let received = receive(context, &jobs.intake, &request.headers, body, format).await?;
    let correction = Correction {
        intake: Arc::clone(&jobs.intake),
        queue: jobs.queue.clone(),
        served: Arc::clone(served),
        id: job.id,
        asked,
        upload: received.upload,
    };
    // It stays for as long as the first one did.
    soon(context, jobs.queue.enqueue(&jobs.intake.look_again(&jobs.queue))?).await?;
    // Whoever goes meanwhile leaves nothing half done.
    let correcting = tokio::task::spawn_blocking(move || correction.make());
    correcting.await.map_err(|e| Problem::internal(&e))??;
    let job = soon(context, jobs.queue.show(job.id)).await?;
    accepted(context, jobs, &job).await
}

/// A file that is to take the place of another.
struct Correction {
    intake: Arc<Intake>,
    queue: Queue,
    served: Arc<Served>,
    id: JobId,
    asked: Asked,
    upload: Upload,
}

impl Correction {
    /// Compares, replaces and lets the job go on, alone with it: the upload may have taken hours,
    /// and what was seen of the job before it tells nothing.
    fn make(self) -> Result<()> {
        let Some(_alone) = Correcting::begin(&self.intake, &self.asked.token) else {
            let why = format!("another corrected file of job {} is looked at just now", self.id);
            return Err(Problem::new(Kind::Conflict, why));
        };
        self.still_failed()?;
        let text = self.queue.checkpoint_of(self.id).wait()?;
        let state = text.map(|text| serde_json::from_str::<State>(&text)).transpose();
        let at = state.map_err(|e| Problem::internal(&e))?.unwrap_or_default().import;
        self.same_until(&at)?;
        if at.record == 0 {
            let token = self.upload.token().into();
            fits(&self.intake, &self.served, &Asked { token, ..self.asked.clone() })?;
        }
        // Whoever resumed it without a file did so while long ones were compared.
        self.still_failed()?;
        let Self { intake, queue, id, asked, upload, .. } = self;
        upload.replace(&intake, &asked.token).map_err(|e| Problem::internal(&e))?;
        queue.restart(id)?;
        Ok(())
    }

    fn still_failed(&self) -> Result<()> {
        let job = self.queue.show(self.id).wait()?;
        if takes_file(&job) {
            return Ok(());
        }
        let (id, state) = (self.id, job.state.name());
        let why = format!("job {id} is {state} by now, and takes no corrected file");
        Err(Problem::new(Kind::Conflict, why).with("state", state))
    }

    /// Whether what was taken in already stands in both.
    fn same_until(&self, at: &Checkpoint) -> Result<()> {
        let unreadable =
            |e: io::Error| Problem::new(Kind::InvalidRequest, format!("the file: {e}"));
        let old = match File::open(self.intake.upload_path(&self.asked.token)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = "the file before it is not kept any more: import what is left of it anew";
                return Err(Problem::new(Kind::Gone, why));
            }
            Err(error) => return Err(unreadable(error)),
        };
        let new = File::open(self.intake.upload_path(self.upload.token())).map_err(unreadable)?;
        let Some(byte) = differs(old, new, at.byte_offset).map_err(unreadable)? else {
            return Ok(());
        };
        let why = format!(
            "the file differs at byte {byte} from the one before it, and {} rows up to line {} \
             (byte {}) are taken in already: change what stands behind that, and nothing in front \
             of it",
            at.rows,
            at.line.saturating_sub(1),
            at.byte_offset
        );
        Err(Problem::new(Kind::Conflict, why).with("byte", byte))
    }
}

/// What an import was asked, that failed.
fn stopped(jobs: &Jobs, job: &Job) -> Result<Asked> {
    let sealed: Option<Sealed<Asked>> = serde_json::from_str(&job.payload).ok();
    let asked = sealed.and_then(|sealed| jobs.intake.unseal(sealed));
    asked.ok_or_else(|| {
        let why = format!("job {} was not made by this server, and takes no file here", job.id);
        Problem::new(Kind::Conflict, why)
    })
}

/// A job writes as whoever sent its file: nobody else puts rows into it, whatever they may do with
/// jobs.
fn may_correct(context: &Context, job: &Job, asked: &Asked) -> Result<()> {
    if !is_own(context, job) {
        let why = format!(
            "whoever sent the file of job {} alone corrects it; import a file of your own",
            job.id
        );
        return Err(Problem::new(Kind::Forbidden, why));
    }
    context.may_write(&asked.resource)
}

/// The plain bytes of a file.
struct Plain(Source);

impl Read for Plain {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(io::Error::other)
    }
}

/// The first of so many plain bytes in which two files differ, or which one of them has not.
fn differs(old: File, new: File, bytes: u64) -> io::Result<Option<u64>> {
    let plain = |file: File| {
        let source = Source::open(Box::new(file), Some(UNPACKED_BYTES_MAX));
        let source = source.map_err(io::Error::other)?;
        io::Result::Ok(BufReader::with_capacity(COMPARED_BYTES, Plain(source)).take(bytes))
    };
    let (mut old, mut new) = (plain(old)?, plain(new)?);
    let mut at = 0;
    loop {
        let (one, other) = (old.fill_buf()?, new.fill_buf()?);
        let length = one.len().min(other.len());
        if let Some(differs) = one.iter().zip(other).position(|(a, b)| a != b) {
            return Ok(Some(at + differs as u64));
        }
        if length == 0 {
            return Ok((at < bytes).then_some(at));
        }
        old.consume(length);
        new.consume(length);
        at += length as u64;
    }
}
