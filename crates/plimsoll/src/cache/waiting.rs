//! Waiting for a value that somebody else makes, as a blocking call or as a future.
//!
//! Promises: woken by every outcome; where the maker is gone, one who waits becomes the maker.
//! Never: a runtime or a timer of its own; dropping it leaves nothing behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::flight::{Flight, Stage};
use super::maker::Maker;
use super::shared::Shared;
use super::value::Look;
use crate::error::Error;

/// What came of waiting.
#[derive(Debug)]
pub enum Waited {
    /// The value.
    Found(Look),
    /// The maker is gone: whoever has this makes the value.
    Lead(Maker),
    /// It could not be made; the maker's words.
    Failed(Error),
    /// The time was over first.
    Late,
}

/// A place among those who wait for one value.
///
/// As a future it has no deadline: race it with the timeout of the runtime it runs on.
///
/// # Cancel safety
/// Dropping it at any time leaves the others as they are.
#[must_use = "it does nothing until it is polled or waited for"]
#[derive(Debug)]
pub struct Waiting {
    shared: Arc<Shared>,
    flight: Arc<Flight>,
    number: u64,
    now_us: u64,
}

impl Waiting {
    /// `number` was given out by the flight.
    pub(super) fn new(shared: &Arc<Shared>, flight: Arc<Flight>, number: u64, now_us: u64) -> Self {
        Self { shared: Arc::clone(shared), flight, number, now_us }
    }

    /// Waits on this thread, at most `timeout`.
    #[must_use]
    pub fn wait(self, timeout: Duration) -> Waited {
        match self.flight.wait(timeout) {
            Some(stage) => self.waited(stage),
            None => Waited::Late,
        }
    }

    fn waited(&self, stage: Stage) -> Waited {
        match stage {
            Stage::Made(look) => Waited::Found(look),
            Stage::Failed(kind, why) => Waited::Failed(Error::of_kind(
                kind,
                format!("waiting for a value that somebody else makes: {why}"),
            )),
            // The vacancy was taken with the answer: it is this one's now.
            Stage::Vacant | Stage::Making => {
                let flight = Some(Arc::clone(&self.flight));
                Waited::Lead(Maker::new(&self.shared, &self.flight.key, self.now_us, flight))
            }
        }
    }
}

impl Future for Waiting {
    type Output = Waited;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Waited> {
        let waker = context.waker().clone();
        let (answer, _replaced) = {
            let mut waiters = self.flight.lock();
            match waiters.answer() {
                Some(stage) => (Some(stage), None),
                None => (None, waiters.note(self.number, waker)),
            }
        };
        answer.map_or(Poll::Pending, |stage| Poll::Ready(self.waited(stage)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let waker = self.flight.lock().leave(self.number);
        drop(waker);
        self.shared.flights.left(&self.flight);
    }
}
