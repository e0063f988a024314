//! The k smallest values of a Rust type.
//!
//! Promises: what is held is charged to the consumer: k slots, and what each value has on the
//! heap; of equal values those pushed first are kept, and come first.
//! Never: more than k values at one time, but for the one that is being pushed.
//!
//! ```text
//!   push ──not less than the root──> rejected, one comparison
//!     └───less──> takes the root's slot, and sinks      the root is the largest that is held
//!                         [9]
//!                       [7] [8]        k = 6
//!                     [1] [5] [2]
//! ```
//! Williams, "Algorithm 232: Heapsort" (1964).

use std::cmp::Ordering;

use super::refused::{Cause, Refused};
use crate::budget::{Consumer, Refusal, Reservation};
use crate::heap_size::HeapSize;

/// Slots of the first allocation; it doubles up to k.
const SLOTS_FIRST: usize = 64;
/// What is reserved at a time for the values' own heap, so that the budget's lock is not taken
/// for each of them.
const HEAP_STEP_BYTES: u64 = 16 << 10;

/// Keeps the k smallest of what is pushed, by a comparison; the k largest by the reverse one.
///
/// Costs k slots of the value's size and 8 bytes, half as much again while they grow, and what
/// the values hold on the heap.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::topk::TopK;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let best = budget.consumer("best")?;
/// let mut top = TopK::by_key(2, &best, |(_, price): &(&str, i64)| std::cmp::Reverse(*price));
/// for item in [("tea", 3), ("cup", 9), ("pot", 25), ("tin", 9)] {
///     top.push(item)?;
/// }
/// assert_eq!(top.cutoff(), Some(&("cup", 9)));
/// let sorted: Vec<_> = top.finish().collect();
/// assert_eq!(sorted, [("pot", 25), ("cup", 9)]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct TopK<T, F> {
    k: usize,
    compare: F,
    /// A heap whose root is the largest.
    slots: Vec<Slot<T>>,
    /// Values pushed, which decides among equal ones.
    pushed: u64,
    /// For the slots' own size, and for what their values hold. After the slots, so that the
    /// bytes go before what stands for them.
    slots_held: Reservation,
    heap_held: Reservation,
    heap_bytes: u64,
}

struct Slot<T> {
    item: T,
    number: u64,
}

impl<T: HeapSize + Ord> TopK<T, fn(&T, &T) -> Ordering> {
    /// The k smallest in the values' own order.
    #[must_use]
    pub fn new(k: usize, consumer: &Consumer) -> Self {
        Self::by(k, consumer, T::cmp)
    }
}

impl<T: HeapSize> TopK<T, ()> {
    /// The k smallest by a key that is worked out whenever two values are compared.
    #[must_use]
    pub fn by_key<K: Ord>(
        k: usize,
        consumer: &Consumer,
        key: impl Fn(&T) -> K,
    ) -> TopK<T, impl Fn(&T, &T) -> Ordering> {
        TopK::by(k, consumer, move |a: &T, b: &T| key(a).cmp(&key(b)))
    }
}

impl<T: HeapSize, F: Fn(&T, &T) -> Ordering> TopK<T, F> {
    /// The k smallest by a comparison, which is a total order.
    #[must_use]
    pub fn by(k: usize, consumer: &Consumer, compare: F) -> Self {
        let nothing = || consumer.try_reserve(0).expect("0 bytes always succeed");
        let (slots_held, heap_held) = (nothing(), nothing());
        Self { k, compare, slots: Vec::new(), pushed: 0, slots_held, heap_held, heap_bytes: 0 }
    }

    /// Offers a value; whether it is among the k smallest so far.
    ///
    /// # Errors
    /// [`Refused`] when the budget has no room for it; it is dropped, and what is held stays.
    pub fn push(&mut self, item: T) -> Result<bool, Refused> {
        let full = self.slots.len() == self.k;
        if full && self.cutoff().is_none_or(|largest| (self.compare)(&item, largest).is_ge()) {
            return Ok(false);
        }
        let item_bytes = item.heap_bytes() as u64;
        self.charge(item_bytes, full).map_err(|refusal| Refused {
            k: self.k,
            held: self.slots.len(),
            cause: Cause::Budget(Box::new(refusal)),
        })?;
        let slot = Slot { item, number: self.pushed };
        self.pushed += 1;
        self.heap_bytes += item_bytes;
        if full {
            let evicted = std::mem::replace(&mut self.slots[0], slot);
            self.heap_bytes = self.heap_bytes.saturating_sub(evicted.item.heap_bytes() as u64);
            self.sink();
        } else {
            self.slots.push(slot);
            self.rise();
        }
        Ok(true)
    }

    /// The k-th smallest so far, once there are k: what is not less than it is rejected, so a
    /// reader may skip it before building it.
    #[must_use]
    pub fn cutoff(&self) -> Option<&T> {
        let full = self.slots.len() == self.k;
        self.slots.first().filter(|_| full).map(|slot| &slot.item)
    }

    /// The k smallest in their order. Sorts what is held.
    #[must_use]
    pub fn finish(mut self) -> Smallest<T> {
        let compare = &self.compare;
        self.slots.sort_unstable_by(|a, b| in_order(compare, a, b));
        Smallest {
            items: self.slots.into_iter(),
            _slots_held: self.slots_held,
            _heap_held: self.heap_held,
        }
    }

    /// Reserves for one more value's heap, and for its slot unless it takes another's.
    fn charge(&mut self, item_bytes: u64, has_slot: bool) -> Result<(), Refusal> {
        // The evicted value is still there while the new one comes in.
        let short = (self.heap_bytes + item_bytes).saturating_sub(self.heap_held.bytes());
        if short > 0 && self.heap_held.try_grow(short.max(HEAP_STEP_BYTES)).is_err() {
            self.heap_held.try_grow(short)?;
        }
        if !has_slot && self.slots.len() == self.slots.capacity() {
            let slots = self.slots.capacity().saturating_mul(2).max(SLOTS_FIRST).min(self.k);
            let before = self.slots_held.bytes();
            let after = slots.saturating_mul(size_of::<Slot<T>>()) as u64;
            // Growing copies: both allocations are there for a moment.
            self.slots_held.try_grow(after)?;
            self.slots.reserve_exact(slots - self.slots.len());
            self.slots_held.shrink(before);
        }
        Ok(())
    }

    fn is_less(&self, a: usize, b: usize) -> bool {
        in_order(&self.compare, &self.slots[a], &self.slots[b]).is_lt()
    }

    fn rise(&mut self) {
        let mut child = self.slots.len() - 1;
        while child > 0 {
            let parent = (child - 1) / 2;
            if !self.is_less(parent, child) {
                return;
            }
            self.slots.swap(parent, child);
            child = parent;
        }
    }

    fn sink(&mut self) {
        let mut parent = 0;
        loop {
            let (left, right) = (2 * parent + 1, 2 * parent + 2);
            if left >= self.slots.len() {
                return;
            }
            let right_is_larger = right < self.slots.len() && self.is_less(left, right);
            let child = if right_is_larger { right } else { left };
            if !self.is_less(parent, child) {
                return;
            }
            self.slots.swap(parent, child);
            parent = child;
        }
    }
}

/// Of equal values, the one pushed first is the smaller.
fn in_order<T>(compare: impl Fn(&T, &T) -> Ordering, a: &Slot<T>, b: &Slot<T>) -> Ordering {
    compare(&a.item, &b.item).then(a.number.cmp(&b.number))
}

/// The k smallest, smallest first, as an iterator. It holds their bytes until it is dropped.
pub struct Smallest<T> {
    items: std::vec::IntoIter<Slot<T>>,
    _slots_held: Reservation,
    _heap_held: Reservation,
}

impl<T> Iterator for Smallest<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.items.next().map(|slot| slot.item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<T> ExactSizeIterator for Smallest<T> {}

#[cfg(test)]
mod tests;
