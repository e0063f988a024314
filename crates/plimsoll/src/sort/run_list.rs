//! Memory for the runs of a sort, whatever else takes memory while they are made.
//!
//! ```text
//!   plan: room for runs_max ──> list ── take ──> a run's place ── the run is dropped ──> list
//! ```
//!
//! A run is a hundred bytes, asked for when all that made it stands in memory: where the process
//! has grown meanwhile, a sort near its end would be refused for those.
//!
//! Promises: as many runs as the list was made for have room; further ones are asked for.
//! Never: a place with two runs.

use std::sync::{Arc, Mutex, PoisonError};

use super::run::RUN_BYTES;
use crate::budget::{Consumer, Reservation};
use crate::error::Result;

/// Room for a number of runs.
#[derive(Debug)]
pub(crate) struct RunList {
    spare: Mutex<Reservation>,
}

/// A run's room; back in its list when the run is dropped.
#[derive(Debug)]
pub(super) struct RunPlace {
    list: Option<Arc<RunList>>,
    /// `None` only while it goes back.
    held: Option<Reservation>,
}

impl RunList {
    /// Room for `runs` of them.
    pub(crate) fn new(consumer: &Consumer, runs: u64) -> Result<Arc<Self>> {
        let spare = consumer.try_reserve(runs * RUN_BYTES as u64)?;
        Ok(Arc::new(Self { spare: Mutex::new(spare) }))
    }

    pub(super) fn take(self: &Arc<Self>, consumer: &Consumer) -> Result<RunPlace> {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let held = if spare.bytes() >= RUN_BYTES as u64 {
            spare.split(RUN_BYTES as u64)
        } else {
            consumer.try_reserve(RUN_BYTES as u64)?
        };
        drop(spare);
        Ok(RunPlace { list: Some(Arc::clone(self)), held: Some(held) })
    }
}

impl RunPlace {
    /// Room for one run that is in no list.
    pub(super) fn alone(consumer: &Consumer) -> Result<Self> {
        Ok(Self { list: None, held: Some(consumer.try_reserve(RUN_BYTES as u64)?) })
    }
}

impl Drop for RunPlace {
    fn drop(&mut self) {
        if let (Some(list), Some(held)) = (&self.list, self.held.take()) {
            list.spare.lock().unwrap_or_else(PoisonError::into_inner).merge(held);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RUN_BYTES, RunList};
    use crate::budget::{Budget, Unmeasured};

    #[test]
    fn runs_of_a_list_have_room_where_nothing_else_has() {
        let budget = Budget::new(64 << 20, 8 << 20, std::sync::Arc::new(Unmeasured)).unwrap();
        let consumer = budget.consumer("sort").unwrap();
        let list = RunList::new(&consumer, 3).unwrap();
        let rest = consumer.try_reserve(budget.reservable_bytes() - 3 * RUN_BYTES as u64).unwrap();
        for _ in 0..4 {
            let places: Vec<_> = (0..3).map(|_| list.take(&consumer).unwrap()).collect();
            list.take(&consumer).expect_err("there is no room for a fourth");
            drop(places);
        }
        drop(rest);
        let places: Vec<_> = (0..5).map(|_| list.take(&consumer).unwrap()).collect();
        drop((places, list));
        assert_eq!(budget.reserved_bytes(), 0);
    }
}
