//! Wakes the workers of this process when something was enqueued in it, or elsewhere where the
//! database tells of that.
//!
//! Promises: rung after the commit; what hears is not kept alive by it.
//! Never: a message; whoever hears looks for itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, Weak};

use plimsoll_store::Listener;

/// Hears that there may be work.
pub(crate) trait Hears: Send + Sync {
    fn hear(&self);
}

/// See the module.
#[derive(Default)]
pub(crate) struct Bell {
    listeners: Mutex<Vec<Weak<dyn Hears>>>,
    /// Whether the database ever tells of what others enqueue, once that was asked.
    asked: OnceLock<bool>,
    /// Whether it does now.
    told: AtomicBool,
}

impl Bell {
    pub(crate) fn listen(&self, listener: Weak<dyn Hears>) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|known| known.strong_count() > 0);
        listeners.push(listener);
    }

    pub(crate) fn ring(&self) {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.hear();
        }
    }

    /// Asks whether the database tells, unless that was asked.
    pub(crate) fn ask_once(&self, ask: impl FnOnce() -> bool) {
        self.asked.get_or_init(ask);
    }

    pub(crate) fn is_told_at_all(&self) -> bool {
        self.asked.get().copied().unwrap_or_default()
    }

    /// Whether it is told of what others enqueue from now on.
    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }
}

impl Listener for Bell {
    fn told(&self, _queue: &str) {
        self.ring();
    }

    fn stands(&self, listens: bool) {
        self.told.store(listens, Ordering::Release);
        // Whoever waits to be told has to look by itself, and the other way round.
        self.ring();
    }
}
