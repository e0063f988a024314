//! A filter that tells most rows that have no match before they are moved anywhere.
//!
//! ```text
//!   hash ─┬─ low 32 bits ──> one word of 64 bits     one look at memory a key
//!         └─ mixed ────────> four bits of that word  set by the build side, asked by the probe
//! ```
//! Bloom (1970), blocked to one word as in Putze, Sanders and Singler, "Cache-, hash- and
//! space-efficient Bloom filters" (2007).
//!
//! Promises: a key that was added passes.
//! Never: a lock; words are set and read by all workers at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::budget::{Consumer, Reservation};
use crate::error::Result;

/// Spreads every bit of a hash over the highest ones.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct KeyFilter {
    words: Box<[AtomicU64]>,
    _held: Reservation,
}

impl KeyFilter {
    /// A filter of `bytes`; without any it lets everything pass.
    pub(super) fn new(bytes: usize, consumer: &Consumer) -> Result<Self> {
        let held = consumer.try_reserve(bytes as u64)?;
        Ok(Self { words: (0..bytes / 8).map(|_| AtomicU64::new(0)).collect(), _held: held })
    }

    fn word(&self, hash: u64) -> &AtomicU64 {
        let place = ((hash & 0xffff_ffff) * self.words.len() as u64) >> 32;
        &self.words[usize::try_from(place).expect("below a length")]
    }

    fn bits(hash: u64) -> u64 {
        let mixed = hash.wrapping_mul(MIX);
        [58, 52, 46, 40].iter().fold(0, |bits, shift| bits | 1 << (mixed >> shift & 63))
    }

    pub(super) fn add(&self, hash: u64) {
        if !self.words.is_empty() {
            self.word(hash).fetch_or(Self::bits(hash), Relaxed);
        }
    }

    /// Whether a key of this hash may have been added.
    #[inline]
    pub(super) fn passes(&self, hash: u64) -> bool {
        let bits = Self::bits(hash);
        self.words.is_empty() || self.word(hash).load(Relaxed) & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::budget::{Budget, Unmeasured};
    use crate::expr::testing::Random;

    #[test]
    fn what_was_added_passes_and_little_else_does() {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let consumer = budget.consumer("filter").unwrap();
        let filter = KeyFilter::new(20_000, &consumer).unwrap();
        let mut random = Random::new(5);
        let keys: Vec<u64> = (0..10_000).map(|_| random.bits()).collect();
        keys.iter().for_each(|key| filter.add(*key));
        assert!(keys.iter().all(|key| filter.passes(*key)));
        let strangers = (0..10_000).filter(|_| filter.passes(random.bits())).count();
        assert!(strangers < 400, "{strangers}");
        let none = KeyFilter::new(0, &consumer).unwrap();
        none.add(1);
        assert!(none.passes(2));
    }
}
