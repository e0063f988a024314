//! One large file of spilled extents.
//!
//! ```text
//!   0                                    end        prepared
//!   | extent | extent | freed | extent | ─────────> |          room is asked for in steps
//! ```
//!
//! Promises: extents do not overlap, begin at sectors and are charged to the area's quota; the
//! file is removed when it is dropped.
//! Never: a byte outside an extent.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::area::Shared;
use super::lane::BlockTarget;
use crate::error::{Error, Result};
use crate::storage::{SECTOR_BYTES, StorageFile};
use crate::units::ByteSize;

/// Room asked of the file system at a time: few extents on disk, and a full disk is noticed early.
const PREPARE_BYTES: u64 = 64 << 20;

/// Files of this process so far, whichever area they are in.
static FILES: AtomicU64 = AtomicU64::new(0);
/// 2^64 over the golden ratio, odd: numbers that are near give tags that are far from each other,
/// so that no offset is likely to turn one file's into another's.
const TAG_MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A file of extents, used by several threads at once.
#[derive(Debug)]
pub struct SpillFile {
    area: Arc<Shared>,
    path: PathBuf,
    file: Arc<dyn StorageFile>,
    /// Distinguishes this file's blocks from those of every other file of this process.
    tag: u64,
    /// Extents stay until the file goes: a later process may need them.
    pinned: bool,
    space: Mutex<Space>,
}

#[derive(Debug, Default)]
struct Space {
    end: u64,
    prepared: u64,
    live: u64,
}

impl SpillFile {
    pub(super) fn create(area: Arc<Shared>, path: PathBuf) -> Result<Self> {
        let file = area.storage.create(&path);
        let file = file.map_err(|e| Error::io(format!("making {}", path.display()), e))?;
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let unmixed = u64::from(std::process::id()) << 32 | (number & 0xffff_ffff);
        let tag = unmixed.wrapping_mul(TAG_MULTIPLIER);
        Ok(Self { area, path, file, tag, pinned: false, space: Mutex::default() })
    }

    /// Opens a file that another process made; new extents go behind all it has.
    pub(super) fn adopt(area: Arc<Shared>, path: PathBuf, tag: u64) -> Result<Option<Self>> {
        let failed = |e| Error::io(format!("taking over {}", path.display()), e);
        let file = match area.storage.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let end = file.len().map_err(failed)?.next_multiple_of(SECTOR_BYTES as u64);
        area.charge(end)?;
        let space = Mutex::new(Space { end, prepared: end, live: end });
        Ok(Some(Self { area, path, file, tag, pinned: false, space }))
    }

    /// The same file, but its extents stay until it is dropped.
    pub(super) fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tag(&self) -> u64 {
        self.tag
    }

    /// Takes an extent of `bytes`, a multiple of [`SECTOR_BYTES`]; returns its offset.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] at the quota, [`crate::ErrorKind::Io`] on a full disk.
    pub fn extent(&self, bytes: u64) -> Result<u64> {
        assert!(bytes.is_multiple_of(SECTOR_BYTES as u64), "extents are whole sectors");
        self.area.charge(bytes)?;
        let mut space = self.space();
        let offset = space.end;
        let end = offset + bytes;
        if end > space.prepared {
            let step = PREPARE_BYTES.max(bytes);
            let prepared = self.file.allocate(space.prepared, step).map(|()| step).or_else(|_| {
                // Near the end of the disk less may still fit.
                let exact = end - space.prepared;
                self.file.allocate(space.prepared, exact).map(|()| exact)
            });
            match prepared {
                Ok(step) => space.prepared += step,
                Err(error) => {
                    drop(space);
                    self.area.discharge(bytes);
                    return Err(self.failed("making room for", bytes, error));
                }
            }
        }
        space.end = end;
        space.live += bytes;
        Ok(offset)
    }

    /// Fills `bytes` from an extent.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; [`crate::ErrorKind::Corrupt`] where the file ends.
    pub fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let mut read = 0;
        while read < bytes.len() {
            let more = self.file.read_at(&mut bytes[read..], offset + read as u64);
            match more.map_err(|e| self.failed("reading", bytes.len() as u64, e))? {
                0 => break,
                more => read += more,
            }
        }
        self.area.read.fetch_add(read as u64, Ordering::Relaxed);
        if read < bytes.len() {
            return Err(Error::corrupt(format!(
                "{} ends {} short of what was written at byte {offset}: something else cut it",
                self.path.display(),
                ByteSize::new((bytes.len() - read) as u64)
            )));
        }
        Ok(())
    }

    /// Gives an extent back to the disk. What was there reads as zeros from now on.
    pub fn free(&self, offset: u64, bytes: u64) {
        if self.pinned {
            return;
        }
        // An extent that the disk does not take back goes with the file.
        let _with_the_file = self.file.free(offset, bytes);
        self.space().live -= bytes;
        self.area.discharge(bytes);
    }

    /// Bytes of it in use.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.space().live
    }

    pub(crate) fn place(&self, offset: u64) -> String {
        format!("{} at byte {offset}", self.path.display())
    }

    fn failed(&self, what: &str, bytes: u64, error: std::io::Error) -> Error {
        let folder = self.path.parent().unwrap_or(&self.path);
        let hint = if error.kind() == std::io::ErrorKind::StorageFull {
            let free = self.area.storage.free_bytes(folder).unwrap_or(0);
            format!(
                " ({} are free there; choose another spill directory, or raise the memory limit)",
                ByteSize::new(free)
            )
        } else {
            String::new()
        };
        let bytes = ByteSize::new(bytes);
        Error::io(format!("{what} {bytes} of spill in {}{hint}", folder.display()), error)
    }
}

impl BlockTarget for SpillFile {
    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let written = self.file.write_at(bytes, offset);
        written.map_err(|e| self.failed("writing", bytes.len() as u64, e))?;
        self.area.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        let live = self.space().live;
        self.area.discharge(live);
        if self.area.kept.load(Ordering::Relaxed) {
            return;
        }
        // What stays behind is swept by the next process.
        let _swept_later = self.area.storage.remove_file(&self.path);
    }
}
