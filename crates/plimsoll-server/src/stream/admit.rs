//! Admission of streams: a permit is a slot and the bytes of a whole stream.
//!
//! ```text
//!   waiting room (bounded) ── slot (FIFO) ── bytes (FIFO) ── Permit
//!        │ full: 429              │ late: 429      │ late or never: 503 with the holders
//! ```
//!
//! Promises: who has a permit finishes; nothing of a stream is allocated before; whoever waits is
//! served in order and not for ever.
//! Never: a permit that outlives the stream's last buffer, or dies before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ServerLimits;
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem, Result};
use crate::socket::KERNEL_BUFFER_BYTES;

/// Capacity of one frame's buffer.
pub(crate) const FRAME_CAPACITY: usize = FRAME_BYTES + FRAME_SLACK_BYTES;
/// Frames of one stream: one on its way to the client, one being read.
pub(crate) const FRAMES: usize = 2;
/// What one stream holds: its frames, what the kernel holds for its client, and its tasks.
pub(crate) const STREAM_BYTES: u64 =
    (FRAMES * FRAME_CAPACITY) as u64 + KERNEL_BUFFER_BYTES as u64 + (8 << 10);

/// The right to stream. Everything it stands for is given back when it is dropped.
pub(crate) struct Permit {
    _reservation: Reservation,
    /// None where another stream's slot stands for both.
    _slot: Option<OwnedSemaphorePermit>,
    admission: Arc<Admission>,
}

/// Who may stream.
pub(crate) struct Admission {
    slots: Arc<Semaphore>,
    consumer: Consumer,
    waiting: AtomicUsize,
    active: AtomicUsize,
    waiting_max: usize,
    slots_max: usize,
    wait: Duration,
    metrics: Arc<Metrics>,
}

impl Admission {
    pub(crate) fn new(consumer: Consumer, limits: &ServerLimits, metrics: Arc<Metrics>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limits.streams_max)),
            consumer,
            waiting: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            waiting_max: limits.admissions_waiting_max,
            slots_max: limits.streams_max,
            wait: limits.admission_wait,
            metrics,
        }
    }

    /// Asks that wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Streams that run now.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// More bytes for a stream that runs, for a row larger than a frame.
    ///
    /// # Errors
    /// 503 with the holders.
    pub(crate) fn more(&self, bytes: u64) -> Result<Reservation> {
        Ok(self.consumer.try_reserve(bytes)?)
    }

    /// A permit beside that of a stream that was admitted just now: its client reads what the
    /// stream writes, and both are one export.
    ///
    /// # Errors
    /// 503 with the holders.
    pub(crate) fn beside(self: &Arc<Self>) -> Result<Permit> {
        let reservation = self
            .consumer
            .try_reserve(STREAM_BYTES)
            .inspect_err(|_| self.metrics.rejected("memory"))?;
        Ok(self.permit(reservation, None))
    }

    fn permit(
        self: &Arc<Self>,
        reservation: Reservation,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Permit {
        self.active.fetch_add(1, Ordering::Relaxed);
        Permit { _reservation: reservation, _slot: slot, admission: Arc::clone(self) }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// 429 or 503, with Retry-After.
    ///
    /// # Cancel safety
    /// Dropping the future leaves every line.
    pub(crate) async fn admit(self: &Arc<Self>) -> Result<Permit> {
        let started = Instant::now();
        let place = Waiting::enter(self)?;
        let deadline = tokio::time::Instant::now() + self.wait;
        let slot = Arc::clone(&self.slots).acquire_owned();
        let Ok(Ok(slot)) = tokio::time::timeout_at(deadline, slot).await else {
            self.metrics.rejected("slots");
            return Err(queue_full(&format!("{} streams run already", self.slots_max)));
        };
        let mut ask = self.consumer.acquire(STREAM_BYTES);
        let answer = match tokio::time::timeout_at(deadline, &mut ask).await {
            Ok(answer) => answer,
            Err(_) => ask.give_up(),
        };
        drop(place);
        let reservation = answer.inspect_err(|_| self.metrics.rejected("memory"))?;
        self.metrics.admitted(started.elapsed());
        Ok(self.permit(reservation, Some(slot)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place in the waiting room.
struct Waiting<'a>(&'a Admission);

impl<'a> Waiting<'a> {
    fn enter(admission: &'a Admission) -> Result<Self> {
        let place = Self(admission);
        let ahead = admission.waiting.fetch_add(1, Ordering::Relaxed);
        if ahead >= admission.waiting_max {
            admission.metrics.rejected("queue");
            return Err(queue_full(&format!("{ahead} streams wait already")));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn queue_full(why: &str) -> Problem {
    Problem::new(Kind::QueueFull, format!("{why}; try again when some have ended")).retry_after(5)
}
