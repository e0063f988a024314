//! Bytes of many small values under one reservation.
//!
//! Promises: what is used is reserved before; asks are few, because each is a lock.
//! Never: more than [`STEP_BYTES`] reserved and unused for longer than a call.

use crate::budget::{Consumer, Refusal, Reservation};
use crate::error::Result;

/// Asked of the budget at a time, where that much is left.
const STEP_BYTES: u64 = 16 << 10;

#[derive(Debug)]
pub(super) struct Held {
    reservation: Reservation,
    used: u64,
}

impl Held {
    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        Ok(Self { reservation: consumer.try_reserve(0)?, used: 0 })
    }

    #[inline]
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Counts `bytes` that are about to be allocated.
    #[inline]
    pub(super) fn charge(&mut self, bytes: u64) -> Result<(), Refusal> {
        let used = self.used + bytes;
        if used > self.reservation.bytes() {
            let short = used - self.reservation.bytes();
            if self.reservation.try_grow(short.max(STEP_BYTES)).is_err() {
                self.reservation.try_grow(short)?;
            }
        }
        self.used = used;
        Ok(())
    }

    /// Gives `bytes` back that have been freed.
    #[inline]
    pub(super) fn discharge(&mut self, bytes: u64) {
        self.used -= bytes;
        let idle = self.reservation.bytes() - self.used;
        if idle > 2 * STEP_BYTES {
            self.reservation.shrink(idle - STEP_BYTES);
        }
    }
}

/// Makes room for one more element in `list`, charging the new room before it is allocated and
/// the old one until it is copied.
pub(super) fn room_for_one<T>(
    list: &mut Vec<T>,
    held: &mut Held,
    items_max: usize,
) -> Result<(), Refusal> {
    let old = list.capacity();
    if list.len() < old {
        return Ok(());
    }
    let new = (2 * old).max(4).min(items_max).max(old + 1);
    held.charge((new * size_of::<T>()) as u64)?;
    list.reserve_exact(new - list.len());
    held.discharge((old * size_of::<T>()) as u64);
    Ok(())
}
