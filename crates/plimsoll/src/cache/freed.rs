//! What left the cache under its lock, to be given back with the lock open.
//!
//! Promises: giving bytes back may wake those who wait for them, and that is foreign code: it runs
//! when this is released.
//! Never: more values than one hold of the lock takes out.

use std::sync::Arc;

use super::value::Stored;
use crate::budget::Reservation;

#[derive(Debug, Default)]
pub(super) struct Freed {
    values: Vec<Arc<Stored>>,
    index: Option<Reservation>,
}

impl Freed {
    pub(super) fn value(&mut self, value: Arc<Stored>) {
        self.values.push(value);
    }

    /// Takes over what stood for keys, tags or tables that are gone.
    pub(super) fn index(&mut self, reservation: Reservation) {
        match &mut self.index {
            Some(sum) => sum.merge(reservation),
            none => *none = Some(reservation),
        }
    }

    /// Gives everything back; how many bytes that were. What a reader still has is not among them.
    pub(super) fn release(self) -> u64 {
        let index = self.index.as_ref().map_or(0, Reservation::bytes);
        let last = self.values.into_iter().filter_map(Arc::into_inner);
        index + last.map(|stored| stored.held_bytes()).sum::<u64>()
    }
}
