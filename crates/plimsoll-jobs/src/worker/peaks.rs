//! What jobs took at most: of each kind, and how many took how much.
//!
//! Promises: fixed buckets, and a bounded number of kinds in mind.
//! Never: a series for a kind; anybody may make up kinds.

use std::collections::BTreeMap;

/// Upper bounds of the buckets, each included; behind the last comes one without a bound.
pub const PEAK_BYTES: [u64; 8] =
    [256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20, 1 << 30, 4 << 30];
/// Kinds whose peaks are in mind: a program that takes all kinds may see any number.
const KINDS_MAX: usize = 1_000;

/// How many attempts of jobs took how much at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// By the buckets of [`PEAK_BYTES`], and those beyond.
    pub counts: [u64; PEAK_BYTES.len() + 1],
    /// Of all together.
    pub sum_bytes: u64,
}

impl Peaks {
    fn saw(&mut self, bytes: u64) {
        let bucket = PEAK_BYTES.partition_point(|bound| *bound < bytes);
        self.counts[bucket] += 1;
        self.sum_bytes = self.sum_bytes.saturating_add(bytes);
    }
}

/// What a worker has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) peaks: Peaks,
    /// The most that jobs of a kind took, where that is more than was known.
    by_kind: BTreeMap<Box<str>, u64>,
}

impl Seen {
    /// Counts a peak; whether it is a tenth more than was known of its kind.
    pub(super) fn saw(&mut self, kind: &str, known_bytes: u64, bytes: u64) -> bool {
        self.peaks.saw(bytes);
        let known = self.by_kind.get(kind).copied().unwrap_or(known_bytes);
        if bytes <= known.saturating_add(known / 10) {
            return false;
        }
        if self.by_kind.len() >= KINDS_MAX {
            // What is forgotten is written once more, and the queue keeps the larger.
            self.by_kind.clear();
        }
        self.by_kind.insert(kind.into(), bytes);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{KINDS_MAX, PEAK_BYTES, Peaks, Seen};

    #[test]
    fn a_peak_is_counted_in_the_bucket_whose_bound_it_does_not_exceed() {
        let mut peaks = Peaks::default();
        for (at, bound) in PEAK_BYTES.into_iter().enumerate() {
            peaks.saw(bound);
            assert_eq!(peaks.counts[at], if at == 0 { 1 } else { 2 });
            peaks.saw(bound + 1);
        }
        assert_eq!(peaks.counts, [1, 2, 2, 2, 2, 2, 2, 2, 1]);
        let sum: u64 = PEAK_BYTES.iter().map(|bound| 2 * bound + 1).sum();
        assert_eq!(peaks.sum_bytes, sum);
    }

    #[test]
    fn a_kind_is_learned_where_it_takes_a_tenth_more_and_of_a_thousand_kinds_at_a_time() {
        let mut seen = Seen::default();
        assert!(!seen.saw("a", 100, 110) && seen.saw("a", 100, 111) && !seen.saw("a", 100, 111));
        assert!(!seen.saw("b", u64::MAX, u64::MAX));
        for kind in 0..2 * KINDS_MAX {
            seen.saw(&format!("k{kind}"), 0, 1);
            assert!(seen.by_kind.len() <= KINDS_MAX);
        }
        assert_eq!(seen.peaks.counts.iter().sum::<u64>(), 4 + 2 * KINDS_MAX as u64);
    }
}
