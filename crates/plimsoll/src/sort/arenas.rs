//! Rows that lie sorted in several arenas, as one order.
//!
//! ```text
//!   arena 0: |   range 0   |  range 1  |    cut at the first row not below the splitter
//!   arena 1: | range 0 |    range 1    |
//!   output:  |       range 0       |      range 1      |     one thread a range
//! ```
//!
//! Promises: rows in order of their keys, equal keys in the order of the arenas; ranges are
//! disjoint and together everything, with their exact bytes in the output.
//! Never: a byte on disk, or a row copied before it is written.

use std::ops::Range as Positions;

use super::arena::{Arena, Sorted};
use super::loser_tree::LoserTree;

/// First keys that splitters are chosen from, of each arena.
const SAMPLE: usize = 256;

/// One thread's share of the rows of arenas.
pub(crate) struct ArenaRange<'a> {
    sources: Vec<Source<'a>>,
    tree: Option<LoserTree<u128>>,
    given: bool,
    /// Bytes of rows before it in the output, and of its own.
    pub(crate) row_bytes_before: u64,
    pub(crate) row_bytes: u64,
}

struct Source<'a> {
    arena: &'a Arena,
    next: usize,
    end: usize,
    row: Option<Sorted<'a>>,
}

impl<'a> Source<'a> {
    fn new(arena: &'a Arena, positions: &Positions<usize>) -> Self {
        let mut source = Self { arena, next: positions.start, end: positions.end, row: None };
        source.advance();
        source
    }

    #[inline]
    fn advance(&mut self) {
        self.row = (self.next < self.end).then(|| self.arena.get(self.next)).flatten();
        self.next += 1;
    }

    fn prefix(&self) -> u128 {
        self.row.map_or(u128::MAX, |row| row.prefix)
    }
}

fn before(sources: &[Source<'_>], a: u32, b: u32) -> bool {
    match (sources[a as usize].row, sources[b as usize].row) {
        (Some(first), Some(second)) => {
            first.extra.cmp(second.extra).then_with(|| a.cmp(&b)).is_lt()
        }
        (first, _) => first.is_some(),
    }
}

impl<'a> ArenaRange<'a> {
    /// The next row; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Sorted<'a>> {
        let tree = self.tree.as_mut()?;
        if self.given {
            let source = &mut self.sources[tree.winner()];
            source.advance();
            let prefix = source.prefix();
            let sources = &self.sources;
            tree.replay(prefix, &|a, b| before(sources, a, b));
        }
        self.given = true;
        self.sources[tree.winner()].row
    }
}

/// Splits the rows of sorted `arenas`, earlier input first, into at most `workers` ranges.
pub(crate) fn split_arenas(arenas: &[Arena], workers: usize) -> Vec<ArenaRange<'_>> {
    let mut cuts = vec![vec![0; arenas.len()]];
    for splitter in splitters(arenas, workers) {
        cuts.push(arenas.iter().map(|arena| first_not_below(arena, splitter)).collect());
    }
    cuts.push(arenas.iter().map(Arena::len).collect());
    let mut row_bytes_before = 0;
    let mut ranges = Vec::with_capacity(workers);
    for pair in cuts.windows(2) {
        let positions = pair[0].iter().zip(&pair[1]).map(|(&from, &to)| from..to);
        let of_arenas = arenas.iter().zip(positions);
        let row_bytes = of_arenas.clone().map(|(arena, range)| arena.row_bytes(range)).sum::<u64>();
        let sources: Vec<Source<'_>> =
            of_arenas.map(|(arena, range)| Source::new(arena, &range)).collect();
        let prefixes: Vec<u128> = sources.iter().map(Source::prefix).collect();
        let tree = (!prefixes.is_empty())
            .then(|| LoserTree::build(&prefixes, &|a, b| before(&sources, a, b)));
        ranges.push(ArenaRange { sources, tree, given: false, row_bytes_before, row_bytes });
        row_bytes_before += row_bytes;
    }
    ranges.retain(|range| range.row_bytes > 0);
    ranges
}

fn first_not_below(arena: &Arena, prefix: u128) -> usize {
    let (mut low, mut high) = (0, arena.len());
    while low < high {
        let middle = low.midpoint(high);
        match arena.get(middle) {
            Some(row) if row.prefix < prefix => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

/// Prefixes at equal shares of all rows.
fn splitters(arenas: &[Arena], workers: usize) -> Vec<u128> {
    let mut sample: Vec<u128> = arenas
        .iter()
        .flat_map(|arena| {
            (0..SAMPLE).filter_map(|n| arena.get(arena.len() * n / SAMPLE)).map(|row| row.prefix)
        })
        .collect();
    sample.sort_unstable();
    let mut splitters: Vec<u128> =
        (1..workers).filter_map(|n| sample.get(n * sample.len() / workers).copied()).collect();
    splitters.dedup();
    splitters
}
