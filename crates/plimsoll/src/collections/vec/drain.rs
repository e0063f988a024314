//! Elements taken out, in order.
//!
//! Promises: a block's place goes back to the disk when the block after it is begun.
//! Never: an element left in the vector.

use super::SpillVec;
use super::iter::Cursor;
use super::spilled::Spilled;
use crate::collections::codec::Spillable;
use crate::collections::held::Held;
use crate::error::Result;

/// The elements of a vector that is empty from now on. Made by [`SpillVec::drain`].
#[derive(Debug)]
pub struct Drain<T> {
    head: std::vec::IntoIter<T>,
    spilled: Option<(Box<Spilled<T>>, Cursor<T>)>,
    _held: Held,
}

impl<T: Spillable> Drain<T> {
    pub(super) fn new(vec: &mut SpillVec<T>) -> Result<Self> {
        let cursor = vec.spilled.as_ref().map(|spilled| Cursor::new(spilled)).transpose()?;
        let empty = Held::new(&vec.consumer)?;
        vec.owned_bytes = 0;
        Ok(Self {
            head: std::mem::take(&mut vec.head).into_iter(),
            spilled: vec.spilled.take().zip(cursor),
            _held: std::mem::replace(&mut vec.held, empty),
        })
    }
}

impl<T: Spillable> Iterator for Drain<T> {
    type Item = Result<T>;

    #[inline]
    fn next(&mut self) -> Option<Result<T>> {
        let Some((spilled, cursor)) = &mut self.spilled else {
            return self.head.next().map(Ok);
        };
        let next = cursor.next(spilled, |block| {
            if let Some(before) = block.checked_sub(1) {
                spilled.log.free(spilled.index.place(before));
            }
        });
        if !matches!(next, Some(Ok(_))) {
            self.spilled = None;
        }
        next
    }
}
