//! Distinct records of any number, the first ones at once.
//!
//! ```text
//!   push ─> seen before? ── yes ─> nothing
//!            └─ no ── memory left ─> given out at once, and remembered
//!                      └─ full ─> to parts by hash ─ finish ─> each part in the same way
//! ```
//!
//! Promises: until the memory is full, first occurrences come out at once and in order; each
//! record comes out once.
//! Never: an answer by hashes alone.

use std::hash::Hash;
use std::sync::Arc;

use super::encoder::decode;
use super::engine::Engine;
use super::partitions::{self, Dealer, Partitions};
use super::sorter::Spillable;
use super::table::Table;
use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::spill::{Run, RunReader};

/// Gives each record out once.
///
/// Costs up to [`Engine::memory_bytes`], of which 2.3 MiB of 16 MiB are set aside for spilling
/// from the start; see [the module](super) for other sizes.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{Distinct, Engine};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let mut distinct = Distinct::new(&engine)?;
/// assert_eq!(distinct.push("tea".to_owned())?.as_deref(), Some("tea"));
/// assert_eq!(distinct.push("tea".to_owned())?, None);
/// assert_eq!(distinct.finish()?.count(), 0); // nothing was held back
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Distinct<T> {
    sieve: Sieve<T>,
    workspace: Workspace,
}

/// One level: what was seen, and where the rest goes once that is as much as fits.
#[derive(Debug)]
struct Sieve<T> {
    seen: Table<T, ()>,
    partitions: Option<Partitions>,
    dealer: Dealer,
    failed: bool,
}

impl<T: Spillable + Hash + Eq + Clone> Sieve<T> {
    fn new(dealer: Dealer) -> Self {
        Self { seen: Table::new(), partitions: None, dealer, failed: false }
    }

    /// Gives `record` back if it is new. `given` says that it was given out by the level above.
    fn pass(&mut self, workspace: &mut Workspace, record: T, given: bool) -> Result<Option<T>> {
        if self.failed {
            return Err(Error::invalid(
                "telling records apart: an earlier one could not be kept; begin again",
            ));
        }
        if self.seen.map.contains_key(&record) {
            return Ok(None);
        }
        let bytes = record.heap_bytes() as u64;
        if self.partitions.is_none() {
            let admitted = workspace.admit(size_of::<T>() as u64 + bytes);
            match admitted.and_then(|()| self.seen.make_room(workspace, bytes)) {
                Ok(()) if given => {
                    self.seen.map.insert(record, ());
                    return Ok(None);
                }
                Ok(()) => {
                    self.seen.map.insert(record.clone(), ());
                    return Ok(Some(record));
                }
                Err(error) if self.seen.map.is_empty() => return Err(error),
                Err(_) => {
                    self.partitions = Some(Partitions::open(workspace, self.dealer.clone())?);
                }
            }
        }
        self.hold_back(workspace, &record, given)?;
        Ok(None)
    }

    fn hold_back(&mut self, workspace: &mut Workspace, record: &T, given: bool) -> Result<()> {
        let bytes = size_of::<T>() as u64 + record.heap_bytes() as u64;
        workspace.check(bytes)?;
        let partitions = self.partitions.as_mut().expect("open when the memory is full");
        self.failed = true;
        if workspace.admit(bytes).and_then(|()| partitions.cover(workspace)).is_err() {
            // The lists of blocks need bytes: what was given out is written too, marked as such.
            for record in self.seen.map.keys() {
                partitions.push(workspace, record, &(true, record))?;
            }
            self.seen.give_back(workspace);
            workspace.admit(bytes)?;
            partitions.cover(workspace)?;
        }
        partitions.push(workspace, record, &(given, record))?;
        self.failed = false;
        Ok(())
    }

    /// Parts that may hold records not given out yet.
    fn finish(mut self, workspace: &mut Workspace) -> Result<Vec<(Arc<Run>, Dealer)>> {
        self.seen.give_back(workspace);
        let parts = match self.partitions {
            Some(partitions) => partitions.finish()?,
            None => Vec::new(),
        };
        let dealer = self.dealer.below();
        Ok(parts.into_iter().flatten().map(|run| (run, dealer.clone())).collect())
    }
}

impl<T: Spillable + Hash + Eq + Clone> Distinct<T> {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved.
    pub fn new(engine: &Engine) -> Result<Self> {
        let mut workspace = Workspace::new(engine, 0)?;
        workspace.set_aside(partitions::aside_bytes(&workspace))?;
        Ok(Self { sieve: Sieve::new(Dealer::new()), workspace })
    }

    /// Takes one more record and gives it back if it is known to be the first of its kind. One
    /// of which that is not known is given out by [`Distinct::finish`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] for a record beyond a 32nd of the memory, and those of
    /// spilling.
    pub fn push(&mut self, record: T) -> Result<Option<T>> {
        self.sieve.pass(&mut self.workspace, record, false)
    }

    /// The records that were held back, in no order.
    ///
    /// # Errors
    /// Those of spilling.
    pub fn finish(mut self) -> Result<DistinctStream<T>> {
        let pending = self.sieve.finish(&mut self.workspace)?;
        if pending.is_empty() {
            self.workspace.set_aside(0)?;
        }
        Ok(DistinctStream { current: None, pending, workspace: self.workspace })
    }
}

/// What [`Distinct`] held back. After an error there is no more.
#[derive(Debug)]
pub struct DistinctStream<T> {
    current: Option<(RunReader, Sieve<T>)>,
    pending: Vec<(Arc<Run>, Dealer)>,
    workspace: Workspace,
}

impl<T: Spillable + Hash + Eq + Clone> DistinctStream<T> {
    fn advance(&mut self) -> Result<Option<T>> {
        loop {
            if let Some((reader, sieve)) = &mut self.current {
                while let Some(record) = reader.next()? {
                    let (given, record): (bool, T) = decode(record)?;
                    if let Some(first) = sieve.pass(&mut self.workspace, record, given)? {
                        return Ok(Some(first));
                    }
                }
            }
            if let Some((reader, sieve)) = self.current.take() {
                drop(reader);
                self.pending.extend(sieve.finish(&mut self.workspace)?);
            }
            let Some((run, dealer)) = self.pending.pop() else { return Ok(None) };
            let aside = partitions::aside_bytes(&self.workspace) + run.reader_bytes() as u64;
            self.workspace.set_aside(aside)?;
            let reader = run.reader(self.workspace.lender()?)?;
            self.current = Some((reader, Sieve::new(dealer)));
        }
    }
}

impl<T: Spillable + Hash + Eq + Clone> Iterator for DistinctStream<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        let next = self.advance();
        if next.is_err() {
            self.current = None;
            self.pending.clear();
        }
        next.transpose()
    }
}
