//! A thread's table of groups, and what happens when it is full.
//!
//! ```text
//!   batch, or a block of a run ─> find all groups ─> add row by row, or merge state by state
//!                                      └ full: what was found is added, the table is written out
//!   table ─ full ─> partitions of this level ─ end_level ─> runs, one a partition
//! ```
//!
//! Promises: each row or state counts once; a table in which a single group finds no room is told
//! as such.
//! Never: an allocation per row.

use std::sync::Arc;

use super::batch::{BATCH_ROWS, Batch};
use super::partitions::{Partitions, parts};
use super::plan::{AHEAD, GroupPlan, SPARES};
use super::reading::Takes;
use super::spilling::Spilling;
use super::{SEED, Work};
use crate::aggregate::{Full, UpdateError};
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::files::tool::Tool;
use crate::group::{Bypass, Found, Table};
use crate::spill::{BlockReader, ReadAhead, Run, RunWriter, WriteLane};

pub(super) struct Grouper<'a> {
    tool: Tool<'a>,
    work: &'a Work,
    plan: &'a GroupPlan,
    spilling: &'a Spilling<'a>,
    table: Table,
    partitions: Option<Partitions>,
    level: u32,
    bypass: Bypass,
    /// Rows or states since the table was empty.
    rows: u64,
    found: Vec<Found>,
    /// Where the states of the records found begin and end in their block.
    states: Vec<(u32, u32)>,
    state: Vec<u8>,
    /// Held for the partitions until they are made.
    buffers: Option<Reservation>,
    /// Threads that read partitions, with the sizes of their blocks.
    ahead: Option<((usize, usize), ReadAhead)>,
    _table_bytes: Reservation,
}

impl<'a> Grouper<'a> {
    pub(super) fn new(
        tool: &Tool<'a>,
        work: &'a Work,
        plan: &'a GroupPlan,
        spilling: &'a Spilling<'a>,
    ) -> Result<Self> {
        let table_bytes = tool.consumer.try_reserve(plan.table_bytes as u64)?;
        let mut grouper = Self {
            tool: *tool,
            work,
            plan,
            spilling,
            table: Table::new(plan.table_bytes, work.division.layout(), SEED)?,
            partitions: None,
            level: 0,
            bypass: Bypass::default(),
            rows: 0,
            found: Vec::with_capacity(BATCH_ROWS),
            states: Vec::with_capacity(BATCH_ROWS),
            state: Vec::new(),
            buffers: None,
            ahead: None,
            _table_bytes: table_bytes,
        };
        grouper.hold_buffers()?;
        Ok(grouper)
    }

    fn hold_buffers(&mut self) -> Result<()> {
        let writer = RunWriter::cost_bytes(self.plan.block_bytes);
        let lane = WriteLane::cost_bytes(self.plan.block_bytes, SPARES, self.tool.spill.codec);
        let bytes = writer * self.plan.partitions + lane;
        self.buffers = Some(self.tool.consumer.try_reserve(bytes as u64)?);
        Ok(())
    }

    /// The texts of the groups found lie elsewhere than their states.
    fn touch_texts(&mut self) {
        if self.work.division.layout().has_texts() {
            for found in &self.found {
                self.work.division.layout().touch_texts(self.table.group(*found).view());
            }
        }
    }

    /// Writes rows out at once, each as the state of one row.
    fn pass(&mut self, batch: &Batch, from: usize) -> Result<()> {
        let partitions = self.partitions.as_mut().expect("checked by the caller");
        for row in from..batch.len() {
            let (hash, key) = batch.key(row);
            self.state.clear();
            self.work.division.layout().encode_row(&batch.row(row), &mut self.state)?;
            partitions.push(hash, key, &self.state)?;
        }
        self.bypass.passed((batch.len() - from) as u64);
        Ok(())
    }

    /// Merges all states of a run.
    pub(super) fn merge_run(&mut self, run: &Run) -> Result<()> {
        let block_bytes = run.blocks().iter().map(|b| b.bytes as usize).max().unwrap_or(0);
        let plain_bytes = run.plain_bytes_max();
        // Started anew where a record larger than a block makes a larger one, or where the first
        // compressed run follows others.
        let large_enough = |(block, plain): (usize, usize)| {
            block >= block_bytes && (plain_bytes == 0 || plain >= plain_bytes && plain > 0)
        };
        let kept = self.ahead.take().filter(|(sizes, _)| large_enough(*sizes));
        let mut ahead = match kept {
            Some(ahead) => ahead,
            None => {
                let consumer = self.tool.consumer;
                let ahead =
                    ReadAhead::start(consumer, AHEAD, (block_bytes, plain_bytes), run.codec())?;
                ((block_bytes, plain_bytes), ahead)
            }
        };
        let merged = ahead.1.each(run, |block, records, place| {
            self.tool.watch.check()?;
            self.merge_block(block, records)?;
            self.tool.watch.add(u64::from(place.bytes));
            Ok(())
        });
        self.ahead = Some(ahead);
        merged
    }

    fn merge_block(&mut self, block: &BlockReader, records: u32) -> Result<()> {
        let mut left = records as usize;
        let mut at = 0;
        while left > 0 {
            if self.bypass.passes() && self.partitions.is_some() {
                return self.pass_block(block, at, left);
            }
            let fresh = self.table.is_empty();
            let wanted = left.min(BATCH_ROWS);
            let next = self.find_records(block, at, wanted)?;
            self.touch_texts();
            let merged = self.merge_found(block)?;
            self.rows += merged as u64;
            left -= merged;
            at = if merged == self.found.len() { next } else { self.skip(block, at, merged)? };
            if merged < wanted {
                self.make_room(fresh && merged == 0)?;
            }
        }
        Ok(())
    }

    /// Finds the groups of up to `wanted` records; returns where the first begins that was not.
    fn find_records(&mut self, block: &BlockReader, from: usize, wanted: usize) -> Result<usize> {
        self.found.clear();
        self.states.clear();
        let mut at = from;
        while self.found.len() < wanted {
            let (record, next) = block.record_at(at).ok_or_else(torn)?;
            let (key, state) = parts(record, self.work.has_states()).ok_or_else(torn)?;
            let Ok(found) = self.table.find_or_insert(self.work.hash(key), key) else { break };
            self.found.push(found);
            // Blocks are below 4 GiB.
            let narrow = |n: usize| u32::try_from(n).expect("a block is below 4 GiB");
            self.states.push((narrow(next - state.len()), narrow(next)));
            at = next;
        }
        Ok(at)
    }

    fn merge_found(&mut self, block: &BlockReader) -> Result<usize> {
        if !self.work.has_states() {
            return Ok(self.found.len());
        }
        for (n, (found, (start, end))) in self.found.iter().zip(&self.states).enumerate() {
            let state = &block.payload()[*start as usize..*end as usize];
            let mut group = self.table.group(*found);
            match self.work.division.layout().merge_encoded(&mut group, state) {
                Ok(()) => {}
                Err(UpdateError::Full) => return Ok(n),
                Err(UpdateError::Failed(error)) => return Err(error),
            }
        }
        Ok(self.found.len())
    }

    /// Where the record begins that is `records` behind the one at `at`.
    #[cold]
    fn skip(&self, block: &BlockReader, mut at: usize, records: usize) -> Result<usize> {
        for _ in 0..records {
            at = block.record_at(at).ok_or_else(torn)?.1;
        }
        Ok(at)
    }

    fn pass_block(&mut self, block: &BlockReader, mut at: usize, records: usize) -> Result<()> {
        let partitions = self.partitions.as_mut().expect("checked by the caller");
        for _ in 0..records {
            let (record, next) = block.record_at(at).ok_or_else(torn)?;
            let (key, state) = parts(record, self.work.has_states()).ok_or_else(torn)?;
            partitions.push(self.work.hash(key), key, state)?;
            at = next;
        }
        self.bypass.passed(records as u64);
        Ok(())
    }

    /// Takes the groups of `other` in.
    pub(super) fn absorb(&mut self, other: &Table) -> Result<()> {
        for group in other {
            let (hash, mut tries) = (self.work.hash(group.key()), 0);
            loop {
                let fresh = self.table.is_empty();
                let merged = match self.table.find_or_insert(hash, group.key()) {
                    Ok(found) => {
                        self.work.division.layout().merge(&mut self.table.group(found), group)
                    }
                    Err(Full) => Err(UpdateError::Full),
                };
                match merged {
                    Ok(()) => break,
                    Err(UpdateError::Full) => self.make_room(fresh && tries > 0)?,
                    Err(UpdateError::Failed(error)) => return Err(error),
                }
                tries += 1;
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Writes the table out, unless it was `alone`: empty before a group that did not fit.
    fn make_room(&mut self, alone: bool) -> Result<()> {
        if alone {
            return Err(Error::too_large(format!(
                "a single group with its key and texts does not fit into a table of {} bytes: \
                 raise the memory limit, or take fewer threads",
                self.plan.table_bytes
            )));
        }
        self.tool.watch.check()?;
        self.write_out()
    }

    fn write_out(&mut self) -> Result<()> {
        if self.partitions.is_none() {
            let (file, codec) = self.spilling.file()?;
            drop(self.buffers.take());
            self.partitions = Some(Partitions::start(
                self.plan,
                self.level,
                self.work.has_states(),
                &file,
                codec,
                self.tool.consumer,
            )?);
        }
        let partitions = self.partitions.as_mut().expect("made above");
        for group in &self.table {
            self.state.clear();
            self.work.division.layout().encode(group, &mut self.state);
            partitions.push(self.work.hash(group.key()), group.key(), &self.state)?;
        }
        self.bypass.written_out(self.rows, self.table.len() as u64);
        self.table.clear();
        self.rows = 0;
        Ok(())
    }

    /// Begins with rows or states that are in one partition of the level above `level`.
    pub(super) fn begin_level(&mut self, level: u32) {
        self.level = level;
        self.bypass = Bypass::default();
        self.table.clear();
        self.rows = 0;
    }

    pub(super) fn has_spilled(&self) -> bool {
        self.partitions.is_some()
    }

    /// Writes everything out; gives one run a partition.
    pub(super) fn end_level(&mut self) -> Result<Vec<Arc<Run>>> {
        self.write_out()?;
        let partitions = self.partitions.take().expect("made by writing out");
        let runs = partitions.finish()?;
        self.hold_buffers()?;
        Ok(runs)
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }
}

impl Takes for Grouper<'_> {
    fn add(&mut self, batch: &Batch) -> Result<()> {
        let layout = self.work.division.layout();
        let mut from = 0;
        while from < batch.len() {
            if self.bypass.passes() && self.partitions.is_some() {
                return self.pass(batch, from);
            }
            let fresh = self.table.is_empty();
            self.found.clear();
            batch.hashes(from).iter().for_each(|hash| self.table.touch(*hash));
            for row in from..batch.len() {
                let (hash, key) = batch.key(row);
                match self.table.find_or_insert(hash, key) {
                    Ok(found) => self.found.push(found),
                    Err(Full) => break,
                }
            }
            let mut added = 0;
            if self.work.has_states() {
                for (n, found) in self.found.iter().enumerate() {
                    let mut group = self.table.group(*found);
                    match layout.update(&mut group, &batch.row(from + n)) {
                        Ok(()) => added += 1,
                        Err(UpdateError::Full) => break,
                        Err(UpdateError::Failed(error)) => return Err(error),
                    }
                }
            } else {
                added = self.found.len();
            }
            self.rows += added as u64;
            from += added;
            if from < batch.len() {
                self.make_room(fresh && added == 0)?;
            }
        }
        Ok(())
    }
}

#[cold]
fn torn() -> Error {
    Error::corrupt("spilled groups: a record is not what this grouping wrote; run it again")
}
