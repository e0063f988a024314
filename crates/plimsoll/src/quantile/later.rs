//! A later pass: every region that still holds a place is collected or divided.
//!
//! Promises: a region that fits its share of the workspace is finished by this pass.
//! Never: overlapping regions, or a cell that two of them use.
//!
//! ```text
//!   keys:     0 ....[ region 0 ]...........[ region 1 ]....   2^64
//!                     │        └ gap: the least key here       answers "the next key after"
//!                     └ collected: its keys, to be sorted      where a place's upper neighbour
//!                       counted: keys in cells of 2^shift      is in no region
//! ```

use super::exact::{Interval, Target};
use super::first::{at, shift_for};
use super::walk::{Found, Walk};

/// What one region costs.
pub(super) const REGION_BYTES: usize = size_of::<Region>();

/// Keys between two bounds, with its part of the workspace.
#[derive(Clone, Copy, Debug)]
struct Region {
    within: Interval,
    start: usize,
    cells: usize,
    /// `None` where keys are collected, else the logarithm of the keys in a cell.
    shift: Option<u32>,
    /// Keys seen in it in this pass.
    seen: u64,
    /// The least key in it, and the least above it and below the next region.
    least: Option<u64>,
    gap: Option<u64>,
}

/// The regions of a later pass, in order of their keys.
#[derive(Debug)]
pub(super) struct Later {
    regions: Vec<Region>,
}

impl Later {
    /// Room for the regions of as many targets.
    pub(super) fn with_capacity(targets: usize) -> Self {
        Self { regions: Vec::with_capacity(targets) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.regions.capacity() * size_of::<Region>()
    }

    /// Divides the workspace among the regions of unknown targets.
    pub(super) fn begin(&mut self, targets: &[Target], cells: &mut [u64]) {
        let regions = &mut self.regions;
        regions.clear();
        for target in targets.iter().filter(|target| !target.is_known()) {
            if regions.last().is_none_or(|region| region.within != target.within) {
                regions.push(Region::new(target.within));
            }
        }
        // Those that need least first, so that what they leave goes to the others.
        regions.sort_unstable_by_key(Region::needed);
        let mut start = 0;
        let count = regions.len();
        for (done, region) in regions.iter_mut().enumerate() {
            region.take_share(start, (cells.len() - start) / (count - done));
            start += region.cells;
        }
        cells[..start].fill(0);
        regions.sort_unstable_by_key(|region| region.within.low);
    }

    #[allow(clippy::cast_possible_truncation)] // the shift leaves the number of a cell
    pub(super) fn push(&mut self, key: u64, cells: &mut [u64]) {
        let regions = &mut self.regions;
        let after = regions.partition_point(|region| region.within.low <= key);
        let Some(region) = after.checked_sub(1).map(|at| &mut regions[at]) else { return };
        if key > region.within.high {
            region.gap = Some(region.gap.map_or(key, |least| least.min(key)));
            return;
        }
        region.least = Some(region.least.map_or(key, |least| least.min(key)));
        if let Some(shift) = region.shift {
            cells[region.start + ((key - region.within.low) >> shift) as usize] += 1;
        } else if region.seen < region.within.count {
            cells[region.start + region.seen as usize] = key;
        }
        region.seen += 1;
    }

    /// Whether every region had the keys that the pass before counted.
    pub(super) fn is_as_counted(&self) -> bool {
        self.regions.iter().all(|region| region.seen == region.within.count)
    }

    /// Learns what the pass tells about the targets.
    pub(super) fn end(&self, targets: &mut [Target], cells: &mut [u64]) {
        let mut next = self.regions.iter().skip(1);
        for region in &self.regions {
            let after = next.next().and_then(|region| region.least);
            let own = &mut cells[region.start..region.start + region.cells];
            let inside = targets
                .iter_mut()
                .filter(|target| !target.is_known() && target.within == region.within);
            region.answer(inside, own, region.gap.or(after));
        }
    }
}

impl Region {
    fn new(within: Interval) -> Self {
        let (shift, least, gap) = (None, None, None);
        Self { within, start: 0, cells: 0, shift, seen: 0, least, gap }
    }

    fn span(&self) -> u64 {
        self.within.high - self.within.low
    }

    /// Cells with which this pass is its last: one for each key, or for each possible key.
    fn needed(&self) -> u64 {
        self.within.count.min(self.span().saturating_add(1))
    }

    fn take_share(&mut self, start: usize, share: usize) {
        self.start = start;
        if self.within.count <= share as u64 && self.within.count <= self.span() {
            self.shift = None;
            self.cells = usize::try_from(self.within.count).expect("it is below the share");
            return;
        }
        let shift = shift_for(self.span(), share);
        self.shift = Some(shift);
        self.cells = usize::try_from(self.span() >> shift).expect("it is below the share") + 1;
    }

    /// `after` is the least key above the region.
    fn answer<'a>(
        &self,
        targets: impl Iterator<Item = &'a mut Target>,
        cells: &mut [u64],
        after: Option<u64>,
    ) {
        let Interval { low, high, before, count } = self.within;
        let Some(shift) = self.shift else {
            cells.sort_unstable();
            for target in targets {
                target.lower = Some(at(cells, target.place - before));
                let inside = target.upper_place < before + count;
                let upper = inside.then(|| at(cells, target.upper_place - before));
                target.upper = target.upper.or(upper).or(after);
            }
            return;
        };
        let mut walk = Walk::new(cells.iter().copied(), before);
        for target in targets {
            let Found { cell, before: cell_before, count: cell_count } =
                walk.seek(target.place).expect("the region holds the place");
            let cell_low = low + ((cell as u64) << shift);
            let cell_high = cell_low.saturating_add((1 << shift) - 1).min(high);
            if target.upper_place >= before + count {
                target.upper = target.upper.or(after);
            }
            if cell_low == cell_high {
                target.learn_lower(cell_low, cell_before + cell_count);
            }
            if shift == 0 && target.upper.is_none() {
                let further = cells[cell + 1..].iter().position(|count| *count > 0);
                target.upper = further.map(|further| cell_low + 1 + further as u64);
            }
            target.within =
                Interval { low: cell_low, high: cell_high, before: cell_before, count: cell_count };
        }
    }
}
