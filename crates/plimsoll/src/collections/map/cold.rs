//! The items on disk: tables, the newest last, merged eight at a time.
//!
//! ```text
//!   evicted batch ──> level 0 | t | t | ... | t | 8 of a level ──> one of the next level
//!   garbage above half of what lives ──────────────────────────> all into one, garbage dropped
//! ```
//!
//! Promises: a look reads one page for a key that is there, and for one in a hundred looks at a
//! table that does not have it; merged tables are dropped when the merged one can be read.
//! Never: more than eight tables of one level after an eviction.

use std::hash::RandomState;
use std::sync::Arc;

use super::merge::Merge;
use super::table::{PageBuffer, Table, TableWriter};
use crate::budget::Consumer;
use crate::collections::block_log::{BlockLog, Cached};
use crate::error::Result;
use crate::spill::SpillArea;
use crate::storage::SECTOR_BYTES;

/// Tables of a level that become one of the next: items are rewritten once per factor of eight,
/// and a look asks at most seven filters a level.
const FAN_IN: usize = 8;
/// Filters of all tables may take this share of the map's memory; beyond it tables go without.
const FILTER_SHARE: u64 = 4;
/// Garbage below this is not worth a merge of everything.
const GARBAGE_BYTES_MIN: u64 = 256 << 10;

#[derive(Debug)]
pub(super) struct Cold {
    pub(super) log: BlockLog,
    tables: Vec<Arc<Table>>,
    buffer: PageBuffer,
    hasher: RandomState,
    memory_bytes: u64,
    /// Of the records that are not the newest of their key, and of marks of removal.
    pub(super) garbage: u64,
    pub(super) compactions: u64,
}

impl Cold {
    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        hasher: &RandomState,
        memory_bytes: u64,
    ) -> Result<Self> {
        Ok(Self {
            log: BlockLog::new(area, consumer, "map", memory_bytes, Cached::Yes)?,
            tables: Vec::new(),
            buffer: PageBuffer::new(consumer, SECTOR_BYTES)?,
            hasher: hasher.clone(),
            memory_bytes,
            garbage: 0,
            compactions: 0,
        })
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Bytes of filters and directories in memory.
    pub(super) fn index_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.index_bytes()).sum()
    }

    /// Shows `look` the newest record with this key.
    pub(super) fn find<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        look: impl FnOnce(Option<&[u8]>, usize) -> Result<R>,
    ) -> Result<Option<R>> {
        let mut look = Some(look);
        for table in self.tables.iter().rev() {
            let once = |value: Option<&[u8]>, bytes: usize| {
                let look = look.take().expect("the search ends with the first record");
                look(value, bytes)
            };
            if let Some(found) = table.find(&mut self.buffer, hash, key, once)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// A writer of a table for about `keys`.
    pub(super) fn writer(&self, keys: u64, level: u32) -> Result<TableWriter> {
        let room = (self.memory_bytes / FILTER_SHARE).saturating_sub(self.index_bytes());
        TableWriter::new(&self.log, keys, room, level)
    }

    /// Takes in a table of records that are newer than all others.
    pub(super) fn add(&mut self, table: Option<Table>) {
        self.tables.extend(table.map(Arc::new));
    }

    /// Merges what is due; `replaced` says of a key whether memory has a newer record.
    pub(super) fn tidy(&mut self, replaced: impl Fn(u64, &[u8]) -> bool) -> Result<()> {
        let live = self.bytes() - self.garbage.min(self.bytes());
        if self.garbage > GARBAGE_BYTES_MIN && self.garbage > live / 2 {
            self.compactions += 1;
            return self.merge(0, replaced);
        }
        while let Some(first) = self.due() {
            self.merge(first, &replaced)?;
        }
        Ok(())
    }

    /// Where the last eight tables of one level begin, if there are as many.
    fn due(&self) -> Option<usize> {
        let first = self.tables.len().checked_sub(FAN_IN)?;
        let level = self.tables.last()?.level;
        self.tables[first..].iter().all(|table| table.level == level).then_some(first)
    }

    /// Merges the tables from `first` on into one.
    fn merge(&mut self, first: usize, replaced: impl Fn(u64, &[u8]) -> bool) -> Result<()> {
        let tables = &self.tables[first..];
        let keys = tables.iter().map(|table| table.records).sum();
        let level = tables.iter().map(|table| table.level).max().unwrap_or(0) + 1;
        let before: u64 = tables.iter().map(|table| table.bytes).sum();
        // The old tables' filters are still there, so this one is given what they will free.
        let freed: u64 = tables.iter().map(|table| table.index_bytes()).sum();
        let room = (self.memory_bytes / FILTER_SHARE + freed).saturating_sub(self.index_bytes());
        let mut writer = TableWriter::new(&self.log, keys, room, level)?;
        let mut merge = Merge::new(tables, &self.hasher, self.log.consumer())?;
        while merge.advance()? {
            let (hash, key, value) = merge.record();
            // With nothing older below, removals and records memory replaces are forgotten.
            let forgotten = first == 0 && (value.is_none() || replaced(hash, key));
            if !forgotten {
                writer.push(&mut self.log, hash, key, value)?;
            }
        }
        drop(merge);
        let merged = writer.finish(&mut self.log)?;
        let after = merged.as_ref().map_or(0, |table| table.bytes);
        self.tables.truncate(first);
        self.add(merged);
        self.garbage = self.garbage.saturating_sub(before - after);
        Ok(())
    }

    /// All records, the newest of each key, in the order of the tables.
    pub(super) fn records(&self) -> Result<Merge> {
        Merge::new(&self.tables, &self.hasher, self.log.consumer())
    }
}
