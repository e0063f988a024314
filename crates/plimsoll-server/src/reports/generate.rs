//! The kind `report.generate`: writes one report.
//!
//! ```text
//!   payload, sealed ─> reading, as its maker ─┬─ an index runs in the order   paged
//!                                             ├─ else                         whole
//!                                             └─ sums                         sums
//!   file synced, named, directory synced ─> Done {url, size, digest, expires_at, rows}
//! ```
//!
//! Promises: each claim has its two rows in the audit, as every export has.
//! Never: a result before its file is on the disk under its name.

use std::io;
use std::sync::Arc;

use plimsoll_jobs::{Ending, Handler, JobError, Run, Stop};
use tokio::runtime::{Builder, Runtime};

use super::file::{ReportFile, remove_all};
use super::paged::{Checkpoint, Paging};
use super::{Asked, Outcome, Reports, whole};
use crate::access::RowCount;
use crate::app::Context;
use crate::problem::{Kind, Problem};
use crate::routes::export::titled;
use crate::routes::exports::{Reading, reading};
use crate::routes::stream::{StreamParams, Titled};
use crate::sealed::Sealed;

/// See the module.
pub(super) struct Generate(pub(super) Arc<Reports>);

/// How the writing went.
pub(super) enum Written {
    /// To its end, with so many rows.
    Whole(u64),
    /// It was asked to stop.
    Stopped,
    /// No index runs in the order, and nothing is written.
    Unindexed,
}

/// Trying again helps where the server was the cause.
pub(super) fn failed(problem: &Problem) -> JobError {
    let status = problem.kind().status();
    if status.is_client_error() && status.as_u16() != 429 {
        JobError::hopeless(problem.detail())
    } else {
        JobError::again(problem.detail())
    }
}

/// What the disk did.
pub(super) fn lost(error: &io::Error) -> Problem {
    if error.kind() == io::ErrorKind::StorageFull {
        let why = "the disk is full: no room for the report in the data directory";
        return Problem::new(Kind::DiskFull, why);
    }
    Problem::new(Kind::Internal, format!("writing the file of the report: {}", error.kind()))
}

impl Handler for Generate {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let reports = &self.0;
        let Some(context) = reports.home.context() else { return Ok(Ending::Stopped) };
        let asked = run.payload::<Sealed<Asked>>()?.open(&reports.key).ok_or_else(|| {
            JobError::hopeless("the payload was not made by this server; ask by POST /reports")
        })?;
        let next = reports.sweep(run.queue())?;
        let own = run.queue().now_micros() + reports.keep_micros();
        reports.expire_at(run.queue(), next.unwrap_or(own).min(own))?;
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
        let runtime = runtime.map_err(|e| JobError::again(format!("a runtime: {e}")))?;
        match asked.sums {
            Some(sums) => reports.generate_sums(run, &runtime, &context, (&asked, sums)),
            None => reports.generate(run, &runtime, &context, &asked),
        }
    }
}

impl Reports {
    fn generate(
        &self,
        run: &mut Run<'_>,
        runtime: &Runtime,
        context: &Arc<Context>,
        asked: &Asked,
    ) -> Result<Ending, JobError> {
        let export = asked.export()?;
        let mut reading = reading(context, &export).map_err(|problem| failed(&problem))?;
        let name = reading.served.audit_name().into_owned();
        let audited = reading.context.begin_audit("report", &name, &mut reading.request);
        let audited = runtime.block_on(audited).map_err(|problem| failed(&problem))?;
        let counted = reading.request.extensions.get_or_insert_default::<RowCount>().clone();
        let reading = &reading;
        let query = reading.request.uri.query();
        let params = StreamParams::read(&reading.context, &reading.served, query);
        let params = &params.map_err(|problem| failed(&problem))?;
        let titled = titled(&reading.served, params, export.format);
        let titled = Titled { rows: Some(counted.clone()), ..titled };
        let paged = !reading.served.is_query() && !params.snapshot;
        let (mut file, paging) = self.begin(run, reading, params, &titled)?;
        let written = if paged { paging.write(run, &mut file) } else { Ok(Written::Unindexed) };
        let written = match written {
            Ok(Written::Unindexed) => {
                whole::write(runtime, run, reading, audited, (&mut file, &counted))
            }
            Ok(Written::Whole(rows)) => {
                audited.whole(export.format.media_type(), file.bytes());
                Ok(Written::Whole(rows))
            }
            other => other,
        };
        match written {
            Ok(Written::Whole(rows)) => finish(run, file, rows, asked),
            Ok(_) => {
                if run.stop() == Some(Stop::Cancel) {
                    file.discard();
                }
                Ok(Ending::Stopped)
            }
            Err(error) => Err(error),
        }
    }

    /// The file, from its beginning or from the checkpoint.
    fn begin<'r>(
        &self,
        run: &mut Run<'_>,
        reading: &'r Reading,
        params: &'r StreamParams,
        titled: &'r Titled,
    ) -> Result<(ReportFile, Paging<'r>), JobError> {
        let (directory, lease) = (&self.config.directory, run.job().lease);
        let wrong = |e: io::Error| failed(&lost(&e));
        let checkpoint: Option<Checkpoint> = run.checkpoint()?;
        // Attempts that did not get as far as a checkpoint left theirs.
        let kept = checkpoint.as_ref().map(|at| &*at.file);
        remove_all(directory, lease.id, kept).map_err(wrong)?;
        if let Some(at) = &checkpoint {
            let paging = Paging::new(reading, params, titled, Some(at));
            let paging = paging.map_err(|problem| failed(&problem))?;
            let file = ReportFile::resume(directory, lease, &at.file, at.bytes).map_err(wrong)?;
            if let (Some(paging), Some(file)) = (paging, file) {
                // The old file stays until the checkpoint names the new one.
                paging.save(run, &file)?;
                remove_all(directory, lease.id, Some(file.name())).map_err(wrong)?;
                return Ok((file, paging));
            }
            tracing::warn!(job = lease.id, "a report begins anew: what there was of it is gone");
            remove_all(directory, lease.id, None).map_err(wrong)?;
        }
        let paging = Paging::new(reading, params, titled, None);
        let paging = paging.map_err(|problem| failed(&problem))?;
        let paging = paging.ok_or_else(|| JobError::again("a report without a beginning"))?;
        Ok((ReportFile::create(directory, lease).map_err(wrong)?, paging))
    }
}

/// The file is whole.
pub(super) fn finish(
    run: &Run<'_>,
    file: ReportFile,
    rows: u64,
    asked: &Asked,
) -> Result<Ending, JobError> {
    let (name, size) = (Box::from(file.name()), file.bytes());
    let digest = file.finish().map_err(|e| failed(&lost(&e)))?;
    let keep_micros = asked.keep_seconds.saturating_mul(1_000_000);
    let until = run.queue().now_micros().saturating_add(keep_micros);
    let outcome = Outcome::new(run.job().lease.id, (name, size), digest, rows, until);
    let result = serde_json::to_string(&outcome)
        .map_err(|e| JobError::hopeless(format!("a result as JSON: {e}")))?;
    Ok(Ending::Done { effects: Vec::new(), result: Some(result.into()) })
}
