//! Elements in order, block after block, then those in memory.
//!
//! Promises: read ahead; one element's decoding between two calls; nothing after an error.
//! Never: an element twice.

use super::SpillVec;
use super::spilled::Spilled;
use crate::collections::codec::Spillable;
use crate::collections::page;
use crate::collections::stream::BlockStream;
use crate::error::Result;

/// Goes over the blocks and the tail of a spilled vector.
#[derive(Debug)]
pub(super) struct Cursor {
    stream: BlockStream,
    block: usize,
    /// Where the next element begins in the payload, for elements of fixed width.
    at: usize,
    /// The next element of the block, and their number.
    record: u32,
    records: u32,
    in_tail: bool,
}

impl Cursor {
    pub(super) fn new<T: Spillable>(spilled: &Spilled<T>) -> Result<Self> {
        if let Some(last) = spilled.index.blocks().checked_sub(1) {
            spilled.log.settle(spilled.index.place(last))?;
        }
        let stream = BlockStream::start(&spilled.log)?;
        Ok(Self { stream, block: 0, at: 0, record: 0, records: 0, in_tail: false })
    }

    /// The next element, and `entered` is called for each block before its first one.
    #[inline]
    pub(super) fn next<T: Spillable>(
        &mut self,
        spilled: &Spilled<T>,
        entered: impl FnMut(usize),
    ) -> Option<Result<T>> {
        if (self.record >= self.records || self.in_tail)
            && let Some(ended) = self.advance(spilled, entered)
        {
            return ended;
        }
        let element = match T::WIDTH {
            Some(width) => {
                let bytes = self.stream.payload().get(self.at..self.at + width);
                self.at += width;
                bytes.and_then(|mut bytes| T::decode(&mut bytes))
            }
            None => page::element(self.stream.payload(), self.record, self.records),
        };
        self.record += 1;
        Some(element.ok_or_else(|| spilled.log.damaged(spilled.index.place(self.block))))
    }

    /// Goes to the next block, or takes from the tail: then this is the whole step.
    #[cold]
    #[allow(clippy::option_option, reason = "outer: the step is over; inner: an iterator's")]
    fn advance<T: Spillable>(
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
                    (self.block, self.at, self.record, self.records) = (block, 0, 0, records);
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

/// Elements of a vector, in order. Made by [`SpillVec::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    head: std::slice::Iter<'a, T>,
    spilled: Option<(&'a Spilled<T>, Cursor)>,
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
