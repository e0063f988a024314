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
use plimsoll_jobs::Job;

use super::super::jobs::{blocking, job, soon};
use super::import::begins_well;
use super::{accepted, is_own};
use crate::app::Context;
use crate::intake::{Asked, Received, State, UNPACKED_BYTES_MAX, receive};
use crate::jobs::Jobs;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::sealed::Sealed;

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
    let text = soon(context, jobs.queue.checkpoint_of(job.id)).await?;
    let state = text.map(|text| serde_json::from_str::<State>(&text)).transpose();
    let at = state.map_err(|e| Problem::internal(&e))?.unwrap_or_default().import;
    let format = Format::from_name(&asked.format);
    let received = receive(context, &jobs.intake, &request.headers, body, format).await?;
    let Received { upload, .. } = received;
    let (old, new) =
        (jobs.intake.upload_path(&asked.token), jobs.intake.upload_path(upload.token()));
    let comparing = tokio::task::spawn_blocking(move || {
        let old = match File::open(old) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Same::Gone),
            Err(error) => return Err(error),
        };
        compare(old, File::open(new)?, at.byte_offset)
    });
    let same = comparing.await.map_err(|e| Problem::internal(&e))?;
    match same.map_err(|e| Problem::new(Kind::InvalidRequest, format!("the file: {e}")))? {
        Same::Bytes => {}
        Same::Gone => {
            let why = "the file before it is not kept any more: import what is left of it anew";
            return Err(Problem::new(Kind::Gone, why));
        }
        Same::Until(byte) => {
            let why = format!(
                "the file differs at byte {byte} from the one before it, and {} rows up to line {} \
                 (byte {}) are taken in already: change what stands behind that, and nothing in \
                 front of it",
                at.rows,
                at.line.saturating_sub(1),
                at.byte_offset
            );
            return Err(Problem::new(Kind::Conflict, why).with("byte", byte));
        }
    }
    if at.record == 0 {
        let Some(served) = context.tables.whole(&asked.resource) else {
            return Err(Problem::new(Kind::NotFound, "the resource is not served any more"));
        };
        let token = upload.token().into();
        begins_well(&jobs.intake, served, &Asked { token, ..asked.clone() }).await?;
    }
    let (intake, token) = (Arc::clone(&jobs.intake), asked.token.clone());
    let replacing = tokio::task::spawn_blocking(move || upload.replace(&intake, &token));
    let replaced = replacing.await.map_err(|e| Problem::internal(&e))?;
    replaced.map_err(|e| Problem::internal(&e))?;
    let id = job.id;
    blocking(context, jobs, move |queue| queue.restart(id)).await?;
    let job = soon(context, jobs.queue.show(id)).await?;
    accepted(context, jobs, &job).await
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

/// How far two files are the same.
enum Same {
    /// All that is asked.
    Bytes,
    /// Up to this one.
    Until(u64),
    /// One is not there.
    Gone,
}

/// The plain bytes of a file.
struct Plain(Source);

impl Read for Plain {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(io::Error::other)
    }
}

/// Compares the first plain bytes of two files.
fn compare(old: File, new: File, bytes: u64) -> io::Result<Same> {
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
            return Ok(Same::Until(at + differs as u64));
        }
        if length == 0 {
            return Ok(if at == bytes { Same::Bytes } else { Same::Until(at) });
        }
        old.consume(length);
        new.consume(length);
        at += length as u64;
    }
}
