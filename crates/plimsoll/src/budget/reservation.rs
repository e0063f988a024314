//! Bytes that are reserved, as a value that gives them back.
//!
//! Promises: dropping gives back exactly what was given; splitting and merging keep the sum.
//! Never: cloned, or larger than what was charged.

use std::fmt;
use std::sync::Arc;

use super::consumer::ConsumerShared;
use super::refusal::Refusal;
use super::state::Entry;

/// Reserved bytes, given back on drop. Whoever holds the bytes holds the reservation; it may move
/// to another thread with them. Costs 16 bytes.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let sort = budget.consumer("sort")?;
/// let mut held = sort.try_reserve(4 << 20)?;
/// held.try_grow(1 << 20)?;
/// let handed_over = held.split(2 << 20);
/// assert_eq!((held.bytes(), handed_over.bytes()), (3 << 20, 2 << 20));
/// held.merge(handed_over);
/// held.shrink(5 << 20);
/// assert_eq!(sort.held_bytes(), 0);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[must_use = "dropping a reservation gives its bytes back"]
pub struct Reservation {
    consumer: Arc<ConsumerShared>,
    bytes: u64,
}

impl Reservation {
    /// `bytes` have been charged to `consumer`.
    pub(super) fn charged(consumer: Arc<ConsumerShared>, bytes: u64) -> Self {
        Self { consumer, bytes }
    }

    /// What this reservation stands for, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reserves `bytes` more. It passes those who wait in line: they can only be served when
    /// running work finishes.
    ///
    /// # Errors
    /// The [`Refusal`]; the reservation is as before.
    pub fn try_grow(&mut self, bytes: u64) -> Result<(), Refusal> {
        self.consumer.core().reserve(self.consumer.slot, bytes, Entry::AtOnce)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives `bytes` back. Free what they stand for first.
    ///
    /// # Panics
    /// When `bytes` are more than it holds.
    pub fn shrink(&mut self, bytes: u64) {
        drop(self.split(bytes));
    }

    /// Takes `bytes` out into a reservation of their own, of the same consumer.
    ///
    /// # Panics
    /// When `bytes` are more than it holds.
    pub fn split(&mut self, bytes: u64) -> Self {
        assert!(
            bytes <= self.bytes,
            "cannot take {bytes} B out of a reservation of {} B",
            self.bytes
        );
        self.bytes -= bytes;
        Self::charged(Arc::clone(&self.consumer), bytes)
    }

    /// Takes in another reservation of the same consumer.
    ///
    /// # Panics
    /// When it belongs to another consumer: its bytes stand in another account.
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.consumer, &other.consumer),
            "cannot merge reservations of two consumers"
        );
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.consumer.core().change(|state, woken| {
                state.give_back(self.consumer.slot, self.bytes, woken);
            });
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reservation({} B)", self.bytes)
    }
}
