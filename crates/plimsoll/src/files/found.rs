//! What an earlier process's journal lets a sort take over.
//!
//! ```text
//!   journal:  run 0.0 | run 2.0 | run 1.0 | taken over 3 | run 3.0 | run 4.0 ..
//!                 │        └ waits ─┐ └ chain: 0 1 2         └ chain goes on
//!                 └ chain: 0        └ dropped, where the chain did not reach it before the kill
//! ```
//!
//! A segment counts when all of its parts are noted and it begins where the chain ends. Where a
//! process took the chain over, what was noted beyond it is dropped: that process made it again,
//! under another memory limit perhaps in other pieces.
//!
//! Promises: the chain is the input's beginning without a gap; memory is bounded.
//! Never: two notes of one piece of the input.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::sort::{InputOrder, RunRecord, SortedRun};
use crate::spill::SpillFile;

/// Runs that wait for an earlier segment, at most: generators are not that far apart. Beyond
/// these, what is noted is made again.
const WAITING_MAX: usize = 256;

/// A record of the journal, behind the first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// A finished run.
    Run(NotedRun),
    /// A process went on behind so many segments.
    TakenOver { segments: u64 },
}

/// A run with the piece of the input it stands for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct NotedRun {
    pub(super) segment: u64,
    pub(super) part: u32,
    /// The segment has no further part.
    pub(super) last: bool,
    /// Where the segment begins and ends, and the line behind it.
    pub(super) input: (u64, u64),
    pub(super) next_line: u64,
    pub(super) run: RunRecord,
}

/// What can be taken over.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) runs: Vec<Arc<SortedRun>>,
    /// Runs it was, before some were merged.
    pub(super) runs_made: u64,
    pub(super) rows: u64,
    /// Segments that are finished.
    pub(super) segments: u64,
    /// Where the next one begins, and its line.
    pub(super) input_offset: u64,
    pub(super) line: u64,
    runs_max: u64,
    waiting: Vec<NotedRun>,
    consumer: Consumer,
    held: Reservation,
}

impl Found {
    pub(super) fn new(consumer: &Consumer, runs_max: u64) -> Result<Self> {
        let held = consumer.try_reserve((WAITING_MAX * size_of::<NotedRun>()) as u64)?;
        Ok(Self {
            runs: Vec::new(),
            runs_made: 0,
            rows: 0,
            segments: 0,
            input_offset: 0,
            line: 0,
            runs_max,
            waiting: Vec::with_capacity(WAITING_MAX),
            consumer: consumer.clone(),
            held,
        })
    }

    /// Takes in a note. `make_room` merges some runs of a full list.
    pub(super) fn add(
        &mut self,
        noted: NotedRun,
        file: &Arc<SpillFile>,
        make_room: &dyn Fn(&mut Vec<Arc<SortedRun>>) -> Result<()>,
    ) -> Result<()> {
        let order = |noted: &NotedRun| (noted.segment, noted.part);
        if noted.segment < self.segments {
            return Ok(());
        }
        if self.waiting.len() == WAITING_MAX {
            // What is furthest from the chain is given up.
            let last = self.waiting.last().map(order);
            if last <= Some(order(&noted)) {
                return Ok(());
            }
            self.waiting.pop();
        }
        let at = self.waiting.partition_point(|other| order(other) < order(&noted));
        self.waiting.insert(at, noted);
        while let Some(parts) = self.next_segment() {
            for noted in self.waiting.drain(..parts) {
                let order: InputOrder = (noted.segment, noted.part);
                let run = SortedRun::adopt(file, noted.run, order, &self.consumer)?;
                self.rows += run.rows();
                self.runs_made += 1;
                self.runs.push(Arc::new(run));
                (self.input_offset, self.line) = (noted.input.1, noted.next_line);
            }
            self.segments += 1;
            if self.runs.len() as u64 >= self.runs_max {
                make_room(&mut self.runs)?;
            }
        }
        Ok(())
    }

    /// How many parts the chain's next segment has, where all of them wait.
    fn next_segment(&self) -> Option<usize> {
        let first = self.waiting.first().filter(|noted| noted.segment == self.segments)?;
        if self.segments > 0 && first.input.0 != self.input_offset {
            return None;
        }
        let mut parts = (0_u32..).zip(&self.waiting);
        let last = parts.find(|(part, noted)| {
            noted.segment != self.segments || noted.part != *part || noted.last
        });
        let (part, noted) = last?;
        let whole = noted.segment == self.segments && noted.part == part && noted.last;
        whole.then_some(part as usize + 1)
    }

    /// A process went on behind so many segments; whether these are the chain.
    pub(super) fn taken_over(&mut self, segments: u64) -> bool {
        self.waiting.clear();
        segments == self.segments
    }

    /// There is no further note.
    pub(super) fn end(&mut self) {
        self.waiting = Vec::new();
        let held = self.held.bytes();
        self.held.shrink(held);
    }
}

#[cfg(test)]
mod tests;
