//! From places to the cells of a histogram.
//!
//! Promises: one walk over the cells for any number of places.
//! Never: a step back; places are asked for in ascending order.

/// Where a place was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Number of the cell.
    pub(super) cell: usize,
    /// Values in the cells before it.
    pub(super) before: u64,
    /// Values in it.
    pub(super) count: u64,
}

/// A walk over the counts of cells.
pub(super) struct Walk<I> {
    counts: I,
    at: Found,
}

impl<I: Iterator<Item = u64>> Walk<I> {
    /// Begins at the first cell, before which stand `before` values.
    pub(super) fn new(mut counts: I, before: u64) -> Self {
        let count = counts.next().unwrap_or(0);
        Self { counts, at: Found { cell: 0, before, count } }
    }

    /// The cell that holds `place`, or `None` where the cells end before it.
    pub(super) fn seek(&mut self, place: u64) -> Option<Found> {
        while place >= self.at.before + self.at.count {
            let count = self.counts.next()?;
            let Found { cell, before, count: passed } = self.at;
            self.at = Found { cell: cell + 1, before: before + passed, count };
        }
        (place >= self.at.before).then_some(self.at)
    }
}
