//! An answer of the queue that the store is still making.
//!
//! Promises: can be awaited on any runtime or waited for on a plain thread.
//! Never: a thread or a timer of its own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use plimsoll_store::Pending;

use crate::error::Result;

/// What becomes a `T` once the store has answered with an `R`.
///
/// # Cancel safety
/// Dropping it abandons, but does not undo, a write that the store has begun.
pub struct Answer<R, T> {
    pending: Pending<R>,
    read: Option<Box<dyn FnOnce(R) -> Result<T> + Send>>,
}

impl<R, T> Answer<R, T> {
    pub(crate) fn new(
        pending: Pending<R>,
        read: impl FnOnce(R) -> Result<T> + Send + 'static,
    ) -> Self {
        Self { pending, read: Some(Box::new(read)) }
    }

    /// Blocks this thread until the answer is there.
    ///
    /// # Errors
    /// What the store answered, or what the queue makes of it.
    ///
    /// # Panics
    /// Inside an async runtime: await it there.
    pub fn wait(mut self) -> Result<T> {
        let read = self.read.take();
        let answer = self.pending.wait()?;
        read.map_or_else(|| unreachable!("an answer is read once"), |read| read(answer))
    }
}

impl<R, T> Future for Answer<R, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.pending).poll(cx));
        let read = self.read.take();
        Poll::Ready(match read {
            Some(read) => answer.map_err(Into::into).and_then(read),
            None => unreachable!("an answer is read once"),
        })
    }
}
