//! Rows on their way from a segment to a table: keys, and cells of the columns that are read.
//!
//! ```text
//!   keys   |key|key|key|...    cells  |qty price|qty price|...    texts  |max's|..
//!   hashes |  8 bytes each |
//! ```
//!
//! Finding the groups of many rows before any of them is added lets the processor wait for
//! several places in memory at one time.
//!
//! Promises: a row is in whole or not at all; its memory is reserved before it is taken.
//! Never: more rows than [`BATCH_ROWS`].

use super::Work;
use super::columns::{Cell, Scratch, push_key};
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::expr;
use crate::record::{Row, ValueRef};
use crate::scan::RawRecord;

/// Rows whose groups are looked for at one time.
pub(super) const BATCH_ROWS: usize = 256;
/// Keys and texts at which a batch is full.
const TEXT_BYTES: usize = 24 << 10;
/// What a new batch holds beside its cells: keys and texts, hashes and ends.
const FIXED_BYTES: usize = 96 << 10;

/// What a new batch holds, with cells of `reads` columns.
pub(super) const fn batch_bytes(reads: usize) -> usize {
    FIXED_BYTES + (BATCH_ROWS + 1) * reads * size_of::<Cell>()
}

/// Rows of one segment.
#[derive(Debug)]
pub(super) struct Batch {
    keys: Vec<u8>,
    key_ends: Vec<u32>,
    hashes: Vec<u64>,
    cells: Vec<Cell>,
    texts: String,
    scratch: Scratch,
    width: usize,
    reservation: Reservation,
}

impl Batch {
    pub(super) fn new(width: usize, consumer: &Consumer) -> Result<Self> {
        let reservation = consumer.try_reserve(batch_bytes(width) as u64)?;
        Ok(Self {
            keys: Vec::with_capacity(TEXT_BYTES * 3 / 2),
            key_ends: Vec::with_capacity(BATCH_ROWS),
            hashes: Vec::with_capacity(BATCH_ROWS),
            cells: Vec::with_capacity(BATCH_ROWS * width + width),
            texts: String::with_capacity(TEXT_BYTES * 3 / 2),
            scratch: Scratch::default(),
            width,
            reservation,
        })
    }

    /// Adds the row of `record` if the filter lets it pass.
    #[inline]
    pub(super) fn push(&mut self, work: &Work, record: &RawRecord<'_>) -> Result<()> {
        let length = record.text().len() + 16;
        if self.keys.capacity() - self.keys.len() < length
            || self.texts.capacity() - self.texts.len() < length
        {
            self.make_room(length)?;
        }
        let (cells, texts) = (self.cells.len(), self.texts.len());
        let (filtered, measured) = work.reads.split_at(work.filter_reads);
        for source in filtered {
            self.cells.push(source.cell(record, &mut self.scratch, &mut self.texts)?);
        }
        if let Some(filter) = &work.filter {
            let row = BatchRow { cells: &self.cells[cells..], texts: &self.texts };
            if !expr::matches(filter, &row)? {
                self.cells.truncate(cells);
                self.texts.truncate(texts);
                return Ok(());
            }
        }
        for source in measured {
            self.cells.push(source.cell(record, &mut self.scratch, &mut self.texts)?);
        }
        let start = self.keys.len();
        push_key(&work.keys, record, &mut self.scratch, &mut self.keys)?;
        if work.skip_null && self.keys[start..] == [0] {
            self.keys.truncate(start);
            self.cells.truncate(cells);
            self.texts.truncate(texts);
            return Ok(());
        }
        self.hashes.push(work.hash(&self.keys[start..]));
        // A batch is below 4 GiB, for a segment is.
        self.key_ends.push(u32::try_from(self.keys.len()).expect("a batch is below 4 GiB"));
        Ok(())
    }

    /// Room for one more record of `length` bytes. Numbers may be written longer than they
    /// stand, but by fewer bytes than a record has.
    #[cold]
    fn make_room(&mut self, length: usize) -> Result<()> {
        let wanted = (self.keys.len().max(self.texts.len()) + 2 * length).next_power_of_two();
        // Keys, texts and the scratch of a quoted field; growing holds the old beside the new.
        let needed = (batch_bytes(self.width) + 5 * wanted) as u64;
        if needed > self.reservation.bytes() {
            self.reservation.try_grow(needed - self.reservation.bytes())?;
        }
        self.keys.reserve_exact(wanted.saturating_sub(self.keys.len()));
        self.texts.reserve_exact(wanted.saturating_sub(self.texts.len()));
        Ok(())
    }

    /// Whether it is time to take the rows out.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.hashes.len() == BATCH_ROWS || self.keys.len().max(self.texts.len()) > TEXT_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.key_ends.clear();
        self.hashes.clear();
        self.cells.clear();
        self.texts.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Of the rows from `row` on.
    pub(super) fn hashes(&self, row: usize) -> &[u64] {
        &self.hashes[row..]
    }

    #[inline]
    pub(super) fn key(&self, row: usize) -> (u64, &[u8]) {
        let start = if row == 0 { 0 } else { self.key_ends[row - 1] as usize };
        (self.hashes[row], &self.keys[start..self.key_ends[row] as usize])
    }

    /// What all texts of the rows take.
    pub(super) fn text_bytes(&self) -> usize {
        self.texts.len()
    }

    #[inline]
    pub(super) fn row(&self, row: usize) -> BatchRow<'_> {
        let cells = &self.cells[row * self.width..(row + 1) * self.width];
        BatchRow { cells, texts: &self.texts }
    }
}

/// One row, with the columns that are read as its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchRow<'b> {
    cells: &'b [Cell],
    texts: &'b str,
}

impl Row for BatchRow<'_> {
    fn width(&self) -> usize {
        self.cells.len()
    }

    #[inline]
    fn value(&self, position: usize) -> Result<ValueRef<'_>> {
        Ok(self.cells[position].value(self.texts))
    }
}
