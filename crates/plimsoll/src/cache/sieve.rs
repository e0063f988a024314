//! The order in which entries leave memory: SIEVE (Zhang et al., "SIEVE is Simpler than LRU",
//! NSDI 2024).
//!
//! ```text
//!   newest | used | -    | used | -    | oldest       a use marks, and moves nothing
//!                    <── hand                         takes the first without a mark on its way,
//!                                                     clears those it passes
//! ```
//!
//! Promises: what was used since the hand passed outlives what was not; a scan passes through
//! without washing out what is used.
//! Never: a list that changes because somebody read.

use super::chain::Chain;
use super::entries::Entries;
use super::entry::{Line, NONE};

#[derive(Debug)]
pub(super) struct Sieve {
    chain: Chain,
    hand: u32,
    pub(super) items: u64,
    /// What the values are charged with.
    pub(super) bytes: u64,
}

impl Sieve {
    pub(super) fn new() -> Self {
        Self { chain: Chain::EMPTY, hand: NONE, items: 0, bytes: 0 }
    }

    pub(super) fn push(&mut self, entries: &mut Entries, number: u32, bytes: u64) {
        entries.get_mut(number).used = false;
        self.chain.push(Line::Hot, entries, number);
        self.items += 1;
        self.bytes += bytes;
    }

    pub(super) fn unlink(&mut self, entries: &mut Entries, number: u32, bytes: u64) {
        if self.hand == number {
            self.hand = entries.get(number).hot.newer;
        }
        self.chain.unlink(Line::Hot, entries, number);
        self.items -= 1;
        self.bytes -= bytes;
    }

    /// The next one to leave; it is still in the list.
    pub(super) fn victim(&mut self, entries: &mut Entries) -> Option<u32> {
        let oldest = self.chain.oldest()?;
        let mut at = if self.hand == NONE { oldest } else { self.hand };
        // Once around clears every mark.
        for _ in 0..self.items {
            let entry = entries.get_mut(at);
            if !std::mem::take(&mut entry.used) {
                break;
            }
            at = if entry.hot.newer == NONE { oldest } else { entry.hot.newer };
        }
        self.hand = at;
        Some(at)
    }
}
