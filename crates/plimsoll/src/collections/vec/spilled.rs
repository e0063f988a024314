//! A vector on disk: full blocks, and a last one that is being filled.
//!
//! Promises: an element is in one block or in the tail; places that are dropped go back to disk.
//! Never: an element changed in place.

use crate::budget::{Consumer, Reservation};
use crate::collections::Spillable;
use crate::collections::block_log::{BlockLog, Cached};
use crate::collections::page::{self, Page};
use crate::error::Result;
use crate::spill::SpillArea;

use super::cache::BlockCache;
use super::index::Index;

#[derive(Debug)]
pub(super) struct Spilled<T> {
    pub(super) log: BlockLog,
    pub(super) index: Index,
    pub(super) tail: Page<T>,
    cache: BlockCache,
    consumer: Consumer,
    _reservation: Reservation,
}

impl<T: Spillable> Spilled<T> {
    pub(super) fn new(area: &SpillArea, consumer: &Consumer, memory_bytes: u64) -> Result<Self> {
        let reservation = consumer.try_reserve(Page::<T>::cost_bytes() as u64)?;
        Ok(Self {
            log: BlockLog::new(area, consumer, "vec", memory_bytes, Cached::No)?,
            index: Index::new(consumer)?,
            tail: Page::new(),
            cache: BlockCache::default(),
            consumer: consumer.clone(),
            _reservation: reservation,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.index.items() + u64::from(self.tail.records())
    }

    #[inline]
    pub(super) fn push(&mut self, element: &T) -> Result<()> {
        let bytes = T::WIDTH.unwrap_or_else(|| element.encoded_bytes());
        if !self.tail.takes(bytes) {
            self.flush()?;
            if !Page::<T>::ever_takes(bytes) {
                return self.push_large(element, bytes);
            }
        }
        self.tail.push(element, bytes)
    }

    #[cold]
    fn flush(&mut self) -> Result<()> {
        if self.tail.records() == 0 {
            return Ok(());
        }
        self.index.reserve()?;
        let records = self.tail.records();
        let place = self.log.append(self.tail.payload(), records);
        match place {
            Ok(place) => self.index.push(place),
            Err(error) => {
                self.tail.retract();
                return Err(error);
            }
        }
        self.tail.clear();
        Ok(())
    }

    fn push_large(&mut self, element: &T, bytes: usize) -> Result<()> {
        let _held = self.consumer.try_reserve(page::large_bytes(bytes))?;
        self.index.reserve()?;
        let payload = page::large(element, bytes)?;
        let place = self.log.append(&payload, 1)?;
        self.index.push(place);
        Ok(())
    }

    pub(super) fn get(&self, item: u64) -> Result<T> {
        if item >= self.index.items() {
            let number = page::narrow_count(item - self.index.items());
            return Ok(self.tail.get(number).expect("the tail holds what was put into it"));
        }
        let block = self.index.block_of(item);
        let place = self.index.place(block);
        let number = page::narrow_count(item - self.index.first(block));
        let look = |payload: &[u8]| page::element(payload, number, place.records);
        let found = self.cache.with(&self.log, block, place, look)?;
        found.ok_or_else(|| self.log.damaged(place))
    }

    /// Keeps the first `items` elements.
    pub(super) fn truncate(&mut self, items: u64) -> Result<()> {
        let Some(in_tail) = items.checked_sub(self.index.items()) else {
            return self.truncate_blocks(items);
        };
        if items < self.len() {
            self.tail.truncate(page::narrow_count(in_tail));
        }
        Ok(())
    }

    /// Ends inside the blocks: the one that is cut becomes the tail.
    fn truncate_blocks(&mut self, items: u64) -> Result<()> {
        let block = self.index.block_of(items);
        let kept = page::narrow_count(items - self.index.first(block));
        let place = self.index.place(block);
        if kept > 0 {
            let mut reader = self.log.reader(place)?;
            self.log.read(&mut reader, place)?;
            let refilled = self.tail.refill(reader.payload(), place.records);
            refilled.ok_or_else(|| self.log.damaged(place))?;
        }
        self.tail.truncate(kept);
        while self.index.blocks() > block {
            if let Some(place) = self.index.pop() {
                self.log.free(place);
            }
        }
        self.log.free_all();
        Ok(())
    }
}
