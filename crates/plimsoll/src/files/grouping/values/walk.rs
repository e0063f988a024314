//! Sorted records to finished groups.
//!
//! ```text
//!   group 7 | 0 | state    merged into the one group of a table    ─┐ first value: finish the
//!   group 7 | 0 | state                                            ─┘ states, find the places
//!   group 7 | 1 | 12.50    3 of them
//!   group 7 | 1 | 12.50    2 more
//!   group 7 | 2 | "tea"
//!   group 8 | 0 | state    ─> the row of group 7
//! ```
//!
//! Promises: memory for one group's states, whatever the number of its values.
//! Never: a group that was begun and is not written.

use std::ops::Range;

use super::{STATES, group_range};
use crate::aggregate::{Full, GroupValues, UpdateError};
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::files::grouping::emit::Emit;
use crate::files::grouping::{SEED, Work};
use crate::files::tool::Tool;
use crate::files::watch::Watch;
use crate::group::Table;
use crate::record::Value;
use crate::sort::{Arena, Merge, PREFIX_BYTES, Sorted};

/// Records between two looks at the wish to stop.
const CHECK_RECORDS: u64 = 4096;

/// From where sorted records come.
pub(super) enum Source {
    Memory(Arena),
    Runs(Box<Merge>),
}

pub(super) struct Walk<'a> {
    work: &'a Work,
    watch: &'a Watch,
    /// Of the group that is walked over alone.
    table: Table,
    values: GroupValues<'a>,
    results: Vec<Value>,
    /// Key of the record before; empty before the first.
    before: Vec<u8>,
    key: Vec<u8>,
    /// Where the group is in it.
    group: Range<usize>,
    /// Its values have begun.
    valued: bool,
    /// For keys.
    held: Reservation,
    _table: Reservation,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tool: &Tool<'a>, work: &'a Work, table_bytes: usize) -> Result<Self> {
        let reserved = tool.consumer.try_reserve(table_bytes as u64)?;
        Ok(Self {
            work,
            watch: tool.watch,
            table: Table::new(table_bytes, work.division.layout(), SEED)?,
            values: GroupValues::new(&work.division),
            results: Vec::new(),
            before: Vec::new(),
            key: Vec::new(),
            group: 0..0,
            valued: false,
            held: tool.consumer.try_reserve(0)?,
            _table: reserved,
        })
    }

    /// Walks over everything.
    pub(super) fn run(mut self, source: &mut Source, emit: &mut Emit<'_>) -> Result<()> {
        let mut records = 0_u64;
        match source {
            Source::Memory(arena) => {
                for sorted in arena.iter() {
                    self.record(sorted, emit)?;
                    self.tick(&mut records, sorted)?;
                }
            }
            Source::Runs(merge) => {
                while let Some(sorted) = merge.next()? {
                    self.record(sorted, emit)?;
                    self.tick(&mut records, sorted)?;
                }
            }
        }
        self.end_group(emit)
    }

    #[inline]
    fn tick(&self, records: &mut u64, sorted: Sorted<'_>) -> Result<()> {
        *records += 1;
        self.watch.add(sorted.row.len() as u64);
        if records.is_multiple_of(CHECK_RECORDS) { self.watch.check() } else { Ok(()) }
    }

    fn record(&mut self, sorted: Sorted<'_>, emit: &mut Emit<'_>) -> Result<()> {
        self.read_key(sorted)?;
        let group = group_range(&self.key).ok_or_else(torn)?;
        let same = self.before.get(..group.end) == Some(&self.key[..group.end]);
        if !same {
            self.end_group(emit)?;
            self.group = group;
        }
        let tag = *self.key.get(self.group.end).ok_or_else(torn)?;
        if tag == STATES {
            return self.merge_states(sorted.row);
        }
        if !self.valued {
            self.begin_values()?;
        }
        let value = &self.key[self.group.end + 1..];
        let count = self.work.division.multiplicity_of(sorted.row)?;
        let column = usize::from(tag - STATES - 1);
        self.values.add(column, value, count, !same || self.before != self.key)
    }

    /// Puts the key of the record before aside, and reads this one's.
    #[inline]
    fn read_key(&mut self, sorted: Sorted<'_>) -> Result<()> {
        std::mem::swap(&mut self.before, &mut self.key);
        let length = PREFIX_BYTES + sorted.extra.len();
        if length > self.key.capacity() {
            // The old one is freed before the new one is there.
            self.key = Vec::new();
            self.held.try_grow((2 * length) as u64)?;
            self.key.reserve_exact(2 * length);
        }
        self.key.clear();
        self.key.extend_from_slice(&sorted.prefix.to_be_bytes());
        self.key.extend_from_slice(sorted.extra);
        Ok(())
    }

    fn merge_states(&mut self, states: &[u8]) -> Result<()> {
        let key = &self.key[self.group.clone()];
        let merged = match self.table.upsert(key) {
            Ok(mut group) => self.work.division.layout().merge_encoded(&mut group, states),
            Err(Full) => Err(UpdateError::Full),
        };
        match merged {
            Ok(()) => Ok(()),
            Err(UpdateError::Failed(error)) => Err(error),
            Err(UpdateError::Full) => Err(Error::too_large(format!(
                "a single group with its key and texts does not fit into a table of {} bytes: \
                 raise the memory limit",
                self.table.bytes()
            ))),
        }
    }

    fn begin_values(&mut self) -> Result<()> {
        let group = self.table.iter().next().ok_or_else(torn)?;
        self.valued = true;
        self.values.begin(|states| self.work.division.layout().finish(group, states))
    }

    /// Writes the group that ends here, if there is one.
    fn end_group(&mut self, emit: &mut Emit<'_>) -> Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        if !self.valued {
            self.begin_values()?;
        }
        self.results.clear();
        self.values.finish(&mut self.results)?;
        let group = self.table.iter().next().ok_or_else(torn)?;
        emit.group(self.work, group.key(), &mut self.results)?;
        self.table.clear();
        self.valued = false;
        Ok(())
    }
}

#[cold]
fn torn() -> Error {
    Error::corrupt("spilled groups: a record is not what this grouping wrote; run it again")
}
