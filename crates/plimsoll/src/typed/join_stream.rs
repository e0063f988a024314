//! The pairs of a join, read one by one.
//!
//! ```text
//!   Streaming: left iterator ─> RightSide
//!   Dealing:   left iterator ─> parts        at the first call
//!   Tasks:     (left part, right part) ─┬─ load right ─> left part streams by
//!                                       ├─ deal both out again ─> more tasks
//!                                       └─ piece of right ─> left part ─> next piece ─> ...
//!                                          matched bits; at the end the unmatched come
//! ```
//!
//! Promises: a left row without a partner comes once, however many pieces its part has.
//! Never: a pair after an error.

use std::hash::Hash;
use std::sync::Arc;

use super::encoder::decode;
use super::join::{JoinKind, RightSide, deal_out, row_bytes};
use super::partitions::{self, Dealer, Partitions};
use super::rows::HeapBytes;
use super::sorter::Spillable;
use super::workspace::Workspace;
use crate::error::Result;
use crate::spill::{Run, RunReader};

/// A left and a right part of the same keys.
#[derive(Debug)]
struct Task {
    left: Arc<Run>,
    right: Option<Arc<Run>>,
    dealer: Dealer,
    /// Of the right part it was dealt out from.
    parent_bytes: u64,
}

/// A task whose left part streams by.
#[derive(Debug)]
struct Passing<R> {
    left: Arc<Run>,
    reader: RunReader,
    /// Of the row read next.
    number: u64,
    /// The rest of the right part, beginning with a row that did not fit.
    rest: Option<(RunReader, R)>,
    matched: Option<Matched>,
    /// The last pass, for the left rows without a partner.
    unmatched_only: bool,
}

/// One bit for each left row of a part that is passed several times.
#[derive(Debug)]
struct Matched {
    bits: Vec<u64>,
    held: HeapBytes,
}

/// Left rows with their right rows: of an inner join always `Some`. After an error there are no
/// more.
#[derive(Debug)]
pub struct JoinStream<K, L, R, I, RightKey, LeftKey> {
    left: Option<I>,
    keys: (LeftKey, RightKey),
    kind: JoinKind,
    side: RightSide<K, R>,
    /// The right parts, until the left ones are there too.
    right: Option<Vec<Option<Arc<Run>>>>,
    dealer: Dealer,
    tasks: Vec<Task>,
    passing: Option<Passing<R>>,
    /// A left row with partners, and how many of them were given.
    giving: Option<(L, K, usize)>,
    workspace: Workspace,
}

impl<K, L, R, I, RightKey, LeftKey> JoinStream<K, L, R, I, RightKey, LeftKey>
where
    K: Spillable + Hash + Eq,
    L: Spillable + Clone,
    R: Spillable + Clone,
    I: Iterator<Item = Result<L>>,
    RightKey: Fn(&R) -> K,
    LeftKey: Fn(&L) -> K,
{
    pub(super) fn new(
        left: I,
        keys: (LeftKey, RightKey),
        kind: JoinKind,
        side: RightSide<K, R>,
        right: Option<Vec<Option<Arc<Run>>>>,
        dealer: Dealer,
        workspace: Workspace,
    ) -> Self {
        let (tasks, passing, giving) = (Vec::new(), None, None);
        Self {
            left: Some(left),
            keys,
            kind,
            side,
            right,
            dealer,
            tasks,
            passing,
            giving,
            workspace,
        }
    }

    fn advance(&mut self) -> Result<Option<(L, Option<R>)>> {
        if let Some(right) = self.right.take() {
            self.deal_left_out(right)?;
        }
        loop {
            if let Some(pair) = self.give() {
                return Ok(Some(pair));
            }
            if let Some(left) = &mut self.left {
                let Some(row) = left.next().transpose()? else { return Ok(None) };
                if let Some(alone) = self.look_up(row, None) {
                    return Ok(Some((alone, None)));
                }
            } else if self.passing.is_some() {
                if let Some(alone) = self.pass_by()? {
                    return Ok(Some((alone, None)));
                }
            } else {
                let Some(task) = self.tasks.pop() else { return Ok(None) };
                self.begin(task)?;
            }
        }
    }

    /// The next pair of the left row at hand.
    fn give(&mut self) -> Option<(L, Option<R>)> {
        let (left, key, given) = self.giving.as_mut()?;
        let rows = self.side.rows(key);
        let row = rows.get(*given).cloned();
        *given += 1;
        if *given < rows.len() {
            return Some((left.clone(), row));
        }
        let (left, ..) = self.giving.take()?;
        Some((left, row))
    }

    /// Begins to give the pairs of `row`, the left row of `number` in its part; gives it back if
    /// it has none and comes alone.
    fn look_up(&mut self, row: L, number: Option<u64>) -> Option<L> {
        let key = (self.keys.0)(&row);
        let passing = self.passing.as_mut();
        if passing.as_ref().is_some_and(|passing| passing.unmatched_only) {
            let matched = passing?.matched.as_ref()?;
            return (!matched.get(number?)).then_some(row);
        }
        if !self.side.rows(&key).is_empty() {
            if let (Some(matched), Some(number)) =
                (passing.and_then(|p| p.matched.as_mut()), number)
            {
                matched.set(number);
            }
            self.giving = Some((row, key, 0));
            return None;
        }
        let alone = self.kind == JoinKind::Left && passing.is_none_or(|p| p.matched.is_none());
        alone.then_some(row)
    }

    /// Takes one row of the left part, or goes on to the next pass.
    fn pass_by(&mut self) -> Result<Option<L>> {
        let passing = self.passing.as_mut().expect("looked at by the caller");
        if let Some(row) = passing.reader.next()? {
            let row = decode(row)?;
            passing.number += 1;
            let number = passing.number - 1;
            return Ok(self.look_up(row, Some(number)));
        }
        let mut done = self.passing.take().expect("looked at above");
        self.side.give_back(&mut self.workspace);
        let rest = match done.rest.take() {
            Some((mut right, row)) => self.load(&mut right, Some(row))?.map(|row| (right, row)),
            None if done.matched.is_some() && !done.unmatched_only => {
                done.unmatched_only = true;
                None
            }
            None => {
                if let Some(mut matched) = done.matched {
                    matched.held.clear(&mut self.workspace);
                }
                return Ok(None);
            }
        };
        drop(done.reader);
        let reader = done.left.reader(self.workspace.lender()?)?;
        self.passing = Some(Passing { reader, number: 0, rest, ..done });
        Ok(None)
    }

    /// Loads right rows until they are all there, or gives back the first that does not fit.
    fn load(&mut self, reader: &mut RunReader, first: Option<R>) -> Result<Option<R>> {
        let mut next = first;
        loop {
            let row = match next.take() {
                Some(row) => row,
                None => match reader.next()? {
                    Some(row) => decode(row)?,
                    None => return Ok(None),
                },
            };
            let key = (self.keys.1)(&row);
            self.workspace.check(row_bytes(&key, &row))?;
            if let Err((row, full)) = self.side.hold(&mut self.workspace, key, row) {
                return if self.side.is_empty() { Err(full) } else { Ok(Some(row)) };
            }
        }
    }

    /// Loads the right part of `task`, or deals both out again.
    fn begin(&mut self, task: Task) -> Result<()> {
        let readers =
            task.left.reader_bytes() + task.right.as_ref().map_or(0, |r| r.reader_bytes());
        let aside = partitions::aside_bytes(&self.workspace);
        self.workspace.set_aside(aside + readers as u64)?;
        let (mut rest, mut matched) = (None, None);
        if let Some(right) = &task.right {
            let mut reader = right.reader(self.workspace.lender()?)?;
            if let Some(row) = self.load(&mut reader, None)? {
                let bytes = right.disk_bytes();
                // One key stays one part, however often it is dealt out.
                if bytes < task.parent_bytes / 4 * 3 {
                    drop(reader);
                    self.side.give_back(&mut self.workspace);
                    return self.deal_again(&task, bytes);
                }
                rest = Some((reader, row));
                if self.kind == JoinKind::Left {
                    // The bits need bytes that the rows have taken: both again, the bits first.
                    drop(rest.take());
                    self.side.give_back(&mut self.workspace);
                    matched = Some(self.matched_bits(task.left.records())?);
                    let mut reader = right.reader(self.workspace.lender()?)?;
                    rest = self.load(&mut reader, None)?.map(|row| (reader, row));
                }
            }
        } else if self.kind == JoinKind::Inner {
            return Ok(());
        }
        let reader = task.left.reader(self.workspace.lender()?)?;
        let left = task.left;
        self.passing =
            Some(Passing { left, reader, number: 0, rest, matched, unmatched_only: false });
        Ok(())
    }

    fn matched_bits(&mut self, rows: u64) -> Result<Matched> {
        let words = usize::try_from(rows.div_ceil(64)).unwrap_or(usize::MAX);
        let bytes = words as u64 * 8;
        let mut held = HeapBytes::default();
        held.grow(&mut self.workspace, bytes)?;
        let taken = held.take(bytes);
        assert!(taken, "it was reserved");
        Ok(Matched { bits: vec![0; words], held })
    }

    fn deal_again(&mut self, task: &Task, bytes: u64) -> Result<()> {
        let Some(right) = &task.right else { return Ok(()) };
        let mut reader = right.reader(self.workspace.lender()?)?;
        let rights = deal_out(&mut self.workspace, &task.dealer, &mut reader, &self.keys.1)?;
        drop(reader);
        let aside = partitions::aside_bytes(&self.workspace) + task.left.reader_bytes() as u64;
        self.workspace.set_aside(aside)?;
        let mut reader = task.left.reader(self.workspace.lender()?)?;
        let lefts = deal_out(&mut self.workspace, &task.dealer, &mut reader, &self.keys.0)?;
        self.add_tasks(lefts, rights, task.dealer.below(), bytes);
        Ok(())
    }

    /// Deals the whole left input out by the hashes that dealt the right one out.
    fn deal_left_out(&mut self, rights: Vec<Option<Arc<Run>>>) -> Result<()> {
        let left = self.left.take().expect("there until it is dealt out");
        let workspace = &mut self.workspace;
        workspace.set_aside(partitions::aside_bytes(workspace))?;
        let mut partitions = Partitions::open(workspace, self.dealer.clone())?;
        for row in left {
            let row = row?;
            let key = (self.keys.0)(&row);
            workspace.admit(row_bytes(&key, &row))?;
            partitions.cover(workspace)?;
            partitions.push(workspace, &key, &row)?;
        }
        let lefts = partitions.finish()?;
        self.add_tasks(lefts, rights, self.dealer.below(), u64::MAX);
        Ok(())
    }

    fn add_tasks(
        &mut self,
        lefts: Vec<Option<Arc<Run>>>,
        rights: Vec<Option<Arc<Run>>>,
        dealer: Dealer,
        parent_bytes: u64,
    ) {
        for (left, right) in lefts.into_iter().zip(rights) {
            if let Some(left) = left {
                self.tasks.push(Task { left, right, dealer: dealer.clone(), parent_bytes });
            }
        }
    }
}

impl Matched {
    fn get(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.bits[word] & bit != 0
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.bits[word] |= bit;
    }
}

fn place(number: u64) -> (usize, u64) {
    let word = usize::try_from(number / 64).expect("its bits are in memory");
    (word, 1 << (number % 64))
}

impl<K, L, R, I, RightKey, LeftKey> Iterator for JoinStream<K, L, R, I, RightKey, LeftKey>
where
    K: Spillable + Hash + Eq,
    L: Spillable + Clone,
    R: Spillable + Clone,
    I: Iterator<Item = Result<L>>,
    RightKey: Fn(&R) -> K,
    LeftKey: Fn(&L) -> K,
{
    type Item = Result<(L, Option<R>)>;

    fn next(&mut self) -> Option<Result<(L, Option<R>)>> {
        let next = self.advance();
        if next.is_err() {
            (self.left, self.passing) = (None, None);
            self.tasks.clear();
        }
        next.transpose()
    }
}
