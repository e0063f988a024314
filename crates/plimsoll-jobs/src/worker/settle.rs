//! Ends of jobs on their way to the disk.
//!
//! ```text
//!   runners ── Plain, Plain, Written, .. ──> bounded channel ──> one thread
//!                Plain, as many as wait   ── one statement, one commit
//!                Written                  ── was sent by the runner; its answer is waited for
//! ```
//!
//! Promises: what is let go was committed, or is another's; an end that the store does not take is
//! told as a failure of the job, and never forgotten.
//! Never: a runner that waits for a disk, as long as the channel has room.

use std::sync::mpsc::Receiver;

use plimsoll::budget::Reservation;

use super::runner::failed;
use super::shared::Shared;
use crate::error::ErrorKind;
use crate::job::{Claimed, Lease};
use crate::policy::Ended;
use crate::queue::Written;

/// Ends that one statement takes.
const PLAIN_MAX: usize = 256;

/// An end that is not committed yet, with the memory its effects stand in.
pub(super) enum Unsettled {
    /// Without effects or result.
    Plain { lease: Lease, _memory: Option<Reservation> },
    /// Sent to the store.
    Written { job: Claimed, written: Written<()>, _memory: Option<Reservation> },
}

/// The thread's whole life: ends when all runners have.
pub(super) fn run(shared: &Shared, ends: &Receiver<Unsettled>) {
    let mut plain: Vec<Lease> = Vec::new();
    while let Ok(end) = ends.recv() {
        let mut next = Some(end);
        while let Some(end) = next.take() {
            match end {
                Unsettled::Plain { lease, .. } => plain.push(lease),
                Unsettled::Written { job, written, .. } => settle(shared, &job, written),
            }
            next = if plain.len() < PLAIN_MAX { ends.try_recv().ok() } else { None };
        }
        if !plain.is_empty() {
            settle_plain(shared, &plain);
            plain.clear();
        }
    }
}

fn settle(shared: &Shared, job: &Claimed, written: Written<()>) {
    match written.wait() {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::LeaseLost => {
            tracing::warn!(job = job.lease.id, "a job ended that is another's by now");
        }
        Err(error) => {
            let message = format!("its end was not taken: {error}");
            failed(shared, job, Ended::Failed, ("error", &message), 0, u64::MAX / 2);
        }
    }
    shared.let_go(job.lease.id);
}

fn settle_plain(shared: &Shared, leases: &[Lease]) {
    match shared.queue.complete_many(leases).wait() {
        Ok(met) if met.len() == leases.len() => {}
        Ok(met) => {
            let lost = leases.len() - met.len();
            tracing::warn!(lost, "jobs ended that are another's by now");
        }
        // Let go, they are held by nobody here: the keeper hands them back.
        Err(error) => tracing::warn!(%error, jobs = leases.len(), "ends of jobs were not taken"),
    }
    for lease in leases {
        shared.let_go(lease.id);
    }
}
