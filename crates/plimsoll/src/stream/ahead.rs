//! A thread that gets the next result while the last one is being used.
//!
//! ```text
//!   source ── thread ──> channel of one ──> reader         at most one waiting and one in making
//! ```
//!
//! Promises: results in order; dropping the reader ends the thread after the result it is making.
//! Never: more than two results ahead.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;

pub(super) struct Ahead<T> {
    results: Option<Receiver<Result<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Ahead<T> {
    pub(super) fn start(items: impl Iterator<Item = Result<T>> + Send + 'static) -> Result<Self> {
        let (send, results) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("stream-ahead".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                for item in items {
                    if send.send(item).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| Error::io("starting a thread that reads ahead", e))?;
        Ok(Self { results: Some(results), thread: Some(thread) })
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if let Ok(result) = self.results.as_ref()?.recv() {
            return Some(result);
        }
        self.results = None;
        let panicked = self.thread.take()?.join().is_err();
        panicked.then(|| {
            let error = std::io::Error::other("the thread that reads ahead panicked");
            Err(Error::io("reading a stream ahead", error))
        })
    }
}

impl<T> Drop for Ahead<T> {
    fn drop(&mut self) {
        drop(self.results.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _panicked = thread.join();
        }
    }
}
