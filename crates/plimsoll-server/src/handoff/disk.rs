//! What exports that are kept may take of the spill directory.
//!
//! Promises: bytes are taken before they are written, and given back with the file.
//! Never: more than the bound, whoever writes at once.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes and files, and how many there may be.
pub(crate) struct DiskSpace {
    bytes: AtomicU64,
    files: AtomicUsize,
    pub(super) bytes_max: u64,
    pub(super) files_max: usize,
}

impl DiskSpace {
    pub(super) fn new(bytes_max: u64, files_max: usize) -> Self {
        Self { bytes: AtomicU64::new(0), files: AtomicUsize::new(0), bytes_max, files_max }
    }

    /// Takes so many bytes; false where they are not there.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let more = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Takes the place of a file; false where none is free.
    pub(super) fn take_file(&self) -> bool {
        let more = |files: usize| (files < self.files_max).then_some(files + 1);
        self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub(super) fn give_back_file(&self) {
        self.files.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::DiskSpace;

    #[test]
    fn what_is_taken_is_bounded_and_comes_back() {
        let space = DiskSpace::new(10, 1);
        assert!(space.take(7) && !space.take(4) && space.take(3) && !space.take(u64::MAX));
        space.give_back(7);
        assert!(space.take(7) && !space.take(1));
        assert!(space.take_file() && !space.take_file());
        space.give_back_file();
        assert!(space.take_file());
    }
}
