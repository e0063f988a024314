//! The budget's lock, and the steps between a shortage and a refusal.
//!
//! Promises: probe, reclaimers and wakers are called with the lock open.
//! Never: a refusal before everything that could avoid it was tried.
//!
//! ```text
//!   ask ──> admitted? ──no──> measure ──> purge, if that ──> reclaimers,   ──> purge ──> refusal
//!             │ yes           again       alone covers it    cheapest first
//!             v                 │              │                │               │
//!        reservation <──────────┴──── admitted after a step? ───┴───────────────┘
//! ```
//! The steps about measured memory are taken only where the process is the level that is short.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::meter::{Meter, Reading};
use super::probe::MemoryProbe;
use super::reclaim::{Asking, Reclaimers};
use super::refusal::{Refusal, RefusalCause};
use super::state::{Blocked, Entry, State};
use super::tree::ROOT;

pub(super) struct Core {
    state: Mutex<State>,
    probe: Arc<dyn MemoryProbe>,
    pub(super) reclaimers: Reclaimers,
    pub(super) limit_bytes_min: u64,
}

impl Core {
    pub(super) fn new(limit_bytes: u64, limit_bytes_min: u64, probe: Arc<dyn MemoryProbe>) -> Self {
        let mut meter = Meter::default();
        meter.observe(probe.sample(), 0..=0, Reading::Regular);
        Self {
            state: Mutex::new(State::new(limit_bytes, meter)),
            probe,
            reclaimers: Reclaimers::default(),
            limit_bytes_min,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Under the lock nothing panics but a failed assertion, which stands before any change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and then, with the lock open, wakes whom the change served. A waker runs
    /// foreign code, which may drop reservations and come back here.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, &mut Vec<Waker>) -> T) -> T {
        let mut woken = Vec::new();
        let result = change(&mut self.lock(), &mut woken);
        for waker in woken {
            waker.wake();
        }
        result
    }

    /// Reads memory and takes it in.
    pub(super) fn measure(&self, reading: Reading) {
        let reserved_before = self.lock().reserved_bytes();
        let sample = self.probe.sample();
        self.change(|state, woken| {
            // Reservations move while the reading is made.
            let now = state.reserved_bytes();
            let reserved = reserved_before.min(now)..=reserved_before.max(now);
            state.meter.observe(sample, reserved, reading);
            state.retune(woken);
        });
    }

    /// Gives unused pages back and measures, whatever it gains.
    pub(super) fn purge_now(&self) {
        self.probe.purge();
        self.measure(Reading::OnDemand);
    }

    /// Gives unused pages back and measures; `false` where that would gain nothing.
    fn purge(&self) -> bool {
        if !self.lock().meter.purge_pays() {
            return false;
        }
        self.probe.purge();
        self.measure(Reading::OnDemand);
        self.lock().meter.purged();
        true
    }

    /// Reserves `bytes`, trying everything first.
    pub(super) fn reserve(&self, consumer: usize, bytes: u64, entry: Entry) -> Result<(), Refusal> {
        let attempt = || self.lock().admit(consumer, bytes, entry);
        let Err(blocked) = attempt() else {
            return Ok(());
        };
        let Err(blocked) = self.relieve(blocked, attempt) else {
            return Ok(());
        };
        Err(self.lock().refusal(consumer, bytes, &blocked))
    }

    /// Reserves `bytes` (`None`), trying everything first, or takes a place in line.
    pub(super) fn reserve_or_join(
        &self,
        consumer: usize,
        bytes: u64,
        waker: &Waker,
    ) -> Result<Option<usize>, Refusal> {
        let attempt = || self.lock().admit(consumer, bytes, Entry::InLine);
        let Err(blocked) = attempt() else {
            return Ok(None);
        };
        if blocked.cause == RefusalCause::Full && self.relieve(blocked, attempt).is_ok() {
            return Ok(None);
        }
        // Dropping this clone under the lock runs nothing foreign: the caller keeps the original.
        let waker = waker.clone();
        // No wake-up is lost: the last try and the joining are one step under the lock. What is
        // given back before it is seen by the try, what is given back after it serves the line.
        let mut state = self.lock();
        state
            .admit_or_join(consumer, bytes, waker)
            .map_err(|blocked| state.refusal(consumer, bytes, &blocked))
    }

    /// Tries to make an ask in line servable that nobody's release serves.
    pub(super) fn relieve_line(&self) {
        let attempt = || self.lock().head_blocked();
        if let Err(blocked) = attempt() {
            // Whoever is served by it has been woken by the release itself.
            let _still_blocked = self.relieve(blocked, attempt);
        }
    }

    /// Takes the steps of the figure until `attempt` succeeds.
    fn relieve(
        &self,
        mut blocked: Blocked,
        mut attempt: impl FnMut() -> Result<(), Blocked>,
    ) -> Result<(), Blocked> {
        let Some(_asking) = Asking::begin() else {
            return Err(blocked);
        };
        let mut served = |blocked: &mut Blocked| match attempt() {
            Ok(()) => true,
            Err(now) => {
                *blocked = now;
                false
            }
        };
        if blocked.is_measured() {
            self.measure(Reading::OnDemand);
            if served(&mut blocked) {
                return Ok(());
            }
        }
        let slack_covers =
            |blocked: &Blocked| self.lock().meter.slack_bytes() >= blocked.short_bytes;
        if blocked.is_measured() && slack_covers(&blocked) && self.purge() && served(&mut blocked) {
            return Ok(());
        }
        for (node, reclaimer) in self.reclaimers.by_cost() {
            if blocked.cause != RefusalCause::Full {
                return Err(blocked);
            }
            let frees_here = self.lock().tree.related(node, blocked.level);
            if frees_here && reclaimer.reclaim(blocked.short_bytes) > 0 && served(&mut blocked) {
                return Ok(());
            }
        }
        if blocked.is_measured() && self.purge() && served(&mut blocked) {
            return Ok(());
        }
        Err(blocked)
    }
}

impl Blocked {
    /// Whether a new reading of memory could change the answer.
    fn is_measured(&self) -> bool {
        self.cause == RefusalCause::Full && self.level == ROOT
    }
}
