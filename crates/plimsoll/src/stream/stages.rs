//! The stages between a stream's source and its reader that hold more than one item.
//!
//! Promises: what a stage holds is reserved first; its reservation goes with it.
//! Never: an item asked for that is not needed for the next result.

use std::collections::VecDeque;

use super::source::Items;
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::heap_size::HeapSize;

/// Runs `open` at the first call and then gives what it opened; its failure is the only item.
pub(super) struct Later<T, F> {
    open: Option<F>,
    items: Option<Items<T>>,
}

impl<T, F: FnOnce() -> Result<Items<T>>> Later<T, F> {
    pub(super) fn new(open: F) -> Self {
        Self { open: Some(open), items: None }
    }
}

impl<T, F: FnOnce() -> Result<Items<T>>> Iterator for Later<T, F> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if let Some(open) = self.open.take() {
            match open() {
                Ok(items) => self.items = Some(items),
                Err(error) => return Some(Err(error)),
            }
        }
        self.items.as_mut()?.next()
    }
}

/// What ends a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChunkEnd {
    Items(usize),
    Bytes(u64),
}

/// Vectors of items. What one takes stays reserved until the next one is asked for.
pub(super) struct Chunks<T> {
    items: Items<T>,
    end: ChunkEnd,
    consumer: Consumer,
    held: Option<Reservation>,
    /// Read already, and too much for the chunk before.
    next: Option<Result<T>>,
}

impl<T: HeapSize> Chunks<T> {
    pub(super) fn new(items: Items<T>, end: ChunkEnd, consumer: Consumer) -> Self {
        Self { items, end, consumer, held: None, next: None }
    }

    fn fill(&mut self) -> Result<Vec<T>> {
        self.held = None;
        let mut held = self.consumer.try_reserve(0)?;
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while !matches!(self.end, ChunkEnd::Items(most) if chunk.len() == most) {
            let Some(next) = self.next.take().or_else(|| self.items.next()) else { break };
            let item: T = match next {
                Ok(item) => item,
                Err(error) if chunk.is_empty() => return Err(error),
                Err(error) => {
                    // What came before it is whole.
                    self.next = Some(Err(error));
                    break;
                }
            };
            let own = (item.heap_bytes() + size_of::<T>()) as u64;
            if matches!(self.end, ChunkEnd::Bytes(most) if bytes + own > most && bytes > 0) {
                self.next = Some(Ok(item));
                break;
            }
            bytes += own;
            held.try_grow(item.heap_bytes() as u64)?;
            if chunk.len() == chunk.capacity() {
                // Old and new at once while the vector grows.
                let most = if let ChunkEnd::Items(most) = self.end { most } else { usize::MAX };
                let more = chunk.len().max(16).min(most - chunk.len());
                let whole = ((chunk.len() + more) * size_of::<T>()) as u64;
                held.try_grow(whole)?;
                let old = (chunk.capacity() * size_of::<T>()) as u64;
                chunk.reserve_exact(more);
                held.shrink(old);
            }
            chunk.push(item);
        }
        self.held = Some(held);
        Ok(chunk)
    }
}

impl<T: HeapSize> Iterator for Chunks<T> {
    type Item = Result<Vec<T>>;

    fn next(&mut self) -> Option<Result<Vec<T>>> {
        match self.fill() {
            Ok(chunk) if chunk.is_empty() => None,
            other => Some(other),
        }
    }
}

/// Windows over neighbours, each as a vector of its own.
pub(super) struct Windows<T> {
    pub(super) items: Items<T>,
    pub(super) size: usize,
    pub(super) step: usize,
    pub(super) consumer: Consumer,
    pub(super) window: VecDeque<T>,
    pub(super) held: Option<Reservation>,
}

impl<T: HeapSize + Clone> Windows<T> {
    fn slide(&mut self) -> Result<Option<Vec<T>>> {
        if self.window.len() == self.size {
            // Gaps between windows are pulled and dropped below.
            self.window.drain(..self.step.min(self.size));
            for _ in self.size..self.step {
                if self.items.next().transpose()?.is_none() {
                    return Ok(None);
                }
            }
        }
        while self.window.len() < self.size {
            let Some(item) = self.items.next().transpose()? else { return Ok(None) };
            self.window.push_back(item);
        }
        // The window and the copy that is given out.
        let heap: usize = self.window.iter().map(HeapSize::heap_bytes).sum();
        let bytes = 2 * (heap + self.size.next_power_of_two() * size_of::<T>()) as u64;
        self.held = None;
        self.held = Some(self.consumer.try_reserve(bytes)?);
        Ok(Some(self.window.iter().cloned().collect()))
    }
}

impl<T: HeapSize + Clone> Iterator for Windows<T> {
    type Item = Result<Vec<T>>;

    fn next(&mut self) -> Option<Result<Vec<T>>> {
        self.slide().transpose()
    }
}
