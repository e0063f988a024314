//! Records dealt out by their hash, so that each part is small enough or can be dealt out again.
//!
//! ```text
//!   record ─ hash, level ─┬─ writer 0 ─┐
//!                         ├─ writer 1 ─┼─ one lane ─> one file     part 2 too large?
//!                         ├─ writer 2 ─┤                              `─> level 1: parts 0..P
//!                         └─ ...       ┘
//! ```
//!
//! Promises: equal keys meet in one part, in the order in which they were pushed; each level
//! deals out by other bits than those above it.
//! Never: a part split for ever; beyond a depth it is refused.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;

use serde::Serialize;

use super::encoder::Encoder;
use super::workspace::{self, Workspace};
use crate::error::{Error, Result};
use crate::limits::{TYPED_PARTITIONS_MAX, TYPED_SPLITS_MAX};
use crate::spill::{Run, RunWriter, WriteLane};

/// Share of the memory that the parts' blocks take.
const BLOCKS_SHARE: u64 = 8;
/// Parts at least: with fewer, a level hardly makes anything smaller.
const PARTS_MIN: u64 = 4;

/// How many parts there are under `memory_bytes`.
pub(super) fn parts(memory_bytes: u64) -> usize {
    let block = workspace::block_bytes(memory_bytes) as u64;
    let parts = (memory_bytes / BLOCKS_SHARE / block).clamp(PARTS_MIN, TYPED_PARTITIONS_MAX as u64);
    usize::try_from(parts).expect("at most a constant")
}

/// What is set aside by an operator that may have to deal its records out.
pub(super) fn aside_bytes(workspace: &Workspace) -> u64 {
    let memory = workspace.memory_bytes();
    let codec = workspace.engine().codec();
    workspace::write_bytes(memory, codec, parts(memory)) + workspace.encode_bytes()
}

/// Parts that are being written.
#[derive(Debug)]
pub(super) struct Partitions {
    writers: Vec<RunWriter>,
    encoder: Encoder,
    lane: WriteLane,
    dealer: Dealer,
    /// Lent out when it was opened.
    lent_bytes: u64,
    since_covered: usize,
}

/// Which part a key belongs to at a level.
#[derive(Clone, Debug)]
pub(super) struct Dealer {
    hasher: RandomState,
    level: u32,
}

impl Dealer {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), level: 0 }
    }

    /// The same hashes, dealt out by other bits.
    pub(super) fn below(&self) -> Self {
        Self { hasher: self.hasher.clone(), level: self.level + 1 }
    }

    fn part(&self, key: &impl Hash, parts: usize) -> usize {
        // The finisher of SplitMix64: every level sees the whole hash, mixed differently.
        let step = u64::from(self.level + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = self.hasher.hash_one(key) ^ step;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let scaled = u128::from(z ^ (z >> 31)) * parts as u128;
        usize::try_from(scaled >> 64).expect("below the number of parts")
    }
}

impl Partitions {
    /// Opens the writers. What [`aside_bytes`] says is set aside and not lent out yet.
    pub(super) fn open(workspace: &mut Workspace, dealer: Dealer) -> Result<Self> {
        if dealer.level >= TYPED_SPLITS_MAX {
            return Err(Error::too_large(format!(
                "dealing records out by their keys: after {TYPED_SPLITS_MAX} times a part still \
                 does not fit {} of memory; give the operator more, or keys a better Hash",
                crate::units::ByteSize::new(workspace.memory_bytes())
            )));
        }
        let (file, codec) = (workspace.file()?, workspace.engine().codec());
        let memory = workspace.memory_bytes();
        let block = workspace::block_bytes(memory);
        let encode_bytes = workspace::encoded_bytes_max(workspace.record_bytes_max());
        let lender = workspace.lender()?;
        let lane = WriteLane::start(lender, block, workspace::SPARES, codec)?;
        let writers = (0..parts(memory))
            .map(|_| RunWriter::new(&file, lender, block))
            .collect::<Result<_>>()?;
        let encoder = Encoder::new(lender, encode_bytes)?;
        let lent_bytes = workspace.lent_bytes();
        workspace.assert_covered();
        Ok(Self { writers, encoder, lane, dealer, lent_bytes, since_covered: 0 })
    }

    /// Appends `record` to the part of `key`.
    pub(super) fn push<T: Serialize>(
        &mut self,
        workspace: &mut Workspace,
        key: &impl Hash,
        record: &T,
    ) -> Result<()> {
        let encode_bytes = workspace::encoded_bytes_max(workspace.record_bytes_max());
        if self.encoder.bytes_max() < encode_bytes {
            self.encoder.make_room(encode_bytes)?;
        }
        let bytes = self.encoder.encode(record)?;
        self.since_covered += bytes.len() + 1;
        let part = self.dealer.part(key, self.writers.len());
        self.writers[part].push(&mut self.lane, &[bytes])?;
        Ok(())
    }

    /// Keeps room for the parts' lists of blocks, which double. To be called between two tables
    /// full of records, and before each record that is pushed alone.
    pub(super) fn cover(&mut self, workspace: &mut Workspace) -> Result<()> {
        if self.since_covered < self.lane.block_bytes() {
            return Ok(());
        }
        workspace.assert_covered();
        let lists = workspace.lent_bytes().saturating_sub(self.lent_bytes);
        let more = workspace::index_bytes(workspace.memory_bytes());
        workspace.keep_free(lists + more + workspace.encode_bytes() / 2)?;
        self.since_covered = 0;
        Ok(())
    }

    /// The parts by number; `None` for one that got nothing.
    pub(super) fn finish(mut self) -> Result<Vec<Option<Arc<Run>>>> {
        let mut runs = Vec::with_capacity(self.writers.len());
        for writer in self.writers {
            let run = writer.finish(&mut self.lane)?;
            runs.push((run.records() > 0).then(|| Arc::new(run)));
        }
        Ok(runs)
    }
}
