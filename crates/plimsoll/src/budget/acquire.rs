//! Waiting for bytes: one ask that stands in line, as a future or as a blocking call.
//!
//! Promises: served in order; dropping it leaves the line, and what it had been given goes to the
//! next; no runtime, no timer of its own.
//! Never: a place in line before the first poll, or a wake-up that is lost.
//!
//! ```text
//!            poll: served at once
//!   New ─────────────────────────────> Done
//!    │ poll: no room, or others wait    ^
//!    └──────────> InLine ───────────────┘ poll: granted or refused; give_up; drop
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::consumer::ConsumerShared;
use super::line::Outcome;
use super::refusal::Refusal;
use super::reservation::Reservation;
use super::state::Entry;

/// An ask for bytes that waits for its turn.
///
/// As a future it has no deadline: race it with the timeout of the runtime it runs on, and then
/// call [`Acquire::give_up`] for the refusal to show. The first poll may ask reclaimers.
///
/// # Cancel safety
/// Dropping it at any time leaves the line. Bytes that were granted and not yet taken go to the
/// next in line; nothing is lost or leaked.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let jobs = budget.child("jobs", 8 << 20)?;
/// let held = jobs.consumer("first")?.try_reserve(8 << 20)?;
/// let second = jobs.consumer("second")?;
/// assert!(second.acquire(1 << 20).wait(Duration::ZERO).is_err());
/// drop(held);
/// assert_eq!(second.acquire(1 << 20).wait(Duration::ZERO)?.bytes(), 1 << 20);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[must_use = "an ask does nothing until it is polled or waited for"]
pub struct Acquire {
    consumer: Arc<ConsumerShared>,
    bytes: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    New,
    InLine(usize),
    Done,
}

impl Acquire {
    pub(super) fn new(consumer: Arc<ConsumerShared>, bytes: u64) -> Self {
        Self { consumer, bytes, stage: Stage::New }
    }

    /// Waits on this thread, at most `timeout`.
    ///
    /// # Errors
    /// The [`Refusal`]: at once when the ask can never be served or the line is full, else at the
    /// deadline.
    pub fn wait(mut self, timeout: Duration) -> Result<Reservation, Refusal> {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let mut context = Context::from_waker(&waker);
        if let Poll::Ready(answer) = Pin::new(&mut self).poll(&mut context) {
            return answer;
        }
        // The waker is called once, with the answer; so one wait is enough.
        let woken = signal.woken.lock().unwrap_or_else(PoisonError::into_inner);
        drop(signal.changed.wait_timeout_while(woken, timeout, |woken| !*woken));
        self.give_up()
    }

    /// Leaves the line: the reservation where it was granted meanwhile, else the refusal.
    ///
    /// # Errors
    /// The [`Refusal`] as it stands now.
    pub fn give_up(mut self) -> Result<Reservation, Refusal> {
        let Stage::InLine(slot) = self.stage else {
            // Never polled: the answer is the one of an ask that does not wait.
            self.stage = Stage::Done;
            let core = self.consumer.core();
            core.reserve(self.consumer.slot, self.bytes, Entry::InLine)?;
            return Ok(self.granted());
        };
        self.stage = Stage::Done;
        let (answer, _waker) = self.consumer.core().change(|state, woken| {
            let waiter = state.line.leave(slot);
            let answer = match waiter.outcome {
                Outcome::Granted => Ok(()),
                Outcome::Refused(blocked) => {
                    Err(state.refusal(waiter.consumer, waiter.bytes, &blocked))
                }
                Outcome::Waiting => {
                    state.line.serve(&mut state.tree, woken);
                    Err(state.deadline_refusal(waiter.consumer, waiter.bytes))
                }
            };
            // Dropping a waker may run foreign code: it goes out of the lock first.
            (answer, waiter.waker)
        });
        answer.map(|()| self.granted())
    }

    fn granted(&self) -> Reservation {
        Reservation::charged(Arc::clone(&self.consumer), self.bytes)
    }

    fn poll_new(&mut self, waker: &Waker) -> Poll<Result<Reservation, Refusal>> {
        let core = self.consumer.core();
        match core.reserve_or_join(self.consumer.slot, self.bytes, waker) {
            Ok(None) => {
                self.stage = Stage::Done;
                Poll::Ready(Ok(self.granted()))
            }
            Ok(Some(slot)) => {
                self.stage = Stage::InLine(slot);
                Poll::Pending
            }
            Err(refusal) => {
                self.stage = Stage::Done;
                Poll::Ready(Err(refusal))
            }
        }
    }

    fn poll_in_line(&mut self, slot: usize, waker: &Waker) -> Poll<Result<Reservation, Refusal>> {
        let mut fresh = waker.clone();
        let waits = {
            // No wake-up is lost: whoever serves the line sets the outcome and takes the waker
            // under this lock, so either the outcome is seen here or the new waker is seen there.
            let mut state = self.consumer.core().lock();
            let waiter = state.line.waiter_mut(slot);
            match (&waiter.outcome, &mut waiter.waker) {
                (Outcome::Waiting, Some(current)) => {
                    std::mem::swap(current, &mut fresh);
                    true
                }
                _ => false,
            }
        };
        // What was swapped out is dropped with the lock open.
        drop(fresh);
        if waits {
            return Poll::Pending;
        }
        let answered = Self {
            consumer: Arc::clone(&self.consumer),
            bytes: self.bytes,
            stage: std::mem::replace(&mut self.stage, Stage::Done),
        };
        Poll::Ready(answered.give_up())
    }
}

impl Future for Acquire {
    type Output = Result<Reservation, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.stage {
            Stage::New => self.poll_new(context.waker()),
            Stage::InLine(slot) => self.poll_in_line(slot, context.waker()),
            Stage::Done => panic!("an ask was polled after its answer"),
        }
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Stage::InLine(slot) = self.stage else {
            return;
        };
        let _waker = self.consumer.core().change(|state, woken| {
            let waiter = state.line.leave(slot);
            match waiter.outcome {
                Outcome::Granted => state.give_back(waiter.consumer, waiter.bytes, woken),
                Outcome::Waiting => state.line.serve(&mut state.tree, woken),
                Outcome::Refused(_) => {}
            }
            waiter.waker
        });
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acquire({} B, {:?})", self.bytes, self.stage)
    }
}

/// The waker of a thread that blocks.
#[derive(Default)]
struct Signal {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }
}
