//! Keeps the leases of a worker's jobs, ahead of all other work.
//!
//! ```text
//!   every 3 s   renew all  ─┬─ a job that is missing from the answer ─> its lease is lost
//!                           └─ wishes                                ─> told to the job
//!   every 50 ms             a job beyond its time is asked to stop; beyond its grace its lease is
//!                           taken from it and another thread takes its runner's place
//! ```
//!
//! Promises: a handler that computes or waits without an end keeps no lease beyond its time and
//! its grace.
//! Never: other work on this thread.

use std::sync::Arc;
use std::time::Duration;

use super::shared::{Phase, Shared};
use crate::control::{Control, Stop};
use crate::job::{JobId, Lease, Wish};
use crate::policy::{Ended, judge};

/// Between two looks at the time.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Behind a renewal that was refused.
const RENEW_AGAIN: Duration = Duration::from_millis(250);

/// The thread's whole life. `replace` starts another runner.
pub(super) fn run(shared: &Shared, replace: &dyn Fn()) {
    let mut renewed_at = shared.steady();
    loop {
        let state = shared.lock();
        if state.phase >= Phase::Quiet && state.held.is_empty() {
            return;
        }
        drop(shared.wait(state, LOOK_EVERY));
        let now = shared.steady();
        late(shared, now, replace);
        if now.saturating_sub(renewed_at) >= shared.options.renew_every {
            let renewed = renew(shared);
            // Refused, e.g. since another process held the database, it is tried again soon.
            let later = shared.options.renew_every.saturating_sub(RENEW_AGAIN);
            renewed_at = if renewed { now } else { shared.steady().saturating_sub(later) };
        }
    }
}

fn controls(shared: &Shared) -> Vec<Arc<Control>> {
    shared.lock().held.values().cloned().collect()
}

/// Whether there was an answer.
fn renew(shared: &Shared) -> bool {
    // Looked at before: what is claimed meanwhile is not missed.
    let held = controls(shared);
    if held.is_empty() {
        return true;
    }
    let ids: Vec<JobId> = held.iter().map(|control| control.lease.id).collect();
    let renewed = match shared.queue.renew(&shared.options.name, &ids).wait() {
        Ok(renewed) => renewed,
        Err(error) => {
            tracing::warn!(%error, "renewing leases");
            return false;
        }
    };
    for control in &held {
        match renewed.iter().find(|(lease, _)| *lease == control.lease) {
            Some((_, Some(Wish::Cancel))) => control.ask(Stop::Cancel),
            Some((_, Some(Wish::Pause))) => control.ask(Stop::Pause),
            Some((_, None)) => {}
            // One that has just ended is asked in vain.
            None => control.ask(Stop::LeaseLost),
        }
    }
    true
}

/// Asks what is beyond its time to stop, and takes the lease from what does not.
fn late(shared: &Shared, now: Duration, replace: &dyn Fn()) {
    for control in controls(shared) {
        let Some(late) = control.late(now) else { continue };
        control.ask(Stop::Timeout);
        let asked = control.stop();
        if late < shared.options.grace || asked == Some(Stop::LeaseLost) {
            continue;
        }
        control.ask(Stop::LeaseLost);
        let id = control.lease.id;
        let given_up = {
            let mut state = shared.lock();
            state.held.remove(&id).is_some() && state.lost.insert(id)
        };
        if given_up {
            fence(shared, control.lease);
            replace();
        }
    }
}

/// Ends an attempt whose handler does not.
fn fence(shared: &Shared, lease: Lease) {
    let job = match shared.queue.show(lease.id).wait() {
        Ok(job) => job,
        Err(error) => return tracing::warn!(%error, job = lease.id, "looking at a job"),
    };
    let before = (job.attempts, job.exceptions);
    let now = shared.queue.now_micros();
    let verdict = judge(Ended::Failed, job.trying, before, now, u64::MAX / 2);
    let message = "it did not stop when its time was over: its lease was taken from it, and its \
                   thread was given up";
    match shared.queue.fail(lease, &verdict, ("timeout", message), 0).wait() {
        Ok(state) => tracing::error!(job = lease.id, state = state.name(), "{message}"),
        Err(error) => tracing::warn!(%error, job = lease.id, "taking the lease of a late job"),
    }
}
