//! How a sort will go, from plain numbers.
//!
//! ```text
//!   adaptive   run = all memory        few runs, one pass                    most memory
//!   fixed n    run = n records         as many runs as that makes
//!   sqrt n     run = 2 * sqrt(N * B)   sqrt(N / B) runs, one pass over all   least memory
//! ```
//!
//! N is the input and B a block, in bytes: with sqrt(N * B) bytes of records in a run, beside as
//! much for sorting them, there are sqrt(N / B) runs. One block of each takes sqrt(N * B) bytes
//! again, so that one pass merges them all.
//!
//! Promises: the same numbers give the same plan; what a plan asks for fits the memory.
//! Never: a fan-in below 2.

use super::workspace;
use crate::limits::TYPED_FAN_IN_MAX;
use crate::spill::Codec;

/// Share of the memory left for the lists of the blocks of runs: with it a few dozen runs are
/// written before the vector of records must make room for them.
const LISTS_SHARE: u64 = 32;

/// How large a sort makes its runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChunkStrategy {
    /// As large as the budget lets them be.
    #[default]
    Adaptive,
    /// The square root of the input times a block. Without a hint of the input's size this is
    /// [`ChunkStrategy::Adaptive`].
    SqrtN,
    /// So many records, or fewer where memory is full before.
    Fixed(u64),
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanInput {
    /// What the operator may hold.
    pub memory_bytes: u64,
    /// One record in memory, on average.
    pub record_bytes: u64,
    /// The whole input in memory, where it is known.
    pub input_bytes: Option<u64>,
    /// How large runs are made.
    pub strategy: ChunkStrategy,
}

/// What a sort will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Records held before they are sorted and written, with the room that sorting takes.
    pub run_bytes: u64,
    /// One block on disk.
    pub block_bytes: usize,
    /// Runs merged at a time.
    pub fan_in: usize,
    /// Runs, where the input is known; 0 when it fits into memory.
    pub runs: Option<u64>,
    /// Times a record is read back, where the input is known.
    pub passes: Option<u32>,
    /// Set aside for writing, beside the runs.
    pub workspace_bytes: u64,
    /// Written to disk in all passes, about, where the input is known.
    pub temp_bytes: Option<u64>,
}

impl Plan {
    /// The plan for `input`.
    ///
    /// ```
    /// use plimsoll::typed::{ChunkStrategy, Plan, PlanInput};
    /// let mut input = PlanInput {
    ///     memory_bytes: 64 << 20,
    ///     record_bytes: 16,
    ///     input_bytes: Some(1 << 30),
    ///     strategy: ChunkStrategy::SqrtN,
    /// };
    /// let small = Plan::new(input);
    /// assert_eq!(small.run_bytes, 32 << 20); // twice sqrt(1 GiB * 256 KiB)
    /// assert_eq!(small.passes, Some(1));
    /// input.strategy = ChunkStrategy::Adaptive;
    /// assert!(Plan::new(input).run_bytes > 58 << 20);
    /// ```
    #[must_use]
    pub fn new(input: PlanInput) -> Self {
        let memory = input.memory_bytes;
        let block_bytes = workspace::block_bytes(memory);
        let workspace_bytes = workspace::write_bytes(memory, Codec::None, 1);
        let most = memory.saturating_sub(workspace_bytes + memory / LISTS_SHARE);
        let reader = workspace::read_bytes(memory) + input.record_bytes;
        let widest = (most / reader).clamp(2, TYPED_FAN_IN_MAX as u64);
        let (run_bytes, fan_in) = match (input.strategy, input.input_bytes) {
            (ChunkStrategy::SqrtN, Some(bytes)) => {
                let run = (bytes as u128 * block_bytes as u128).isqrt();
                let run = u64::try_from(2 * run).unwrap_or(u64::MAX);
                let run = run.clamp(2 * block_bytes as u64, most);
                // Vectors grow in steps, so that runs may come out half as long.
                (run, bytes.saturating_mul(4).div_ceil(run).clamp(2, widest))
            }
            (ChunkStrategy::Fixed(records), _) => {
                // Sorting takes as much again as the records.
                let run = records.max(1).saturating_mul(input.record_bytes.max(1));
                (run.saturating_mul(2).min(most), widest)
            }
            _ => (most, widest),
        };
        let mut plan = Self {
            run_bytes,
            block_bytes,
            fan_in: usize::try_from(fan_in).expect("at most a constant"),
            runs: None,
            passes: None,
            workspace_bytes,
            temp_bytes: None,
        };
        if let Some(bytes) = input.input_bytes {
            plan.foresee(bytes, input);
        }
        plan
    }

    fn foresee(&mut self, bytes: u64, input: PlanInput) {
        let whole = bytes.saturating_mul(2);
        let spills = match input.strategy {
            ChunkStrategy::Fixed(records) => {
                bytes / input.record_bytes.max(1) > records || whole > self.run_bytes
            }
            _ => whole > self.run_bytes,
        };
        // Half of a run's bytes is the room that sorting takes.
        let runs = if spills { whole.div_ceil(self.run_bytes) } else { 0 };
        let passes = passes(runs, self.fan_in);
        self.runs = Some(runs);
        self.passes = Some(passes);
        self.temp_bytes = Some(bytes.saturating_mul(u64::from(passes)));
    }
}

/// Times `runs` runs are merged, `fan_in` at a time, until the last merge gives the result.
pub(super) fn passes(runs: u64, fan_in: usize) -> u32 {
    let mut left = runs;
    let mut passes = u32::from(runs > 0);
    while left > fan_in as u64 {
        left = left.div_ceil(fan_in as u64);
        passes += 1;
    }
    passes
}
