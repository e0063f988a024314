//! Streams: each stage gives what the same stage of an iterator would, and asks for no more.

mod files;
mod iterators;
mod stages;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll::Result;
use plimsoll::stream::Stream;
use plimsoll::typed::Engine;

/// A stream of 0.. below `count` and how many of its items were pulled so far.
fn counted(engine: &Engine, count: u64) -> (Stream<u64>, Arc<AtomicUsize>) {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let stream = Stream::from_source(engine, move || {
        let counter = Arc::clone(&counter);
        Ok((0..count).map(move |n| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(n)
        }))
    });
    (stream, pulled)
}

fn all<T: Send + 'static>(stream: &Stream<T>) -> Vec<T> {
    stream.iter().collect::<Result<_>>().unwrap()
}
