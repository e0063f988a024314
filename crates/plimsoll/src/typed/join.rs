//! Joining two inputs by key: the right one is held in a hash table, the left one streams by.
//!
//! ```text
//!   right ─> Table ── fits ────────────────────── left streams by, row for row ──> pairs
//!             └─ full: right to parts by hash; then left to parts by the same hash
//!                  part by part: right ─> Table ── fits ── left part streams by ──> pairs
//!                                 ├─ full: both dealt out again
//!                                 └─ still as large (one key): right in pieces, and the left
//!                                    part streams by once for each
//! ```
//!
//! The hybrid of a hash join after Kitsuregawa, Tanaka and Moto-oka 1983 (GRACE) and a block
//! nested loop where hashes cannot help.
//!
//! Promises: any number of rows with one key on either side; the pairs of one left row come in
//! the order of the right input.
//! Never: an order of the left rows once the right input was spilled.

use std::hash::Hash;
use std::sync::Arc;

use super::encoder::decode;
use super::engine::Engine;
use super::join_stream::JoinStream;
use super::partitions::{self, Dealer, Partitions};
use super::sorter::Spillable;
use super::table::Table;
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::spill::{Run, RunReader};

/// Which left rows come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Those with a partner.
    Inner,
    /// All; those without a partner alone.
    Left,
}

/// The right side of a join, on which the left side is looked up.
///
/// Costs up to [`Engine::memory_bytes`], of which 2.3 MiB of 16 MiB are set aside for spilling
/// until the right side is known to fit; see [the module](super) for other sizes. Where both sides
/// are sorted by their keys already, [`super::MergeJoin`] holds the rows of one key only.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{Engine, Join, JoinKind};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let mut join = Join::new(&engine, |price: &(u32, u64)| price.0)?;
/// join.push((1, 250))?;
/// let sold = [1_u32, 2].map(Ok).into_iter();
/// let pairs = join.probe(sold, |id: &u32| *id, JoinKind::Left)?;
/// assert_eq!(pairs.collect::<Result<Vec<_>, _>>()?, [(1, Some((1, 250))), (2, None)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Join<K, R, Key> {
    key: Key,
    side: RightSide<K, R>,
    partitions: Option<Partitions>,
    dealer: Dealer,
    failed: bool,
    workspace: Workspace,
}

/// Right rows by key.
#[derive(Debug)]
pub(super) struct RightSide<K, R> {
    table: Table<K, Vec<R>>,
}

impl<K: Spillable + Hash + Eq, R: Spillable> RightSide<K, R> {
    pub(super) fn new() -> Self {
        Self { table: Table::new() }
    }

    /// Rows of `key`, in the order they came.
    #[inline]
    pub(super) fn rows(&self, key: &K) -> &[R] {
        self.table.map.get(key).map_or(&[], Vec::as_slice)
    }

    /// Holds `row`, or gives it back with what was refused.
    pub(super) fn hold(
        &mut self,
        workspace: &mut Workspace,
        key: K,
        row: R,
    ) -> Result<(), (R, Error)> {
        match self.make_room(workspace, &key, &row) {
            Ok(()) => {
                self.table.map.entry(key).or_insert_with(|| Vec::with_capacity(1)).push(row);
                Ok(())
            }
            Err(error) => Err((row, error)),
        }
    }

    fn make_room(&mut self, workspace: &mut Workspace, key: &K, row: &R) -> Result<()> {
        let heap = row.heap_bytes() as u64;
        let row_bytes = size_of::<R>() as u64;
        let Some(rows) = self.table.map.get_mut(key) else {
            let heap = heap + key.heap_bytes() as u64;
            workspace.admit(size_of::<(K, R)>() as u64 + heap)?;
            return self.table.make_room(workspace, heap + row_bytes);
        };
        workspace.admit(size_of::<(K, R)>() as u64 + heap + key.heap_bytes() as u64)?;
        let (len, capacity) = (rows.len(), rows.capacity());
        if len < capacity {
            return self.table.take_heap(workspace, heap);
        }
        // Old and new at once, then the old one goes.
        self.table.take_heap(workspace, 2 * capacity as u64 * row_bytes)?;
        let rows = self.table.map.get_mut(key).expect("found above");
        rows.reserve_exact(capacity);
        self.table.release_heap(capacity as u64 * row_bytes);
        self.table.take_heap(workspace, heap)
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.table.map.is_empty()
    }

    /// Drops all rows.
    pub(super) fn give_back(&mut self, workspace: &mut Workspace) {
        self.table.give_back(workspace);
    }

    /// Deals all rows out; those of one key keep their order.
    fn deal_out(&self, workspace: &mut Workspace, into: &mut Partitions) -> Result<()> {
        for (key, rows) in &self.table.map {
            for row in rows {
                into.push(workspace, key, row)?;
            }
        }
        Ok(())
    }
}

impl<K, R, Key> Join<K, R, Key>
where
    K: Spillable + Hash + Eq,
    R: Spillable + Clone,
    Key: Fn(&R) -> K,
{
    /// A join whose right rows are found by `key`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved.
    pub fn new(engine: &Engine, key: Key) -> Result<Self> {
        let mut workspace = Workspace::new(engine, 0)?;
        workspace.set_aside(partitions::aside_bytes(&workspace))?;
        let (side, dealer) = (RightSide::new(), Dealer::new());
        Ok(Self { key, side, partitions: None, dealer, failed: false, workspace })
    }

    /// Takes one more right row.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] for a row beyond a 32nd of the memory, and those of
    /// spilling.
    pub fn push(&mut self, row: R) -> Result<()> {
        self.check()?;
        let key = (self.key)(&row);
        self.workspace.check(row_bytes(&key, &row))?;
        if self.partitions.is_some() {
            return self.push_out(&key, &row);
        }
        let Err((row, _full)) = self.side.hold(&mut self.workspace, key, row) else {
            return Ok(());
        };
        self.failed = true;
        let mut partitions = Partitions::open(&mut self.workspace, self.dealer.clone())?;
        self.side.deal_out(&mut self.workspace, &mut partitions)?;
        self.side.give_back(&mut self.workspace);
        self.partitions = Some(partitions);
        self.failed = false;
        let key = (self.key)(&row);
        self.push_out(&key, &row)
    }

    fn push_out(&mut self, key: &K, row: &R) -> Result<()> {
        self.workspace.admit(row_bytes(key, row))?;
        let partitions = self.partitions.as_mut().expect("open once the memory was full");
        partitions.cover(&mut self.workspace)?;
        let pushed = partitions.push(&mut self.workspace, key, row);
        self.failed = pushed.is_err();
        pushed
    }

    fn check(&self) -> Result<()> {
        if self.failed {
            return Err(Error::invalid(
                "joining: an earlier row could not be taken in; begin again",
            ));
        }
        Ok(())
    }

    /// Joins `left` to the rows pushed, each left row by `left_key`. While the right side is in
    /// memory, left rows are taken one by one as the result is read; else all of them are dealt
    /// out to disk first.
    ///
    /// # Errors
    /// Those of spilling.
    pub fn probe<L, I, LeftKey>(
        mut self,
        left: I,
        left_key: LeftKey,
        kind: JoinKind,
    ) -> Result<JoinStream<K, L, R, I, Key, LeftKey>>
    where
        L: Spillable + Clone,
        I: Iterator<Item = Result<L>>,
        LeftKey: Fn(&L) -> K,
    {
        self.check()?;
        let right = match self.partitions.take() {
            Some(partitions) => Some(partitions.finish()?),
            None => {
                self.workspace.set_aside(0)?;
                None
            }
        };
        let keys = (left_key, self.key);
        Ok(JoinStream::new(left, keys, kind, self.side, right, self.dealer, self.workspace))
    }
}

pub(super) fn row_bytes<K: Spillable, R: Spillable>(key: &K, row: &R) -> u64 {
    size_of::<(K, R)>() as u64 + (key.heap_bytes() + row.heap_bytes()) as u64
}

/// Deals the rows of `reader` out by `key`.
pub(super) fn deal_out<K, T>(
    workspace: &mut Workspace,
    dealer: &Dealer,
    reader: &mut RunReader,
    key: impl Fn(&T) -> K,
) -> Result<Vec<Option<Arc<Run>>>>
where
    K: Spillable + Hash,
    T: Spillable,
{
    let mut partitions = Partitions::open(workspace, dealer.clone())?;
    while let Some(row) = reader.next()? {
        let row: T = decode(row)?;
        partitions.cover(workspace)?;
        partitions.push(workspace, &key(&row), &row)?;
    }
    partitions.finish()
}
