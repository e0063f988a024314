//! A sort's runs on disk: written one by one, merged until one merge gives the result.
//!
//! ```text
//!   r0 r1 r2 r3 r4 r5 r6   fan-in 3: two runs too many for three pairs of hands
//!   `--+--'  `-+-'         neighbours only, so that the order of the input is kept, and no
//!      r012   r34   r5 r6  more of them than it takes to be left with at most the fan-in
//! ```
//!
//! Promises: any number of runs is merged if two streams and a writer fit.
//! Never: a merge of runs that are not neighbours.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::encoder::Encoder;
use super::merge::Merge;
use super::workspace::{self, Workspace};
use crate::error::Result;
use crate::spill::{Codec, Run, RunReader, RunWriter, SpillFile, WriteLane};

#[derive(Debug)]
pub(super) struct Runs {
    file: Arc<SpillFile>,
    codec: Codec,
    lane: Option<WriteLane>,
    runs: Vec<Arc<Run>>,
}

impl Runs {
    pub(super) fn new(workspace: &mut Workspace) -> Result<Self> {
        let codec = workspace.engine().codec();
        Ok(Self { file: workspace.file()?, codec, lane: None, runs: Vec::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Gives the buffers for writing back.
    pub(super) fn stop_writing(&mut self) {
        self.lane = None;
    }

    /// What reading one run takes at most.
    pub(super) fn reader_bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.reader_bytes()).max().unwrap_or(0) as u64
    }

    /// Reads the run of this number.
    pub(super) fn reader(&self, workspace: &mut Workspace, number: usize) -> Result<RunReader> {
        self.runs[number].reader(workspace.lender()?)
    }

    /// Writes one run of `records`.
    pub(super) fn write<'a, T: Serialize + 'a>(
        &mut self,
        workspace: &mut Workspace,
        records: impl Iterator<Item = &'a T>,
    ) -> Result<()> {
        let (mut lane, mut out) = self.begin(workspace)?;
        for record in records {
            out.push(&mut lane, record)?;
        }
        self.runs.push(Arc::new(out.finish(&mut lane)?));
        self.lane = Some(lane);
        workspace.assert_covered();
        Ok(())
    }

    /// Sets aside what it takes to write one more run.
    pub(super) fn set_aside(&self, workspace: &mut Workspace) -> Result<()> {
        let memory = workspace.memory_bytes();
        let block = workspace::block_bytes(memory);
        let lane = WriteLane::cost_bytes(block, workspace::SPARES, self.codec);
        let lane = if self.lane.is_some() { lane as u64 } else { 0 };
        let all = workspace::write_bytes(memory, self.codec, 1) + workspace.encode_bytes();
        workspace.set_aside(all - lane)
    }

    fn begin(&mut self, workspace: &mut Workspace) -> Result<(WriteLane, Output)> {
        let block = workspace::block_bytes(workspace.memory_bytes());
        let encode_bytes = workspace::encoded_bytes_max(workspace.record_bytes_max());
        let lender = workspace.lender()?;
        let lane = match self.lane.take() {
            Some(lane) => lane,
            None => WriteLane::start(lender, block, workspace::SPARES, self.codec)?,
        };
        let writer = RunWriter::new(&self.file, lender, block)?;
        let encoder = Encoder::new(lender, encode_bytes)?;
        Ok((lane, Output { writer, encoder }))
    }

    /// Merges until at most `fan_in` runs are left, or as many as memory lets be read at a time;
    /// returns how often a pass was made, and opens the last merge.
    pub(super) fn merge<T, C>(
        mut self,
        workspace: &mut Workspace,
        fan_in: usize,
        compare: C,
    ) -> Result<(Merge<T, C>, u32)>
    where
        T: Serialize + DeserializeOwned,
        C: Fn(&T, &T) -> Ordering + Clone,
    {
        let mut passes = 1;
        loop {
            self.lane = None;
            let width = self.take_width(workspace, fan_in, false)?;
            if self.runs.len() <= width {
                let merge = Merge::open(&self.runs, workspace.lender()?, compare)?;
                workspace.assert_covered();
                return Ok((merge, passes));
            }
            let left = width;
            let width = self.take_width(workspace, fan_in, true)?;
            self.pass(workspace, width, left, &compare)?;
            passes += 1;
        }
    }

    /// One pass over the runs, merging `width` neighbours at a time until `left` runs are left.
    fn pass<T, C>(
        &mut self,
        workspace: &mut Workspace,
        width: usize,
        left: usize,
        compare: &C,
    ) -> Result<()>
    where
        T: Serialize + DeserializeOwned,
        C: Fn(&T, &T) -> Ordering + Clone,
    {
        let mut at = 0;
        while at + 1 < self.runs.len() && self.runs.len() > left {
            let too_many = self.runs.len() - left;
            let count = width.min(too_many + 1).min(self.runs.len() - at);
            let (mut lane, mut out) = self.begin(workspace)?;
            let group = &self.runs[at..at + count];
            let mut merge = Merge::open(group, workspace.lender()?, compare.clone())?;
            while let Some(record) = merge.next()? {
                out.push(&mut lane, &record)?;
            }
            drop(merge);
            let run = Arc::new(out.finish(&mut lane)?);
            self.lane = Some(lane);
            workspace.assert_covered();
            self.runs.splice(at..at + count, [run]);
            at += 1;
        }
        Ok(())
    }

    /// Sets aside what it takes to read as many runs as possible at a time, up to `fan_in`.
    fn take_width(&self, workspace: &mut Workspace, fan_in: usize, writing: bool) -> Result<usize> {
        let each = self.reader_bytes() + workspace.record_bytes_max();
        let index: u64 = self.runs.iter().map(|run| run.blocks().len() as u64 * 16).sum();
        let memory = workspace.memory_bytes();
        let beside = if writing {
            workspace::write_bytes(memory, self.codec, 1) + workspace.encode_bytes() + 2 * index
        } else {
            0
        };
        let mut width = fan_in.clamp(2, self.runs.len().max(2));
        loop {
            let set = workspace.set_aside(beside + width as u64 * each);
            match set {
                Ok(()) => return Ok(width),
                Err(error) if width == 2 => return Err(error),
                Err(_) => width = (width - width.div_ceil(8)).max(2),
            }
        }
    }
}

/// A run that is being written.
struct Output {
    writer: RunWriter,
    encoder: Encoder,
}

impl Output {
    fn push<T: Serialize>(&mut self, lane: &mut WriteLane, record: &T) -> Result<()> {
        self.writer.push(lane, &[self.encoder.encode(record)?])?;
        Ok(())
    }

    fn finish(self, lane: &mut WriteLane) -> Result<Run> {
        self.writer.finish(lane)
    }
}
