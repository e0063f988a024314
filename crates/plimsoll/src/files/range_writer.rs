//! Writes one contiguous range of a file through a lane, in aligned blocks.
//!
//! ```text
//!   file:   ....|.......range of writer 0.......|......range of writer 1......
//!   sectors |       |       |       |       |       |       |       |       |
//!   blocks       [ first ][   whole, direct  ][ last ]
//! ```
//!
//! Only the first and the last block of a range are not whole sectors; they go through the page
//! cache, where two writers share a sector without harm.
//!
//! Promises: the bytes given, at the range's offset, in order.
//! Never: a byte outside the range.

use std::io;
use std::sync::Arc;

use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::spill::{BlockTarget, Codec, WriteLane};
use crate::storage::{AlignedBytes, SECTOR_BYTES};

/// A writer of one range.
#[derive(Debug)]
pub(super) struct RangeWriter {
    target: Arc<dyn BlockTarget>,
    lane: WriteLane,
    /// `None` while the lane exchanges it, and after it refused to.
    current: Option<AlignedBytes>,
    /// Offset in the file of the buffer's first byte, a whole sector.
    offset: u64,
    /// Bytes at the buffer's start that belong to whoever wrote before.
    skip: usize,
    used: usize,
    _reservation: Reservation,
}

impl RangeWriter {
    /// A writer that begins at `offset` of `target`.
    pub(super) fn start(
        target: Arc<dyn BlockTarget>,
        offset: u64,
        consumer: &Consumer,
        block_bytes: usize,
        spares: usize,
    ) -> Result<Self> {
        let cost = AlignedBytes::cost_bytes(block_bytes) as u64;
        let reservation = consumer.try_reserve(cost)?;
        let within = offset % SECTOR_BYTES as u64;
        let skip = usize::try_from(within).expect("below a sector");
        Ok(Self {
            target,
            lane: WriteLane::start(consumer, block_bytes, spares, Codec::None)?,
            current: Some(AlignedBytes::zeroed(block_bytes)),
            offset: offset - within,
            skip,
            used: skip,
            _reservation: reservation,
        })
    }

    /// Appends bytes.
    #[inline]
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let current = self.current.as_mut().ok_or_else(failed_before)?;
            let room = current.len() - self.used;
            if bytes.len() <= room {
                current[self.used..self.used + bytes.len()].copy_from_slice(bytes);
                self.used += bytes.len();
                return Ok(());
            }
            let (now, later) = bytes.split_at(room);
            current[self.used..].copy_from_slice(now);
            self.used += room;
            bytes = later;
            self.flush()?;
        }
    }

    fn flush(&mut self) -> Result<()> {
        let full = self.current.take().ok_or_else(failed_before)?;
        let range = self.skip..self.used;
        let offset = self.offset + self.skip as u64;
        let next = self.lane.exchange(Arc::clone(&self.target), offset, full, range)?;
        self.current = Some(next);
        self.offset += self.used as u64;
        (self.skip, self.used) = (0, 0);
        Ok(())
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    /// Waits until all is written; returns the offset behind the last byte.
    pub(super) fn finish(mut self) -> Result<u64> {
        let end = self.position();
        if self.used > self.skip {
            // Whole sectors go the direct way, what is left goes through the cache.
            let whole = self.used / SECTOR_BYTES * SECTOR_BYTES;
            let full = self.current.take().ok_or_else(failed_before)?;
            if whole < self.used {
                let from = whole.max(self.skip);
                self.target.write(&full[from..self.used], self.offset + from as u64)?;
            }
            if whole > self.skip {
                let offset = self.offset + self.skip as u64;
                let range = self.skip..whole;
                self.lane.exchange(Arc::clone(&self.target), offset, full, range)?;
            }
        }
        self.lane.settle()?;
        Ok(end)
    }
}

impl io::Write for RangeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A compressor that is dropped after a failure still tries to write its end.
fn failed_before() -> Error {
    Error::io("writing", io::Error::other("an earlier block was not written"))
}

/// The library's error out of one that went through [`io::Write`].
pub(super) fn unwrapped(what: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(error) => Error::io(what, error),
    }
}
