//! Joining two inputs that are sorted by their keys: both stream by, side by side.
//!
//! ```text
//!   left   1  3  3  4  9                   the smaller key moves on; right rows of one key are
//!          │  │ ╱│  │                      held, and given to each left row of that key
//!   right  1  3  3  3  7
//! ```
//!
//! The merge join of Blasgen and Eswaran 1977 (Storage and access in relational data bases).
//!
//! Promises: the pairs of [`super::Join`], in the order of the left input and then of the right
//! one; each input is read once, and no further than the other one needs; a row out of order is an
//! error and never a pair less.
//! Never: more in memory than the right rows of one key; if they do not fit they are on disk, and
//! read from there once for each left row of their key.

use std::cmp::Ordering;

use super::engine::Engine;
use super::join::JoinKind;
use super::same_key::SameKey;
use super::sorter::Spillable;
use super::workspace::Workspace;
use crate::error::{Error, Result};

/// An input with its next row and the key of the row before.
#[derive(Debug)]
struct Side<K, T, I, Key> {
    name: &'static str,
    rows: I,
    key: Key,
    next: Option<(K, T)>,
    /// Rows read so far.
    read: u64,
}

impl<K: Ord, T, I: Iterator<Item = Result<T>>, Key: Fn(&T) -> K> Side<K, T, I, Key> {
    fn new(name: &'static str, rows: I, key: Key) -> Self {
        Self { name, rows, key, next: None, read: 0 }
    }

    /// Reads the next row, which comes behind a row of `last`.
    fn read(&mut self, last: Option<&K>) -> Result<()> {
        self.next = None;
        let Some(row) = self.rows.next().transpose()? else { return Ok(()) };
        self.read += 1;
        let key = (self.key)(&row);
        if last.is_some_and(|last| key < *last) {
            return Err(Error::invalid(format!(
                "joining sorted inputs: row {} of the {} one has a smaller key than the row before \
                 it; sort it by its key, or join with Join, which needs no order",
                self.read, self.name
            )));
        }
        self.next = Some((key, row));
        Ok(())
    }
}

/// Left rows with their right rows, as [`super::JoinStream`] gives them, of two inputs that are
/// sorted by their keys. After an error there are no more.
///
/// Costs up to [`Engine::memory_bytes`] for the right rows of one key, and one row of each input
/// beside them.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::typed::{Engine, JoinKind, MergeJoin};
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let sold = [1_u32, 2, 2].map(Ok).into_iter();
/// let prices = [(2_u32, 250_u64), (3, 100)].map(Ok).into_iter();
/// let keys = (|sold: &u32| *sold, |price: &(u32, u64)| price.0);
/// let pairs = MergeJoin::new(&engine, sold, prices, keys, JoinKind::Inner)?;
/// let pairs = pairs.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(pairs, [(2, Some((2, 250))), (2, Some((2, 250)))]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MergeJoin<K, L, R, I, J, LeftKey, RightKey> {
    left: Side<K, L, I, LeftKey>,
    right: Side<K, R, J, RightKey>,
    kind: JoinKind,
    /// Of the left row read last.
    left_key: Option<K>,
    /// The key of the right rows that are held.
    held_key: Option<K>,
    held: SameKey<R>,
    /// A left row that has their key.
    giving: Option<L>,
    /// The first right row was asked for.
    started: bool,
    failed: bool,
    workspace: Workspace,
}

impl<K, L, R, I, J, LeftKey, RightKey> MergeJoin<K, L, R, I, J, LeftKey, RightKey>
where
    K: Ord,
    L: Clone,
    R: Spillable + Clone,
    I: Iterator<Item = Result<L>>,
    J: Iterator<Item = Result<R>>,
    LeftKey: Fn(&L) -> K,
    RightKey: Fn(&R) -> K,
{
    /// Joins `left` to `right` by their keys, of which neither may ever become smaller. Nothing is
    /// read before the first pair is asked for.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when not even the bytes for spilling can be reserved. The
    /// items' are those of the inputs, [`crate::ErrorKind::Invalid`] for a row out of order, which
    /// says its number, [`crate::ErrorKind::TooLarge`] for a right row beyond a 32nd of the memory,
    /// and those of spilling.
    pub fn new(
        engine: &Engine,
        left: I,
        right: J,
        (left_key, right_key): (LeftKey, RightKey),
        kind: JoinKind,
    ) -> Result<Self> {
        let mut workspace = Workspace::new(engine, 0)?;
        workspace.set_aside(SameKey::<R>::aside_bytes(&workspace))?;
        Ok(Self {
            left: Side::new("left", left, left_key),
            right: Side::new("right", right, right_key),
            kind,
            left_key: None,
            held_key: None,
            held: SameKey::new(),
            giving: None,
            started: false,
            failed: false,
            workspace,
        })
    }

    fn advance(&mut self) -> Result<Option<(L, Option<R>)>> {
        loop {
            if let Some(pair) = self.give()? {
                return Ok(Some(pair));
            }
            self.left.read(self.left_key.as_ref())?;
            let Some((key, row)) = self.left.next.take() else { return Ok(None) };
            let order = self.held_key.as_ref().map_or(Ordering::Less, |held| held.cmp(&key));
            if order.is_lt() {
                self.hold(&key)?;
            }
            let partners = !self.held.is_empty() && self.held_key.as_ref() == Some(&key);
            self.left_key = Some(key);
            if partners {
                self.held.rewind();
                self.giving = Some(row);
            } else if self.kind == JoinKind::Left {
                return Ok(Some((row, None)));
            }
        }
    }

    /// The next pair of the left row at hand.
    fn give(&mut self) -> Result<Option<(L, Option<R>)>> {
        let Some(row) = &self.giving else { return Ok(None) };
        let Some((partner, last)) = self.held.next(&mut self.workspace)? else { return Ok(None) };
        let row = if last { None } else { Some(row.clone()) };
        Ok(row.or_else(|| self.giving.take()).map(|row| (row, Some(partner))))
    }

    /// Goes on to the right rows of `key`, or behind where they would be, and holds them.
    fn hold(&mut self, key: &K) -> Result<()> {
        self.held.clear(&mut self.workspace);
        self.held_key = None;
        if !self.started {
            self.started = true;
            self.right.read(None)?;
        }
        while let Some((next, row)) = self.right.next.take() {
            match next.cmp(key) {
                Ordering::Greater => {
                    self.right.next = Some((next, row));
                    break;
                }
                Ordering::Less => {}
                Ordering::Equal => self.held.hold(&mut self.workspace, row)?,
            }
            let equal = next == *key;
            self.right.read(Some(&next))?;
            if equal && self.held_key.is_none() {
                self.held_key = Some(next);
            }
        }
        self.held.seal(&mut self.workspace)
    }
}

impl<K, L, R, I, J, LeftKey, RightKey> Iterator for MergeJoin<K, L, R, I, J, LeftKey, RightKey>
where
    K: Ord,
    L: Clone,
    R: Spillable + Clone,
    I: Iterator<Item = Result<L>>,
    J: Iterator<Item = Result<R>>,
    LeftKey: Fn(&L) -> K,
    RightKey: Fn(&R) -> K,
{
    type Item = Result<(L, Option<R>)>;

    fn next(&mut self) -> Option<Result<(L, Option<R>)>> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}
