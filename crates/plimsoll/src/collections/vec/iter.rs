//! Elements in order, block after block, then those in memory.
//!
//! Promises: read ahead; a few KiB decoded at a time; nothing after an error.
//! Never: an element twice.

use super::SpillVec;
use super::spilled::Spilled;
use crate::budget::Reservation;
use crate::collections::codec::Spillable;
use crate::collections::page;
use crate::collections::stream::BlockStream;
use crate::error::Result;

/// Bytes of elements that are decoded at a time: they stay in the first cache.
const BATCH_BYTES: usize = 8 << 10;

/// Goes over the blocks and the tail of a spilled vector.
#[derive(Debug)]
pub(super) struct Cursor<T> {
    stream: BlockStream,
    block: usize,
    /// Elements of fixed width that are decoded already, the next one last.
    batch: Vec<T>,
    /// The element of the block that is decoded next, and their number.
    record: u32,
    records: u32,
    in_tail: bool,
    _batch_held: Reservation,
}

impl<T: Spillable> Cursor<T> {
    pub(super) fn new(spilled: &Spilled<T>) -> Result<Self> {
        if let Some(last) = spilled.index.blocks().checked_sub(1) {
            spilled.log.settle(spilled.index.place(last))?;
        }
        // Without a width, or with one of nothing, elements are decoded one by one.
        let batch = if T::WIDTH.is_some_and(|width| width > 0) { Self::batch_items() } else { 0 };
        let held = spilled.log.consumer().try_reserve((batch * size_of::<T>()) as u64)?;
        Ok(Self {
            stream: BlockStream::start(&spilled.log)?,
            block: 0,
            batch: Vec::with_capacity(batch),
            record: 0,
            records: 0,
            in_tail: false,
            _batch_held: held,
        })
    }

    fn batch_items() -> usize {
        (BATCH_BYTES / size_of::<T>().max(1)).max(1)
    }

    /// The next element, and `entered` is called for each block before its first one.
    #[inline]
    pub(super) fn next(
        &mut self,
        spilled: &Spilled<T>,
        entered: impl FnMut(usize),
    ) -> Option<Result<T>> {
        match self.batch.pop() {
            Some(element) => Some(Ok(element)),
            None => self.decode(spilled, entered),
        }
    }

    /// Decodes the next elements of the block, or of the next one, and gives the first of them.
    #[inline(never)]
    fn decode(&mut self, spilled: &Spilled<T>, entered: impl FnMut(usize)) -> Option<Result<T>> {
        if (self.record >= self.records || self.in_tail)
            && let Some(ended) = self.advance(spilled, entered)
        {
            return ended;
        }
        let payload = self.stream.payload();
        let element = match T::WIDTH {
            Some(width) if width > 0 => {
                let items = (self.records - self.record).min(page::narrow(Self::batch_items()));
                let start = self.record as usize * width;
                let bytes = payload.get(start..start + items as usize * width);
                self.record += items;
                let decoded = bytes.is_some_and(|bytes| decode_all(bytes, width, &mut self.batch));
                if decoded { self.batch.pop() } else { None }
            }
            _ => {
                self.record += 1;
                page::element(payload, self.record - 1, self.records)
            }
        };
        Some(element.ok_or_else(|| spilled.log.damaged(spilled.index.place(self.block))))
    }

    /// Goes to the next block, or takes from the tail: then this is the whole step.
    #[cold]
    #[allow(clippy::option_option, reason = "outer: the step is over; inner: an iterator's")]
    fn advance(
        &mut self,
        spilled: &Spilled<T>,
        mut entered: impl FnMut(usize),
    ) -> Option<Option<Result<T>>> {
        if !self.in_tail {
            let index = &spilled.index;
            let next = self.stream.next(&spilled.log, index.blocks(), |block| index.place(block));
            match next {
                Ok(Some(block)) => {
                    let records = index.place(block).records;
                    (self.block, self.record, self.records) = (block, 0, records);
                    entered(block);
                    let whole = page::elements::<T>(self.stream.payload(), records);
                    return match whole {
                        Some(_) => None,
                        None => Some(Some(Err(spilled.log.damaged(index.place(block))))),
                    };
                }
                Ok(None) => (self.in_tail, self.record) = (true, 0),
                Err(error) => return Some(Some(Err(error))),
            }
        }
        if self.record >= spilled.tail.records() {
            return Some(None);
        }
        let element = spilled.tail.get(self.record).expect("the tail holds what was put there");
        self.record += 1;
        Some(Some(Ok(element)))
    }
}

/// Appends elements of this width, the last one first; false when one of them is none.
fn decode_all<T: Spillable>(bytes: &[u8], width: usize, batch: &mut Vec<T>) -> bool {
    for mut element in bytes.rchunks_exact(width) {
        let Some(element) = T::decode(&mut element) else {
            batch.clear();
            return false;
        };
        batch.push(element);
    }
    true
}

/// Elements of a vector, in order. Made by [`SpillVec::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    head: std::slice::Iter<'a, T>,
    spilled: Option<(&'a Spilled<T>, Cursor<T>)>,
}

impl<'a, T: Spillable + Clone> Iter<'a, T> {
    pub(super) fn new(vec: &'a SpillVec<T>) -> Result<Self> {
        let spilled = match &vec.spilled {
            Some(spilled) => Some((&**spilled, Cursor::new(spilled)?)),
            None => None,
        };
        Ok(Self { head: vec.head.iter(), spilled })
    }
}

impl<T: Spillable + Clone> Iterator for Iter<'_, T> {
    type Item = Result<T>;

    #[inline]
    fn next(&mut self) -> Option<Result<T>> {
        let Some((spilled, cursor)) = &mut self.spilled else {
            return self.head.next().cloned().map(Ok);
        };
        let next = cursor.next(spilled, |_| {});
        if !matches!(next, Some(Ok(_))) {
            self.spilled = None;
        }
        next
    }
}
