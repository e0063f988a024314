//! Those who can give bytes back before somebody is refused: caches, pools, idle buffers.
//!
//! Promises: asked the cheapest first, with the budget's lock open, so that a reclaimer may drop
//! reservations; a reclaimer that is gone is forgotten.
//! Never: asked from inside another reclaimer.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::{Error, Result};
use crate::limits::BUDGET_RECLAIMERS_MAX;

/// Somebody who can free bytes on demand.
///
/// It is called on the thread that asks for bytes, also inside a future's poll: it takes what it
/// can free at once and does not wait for disk, locks held over disk, or other threads. What it
/// reserves meanwhile is refused without further asking.
pub trait Reclaimer: Send + Sync {
    /// What it frees, for logs, e.g. `cache hot tier`.
    fn name(&self) -> &str;

    /// What losing the bytes costs, compared with other reclaimers; the lowest is asked first.
    fn cost(&self) -> u32;

    /// Frees about `wanted_bytes` by dropping or shrinking its reservations and returns what was
    /// freed, 0 when there was nothing.
    fn reclaim(&self, wanted_bytes: u64) -> u64;
}

#[derive(Default)]
pub(super) struct Reclaimers {
    entries: Mutex<Vec<Entry>>,
}

struct Entry {
    node: usize,
    reclaimer: Weak<dyn Reclaimer>,
}

impl Reclaimers {
    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Nothing that runs under this lock can leave the list half changed.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn register(&self, node: usize, reclaimer: Weak<dyn Reclaimer>) -> Result<()> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.reclaimer.strong_count() > 0);
        if entries.len() == BUDGET_RECLAIMERS_MAX {
            return Err(Error::too_large(format!(
                "cannot register another reclaimer: {BUDGET_RECLAIMERS_MAX} are registered; \
                 put several sources of bytes behind one reclaimer"
            )));
        }
        entries.push(Entry { node, reclaimer });
        Ok(())
    }

    /// A node is gone: its slot may be given to another, which this one does not serve.
    pub(super) fn forget_node(&self, node: usize) {
        self.entries().retain(|entry| entry.node != node);
    }

    /// Those alive with their nodes, the cheapest first, in order of registration within a cost.
    pub(super) fn by_cost(&self) -> Vec<(usize, Arc<dyn Reclaimer>)> {
        let mut alive: Vec<(usize, Arc<dyn Reclaimer>)> = self
            .entries()
            .iter()
            .filter_map(|entry| Some((entry.node, entry.reclaimer.upgrade()?)))
            .collect();
        alive.sort_by_key(|(_, reclaimer)| reclaimer.cost());
        alive
    }
}

thread_local! {
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Held while this thread asks reclaimers; there is one per thread at a time.
pub(super) struct Asking(());

impl Asking {
    /// `None` inside a reclaimer: asking again from there could go on for ever.
    pub(super) fn begin() -> Option<Self> {
        (!ASKING.replace(true)).then_some(Self(()))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        ASKING.set(false);
    }
}
