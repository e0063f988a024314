//! A table: records in order of their keys' hashes, in pages of a sector.
//!
//! ```text
//!   directory, in memory   | hash, sector | hash, sector | ...     8 bytes a page
//!   filter, in memory      10 bits a key
//!   file                   | page | page | page of two sectors | ...
//!                            └─ block: header, records by (hash, key)
//! ```
//!
//! Promises: written once; a key is looked for in one page, or in two where a page ends inside
//! equal beginnings of hashes; dropping a table gives its place back.
//! Never: a record across two pages; a key twice.

use std::sync::Arc;

use super::filter::Filter;
use super::record::{put_record, record_bytes, take_record};
use crate::budget::{Consumer, Reservation};
use crate::collections::block_log::BlockLog;
use crate::collections::held::{Held, room_for_one};
use crate::error::{Error, Result};
use crate::spill::block::{self, HEADER_BYTES};
use crate::spill::{BlockPlace, SpillFile};
use crate::storage::{AlignedBytes, SECTOR_BYTES, sectors};

/// Payload of a usual page.
const PAGE_BYTES: usize = SECTOR_BYTES - HEADER_BYTES;

#[derive(Debug)]
pub(super) struct Table {
    file: Arc<SpillFile>,
    /// Where the table begins in the file, and its sectors.
    offset: u64,
    sectors: u32,
    pages: Vec<Page>,
    filter: Filter,
    /// Records of it, with those that mark a removal.
    pub(super) records: u64,
    /// Of the records.
    pub(super) bytes: u64,
    /// How often its records have been merged.
    pub(super) level: u32,
    held: Held,
}

/// Where a page is: it ends where the next one begins.
#[derive(Clone, Copy, Debug)]
struct Page {
    /// The upper half of the first record's hash.
    hash: u32,
    sector: u32,
}

#[allow(clippy::cast_possible_truncation)] // that is what it is for
fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

impl Table {
    /// Bytes in memory.
    pub(super) fn index_bytes(&self) -> u64 {
        self.filter.bytes() + self.held.used()
    }

    /// Number of pages.
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Where a page is in the file, and its bytes.
    pub(super) fn page(&self, number: usize) -> (u64, usize) {
        let sector = self.pages[number].sector;
        let end = self.pages.get(number + 1).map_or(self.sectors, |next| next.sector);
        let bytes = (end - sector) as usize * SECTOR_BYTES;
        (self.offset + u64::from(sector) * SECTOR_BYTES as u64, bytes)
    }

    /// Shows `look` the records with this key, of which there is at most one.
    pub(super) fn find<R>(
        &self,
        buffer: &mut PageBuffer,
        hash: u64,
        key: &[u8],
        look: impl FnOnce(Option<&[u8]>, usize) -> Result<R>,
    ) -> Result<Option<R>> {
        if !self.filter.may_hold(hash) {
            return Ok(None);
        }
        let wanted = upper(hash);
        let first = self.pages.partition_point(|page| page.hash < wanted).saturating_sub(1);
        for number in first..self.pages.len() {
            if self.pages[number].hash > wanted {
                break;
            }
            let (offset, bytes) = self.page(number);
            let mut rest = buffer.read(&self.file, offset, bytes)?;
            while !rest.is_empty() {
                let record = take_record(&mut rest).ok_or_else(|| self.damaged(number))?;
                if record.key == key {
                    return look(record.value, record.bytes).map(Some);
                }
            }
        }
        Ok(None)
    }

    pub(super) fn file(&self) -> &SpillFile {
        &self.file
    }

    pub(super) fn damaged(&self, page: usize) -> Error {
        block::refuse(&self.file.place(self.page(page).0), "a record is cut off")
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.sectors > 0 {
            self.file.free(self.offset, u64::from(self.sectors) * SECTOR_BYTES as u64);
        }
    }
}

/// Room for pages that are read, from the system's page cache where it has them.
#[derive(Debug)]
pub(super) struct PageBuffer {
    consumer: Consumer,
    /// What it was made for, and comes back to after a larger page.
    usual_bytes: usize,
    bytes: AlignedBytes,
    reservation: Reservation,
}

/// Reads that begin here in aligned memory are not aligned, so they go through the page cache.
const ODD: usize = 1;

impl PageBuffer {
    /// Room for `bytes` of pages.
    pub(super) fn new(consumer: &Consumer, bytes: usize) -> Result<Self> {
        let reservation = consumer.try_reserve(Self::cost_bytes(bytes))?;
        let room = AlignedBytes::zeroed(bytes + SECTOR_BYTES);
        let consumer = consumer.clone();
        Ok(Self { consumer, usual_bytes: bytes, bytes: room, reservation })
    }

    fn cost_bytes(bytes: usize) -> u64 {
        AlignedBytes::cost_bytes(bytes + SECTOR_BYTES) as u64
    }

    fn fit(&mut self, bytes: usize) -> Result<()> {
        let wanted = bytes.max(self.usual_bytes);
        let too_large = self.bytes.len() > self.usual_bytes + SECTOR_BYTES;
        if wanted + SECTOR_BYTES > self.bytes.len() || (too_large && wanted == self.usual_bytes) {
            let reservation = self.consumer.try_reserve(Self::cost_bytes(wanted))?;
            self.bytes = AlignedBytes::zeroed(wanted + SECTOR_BYTES);
            self.reservation = reservation;
        }
        Ok(())
    }

    /// Fills `bytes` of it from the file.
    pub(super) fn load(&mut self, file: &SpillFile, offset: u64, bytes: usize) -> Result<()> {
        self.fit(bytes)?;
        file.read(&mut self.bytes[ODD..ODD + bytes], offset)
    }

    /// The records of the page of `bytes` that lies `at` bytes into what was loaded.
    pub(super) fn open(
        &mut self,
        file: &SpillFile,
        offset: u64,
        at: usize,
        bytes: usize,
    ) -> Result<&[u8]> {
        let page = &mut self.bytes[ODD + at..ODD + at + bytes];
        let refuse = |why: &str| block::refuse(&file.place(offset), why);
        let header = block::open(page, file.tag() ^ offset).map_err(refuse)?;
        if header.stored != header.payload {
            return Err(refuse("its codec is unknown"));
        }
        Ok(&page[HEADER_BYTES..HEADER_BYTES + header.stored as usize])
    }

    /// The part of an opened page from `start` to `end` of its records.
    pub(super) fn part(&self, at: usize, start: usize, end: usize) -> &[u8] {
        let page = ODD + at + HEADER_BYTES;
        &self.bytes[page + start..page + end]
    }

    fn read(&mut self, file: &SpillFile, offset: u64, bytes: usize) -> Result<&[u8]> {
        self.load(file, offset, bytes)?;
        self.open(file, offset, 0, bytes)
    }
}

/// Writes a table; records come in order of (hash, key).
#[derive(Debug)]
pub(super) struct TableWriter {
    consumer: Consumer,
    page: Vec<u8>,
    page_records: u32,
    page_hash: u32,
    table: Table,
    last: Option<BlockPlace>,
    held: Held,
}

impl TableWriter {
    /// For about `keys`, with a filter of at most `filter_bytes_max`.
    pub(super) fn new(
        log: &BlockLog,
        keys: u64,
        filter_bytes_max: u64,
        level: u32,
    ) -> Result<Self> {
        let consumer = log.consumer();
        let mut held = Held::new(consumer)?;
        held.charge(PAGE_BYTES as u64)?;
        let table = Table {
            file: Arc::clone(log.file()),
            offset: 0,
            sectors: 0,
            pages: Vec::new(),
            filter: Filter::new(consumer, keys, filter_bytes_max),
            records: 0,
            bytes: 0,
            level,
            held: Held::new(consumer)?,
        };
        let page = Vec::with_capacity(PAGE_BYTES);
        let consumer = consumer.clone();
        Ok(Self { consumer, page, page_records: 0, page_hash: 0, table, last: None, held })
    }

    pub(super) fn push(
        &mut self,
        log: &mut BlockLog,
        hash: u64,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<usize> {
        let bytes = record_bytes(key.len(), value.map(<[u8]>::len));
        if self.page.len() + bytes > PAGE_BYTES {
            self.flush(log)?;
        }
        if bytes > PAGE_BYTES {
            let _held = self.consumer.try_reserve(bytes as u64)?;
            let mut large = Vec::with_capacity(bytes);
            put_record(&mut large, key, value);
            self.page_hash = upper(hash);
            self.append(log, &large, 1)?;
        } else {
            if self.page.is_empty() {
                self.page_hash = upper(hash);
            }
            put_record(&mut self.page, key, value);
            self.page_records += 1;
        }
        self.table.filter.add(hash);
        self.table.records += 1;
        self.table.bytes += bytes as u64;
        Ok(bytes)
    }

    fn flush(&mut self, log: &mut BlockLog) -> Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let mut page = std::mem::take(&mut self.page);
        let appended = self.append(log, &page, self.page_records);
        page.clear();
        self.page = page;
        self.page_records = 0;
        appended
    }

    fn append(&mut self, log: &mut BlockLog, payload: &[u8], records: u32) -> Result<()> {
        let more = u32::try_from(sectors(HEADER_BYTES + payload.len()) / SECTOR_BYTES);
        let table = &mut self.table;
        let Some(end) = more.ok().and_then(|more| table.sectors.checked_add(more)) else {
            return Err(Error::too_large("writing a table of a map: the largest is 16 TiB"));
        };
        room_for_one(&mut table.pages, &mut self.held, usize::MAX)?;
        let place = log.append(payload, records)?;
        if table.sectors == 0 {
            table.offset = place.offset;
        }
        table.pages.push(Page { hash: self.page_hash, sector: table.sectors });
        table.sectors = end;
        self.last = Some(place);
        Ok(())
    }

    /// The table, which can be read from now on; `None` when nothing was pushed.
    pub(super) fn finish(mut self, log: &mut BlockLog) -> Result<Option<Table>> {
        self.flush(log)?;
        let Some(last) = self.last else {
            return Ok(None);
        };
        log.settle(last)?;
        self.held.discharge(PAGE_BYTES as u64);
        drop(self.page);
        let mut table = self.table;
        table.held = self.held;
        Ok(Some(table))
    }
}
