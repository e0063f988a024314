//! The server in which a job works, as the job finds it.
//!
//! ```text
//!   worker ── claims before the server stands ──> waits ──> Context of now
//!                                                   └ the server goes: nothing
//! ```
//!
//! Promises: what a job sees is what is served when it begins.
//! Never: a server kept alive by its jobs.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::app::{Context, Server};

/// A job that was claimed before the server stands waits for it so long.
const SERVER_WAIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(crate) struct Home {
    server: Mutex<Option<Weak<Server>>>,
    stands: Condvar,
}

impl Home {
    /// The server whose rows the jobs are about.
    pub(crate) fn belongs_to(&self, server: &Arc<Server>) {
        let mut place = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::downgrade(server));
        self.stands.notify_all();
    }

    /// What is served now; `None` where the server goes.
    pub(crate) fn context(&self) -> Option<Arc<Context>> {
        let place = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stands.wait_timeout_while(place, SERVER_WAIT, |place| place.is_none());
        let (place, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let server = place.as_ref().and_then(Weak::upgrade)?;
        Some(Arc::clone(&server.face().context))
    }
}
