//! What one worker of many does for all: promote, rescue, prune, and look at the settings.
//!
//! ```text
//!   250 ms   jobs whose time has come ─> ready      1 s   settings of queues and kinds
//!   1 s      jobs nobody renews ─> rescued          3 s   this worker is there
//!   60 s     jobs that are over for long ─> gone   1 s   schedules that are due ─> a job each
//! ```
//!
//! Promises: two workers that do the same do it once; what fails is tried at the next turn.
//! Never: a write where a read shows that there is nothing to do.

use std::sync::PoisonError;
use std::time::Duration;

use super::shared::{Limits, Phase, Shared};
use super::strangers::Strangers;
use crate::error::Result;
use crate::rescue::Rescuer;
use crate::schedule::FIRED_MAX;

const DUE_EVERY: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const SCHEDULES_EVERY: Duration = Duration::from_secs(1);
const SEEN_EVERY: Duration = Duration::from_secs(3);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Jobs that are removed in one transaction.
const PRUNE_MAX: u32 = 500;
/// Jobs that a worker says to wait for memory.
const WAITING_TOLD_MAX: usize = 32;
/// A worker that was not heard of for so long is not shown any more.
const WORKER_KEEP_MICROS: i64 = 60_000_000;

/// When each was done last.
#[derive(Default)]
struct Turns {
    due: Option<Duration>,
    look: Option<Duration>,
    schedules: Option<Duration>,
    seen: Option<Duration>,
    strangers: Option<Duration>,
    prune: Option<Duration>,
}

fn is_turn(last: &mut Option<Duration>, now: Duration, every: Duration) -> bool {
    let is = last.is_none_or(|last| now.saturating_sub(last) >= every);
    if is {
        *last = Some(now);
    }
    is
}

/// The thread's whole life.
pub(super) fn run(shared: &Shared) {
    let mut turns = Turns::default();
    let mut rescuer = Rescuer::new(shared.options.lease);
    let mut strangers = Strangers::default();
    loop {
        if let Err(error) = turn(shared, &mut turns, &mut rescuer, &mut strangers) {
            tracing::warn!(%error, "tending the queue");
        }
        let state = shared.lock();
        if state.phase >= Phase::Quiet && state.held.is_empty() {
            break;
        }
        drop(shared.wait(state, DUE_EVERY));
    }
    if let Err(error) = shared.queue.leave(&shared.options.name).wait() {
        tracing::warn!(%error, "leaving the list of workers");
    }
}

fn turn(
    shared: &Shared,
    turns: &mut Turns,
    rescuer: &mut Rescuer,
    strangers: &mut Strangers,
) -> Result<()> {
    let (now, queue, options) = (shared.steady(), &shared.queue, &shared.options);
    if is_turn(&mut turns.seen, now, SEEN_EVERY) {
        seen(shared)?;
    }
    if is_turn(&mut turns.strangers, now, shared.options.renew_every) {
        strangers.look(shared);
    }
    if is_turn(&mut turns.look, now, LOOK_EVERY) {
        look(shared)?;
        if options.tends {
            let most = options.memory.as_ref().map_or(u64::MAX >> 1, |node| node.cap_bytes());
            // Behind what this turn has waited for.
            if !rescuer.look(queue, shared.steady(), most)?.is_empty() {
                shared.hear_now();
            }
        }
    }
    if options.tends && is_turn(&mut turns.due, now, DUE_EVERY) {
        while queue.next_due().wait()?.is_some_and(|at| at <= queue.now_micros()) {
            if queue.due().wait()? == 0 {
                break;
            }
            shared.hear_now();
        }
    }
    if options.tends && is_turn(&mut turns.prune, now, PRUNE_EVERY) {
        let keep = i64::try_from(options.keep.as_micros()).unwrap_or(i64::MAX);
        let before = queue.now_micros().saturating_sub(keep);
        while queue.prune(before, PRUNE_MAX)? == u64::from(PRUNE_MAX) {}
        while queue.prune_events(before, PRUNE_MAX)? == u64::from(PRUNE_MAX) {}
        if queue.reconcile_batches().wait()? > 0 {
            tracing::warn!("batches were counted anew: somebody changed their jobs by hand");
        }
        let gone = queue.now_micros().saturating_sub(WORKER_KEEP_MICROS);
        queue.forget_workers(gone).wait()?;
        queue.forget_who_waits()?;
    }
    // Last, so that a schedule that fails keeps nothing of the above from its turn.
    if options.tends && is_turn(&mut turns.schedules, now, SCHEDULES_EVERY) {
        while queue.fire_schedules()? >= u64::from(FIRED_MAX) {}
    }
    Ok(())
}

/// Says that this worker is there, and hears what is wished of it.
fn seen(shared: &Shared) -> Result<()> {
    let (busy, held, waiting) = {
        let state = shared.lock();
        let waiting = state.waiting.iter().take(WAITING_TOLD_MAX).map(|one| one.job.lease.id);
        (state.busy, state.held.len(), waiting.collect::<Vec<_>>())
    };
    let about = serde_json::json!({
        "pid": std::process::id(),
        "queues": shared.options.queues,
        "kinds": shared.registry.kinds(),
        "wait_for_memory": waiting,
        "concurrency": shared.options.concurrency,
        "busy": busy,
        "held": held,
        "memory_bytes": shared.options.memory.as_ref().map(plimsoll::budget::Node::cap_bytes),
    });
    match shared.queue.seen(&shared.options.name, &about.to_string()).wait()?.as_deref() {
        Some("stop") => shared.enter(Phase::Stopping),
        Some("quiet") => shared.enter(Phase::Quiet),
        _ => {}
    }
    Ok(())
}

/// Reads which queues are paused, and what has limits.
fn look(shared: &Shared) -> Result<()> {
    let began = shared.began_micros;
    let mut limits = Limits::default();
    for (name, queue) in shared.queue.queue_settings().wait()? {
        if queue.paused_micros.is_some() {
            limits.paused.insert(name.clone());
        }
        if queue.concurrency_max.is_some() {
            limits.queues.insert(name.clone());
        }
        let restarts = queue.restart_micros.is_some_and(|at| at > began);
        if restarts && shared.options.queues.contains(&name) {
            tracing::info!(queue = &*name, "the queue's workers are to start anew");
            shared.enter(Phase::Stopping);
        }
    }
    limits.kinds = shared.queue.limited_kinds().wait()?;
    *shared.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    Ok(())
}
