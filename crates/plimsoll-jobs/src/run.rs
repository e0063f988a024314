//! A job while it runs, as its handler sees it.
//!
//! ```text
//!   loop { work at a chunk; run.save(effects, checkpoint, progress)? -> Some(stop): end Stopped }
//! ```
//!
//! Promises: effects and checkpoint are one transaction, fenced by the lease; the bytes a handler
//! reserved are given back when it ends.
//! Never: a write of a job that is another's by now.

use std::sync::Arc;

use plimsoll::budget::{Refusal, Reservation};
use plimsoll_store::{Store, Write};
use serde::de::DeserializeOwned;

use crate::cadence::{Cadence, Pacer};
use crate::checkpoint::checkpoint_write;
use crate::clock::Clock;
use crate::control::{Control, Stop};
use crate::handler::JobError;
use crate::job::{Claimed, Progress, Wish};
use crate::queue::Queue;

/// A job while it runs.
pub struct Run<'a> {
    queue: &'a Queue,
    job: &'a Claimed,
    control: Arc<Control>,
    memory: Option<Reservation>,
    peak_bytes: u64,
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    checkpoint: Option<Box<str>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        queue: &'a Queue,
        job: &'a Claimed,
        control: Arc<Control>,
        memory: Option<Reservation>,
    ) -> Self {
        let clock = queue.clock();
        let pacer = Pacer::new(Cadence::Measured, clock.steady());
        let peak_bytes = memory.as_ref().map_or(0, Reservation::bytes);
        let checkpoint = job.checkpoint.clone();
        Self { queue, job, control, memory, peak_bytes, pacer, clock, checkpoint }
    }

    /// The job.
    #[must_use]
    pub fn job(&self) -> &Claimed {
        self.job
    }

    /// The store in which its effects are to be.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.queue.store()
    }

    /// The queue, to enqueue more.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        self.queue
    }

    /// The payload.
    ///
    /// # Errors
    /// Hopeless, with the place at which it is of the wrong shape.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, JobError> {
        serde_json::from_str(&self.job.payload).map_err(|e| {
            JobError::hopeless(format!("the payload is not one of {}: {e}", self.job.kind))
        })
    }

    /// Where an earlier attempt stopped.
    ///
    /// # Errors
    /// Hopeless, for what does not read as one.
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, JobError> {
        let text = self.checkpoint.as_deref();
        text.map(serde_json::from_str).transpose().map_err(|e| {
            JobError::hopeless(format!("the checkpoint is not one of {}: {e}", self.job.kind))
        })
    }

    /// How often [`Run::is_checkpoint_due`] says so; as often as it is worth, if nothing is set.
    pub fn set_cadence(&mut self, cadence: Cadence) {
        self.pacer = Pacer::new(cadence, self.clock.steady());
    }

    /// Counts items, and says whether it is time for a checkpoint.
    pub fn is_checkpoint_due(&mut self, items: u64) -> bool {
        self.pacer.did(items);
        self.pacer.is_due(self.clock.steady()) || self.stop().is_some()
    }

    /// Why it is to stop, if it is.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.control.stop()
    }

    /// Effects and the checkpoint behind them, in one transaction; says whether to stop.
    ///
    /// # Errors
    /// Where the lease is another's by now nothing of it has happened; end with the error.
    pub fn save(
        &mut self,
        effects: Vec<Write>,
        checkpoint: &str,
        progress: &Progress,
    ) -> Result<Option<Stop>, JobError> {
        let began = self.clock.steady();
        let saved = self.queue.checkpoint(self.job.lease, effects, checkpoint, progress)?;
        let wish = saved.wait()?;
        let now = self.clock.steady();
        self.pacer.wrote(now, now.saturating_sub(began));
        self.checkpoint = Some(checkpoint.into());
        Ok(self.heard(wish))
    }

    /// The statement that keeps a checkpoint, for what writes units of its own: it stands last in
    /// the unit of the effects it counts. Where the lease is another's by now, the unit fails.
    ///
    /// # Errors
    /// A checkpoint that is too large.
    pub fn checkpoint_write(
        &self,
        checkpoint: &str,
        progress: &Progress,
    ) -> Result<Write, JobError> {
        Ok(checkpoint_write(self.job.lease, checkpoint, progress)?)
    }

    /// How far it is, without a checkpoint; says whether to stop.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub fn progress(&mut self, progress: &Progress) -> Result<Option<Stop>, JobError> {
        let wish = self.queue.progress(self.job.lease, progress).wait()?;
        Ok(self.heard(wish))
    }

    fn heard(&self, wish: Option<Wish>) -> Option<Stop> {
        match wish {
            Some(Wish::Pause) => self.control.ask(Stop::Pause),
            Some(Wish::Cancel) => self.control.ask(Stop::Cancel),
            None => {}
        }
        self.stop()
    }

    /// Bytes it has.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.memory.as_ref().map_or(0, Reservation::bytes)
    }

    /// The most it had.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// More bytes, before they are allocated. Where they are refused: spill, take smaller chunks,
    /// or save and end [`crate::Ending::Stopped`].
    ///
    /// # Errors
    /// The refusal, with who holds what.
    pub fn try_grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        if let Some(memory) = &mut self.memory {
            memory.try_grow(bytes)?;
            self.peak_bytes = self.peak_bytes.max(memory.bytes());
        }
        Ok(())
    }

    /// Gives bytes back.
    pub fn shrink(&mut self, bytes: u64) {
        if let Some(memory) = &mut self.memory {
            memory.shrink(bytes.min(memory.bytes()));
        }
    }

    /// What work outside this process takes, for what the kind is known to need.
    pub fn saw(&mut self, bytes: u64) {
        self.peak_bytes = self.peak_bytes.max(bytes);
    }

    /// It takes more than it can have: it is to save, and to be handed back.
    pub fn yield_memory(&self) {
        self.control.ask(Stop::Memory);
    }

    /// Takes part of what it has, for what reserves by itself.
    #[must_use]
    pub fn split(&mut self, bytes: u64) -> Option<Reservation> {
        let memory = self.memory.as_mut()?;
        Some(memory.split(bytes.min(memory.bytes())))
    }

    pub(crate) fn into_memory(self) -> Option<Reservation> {
        self.memory
    }
}
