//! What every typed operator works with.
//!
//! Promises: the spill directory is made at the first spill, so that work which fits into memory
//! leaves nothing on disk; it is gone with the last handle.
//! Never: bytes that are not the consumer's.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::limits::TYPED_MEMORY_BYTES_MIN;
use crate::spill::{Codec, SpillArea, SpillOptions, SpillStats};
use crate::storage::{Disk, Storage};
use crate::units::ByteSize;

/// A budget to draw on, a place to spill to and what one operator may hold. Clones are the same
/// engine: operators of one engine share its account and its spill directory, and each may hold
/// [`Engine::memory_bytes`].
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{Engine, Sorter};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let root = tempfile::tempdir()?;
/// let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let mut sorter = Sorter::by_key(&engine, |n: &u64| std::cmp::Reverse(*n))?;
/// for n in 0..100_000 {
///     sorter.push(n)?;
/// }
/// assert_eq!(sorter.finish()?.next().transpose()?, Some(99_999));
/// assert_eq!(budget.reserved_bytes(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    consumer: Consumer,
    memory_bytes: u64,
    storage: Arc<dyn Storage>,
    spill_root: PathBuf,
    options: SpillOptions,
    area: Mutex<Option<SpillArea>>,
}

impl Engine {
    /// An engine whose operators each hold up to `memory_bytes` of `consumer`'s bytes, and spill
    /// to a directory below `spill_root`, which must exist when the first one does.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for less than
    /// [`TYPED_MEMORY_BYTES_MIN`].
    pub fn new(
        consumer: Consumer,
        memory_bytes: u64,
        spill_root: impl Into<PathBuf>,
    ) -> Result<Self> {
        Self::with_storage(
            consumer,
            memory_bytes,
            Arc::new(Disk),
            spill_root,
            SpillOptions::default(),
        )
    }

    /// As [`Engine::new`], with another storage than the disk and other options for spilling.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn with_storage(
        consumer: Consumer,
        memory_bytes: u64,
        storage: Arc<dyn Storage>,
        spill_root: impl Into<PathBuf>,
        options: SpillOptions,
    ) -> Result<Self> {
        if memory_bytes < TYPED_MEMORY_BYTES_MIN {
            return Err(Error::invalid(format!(
                "an operator cannot work with {}: the minimum is {}; give it more memory",
                ByteSize::new(memory_bytes),
                ByteSize::new(TYPED_MEMORY_BYTES_MIN)
            )));
        }
        let spill_root = spill_root.into();
        let area = Mutex::default();
        let shared = Shared { consumer, memory_bytes, storage, spill_root, options, area };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What one operator holds at most, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.shared.memory_bytes
    }

    /// Who is charged.
    #[must_use]
    pub fn consumer(&self) -> &Consumer {
        &self.shared.consumer
    }

    /// What was spilled so far; zeros while nothing was.
    #[must_use]
    pub fn spill_stats(&self) -> SpillStats {
        let area = self.shared.area.lock().unwrap_or_else(PoisonError::into_inner);
        area.as_ref().map(SpillArea::stats).unwrap_or_default()
    }

    pub(super) fn codec(&self) -> Codec {
        self.shared.options.codec
    }

    /// The door to disk.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.shared.storage)
    }

    /// The spill directory, made now if it was not yet.
    pub(super) fn area(&self) -> Result<SpillArea> {
        let shared = &*self.shared;
        // An area is put here whole or not at all.
        let mut area = shared.area.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(area) = &*area {
            return Ok(area.clone());
        }
        let storage = Arc::clone(&shared.storage);
        let opened = SpillArea::open(storage, &shared.spill_root, shared.options)?;
        *area = Some(opened.clone());
        Ok(opened)
    }
}
