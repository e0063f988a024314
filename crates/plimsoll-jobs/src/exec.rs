//! Jobs that another program does: children that stay warm and are told one job after another.
//!
//! ```text
//!   job ─> an idle child, or a new one ─> lines in, lines out (see `child`) ─> Ending
//!            its tree's memory ─> the job's reservation ─┬─ grows with it
//!                                                        └─ refused: asked to stop, handed back
//! ```
//!
//! Promises: what the child says it saved is durable before it is told so; its memory counts where
//! the job's does.
//! Never: a shell; the command is a program and its arguments.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::child::{self, Child, Limits, Outcome};
use crate::control::Stop;
use crate::handler::{Ending, Handler, JobError};
use crate::job::Progress;
use crate::run::Run;

/// Bytes that a reservation grows by at least, so that it is not asked for at every look.
const GROWTH_BYTES: u64 = 1 << 20;

/// Runs jobs of any kind in children.
pub struct ExecRunner {
    command: Vec<String>,
    limits: Limits,
    idle: Mutex<Vec<Child>>,
}

impl ExecRunner {
    /// Children of a program with its arguments.
    ///
    /// # Errors
    /// Where there is no program.
    pub fn new(command: Vec<String>, limits: Limits) -> Result<Self, String> {
        if command.is_empty() {
            return Err("no program: say which one does the jobs, e.g. php artisan work".into());
        }
        Ok(Self { command, limits, idle: Mutex::default() })
    }

    fn child(&self) -> Result<Child, JobError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(child) = idle {
            return Ok(child);
        }
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        Child::start(command, self.limits)
            .map_err(|e| JobError::again(format!("starting {}: {e}", self.command.join(" "))))
    }
}

impl Handler for ExecRunner {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let mut child = self.child()?;
        let job = run.job();
        let checkpoint = job.checkpoint.clone();
        let (kind, payload) = (job.kind.clone(), job.payload.clone());
        let told = child::Job {
            id: job.lease.id,
            kind: &kind,
            payload: &payload,
            checkpoint: checkpoint.as_deref(),
            attempt: job.attempts + 1,
        };
        let mut bridge = Bridge { run, progress: Progress::default(), told: None, lost: None };
        let outcome = child.run(&told, &mut bridge);
        let lost = bridge.lost;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        if let Some(error) = lost {
            return Err(error);
        }
        match outcome {
            Outcome::Done(result) => {
                let result = (&*result != "null").then_some(result);
                Ok(Ending::Done { effects: Vec::new(), result })
            }
            Outcome::Failed { message, retry: true } => Err(JobError::again(message)),
            Outcome::Failed { message, retry: false } => Err(JobError::hopeless(message)),
            Outcome::HandedBack(_) => Ok(Ending::Stopped),
            Outcome::Broken(why) => Err(JobError::again(why.to_string())),
        }
    }
}

/// Between a child and its job.
struct Bridge<'a, 'r> {
    run: &'a mut Run<'r>,
    progress: Progress,
    /// What was last written of it.
    told: Option<Progress>,
    /// Why nothing is written any more.
    lost: Option<JobError>,
}

impl child::Handler for Bridge<'_, '_> {
    fn progress(&mut self, progress: &Progress) {
        self.progress = progress.clone();
        // A hundredth of the way, or the unit's first word: a write for each would be too many.
        let step = progress.total.unwrap_or_default() / 100;
        let is_far = self.told.as_ref().is_none_or(|told| {
            progress.done >= told.done.saturating_add(step.max(1)) || told.unit != progress.unit
        });
        if is_far && self.lost.is_none() {
            self.told = Some(progress.clone());
            self.lost = self.run.progress(progress).err();
        }
    }

    fn checkpoint(&mut self, state: &str) -> bool {
        if self.lost.is_none() {
            self.lost = self.run.save(Vec::new(), state, &self.progress).err();
        }
        self.lost.is_none()
    }

    fn log(&mut self, line: &str) {
        tracing::info!(target: "job", job = self.run.job().lease.id, "{line}");
    }

    fn memory(&mut self, bytes: u64) {
        self.run.saw(bytes);
        let held = self.run.memory_bytes();
        if bytes > held && self.run.try_grow((bytes - held).max(GROWTH_BYTES)).is_err() {
            self.run.yield_memory();
        }
    }

    fn stop(&mut self) -> Option<child::Stop> {
        if self.lost.is_some() {
            return Some(child::Stop::Cancel);
        }
        self.run.stop().map(|stop| match stop {
            Stop::Memory => child::Stop::Memory,
            Stop::Pause | Stop::Shutdown | Stop::Timeout => child::Stop::Shutdown,
            Stop::Cancel | Stop::LeaseLost => child::Stop::Cancel,
        })
    }
}
