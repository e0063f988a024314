//! A named consumer: the account that reservations are charged to.
//!
//! Promises: what a consumer holds is the sum of its reservations.
//! Never: bytes without a name in the ledger.

use std::fmt;
use std::sync::Arc;

use super::acquire::Acquire;
use super::core::Core;
use super::node::Node;
use super::refusal::Refusal;
use super::reservation::Reservation;
use super::state::Entry;

/// Somebody who reserves bytes: a stream, a sort, a cache tier. Clones share one account; it
/// closes with the last clone and reservation.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let rows = budget.child("http", 16 << 20)?.consumer("rows")?;
/// let reservation = rows.try_reserve(64 << 10)?;
/// let buffer: Vec<u8> = Vec::with_capacity(64 << 10);
/// assert_eq!(rows.held_bytes(), 64 << 10);
/// // The bytes first, then what stands for them.
/// drop(buffer);
/// drop(reservation);
/// assert_eq!(rows.held_bytes(), 0);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone)]
pub struct Consumer {
    pub(super) shared: Arc<ConsumerShared>,
}

pub(super) struct ConsumerShared {
    node: Node,
    pub(super) slot: usize,
}

impl ConsumerShared {
    pub(super) fn core(&self) -> &Core {
        self.node.core()
    }
}

impl Consumer {
    pub(super) fn new(node: Node, slot: usize) -> Self {
        Self { shared: Arc::new(ConsumerShared { node, slot }) }
    }

    /// Reserves `bytes`, or says at once why not. Call it before allocating them.
    ///
    /// A consumer that holds nothing yet stands behind asks that wait for the same level; one
    /// that already holds bytes is running work and passes them. 0 bytes always succeed.
    ///
    /// # Errors
    /// The [`Refusal`], after memory was measured again and every reclaimer was asked.
    pub fn try_reserve(&self, bytes: u64) -> Result<Reservation, Refusal> {
        self.shared.core().reserve(self.shared.slot, bytes, Entry::AtOnce)?;
        Ok(Reservation::charged(Arc::clone(&self.shared), bytes))
    }

    /// Reserves `bytes` when its turn comes: a future, or [`Acquire::wait`] without a runtime.
    pub fn acquire(&self, bytes: u64) -> Acquire {
        Acquire::new(Arc::clone(&self.shared), bytes)
    }

    /// Asks the allocator to give unused pages back now: between two phases of work the pages of
    /// the first would otherwise be resident beside those of the second for a moment.
    pub fn purge(&self) {
        self.shared.core().purge_now();
    }

    /// What is reserved, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        let state = self.shared.core().lock();
        state.tree.consumers[self.shared.slot].held_bytes
    }

    /// Names from the top, e.g. `http/stream`.
    #[must_use]
    pub fn path(&self) -> String {
        let state = self.shared.core().lock();
        state.tree.consumer_path(self.shared.slot)
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Consumer({})", self.path())
    }
}

impl Drop for ConsumerShared {
    fn drop(&mut self) {
        let consumer = self.core().lock().tree.consumers.remove(self.slot);
        debug_assert_eq!(consumer.held_bytes, 0, "{} leaked", consumer.name);
    }
}
