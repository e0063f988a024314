//! Makes sorted runs out of segments of the input; one generator a thread.
//!
//! ```text
//!   Segments ── fills the arena ──> records, keys ── sort ── lane ──> run (segment, part)
//!                     └ long keys that do not fit behind it: the segment gives several runs
//! ```
//!
//! Promises: every record of a segment that the filter passes is in one of its runs; a run is of a
//! contiguous piece of the input.
//! Never: a record copied before it is written, but for a last one without a line end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::resume::Resumable;
use super::row_filter::{RowFilter, RowTest};
use super::row_key::{Key, RowKey};
use super::runs::{Fault, Round, RunPlace};
use super::scanning::Scanning;
use super::tool::Tool;
use crate::budget::Reservation;
use crate::error::Result;
use crate::record::key::KeyTerm;
use crate::scan::{RawRecord, Records, Segment, Segments};
use crate::sort::{
    Arena, ENTRY_BYTES, Filler, InputOrder, LANE_SPARES, SortPlan, SortedRun, SortedRunWriter,
    prefix_of,
};
use crate::spill::{Codec, SpillArea, SpillFile, WriteLane};

/// What generators made.
#[derive(Default)]
pub(super) struct Made {
    /// Those there are; some may have been merged.
    pub(super) runs: Vec<Arc<SortedRun>>,
    pub(super) runs_made: u64,
    /// Rows that were read, and those of them that the filter passed.
    pub(super) read: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Segments that were taken over.
    pub(super) resumed: u64,
    /// All rows, where they fitted, in the order of the input.
    pub(super) arenas: Vec<(u64, Arena)>,
    pub(super) spilled: Option<(SpillArea, Arc<SpillFile>)>,
}

impl Made {
    pub(super) fn add(&mut self, more: Self) {
        self.runs.extend(more.runs);
        self.runs_made += more.runs_made;
        self.arenas.extend(more.arenas);
        self.read += more.read;
        self.rows += more.rows;
        self.bytes += more.bytes;
    }
}

/// Why a generator ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is no further segment.
    Input,
    /// The list of runs is full, or another generator failed.
    Full,
}

/// A thread's part of run generation.
pub(super) struct Generator<'a> {
    tool: Tool<'a>,
    plan: &'a SortPlan,
    segments: &'a Segments,
    records: Records,
    test: RowTest<'a>,
    key: RowKey,
    arena: Arena,
    segment: Option<Segment>,
    /// A row that did not fit behind the ones before: its place and key.
    left_over: Option<(std::ops::Range<usize>, Vec<u8>)>,
    /// What a row is expected to take beside its own bytes.
    entry_bytes: usize,
    /// Segments an earlier process finished.
    segments_before: u64,
    /// The segment has been named whole.
    whole: bool,
    made: Made,
    _worker: Reservation,
}

impl<'a> Generator<'a> {
    pub(super) fn new(
        tool: &Tool<'a>,
        plan: &'a SortPlan,
        scanning: &'a Scanning,
        (terms, filter): (&[KeyTerm], &'a RowFilter),
        segments_before: u64,
    ) -> Result<Self> {
        let needed = filter.columns_and(terms.iter().map(|t| t.column));
        let worker = tool.consumer.try_reserve(scanning.worker_bytes(filter) as u64)?;
        let segments = &scanning.segments;
        Ok(Self {
            tool: *tool,
            plan,
            segments,
            records: Records::new(segments, &needed),
            test: filter.test(segments),
            key: RowKey::new(terms),
            arena: Arena::new(tool.consumer, plan.arena_bytes)?,
            segment: None,
            left_over: None,
            entry_bytes: ENTRY_BYTES,
            segments_before,
            whole: false,
            made: Made::default(),
            _worker: worker,
        })
    }

    /// Takes the next segment and names its rows; `false` at the end of the input.
    pub(super) fn fill(&mut self) -> Result<bool, Fault> {
        self.segment = None;
        self.fill_segment().map_err(|error| self.fault(error))
    }

    fn fill_segment(&mut self) -> Result<bool> {
        self.tool.watch.check()?;
        self.segment = self.segments.next(self.arena.room(), self.entry_bytes)?;
        let Some(segment) = self.segment else { return Ok(false) };
        self.arena.begin(segment.bytes);
        self.records.begin(segment.first_line);
        self.made.bytes += segment.bytes as u64;
        self.tool.watch.add(segment.bytes as u64);
        self.name()?;
        Ok(true)
    }

    /// Names rows of the segment until it ends or the arena is full.
    fn name(&mut self) -> Result<()> {
        let before = self.arena.len();
        let left_over = self.left_over.take();
        if let Some((range, key)) = &left_over
            && !self.arena.split().1.push_placed(range.start, range.len(), key)
        {
            return Err(self.arena.too_large(range.len() + key.len(), "a row"));
        }
        let (bytes, mut filler) = self.arena.split();
        self.whole = true;
        while let Some(record) = self.records.next(bytes)? {
            self.made.read += 1;
            if !self.test.passes(&record)? {
                continue;
            }
            let key = self.key.make(&record);
            if push(&mut filler, &record, key) {
                if (filler.len() as u64) < self.plan.run_rows_max {
                    continue;
                }
                self.whole = false;
                break;
            }
            let key = match key {
                Key::Short(prefix) => prefix.to_be_bytes().to_vec(),
                Key::Bytes(key) => key.to_vec(),
            };
            self.left_over = Some((record.range(), key));
            self.whole = false;
            break;
        }
        self.made.rows += (self.arena.len() - before) as u64;
        Ok(())
    }

    /// Whether everything there is lies in the arena.
    pub(super) fn is_all(&self) -> bool {
        self.whole && self.segments.at_end()
    }

    /// Gives the sorted arena away.
    pub(super) fn keep(mut self) -> Made {
        self.arena.sort();
        self.made.arenas.push((0, self.arena));
        self.made
    }

    /// Fills and sorts arenas while `arenas`, which counts those there are, is below the plan's;
    /// they stay in memory. Where the generator has rows beyond an arena, or arenas are all used,
    /// it comes back to make runs.
    pub(super) fn keep_all(mut self, arenas: &AtomicUsize) -> Result<(Self, Ended), Fault> {
        loop {
            if self.segment.is_none() {
                match self.fill_segment() {
                    Ok(true) => {}
                    Ok(false) => return Ok((self, Ended::Input)),
                    Err(error) => return Err(self.fault(error)),
                }
            }
            let last = self.is_all();
            if !self.whole || !last && arenas.fetch_add(1, Ordering::Relaxed) >= self.plan.arenas {
                return Ok((self, Ended::Full));
            }
            let segment = self.segment.take().expect("filled above");
            self.entry_bytes = self.arena.entry_bytes_mean();
            self.arena.sort();
            // Behind the last segment nothing is filled any more.
            let bytes = if last { 0 } else { self.plan.arena_bytes };
            let next = Arena::new(self.tool.consumer, bytes);
            let next = next.map_err(|error| self.fault(error))?;
            let full = std::mem::replace(&mut self.arena, next);
            self.made.arenas.push((segment.number, full));
            if last {
                return Ok((self, Ended::Input));
            }
        }
    }

    /// What it made so far.
    pub(super) fn take_made(&mut self) -> Made {
        std::mem::take(&mut self.made)
    }

    /// Makes runs until the input or the round ends.
    pub(super) fn run(
        mut self,
        place: RunPlace<'_>,
        round: &Round,
    ) -> Result<(Made, Ended), Fault> {
        match self.make_runs(place, round) {
            Ok(ended) => Ok((self.made, ended)),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn make_runs(&mut self, place: RunPlace<'_>, round: &Round) -> Result<Ended> {
        let consumer = self.tool.consumer;
        let blocks = (self.plan.block_bytes, self.plan.request_bytes);
        let mut lane = WriteLane::start(consumer, blocks.1, LANE_SPARES, Codec::None)?;
        let codec = place.area.codec();
        let writer = SortedRunWriter::new(place.file, codec, consumer, blocks)?;
        let mut writer = writer.listed(place.list);
        loop {
            if self.segment.is_none() {
                if round.has_failed() || round.is_full() {
                    return Ok(Ended::Full);
                }
                if !self.fill_segment()? {
                    return Ok(Ended::Input);
                }
            }
            let segment = self.segment.expect("filled above");
            let mut part = 0;
            loop {
                // Where the filter passes nothing there is no run; a sort that is resumed reads
                // such a piece again, and what comes after it.
                if !self.arena.is_empty() {
                    let order = (self.segments_before + segment.number, part);
                    self.write(&mut lane, &mut writer, order, (&segment, place.notes))?;
                    round.add_run();
                }
                if self.whole {
                    break;
                }
                part += 1;
                self.arena.begin(segment.bytes);
                self.name()?;
            }
            self.segment = None;
        }
    }
}

impl Generator<'_> {
    /// Makes a run of the arena.
    fn write(
        &mut self,
        lane: &mut WriteLane,
        writer: &mut SortedRunWriter,
        order: InputOrder,
        (segment, notes): (&Segment, Option<&Mutex<Resumable>>),
    ) -> Result<()> {
        self.entry_bytes = self.arena.entry_bytes_mean();
        self.arena.sort();
        writer.push_all(lane, &self.arena)?;
        let run = writer.cut(lane, order)?;
        if let Some(notes) = notes {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.note(&run, self.whole, segment, self.next_line(segment))?;
        }
        self.made.runs.push(Arc::new(run));
        self.made.runs_made += 1;
        Ok(())
    }

    /// An error with the segment it stands for. What the input itself refuses comes behind all
    /// segments that were given out.
    fn fault(&self, error: crate::Error) -> Fault {
        Fault { segment: self.segment.map_or(u64::MAX, |segment| segment.number), error }
    }

    /// Line behind the segment, for the messages of whoever goes on there.
    fn next_line(&self, segment: &Segment) -> u64 {
        segment.first_line + segment.records_max
    }
}

#[inline]
fn push(filler: &mut Filler<'_>, record: &RawRecord<'_>, key: Key<'_>) -> bool {
    if !record.ends_line() {
        // The input's last row gets a line end, for it may come out anywhere.
        let parts = [record.bytes(), b"\n"];
        return match key {
            Key::Short(prefix) => filler.push_copied(&prefix.to_be_bytes(), &parts),
            Key::Bytes(key) => filler.push_copied(key, &parts),
        };
    }
    let range = record.range();
    match key {
        Key::Short(prefix) => filler.push_short(range.start, range.len(), prefix),
        Key::Bytes(key) if key.len() <= 16 => {
            filler.push_short(range.start, range.len(), prefix_of(key))
        }
        Key::Bytes(key) => filler.push_placed(range.start, range.len(), key),
    }
}
