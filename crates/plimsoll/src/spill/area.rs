//! A process's private directory for spilled data.
//!
//! Promises: only the owner can read it (0700); what is in use stays below the quota; the
//! directory is gone when the last handle is dropped.
//! Never: two owners. The lock on the file `owner` decides, whatever the names say.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::codec::Codec;
use super::file::SpillFile;
use super::sweep;
use crate::error::{Error, Result};
use crate::storage::{Storage, StorageFile};
use crate::units::ByteSize;

/// Names tried before giving up: other processes with this number, in other containers, may share
/// the root.
const NAMES_TRIED_MAX: u64 = 1_000;

/// How an area is used.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpillOptions {
    /// Most bytes on disk at one time; `None` leaves it to the disk.
    pub quota_bytes: Option<u64>,
    /// How blocks are compressed.
    pub codec: Codec,
    /// Use a file system that lives in memory although spilling there frees nothing.
    pub memory_file_system: bool,
}

/// What an area has done, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillStats {
    /// On disk now.
    pub used_bytes: u64,
    /// Most on disk at one time.
    pub peak_bytes: u64,
    /// Written since the start.
    pub written_bytes: u64,
    /// Read back since the start.
    pub read_bytes: u64,
}

/// The directory. Clones are the same one.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::spill::{SpillArea, SpillOptions};
/// use plimsoll::storage::Disk;
/// let root = tempfile::tempdir()?;
/// let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let directory = area.directory().to_owned();
/// assert!(directory.exists());
/// drop(area);
/// assert!(!directory.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SpillArea {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) storage: Arc<dyn Storage>,
    directory: PathBuf,
    /// Holds the lock.
    _owner: Arc<dyn StorageFile>,
    options: SpillOptions,
    files: AtomicU64,
    used: AtomicU64,
    peak: AtomicU64,
    pub(super) written: AtomicU64,
    pub(super) read: AtomicU64,
    /// Files and directory stay behind for a later process.
    pub(super) kept: AtomicBool,
}

impl SpillArea {
    /// Makes a directory below `root`, which must exist, and sweeps away those of dead owners.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] when it cannot be made; [`crate::ErrorKind::Invalid`] when `root`
    /// lives in memory and that was not allowed.
    pub fn open(storage: Arc<dyn Storage>, root: &Path, options: SpillOptions) -> Result<Self> {
        check(&*storage, root, options)?;
        sweep::sweep(&*storage, root);
        let process = std::process::id();
        for number in 0..NAMES_TRIED_MAX {
            let directory = root.join(format!("{}{process}-{number}", sweep::PREFIX));
            if let Some(owner) = own(&*storage, &directory)? {
                return Ok(Self::held(storage, directory, owner, options));
            }
        }
        Err(Error::invalid(format!(
            "making a spill directory in {}: {NAMES_TRIED_MAX} names of process {process} are \
             taken; remove what is left over there",
            root.display()
        )))
    }

    /// Makes or takes over the directory `name` below `root`, which nobody sweeps.
    ///
    /// # Errors
    /// As [`SpillArea::open`]; [`crate::ErrorKind::Invalid`] when a living process has it.
    pub(crate) fn open_named(
        storage: Arc<dyn Storage>,
        root: &Path,
        name: &str,
        options: SpillOptions,
    ) -> Result<Self> {
        check(&*storage, root, options)?;
        let directory = root.join(name);
        let what = || format!("taking over {}", directory.display());
        if let Some(owner) = own(&*storage, &directory)? {
            return Ok(Self::held(storage, directory, owner, options));
        }
        let path = directory.join(sweep::OWNER);
        // A process that was killed between the directory and its lock left no file.
        let owner = storage.open(&path).or_else(|_| storage.create(&path));
        let owner = owner.map_err(|e| Error::io(what(), e))?;
        let own = owner.try_lock().and_then(|locked| Ok(locked && owner.is_at(&path)?));
        if !own.map_err(|e| Error::io(what(), e))? {
            return Err(Error::invalid(format!(
                "{}: another process is at this very sort; wait for it",
                what()
            )));
        }
        Ok(Self::held(storage, directory, owner, options))
    }

    /// Removes all files but the lock.
    pub(crate) fn clear(&self) -> Result<()> {
        let _kept_until_the_end = sweep::clear(&*self.shared.storage, &self.shared.directory);
        Ok(())
    }

    /// Leaves everything behind for a later process that takes this directory over by its name.
    pub(crate) fn keep(&self) {
        self.shared.kept.store(true, Ordering::Relaxed);
    }

    /// As [`SpillArea::file`], but extents given back stay on disk until the file is dropped: where
    /// it is read once, in small blocks, giving each back costs more than it is worth.
    ///
    /// # Errors
    /// As [`SpillArea::file`].
    pub(crate) fn file_kept(&self, label: &str) -> Result<Arc<SpillFile>> {
        let number = self.shared.files.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.directory.join(format!("{label}-{number}"));
        SpillFile::create(Arc::clone(&self.shared), path).map(|f| Arc::new(f.pinned()))
    }

    /// Makes the file `name`, whose extents stay until it is dropped.
    pub(crate) fn file_named(&self, name: &str) -> Result<Arc<SpillFile>> {
        let path = self.shared.directory.join(name);
        SpillFile::create(Arc::clone(&self.shared), path).map(|f| Arc::new(f.pinned()))
    }

    /// The file `name` that another process made with `tag`; `None` when there is none.
    pub(crate) fn adopt(&self, name: &str, tag: u64) -> Result<Option<Arc<SpillFile>>> {
        let path = self.shared.directory.join(name);
        let file = SpillFile::adopt(Arc::clone(&self.shared), path, tag)?;
        Ok(file.map(|f| Arc::new(f.pinned())))
    }

    fn held(
        storage: Arc<dyn Storage>,
        directory: PathBuf,
        owner: Arc<dyn StorageFile>,
        options: SpillOptions,
    ) -> Self {
        let shared = Shared {
            storage,
            directory,
            _owner: owner,
            options,
            files: AtomicU64::new(0),
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            written: AtomicU64::new(0),
            read: AtomicU64::new(0),
            kept: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Makes a new file in the area; `label` becomes part of its name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`].
    pub fn file(&self, label: &str) -> Result<Arc<SpillFile>> {
        let number = self.shared.files.fetch_add(1, Ordering::Relaxed);
        let path = self.shared.directory.join(format!("{label}-{number}"));
        SpillFile::create(Arc::clone(&self.shared), path).map(Arc::new)
    }

    /// How blocks are compressed.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.shared.options.codec
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.shared.directory
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> SpillStats {
        let shared = &self.shared;
        SpillStats {
            used_bytes: shared.used.load(Ordering::Relaxed),
            peak_bytes: shared.peak.load(Ordering::Relaxed),
            written_bytes: shared.written.load(Ordering::Relaxed),
            read_bytes: shared.read.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    /// Charges `bytes` to the quota.
    pub(super) fn charge(&self, bytes: u64) -> Result<()> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match self.options.quota_bytes {
            Some(quota) if used > quota => {
                self.used.fetch_sub(bytes, Ordering::Relaxed);
                Err(Error::too_large(format!(
                    "spilling to {}: {} more would pass the quota of {}, of which {} are in use; \
                     raise the spill quota or the memory limit",
                    self.directory.display(),
                    ByteSize::new(bytes),
                    ByteSize::new(quota),
                    ByteSize::new(used - bytes)
                )))
            }
            _ => {
                self.peak.fetch_max(used, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Takes `bytes` off the quota.
    pub(super) fn discharge(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.kept.load(Ordering::Relaxed) {
            return;
        }
        // What stays behind is swept by the next process that opens an area here.
        sweep::remove(&*self.storage, &self.directory);
    }
}

fn check(storage: &dyn Storage, root: &Path, options: SpillOptions) -> Result<()> {
    let what = || format!("looking at the spill directory {}", root.display());
    if !options.memory_file_system
        && storage.lives_in_memory(root).map_err(|e| Error::io(what(), e))?
    {
        return Err(Error::invalid(format!(
            "{} is on a file system that lives in memory, so spilling there would free nothing; \
             choose another directory",
            root.display()
        )));
    }
    Ok(())
}

/// Makes `directory` and locks it; `None` when somebody else has the name.
fn own(storage: &dyn Storage, directory: &Path) -> Result<Option<Arc<dyn StorageFile>>> {
    use std::io::ErrorKind::{AlreadyExists, NotFound};
    let what = || format!("making the spill directory {}", directory.display());
    match storage.create_directory(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == AlreadyExists => return Ok(None),
        Err(error) => return Err(Error::io(what(), error)),
    }
    let path = directory.join(sweep::OWNER);
    let owner = match storage.create(&path) {
        Ok(owner) => owner,
        // A sweeper was quicker, which takes directories that nobody has locked; somebody else may
        // have made it anew since.
        Err(error) if matches!(error.kind(), NotFound | AlreadyExists) => return Ok(None),
        Err(error) => {
            let _swept_later = storage.remove_directory(directory);
            return Err(Error::io(what(), error));
        }
    };
    // A sweeper may have taken the lock, removed everything and gone before this one was tried.
    // Where that cannot be known, the next process sweeps it.
    let own = owner.try_lock().and_then(|locked| Ok(locked && owner.is_at(&path)?));
    Ok(own.map_err(|e| Error::io(what(), e))?.then_some(owner))
}
