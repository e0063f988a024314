//! One thread that runs jobs, one after another.
//!
//! ```text
//!   ready ─> handler ─┬─ Done    ─> settle, while the next job runs
//!                     ├─ Stopped ─> handed back; beyond its time: failed
//!                     ├─ Later   ─> retrying
//!                     ├─ Err     ─> retrying or failed
//!                     └─ panic   ─> the same, and the thread goes on
//! ```
//!
//! Promises: a job ends in one of these ways, and says nothing where its lease is lost.
//! Never: an answer that is not waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use plimsoll_store::Write;

use super::settle::Unsettled;
use super::shared::{Admitted, Phase, Shared};
use crate::control::Stop;
use crate::handler::{Ending, JobError, check_result};
use crate::job::Claimed;
use crate::policy::{Ended, judge};
use crate::run::Run;

/// The thread's whole life.
pub(super) fn run(shared: &Shared, settle: &SyncSender<Unsettled>, random: &dyn Fn() -> u64) {
    while let Some(admitted) = next(shared) {
        let id = admitted.job.lease.id;
        let alone = admitted.job.crashes > 0;
        let began = shared.steady();
        tracing::debug!(job = id, kind = &*admitted.job.kind, "a job begins");
        let unsettled = work(shared, admitted, random);
        let took = shared.steady().saturating_sub(began);
        tracing::debug!(job = id, took_ms = took.as_millis(), "a job ended, or stopped");
        if let Some(unsettled) = unsettled {
            // Only a worker that has ended has no settler.
            if settle.send(unsettled).is_err() {
                return;
            }
        } else {
            shared.let_go(id);
        }
        let mut state = shared.lock();
        state.busy -= 1;
        state.one_is_alone &= !alone;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        state.job_micros = (state.job_micros / 8 * 7).saturating_add(micros / 8).max(1);
        state.heard = true;
        // Another thread took this one's place when its job would not end.
        let is_spare = state.lost.remove(&id);
        drop(state);
        shared.notify();
        if is_spare {
            return;
        }
    }
}

/// The next job, or `None` once the worker ends.
fn next(shared: &Shared) -> Option<Admitted> {
    let mut state = shared.lock();
    loop {
        if let Some(admitted) = state.ready.pop_front() {
            state.busy += 1;
            return Some(admitted);
        }
        let over = match state.phase {
            Phase::Working => false,
            Phase::Quiet => state.held.is_empty(),
            Phase::Stopping => true,
        };
        if over {
            return None;
        }
        state = shared.wait(state, Duration::from_millis(250));
    }
}

fn work(shared: &Shared, admitted: Admitted, random: &dyn Fn() -> u64) -> Option<Unsettled> {
    let Admitted { job, control, memory } = admitted;
    control.begin(shared.steady() + Duration::from_millis(job.trying.timeout_ms));
    let Some(handler) = shared.registry.handler(&job.kind) else {
        unreachable!("only kinds that are known are claimed")
    };
    let mut run = Run::new(&shared.queue, &job, control.clone(), memory);
    let answer = catch_unwind(AssertUnwindSafe(|| handler.run(&mut run)));
    let (peak, memory) = (run.peak_bytes(), run.into_memory());
    let stop = control.stop();
    learn(shared, &job, peak);
    let answer = answer.unwrap_or_else(|panic| Err(JobError::again(panicked(panic.as_ref()))));
    let answer = answer.and_then(|ending| match &ending {
        Ending::Done { result, .. } => check_result(result.as_deref()).map(|()| ending),
        _ => Ok(ending),
    });
    match answer {
        Ok(Ending::Done { effects, result }) if effects.is_empty() && result.is_none() => {
            if job.batch.is_none() {
                return Some(Unsettled::Plain { lease: job.lease, _memory: memory });
            }
            Some(complete(shared, job, Vec::new(), None, (peak, memory)))
        }
        Ok(Ending::Done { effects, result }) => {
            Some(complete(shared, job, effects, result.as_deref(), (peak, memory)))
        }
        Ok(Ending::Stopped) => {
            match stop {
                Some(Stop::LeaseLost) => {}
                Some(Stop::Timeout) => {
                    let text = format!("it took longer than its {} ms", job.trying.timeout_ms);
                    failed(shared, &job, Ended::Failed, ("timeout", &text), peak, random());
                }
                _ => {
                    let given = shared.queue.hand_back(job.lease, peak).wait();
                    given.map(drop).unwrap_or_else(|error| said(&job, &error));
                }
            }
            None
        }
        Ok(Ending::Later { after_ms, why }) => {
            failed(shared, &job, Ended::Later { after_ms }, ("later", &why), peak, random());
            None
        }
        Err(error) if error.is_lease_lost() || stop == Some(Stop::LeaseLost) => {
            tracing::warn!(job = job.lease.id, "a job went on that is another's by now");
            None
        }
        Err(error) => {
            let ended = if error.is_hopeless() { Ended::Hopeless } else { Ended::Failed };
            failed(shared, &job, ended, ("error", &error.to_string()), peak, random());
            None
        }
    }
}

fn complete(
    shared: &Shared,
    job: Claimed,
    effects: Vec<Write>,
    result: Option<&str>,
    (peak, memory): (u64, Option<plimsoll::budget::Reservation>),
) -> Unsettled {
    let written = shared.queue.complete(job.lease, effects, result, peak);
    Unsettled::Written { job, written, _memory: memory }
}

pub(super) fn failed(
    shared: &Shared,
    job: &Claimed,
    ended: Ended,
    (what, message): (&str, &str),
    peak: u64,
    random: u64,
) {
    let before = (job.attempts, job.exceptions);
    let verdict = judge(ended, job.trying, before, shared.queue.now_micros(), random);
    match shared.queue.fail(job.lease, &verdict, (what, message), peak).wait() {
        Ok(state) => tracing::warn!(
            job = job.lease.id,
            kind = &*job.kind,
            state = state.name(),
            what,
            message,
            "a job failed"
        ),
        Err(error) => said(job, &error),
    }
}

fn said(job: &Claimed, error: &crate::Error) {
    tracing::warn!(job = job.lease.id, %error, "the end of a job was not taken");
}

/// Counts what a job took, and keeps it for its kind where that is a tenth more than was known.
fn learn(shared: &Shared, job: &Claimed, peak: u64) {
    let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let is_more = seen.saw(&job.kind, job.memory_bytes, peak);
    drop(seen);
    if !is_more {
        return;
    }
    if let Err(error) = shared.queue.learn(&job.kind, peak).wait() {
        tracing::warn!(%error, kind = &*job.kind, "keeping what a kind takes");
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a message"))
}
