//! What a worker's threads share.
//!
//! ```text
//!   feed ── claim ──> waiting ── memory ──> ready ──> runner ──> unsettled ──> settled
//!                        └────────────── held: a control for each ────────────────┘
//! ```
//!
//! Promises: what was claimed stands in `held` until its end is committed; one lock, held for
//! moments.
//! Never: a call of the store under the lock.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plimsoll::budget::{Consumer, Reservation};

use super::options::WorkerOptions;
use super::peaks::Seen;
use crate::bell::Hears;
use crate::control::{Control, Stop};
use crate::handler::{MEMORY_BYTES_PRESET, Registry};
use crate::job::{Claimed, JobId};
use crate::queue::Queue;

/// Jobs of each runner whose end is on its way to the disk.
const UNSETTLED_PER_RUNNER: usize = 32;

/// What a worker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Takes jobs.
    Working,
    /// Takes none, and ends what it has.
    Quiet,
    /// Hands back what it has.
    Stopping,
}

/// A job that waits for memory.
pub(super) struct Waits {
    pub(super) job: Claimed,
    pub(super) control: Arc<Control>,
    pub(super) since: Duration,
}

/// A job that waits for a runner.
pub(super) struct Admitted {
    pub(super) job: Claimed,
    pub(super) control: Arc<Control>,
    pub(super) memory: Option<Reservation>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) waiting: VecDeque<Waits>,
    pub(super) ready: VecDeque<Admitted>,
    /// All that were claimed and whose end is not committed.
    pub(super) held: HashMap<JobId, Arc<Control>>,
    /// Of those, at work.
    pub(super) busy: usize,
    /// A job that has to be alone is at work.
    pub(super) one_is_alone: bool,
    /// Jobs that ended.
    pub(super) ended: u64,
    /// Jobs that would not end: their threads were given up, and end behind them.
    pub(super) lost: BTreeSet<JobId>,
    /// There may be work.
    pub(super) heard: bool,
    /// How long a job takes, a moving average.
    pub(super) job_micros: u64,
}

/// What the queue's settings say.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    pub(super) paused: BTreeSet<Box<str>>,
    pub(super) queues: BTreeSet<Box<str>>,
    pub(super) kinds: Vec<Box<str>>,
}

pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) registry: Registry,
    pub(super) options: WorkerOptions,
    pub(super) consumer: Option<Consumer>,
    pub(super) limits: Mutex<Limits>,
    /// What jobs were seen to take.
    pub(super) seen: Mutex<Seen>,
    /// When it began, microseconds UTC.
    pub(super) began_micros: i64,
    /// The same by the steady clock.
    pub(super) began: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(
        queue: Queue,
        registry: Registry,
        options: WorkerOptions,
        consumer: Option<Consumer>,
    ) -> Self {
        let state = State {
            phase: Phase::Working,
            waiting: VecDeque::new(),
            ready: VecDeque::new(),
            held: HashMap::new(),
            busy: 0,
            one_is_alone: false,
            ended: 0,
            lost: BTreeSet::new(),
            heard: true,
            job_micros: 1_000_000,
        };
        let began_micros = queue.now_micros();
        let began = queue.clock().steady();
        Self {
            began_micros,
            began,
            queue,
            registry,
            options,
            consumer,
            limits: Mutex::default(),
            seen: Mutex::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, or for so long.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        time: Duration,
    ) -> MutexGuard<'a, State> {
        // Unlock and sleep are one step: a change behind the caller's look wakes this wait.
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    pub(super) fn steady(&self) -> Duration {
        self.queue.clock().steady()
    }

    pub(super) fn unsettled_max(&self) -> usize {
        self.options.concurrency as usize * UNSETTLED_PER_RUNNER
    }

    /// Bytes that a job is given: what is known, but at least something.
    pub(super) fn bytes_of(job: &Claimed) -> u64 {
        job.memory_bytes.max(MEMORY_BYTES_PRESET.min(64 << 10))
    }

    /// Takes nothing more; with [`Phase::Stopping`] what it has is asked to stop.
    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = state.phase.max(phase);
        if state.phase == Phase::Stopping {
            state.held.values().for_each(|control| control.ask(Stop::Shutdown));
        }
        drop(state);
        self.notify();
    }

    /// A job is not held any more.
    pub(super) fn let_go(&self, id: JobId) {
        let mut state = self.lock();
        state.held.remove(&id);
        state.ended += 1;
        drop(state);
        self.notify();
    }
}

impl Shared {
    /// There may be work.
    pub(super) fn hear_now(&self) {
        self.lock().heard = true;
        self.notify();
    }
}

impl Hears for Shared {
    fn hear(&self) {
        self.hear_now();
    }
}
