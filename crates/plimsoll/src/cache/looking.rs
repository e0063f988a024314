//! A look at one key: in memory, else on disk.
//!
//! ```text
//!   lock: in memory ──────────────────────────────────────────────────────────> hot
//!         on disk ──> unlock, reserve, read, check ──> lock: still the same? ──> cold, hot now
//!                               └ damaged, failed, refused ──────────────────> a miss, counted
//! ```
//!
//! Promises: what is given was put under this very key and not replaced, revoked or over since
//! before the look began; memory for a value is reserved before it is read.
//! Never: an error: a cache that cannot answer has a miss.

use std::sync::Arc;

use super::entry::{Life, Place};
use super::filling::{Wanted, block_bytes};
use super::freed::Freed;
use super::shared::{Disk, OwnAsk, Shared};
use super::state::State;
use super::value::{Look, Source, Stored};
use crate::error::{ErrorKind, Result};
use crate::spill::block::HEADER_BYTES;
use crate::spill::{BlockReader, Codec};
use crate::storage::SECTOR_BYTES;

/// Where a cold value was when it was looked up.
#[derive(Clone, Copy, Debug)]
struct Sought {
    number: u32,
    sequence: u64,
    place: Place,
    bytes: u32,
    life: Life,
}

enum Seen {
    Hot(Arc<Stored>, Life),
    Cold(Sought),
    Nothing,
}

/// What became of a cold record.
enum Got {
    Value,
    /// Nothing is known against the record: there was no memory to read it.
    Refused,
    Damaged,
    Failed,
}

impl Shared {
    /// The value of a key that is not over at `now_us`.
    pub(super) fn look(&self, key: &[u8], now_us: u64) -> Option<Look> {
        let hash = self.key_hash(key);
        let seen = self.change(|state, freed| {
            let seen = see(state, hash, key, now_us, freed);
            match &seen {
                Seen::Hot(_, life) => {
                    state.stats.hot_hits += 1;
                    state.stats.stale_hits += u64::from(life.is_stale(now_us));
                }
                Seen::Cold(_) => {}
                Seen::Nothing => state.stats.misses += 1,
            }
            seen
        });
        let sought = match seen {
            Seen::Hot(stored, life) => return Some(Look::new(&stored, Source::Hot, life, now_us)),
            Seen::Cold(sought) => sought,
            Seen::Nothing => return None,
        };
        let look = self.look_on_disk(key, sought, now_us);
        let mut state = self.lock();
        let Some(look) = look else {
            state.stats.misses += 1;
            return None;
        };
        state.stats.cold_hits += 1;
        state.stats.stale_hits += u64::from(look.stale);
        Some(look)
    }

    /// The value of a key that is in memory and not over; nothing is counted where there is none.
    pub(super) fn look_in_memory(&self, key: &[u8], now_us: u64) -> Option<Look> {
        let hash = self.key_hash(key);
        let mut state = self.lock();
        let number = state.index.find(hash, key)?;
        let entry = state.index.entries.get_mut(number);
        let stored = entry.value.as_ref().filter(|_| !entry.life.is_over(now_us))?;
        let look = Look::new(stored, Source::Hot, entry.life, now_us);
        entry.used = true;
        entry.proven = true;
        state.stats.hot_hits += 1;
        state.stats.stale_hits += u64::from(look.stale);
        Some(look)
    }

    /// What is in memory and fresh, without counting it as a look.
    pub(super) fn fresh_in_memory(&self, key: &[u8], now_us: u64) -> Option<Look> {
        let hash = self.key_hash(key);
        let state = self.lock();
        let entry = state.index.entries.get(state.index.find(hash, key)?);
        let stored = entry.value.as_ref().filter(|_| !entry.life.is_stale(now_us))?;
        Some(Look::new(stored, Source::Hot, entry.life, now_us))
    }

    fn look_on_disk(&self, key: &[u8], sought: Sought, now_us: u64) -> Option<Look> {
        let wanted = Wanted { sequence: sought.sequence, key, value_bytes: sought.bytes as usize };
        let cost = Stored::cost_bytes(wanted.value_bytes);
        let reservation = self.reserve(&self.hot, cost, now_us).ok()?;
        let mut bytes = vec![0; wanted.value_bytes].into_boxed_slice();
        let got = self.read(sought, &wanted, &mut bytes)?;
        let stored = Arc::new(Stored::new(bytes, Some(reservation)));
        self.change(|state, freed| {
            let entry = state.index.entries.find(sought.number)?;
            if entry.sequence != sought.sequence {
                return None;
            }
            // Another look may have brought it in meanwhile.
            if let Some(stored) = &entry.value {
                return Some(Look::new(stored, Source::Cold, entry.life, now_us));
            }
            if entry.place != Some(sought.place) {
                return None;
            }
            match got {
                Got::Value => {
                    state.promote(sought.number, Arc::clone(&stored));
                    return Some(Look::new(&stored, Source::Cold, sought.life, now_us));
                }
                Got::Refused => state.stats.refused += 1,
                Got::Damaged => state.stats.damaged += 1,
                Got::Failed => state.stats.disk_failures += 1,
            }
            if !matches!(got, Got::Refused) {
                state.remove(sought.number, freed);
            }
            None
        })
    }

    /// Fills `bytes` from the segment, in memory or on disk; `None` when the entry is gone.
    fn read(&self, sought: Sought, wanted: &Wanted<'_>, bytes: &mut [u8]) -> Option<Got> {
        let disk = self.disk.as_ref()?;
        let offset = {
            let state = self.lock();
            let entry = state.index.entries.find(sought.number)?;
            if entry.sequence != sought.sequence || entry.place != Some(sought.place) {
                return None;
            }
            let cold = state.cold.as_ref()?;
            if let Some(value) = cold.in_memory(sought.place, wanted) {
                bytes.copy_from_slice(value);
                return Some(Got::Value);
            }
            cold.offset(sought.place)
        };
        Some(match read_block(disk, offset, sought.place, wanted, bytes) {
            Ok(()) => Got::Value,
            Err(error) => match error.kind() {
                ErrorKind::OutOfBudget => Got::Refused,
                ErrorKind::Corrupt => Got::Damaged,
                _ => Got::Failed,
            },
        })
    }
}

/// Looks a key up, and removes an entry whose time is over.
fn see(state: &mut State, hash: u64, key: &[u8], now_us: u64, freed: &mut Freed) -> Seen {
    state.saw(now_us);
    let Some(number) = state.index.find(hash, key) else {
        return Seen::Nothing;
    };
    let entry = state.index.entries.get_mut(number);
    if entry.life.is_over(now_us) {
        state.remove(number, freed);
        state.stats.expired += 1;
        return Seen::Nothing;
    }
    entry.used = true;
    entry.proven = true;
    let (sequence, bytes, life) = (entry.sequence, entry.bytes, entry.life);
    match (&entry.value, entry.place) {
        (Some(stored), _) => Seen::Hot(Arc::clone(stored), life),
        (None, Some(place)) => Seen::Cold(Sought { number, sequence, place, bytes, life }),
        (None, None) => Seen::Nothing,
    }
}

/// Reads the block that a record is in, and the record's value out of it.
fn read_block(
    disk: &Disk,
    segment: u64,
    place: Place,
    wanted: &Wanted<'_>,
    value: &mut [u8],
) -> Result<()> {
    let block = place.at as usize / SECTOR_BYTES * SECTOR_BYTES;
    let whole = block_bytes(wanted.key.len(), wanted.value_bytes);
    let mut reader = {
        let _own = OwnAsk::begin();
        BlockReader::alone(&disk.reads, (whole, 0), Codec::None)?
    };
    let offset = segment + block as u64;
    reader.load_any(&disk.file, (offset, whole), &mut None)?;
    let at = place.at as usize - block - HEADER_BYTES;
    let found = wanted.value_at(reader.payload(), at).ok_or_else(|| {
        // What an earlier use of the place left, where a later write did not arrive.
        crate::spill::block::refuse(&disk.file.place(offset), "another record is there")
    })?;
    value.copy_from_slice(found);
    Ok(())
}
