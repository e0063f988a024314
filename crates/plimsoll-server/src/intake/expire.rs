//! The kind `intake.expire`: away with files that nobody needs any more.
//!
//! ```text
//!   written less than `keep` ago    stays         its job is not over    stays
//!   older, and no job that is not over            goes
//! ```
//!
//! Promises: comes again where a job that is not over keeps a file beyond its time.
//! Never: a file whose name is not one of the intake.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_jobs::{Ending, Handler, JobError, NewJob, Queue, Run};

use super::{BULK, EXPIRE, IMPORT, Intake, QUEUE, files};

/// Jobs that come at about the same time are one.
const AT_ONCE_MICROS: i64 = 60_000_000;

/// See the module.
pub(super) struct Expire(pub(super) Arc<Intake>);

impl Handler for Expire {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        if self.0.sweep(run.queue())? {
            run.queue().enqueue(&self.0.look_again(run.queue()))?.wait()?;
        }
        Ok(Ending::done())
    }
}

impl Intake {
    /// The job that looks when a file of now expires.
    pub(crate) fn look_again(&self, queue: &Queue) -> NewJob {
        let keep = i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX / 2);
        let turn = queue.now_micros().saturating_add(keep).div_euclid(AT_ONCE_MICROS) + 1;
        NewJob {
            queue: QUEUE.into(),
            unique_key: Some(format!("at:{turn}").into()),
            not_before_micros: Some(turn.saturating_mul(AT_ONCE_MICROS)),
            ..NewJob::new(EXPIRE, "{}")
        }
    }

    /// Removes what expired; says whether a job holds on to some of it.
    fn sweep(&self, queue: &Queue) -> Result<bool, JobError> {
        let failed = |e: io::Error| JobError::again(format!("looking at files: {}", e.kind()));
        let mut is_held = false;
        for entry in std::fs::read_dir(&self.config.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some((name, token)) =
                name.to_str().and_then(|name| Some((name, files::token_of(name)?)))
            else {
                continue;
            };
            if !self.is_old(&entry) {
                continue;
            }
            let mut held = false;
            for kind in [IMPORT, BULK] {
                held |= queue.with_key(kind, token).wait()?.is_some();
            }
            if held {
                is_held = true;
                continue;
            }
            files::remove(&self.config.directory, name, &self.space).map_err(failed)?;
        }
        Ok(is_held)
    }

    /// A clock that was set back makes nothing old.
    fn is_old(&self, entry: &std::fs::DirEntry) -> bool {
        let written = entry.metadata().and_then(|m| m.modified());
        let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_some_and(|age| age >= self.config.keep)
    }
}
