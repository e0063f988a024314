//! Memory that direct requests to a disk can use.
//!
//! Promises: the bytes begin at a multiple of [`SECTOR_BYTES`]; pages nobody has written to are
//! not resident.
//! Never: a reallocation.

use std::ops::{Deref, DerefMut};

/// Memory, offset and length of a direct request are multiples of this. It is the page size and
/// the sector size of any disk in use.
pub const SECTOR_BYTES: usize = 4096;

/// A fixed number of zeroed bytes at an aligned address; costs one sector more.
///
/// ```
/// use plimsoll::storage::{AlignedBytes, SECTOR_BYTES};
/// let bytes = AlignedBytes::zeroed(3 * SECTOR_BYTES);
/// assert_eq!(bytes.as_ptr().align_offset(SECTOR_BYTES), 0);
/// assert_eq!(bytes.len(), 3 * SECTOR_BYTES);
/// ```
pub struct AlignedBytes {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBytes {
    /// `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        let bytes = vec![0; len + SECTOR_BYTES];
        let start = bytes.as_ptr().align_offset(SECTOR_BYTES);
        assert!(start <= SECTOR_BYTES, "an address can be aligned by skipping bytes");
        Self { bytes, start, len }
    }

    /// What a buffer of `len` costs, in bytes.
    #[must_use]
    pub const fn cost_bytes(len: usize) -> usize {
        len + SECTOR_BYTES
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for AlignedBytes {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}

impl std::fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBytes({} B)", self.len)
    }
}

/// The smallest multiple of [`SECTOR_BYTES`] that is not below `bytes`.
#[must_use]
pub(crate) const fn sectors(bytes: usize) -> usize {
    bytes.next_multiple_of(SECTOR_BYTES)
}
