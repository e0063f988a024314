//! The cache behind its handles: the lock, room in memory, and segments on their way to disk.
//!
//! ```text
//!   one lock over plain data (state)      held for microseconds, never over disk or budget
//!   budget     asked and given back with the lock open: it may ask this cache's reclaimer
//!   disk       read and written with the lock open; what was looked up is looked at again
//! ```
//!
//! Promises: room is made before it is asked of the budget; a full segment is written by whoever
//! finds it, one at a time.
//! Never: the lock held over the budget, the disk or a caller's code.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::builder::Bounds;
use super::cold::Full;
use super::flights::Flights;
use super::freed::Freed;
use super::state::State;
use crate::budget::{Consumer, Node, Reclaimer, Refusal, Reservation};
use crate::spill::SpillFile;

/// Entries that leave memory in one hold of the lock.
const STEPS: usize = 64;
/// Holds of the lock to make room for one value: beyond it the budget has the word.
const ROUNDS_MAX: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) flights: Flights,
    /// Values, in the tier and at readers.
    pub(super) hot: Consumer,
    /// Keys, tags, tables and makings.
    pub(super) index: Consumer,
    pub(super) disk: Option<Disk>,
    pub(super) bounds: Bounds,
    hasher: RandomState,
    /// For as long as it lives its reclaimer is asked.
    _node: Node,
    /// Of segments in memory and of fixed lists.
    _fixed: Reservation,
}

/// Where the cold tier is.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) file: Arc<SpillFile>,
    /// Blocks that are read.
    pub(super) reads: Consumer,
    pub(super) segment_bytes: u64,
}

/// Who holds what of the budget.
pub(super) struct Accounts {
    pub(super) node: Node,
    pub(super) hot: Consumer,
    pub(super) index: Consumer,
    pub(super) fixed: Reservation,
}

impl Shared {
    pub(super) fn new(
        state: State,
        disk: Option<Disk>,
        bounds: Bounds,
        accounts: Accounts,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            flights: Flights::default(),
            hot: accounts.hot,
            index: accounts.index,
            disk,
            bounds,
            hasher: RandomState::new(),
            _node: accounts.node,
            _fixed: accounts.fixed,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Under the lock nothing panics but a broken invariant of its own lists.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn key_hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one((0_u8, key))
    }

    pub(super) fn tag_hash(&self, tag: &str) -> u64 {
        self.hasher.hash_one((1_u8, tag))
    }

    /// Changes the state; then, with the lock open, gives back what left it and writes the segment
    /// that became full.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State, &mut Freed) -> T) -> T {
        let mut freed = Freed::default();
        let (result, full) = {
            let mut state = self.lock();
            let result = change(&mut state, &mut freed);
            (result, state.cold.as_mut().and_then(super::cold::Cold::claim))
        };
        freed.release();
        if let Some(full) = full {
            self.write(full);
        }
        result
    }

    /// Puts the coldest entries out until `more` bytes fit, or nothing is left to put out.
    pub(super) fn make_room(&self, more: u64, now_us: u64) {
        for _ in 0..ROUNDS_MAX {
            let done = self.change(|state, freed| {
                state.saw(now_us);
                state.free_up(more, STEPS, freed)
            });
            if done {
                return;
            }
        }
    }

    /// Reserves bytes of `consumer`, within the cache's own bound first.
    pub(super) fn reserve(
        &self,
        consumer: &Consumer,
        bytes: u64,
        now_us: u64,
    ) -> Result<Reservation, Refusal> {
        self.make_room(bytes, now_us);
        let reserved = {
            let _own = OwnAsk::begin();
            consumer.try_reserve(bytes)
        };
        if reserved.is_err() {
            self.lock().stats.refused += 1;
        }
        reserved
    }

    fn write(&self, full: Full) {
        let Some(disk) = &self.disk else { return };
        let written = full.filled.write(&disk.file);
        let extent = full.wants_extent.then(|| disk.file.extent(disk.segment_bytes));
        let mut freed = Freed::default();
        {
            let mut state = self.lock();
            let failures = [written.is_err(), matches!(extent, Some(Err(_)))];
            state.stats.disk_failures += failures.into_iter().map(u64::from).sum::<u64>();
            let cold = state.cold.as_mut().expect("a segment is of the cold tier");
            let lost = cold.written(full, written.is_ok());
            if let Some(Ok(offset)) = extent {
                cold.extend(offset);
            }
            let reused = cold.prepare();
            for segment in lost.into_iter().chain(reused) {
                state.forget_segment(segment, &mut freed);
            }
        }
        freed.release();
    }
}

thread_local! {
    static OWN_ASK: Cell<bool> = const { Cell::new(false) };
}

/// Held while this thread asks the budget on behalf of a cache: its reclaimer is called on the
/// same thread and has to know.
pub(super) struct OwnAsk(());

impl OwnAsk {
    pub(super) fn begin() -> Self {
        OWN_ASK.set(true);
        Self(())
    }

    fn is_on() -> bool {
        OWN_ASK.get()
    }
}

impl Drop for OwnAsk {
    fn drop(&mut self) {
        OWN_ASK.set(false);
    }
}

impl Reclaimer for Shared {
    fn name(&self) -> &str {
        "cache"
    }

    fn cost(&self) -> u32 {
        self.bounds.reclaim_cost
    }

    /// Puts the coldest entries out. Of those worth it the next segment takes what it has room
    /// for in memory; nothing is written here.
    fn reclaim(&self, wanted_bytes: u64) -> u64 {
        // To read or keep one value the cold tier is not given up.
        let index_too = !OwnAsk::is_on();
        let mut gained = 0;
        for _ in 0..ROUNDS_MAX {
            let mut freed = Freed::default();
            let more = self.lock().shrink(STEPS, index_too, &mut freed);
            gained += freed.release();
            if !more || gained >= wanted_bytes {
                break;
            }
        }
        self.lock().stats.reclaimed_bytes += gained;
        gained
    }
}
