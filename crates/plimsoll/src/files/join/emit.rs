//! Rows of both sides put together, in frames for the output.
//!
//! Promises: a frame is reserved with its worker; a row longer than it is reserved before it is
//! made.
//! Never: a row handed over in parts.

use super::super::turns::Turns;
use crate::budget::{Consumer, Reservation};
use crate::error::Result;

/// What every row of the output ends with.
#[derive(Debug)]
pub(super) struct RowShape {
    pub(super) line_end: &'static [u8],
    /// The right piece of a left row without a match: its delimiters.
    pub(super) nulls: Vec<u8>,
}

/// A worker's rows on their way to the output.
pub(super) struct Emitter<'a> {
    shape: &'a RowShape,
    turns: &'a Turns<'a>,
    /// The segment whose turn is waited for; without one rows are written as they come.
    segment: Option<u64>,
    frame: Vec<u8>,
    frame_bytes: usize,
    pub(super) rows: u64,
    held: Reservation,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        shape: &'a RowShape,
        turns: &'a Turns<'a>,
        frame_bytes: usize,
        consumer: &Consumer,
    ) -> Result<Self> {
        let held = consumer.try_reserve(frame_bytes as u64)?;
        let frame = Vec::with_capacity(frame_bytes);
        Ok(Self { shape, turns, segment: None, frame, frame_bytes, rows: 0, held })
    }

    /// Rows from here on stand in the place of this segment.
    pub(super) fn begin(&mut self, segment: u64) {
        self.segment = Some(segment);
    }

    /// Writes what is left of the segment.
    pub(super) fn end(&mut self) -> Result<()> {
        let segment = self.segment.take().expect("a segment was begun");
        self.turns.write_in_turn(segment, &self.frame, true)?;
        self.frame.clear();
        Ok(())
    }

    /// A left row and its match.
    #[inline]
    pub(super) fn row(&mut self, left: &[u8], right: &[u8]) -> Result<()> {
        let bytes = left.len() + right.len() + self.shape.line_end.len();
        if self.frame.len() + bytes > self.frame_bytes {
            self.make_room(bytes)?;
        }
        self.frame.extend_from_slice(left);
        self.frame.extend_from_slice(right);
        self.frame.extend_from_slice(self.shape.line_end);
        self.rows += 1;
        Ok(())
    }

    /// A left row that has no match.
    pub(super) fn alone(&mut self, left: &[u8]) -> Result<()> {
        let shape = self.shape;
        self.row(left, &shape.nulls)
    }

    fn make_room(&mut self, bytes: usize) -> Result<()> {
        self.flush()?;
        if bytes > self.frame_bytes {
            self.held.try_grow((bytes - self.frame_bytes) as u64)?;
            self.frame.reserve_exact(bytes);
            self.frame_bytes = bytes;
        }
        Ok(())
    }

    /// Writes what there is.
    pub(super) fn flush(&mut self) -> Result<()> {
        match self.segment {
            Some(segment) => self.turns.write_in_turn(segment, &self.frame, false)?,
            None => self.turns.write(&self.frame)?,
        }
        self.frame.clear();
        Ok(())
    }
}
