//! What files that clients send may take of the disk.
//!
//! Promises: bytes are taken before they are written, and given back with the file.
//! Never: more than the bound, whoever writes at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes, and how many there may be.
pub(super) struct Space {
    used: AtomicU64,
    pub(super) bytes_max: u64,
}

impl Space {
    pub(super) fn new(used: u64, bytes_max: u64) -> Self {
        Self { used: AtomicU64::new(used), bytes_max }
    }

    /// Takes so many bytes; false where they are not there.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let more = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.bytes_max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives bytes back. What another server wrote into the same directory was not counted here.
    pub(super) fn give(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // The closure always has an answer.
        let _known = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[cfg(test)]
mod tests {
    use super::Space;

    #[test]
    fn what_is_taken_is_bounded_and_comes_back() {
        let space = Space::new(3, 10);
        assert!(space.take(7) && !space.take(1) && !space.take(u64::MAX));
        space.give(2);
        assert!(space.take(2) && !space.take(1));
        space.give(u64::MAX);
        assert!(space.take(10));
    }
}
