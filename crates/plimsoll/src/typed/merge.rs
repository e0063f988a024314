//! Sorted runs to one sorted sequence: a tree of losers.
//!
//! ```text
//!   run 0, run 1, .. ── block, record ──> heads ── sort::LoserTree ──> the least
//! ```
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
use crate::sort::LoserTree;
use crate::spill::{Run, RunReader};

#[derive(Debug)]
pub(super) struct Merge<T, C> {
    sources: Vec<Source<T>>,
    /// Plays by the records themselves.
    tree: LoserTree<()>,
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
        let prefixes = vec![(); sources.len()];
        let tree = LoserTree::build(&prefixes, &|a, b| before(&sources, &compare, a, b));
        Ok(Self { sources, tree, taken: false, failed: false, compare })
    }

    /// The next record in order.
    pub(super) fn next(&mut self) -> Result<Option<T>> {
        if self.failed {
            return Ok(None);
        }
        if self.taken {
            self.taken = false;
            let last = self.tree.winner();
            if let Err(error) = self.sources[last].advance() {
                self.failed = true;
                return Err(error);
            }
            let (sources, compare) = (&self.sources, &self.compare);
            self.tree.replay((), &|a, b| before(sources, compare, a, b));
        }
        let record = self.sources[self.tree.winner()].head.take();
        self.taken = record.is_some();
        Ok(record)
    }
}

/// Whether source `a` gives the next record rather than `b`. One that ended loses.
#[inline]
fn before<T>(sources: &[Source<T>], compare: &impl Fn(&T, &T) -> Ordering, a: u32, b: u32) -> bool {
    match (&sources[a as usize].head, &sources[b as usize].head) {
        (Some(left), Some(right)) => match compare(left, right) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => a < b,
        },
        (left, right) => left.is_some() || (right.is_none() && a < b),
    }
}
