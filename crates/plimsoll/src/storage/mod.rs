//! The only door to disk: files at offsets, names, and what a file system says of itself.
//!
//! ```text
//!   spill, files, collections ──> Storage ──┬── Disk            the real one
//!                                           └── testing::Faulty: Nth failure, torn writes
//! ```
//!
//! Promises: every byte this library writes or reads back goes through [`Storage`]; a write is
//! whole or an error.
//! Never: a path that was not given by the caller, or a file opened by following a link it made.

mod aligned;
mod disk;
pub mod testing;

pub use aligned::{AlignedBytes, SECTOR_BYTES};
pub use disk::Disk;

pub(crate) use aligned::sectors;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Directories and names.
pub trait Storage: Send + Sync + std::fmt::Debug {
    /// Makes a file that must not exist, for its owner alone (0600), open for both directions.
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens a file that exists, for both directions.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>>;

    /// Makes a directory that must not exist, for its owner alone (0700).
    ///
    /// # Errors
    /// The system's.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or directory another name in one step, over what has that name.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// The system's.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Names in a directory, at most `names_max` of them, in no order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, path: &Path, names_max: usize) -> io::Result<Vec<OsString>>;

    /// Bytes a file in this directory could still take.
    ///
    /// # Errors
    /// The system's.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;

    /// Whether the directory is on a file system that lives in memory, so that spilling there
    /// would free nothing.
    ///
    /// # Errors
    /// The system's.
    fn lives_in_memory(&self, path: &Path) -> io::Result<bool>;
}

/// An open file, read and written at offsets by several threads at once.
///
/// Requests whose memory, offset and length are multiples of [`SECTOR_BYTES`] go past the page
/// cache where the file system allows it: inside a container the cache is charged to it too.
pub trait StorageFile: Send + Sync + std::fmt::Debug {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The system's; part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads up to `bytes`; fewer only at the end of the file.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Asks for room for `bytes` from `offset` on. Where the file system cannot promise room this
    /// does nothing.
    ///
    /// # Errors
    /// No room left.
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Gives the room of these bytes back; they read as zeros. Where the file system cannot, this
    /// does nothing.
    ///
    /// # Errors
    /// The system's.
    fn free(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Bytes of the file.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes the contents durable.
    ///
    /// # Errors
    /// The system's. After one the file's contents are unknown: throw it away.
    fn sync(&self) -> io::Result<()>;

    /// Takes the file's lock if nobody has it; it is held until the file is dropped.
    ///
    /// # Errors
    /// The system's, but not that somebody has it.
    fn try_lock(&self) -> io::Result<bool>;

    /// Whether `path` still names this very file: it could have been removed, and another one
    /// made in its place.
    ///
    /// # Errors
    /// The system's, but not that nothing has that name.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}
