//! The kind `intake.expire`: away with files that nobody needs any more.
//!
//! ```text
//!   written less than `keep` ago    stays         its job is not over    stays
//!   older, and no job that is not over            goes
//! ```
//!
//! Promises: comes again as long as any file of the intake stays, and when a server starts that
//! finds some: also what a kill left of one that was received goes.
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

    /// Looks again for what an earlier server left. On a thread of its own: it waits for the
    /// database, and starting does not.
    pub(crate) fn look_at_start(self: &Arc<Self>, queue: &Queue) {
        let (intake, queue) = (Arc::clone(self), queue.clone());
        let look = move || {
            let there = files::names(&intake.config.directory).map(|names| !names.is_empty());
            let looked = match there {
                Ok(false) => return,
                Ok(true) => queue.enqueue(&intake.look_again(&queue)).and_then(|look| look.wait()),
                Err(error) => {
                    tracing::warn!(%error, "reading the directory of files that were sent");
                    return;
                }
            };
            if let Err(error) = looked {
                // The next file that is sent has a look of its own.
                tracing::warn!(%error, "enqueueing a look at files that an earlier server left");
            }
        };
        let thread = std::thread::Builder::new()
            .name("intake-look".to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
            .spawn(look);
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread that looks at files that an earlier server left");
        }
    }

    /// Removes what expired; says whether some of it stays.
    fn sweep(&self, queue: &Queue) -> Result<bool, JobError> {
        let failed = |e: io::Error| JobError::again(format!("looking at files: {}", e.kind()));
        let mut stays = false;
        for name in files::names(&self.config.directory).map_err(failed)? {
            let Some(token) = files::token_of(&name) else { continue };
            let mut is_needed = !self.is_old(&name);
            for kind in [IMPORT, BULK] {
                is_needed = is_needed || queue.with_key(kind, token).wait()?.is_some();
            }
            stays |= is_needed;
            if !is_needed {
                files::remove(&self.config.directory, &name, &self.space).map_err(failed)?;
            }
        }
        Ok(stays)
    }

    /// A clock that was set back makes nothing old.
    fn is_old(&self, name: &str) -> bool {
        let written = std::fs::symlink_metadata(self.path(name)).and_then(|m| m.modified());
        let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_some_and(|age| age >= self.config.keep)
    }
}
