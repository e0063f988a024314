//! The blocks of one part of a merge that nobody has asked for yet, a window of them at a time.
//!
//! ```text
//!   index on disk: ... entry | entry | entry | entry | entry ...
//!                      └──── window ────┘└── being fetched ──┘
//!                        first: asked for next
//! ```
//!
//! Promises: memory of a window, whatever the part's length.
//! Never: two fetches of one part on the way.

use std::collections::VecDeque;
use std::sync::Arc;

use super::index::{BlockEntry, ENTRY_BYTES, EntryPlace, IndexReader};
use super::merge::Part;
use crate::error::Result;
use crate::spill::SpillFile;

/// Entries a fetch brings at most: a page is read once for so many blocks.
const FETCHED_MAX: usize = 16;
/// With fewer entries than these in the window the next are fetched: as many blocks may be read
/// before they arrive.
const LOW: usize = 8;

/// What is known of the next blocks of a part.
#[derive(Debug)]
pub(super) struct Upcoming {
    file: Arc<SpillFile>,
    window: VecDeque<BlockEntry>,
    /// Number of the window's first block.
    first: u64,
    /// The entry behind the window, and how many there are from it on.
    next: EntryPlace,
    unread: u64,
    /// Goes with a fetch and comes back.
    buffer: Option<Vec<BlockEntry>>,
}

/// A window being filled by another thread.
#[derive(Debug)]
pub(super) struct Fetch {
    file: Arc<SpillFile>,
    next: EntryPlace,
    wanted: usize,
    buffer: Vec<BlockEntry>,
}

impl Upcoming {
    /// What one holds beside itself, in bytes.
    pub(super) const fn cost_bytes() -> usize {
        (LOW + 2 * FETCHED_MAX) * ENTRY_BYTES
    }

    pub(super) fn new(part: &Part) -> Self {
        let blocks = part.blocks();
        Self {
            file: Arc::clone(part.run.file()),
            window: VecDeque::with_capacity(LOW + FETCHED_MAX),
            first: blocks.start,
            next: part.from.entry,
            unread: blocks.end - blocks.start,
            buffer: Some(Vec::with_capacity(FETCHED_MAX)),
        }
    }

    /// The next block that nobody asked for, and its number; `None` where it is not known yet or
    /// there is none.
    pub(super) fn first(&self) -> Option<(u64, &BlockEntry)> {
        self.window.front().map(|entry| (self.first, entry))
    }

    /// Number of the next block that nobody asked for.
    pub(super) fn number(&self) -> u64 {
        self.first
    }

    /// Takes the first one out.
    pub(super) fn pop(&mut self) -> Option<BlockEntry> {
        let entry = self.window.pop_front()?;
        self.first += 1;
        Some(entry)
    }

    /// A fetch, where one is due and none is on the way.
    pub(super) fn fetch(&mut self) -> Option<Fetch> {
        if self.unread == 0 || self.window.len() > LOW {
            return None;
        }
        let buffer = self.buffer.take()?;
        let unread = usize::try_from(self.unread).unwrap_or(usize::MAX);
        let wanted = unread.min(FETCHED_MAX);
        Some(Fetch { file: Arc::clone(&self.file), next: self.next, wanted, buffer })
    }

    /// What a fetch brought.
    pub(super) fn fetched(&mut self, Fetch { mut buffer, next, .. }: Fetch) {
        self.unread -= buffer.len() as u64;
        self.next = next;
        self.window.extend(buffer.drain(..));
        self.buffer = Some(buffer);
    }

    pub(super) fn file(&self) -> &Arc<SpillFile> {
        &self.file
    }
}

impl Fetch {
    /// Reads the entries.
    pub(super) fn run(&mut self, index: &mut IndexReader) -> Result<()> {
        for _ in 0..self.wanted {
            let (entry, next) = index.entry(&self.file, self.next)?;
            self.buffer.push(entry);
            self.next = next;
        }
        Ok(())
    }
}
