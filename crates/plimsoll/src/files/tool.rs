//! What every file tool is given.
//!
//! Promises: nothing here but handles and numbers.
//! Never: a default for the budget.

use std::path::Path;
use std::sync::Arc;

use super::watch::Watch;
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{SpillArea, SpillOptions};
use crate::storage::Storage;

/// Memory below which another thread costs more than it brings.
const THREAD_BYTES_MIN: u64 = 1 << 20;

/// Disk, memory and threads of one tool's run.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// The door to disk.
    pub storage: &'a Arc<dyn Storage>,
    /// Where spill directories are made.
    pub spill_root: &'a Path,
    /// Quota and compression.
    pub spill: SpillOptions,
    /// Whom the memory is charged to.
    pub consumer: &'a Consumer,
    /// How much of it the tool may use.
    pub workspace_bytes: u64,
    /// Threads that compute; as many again wait for disks.
    pub threads: usize,
    /// Progress, and the wish to stop.
    pub watch: &'a Watch,
}

impl Tool<'_> {
    /// The same with no more threads than a workspace feeds.
    #[must_use]
    pub(super) fn with_threads_for(self, workspace_bytes: u64) -> Self {
        let most = usize::try_from(workspace_bytes / THREAD_BYTES_MIN).unwrap_or(usize::MAX);
        Self { threads: self.threads.min(most).max(1), ..self }
    }

    /// A spill directory of this run's own.
    ///
    /// # Errors
    /// As [`SpillArea::open`].
    pub fn area(&self) -> Result<SpillArea> {
        SpillArea::open(Arc::clone(self.storage), self.spill_root, self.spill)
    }
}

/// What a tool did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read; of pieces that were taken over from a killed process, those it kept.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Bytes read, decompressed.
    pub bytes_in: u64,
    /// Bytes written, before compression.
    pub bytes_out: u64,
    /// Bytes written to spill files.
    pub spill_bytes: u64,
    /// Most bytes in spill files at one time.
    pub spill_peak_bytes: u64,
    /// Runs or partitions that were spilled.
    pub runs: u64,
    /// Pieces of the input that a killed process had sorted.
    pub segments_resumed: u64,
    /// How often a row went to disk before the output.
    pub passes: u32,
}
