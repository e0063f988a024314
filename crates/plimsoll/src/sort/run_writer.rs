//! Writes sorted runs: records into blocks, blocks into requests, and the index beside them.
//!
//! ```text
//!   push ─> | block | block | block |..   ─ full ─> lane ── one request ──> file
//!             └ ended: compressed             └ placed, sealed, noted in the index
//! ```
//!
//! A merge wants small blocks, for it holds one of each run; a disk wants large requests. So a
//! request takes as many blocks as fit into it.
//!
//! Promises: a record larger than a block gets a block of its own; memory is the request's, one
//! block's where a codec is used, and a page's.
//! Never: a record across two blocks.

use std::sync::Arc;

use super::arena::{Arena, PREFIX_BYTES, Sorted};
use super::index::{BlockEntry, IndexWriter};
use super::run::{InputOrder, RunRecord, SortedRun};
use super::run_list::{RunList, RunPlace};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::spill::block::{self, HEADER_BYTES, Header};
use crate::spill::{
    BlockPlace, BlockTarget as _, Codec, LENGTH_BYTES_MAX, Packer, SpillFile, WriteLane,
    length_bytes, put_length,
};
use crate::storage::{AlignedBytes, SECTOR_BYTES, sectors};
use crate::units::ByteSize;

/// Writes a sorted run.
pub struct SortedRunWriter {
    file: Arc<SpillFile>,
    consumer: Consumer,
    list: Option<Arc<RunList>>,
    /// `None` only while the lane exchanges it, and after it refused to.
    request: Option<AlignedBytes>,
    packer: Option<Packer>,
    block_bytes: usize,
    /// Where the block being filled begins in the request.
    begin: usize,
    /// Where its next record goes.
    used: usize,
    records: u32,
    first: FirstKey,
    /// Blocks of the request that have ended.
    ended: Vec<Ended>,
    index: IndexWriter,
    shape: RunRecord,
    reservation: Reservation,
}

/// The beginning of a block's first key, and the bytes of rows before it.
#[derive(Clone, Copy, Debug, Default)]
struct FirstKey {
    prefix: u128,
    row_bytes_before: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    begin: usize,
    header: Header,
    first: FirstKey,
}

impl SortedRunWriter {
    /// What a writer reserves, in bytes.
    #[must_use]
    pub const fn cost_bytes(block_bytes: usize, request_bytes: usize, codec: Codec) -> usize {
        AlignedBytes::cost_bytes(request_bytes)
            + Packer::cost_bytes(codec, block_bytes)
            + request_bytes / SECTOR_BYTES * size_of::<Ended>()
            + IndexWriter::cost_bytes()
    }

    /// Begins a run of blocks of `block_bytes`, written in requests of `request_bytes`, which must
    /// be the lane's.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`].
    pub fn new(
        file: &Arc<SpillFile>,
        codec: Codec,
        consumer: &Consumer,
        (block_bytes, request_bytes): (usize, usize),
    ) -> Result<Self> {
        assert!(block_bytes <= request_bytes, "a request has room for a block");
        // The index and the packer reserve for themselves.
        let none = Self::cost_bytes(block_bytes, request_bytes, Codec::None);
        let cost = none - IndexWriter::cost_bytes();
        let reservation = consumer.try_reserve(cost as u64)?;
        Ok(Self {
            file: Arc::clone(file),
            consumer: consumer.clone(),
            list: None,
            request: Some(AlignedBytes::zeroed(request_bytes)),
            packer: Packer::new(codec, block_bytes, consumer)?,
            block_bytes,
            begin: 0,
            used: HEADER_BYTES,
            records: 0,
            first: FirstKey::default(),
            ended: Vec::with_capacity(request_bytes / SECTOR_BYTES),
            index: IndexWriter::new(consumer)?,
            shape: RunRecord::EMPTY,
            reservation,
        })
    }

    /// The same, with room for its runs from a list.
    pub(crate) fn listed(mut self, list: &Arc<RunList>) -> Self {
        self.list = Some(Arc::clone(list));
        self
    }

    /// Appends a row; rows come in order.
    ///
    /// # Errors
    /// Those of writing and of the quota; [`crate::ErrorKind::OutOfBudget`] for a row larger than
    /// a block that no buffer can be reserved for.
    #[inline]
    pub fn push(&mut self, lane: &mut WriteLane, sorted: Sorted<'_>) -> Result<()> {
        let record = Record::new(sorted);
        let room = self.begin + self.block_bytes - self.used;
        if LENGTH_BYTES_MAX + record.bytes > room {
            self.end_block();
            self.make_room(lane)?;
            if HEADER_BYTES + LENGTH_BYTES_MAX + record.bytes > self.block_bytes {
                return self.push_alone(lane, &record);
            }
        }
        if self.records == 0 {
            self.first = FirstKey { prefix: sorted.prefix, row_bytes_before: self.shape.row_bytes };
        }
        let request = self.request.as_mut().ok_or_else(failed_before)?;
        self.used = record.write(request, self.used);
        self.records += 1;
        self.shape.row_bytes += sorted.row.len() as u64;
        Ok(())
    }

    /// Writes a record that is larger than a block, in a block of its own and at once.
    #[cold]
    fn push_alone(&mut self, lane: &mut WriteLane, record: &Record<'_>) -> Result<()> {
        self.write(lane)?;
        let whole = sectors(HEADER_BYTES + LENGTH_BYTES_MAX + record.bytes);
        if u32::try_from(whole).is_err() {
            return Err(Error::too_large(format!(
                "spilling a row of {}: the largest is 4 GiB",
                ByteSize::new(record.bytes as u64)
            )));
        }
        let cost = AlignedBytes::cost_bytes(whole) as u64;
        self.reservation.try_grow(cost)?;
        let mut block = AlignedBytes::zeroed(whole);
        let end = record.write(&mut block, HEADER_BYTES);
        let header = header(Codec::None, end - HEADER_BYTES, end - HEADER_BYTES, 1);
        let first =
            FirstKey { prefix: record.sorted.prefix, row_bytes_before: self.shape.row_bytes };
        // A short length may leave the last sector without a byte.
        let written = self.file.extent(sectors(end) as u64).and_then(|offset| {
            let sealed = block::seal(&mut block, header, self.file.tag() ^ offset);
            self.file.write(&block[..sealed], offset)?;
            self.note(offset, sealed, header, first)
        });
        drop(block);
        self.reservation.shrink(cost);
        self.shape.row_bytes += record.sorted.row.len() as u64;
        written
    }

    /// Ends the block being filled, if it holds anything.
    fn end_block(&mut self) {
        let Some(request) = self.request.as_mut().filter(|_| self.records > 0) else { return };
        let payload = self.begin + HEADER_BYTES..self.used;
        let mut header = header(Codec::None, payload.len(), payload.len(), self.records);
        let packer = self.packer.as_mut();
        if let Some((codec, stored)) = packer.and_then(|p| p.pack(&request[payload.clone()])) {
            header = self::header(codec, stored.len(), payload.len(), self.records);
            request[payload][..stored.len()].copy_from_slice(stored);
        }
        self.ended.push(Ended { begin: self.begin, header, first: self.first });
        self.begin += sectors(HEADER_BYTES + header.stored as usize);
        self.used = self.begin + HEADER_BYTES;
        self.records = 0;
    }

    /// Sees to it that another block fits into the request.
    fn make_room(&mut self, lane: &mut WriteLane) -> Result<()> {
        let request = self.request.as_ref().ok_or_else(failed_before)?;
        if self.begin + self.block_bytes > request.len() { self.write(lane) } else { Ok(()) }
    }

    /// Hands the ended blocks to the lane.
    fn write(&mut self, lane: &mut WriteLane) -> Result<()> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let bytes = self.begin;
        let offset = self.file.extent(bytes as u64)?;
        let mut full = self.request.take().ok_or_else(failed_before)?;
        let mut ended = std::mem::take(&mut self.ended);
        for Ended { begin, header, first } in ended.drain(..) {
            let at = offset + begin as u64;
            let sealed = block::seal(&mut full[begin..bytes], header, self.file.tag() ^ at);
            self.note(at, sealed, header, first)?;
        }
        self.ended = ended;
        self.request = Some(lane.exchange(self.file.clone(), offset, full, 0..bytes)?);
        (self.begin, self.used) = (0, HEADER_BYTES);
        Ok(())
    }

    fn note(&mut self, offset: u64, whole: usize, header: Header, first: FirstKey) -> Result<()> {
        let bytes = u32::try_from(whole).map_err(|_| Error::too_large("a block above 4 GiB"))?;
        let place = BlockPlace { offset, bytes, records: header.records };
        self.index
            .push(&self.file, &BlockEntry::new(place, first.prefix, first.row_bytes_before))?;
        let shape = &mut self.shape;
        shape.blocks += 1;
        shape.rows += u64::from(header.records);
        shape.block_bytes_max = shape.block_bytes_max.max(bytes);
        if header.codec != Codec::None.number() {
            shape.plain_bytes_max = shape.plain_bytes_max.max(header.payload);
            shape.codec = header.codec;
        }
        Ok(())
    }

    /// Writes all of a sorted arena.
    ///
    /// # Errors
    /// As [`SortedRunWriter::push`].
    pub fn push_all(&mut self, lane: &mut WriteLane, arena: &Arena) -> Result<()> {
        arena.iter().try_for_each(|sorted| self.push(lane, sorted))
    }

    /// Ends the run, waits until it is written, and begins another with the same buffers.
    ///
    /// # Errors
    /// Those of writing and of the quota.
    pub fn cut(&mut self, lane: &mut WriteLane, order: InputOrder) -> Result<SortedRun> {
        self.end_block();
        self.write(lane)?;
        // In this order, so that a failure at the nth write can be replayed.
        lane.settle()?;
        self.shape.first_page = self.index.finish(&self.file)?;
        let shape = std::mem::replace(&mut self.shape, RunRecord::EMPTY);
        let place = match &self.list {
            Some(list) => list.take(&self.consumer)?,
            None => RunPlace::alone(&self.consumer)?,
        };
        Ok(SortedRun::new(&self.file, shape, order, place))
    }
}

/// A row as it is written.
struct Record<'a> {
    sorted: Sorted<'a>,
    bytes: usize,
}

impl<'a> Record<'a> {
    #[inline]
    fn new(sorted: Sorted<'a>) -> Self {
        let head_bytes = length_bytes(sorted.extra.len()) + PREFIX_BYTES;
        Self { sorted, bytes: head_bytes + sorted.extra.len() + sorted.row.len() }
    }

    /// Writes it at `at`; returns where it ends.
    ///
    /// Each part goes straight to its place: rows lie anywhere in an arena, and a head that was put
    /// together elsewhere and read back at once would wait for the row before.
    #[inline]
    fn write(&self, to: &mut [u8], at: usize) -> usize {
        let Sorted { prefix, extra, row } = self.sorted;
        let at = put_length(to, at, self.bytes);
        let at = put_length(to, at, extra.len());
        let key_at = at + PREFIX_BYTES;
        to[at..key_at].copy_from_slice(&prefix.to_be_bytes());
        let row_at = key_at + extra.len();
        if !extra.is_empty() {
            to[key_at..row_at].copy_from_slice(extra);
        }
        to[row_at..row_at + row.len()].copy_from_slice(row);
        row_at + row.len()
    }
}

fn header(codec: Codec, stored: usize, payload: usize, records: u32) -> Header {
    let narrow = |n: usize| u32::try_from(n).expect("blocks are below 4 GiB");
    Header { codec: codec.number(), stored: narrow(stored), payload: narrow(payload), records }
}

fn failed_before() -> Error {
    Error::io("writing a run", std::io::Error::other("an earlier block was not written"))
}
