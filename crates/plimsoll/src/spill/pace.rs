//! How fast a disk takes spilled blocks, and whether compressing them first pays there.
//!
//! ```text
//!   one block (not counted) ─> 4 chunks of 2 MiB, each timed ─> the fastest of them
//!                                                                 │
//!                        below LZ4_PAYS_BELOW ─> lz4   else ─> none
//! ```
//!
//! Compression costs a core and saves the disk up to half of its bytes, so it pays where the disk
//! is slower than the codec. The fastest chunk counts: what others do on the disk meanwhile makes
//! chunks slower, never faster.
//!
//! Promises: writes at most 9 MiB into an area that is removed again; stops early on a slow disk.
//! Never: a clock of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::area::{SpillArea, SpillOptions};
use super::codec::Codec;
use super::lane::BlockTarget as _;
use crate::budget::Consumer;
use crate::error::Result;
use crate::storage::{AlignedBytes, Storage};

/// Written with one request.
const BLOCK_BYTES: usize = 512 << 10;
/// Timed together: enough that a request's own cost does not matter.
const CHUNK_BLOCKS: usize = 4;
const CHUNKS: usize = 4;
/// After this no further chunk is begun.
const TIME_MAX: Duration = Duration::from_millis(150);
/// LZ4 takes in about 600 MB/s a core and at best halves usual rows: below half of that the disk
/// can gain more than the core loses.
const LZ4_PAYS_BELOW: u64 = 300_000_000;

/// Bytes a second that the disk below `root` takes, by a clock that tells the time since any
/// fixed moment.
///
/// Holds 516 KiB while it runs.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Instant;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::spill::{Codec, SpillOptions, write_rate};
/// use plimsoll::storage::{Disk, Storage};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let storage: Arc<dyn Storage> = Arc::new(Disk);
/// let options = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
/// let began = Instant::now();
/// let consumer = budget.consumer("pace")?;
/// let root = tempfile::tempdir()?;
/// let rate = write_rate(&storage, root.path(), options, &consumer, &|| began.elapsed())?;
/// let codec = Codec::where_the_disk_takes(rate);
/// assert!(codec == Codec::None || codec == Codec::Lz4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`SpillArea::open`] and of writing; [`crate::ErrorKind::OutOfBudget`].
pub fn write_rate(
    storage: &Arc<dyn Storage>,
    root: &Path,
    options: SpillOptions,
    consumer: &Consumer,
    clock: &dyn Fn() -> Duration,
) -> Result<u64> {
    let _block = consumer.try_reserve(AlignedBytes::cost_bytes(BLOCK_BYTES) as u64)?;
    let mut block = AlignedBytes::zeroed(BLOCK_BYTES);
    // A disk that compresses or leaves zeros out would seem faster than it is.
    for (n, byte) in block.iter_mut().enumerate() {
        *byte = (n.wrapping_mul(0x9e37_79b9) >> 13).to_le_bytes()[0];
    }
    let area = SpillArea::open(Arc::clone(storage), root, options)?;
    let file = area.file("pace")?;
    let write = || {
        let offset = file.extent(BLOCK_BYTES as u64)?;
        file.write(&block, offset)
    };
    let began = clock();
    // The first one pays for making room.
    write()?;
    let mut fastest = Duration::MAX;
    for _ in 0..CHUNKS {
        let before = clock();
        (0..CHUNK_BLOCKS).try_for_each(|_| write())?;
        let now = clock();
        fastest = fastest.min(now.saturating_sub(before));
        if now.saturating_sub(began) > TIME_MAX {
            break;
        }
    }
    let nanos = u64::try_from(fastest.as_nanos()).unwrap_or(u64::MAX).max(1);
    Ok((CHUNK_BLOCKS * BLOCK_BYTES) as u64 * 1_000_000_000 / nanos)
}

impl Codec {
    /// The codec that makes spilling fastest on a disk that takes so many bytes a second.
    #[must_use]
    pub fn where_the_disk_takes(bytes_per_second: u64) -> Self {
        if bytes_per_second < LZ4_PAYS_BELOW { Self::Lz4 } else { Self::None }
    }
}
