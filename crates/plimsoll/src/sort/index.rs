//! The index of a sorted run: pages in the spill file, one entry for each block of rows.
//!
//! ```text
//!   run:    | block | block | .. | page 0 | block | .. | page 1 | ..
//!   page:   a block of one sector, uncompressed, with a record for each entry:
//!           | next page u64 | entry | entry | ... 101 at most      next of the last: all ones
//!   entry:  | offset u64 | bytes u32 | records u32 | first prefix, 16 B | rows before u64 |   40 B
//! ```
//!
//! In memory a run has the place of its first page only. Who merges reads entries a window at a
//! time; who splits walks the pages from the first.
//!
//! Promises: memory that does not depend on the run's length: a page for who writes, a page for
//! who reads.
//! Never: an entry believed without its page's checksum.

use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::spill::block::{self, HEADER_BYTES, Header};
use crate::spill::{BlockPlace, BlockReader, BlockTarget as _, SpillFile};
use crate::storage::{AlignedBytes, SECTOR_BYTES};

/// Bytes of an entry on disk, and in memory.
pub(super) const ENTRY_BYTES: usize = 40;
const NEXT_BYTES: usize = 8;
/// Entries of a page.
const ENTRIES_MAX: usize = (SECTOR_BYTES - HEADER_BYTES - NEXT_BYTES) / ENTRY_BYTES;
/// In the place of the next page's offset, in the last one.
const NO_PAGE: u64 = u64::MAX;

const _: () = assert!(size_of::<BlockEntry>() == ENTRY_BYTES);

/// What the index says of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockEntry {
    pub(super) place: BlockPlace,
    prefix: [u64; 2],
    /// Bytes of rows in the blocks before.
    pub(super) row_bytes_before: u64,
}

/// Where an entry is: behind a page's last one, it is the next page's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryPlace {
    pub(super) page: u64,
    pub(super) at: u32,
}

impl BlockEntry {
    pub(super) fn new(place: BlockPlace, prefix: u128, row_bytes_before: u64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // the two halves
        let prefix = [(prefix >> 64) as u64, prefix as u64];
        Self { place, prefix, row_bytes_before }
    }

    /// The beginning of the block's first key.
    pub(super) fn prefix(&self) -> u128 {
        u128::from(self.prefix[0]) << 64 | u128::from(self.prefix[1])
    }

    fn write(&self, to: &mut [u8]) {
        to[..8].copy_from_slice(&self.place.offset.to_le_bytes());
        to[8..12].copy_from_slice(&self.place.bytes.to_le_bytes());
        to[12..16].copy_from_slice(&self.place.records.to_le_bytes());
        to[16..24].copy_from_slice(&self.prefix[0].to_be_bytes());
        to[24..32].copy_from_slice(&self.prefix[1].to_be_bytes());
        to[32..ENTRY_BYTES].copy_from_slice(&self.row_bytes_before.to_le_bytes());
    }

    fn read(from: &[u8]) -> Self {
        let long = |at: usize| from[at..at + 8].try_into().expect("eight bytes");
        let short =
            |at: usize| u32::from_le_bytes(from[at..at + 4].try_into().expect("four bytes"));
        Self {
            place: BlockPlace {
                offset: u64::from_le_bytes(long(0)),
                bytes: short(8),
                records: short(12),
            },
            prefix: [u64::from_be_bytes(long(16)), u64::from_be_bytes(long(24))],
            row_bytes_before: u64::from_le_bytes(long(32)),
        }
    }
}

/// Writes the index of one run after another.
#[derive(Debug)]
pub(super) struct IndexWriter {
    page: AlignedBytes,
    /// Where the page being filled goes; `None` before a run's first entry.
    here: Option<u64>,
    first: u64,
    entries: usize,
    _reservation: Reservation,
}

impl IndexWriter {
    /// What one reserves, in bytes.
    pub(super) const fn cost_bytes() -> usize {
        AlignedBytes::cost_bytes(SECTOR_BYTES)
    }

    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        let reservation = consumer.try_reserve(Self::cost_bytes() as u64)?;
        let page = AlignedBytes::zeroed(SECTOR_BYTES);
        Ok(Self { page, here: None, first: NO_PAGE, entries: 0, _reservation: reservation })
    }

    /// Appends an entry.
    pub(super) fn push(&mut self, file: &SpillFile, entry: &BlockEntry) -> Result<()> {
        if self.here.is_none() || self.entries == ENTRIES_MAX {
            let next = file.extent(SECTOR_BYTES as u64)?;
            match self.here {
                Some(here) => self.write(file, here, next)?,
                None => self.first = next,
            }
            self.here = Some(next);
            self.entries = 0;
        }
        let at = HEADER_BYTES + NEXT_BYTES + self.entries * ENTRY_BYTES;
        entry.write(&mut self.page[at..at + ENTRY_BYTES]);
        self.entries += 1;
        Ok(())
    }

    /// Ends the run's index; returns the offset of its first page.
    pub(super) fn finish(&mut self, file: &SpillFile) -> Result<u64> {
        if let Some(here) = self.here.take() {
            self.write(file, here, NO_PAGE)?;
        }
        Ok(std::mem::replace(&mut self.first, NO_PAGE))
    }

    fn write(&mut self, file: &SpillFile, here: u64, next: u64) -> Result<()> {
        self.page[HEADER_BYTES..HEADER_BYTES + NEXT_BYTES].copy_from_slice(&next.to_le_bytes());
        let narrow = |n: usize| u32::try_from(n).expect("a page is a sector");
        let stored = narrow(NEXT_BYTES + self.entries * ENTRY_BYTES);
        let records = narrow(self.entries);
        let header = Header { codec: 0, stored, payload: stored, records };
        let sealed = block::seal(&mut self.page, header, file.tag() ^ here);
        file.write(&self.page[..sealed], here)
    }
}

/// Reads entries, holding one page.
#[derive(Debug)]
pub(super) struct IndexReader {
    reader: BlockReader,
    /// The file's tag and the page in memory.
    loaded: Option<(u64, u64)>,
    entries: u32,
}

impl IndexReader {
    /// What one reserves, in bytes.
    pub(super) fn cost_bytes() -> usize {
        BlockReader::cost_bytes(SECTOR_BYTES, 0)
    }

    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        let reader = BlockReader::new(consumer, SECTOR_BYTES, 0)?;
        Ok(Self { reader, loaded: None, entries: 0 })
    }

    /// The entry at `place`, and where the next one is.
    ///
    /// # Errors
    /// As [`BlockReader::load`]; [`crate::ErrorKind::Corrupt`] where there is no such entry.
    pub(super) fn entry(
        &mut self,
        file: &SpillFile,
        place: EntryPlace,
    ) -> Result<(BlockEntry, EntryPlace)> {
        let EntryPlace { mut page, mut at } = place;
        self.load(file, page)?;
        if at == self.entries {
            (page, at) = (self.next_page(), 0);
            self.load(file, page)?;
        }
        let begin = NEXT_BYTES + at as usize * ENTRY_BYTES;
        let bytes = self.reader.payload().get(begin..begin + ENTRY_BYTES);
        let bytes = bytes.ok_or_else(|| refuse(file, page))?;
        Ok((BlockEntry::read(bytes), EntryPlace { page, at: at + 1 }))
    }

    /// Offset of the page behind the one in memory.
    fn next_page(&self) -> u64 {
        let next = &self.reader.payload()[..NEXT_BYTES];
        u64::from_le_bytes(next.try_into().expect("eight bytes"))
    }

    fn load(&mut self, file: &SpillFile, page: u64) -> Result<()> {
        if self.loaded == Some((file.tag(), page)) {
            return Ok(());
        }
        self.loaded = None;
        if page == NO_PAGE {
            return Err(refuse(file, page));
        }
        self.entries = self.reader.load_any(file, (page, SECTOR_BYTES), &mut None)?;
        let whole = NEXT_BYTES + self.entries as usize * ENTRY_BYTES;
        if self.reader.payload().len() != whole {
            return Err(refuse(file, page));
        }
        self.loaded = Some((file.tag(), page));
        Ok(())
    }
}

fn refuse(file: &SpillFile, page: u64) -> crate::Error {
    block::refuse(&file.place(page), "it is no page of an index with that entry")
}
