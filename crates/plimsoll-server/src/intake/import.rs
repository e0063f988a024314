//! The kind `import`: takes the rows of a file in.
//!
//! ```text
//!   payload, sealed ─> as its maker ─> import::go_on ─> { rows, checkpoint, fenced } ─> commit
//!                                          │ a wrong row      a kill: cut back to there
//!                                          ├─ goes on: TOKEN-LEASE.rejects
//!                                          └─ stops: failed, until a corrected file is sent
//! ```
//!
//! Promises: rows and checkpoint are one transaction under the lease, so that a row is there once
//! whenever the job is killed and whoever thinks to have it; what ends the job comes behind the
//! last row.
//! Never: the file read by whoever has not its job.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::error::excerpt;
use plimsoll_jobs::{Ending, Handler, JobError, Progress, Run};
use plimsoll_store::import::{Checkpoint, Import as StoreImport, ImportOptions, Keep, go_on};
use plimsoll_store::{ErrorKind, Priority, Store, Write, WriteUnit};
use serde::{Deserialize, Serialize};

use super::{Asked, Intake, Outcome, files, is_rejects_of, told};
use crate::app::Context;
use crate::sealed::Sealed;

/// See the module.
pub(super) struct Import(pub(super) Arc<Intake>);

/// The checkpoint of the job.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct State {
    pub(crate) import: Checkpoint,
    /// The file of rejected rows that this counts.
    pub(crate) rejects: Option<Box<str>>,
}

/// Keeps the store's checkpoints in the row of the job.
struct Row<'r, 'q> {
    run: &'r Run<'q>,
    rejects: Option<Box<str>>,
    /// Of the file, where they are those of the rows.
    bytes: Option<u64>,
    advice: String,
    /// Why a checkpoint could not be written.
    refused: RefCell<Option<JobError>>,
}

impl Row<'_, '_> {
    fn progress(&self, at: u64) -> Progress {
        let total = self.bytes.map(|bytes| bytes.max(at));
        Progress { done: at, total, unit: Some("bytes".into()) }
    }

    fn failed(&self, error: plimsoll_store::Error) -> JobError {
        self.refused.take().unwrap_or_else(|| failed(error))
    }
}

impl Keep for Row<'_, '_> {
    fn write(&self, checkpoint: &Checkpoint) -> plimsoll_store::Result<Write> {
        let state = State { import: *checkpoint, rejects: self.rejects.clone() };
        let text = serde_json::to_string(&state).map_err(|e| {
            plimsoll_store::Error::invalid(format!("writing a checkpoint as JSON: {e}"))
        })?;
        let write = self.run.checkpoint_write(&text, &self.progress(checkpoint.byte_offset));
        write.map_err(|error| {
            let told = plimsoll_store::Error::invalid(error.to_string());
            *self.refused.borrow_mut() = Some(error);
            told
        })
    }

    fn advice(&self) -> &str {
        &self.advice
    }
}

impl Handler for Import {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let intake = &self.0;
        let Some(context) = intake.home.context() else { return Ok(Ending::Stopped) };
        let asked = run.payload::<Sealed<Asked>>()?.open(&intake.key).ok_or_else(|| {
            JobError::hopeless("the payload was not made by this server; POST to /import of it")
        })?;
        let state: State = run.checkpoint()?.unwrap_or_default();
        if !state.import.done {
            return intake.import(run, &context, &asked, state);
        }
        // It was over, but for saying so.
        intake.over(run, &context, &asked, &state)
    }
}

impl Intake {
    fn import(
        &self,
        run: &Run<'_>,
        context: &Context,
        asked: &Asked,
        state: State,
    ) -> Result<Ending, JobError> {
        let lost = |e: io::Error| JobError::again(format!("the files of the import: {}", e.kind()));
        let store = written_by(context, asked)?;
        let resource = Arc::clone(store.catalogue().table(&asked.resource)?);
        let input = File::open(self.upload_path(&asked.token)).map_err(|e| {
            if e.kind() != io::ErrorKind::NotFound {
                return lost(e);
            }
            JobError::hopeless("the file is not there any more: send it again by a new import")
        })?;
        let counted = state.rejects.as_deref().map(|file| (file, state.import.rejects_bytes));
        if let Some((file, _)) = counted.filter(|(file, _)| !is_rejects_of(file, &asked.token)) {
            let (id, file) = (run.job().lease.id, excerpt(file));
            return Err(JobError::hopeless(format!(
                "the checkpoint of job {id} names rejected rows '{file}' that are not its own: \
                 import the file anew"
            )));
        }
        let begin = || {
            let (directory, token) = (&self.config.directory, &asked.token);
            files::begin_rejects(directory, token, run.job().lease.token, counted)
        };
        let rejects = asked.goes_on.then(begin).transpose().map_err(lost)?;
        let path = rejects.as_deref().map(|name| self.path(name));
        let keep = Row {
            run,
            rejects: rejects.clone(),
            bytes: plain_bytes(&input).map_err(lost)?,
            advice: format!(
                "send the corrected file by POST to /api/v2/jobs/{}/resume, or import with \
                 on_error=continue",
                run.job().lease.id
            ),
            refused: RefCell::default(),
        };
        let import = StoreImport {
            resource,
            input: Box::new(input),
            options: ImportOptions { rejects: path, ..asked.options() },
            identity: None,
            now_micros: run.queue().now_micros(),
        };
        let mut progress = |at: &plimsoll_store::import::Progress| {
            // A trial keeps no checkpoint that would tell how far it is.
            if asked.dry_run && self.tell(run, &keep.progress(at.bytes)).is_err() {
                return ControlFlow::Break(());
            }
            if run.stop().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match go_on(&store, import, &keep, state.import, &mut progress) {
            Ok(summary) if summary.total.done => {
                if asked.dry_run {
                    // Nothing of a trial stayed, nor that it is over: the file goes behind that.
                    let kept = keep.write(&summary.total).map_err(|e| keep.failed(e))?;
                    let unit = WriteUnit::of(kept, run.queue().now_micros());
                    store.write(unit, Priority::Bulk).wait().map_err(failed)?;
                }
                let state = State { import: summary.total, rejects };
                self.over(run, context, asked, &state)
            }
            Ok(_) => Ok(Ending::Stopped),
            Err(error) => Err(keep.failed(error)),
        }
    }

    fn tell(&self, run: &Run<'_>, progress: &Progress) -> plimsoll_jobs::Result<()> {
        run.queue().progress(run.job().lease, progress).wait().map(drop)
    }

    /// All rows are in: the file goes, and the job completes.
    fn over(
        &self,
        run: &Run<'_>,
        context: &Context,
        asked: &Asked,
        state: &State,
    ) -> Result<Ending, JobError> {
        self.discard(&asked.token);
        let id = run.job().lease.id;
        let Checkpoint { rows, rejected, .. } = state.import;
        let outcome = Outcome::new(id, &state.import, asked.dry_run, state.rejects.as_deref());
        let result = serde_json::to_string(&outcome)
            .map_err(|e| JobError::hopeless(format!("a result as JSON: {e}")))?;
        let resource = context.store.catalogue().table(&asked.resource)?;
        let mut effects = Vec::new();
        if let (Some(sync), Some(jobs), true) = (&resource.sync, &context.jobs, asked.tells) {
            let payload = serde_json::json!({"rows": rows, "rejected": rejected, "job": id});
            effects = told(run.queue(), &jobs.registry, sync, &payload)?;
        }
        Ok(Ending::Done { effects, result: Some(result.into()) })
    }
}

/// The store, asked as whoever sent the file.
pub(super) fn written_by(context: &Context, asked: &Asked) -> Result<Store, JobError> {
    let Some(maker) = &asked.maker else { return Ok(context.store.clone()) };
    Ok(match maker.principal()?.identity() {
        Some(identity) => context.store.acting_as(identity)?,
        None => context.store.clone(),
    })
}

/// How many bytes the rows of a file have, where that is known: not where it is compressed.
pub(super) fn plain_bytes(file: &File) -> io::Result<Option<u64>> {
    use std::os::unix::fs::FileExt as _;
    let mut begins = [0; 4];
    let read = file.read_at(&mut begins, 0)?;
    let packed = begins[..read].starts_with(&[0x1f, 0x8b]) || begins == [0x28, 0xb5, 0x2f, 0xfd];
    Ok(if packed { None } else { Some(file.metadata()?.len()) })
}

/// Trying again helps where the store was the cause, and not the file.
pub(super) fn failed(error: plimsoll_store::Error) -> JobError {
    match error.kind() {
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::TooLarge
        | ErrorKind::Denied
        | ErrorKind::ReadOnly => JobError::hopeless(error.to_string()),
        _ => error.into(),
    }
}
