//! The blocks that gets have read last.
//!
//! Promises: readers of blocks in different slots do not wait for each other; a block is kept
//! under its place on disk, which is never used twice.
//! Never: more than [`SLOTS`] blocks.

use std::sync::{Mutex, PoisonError};

use crate::collections::block_log::BlockLog;
use crate::error::Result;
use crate::limits::COLLECTION_BLOCK_BYTES;
use crate::spill::{BlockPlace, BlockReader};

/// Blocks kept, each where its number says: as many readers as a small machine has cores, and
/// half a MiB.
const SLOTS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct BlockCache {
    slots: [Mutex<Slot>; SLOTS],
}

#[derive(Debug, Default)]
struct Slot {
    reader: Option<BlockReader>,
    /// Of the block in the reader.
    offset: Option<u64>,
}

impl BlockCache {
    /// Shows `look` the payload of a block, read first unless it is there.
    pub(super) fn with<R>(
        &self,
        log: &BlockLog,
        block: usize,
        place: BlockPlace,
        look: impl FnOnce(&[u8]) -> R,
    ) -> Result<R> {
        if place.bytes as usize > COLLECTION_BLOCK_BYTES {
            let mut reader = log.reader(place)?;
            log.read(&mut reader, place)?;
            return Ok(look(reader.payload()));
        }
        let slot = &self.slots[block % SLOTS];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let Slot { reader, offset } = &mut *slot;
        if reader.is_none() {
            *reader = Some(log.reader(place)?);
        }
        let reader = reader.as_mut().expect("made above");
        if *offset != Some(place.offset) {
            *offset = None;
            log.read(reader, place)?;
            *offset = Some(place.offset);
        }
        Ok(look(reader.payload()))
    }
}
