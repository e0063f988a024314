//! One output that several workers write to, in the order of the segments or in any.
//!
//! ```text
//!   worker 0: segment 4 ── bytes ──> its turn: written       turn 4 ─last─> 5
//!   worker 1: segment 5 ── bytes ──> waits ─────────────────────────> written
//! ```
//!
//! Workers take segments in ascending order and each holds one, so whoever has the turn is at
//! work and never waits.
//!
//! Promises: bytes of a segment stand together and behind those of the one before.
//! Never: bytes held here; who cannot write waits with its own buffer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sink::Sink;
use super::watch::Watch;
use crate::error::Result;

/// Between two looks at the wish to stop while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Turns<'a> {
    state: Mutex<State>,
    passed: Condvar,
    watch: &'a Watch,
}

struct State {
    sink: Sink,
    turn: u64,
}

impl<'a> Turns<'a> {
    pub(super) fn new(sink: Sink, watch: &'a Watch) -> Self {
        Self { state: Mutex::new(State { sink, turn: 0 }), passed: Condvar::new(), watch }
    }

    /// Writes when everything before segment `number` is written; the `last` bytes of a segment
    /// pass the turn on.
    pub(super) fn write_in_turn(&self, number: u64, bytes: &[u8], last: bool) -> Result<()> {
        let mut state = self.lock();
        while state.turn != number {
            self.watch.check()?;
            let waited = self.passed.wait_timeout(state, LOOK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.sink.push(bytes)?;
        if last {
            state.turn += 1;
            self.passed.notify_all();
        }
        Ok(())
    }

    /// Writes now, for who has no place in the order.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.lock().sink.push(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The output, when all workers are done.
    pub(super) fn into_sink(self) -> Sink {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).sink
    }
}
