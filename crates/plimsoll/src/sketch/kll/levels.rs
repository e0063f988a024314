//! The compactors of a KLL sketch, in one array.
//!
//! Promises: the weights of what is kept sum up to what was taken in; never more kept than the
//! capacity; no allocation after construction.
//! Never: a level above 0 that is not sorted.
//!
//! ```text
//!   items:  | level 2, weight 4 | level 1, weight 2 | level 0, weight 1, unsorted | free
//!             ^ starts[2] = 0     ^ starts[1]         ^ starts[0]                   -> capacity
//!
//!   compact level 1:  [ 3 5 8 9 | 12 ]  the odd one stays, a coin takes 3 8 or 5 9 to level 2
//!
//!   capacity of a level:  max(8, k (2/3)^depth), the depth counted from the highest level
//! ```
//! Compaction is lazy: only when all levels together are full, the lowest one that is over its
//! own capacity is halved.

use super::Coins;
use crate::limits::{KLL_K_MAX, KLL_VALUES_MAX};

/// Capacity of the lowest levels: below it, halving costs more than it frees (DataSketches' m).
const LEVEL_ITEMS_MIN: u32 = 8;
/// A level above number 59 would need 8 values of weight 2^59 to be halved into it, and one above
/// 60 twice as many; see the assertion.
pub(super) const LEVELS_MAX: usize = 61;
/// Below this depth even the largest k gives less than a value.
const DEPTH_MAX: u32 = 30;

const _: () = assert!((LEVEL_ITEMS_MIN as u64) << (LEVELS_MAX - 1) > KLL_VALUES_MAX);
const _: () = assert!(((KLL_K_MAX as u64 + 1) << (DEPTH_MAX + 2)) < u64::MAX);

/// Heap bytes of the compactors for this k.
pub(super) fn bytes_for(k: u16) -> u64 {
    u64::from(capacity(k, LEVELS_MAX)) * size_of::<u64>() as u64
}

/// Items that `levels` levels keep together.
pub(super) fn capacity(k: u16, levels: usize) -> u32 {
    (0..levels).map(|level| level_capacity(k, levels, level)).sum()
}

/// k (2/3)^depth, rounded, in whole numbers so that every machine compacts at the same moment.
fn level_capacity(k: u16, levels: usize, level: usize) -> u32 {
    let depth = u32::try_from(levels - 1 - level).map_or(DEPTH_MAX, |depth| depth.min(DEPTH_MAX));
    let doubled = (u64::from(k) << (depth + 1)) / 3_u64.pow(depth);
    let rounded = u32::try_from(doubled.div_ceil(2)).expect("no level holds more than k");
    rounded.max(LEVEL_ITEMS_MIN)
}

#[derive(Debug)]
pub(super) struct Levels {
    k: u16,
    items: Vec<u64>,
    /// Where a level begins; it ends where the next lower one begins.
    starts: [usize; LEVELS_MAX],
    count: usize,
    /// Of all present levels together.
    capacity: usize,
}

/// Not derived: a copy of the vector would have room for its items only.
impl Clone for Levels {
    fn clone(&self) -> Self {
        let mut items = Vec::with_capacity(self.items.capacity());
        items.extend_from_slice(&self.items);
        Self { items, ..*self }
    }
}

impl Levels {
    pub(super) fn new(k: u16) -> Self {
        let items = Vec::with_capacity(capacity(k, LEVELS_MAX) as usize);
        let capacity = capacity(k, 1) as usize;
        Self { k, items, starts: [0; LEVELS_MAX], count: 1, capacity }
    }

    /// The levels of these lengths, lowest first; `items` as they are kept, highest first. `None`
    /// where that cannot be.
    pub(super) fn from_parts(
        k: u16,
        lengths: &[usize],
        items: impl ExactSizeIterator<Item = u64>,
    ) -> Option<Self> {
        let fits = (1..=LEVELS_MAX).contains(&lengths.len())
            && items.len() <= capacity(k, lengths.len()) as usize
            && items.len() == lengths.iter().sum::<usize>();
        if !fits {
            return None;
        }
        let mut levels = Self::new(k);
        levels.raise(lengths.len());
        levels.items.extend(items);
        let mut end = levels.items.len();
        for (start, length) in levels.starts.iter_mut().zip(lengths) {
            end -= length;
            *start = end;
        }
        let sorted = (1..levels.count).all(|level| levels.level(level).is_sorted());
        sorted.then_some(levels)
    }

    pub(super) fn k(&self) -> u16 {
        self.k
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.items.capacity() * size_of::<u64>()) as u64
    }

    /// What is kept, highest level first.
    pub(super) fn items(&self) -> &[u64] {
        &self.items
    }

    /// Lengths of the levels, lowest first.
    pub(super) fn lengths(&self) -> impl ExactSizeIterator<Item = usize> {
        (0..self.count).map(|level| self.level(level).len())
    }

    /// The sum of the weights, or `None` where it leaves 64 bits.
    pub(super) fn weight(&self) -> Option<u64> {
        self.lengths().enumerate().try_fold(0_u64, |sum, (level, length)| {
            sum.checked_add((length as u64).checked_mul(1 << level)?)
        })
    }

    /// The weight of what is at most `key`.
    pub(super) fn weight_up_to(&self, key: u64) -> u64 {
        let lowest = self.level(0).iter().filter(|item| **item <= key).count() as u64;
        let higher = (1..self.count)
            .map(|level| (self.level(level).partition_point(|item| *item <= key) as u64) << level);
        lowest + higher.sum::<u64>()
    }

    pub(super) fn add(&mut self, key: u64, coins: &mut Coins) {
        if self.items.len() == self.capacity {
            self.make_room(coins);
        }
        self.items.push(key);
    }

    /// Takes in the levels of another sketch, piece by piece as there is room.
    pub(super) fn merge(&mut self, other: &Self, coins: &mut Coins) {
        self.raise(other.count);
        for level in (0..other.count).rev() {
            let mut rest = other.level(level);
            while !rest.is_empty() {
                if self.items.len() == self.capacity {
                    self.make_room(coins);
                }
                let room = self.capacity - self.items.len();
                let (now, later) = rest.split_at(room.min(rest.len()));
                self.insert(level, now);
                rest = later;
            }
        }
    }

    fn end(&self, level: usize) -> usize {
        if level == 0 { self.items.len() } else { self.starts[level - 1] }
    }

    fn level(&self, level: usize) -> &[u64] {
        &self.items[self.starts[level]..self.end(level)]
    }

    /// Adds empty levels on top until there are `count`.
    fn raise(&mut self, count: usize) {
        assert!(count <= LEVELS_MAX, "the weights of {count} levels leave 64 bits");
        if count > self.count {
            self.starts[self.count..count].fill(0);
            self.count = count;
            self.capacity = capacity(self.k, count) as usize;
        }
    }

    fn insert(&mut self, level: usize, keys: &[u64]) {
        let end = self.end(level);
        self.items.extend_from_slice(keys);
        self.items[end..].rotate_right(keys.len());
        for start in &mut self.starts[..level] {
            *start += keys.len();
        }
        if level > 0 {
            self.items[self.starts[level]..end + keys.len()].sort_unstable();
        }
    }

    /// Halves the lowest level that is over its capacity. One is, because all together are full.
    fn make_room(&mut self, coins: &mut Coins) {
        let over = |level: &usize| {
            self.level(*level).len() >= level_capacity(self.k, self.count, *level) as usize
        };
        let level = (0..self.count).find(over).expect("the capacity is the sum of the levels'");
        self.raise(level + 2);
        let (start, end) = (self.starts[level], self.end(level));
        let pairs = (end - start) / 2;
        if level == 0 {
            self.items[start..start + 2 * pairs].sort_unstable();
        }
        let coin = usize::from(coins.toss());
        for pair in 0..pairs {
            self.items[start + pair] = self.items[start + 2 * pair + coin];
        }
        // Only the odd one stays on its level, and everything lower moves up.
        self.items.drain(start + pairs..start + 2 * pairs);
        self.starts[level] += pairs;
        for lower in &mut self.starts[..level] {
            *lower -= pairs;
        }
        let promoted = self.starts[level + 1]..self.starts[level];
        self.items[promoted].sort_unstable();
    }
}
