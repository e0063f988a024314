//! The right rows of one key, for every left row of it.
//!
//! ```text
//!   arena   [length | piece][length | piece] ..   the first rows, in memory
//!   run     .. the others, on disk, where the arena has no room; read once a left row
//! ```
//! What is read again is what is written: each left row goes to the output with every row here.
//!
//! Promises: any number of rows in the memory reserved at the start; their order.
//! Never: a file before the arena is full.

use std::sync::Arc;

use super::super::tool::Tool;
use super::plan::SPARES;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::spill::{
    LENGTH_BYTES_MAX, Run, RunWriter, SpillArea, SpillFile, WriteLane, length_at, put_length,
};

pub(super) struct Group<'a> {
    tool: &'a Tool<'a>,
    key: Option<Vec<u8>>,
    arena: Vec<u8>,
    arena_bytes: usize,
    block_bytes: usize,
    writing: Option<(WriteLane, RunWriter)>,
    run: Option<Arc<Run>>,
    /// Runs that were made for all groups.
    pub(super) runs: u64,
    // Goes last: runs are in it.
    spilled: Option<(SpillArea, Arc<SpillFile>)>,
    _held: Reservation,
}

impl<'a> Group<'a> {
    pub(super) fn new(tool: &'a Tool<'a>, arena_bytes: usize, block_bytes: usize) -> Result<Self> {
        let held = tool.consumer.try_reserve(arena_bytes as u64)?;
        let arena = Vec::with_capacity(arena_bytes);
        let (key, writing, run, spilled, runs) = (None, None, None, None, 0);
        Ok(Self {
            tool,
            key,
            arena,
            arena_bytes,
            block_bytes,
            writing,
            run,
            runs,
            spilled,
            _held: held,
        })
    }

    /// Whether it holds the rows of this key.
    #[inline]
    pub(super) fn is_of(&self, key: &[u8]) -> bool {
        self.key.as_deref() == Some(key)
    }

    /// Forgets all rows; those of `key` come next, where there are any.
    pub(super) fn begin(&mut self, key: Option<&[u8]>) {
        self.arena.clear();
        self.run = None;
        match (&mut self.key, key) {
            (Some(known), Some(key)) => {
                known.clear();
                known.extend_from_slice(key);
            }
            (known, key) => *known = key.map(<[u8]>::to_vec),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Result<()> {
        let room = self.arena_bytes - self.arena.len();
        if self.writing.is_none() && room >= LENGTH_BYTES_MAX + piece.len() {
            let mut length = [0; LENGTH_BYTES_MAX];
            let end = put_length(&mut length, 0, piece.len());
            self.arena.extend_from_slice(&length[..end]);
            self.arena.extend_from_slice(piece);
            return Ok(());
        }
        if self.writing.is_none() {
            self.start()?;
        }
        let (lane, writer) = self.writing.as_mut().expect("started above");
        writer.push(lane, &[piece])?;
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        if self.spilled.is_none() {
            let area = self.tool.area()?;
            let file = area.file("join")?;
            self.spilled = Some((area, file));
        }
        let (area, file) = self.spilled.as_ref().expect("made above");
        let (consumer, block) = (self.tool.consumer, self.block_bytes);
        let lane = WriteLane::start(consumer, block, SPARES, area.codec())?;
        self.writing = Some((lane, RunWriter::new(file, consumer, block)?));
        self.runs += 1;
        Ok(())
    }

    /// Every row of the key was pushed.
    pub(super) fn end(&mut self) -> Result<()> {
        if let Some((mut lane, writer)) = self.writing.take() {
            self.run = Some(Arc::new(writer.finish(&mut lane)?));
        }
        Ok(())
    }

    /// Calls `each` with every piece, in order.
    pub(super) fn each(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut at = 0;
        while at < self.arena.len() {
            let place = length_at(&self.arena, at);
            let (length, start) = place.expect("an arena holds whole pieces");
            each(&self.arena[start..start + length])?;
            at = start + length;
        }
        let Some(run) = &self.run else { return Ok(()) };
        let mut reader = run.reader(self.tool.consumer)?;
        let mut left = run.records();
        while let Some(piece) = reader.next()? {
            each(piece)?;
            left = left.saturating_sub(1);
        }
        if left > 0 {
            return Err(Error::corrupt("spilled rows are missing: run the command again"));
        }
        Ok(())
    }

    /// Bytes written to disk, and the most there were at one time.
    pub(super) fn spill_bytes(&self) -> (u64, u64) {
        let stats = self.spilled.as_ref().map(|(area, _)| area.stats());
        stats.map_or((0, 0), |stats| (stats.written_bytes, stats.peak_bytes))
    }
}
