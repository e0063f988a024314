//! The first pass: a coarse histogram over all keys, and a fine one over the range that the first
//! keys have.
//!
//! Promises: afterwards every place is known to be among keys that differ in 48 bits at most.
//! Never: an assumption that the first keys are like the others; they only choose a range.
//!
//! ```text
//!   cells:  | coarse: 2^16 counts | sample: the first keys | fine: counts |
//!             by the top 16 bits    sorted when it is full   of later keys within the sample's
//!                                                            range, in cells of 2^shift keys
//! ```
//! The coarse one bounds the passes for any input. The fine one spares one where the numbers
//! crowd under the same top bits, as most integers and prices do.

use super::exact::{Interval, Target};
use super::walk::{Found, Walk};

const COARSE_CELLS: usize = 1 << 16;
const COARSE_SHIFT: u32 = 48;

#[derive(Debug)]
pub(super) struct First {
    sample_len: usize,
    sampled: usize,
    /// The range of the sample once it is full, and what came below it later.
    low: u64,
    high: u64,
    shift: u32,
    below: u64,
    min: u64,
    max: u64,
}

impl First {
    /// `cells` are at least twice the coarse ones.
    pub(super) fn new(cells: usize) -> Self {
        let sample_len = (cells - COARSE_CELLS) / 2;
        let (low, high, shift, below) = (0, 0, 0, 0);
        Self { sample_len, sampled: 0, low, high, shift, below, min: u64::MAX, max: 0 }
    }

    #[allow(clippy::cast_possible_truncation)] // the shift leaves the number of a cell
    pub(super) fn push(&mut self, key: u64, cells: &mut [u64]) {
        self.min = self.min.min(key);
        self.max = self.max.max(key);
        let (coarse, rest) = cells.split_at_mut(COARSE_CELLS);
        coarse[(key >> COARSE_SHIFT) as usize] += 1;
        let (sample, fine) = rest.split_at_mut(self.sample_len);
        if self.sampled < sample.len() {
            sample[self.sampled] = key;
            self.sampled += 1;
            if self.sampled == sample.len() {
                self.choose_range(sample, fine.len());
            }
        } else if key < self.low {
            self.below += 1;
        } else if key <= self.high {
            fine[((key - self.low) >> self.shift) as usize] += 1;
        }
    }

    fn choose_range(&mut self, sample: &mut [u64], fine_cells: usize) {
        sample.sort_unstable();
        (self.low, self.high) = (self.min, self.max);
        self.shift = shift_for(self.high - self.low, fine_cells);
    }

    /// Learns what the pass tells about the targets, of which `count` keys were pushed.
    pub(super) fn end(&self, count: u64, targets: &mut [Target], cells: &mut [u64]) {
        let (coarse, rest) = cells.split_at_mut(COARSE_CELLS);
        let (sample, fine) = rest.split_at_mut(self.sample_len);
        if count <= sample.len() as u64 {
            sample[..self.sampled].sort_unstable();
            for target in targets {
                target.lower = Some(at(sample, target.place));
                target.upper = Some(at(sample, target.upper_place));
            }
            return;
        }
        for target in &mut *targets {
            for (place, key) in
                [(target.place, &mut target.lower), (target.upper_place, &mut target.upper)]
            {
                if place == 0 {
                    *key = Some(self.min);
                } else if place == count - 1 {
                    *key = Some(self.max);
                }
            }
        }
        self.narrow_coarsely(targets, coarse);
        self.narrow_finely(targets, sample, fine);
        for target in targets {
            let Interval { low, high, before, count } = target.within;
            if low == high {
                target.learn_lower(low, before + count);
            }
        }
    }

    fn narrow_coarsely(&self, targets: &mut [Target], coarse: &[u64]) {
        let mut walk = Walk::new(coarse.iter().copied(), 0);
        for target in targets {
            let Found { cell, before, count } =
                walk.seek(target.place).expect("every key is in a coarse cell");
            let low = (cell as u64) << COARSE_SHIFT;
            let high = low | ((1 << COARSE_SHIFT) - 1);
            let (low, high) = (low.max(self.min), high.min(self.max));
            target.within = Interval { low, high, before, count };
        }
    }

    /// Takes the fine cells instead where all targets are in such, and they hold fewer keys. All
    /// or none, because the intervals of a later pass must not overlap.
    fn narrow_finely(&self, targets: &mut [Target], sample: &[u64], fine: &[u64]) {
        let (mut coarse_keys, mut fine_keys) = (0, 0);
        let mut walk = self.walk(sample, fine);
        for target in targets.iter().filter(|target| !target.is_known()) {
            let Some(found) = walk.seek(target.place) else { return };
            let Interval { low, high, .. } = self.fine_interval(found);
            if high - low >= 1 << COARSE_SHIFT {
                return;
            }
            coarse_keys += target.within.count;
            fine_keys += found.count;
        }
        if fine_keys >= coarse_keys {
            return;
        }
        let mut walk = self.walk(sample, fine);
        for target in targets.iter_mut().filter(|target| !target.is_known()) {
            let found = walk.seek(target.place).expect("it was found before");
            target.within = self.fine_interval(found);
        }
    }

    fn fine_interval(&self, Found { cell, before, count }: Found) -> Interval {
        let low = self.low + ((cell as u64) << self.shift);
        let high = low.saturating_add((1 << self.shift) - 1).min(self.high);
        Interval { low, high, before, count }
    }

    /// A walk over the fine cells, in which the sample is counted too.
    fn walk(&self, sample: &[u64], fine: &[u64]) -> Walk<impl Iterator<Item = u64>> {
        let (low, shift) = (self.low, self.shift);
        let mut rest = sample;
        let counts = fine.iter().enumerate().map(move |(cell, later)| {
            let beyond = |key: &u64| (key - low) >> shift > cell as u64;
            let here = rest.iter().position(beyond).unwrap_or(rest.len());
            rest = &rest[here..];
            later + here as u64
        });
        Walk::new(counts, self.below)
    }
}

/// The least shift that puts keys up to `span` apart into `cells` cells.
pub(super) fn shift_for(span: u64, cells: usize) -> u32 {
    let fits = |shift: &u32| span >> shift < cells as u64;
    (0..u64::BITS).find(fits).expect("two cells hold any key by its top bit")
}

/// The key at a place of sorted ones.
pub(super) fn at(sorted: &[u64], place: u64) -> u64 {
    sorted[usize::try_from(place).expect("what is held is counted in a usize")]
}
