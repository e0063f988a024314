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
use super::loser_tree::LoserTree;
use super::run::{Cut, RecordPlace, SortedRun};
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::spill::{BlockPlace, BlockReader, Codec, SpillFile};

/// A range of one run.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) run: Arc<SortedRun>,
    pub(super) from: Cut,
    pub(super) to: Cut,
}

impl Part {
    pub(super) fn whole(run: &Arc<SortedRun>) -> Self {
        Self { run: Arc::clone(run), from: SortedRun::START, to: run.end() }
    }

    pub(super) fn first_block(&self) -> u32 {
        narrow(self.from.block)
    }

    /// Blocks that hold its rows.
    pub(super) fn blocks(&self) -> std::ops::Range<u32> {
        let end = self.to.block + usize::from(self.to.at > 0);
        let end = if self.is_empty() { self.from.block } else { end };
        self.first_block()..narrow(end)
    }

    fn is_empty(&self) -> bool {
        (self.from.block, self.from.at) >= (self.to.block, self.to.at)
    }

    pub(super) fn prefix(&self, block: u32) -> u128 {
        self.run.index[block as usize].prefix()
    }

    pub(super) fn block(&self, block: u32) -> (Arc<SpillFile>, BlockPlace) {
        (Arc::clone(self.run.run.file()), self.run.run.blocks()[block as usize])
    }
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("blocks are counted in 32 bits")
}

/// Rows of several parts in one order.
#[derive(Debug)]
pub struct Merge {
    parts: Vec<Part>,
    sources: Vec<Source>,
    tree: Option<LoserTree>,
    forecast: Forecast,
    /// The winner's row was given out; it moves on before the next.
    given: bool,
    _reservation: Reservation,
}

#[derive(Debug)]
struct Source {
    reader: Option<BlockReader>,
    record: RecordPlace,
    /// Where the next record begins in the block.
    at: usize,
    /// Number of the block in memory.
    block: u32,
    /// End of this part's rows in the block.
    end: usize,
    exhausted: bool,
}

impl Merge {
    /// What a merge of `parts` parts with `ahead` blocks read ahead reserves, in bytes, for
    /// blocks of `block_bytes`.
    #[must_use]
    pub fn cost_bytes(parts: usize, ahead: usize, block_bytes: usize, blocks: usize) -> usize {
        let reader = BlockReader::cost_bytes(block_bytes, 0);
        (parts + ahead) * reader
            + parts * (size_of::<Source>() + size_of::<Part>())
            + LoserTree::cost_bytes(3 * parts)
            + Forecast::cost_bytes(blocks)
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
        let blocks = parts.iter().map(|p| p.blocks().count()).sum();
        let own = Self::cost_bytes(parts.len(), 0, 0, blocks) as u64;
        let reservation = consumer.try_reserve(own)?;
        let readers = readers(&parts, ahead, consumer)?;
        let codec = Codec::heaviest(parts.iter().map(|p| p.run.run.codec()));
        let mut forecast = Forecast::start(&parts, readers, codec, consumer)?;
        let mut sources = Vec::with_capacity(parts.len());
        for (n, part) in (0_u32..).zip(&parts) {
            let mut source = Source {
                reader: None,
                record: RecordPlace::default(),
                at: part.from.at,
                block: part.first_block(),
                end: 0,
                exhausted: false,
            };
            source.load(&parts, n, &mut forecast)?;
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
    /// As [`BlockReader::load`].
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
        source.load(parts, narrow(n), forecast)?;
    }
    source.read(&parts[n])?;
    Ok(source.record.prefix)
}

impl Source {
    fn load(&mut self, parts: &[Part], n: u32, forecast: &mut Forecast) -> Result<()> {
        let reader = forecast.take(parts, (n, self.block), self.reader.take())?;
        let to = parts[n as usize].to;
        self.end = if self.block as usize == to.block { to.at } else { reader.payload().len() };
        self.reader = Some(reader);
        Ok(())
    }

    fn payload(&self) -> &[u8] {
        self.reader.as_ref().expect("a source that is not at its end has a block").payload()
    }

    #[inline]
    fn read(&mut self, part: &Part) -> Result<()> {
        let record = RecordPlace::read(self.payload(), self.at).ok_or_else(|| {
            let (_, place) = part.block(self.block);
            Error::corrupt(format!("a sorted block at byte {} is cut off", place.offset))
        })?;
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

fn readers(parts: &[Part], ahead: usize, consumer: &Consumer) -> Result<Vec<BlockReader>> {
    let places = parts.iter().flat_map(|p| p.run.run.blocks());
    let block_bytes = places.map(|b| b.bytes as usize).max().unwrap_or(0);
    let payload_bytes = parts.iter().map(|p| p.run.run.plain_bytes_max()).max().unwrap_or(0);
    let room = (0..parts.len()).map(|_| BlockReader::new(consumer, block_bytes, payload_bytes));
    let mut readers = room.collect::<Result<Vec<_>>>()?;
    for _ in 0..ahead.max(1) {
        match BlockReader::new(consumer, block_bytes, payload_bytes) {
            Ok(reader) => readers.push(reader),
            // Reading ahead is speed, not need; but one is what the exchange works with.
            Err(_) if readers.len() > parts.len() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(readers)
}
