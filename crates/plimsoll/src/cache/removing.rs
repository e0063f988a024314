//! Taking entries away: by key, by tag, all of them, those whose time is over, the coldest.
//!
//! Promises: a look that begins after a removal returned does not find what was there before; the
//! lock is open in between where there are many.
//! Never: an entry removed that was put in after the call began, but by its own time.

use super::shared::Shared;

/// Entries looked at in one hold of the lock.
const STEPS: u32 = 256;

impl Shared {
    pub(super) fn remove_key(&self, key: &[u8]) -> bool {
        let hash = self.key_hash(key);
        self.change(|state, freed| {
            let sequence = state.next_sequence();
            state.revocations.revoke(sequence, hash);
            let Some(number) = state.index.find(hash, key) else {
                return false;
            };
            state.remove(number, freed);
            state.stats.invalidated += 1;
            true
        })
    }

    pub(super) fn remove_tag(&self, tag: &str) -> u64 {
        let hash = self.tag_hash(tag);
        let until = self.change(|state, _| {
            let sequence = state.next_sequence();
            state.revocations.revoke(sequence, hash);
            sequence
        });
        let mut removed = 0;
        loop {
            let gone = self.change(|state, freed| {
                let mut gone = 0;
                while gone < STEPS {
                    // The oldest first: those put in since `until` stand behind all others.
                    let oldest = state.index.oldest_of(hash);
                    let old = |number: &u32| state.index.entries.get(*number).sequence < until;
                    let Some(number) = oldest.filter(old) else { break };
                    state.remove(number, freed);
                    state.stats.invalidated += 1;
                    gone += 1;
                }
                gone
            });
            removed += u64::from(gone);
            if gone < STEPS {
                return removed;
            }
        }
    }

    pub(super) fn remove_all(&self) -> u64 {
        let until = self.change(|state, _| {
            let sequence = state.next_sequence();
            state.revocations.revoke_all(sequence);
            sequence
        });
        let removed = self.remove_where(|entry| entry.sequence < until);
        self.lock().stats.invalidated += removed;
        removed
    }

    pub(super) fn remove_over(&self, now_us: u64) -> u64 {
        let removed = self.remove_where(|entry| entry.life.is_over(now_us));
        self.lock().stats.expired += removed;
        removed
    }

    fn remove_where(&self, wanted: impl Fn(&super::entry::Entry) -> bool) -> u64 {
        let mut removed = 0;
        let mut from = 0;
        loop {
            let end = self.change(|state, freed| {
                let end = state.index.entries.numbers();
                for number in from..end.min(from + STEPS) {
                    if state.index.entries.find(number).is_some_and(&wanted) {
                        state.remove(number, freed);
                        removed += 1;
                    }
                }
                end
            });
            from += STEPS;
            if from >= end {
                self.change(|state, freed| freed.index(state.index.trim()));
                return removed;
            }
        }
    }

    /// Puts out the coldest entries until memory has `bytes` of values at most; how many that were.
    pub(super) fn evict_to(&self, bytes: u64, now_us: u64) -> u64 {
        let mut evicted = 0;
        loop {
            let more = self.change(|state, freed| {
                state.saw(now_us);
                (0..STEPS).all(|_| {
                    let one = state.hot.bytes > bytes && state.evict_one(freed);
                    evicted += u64::from(one);
                    one && !state.has_full_segment()
                }) || state.has_full_segment()
            });
            if !more {
                return evicted;
            }
        }
    }
}
