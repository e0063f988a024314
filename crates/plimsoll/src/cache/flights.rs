//! The values in the making, by key.
//!
//! Promises: one maker a key; a flight is here for as long as somebody makes or waits.
//! Never: more of them than [`CACHE_FLIGHTS_MAX`]; beyond, each makes for itself.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;

use super::flight::{Flight, Stage};
use crate::limits::CACHE_FLIGHTS_MAX;

#[derive(Debug, Default)]
pub(super) struct Flights {
    by_key: Mutex<HashTable<Arc<Flight>>>,
}

impl Flights {
    /// What the table takes at most; what is in it is reserved with each flight.
    pub(super) const COST_BYTES: u64 = (4 * CACHE_FLIGHTS_MAX * size_of::<Arc<Flight>>()) as u64;

    pub(super) fn lock(&self) -> MutexGuard<'_, HashTable<Arc<Flight>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a flight with an answer for all who wait.
    pub(super) fn land(&self, flight: &Arc<Flight>, stage: Stage) {
        remove(&mut self.lock(), flight);
        flight.set(stage);
    }

    /// The maker is gone without an answer: somebody who waits takes over.
    pub(super) fn vacate(&self, flight: &Arc<Flight>) {
        {
            let mut flights = self.lock();
            if flight.lock().waiters == 0 {
                return remove(&mut flights, flight);
            }
        }
        flight.set(Stage::Vacant);
        // All who waited may have left in between.
        self.left(flight);
    }

    /// Somebody does not wait any more.
    pub(super) fn left(&self, flight: &Arc<Flight>) {
        let mut flights = self.lock();
        let waiters = flight.lock();
        let abandoned = waiters.waiters == 0 && matches!(waiters.stage, Stage::Vacant);
        drop(waiters);
        if abandoned {
            remove(&mut flights, flight);
        }
    }
}

pub(super) fn find(flights: &HashTable<Arc<Flight>>, hash: u64, key: &[u8]) -> Option<Arc<Flight>> {
    flights.find(hash, |flight| *flight.key == *key).cloned()
}

/// Takes a flight in; `false` when there are as many as may be.
pub(super) fn add(flights: &mut HashTable<Arc<Flight>>, flight: &Arc<Flight>) -> bool {
    if flights.len() == CACHE_FLIGHTS_MAX {
        return false;
    }
    flights.insert_unique(flight.hash, Arc::clone(flight), |flight| flight.hash);
    true
}

fn remove(flights: &mut HashTable<Arc<Flight>>, flight: &Arc<Flight>) {
    if let Ok(found) = flights.find_entry(flight.hash, |other| Arc::ptr_eq(other, flight)) {
        found.remove();
    }
}
