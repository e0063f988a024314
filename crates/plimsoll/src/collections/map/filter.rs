//! Whether a table may hold a key: a blocked Bloom filter.
//!
//! ```text
//!   hash ─┬─ upper half ──> line of 512 bits        one cache line a look
//!         └─ lower half ──> 7 bits of it
//! ```
//!
//! The filter is that of Bloom, "Space/time trade-offs in hash coding with allowable errors"
//! (1970), in blocks as in Putze, Sanders and Singler, "Cache-, hash- and space-efficient Bloom
//! filters" (2007). At 10 bits a key about one look in a hundred says yes for nothing.
//!
//! Promises: a key that was added is never denied.
//! Never: a look at two cache lines.

use crate::budget::{Consumer, Reservation};

const BITS_PER_KEY: usize = 10;
const LINE_BITS: usize = 512;
/// Bits set for a key: ln 2 times the bits it has.
const PROBES: u32 = 7;

type Line = [u64; LINE_BITS / 64];

#[derive(Debug)]
pub(super) struct Filter {
    /// Empty where it could not be afforded: then every key may be there.
    lines: Vec<Line>,
    _reservation: Option<Reservation>,
}

impl Filter {
    /// A filter for `keys`, within `bytes_max` and what the budget gives; else one that says yes.
    pub(super) fn new(consumer: &Consumer, keys: u64, bytes_max: u64) -> Self {
        let bits = keys.saturating_mul(BITS_PER_KEY as u64);
        let lines = bits.div_ceil(LINE_BITS as u64).max(1);
        let bytes = lines * size_of::<Line>() as u64;
        let granted = (bytes <= bytes_max).then(|| consumer.try_reserve(bytes).ok()).flatten();
        let lines = match (&granted, usize::try_from(lines)) {
            (Some(_), Ok(lines)) => vec![Line::default(); lines],
            _ => Vec::new(),
        };
        Self { lines, _reservation: granted }
    }

    pub(super) fn bytes(&self) -> u64 {
        size_of_val(&*self.lines) as u64
    }

    #[inline]
    fn line_of(&self, hash: u64) -> usize {
        // Multiplying and taking the upper half spreads the hash over any number of lines.
        let wide = u128::from(hash) * self.lines.len() as u128;
        usize::try_from(wide >> 64).expect("below the number of lines")
    }

    #[inline]
    fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
        // The line took the upper bits; a multiplication brings the lower ones up.
        let mut bits = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..PROBES).map(move |_| {
            let word = (bits >> 61) as usize;
            let bit = 1 << (bits >> 55 & 63);
            bits <<= 9;
            (word, bit)
        })
    }

    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        if self.lines.is_empty() {
            return;
        }
        let line = self.line_of(hash);
        for (word, bit) in Self::bits(hash) {
            self.lines[line][word] |= bit;
        }
    }

    #[inline]
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        if self.lines.is_empty() {
            return true;
        }
        let line = &self.lines[self.line_of(hash)];
        Self::bits(hash).all(|(word, bit)| line[word] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Filter;
    use crate::budget::{Budget, Unmeasured};
    use crate::expr::testing::Random;

    #[test]
    fn what_was_added_is_never_denied_and_little_else_is_affirmed() {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let consumer = budget.consumer("filter").unwrap();
        let mut filter = Filter::new(&consumer, 20_000, 1 << 20);
        let mut random = Random::new(7);
        let hashes: Vec<u64> = (0..20_000).map(|_| random.bits()).collect();
        hashes.iter().for_each(|hash| filter.add(*hash));
        assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
        let wrong = (0..20_000).filter(|_| filter.may_hold(random.bits())).count();
        assert!((1..400).contains(&wrong), "{wrong} of 20000 were affirmed for nothing");
    }

    #[test]
    fn a_filter_that_is_not_afforded_affirms_everything() {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let consumer = budget.consumer("filter").unwrap();
        let filter = Filter::new(&consumer, 20_000, 1_000);
        assert_eq!((filter.bytes(), consumer.held_bytes()), (0, 0));
        assert!(filter.may_hold(7));
    }
}
