//! Merges the rows of several sorted runs, or of one range of their keys.
//!
//! ```text
//!   run 0: | block | block |####|####|####|          # one Part: from a cut to a cut
//!   run 1: | block |##|####|##|    |                   the cuts of all runs have one prefix
//!                       │
//!   Forecast ── blocks ─┴─> records ─> loser tree ─> next()
//! ```
//!
//! Promises: rows in order of their keys, equal keys in order of the input; one block a part in
//! memory and those the forecast reads ahead.
//! Never: a comparison of rows.

use std::sync::Arc;

use super::arena::Sorted;
use super::forecast::Forecast;
use super::index::IndexReader;
use super::loser_tree::LoserTree;
use super::run::{Cut, ReaderShape, RecordPlace, SortedRun};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::spill::BlockReader;

/// A range of one run.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) run: Arc<SortedRun>,
    pub(super) from: Cut,
    pub(super) to: Cut,
}

impl Part {
    pub(super) fn whole(run: &Arc<SortedRun>) -> Self {
        Self { run: Arc::clone(run), from: run.start(), to: run.end() }
    }

    /// Blocks that hold its rows.
    pub(super) fn blocks(&self) -> std::ops::Range<u64> {
        let end = self.to.block + u64::from(self.to.at > 0);
        self.from.block..if self.is_empty() { self.from.block } else { end }
    }

    fn is_empty(&self) -> bool {
        (self.from.block, self.from.at) >= (self.to.block, self.to.at)
    }
}

/// Rows of several parts in one order.
#[derive(Debug)]
pub struct Merge {
    parts: Vec<Part>,
    sources: Vec<Source>,
    tree: Option<LoserTree<u128>>,
    forecast: Forecast,
    /// The winner's row was given out; it moves on before the next.
    given: bool,
    _reservation: Reservation,
}

#[derive(Debug)]
struct Source {
    reader: Option<BlockReader>,
    record: RecordPlace,
    /// Where it begins in the block, and where the next one does.
    begin: usize,
    at: usize,
    /// Number of the block in memory.
    block: u64,
    /// End of this part's rows in the block.
    end: usize,
    exhausted: bool,
}

impl Merge {
    /// What a merge of `parts` parts with `ahead` blocks read ahead reserves, in bytes.
    pub(super) fn cost_bytes(parts: usize, ahead: usize, reader: ReaderShape) -> usize {
        let ReaderShape { block_bytes, plain_bytes, codec } = reader;
        let each = BlockReader::cost_bytes(block_bytes, plain_bytes);
        let room_bytes = BlockReader::room_bytes(block_bytes, plain_bytes);
        let forecast = Forecast::cost_bytes(parts, room_bytes, codec);
        (parts + ahead) * each + forecast + Self::sources_bytes(parts)
    }

    const fn sources_bytes(parts: usize) -> usize {
        parts * (size_of::<Source>() + size_of::<Part>()) + LoserTree::<u128>::cost_bytes(3 * parts)
    }

    /// All rows of `runs`.
    ///
    /// # Errors
    /// As [`Merge::next`], and [`crate::ErrorKind::OutOfBudget`].
    pub(crate) fn of_runs(
        runs: &[Arc<SortedRun>],
        ahead: usize,
        consumer: &Consumer,
    ) -> Result<Self> {
        Self::start(runs.iter().map(Part::whole).collect(), ahead, consumer)
    }

    /// Begins with the first rows in memory.
    pub(super) fn start(parts: Vec<Part>, ahead: usize, consumer: &Consumer) -> Result<Self> {
        let parts: Vec<Part> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let own = Forecast::held_bytes(parts.len()) + Self::sources_bytes(parts.len());
        let reservation = consumer.try_reserve(own as u64)?;
        let shape = ReaderShape::of(parts.iter().map(|part| &*part.run));
        let readers = readers(parts.len(), ahead, shape, consumer)?;
        let mut forecast = Forecast::start(&parts, readers, shape.codec, consumer)?;
        let mut sources = Vec::with_capacity(parts.len());
        for (n, part) in (0_u32..).zip(&parts) {
            let mut source = Source {
                reader: None,
                record: RecordPlace::default(),
                begin: part.from.at,
                at: part.from.at,
                block: part.from.block,
                end: 0,
                exhausted: false,
            };
            source.load(part, n, &mut forecast)?;
            source.read(part)?;
            sources.push(source);
        }
        let mut merge =
            Self { parts, sources, tree: None, forecast, given: false, _reservation: reservation };
        merge.build();
        Ok(merge)
    }

    fn build(&mut self) {
        let prefixes: Vec<u128> = self.sources.iter().map(|s| s.record.prefix).collect();
        if !prefixes.is_empty() {
            let (sources, parts) = (&self.sources, &self.parts);
            self.tree = Some(LoserTree::build(&prefixes, &|a, b| before(sources, parts, a, b)));
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], [`crate::ErrorKind::Corrupt`].
    #[allow(clippy::should_implement_trait)] // it lends, which Iterator cannot
    #[inline]
    pub fn next(&mut self) -> Result<Option<Sorted<'_>>> {
        let Some(tree) = &mut self.tree else { return Ok(None) };
        if self.given {
            let winner = tree.winner();
            let prefix =
                advance(&mut self.sources[winner], &self.parts, winner, &mut self.forecast)?;
            let (sources, parts) = (&self.sources, &self.parts);
            tree.replay(prefix, &|a, b| before(sources, parts, a, b));
        }
        self.given = true;
        let source = &self.sources[tree.winner()];
        Ok((!source.exhausted).then(|| source.sorted()))
    }
}

impl Merge {
    /// Gives up blocks ahead as they are used; `false` where there are none any more.
    pub(super) fn give_up_ahead(&mut self) -> bool {
        self.forecast.give_up_ahead()
    }

    /// Ends it before its end: the parts that are left, from the row that comes next on.
    pub(super) fn into_parts(self, consumer: &Consumer) -> Result<Vec<Part>> {
        let Self { parts, sources, tree, forecast, given, .. } = self;
        let winner = tree.filter(|_| given).map(|tree| tree.winner());
        let left = sources.into_iter().enumerate().filter(|(_, source)| !source.exhausted);
        let left: Vec<(usize, u64, usize)> = left
            .map(|(n, source)| {
                let at = if winner == Some(n) { source.at } else { source.begin };
                let used_up = at >= source.end;
                (n, source.block + u64::from(used_up), if used_up { 0 } else { at })
            })
            .collect();
        drop(forecast);
        let mut index = IndexReader::new(consumer)?;
        let mut rest = Vec::with_capacity(left.len());
        for (n, block, at) in left {
            let mut part = parts[n].clone();
            for _ in part.from.block..block {
                (_, part.from.entry) = index.entry(part.run.file(), part.from.entry)?;
            }
            (part.from.block, part.from.at) = (block, at);
            rest.push(part);
        }
        Ok(rest)
    }
}

/// Moves a source to its next row; returns its prefix, the largest number at the end.
#[inline]
fn advance(source: &mut Source, parts: &[Part], n: usize, forecast: &mut Forecast) -> Result<u128> {
    if source.at >= source.end {
        let part = &parts[n];
        let next = source.block + 1;
        if !part.blocks().contains(&next) {
            source.exhausted = true;
            return Ok(u128::MAX);
        }
        source.block = next;
        source.at = 0;
        let number = u32::try_from(n).expect("parts are counted in 32 bits");
        source.load(part, number, forecast)?;
    }
    source.read(&parts[n])?;
    Ok(source.record.prefix)
}

impl Source {
    fn load(&mut self, part: &Part, n: u32, forecast: &mut Forecast) -> Result<()> {
        let reader = forecast.take((n, self.block), self.reader.take())?;
        let to = part.to;
        self.end = if self.block == to.block { to.at } else { reader.payload().len() };
        self.reader = Some(reader);
        Ok(())
    }

    fn payload(&self) -> &[u8] {
        self.reader.as_ref().expect("a source that is not at its end has a block").payload()
    }

    #[inline]
    fn read(&mut self, part: &Part) -> Result<()> {
        let record = RecordPlace::read(self.payload(), self.at).ok_or_else(|| {
            Error::corrupt(format!(
                "block {} of the run of segment {} is cut off: sort again",
                self.block, part.run.order.0
            ))
        })?;
        self.begin = self.at;
        self.at = record.next;
        self.record = record;
        Ok(())
    }

    #[inline]
    fn sorted(&self) -> Sorted<'_> {
        let payload = self.payload();
        let slice = |(from, to): (u32, u32)| &payload[from as usize..to as usize];
        Sorted {
            prefix: self.record.prefix,
            extra: slice(self.record.extra),
            row: slice(self.record.row),
        }
    }
}

/// Whether source `a`'s row comes before `b`'s, their prefixes being equal.
fn before(sources: &[Source], parts: &[Part], a: u32, b: u32) -> bool {
    let (first, second) = (&sources[a as usize], &sources[b as usize]);
    if first.exhausted || second.exhausted {
        return !first.exhausted;
    }
    let order = |n: u32| parts[n as usize].run.order;
    first.sorted().extra.cmp(second.sorted().extra).then_with(|| order(a).cmp(&order(b))).is_lt()
}

fn readers(
    parts: usize,
    ahead: usize,
    shape: ReaderShape,
    consumer: &Consumer,
) -> Result<Vec<BlockReader>> {
    let reader = || BlockReader::new(consumer, shape.block_bytes, shape.plain_bytes);
    let mut readers = Vec::with_capacity(parts + ahead.max(1));
    for _ in 0..parts {
        readers.push(reader()?);
    }
    for _ in 0..ahead.max(1) {
        match reader() {
            Ok(reader) => readers.push(reader),
            // Reading ahead is speed, not need; but one is what the exchange works with.
            Err(_) if readers.len() > parts => break,
            Err(error) => return Err(error),
        }
    }
    Ok(readers)
}
