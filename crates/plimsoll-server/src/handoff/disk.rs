//! What exports that are kept may take of the spill directory.
//!
//! Promises: bytes are taken before they are written, and given back with the file.
//! Never: more than the bound, whoever writes at once.

use std::sync::Arc;
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
    fn take(&self, bytes: u64) -> bool {
        let more = |used: u64| used.checked_add(bytes).filter(|&used| used <= self.bytes_max);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Takes the place of a file; `None` where none is free.
    pub(super) fn place(self: &Arc<Self>) -> Option<Place> {
        let more = |files: usize| (files < self.files_max).then_some(files + 1);
        let taken = self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.is_ok().then(|| Place { space: Arc::clone(self), bytes: AtomicU64::new(0) })
    }
}

/// The place of a file, and the bytes that were taken for it. Dropping it gives all back.
pub(crate) struct Place {
    space: Arc<DiskSpace>,
    bytes: AtomicU64,
}

impl Place {
    /// Takes so many bytes; false where they are not there.
    pub(super) fn take(&self, bytes: u64) -> bool {
        let taken = self.space.take(bytes);
        if taken {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.space.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
        self.space.files.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::DiskSpace;

    #[test]
    fn what_is_taken_is_bounded_and_comes_back() {
        let space = Arc::new(DiskSpace::new(10, 2));
        let [one, two] = [space.place(), space.place()].map(|place| place.expect("a place"));
        assert!(space.place().is_none());
        assert!(one.take(7) && !two.take(4) && two.take(3) && !two.take(u64::MAX));
        drop(one);
        let three = space.place().expect("a place");
        assert!(three.take(7) && !two.take(1));
        drop((two, three));
        assert!(space.place().is_some_and(|place| place.take(10)));
    }
}
