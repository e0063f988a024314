//! Jobs that run in this worker's name, and nobody here knows of.
//!
//! ```text
//!   every renewal   look at all ── one that nobody here holds, twice ──> handed back
//! ```
//!
//! Promises: a claim whose answer was lost is given back, and is not waited for by the length of a
//! lease.
//! Never: on the thread that renews: where many jobs were this worker's before, a look may last.

use std::collections::BTreeSet;

use super::shared::Shared;
use crate::job::{JobId, Lease};
use crate::rescue::RUNNING_MAX;
use crate::sparingly::Sparingly;

/// Looks take one part in so many of the time.
const STRANGERS_SHARE: u32 = 20;

/// What runs in this worker's name and is held by nobody here, e.g. since an answer to a claim was
/// lost.
#[derive(Default)]
pub(super) struct Strangers {
    seen: BTreeSet<JobId>,
    look: Sparingly,
}

impl Strangers {
    pub(super) fn look(&mut self, shared: &Shared) {
        let began = shared.steady();
        if !self.look.is_due(began, STRANGERS_SHARE) {
            return;
        }
        let all = match shared.queue.of_worker(&shared.options.name, RUNNING_MAX).wait() {
            Ok(all) => all,
            Err(error) => return tracing::warn!(%error, "looking at this worker's jobs"),
        };
        self.look.done(began, shared.steady());
        let known: BTreeSet<JobId> = shared.lock().held.keys().copied().collect();
        let mut seen = BTreeSet::new();
        for lease in all.into_iter().filter(|lease| !known.contains(&lease.id)) {
            // Between a claim and its answer nobody holds it, for a moment.
            if self.seen.contains(&lease.id) {
                give_back(shared, lease);
            } else {
                seen.insert(lease.id);
            }
        }
        self.seen = seen;
    }
}

fn give_back(shared: &Shared, lease: Lease) {
    match shared.queue.hand_back(lease, 0).wait() {
        Ok(_) => tracing::warn!(job = lease.id, "handed back a job that nobody here holds"),
        Err(error) => tracing::warn!(%error, job = lease.id, "handing back a job nobody holds"),
    }
}
