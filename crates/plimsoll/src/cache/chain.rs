//! A list of entries from the newest to the oldest, held together by links inside the entries.
//!
//! ```text
//!   newest ──older──> entry ──older──> entry ──older──> oldest
//!          <──newer──       <──newer──       <──newer──
//! ```
//!
//! Promises: adding and taking out cost the same whatever the length.
//! Never: an allocation.

use super::entries::Entries;
use super::entry::{Line, Link, NONE};

#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    newest: u32,
    oldest: u32,
}

impl Chain {
    pub(super) const EMPTY: Self = Self { newest: NONE, oldest: NONE };

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.oldest == NONE
    }

    pub(super) fn push(&mut self, line: Line, entries: &mut Entries, number: u32) {
        *entries.get_mut(number).link_mut(line) = Link { newer: NONE, older: self.newest };
        if self.newest == NONE {
            self.oldest = number;
        } else {
            entries.get_mut(self.newest).link_mut(line).newer = number;
        }
        self.newest = number;
    }

    pub(super) fn unlink(&mut self, line: Line, entries: &mut Entries, number: u32) {
        let Link { newer, older } =
            std::mem::replace(entries.get_mut(number).link_mut(line), Link::APART);
        if newer == NONE {
            self.newest = older;
        } else {
            entries.get_mut(newer).link_mut(line).older = older;
        }
        if older == NONE {
            self.oldest = newer;
        } else {
            entries.get_mut(older).link_mut(line).newer = newer;
        }
    }
}
