//! Sorted runs to one sorted sequence: a tree of losers.
//!
//! ```text
//!               tree[0] = winner
//!                 [1] loser            a record leaves at the winner's leaf; its successor plays
//!            [2]       [3]             up that one path, against the losers kept there:
//!          r0   r1   r2   r3           log2(k) comparisons, whatever was played elsewhere
//! ```
//!
//! Knuth, The Art of Computer Programming 3, 5.4.1, "tree of losers".
//!
//! Promises: equal records come in the order of their runs, and runs are numbered in the order of
//! the input, so that the sort is stable; nothing comes after an error.
//! Never: more than one block and one record of a run in memory.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::encoder::decode;
use crate::budget::Consumer;
use crate::error::Result;
use crate::spill::{Run, RunReader};

#[derive(Debug)]
pub(super) struct Merge<T, C> {
    sources: Vec<Source<T>>,
    /// The winner, then the loser of each inner node.
    tree: Vec<usize>,
    /// The winner's record was taken and its successor not read yet.
    taken: bool,
    failed: bool,
    compare: C,
}

#[derive(Debug)]
struct Source<T> {
    reader: RunReader,
    /// `None` at its end.
    head: Option<T>,
}

impl<T: DeserializeOwned> Source<T> {
    fn advance(&mut self) -> Result<()> {
        self.head = None;
        if let Some(record) = self.reader.next()? {
            self.head = Some(decode(record)?);
        }
        Ok(())
    }
}

impl<T: DeserializeOwned, C: Fn(&T, &T) -> Ordering> Merge<T, C> {
    /// Opens `runs`, of which there is at least one, and reads their first records.
    pub(super) fn open(runs: &[Arc<Run>], consumer: &Consumer, compare: C) -> Result<Self> {
        let mut sources = Vec::with_capacity(runs.len());
        for run in runs {
            let mut source = Source { reader: run.reader(consumer)?, head: None };
            source.advance()?;
            sources.push(source);
        }
        let mut merge =
            Self { tree: vec![0; sources.len()], sources, taken: false, failed: false, compare };
        merge.play_all();
        Ok(merge)
    }

    /// Fills the tree from the leaves up.
    fn play_all(&mut self) {
        let leaves = self.sources.len();
        let mut winners = vec![0; 2 * leaves];
        for node in (1..2 * leaves).rev() {
            if node >= leaves {
                winners[node] = node - leaves;
                continue;
            }
            let (a, b) = (winners[2 * node], winners[2 * node + 1]);
            let (winner, loser) = if self.beats(a, b) { (a, b) } else { (b, a) };
            winners[node] = winner;
            self.tree[node] = loser;
        }
        self.tree[0] = winners[1];
    }

    /// Whether source `a` gives the next record rather than `b`. One that ended loses.
    #[inline]
    fn beats(&self, a: usize, b: usize) -> bool {
        match (&self.sources[a].head, &self.sources[b].head) {
            (Some(left), Some(right)) => match (self.compare)(left, right) {
                Ordering::Less => true,
                Ordering::Greater => false,
                Ordering::Equal => a < b,
            },
            (left, right) => left.is_some() || (right.is_none() && a < b),
        }
    }

    /// The next record in order.
    pub(super) fn next(&mut self) -> Result<Option<T>> {
        if self.failed {
            return Ok(None);
        }
        if self.taken {
            self.taken = false;
            let last = self.tree[0];
            if let Err(error) = self.sources[last].advance() {
                self.failed = true;
                return Err(error);
            }
            self.replay(last);
        }
        let record = self.sources[self.tree[0]].head.take();
        self.taken = record.is_some();
        Ok(record)
    }

    fn replay(&mut self, leaf: usize) {
        let mut winner = leaf;
        let mut node = (leaf + self.sources.len()) / 2;
        while node > 0 {
            if self.beats(self.tree[node], winner) {
                std::mem::swap(&mut self.tree[node], &mut winner);
            }
            node /= 2;
        }
        self.tree[0] = winner;
    }
}
