//! A block's payload while it is made, and while it is read.
//!
//! ```text
//!   fixed width   | element | element | ...                       nothing between them
//!   otherwise     | element | element | ... | end u32 | end u32 |  where each one ends
//! ```
//!
//! Promises: an element is found by its number without looking at the others; ends are checked
//! before they are used.
//! Never: more bytes or records than a block takes, but for one element that is larger alone.

use std::marker::PhantomData;

use super::codec::Spillable;
use crate::error::{Error, Result};
use crate::limits::COLLECTION_BLOCK_BYTES;
use crate::spill::block::HEADER_BYTES;
use crate::units::ByteSize;

/// Payload of a usual block.
pub(super) const PAYLOAD_BYTES: usize = COLLECTION_BLOCK_BYTES - HEADER_BYTES;
/// Elements of a block whose ends are stored: bounds the list of ends.
const ENDS_MAX: usize = 8 << 10;
const END_BYTES: usize = size_of::<u32>();

/// Elements that will be a block.
#[derive(Debug)]
pub(super) struct Page<T> {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    records: u32,
    element: PhantomData<fn() -> T>,
}

impl<T: Spillable> Page<T> {
    pub(super) fn new() -> Self {
        let ends = if T::WIDTH.is_some() { 0 } else { ENDS_MAX };
        Self {
            bytes: Vec::with_capacity(PAYLOAD_BYTES),
            ends: Vec::with_capacity(ends),
            records: 0,
            element: PhantomData,
        }
    }

    /// What one costs, in bytes.
    pub(super) const fn cost_bytes() -> usize {
        match T::WIDTH {
            Some(_) => PAYLOAD_BYTES,
            None => PAYLOAD_BYTES + ENDS_MAX * END_BYTES,
        }
    }

    #[inline]
    pub(super) fn records(&self) -> u32 {
        self.records
    }

    /// Whether an element of `bytes` still fits.
    #[inline]
    pub(super) fn takes(&self, bytes: usize) -> bool {
        let records = self.records as usize;
        match T::WIDTH {
            // What has no bytes must not fill a block with more than a block's count of records.
            Some(_) => self.bytes.len() + bytes <= PAYLOAD_BYTES && records < PAYLOAD_BYTES,
            None => {
                let ends = (records + 1) * END_BYTES;
                self.bytes.len() + bytes + ends <= PAYLOAD_BYTES && records < ENDS_MAX
            }
        }
    }

    /// Whether an element of `bytes` fits into an empty page.
    pub(super) fn ever_takes(bytes: usize) -> bool {
        bytes + if T::WIDTH.is_some() { 0 } else { END_BYTES } <= PAYLOAD_BYTES
    }

    /// Appends an element of `bytes`, for which there is room.
    #[inline]
    pub(super) fn push(&mut self, element: &T, bytes: usize) -> Result<()> {
        let before = self.bytes.len();
        let encoded = element.encode(&mut self.bytes);
        if encoded.is_err() || self.bytes.len() - before != bytes {
            return Err(self.undo(before, bytes, encoded));
        }
        if T::WIDTH.is_none() {
            self.ends.push(narrow(self.bytes.len()));
        }
        self.records += 1;
        Ok(())
    }

    #[cold]
    fn undo(&mut self, before: usize, bytes: usize, encoded: Result<()>) -> Error {
        let wrote = self.bytes.len() - before;
        self.bytes.truncate(before);
        encoded.err().unwrap_or_else(|| wrong_size::<T>(bytes, wrote))
    }

    /// The element with this number.
    pub(super) fn get(&self, number: u32) -> Option<T> {
        let mut bytes = match T::WIDTH {
            Some(width) => fixed(&self.bytes, number, width)?,
            None => {
                let number = number as usize;
                let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
                &self.bytes[start..*self.ends.get(number)? as usize]
            }
        };
        T::decode(&mut bytes)
    }

    /// Drops the elements from this number on.
    pub(super) fn truncate(&mut self, records: u32) {
        if records >= self.records {
            return;
        }
        let end = match T::WIDTH {
            Some(width) => records as usize * width,
            None => {
                self.ends.truncate(records as usize);
                self.ends.last().map_or(0, |end| *end as usize)
            }
        };
        self.bytes.truncate(end);
        self.records = records;
    }

    /// The payload; afterwards the page is cleared, or the payload taken back.
    pub(super) fn payload(&mut self) -> &[u8] {
        for end in &self.ends {
            self.bytes.extend_from_slice(&end.to_le_bytes());
        }
        &self.bytes
    }

    /// Takes [`Page::payload`] back: the page can be filled again.
    pub(super) fn retract(&mut self) {
        if T::WIDTH.is_none() {
            self.bytes.truncate(self.ends.last().map_or(0, |end| *end as usize));
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.records = 0;
    }

    /// Becomes the page whose payload is `payload`; empty and `None` when that is not one.
    pub(super) fn refill(&mut self, payload: &[u8], records: u32) -> Option<()> {
        self.clear();
        let filled = self.fill(payload, records);
        if filled.is_none() {
            self.clear();
        }
        filled
    }

    fn fill(&mut self, payload: &[u8], records: u32) -> Option<()> {
        let elements = elements::<T>(payload, records)?;
        if T::WIDTH.is_none() {
            for number in 0..records {
                self.ends.push(end_at(payload, elements, number, records)?);
            }
        }
        self.bytes.extend_from_slice(&payload[..elements]);
        self.records = records;
        Some(())
    }
}

/// Bytes of the elements in a payload; `None` when it cannot hold as many records.
pub(super) fn elements<T: Spillable>(payload: &[u8], records: u32) -> Option<usize> {
    match T::WIDTH {
        Some(width) => (records as usize * width == payload.len()).then_some(payload.len()),
        None => payload.len().checked_sub(records as usize * END_BYTES),
    }
}

/// One element of a payload.
pub(super) fn element<T: Spillable>(payload: &[u8], number: u32, records: u32) -> Option<T> {
    let elements = elements::<T>(payload, records)?;
    let mut bytes = match T::WIDTH {
        Some(width) => fixed(payload, number, width)?,
        None => {
            let end = end_at(payload, elements, number, records)? as usize;
            let before = number.checked_sub(1);
            let start = before.map_or(Some(0), |n| end_at(payload, elements, n, records))? as usize;
            payload.get(start..end)?
        }
    };
    T::decode(&mut bytes).filter(|_| bytes.is_empty())
}

#[inline]
fn fixed(bytes: &[u8], number: u32, width: usize) -> Option<&[u8]> {
    let start = number as usize * width;
    bytes.get(start..start + width)
}

fn end_at(payload: &[u8], elements: usize, number: u32, records: u32) -> Option<u32> {
    if number >= records {
        return None;
    }
    let ends = payload.get(elements..)?.get(number as usize * END_BYTES..)?;
    let end = u32::from_le_bytes(*ends.first_chunk()?);
    (end as usize <= elements).then_some(end)
}

/// What [`large`] allocates, in bytes.
pub(super) fn large_bytes(bytes: usize) -> u64 {
    (bytes + END_BYTES) as u64
}

/// The payload of an element of `bytes` that gets a block of its own.
pub(super) fn large<T: Spillable>(element: &T, bytes: usize) -> Result<Vec<u8>> {
    let end = u32::try_from(bytes).map_err(|_| {
        let bytes = ByteSize::new(bytes as u64);
        Error::too_large(format!("spilling an element of {bytes}: the largest is 4 GiB"))
    })?;
    let mut payload = Vec::with_capacity(bytes + END_BYTES);
    element.encode(&mut payload)?;
    if payload.len() != bytes {
        return Err(wrong_size::<T>(bytes, payload.len()));
    }
    if T::WIDTH.is_none() {
        payload.extend_from_slice(&end.to_le_bytes());
    }
    Ok(payload)
}

/// A number of records of a page.
pub(super) fn narrow_count(records: u64) -> u32 {
    u32::try_from(records).expect("a block has fewer records than bytes")
}

pub(super) fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a payload is below 4 GiB")
}

/// An element whose implementation of [`Spillable`] contradicts itself.
#[cold]
pub(super) fn wrong_size<T>(announced: usize, wrote: usize) -> Error {
    Error::invalid(format!(
        "encoding a {}: it announced {announced} B and wrote {wrote} B; correct its Spillable",
        std::any::type_name::<T>()
    ))
}
