//! A join at work: the passes over both sides, and what the workers of each do.
//!
//! Promises: a build side that turns out too large for memory is partitioned from its start.
//! Never: a probe row on disk that the filter knows to match nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::super::reading::{Reading, Scanned};
use super::super::sink::Sink;
use super::super::tool::Summary;
use super::super::turns::Turns;
use super::super::watch::Phase;
use super::super::workers;
use super::emit::Emitter;
use super::filter::KeyFilter;
use super::pair::PairJoiner;
use super::partition::{Part, Partitions};
use super::plan::{SPARES, split_block_bytes};
use super::side::{RowParts, SideSpec};
use super::table::Table;
use super::{JoinKind, JoinMode, JoinSide, PlannedJoin};
use crate::error::{Error, Result};
use crate::spill::{SpillArea, SpillFile, WriteLane};

/// Rows and bytes that a worker read, and rows it wrote.
#[derive(Clone, Copy, Default)]
struct Done {
    read: u64,
    bytes: u64,
    written: u64,
}

/// A side at work.
struct Working<'a> {
    scanned: &'a Scanned,
    spec: &'a SideSpec,
}

/// What a pass that partitions a side does with its rows.
struct Pass<'a> {
    partitions: &'a Partitions,
    filter: &'a KeyFilter,
    building: bool,
}

impl PlannedJoin<'_> {
    /// Joins.
    ///
    /// # Errors
    /// Those of the inputs, of spilling and of the output; [`crate::ErrorKind::TooLarge`] for a
    /// row that no thread has room for; [`crate::ErrorKind::Invalid`] with file and line for a row
    /// of a sorted input that is not in order. Then no output exists.
    pub fn run(mut self) -> Result<Summary> {
        let mut summary = Summary::default();
        if self.plan.mode == JoinMode::Merge {
            return self.merge();
        }
        if self.plan.mode == JoinMode::Memory {
            self.tool.watch.begin(Phase::Read, None);
            let loaded = self.load(&mut summary);
            let name = &self.spec(self.plan.build).input;
            if let Some(table) = loaded.map_err(|e| e.of_input(name))? {
                return self.probe_memory(&table, summary);
            }
            // It did not fit: what was read of it is read again.
            summary = Summary::default();
            self.tool.consumer.purge();
        }
        self.partitioned(summary)
    }

    fn reading(&self, side: JoinSide) -> &Reading {
        if side == JoinSide::Left { &self.job.left } else { &self.job.right }
    }

    fn probe_side(&self) -> JoinSide {
        if self.plan.build == JoinSide::Left { JoinSide::Right } else { JoinSide::Left }
    }

    /// A side from its start. Another one than at planning is refused by its header.
    pub(super) fn open(&mut self, side: JoinSide) -> Result<Scanned> {
        let kept = if side == JoinSide::Left { &mut self.left_scan } else { &mut self.right_scan };
        if let Some(scanned) = kept.take() {
            return Ok(scanned);
        }
        let reading = self.reading(side);
        let scanned = reading.open(&self.tool)?;
        let columns = scanned.segments.columns().len();
        if columns != self.spec(side).columns {
            return Err(Error::invalid(format!(
                "{} changed while it was joined: start again on a copy that nobody writes",
                reading.input
            )));
        }
        Ok(scanned)
    }

    fn spec(&self, side: JoinSide) -> &SideSpec {
        if side == JoinSide::Left { &self.left } else { &self.right }
    }

    pub(super) fn keeps_left(&self) -> bool {
        self.job.kind == JoinKind::Left
    }

    /// The whole build side in memory; `None` where it does not fit. Left rows without a key wait
    /// in it under the empty key, which no row has.
    fn load(&mut self, summary: &mut Summary) -> Result<Option<Table>> {
        let scanned = self.open(self.plan.build)?;
        let spec = self.spec(self.plan.build);
        let keep = self.keeps_left() && spec.side == JoinSide::Left;
        let mut table = Table::new(self.plan.memory, self.tool.consumer)?;
        let _held = self.tool.consumer.try_reserve(self.plan.segment_bytes as u64)?;
        let mut memory = vec![0; self.plan.segment_bytes];
        let mut records = spec.records(&scanned.segments);
        let mut parts = RowParts::new(spec);
        while let Some(segment) = scanned.segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                summary.rows_in += 1;
                let whole = match parts.key(&record).is_some() {
                    true => {
                        let (key, piece) = parts.key_and_piece(&record)?;
                        table.insert(key, piece)
                    }
                    false => !keep || table.insert(&[], parts.piece(&record)?),
                };
                if !whole {
                    return Ok(None);
                }
            }
            summary.bytes_in += segment.bytes as u64;
        }
        Ok(Some(table))
    }

    fn probe_memory(mut self, table: &Table, mut summary: Summary) -> Result<Summary> {
        let side = self.probe_side();
        let scanned = self.open(side)?;
        self.tool.watch.begin(Phase::Read, scanned.bytes_len);
        let turns = Turns::new(self.sink()?, self.tool.watch);
        let working = Working { scanned: &scanned, spec: self.spec(side) };
        let done = workers::run(self.plan.workers, self.tool.watch, |_| {
            let done = self.probe(table, &working, &turns);
            done.map_err(|e| e.of_input(&working.spec.input))
        })?;
        add(&mut summary, &done);
        if self.keeps_left() && side == JoinSide::Right {
            let mut emitter = self.emitter(&turns)?;
            for head in table.unmarked() {
                for left in table.pieces(head) {
                    emitter.alone(left)?;
                }
            }
            emitter.flush()?;
            summary.rows_out += emitter.rows;
        }
        summary.bytes_out = turns.into_sink().finish()?;
        Ok(summary)
    }

    /// The output with its header.
    pub(super) fn sink(&self) -> Result<Sink> {
        let mut sink = Sink::create(&self.job.output, &self.tool, self.out_block_bytes)?;
        sink.push(&self.header)?;
        Ok(sink)
    }

    pub(super) fn emitter<'e>(&'e self, turns: &'e Turns<'e>) -> Result<Emitter<'e>> {
        Emitter::new(&self.shape, turns, self.plan.frame_bytes, self.tool.consumer)
    }

    fn probe(&self, table: &Table, side: &Working<'_>, turns: &Turns<'_>) -> Result<Done> {
        let _held = self.tool.consumer.try_reserve(self.plan.segment_bytes as u64)?;
        let mut memory = vec![0; self.plan.segment_bytes];
        let mut records = side.spec.records(&side.scanned.segments);
        let mut parts = RowParts::new(side.spec);
        let mut emitter = self.emitter(turns)?;
        let mut done = Done::default();
        let left = side.spec.side == JoinSide::Left;
        let keep = self.keeps_left();
        while let Some(segment) = side.scanned.segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            emitter.begin(segment.number);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                done.read += 1;
                let Some(head) = parts.key(&record).and_then(|key| table.find(key)) else {
                    if keep && left {
                        emitter.alone(parts.piece(&record)?)?;
                    }
                    continue;
                };
                let piece = parts.piece(&record)?;
                for other in table.pieces(head) {
                    if left { emitter.row(piece, other)? } else { emitter.row(other, piece)? }
                }
                if keep && !left {
                    table.mark(head);
                }
            }
            emitter.end()?;
            done.bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        done.written = emitter.rows;
        Ok(done)
    }

    fn partitioned(mut self, mut summary: Summary) -> Result<Summary> {
        let area = self.tool.area()?;
        let file = area.file("join")?;
        let turns = Turns::new(self.sink()?, self.tool.watch);
        let build = self.plan.build;
        let (built, probed) = {
            let filter = KeyFilter::new(self.plan.filter_bytes, self.tool.consumer)?;
            let built = self.partition(build, (&area, &file), &filter, &turns, &mut summary)?;
            let probe = self.probe_side();
            let probed = self.partition(probe, (&area, &file), &filter, &turns, &mut summary)?;
            (built, probed)
        };
        self.tool.consumer.purge();
        let (lefts, rights) = match build {
            JoinSide::Left => (built, probed),
            JoinSide::Right => (probed, built),
        };
        let mut pairs: VecDeque<(Part, Part)> = lefts.into_iter().zip(rights).collect();
        pairs.make_contiguous().sort_by_key(|(l, r)| std::cmp::Reverse(l.rows() + r.rows()));
        let bytes: u64 = pairs.iter().map(|(l, r)| l.run.disk_bytes() + r.run.disk_bytes()).sum();
        summary.runs = self.plan.partitions as u64;
        self.tool.watch.begin(Phase::Write, Some(bytes));
        let pairs = Mutex::new(pairs);
        let done = workers::run(self.plan.workers, self.tool.watch, |_| {
            self.join_pairs(&pairs, (&area, &file), &turns)
        })?;
        for (written, levels) in done {
            summary.rows_out += written;
            summary.passes = summary.passes.max(levels + 1);
        }
        summary.bytes_out = turns.into_sink().finish()?;
        let stats = area.stats();
        summary.spill_bytes = stats.written_bytes;
        summary.spill_peak_bytes = stats.peak_bytes;
        Ok(summary)
    }

    /// Brings a side to disk.
    fn partition(
        &mut self,
        side: JoinSide,
        (area, file): (&SpillArea, &std::sync::Arc<SpillFile>),
        filter: &KeyFilter,
        turns: &Turns<'_>,
        summary: &mut Summary,
    ) -> Result<Vec<Part>> {
        let scanned = self.open(side)?;
        self.tool.watch.begin(Phase::Read, scanned.bytes_len);
        let (consumer, block) = (self.tool.consumer, self.plan.block_bytes);
        let partitions = Partitions::new(0, self.plan.partitions, file, consumer, block)?;
        let working = Working { scanned: &scanned, spec: self.spec(side) };
        let pass = Pass { partitions: &partitions, filter, building: side == self.plan.build };
        let done = workers::run(self.plan.workers, self.tool.watch, |_| {
            let done = self.partition_some(&working, &pass, turns);
            done.map_err(|e| e.of_input(&working.spec.input))
        })?;
        add(summary, &done);
        drop(scanned);
        let mut lane = WriteLane::start(consumer, block, SPARES, area.codec())?;
        partitions.finish(&mut lane)
    }

    fn partition_some(
        &self,
        side: &Working<'_>,
        pass: &Pass<'_>,
        turns: &Turns<'_>,
    ) -> Result<Done> {
        let (consumer, segment_bytes) = (self.tool.consumer, self.plan.segment_bytes);
        let _held = consumer.try_reserve(segment_bytes as u64)?;
        let mut memory = vec![0; segment_bytes];
        let mut records = side.spec.records(&side.scanned.segments);
        let mut parts = RowParts::new(side.spec);
        let mut emitter = self.emitter(turns)?;
        let mut lane =
            WriteLane::start(consumer, self.plan.block_bytes, SPARES, self.tool.spill.codec)?;
        let mut done = Done::default();
        let keep = self.keeps_left() && side.spec.side == JoinSide::Left;
        while let Some(segment) = side.scanned.segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                done.read += 1;
                let hash = parts.key(&record).map(|key| pass.partitions.hash(key));
                match hash.filter(|hash| pass.building || pass.filter.passes(*hash)) {
                    Some(hash) => {
                        if pass.building {
                            pass.filter.add(hash);
                        }
                        let (key, piece) = parts.key_and_piece(&record)?;
                        pass.partitions.push(&mut lane, hash, key, piece)?;
                    }
                    None if keep => emitter.alone(parts.piece(&record)?)?,
                    None => {}
                }
            }
            done.bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        emitter.flush()?;
        lane.settle()?;
        done.written = emitter.rows;
        Ok(done)
    }

    /// Rows written, and how often a pair was split.
    fn join_pairs(
        &self,
        pairs: &Mutex<VecDeque<(Part, Part)>>,
        (area, file): (&SpillArea, &std::sync::Arc<SpillFile>),
        turns: &Turns<'_>,
    ) -> Result<(u64, u32)> {
        let mut joiner = PairJoiner {
            kind: self.job.kind,
            shape: self.plan.pair,
            table: Table::new(self.plan.pair, self.tool.consumer)?,
            emitter: self.emitter(turns)?,
            file: file.clone(),
            codec: area.codec(),
            split_block_bytes: split_block_bytes(self.plan.block_bytes),
            consumer: self.tool.consumer,
            watch: self.tool.watch,
            levels: 0,
        };
        loop {
            let next = pairs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((left, right)) = next else { break };
            let bytes = left.run.disk_bytes() + right.run.disk_bytes();
            joiner.join(left, right, 1)?;
            self.tool.watch.add(bytes);
        }
        joiner.emitter.flush()?;
        Ok((joiner.emitter.rows, joiner.levels))
    }
}

fn add(summary: &mut Summary, done: &[Done]) {
    for done in done {
        summary.rows_in += done.read;
        summary.bytes_in += done.bytes;
        summary.rows_out += done.written;
    }
}
