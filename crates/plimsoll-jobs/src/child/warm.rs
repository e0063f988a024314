//! A child that stays warm between jobs.
//!
//! ```text
//!   start ─> Running ── job, job, job ──> spent: jobs_max, too much memory, handed back, broken
//!               ^                            │
//!               └──── a new one, by the next job ─ ended with all it started
//! ```
//!
//! Promises: a job gets a child that has said nothing since its last answer.
//! Never: two jobs at once in one child.

use std::fmt;
use std::io;
use std::process::Command;

use tracing::warn;

use super::handler::{Handler, Job};
use super::limits::{FOREVER, Limits};
use super::outcome::{Broken, Outcome, shown};
use super::reader::Heard;
use super::running::Running;
use super::turn::{Turn, stays};

/// A warm child, and the command that makes the next one.
///
/// ```no_run
/// use std::process::Command;
/// use plimsoll_jobs::child::{Child, Handler, Job, Limits, Outcome, Progress, Stop};
///
/// struct Quiet;
/// impl Handler for Quiet {
///     fn progress(&mut self, _: &Progress) {}
///     fn checkpoint(&mut self, _: &str) -> bool { true }
///     fn log(&mut self, _: &str) {}
///     fn memory(&mut self, _: u64) {}
///     fn stop(&mut self) -> Option<Stop> { None }
/// }
///
/// let mut command = Command::new("php");
/// command.args(["artisan", "plimsoll:work"]);
/// let limits = Limits { memory_bytes: Some(256 << 20), ..Limits::default() };
/// let mut child = Child::start(command, limits)?;
/// let job = Job { id: 7, kind: "mail.send", payload: "{}", checkpoint: None, attempt: 1 };
/// assert_eq!(child.run(&job, &mut Quiet), Outcome::Done("null".into()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    command: Command,
    limits: Limits,
    running: Option<Running>,
    /// Jobs of the one that runs.
    jobs: u32,
    starts: u64,
}

impl Child {
    /// Starts the command. Its pipes and its process group are set here; what else it has, an
    /// environment and a directory, is the caller's.
    ///
    /// # Errors
    /// Those of starting a process, or of the thread that reads what it says.
    pub fn start(command: Command, limits: Limits) -> io::Result<Self> {
        let limits = Limits {
            silence: limits.silence.min(FOREVER),
            grace: limits.grace.min(FOREVER),
            ..limits
        };
        let mut child = Self { command, limits, running: None, jobs: 0, starts: 0 };
        child.warm()?;
        Ok(child)
    }

    /// Runs a job to its end. Blocks as long as that takes; what the handler does with a checkpoint
    /// is waited for.
    pub fn run(&mut self, job: &Job<'_>, handler: &mut dyn Handler) -> Outcome {
        if let Some(broken) = self.idle() {
            warn!(target: "child", "a new child for the job {}: {broken}", job.id);
        }
        let limits = self.limits;
        let running = match self.warm() {
            Ok(running) => running,
            Err(error) => {
                return Outcome::Broken(Broken::NotStarted(error.to_string().into()));
            }
        };
        let outcome = Turn::new(running, &limits, job, handler).run();
        self.jobs += 1;
        if !stays(&outcome) {
            self.running = None;
        } else if self.jobs >= limits.jobs_max || self.is_swollen() {
            self.end();
        }
        outcome
    }

    /// Looks at a child that has no job: one that ended or spoke meanwhile is replaced by the next
    /// job's, and what it did is told.
    pub fn idle(&mut self) -> Option<Broken> {
        let running = self.running.as_mut()?;
        let broken = match running.heard() {
            None => running.ended().map(|status| Broken::Died(Some(status))),
            Some(Heard::End) => Some(Broken::Died(running.ended())),
            Some(Heard::Garbage(line)) => Some(Broken::Unasked(line)),
            Some(Heard::TooLong) => Some(Broken::LineTooLong),
            Some(Heard::Said(said)) => Some(Broken::Unasked(shown(format!("{said:?}").as_bytes()))),
        };
        if broken.is_some() {
            self.running = None;
        }
        broken
    }

    /// Bytes of its tree now; 0 while there is none.
    pub fn memory_bytes(&mut self) -> u64 {
        self.running.as_mut().map_or(0, |running| running.look(u64::MAX).bytes)
    }

    /// The number of its process, while there is one.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(Running::pid)
    }

    /// How many processes were started so far: one, and one for each replacement.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// Ends it: its input ends; after the grace SIGTERM; after another one SIGKILL, to all it
    /// started. The next job starts a new one. Dropping the value kills at once.
    pub fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.end(self.limits.grace);
        }
    }

    fn warm(&mut self) -> io::Result<&mut Running> {
        match &mut self.running {
            Some(running) => Ok(running),
            none => {
                let running = Running::start(&mut self.command)?;
                self.jobs = 0;
                self.starts += 1;
                Ok(none.insert(running))
            }
        }
    }

    fn is_swollen(&mut self) -> bool {
        let most = self.limits.warm_bytes_max.or(self.limits.memory_bytes).unwrap_or(u64::MAX);
        self.running.as_mut().is_some_and(|running| running.look_now(most).bytes > most)
    }
}

impl fmt::Debug for Child {
    /// Without its command, whose arguments and environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Child");
        shown.field("pid", &self.pid()).field("limits", &self.limits).finish_non_exhaustive()
    }
}
