//! The real disk.
//!
//! ```text
//!   write_at ─┬─ memory, offset, length aligned ──> direct descriptor    (past the page cache)
//!             └─ anything else ───────────────────> buffered descriptor
//! ```
//!
//! The kernel keeps the two coherent: a direct request first writes back and drops the pages it
//! touches.
//!
//! Promises: short writes and interruptions are gone on with; a file system without direct
//! requests, or without holes, works by the ordinary way.
//! Never: a link followed when a file is made.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, fallocate, statfs, statvfs};
use rustix::io::Errno;

use super::aligned::SECTOR_BYTES;
use super::{Storage, StorageFile};

/// `f_type` of tmpfs and ramfs, from the kernel's magic.h.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// The machine's file systems.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let buffered = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(flags(OFlags::NOFOLLOW))
            .open(path)?;
        Ok(Arc::new(DiskFile::new(buffered, path)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let buffered = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags(OFlags::NOFOLLOW))
            .open(path)?;
        Ok(Arc::new(DiskFile::new(buffered, path)))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if cfg!(feature = "sabotage-no-directory-flush") {
            return Ok(());
        }
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path, names_max: usize) -> io::Result<Vec<OsString>> {
        fs::read_dir(path)?.take(names_max).map(|entry| Ok(entry?.file_name())).collect()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn lives_in_memory(&self, path: &Path) -> io::Result<bool> {
        #[allow(clippy::useless_conversion)] // the field's width differs between systems
        let kind = i64::try_from(statfs(path)?.f_type).unwrap_or(0);
        Ok(IN_MEMORY.contains(&kind))
    }
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

#[derive(Debug)]
struct DiskFile {
    buffered: File,
    /// The same file opened for direct requests, where the file system has them.
    direct: Option<File>,
}

impl DiskFile {
    fn new(buffered: File, path: &Path) -> Self {
        let direct = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags(OFlags::DIRECT | OFlags::NOFOLLOW))
            .open(path);
        Self { buffered, direct: direct.ok() }
    }

    fn descriptor(&self, bytes: &[u8], offset: u64) -> &File {
        let sector = SECTOR_BYTES as u64;
        let aligned = bytes.as_ptr().align_offset(SECTOR_BYTES) == 0
            && bytes.len().is_multiple_of(SECTOR_BYTES)
            && offset.is_multiple_of(sector);
        match &self.direct {
            Some(direct) if aligned && !bytes.is_empty() => direct,
            _ => &self.buffered,
        }
    }
}

impl StorageFile for DiskFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.descriptor(bytes, offset).write_all_at(bytes, offset)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            match self.descriptor(&bytes[done..], at).read_at(&mut bytes[done..], at) {
                Ok(0) => break,
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        unless_unsupported(fallocate(&self.buffered, FallocateFlags::empty(), offset, bytes))
    }

    fn free(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        unless_unsupported(fallocate(&self.buffered, hole, offset, bytes))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.buffered.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.buffered.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.buffered.sync_all()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.buffered.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let own = self.buffered.metadata()?;
        match fs::symlink_metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn unless_unsupported(outcome: Result<(), Errno>) -> io::Result<()> {
    match outcome {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
