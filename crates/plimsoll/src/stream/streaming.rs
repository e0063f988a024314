//! Chunks of a data source, one at a time, within a bound of bytes.
//!
//! ```text
//!   source ── items ──> chunk_size or memory_bytes, whichever comes first ──> Chunk
//!             errors: stop | continue | retry n                               owns its bytes
//! ```
//!
//! Promises: a chunk's bytes are reserved before it is given and given back when it is dropped.
//! Never: two chunks in memory unless the reader keeps them, or asked for prefetch: then one more
//! waits and one more is made.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ahead::Ahead;
use super::source::Items;
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::heap_size::HeapSize;
use crate::limits::{STREAM_WORKERS_MAX, THREAD_STACK_BYTES};
use crate::typed::Engine;
use crate::units::ByteSize;

/// What becomes of an error of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorHandling {
    /// The chunk before it is given, then the error, then nothing.
    #[default]
    Stop,
    /// It is counted and passed over.
    Continue,
    /// The source is asked again, so many times for one item; then as [`ErrorHandling::Stop`].
    Retry(u32),
}

/// How a [`StreamingIterator`] reads.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::stream::{ErrorHandling, StreamingIterator, StreamingOptions};
/// # use plimsoll::typed::Engine;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let options = StreamingOptions {
///     chunk_size: 2,
///     error_handling: ErrorHandling::Continue,
///     cache_bytes: 1 << 10,
///     ..StreamingOptions::default()
/// };
/// let rows = [Ok(1_u64), Err(plimsoll::Error::invalid("torn")), Ok(3)].into_iter();
/// let mut chunks = StreamingIterator::new(&engine, rows, options)?;
/// assert_eq!(*chunks.next().unwrap()?, [1, 3]);
/// assert!(chunks.next().is_none());
/// assert_eq!(chunks.passed_over(), 1);
/// chunks.rewind()?;
/// assert_eq!(chunks.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamingOptions {
    /// Items of a chunk at most; 1000 by default.
    pub chunk_size: usize,
    /// Bytes of a chunk at most, heap included; 128 MiB by default.
    pub memory_bytes: u64,
    /// What becomes of an error.
    pub error_handling: ErrorHandling,
    /// Whether a thread makes the next chunk while one is used; not by default.
    pub prefetch: bool,
    /// Bytes of chunks kept for [`StreamingIterator::rewind`] at most; none by default. Chunks
    /// that together are more are not kept at all.
    pub cache_bytes: u64,
}

impl Default for StreamingOptions {
    fn default() -> Self {
        Self {
            chunk_size: 1_000,
            memory_bytes: 128 << 20,
            error_handling: ErrorHandling::Stop,
            prefetch: false,
            cache_bytes: 0,
        }
    }
}

/// Items with the bytes reserved for them, which are given back with the last clone.
#[derive(Debug)]
pub struct Chunk<T> {
    held: Arc<Held<T>>,
}

#[derive(Debug)]
struct Held<T> {
    items: Vec<T>,
    reservation: Reservation,
}

impl<T> Clone for Chunk<T> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held) }
    }
}

impl<T> Deref for Chunk<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.held.items
    }
}

/// Gives a source's items in chunks.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::stream::{StreamingIterator, StreamingOptions};
/// # use plimsoll::typed::Engine;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let options = StreamingOptions { chunk_size: 400, ..StreamingOptions::default() };
/// let chunks = StreamingIterator::new(&engine, (0..1_000_u64).map(Ok), options)?;
/// let sizes = chunks.map(|chunk| chunk.map(|c| c.len())).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(sizes, [400, 400, 200]);
/// assert_eq!(budget.reserved_bytes(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamingIterator<T> {
    chunks: Box<dyn Iterator<Item = Result<Chunk<T>>> + Send>,
    passed_over: Arc<AtomicU64>,
    cache: Cache<T>,
}

/// Chunks that were given, as long as they are few enough.
struct Cache<T> {
    chunks: Vec<Chunk<T>>,
    bytes: u64,
    bytes_max: u64,
    /// All chunks so far are here.
    whole: bool,
    /// The source has ended.
    ended: bool,
    /// Of the chunk given next, while they are given again.
    again: Option<usize>,
}

impl<T> Cache<T> {
    fn keep(&mut self, chunk: &Chunk<T>) {
        self.bytes += chunk.held.reservation.bytes();
        self.whole = self.whole && self.bytes <= self.bytes_max;
        if self.whole {
            self.chunks.push(chunk.clone());
        } else {
            self.chunks = Vec::new();
        }
    }
}

impl<T: HeapSize + Send + Sync + 'static> StreamingIterator<T> {
    /// Reads `source` as `options` say.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a chunk of no items; the system's when no thread can be
    /// started.
    pub fn new(
        engine: &Engine,
        source: impl Iterator<Item = Result<T>> + Send + 'static,
        options: StreamingOptions,
    ) -> Result<Self> {
        if options.chunk_size == 0 {
            return Err(Error::invalid("reading in chunks of 0 items: chunk_size is at least 1"));
        }
        let passed_over = Arc::new(AtomicU64::new(0));
        let maker = Maker {
            source: Box::new(source),
            options,
            consumer: engine.consumer().clone(),
            next: None,
            failure: None,
            ended: false,
            passed_over: Arc::clone(&passed_over),
        };
        Ok(Self {
            chunks: if options.prefetch { Box::new(Ahead::start(maker)?) } else { Box::new(maker) },
            passed_over,
            cache: Cache {
                chunks: Vec::new(),
                bytes: 0,
                bytes_max: options.cache_bytes,
                whole: true,
                ended: false,
                again: None,
            },
        })
    }

    /// Gives the chunks again from the first, out of memory: the source is not asked.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] before the source has ended without an error, or when the
    /// chunks were more than [`StreamingOptions::cache_bytes`].
    pub fn rewind(&mut self) -> Result<()> {
        let cache = &mut self.cache;
        if cache.ended && cache.whole {
            cache.again = Some(0);
            return Ok(());
        }
        Err(Error::invalid(format!(
            "reading chunks again: they are kept once all were read, and these took {} of the {} \
             allowed; raise cache_bytes, or open the source again",
            ByteSize::new(cache.bytes),
            ByteSize::new(cache.bytes_max)
        )))
    }

    /// Calls `act` with every chunk, on `workers` threads, in no order. Each worker holds one
    /// chunk.
    ///
    /// # Errors
    /// The first of the source or of `act`; chunks that other workers have begun are finished.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use plimsoll::stream::{StreamingIterator, StreamingOptions};
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let sum = AtomicU64::new(0);
    /// let rows = (0..10_000_u64).map(Ok);
    /// let chunks = StreamingIterator::new(&engine, rows, StreamingOptions::default())?;
    /// chunks.for_each_parallel(4, |chunk| {
    ///     sum.fetch_add(chunk.iter().sum(), Ordering::Relaxed);
    ///     Ok(())
    /// })?;
    /// assert_eq!(sum.into_inner(), 9_999 * 10_000 / 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_each_parallel(
        self,
        workers: usize,
        act: impl Fn(Chunk<T>) -> Result<()> + Sync,
    ) -> Result<()> {
        let failure = Mutex::new(None);
        let chunks = Mutex::new(Some(self));
        // A worker that panics ends the scope in a panic: there is no broken state to go on with.
        let pull = || {
            let mut chunks = chunks.lock().unwrap_or_else(PoisonError::into_inner);
            let next = chunks.as_mut()?.next();
            if !matches!(next, Some(Ok(_))) {
                *chunks = None;
            }
            next
        };
        let work = || {
            while let Some(chunk) = pull() {
                if let Err(error) = chunk.and_then(&act) {
                    drop(chunks.lock().unwrap_or_else(PoisonError::into_inner).take());
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            let builder = || {
                let builder = std::thread::Builder::new().name("stream-work".to_owned());
                builder.stack_size(THREAD_STACK_BYTES)
            };
            for _ in 1..workers.clamp(1, STREAM_WORKERS_MAX) {
                // With fewer threads than asked for the work is done all the same.
                let _fewer = builder().spawn_scoped(scope, work);
            }
            work();
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Errors passed over so far, under [`ErrorHandling::Continue`].
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }
}

impl<T> Iterator for StreamingIterator<T> {
    type Item = Result<Chunk<T>>;

    fn next(&mut self) -> Option<Result<Chunk<T>>> {
        if let Some(number) = &mut self.cache.again {
            *number += 1;
            return self.cache.chunks.get(*number - 1).cloned().map(Ok);
        }
        let next = self.chunks.next();
        match &next {
            Some(Ok(chunk)) => self.cache.keep(chunk),
            Some(Err(_)) => self.cache.whole = false,
            None => self.cache.ended = true,
        }
        next
    }
}

/// Makes the chunks.
struct Maker<T> {
    source: Items<T>,
    options: StreamingOptions,
    consumer: Consumer,
    /// Read already, and too much for the chunk before.
    next: Option<T>,
    /// To be given after the chunk before it.
    failure: Option<Error>,
    ended: bool,
    passed_over: Arc<AtomicU64>,
}

impl<T: HeapSize> Maker<T> {
    /// The next item as the options have it.
    fn pull(&mut self) -> Result<Option<T>> {
        let mut retries = 0;
        loop {
            match (self.source.next(), self.options.error_handling) {
                (Some(Ok(item)), _) => return Ok(Some(item)),
                (None, _) => return Ok(None),
                (Some(Err(_passed_over)), ErrorHandling::Continue) => {
                    self.passed_over.fetch_add(1, Ordering::Relaxed);
                }
                (Some(Err(_asked_again)), ErrorHandling::Retry(most)) if retries < most => {
                    retries += 1;
                }
                (Some(Err(error)), _) => return Err(error),
            }
        }
    }

    fn fill(&mut self) -> Result<Chunk<T>> {
        let mut held = self.consumer.try_reserve(0)?;
        let mut items = Vec::new();
        while items.len() < self.options.chunk_size {
            let item = match self.next.take() {
                Some(item) => item,
                None => match self.pull() {
                    Ok(Some(item)) => item,
                    Ok(None) => break,
                    Err(error) => {
                        self.failure = Some(error);
                        break;
                    }
                },
            };
            let heap = item.heap_bytes() as u64;
            let (len, capacity) = (items.len(), items.capacity());
            let grown = if len < capacity { capacity } else { len + len.max(1) };
            let grown = grown.min(self.options.chunk_size);
            let vector = ((grown - capacity) * size_of::<T>()) as u64;
            // The old vector stands beside the new one for a moment.
            let old = if grown > capacity { (capacity * size_of::<T>()) as u64 } else { 0 };
            if held.bytes() + heap + vector + old > self.options.memory_bytes {
                if items.is_empty() {
                    return Err(Error::too_large(format!(
                        "reading in chunks: one item takes {}, a chunk may take {}; raise \
                         memory_bytes",
                        ByteSize::new(heap + vector),
                        ByteSize::new(self.options.memory_bytes)
                    )));
                }
                self.next = Some(item);
                break;
            }
            held.try_grow(heap + vector + old)?;
            if grown > capacity {
                items.reserve_exact(grown - len);
                held.shrink(old);
            }
            items.push(item);
        }
        Ok(Chunk { held: Arc::new(Held { items, reservation: held }) })
    }
}

impl<T: HeapSize> Iterator for Maker<T> {
    type Item = Result<Chunk<T>>;

    fn next(&mut self) -> Option<Result<Chunk<T>>> {
        if self.ended {
            return None;
        }
        let chunk = match self.failure.take() {
            Some(error) => Err(error),
            None => self.fill(),
        };
        match chunk {
            Ok(chunk) if !chunk.is_empty() => Some(Ok(chunk)),
            Ok(_) => {
                self.ended = true;
                self.failure.take().map(Err)
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}
