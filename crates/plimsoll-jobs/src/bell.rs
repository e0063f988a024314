//! Wakes the workers of this process when something was enqueued in it.
//!
//! Promises: rung after the commit; what hears is not kept alive by it.
//! Never: a message; whoever hears looks for itself.

use std::sync::{Mutex, PoisonError, Weak};

/// Hears that there may be work.
pub(crate) trait Hears: Send + Sync {
    fn hear(&self);
}

/// See the module.
#[derive(Default)]
pub(crate) struct Bell {
    listeners: Mutex<Vec<Weak<dyn Hears>>>,
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
}
