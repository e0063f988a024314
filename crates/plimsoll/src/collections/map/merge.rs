//! Several tables as one sequence by (hash, key), the newest record of each key.
//!
//! ```text
//!   oldest  | a1 | c1 | d1 |
//!           | b2 | c2 |            ──>  a1, b2, c2, d3
//!   newest  | d3 |
//! ```
//!
//! Promises: each key once; one group of pages of each table in memory.
//! Never: an older record where there is a newer one.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::Arc;

use super::record::take_record;
use super::table::{PageBuffer, Table};
use crate::budget::Consumer;
use crate::error::Result;

/// Bytes of pages read at a time.
const GROUP_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Merge {
    hasher: RandomState,
    /// Oldest first; those at their end are gone.
    cursors: Vec<Cursor>,
    /// The cursor whose record was returned last.
    current: Option<usize>,
}

/// Goes over one table.
#[derive(Debug)]
struct Cursor {
    table: Arc<Table>,
    buffer: PageBuffer,
    /// The page in use: its number, where it is in the buffer, its records' bytes.
    page: Option<usize>,
    at: usize,
    payload_bytes: usize,
    /// Pages before this one are in the buffer.
    group_end: usize,
    /// Where the next record begins in the page.
    next: usize,
    hash: u64,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

impl Merge {
    pub(super) fn new(
        tables: &[Arc<Table>],
        hasher: &RandomState,
        consumer: &Consumer,
    ) -> Result<Self> {
        let mut cursors = Vec::with_capacity(tables.len());
        for table in tables {
            let mut cursor = Cursor::new(table, consumer)?;
            if cursor.advance(hasher)? {
                cursors.push(cursor);
            }
        }
        Ok(Self { hasher: hasher.clone(), cursors, current: None })
    }

    /// Goes to the next key; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if let Some(current) = self.current.take() {
            self.step_over(current)?;
        }
        let mut least: Option<usize> = None;
        for (number, cursor) in self.cursors.iter().enumerate() {
            // Equal keys: the later, which is the newer, wins.
            let wins = least.is_none_or(|least| cursor.order() <= self.cursors[least].order());
            if wins {
                least = Some(number);
            }
        }
        self.current = least;
        Ok(least.is_some())
    }

    /// Steps the cursor `current` and all older ones with the same key.
    fn step_over(&mut self, current: usize) -> Result<()> {
        let mut ended = false;
        let (older, newer) = self.cursors.split_at_mut(current);
        let winner = &mut newer[0];
        for cursor in older.iter_mut().filter(|cursor| cursor.hash == winner.hash) {
            if cursor.order() == winner.order() && !cursor.advance(&self.hasher)? {
                ended = true;
            }
        }
        ended |= !winner.advance(&self.hasher)?;
        if ended {
            self.cursors.retain(|cursor| cursor.page.is_some());
        }
        Ok(())
    }

    /// Hash, key and value of the key that [`Merge::advance`] went to.
    pub(super) fn record(&self) -> (u64, &[u8], Option<&[u8]>) {
        let cursor = &self.cursors[self.current.expect("advance() said there is one")];
        let value = cursor.value.as_ref().map(|value| cursor.part(value));
        (cursor.hash, cursor.part(&cursor.key), value)
    }
}

impl Cursor {
    fn new(table: &Arc<Table>, consumer: &Consumer) -> Result<Self> {
        Ok(Self {
            table: Arc::clone(table),
            buffer: PageBuffer::new(consumer, GROUP_BYTES)?,
            page: None,
            at: 0,
            payload_bytes: 0,
            group_end: 0,
            next: 0,
            hash: 0,
            key: 0..0,
            value: None,
        })
    }

    fn order(&self) -> (u64, &[u8]) {
        (self.hash, self.part(&self.key))
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.buffer.part(self.at, range.start, range.end)
    }

    /// Goes to the next record; `false`, and no page, at the end.
    fn advance(&mut self, hasher: &RandomState) -> Result<bool> {
        while self.next >= self.payload_bytes {
            let page = self.page.map_or(0, |page| page + 1);
            if page >= self.table.pages() {
                self.page = None;
                return Ok(false);
            }
            self.open(page)?;
        }
        let page = self.page.expect("opened above, or before");
        let whole = self.buffer.part(self.at, self.next, self.payload_bytes);
        let mut rest = whole;
        let record = take_record(&mut rest).ok_or_else(|| self.table.damaged(page))?;
        let end = self.payload_bytes - rest.len();
        let value_bytes = record.value.map_or(0, <[u8]>::len);
        let key_end = end - value_bytes;
        self.hash = hasher.hash_one(record.key);
        self.value = record.value.map(|_| key_end..end);
        self.key = key_end - record.key.len()..key_end;
        self.next = end;
        Ok(true)
    }

    fn open(&mut self, page: usize) -> Result<()> {
        let (offset, bytes) = self.table.page(page);
        if page < self.group_end {
            let (before, _) = self.table.page(page - 1);
            self.at += usize::try_from(offset - before).expect("a page is in memory");
        } else {
            let (mut end, mut group) = (page + 1, bytes);
            while end < self.table.pages() && group + self.table.page(end).1 <= GROUP_BYTES {
                group += self.table.page(end).1;
                end += 1;
            }
            self.buffer.load(self.table.file(), offset, group)?;
            (self.at, self.group_end) = (0, end);
        }
        let payload = self.buffer.open(self.table.file(), offset, self.at, bytes)?;
        (self.page, self.payload_bytes, self.next) = (Some(page), payload.len(), 0);
        Ok(())
    }
}
