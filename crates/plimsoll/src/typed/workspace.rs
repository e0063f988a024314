//! One operator's account: what it holds, and what stays set aside so that it can always spill.
//!
//! ```text
//!   held, charged to the engine's consumer, at most memory_bytes
//!   | data: rows, tables, what they point to     | aside                                   |
//!   |                                            | lent: lane, writers, readers | not yet  |
//! ```
//!
//! The parts of a spill reserve for themselves. They are given a budget of their own, whose bytes
//! are the part set aside here: an operator that must spill because the process's limit was just
//! lowered below what it holds would be refused any new byte, and it needs some to get rid of the
//! others.
//!
//! Promises: what is lent out is covered by what is set aside.
//! Never: more than `memory_bytes` held.

use std::sync::Arc;

use super::engine::Engine;
use crate::budget::{Budget, Consumer, Reservation, Unmeasured};
use crate::error::{Error, Result};
use crate::limits::{HEADROOM_BYTES_MIN, HEADROOM_PERCENT};
use crate::spill::{BlockReader, Codec, RunWriter, SpillFile, WriteLane};
use crate::units::ByteSize;

/// Share of the memory one record may take. With it two records fit as heads of a merge, beside
/// their blocks, and one more on its way out.
const RECORD_SHARE: u64 = 32;
/// Buffers of a lane: one is written while the next is filled.
pub(super) const SPARES: usize = 1;
const BLOCK_BYTES: std::ops::RangeInclusive<u64> = 4 << 10..=256 << 10;
/// Share of the memory one block takes: enough of them for a merge of some width.
const BLOCK_SHARE: u64 = 64;
/// What the first lists of blocks take, where each is short.
const INDEX_BYTES: u64 = 4 << 10;

/// Size of a spilled block under `memory_bytes`.
pub(super) fn block_bytes(memory_bytes: u64) -> usize {
    let wanted = (memory_bytes / BLOCK_SHARE).clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end());
    1 << wanted.ilog2()
}

/// What it takes to write through `writers` writers at once, beside the records' own size.
pub(super) fn write_bytes(memory_bytes: u64, codec: Codec, writers: usize) -> u64 {
    let block = block_bytes(memory_bytes);
    let lane = WriteLane::cost_bytes(block, SPARES, codec);
    let each = RunWriter::cost_bytes(block);
    (lane + writers * each) as u64 + index_bytes(memory_bytes)
}

/// What the lists of blocks grow by at most while as much as the memory is written: 16 bytes a
/// block, in lists that are half empty, of records that take twice as much as in memory.
pub(super) fn index_bytes(memory_bytes: u64) -> u64 {
    INDEX_BYTES + memory_bytes / block_bytes(memory_bytes) as u64 * 64
}

/// What it takes to read one run whose records fit its blocks.
pub(super) fn read_bytes(memory_bytes: u64) -> u64 {
    let block = block_bytes(memory_bytes);
    BlockReader::alone_bytes((block, 0), Codec::None) as u64
}

#[derive(Debug)]
pub(super) struct Workspace {
    engine: Engine,
    held: Reservation,
    /// Part of `held` that is not data.
    aside: u64,
    /// Largest record so far, in memory.
    record_bytes_max: u64,
    lender: Option<Consumer>,
    /// The operator's one file, from the first spill on.
    file: Option<Arc<SpillFile>>,
}

impl Workspace {
    /// An account with `aside_bytes` set aside.
    pub(super) fn new(engine: &Engine, aside_bytes: u64) -> Result<Self> {
        let held = engine.consumer().try_reserve(aside_bytes)?;
        let engine = engine.clone();
        Ok(Self { engine, held, aside: aside_bytes, record_bytes_max: 0, lender: None, file: None })
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The operator's file, made now if it was not yet. There is one: a file asks the file system
    /// for room in large steps.
    pub(super) fn file(&mut self) -> Result<Arc<SpillFile>> {
        if self.file.is_none() {
            self.file = Some(self.engine.area()?.file("typed")?);
        }
        Ok(Arc::clone(self.file.as_ref().expect("made above")))
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        self.engine.memory_bytes()
    }

    /// What could still be held under the operator's own bound.
    pub(super) fn room_bytes(&self) -> u64 {
        self.memory_bytes().saturating_sub(self.held.bytes())
    }

    /// Reserves `bytes` more for data.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<()> {
        if bytes > self.room_bytes() {
            return Err(Error::too_large(format!(
                "holding {} more: an operator may hold {} and {} are taken; give it more memory",
                ByteSize::new(bytes),
                ByteSize::new(self.memory_bytes()),
                ByteSize::new(self.held.bytes())
            )));
        }
        Ok(self.held.try_grow(bytes)?)
    }

    /// Gives `bytes` of data back.
    pub(super) fn shrink(&mut self, bytes: u64) {
        self.held.shrink(bytes);
    }

    /// Makes what is set aside `bytes` and whatever is lent out at present.
    pub(super) fn set_aside(&mut self, bytes: u64) -> Result<()> {
        let wanted = bytes + self.lent_bytes();
        if wanted > self.aside {
            self.grow(wanted - self.aside)?;
        } else {
            self.held.shrink(self.aside - wanted);
        }
        self.aside = wanted;
        Ok(())
    }

    /// Sees to it that of what is set aside, `bytes` are not lent out yet.
    pub(super) fn keep_free(&mut self, bytes: u64) -> Result<()> {
        let free = self.aside - self.lent_bytes();
        if free < bytes {
            self.grow(bytes - free)?;
            self.aside += bytes - free;
        }
        Ok(())
    }

    /// What is lent out.
    pub(super) fn lent_bytes(&self) -> u64 {
        self.lender.as_ref().map_or(0, Consumer::held_bytes)
    }

    /// Refuses a record of `bytes` that no spilling makes room for.
    pub(super) fn check(&self, bytes: u64) -> Result<()> {
        let most = self.memory_bytes() / RECORD_SHARE;
        if bytes <= most {
            return Ok(());
        }
        Err(Error::too_large(format!(
            "a record of {}: with {} of memory the largest is {}; give the operator {}",
            ByteSize::new(bytes),
            ByteSize::new(self.memory_bytes()),
            ByteSize::new(most),
            ByteSize::new(bytes.saturating_mul(RECORD_SHARE))
        )))
    }

    /// Takes note of a record of `bytes`, with room to encode it and to give it a block.
    pub(super) fn admit(&mut self, bytes: u64) -> Result<()> {
        if bytes <= self.record_bytes_max {
            return Ok(());
        }
        self.check(bytes)?;
        let more = record_bytes(bytes) - record_bytes(self.record_bytes_max);
        self.grow(more)?;
        self.aside += more;
        self.record_bytes_max = bytes;
        Ok(())
    }

    /// Largest record so far, in memory.
    pub(super) fn record_bytes_max(&self) -> u64 {
        self.record_bytes_max
    }

    /// Room for the largest record on its way to disk.
    pub(super) fn encode_bytes(&self) -> u64 {
        record_bytes(self.record_bytes_max)
    }

    /// Whom the parts of a spill reserve from.
    pub(super) fn lender(&mut self) -> Result<&Consumer> {
        if self.lender.is_none() {
            let bytes = self.memory_bytes();
            let headroom = HEADROOM_BYTES_MIN + bytes / (50 / HEADROOM_PERCENT);
            let budget = Budget::new(bytes + headroom, bytes, Arc::new(Unmeasured))?;
            self.lender = Some(budget.child("spilling", bytes)?.consumer("spill")?);
        }
        Ok(self.lender.as_ref().expect("made above"))
    }

    /// Whether an unexpected need was met from bytes that are not set aside: a bug.
    pub(super) fn assert_covered(&self) {
        let lent = self.lent_bytes();
        assert!(lent <= self.aside, "{lent} B are lent out of {} B", self.aside);
    }
}

/// Encoded, a record is at most twice what it is in memory; its buffer and a block of its own.
fn record_bytes(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { 2 * encoded_bytes_max(bytes) + (8 << 10) }
}

/// Bound of the encoded form of a record of `bytes` in memory: a 16-bit number takes three bytes,
/// and a length or a variant takes one where it took none.
pub(super) fn encoded_bytes_max(bytes: u64) -> u64 {
    2 * bytes + 64
}
