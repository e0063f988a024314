//! A thread's rows as records: those that are equal come together before they are sorted.
//!
//! Promises: each row's state and values count once.
//! Never: an allocation per row.

use super::sorter::Sorter;
use super::{GroupPlan, STATES, push_group};
use crate::aggregate::{Full, Layout, UpdateError};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::files::grouping::batch::{Batch, BatchRow};
use crate::files::grouping::reading::Takes;
use crate::files::grouping::spilling::Spilling;
use crate::files::grouping::{SEED, Work};
use crate::files::tool::Tool;
use crate::group::{Bypass, Table};

pub(super) struct Gatherer<'a> {
    work: &'a Work,
    states: Pool,
    values: Pool,
    sorter: Sorter<'a>,
    key: Key,
    _tables: Reservation,
}

/// The key of a record in the making.
struct Key {
    bytes: Vec<u8>,
    held: Reservation,
}

/// Records that are brought together by their keys.
struct Pool {
    layout: Layout,
    table: Table,
    bypass: Bypass,
    /// Rows since the table was empty.
    rows: u64,
    state: Vec<u8>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(
        tool: &Tool<'a>,
        work: &'a Work,
        plan: &'a GroupPlan,
        spilling: &'a Spilling<'a>,
    ) -> Result<Self> {
        let tables = tool.consumer.try_reserve(plan.table_bytes as u64)?;
        let half = plan.table_bytes / 2;
        Ok(Self {
            work,
            states: Pool::new(work.division.layout().clone(), half)?,
            values: Pool::new(work.division.multiplicity()?, half)?,
            sorter: Sorter::new(tool, plan, spilling)?,
            key: Key::new(tool.consumer)?,
            _tables: tables,
        })
    }

    /// Moves everything into the sorter.
    pub(super) fn into_sorter(mut self) -> Result<Sorter<'a>> {
        self.states.drain(&mut self.sorter)?;
        self.values.drain(&mut self.sorter)?;
        Ok(self.sorter)
    }
}

impl Takes for Gatherer<'_> {
    fn add(&mut self, batch: &Batch) -> Result<()> {
        for row in 0..batch.len() {
            let (group, row) = (batch.key(row).1, batch.row(row));
            self.key.begin(group, batch.text_bytes())?;
            let start = self.key.bytes.len();
            self.key.bytes.push(STATES);
            self.states.add(self.work, &mut self.sorter, &self.key.bytes, row)?;
            for (column, tag) in self.work.division.columns().iter().zip(STATES + 1..) {
                self.key.bytes.truncate(start);
                self.key.bytes.push(tag);
                if column.push(&row, &mut self.key.bytes)? {
                    self.values.add(self.work, &mut self.sorter, &self.key.bytes, row)?;
                }
            }
        }
        Ok(())
    }
}

impl Key {
    fn new(consumer: &Consumer) -> Result<Self> {
        Ok(Self { bytes: Vec::new(), held: consumer.try_reserve(0)? })
    }

    /// Begins with a group, with room for a value of `value_bytes`.
    fn begin(&mut self, group: &[u8], value_bytes: usize) -> Result<()> {
        self.bytes.clear();
        let wanted = group.len() + value_bytes + 32;
        if wanted > self.bytes.capacity() {
            // The old one is freed before the new one is there.
            self.bytes = Vec::new();
            let wanted = wanted.next_power_of_two();
            self.held.try_grow((wanted as u64).saturating_sub(self.held.bytes()))?;
            self.bytes.reserve_exact(wanted);
        }
        push_group(group, &mut self.bytes);
        Ok(())
    }
}

impl Pool {
    fn new(layout: Layout, workspace_bytes: usize) -> Result<Self> {
        let table = Table::new(workspace_bytes, &layout, SEED)?;
        Ok(Self { layout, table, bypass: Bypass::default(), rows: 0, state: Vec::new() })
    }

    #[inline]
    fn add(
        &mut self,
        work: &Work,
        sorter: &mut Sorter<'_>,
        key: &[u8],
        row: BatchRow<'_>,
    ) -> Result<()> {
        if self.bypass.passes() {
            self.state.clear();
            self.layout.encode_row(&row, &mut self.state)?;
            self.bypass.passed(1);
            return sorter.push(key, &self.state);
        }
        let hash = work.hash(key);
        loop {
            let fresh = self.table.is_empty();
            let added = match self.table.find_or_insert(hash, key) {
                Ok(found) => self.layout.update(&mut self.table.group(found), &row),
                Err(Full) => Err(UpdateError::Full),
            };
            match added {
                Ok(()) => {
                    self.rows += 1;
                    return Ok(());
                }
                Err(UpdateError::Failed(error)) => return Err(error),
                Err(UpdateError::Full) if fresh => return Err(self.too_small()),
                Err(UpdateError::Full) => self.drain(sorter)?,
            }
        }
    }

    /// Writes the table out.
    fn drain(&mut self, sorter: &mut Sorter<'_>) -> Result<()> {
        for group in &self.table {
            self.state.clear();
            self.layout.encode(group, &mut self.state);
            sorter.push(group.key(), &self.state)?;
        }
        self.bypass.written_out(self.rows, self.table.len() as u64);
        self.table.clear();
        self.rows = 0;
        Ok(())
    }

    #[cold]
    fn too_small(&self) -> Error {
        Error::too_large(format!(
            "a single group with its key and texts does not fit into a table of {} bytes: raise \
             the memory limit, or take fewer threads",
            self.table.bytes()
        ))
    }
}
