//! An answer that is being made on another thread.
//!
//! Promises: can be awaited on any runtime or waited for on a plain thread; dropping it tells the
//! other side, which then stops at its next look.
//! Never: a timer; the caller races it with its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// The receiving half.
///
/// # Cancel safety
/// Dropping it cancels a read at its next row and abandons, but does not undo, a write that was
/// already handed to the writer.
#[derive(Debug)]
pub struct Pending<T> {
    receiver: oneshot::Receiver<Result<T>>,
    _waits: Arc<()>,
}

/// The sending half.
#[derive(Debug)]
pub struct Promise<T> {
    sender: oneshot::Sender<Result<T>>,
    waits: Weak<()>,
}

/// Tells from anywhere whether a [`Pending`] is still there.
#[derive(Clone, Debug)]
pub struct Watch(Weak<()>);

impl Watch {
    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl<T> Pending<T> {
    /// Both halves.
    #[must_use]
    pub fn new() -> (Promise<T>, Self) {
        let (sender, receiver) = oneshot::channel();
        let waits = Arc::new(());
        let promise = Promise { sender, waits: Arc::downgrade(&waits) };
        (promise, Self { receiver, _waits: waits })
    }

    /// An answer that is already there.
    #[must_use]
    pub fn ready(result: Result<T>) -> Self {
        let (promise, pending) = Self::new();
        promise.keep(result);
        pending
    }

    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// Whatever the other side answered; [`ErrorKind::Stopped`] when it went away.
    ///
    /// # Panics
    /// Inside an async runtime: await it there.
    pub fn wait(self) -> Result<T> {
        self.receiver.blocking_recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl<T> Promise<T> {
    /// Hands over the answer. Nobody waiting any more is fine.
    pub fn keep(self, result: Result<T>) {
        drop(self.sender.send(result));
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.sender.is_closed()
    }

    /// The same question for a callback that outlives this borrow.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.waits.clone())
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.receiver).poll(cx)).unwrap_or_else(|_| Err(gone())))
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Stopped, "the store is shutting down; try again after the restart")
}

#[cfg(test)]
mod tests {
    use super::Pending;

    #[test]
    fn a_watch_tells_that_nobody_waits_any_more() {
        let (promise, pending) = Pending::<()>::new();
        let watch = promise.watch();
        assert!(!watch.is_abandoned() && !promise.is_abandoned());
        drop(pending);
        assert!(watch.is_abandoned() && promise.is_abandoned());
    }
}
