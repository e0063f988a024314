//! The kind `report.expire`: away with the files that nobody may have any more.
//!
//! ```text
//!   job not over          stays         over, and not its result's file   goes
//!   over, not expired     stays         no such job, and old              goes
//! ```
//!
//! Promises: comes again when the next one expires.
//! Never: a file removed that is being written, or one whose name is not a report's.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use plimsoll_jobs::{Ending, ErrorKind, Handler, JobError, NewJob, Queue, Run};

use super::file::{job_of, remove};
use super::{EXPIRE, Outcome, QUEUE, Reports};

/// Jobs that come at about the same time are one.
const AT_ONCE_MICROS: i64 = 60_000_000;

/// See the module.
pub(super) struct Expire(pub(super) Arc<Reports>);

impl Handler for Expire {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        if let Some(next) = self.0.sweep(run.queue())? {
            self.0.expire_at(run.queue(), next)?;
        }
        Ok(Ending::done())
    }
}

impl Reports {
    /// Enqueues the next look.
    pub(super) fn expire_at(&self, queue: &Queue, micros: i64) -> Result<(), JobError> {
        let turn = micros.div_euclid(AT_ONCE_MICROS) + 1;
        let job = NewJob {
            queue: QUEUE.into(),
            unique_key: Some(format!("at:{turn}").into()),
            not_before_micros: Some(turn * AT_ONCE_MICROS),
            ..NewJob::new(EXPIRE, "{}")
        };
        queue.enqueue(&job)?.wait()?;
        Ok(())
    }

    /// Looks at all files; gives when the next one expires.
    pub(super) fn sweep(&self, queue: &Queue) -> Result<Option<i64>, JobError> {
        let failed = |e: io::Error| JobError::again(format!("looking at the reports: {e}"));
        let mut next: Option<i64> = None;
        for entry in std::fs::read_dir(&self.config.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let Some((name, id)) = name.to_str().and_then(|name| Some((name, job_of(name)?)))
            else {
                continue;
            };
            let until = match queue.show(id).wait() {
                Ok(job) if !job.state.is_over() => queue.now_micros() + self.keep_micros(),
                Ok(job) => Outcome::of(&job)
                    .filter(|outcome| &*outcome.file == name)
                    .map_or(0, |outcome| outcome.expires_micros()),
                Err(error) if error.kind() == ErrorKind::NotFound => self.orphaned(&entry),
                Err(error) => return Err(error.into()),
            };
            if until > queue.now_micros() {
                next = Some(next.map_or(until, |next| next.min(until)));
            } else {
                let name = name.strip_suffix(".partial").unwrap_or(name);
                remove(&self.config.directory, name).map_err(failed)?;
            }
        }
        Ok(next)
    }

    /// As long as a report is kept, in the unit of the clock.
    pub(super) fn keep_micros(&self) -> i64 {
        i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX / 2)
    }

    /// Until when a file stays whose job is not there: it may be that of another database.
    fn orphaned(&self, entry: &std::fs::DirEntry) -> i64 {
        let written = entry.metadata().and_then(|m| m.modified());
        let written = written.unwrap_or(SystemTime::UNIX_EPOCH);
        let since = written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(since.as_micros()).unwrap_or(0);
        since.saturating_add(self.keep_micros())
    }
}
