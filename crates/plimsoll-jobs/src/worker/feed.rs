//! Claims jobs, and gives them memory.
//!
//! ```text
//!   room = runners + ahead - held          ahead: what runners do in 50 ms, so that short jobs
//!                                          do not wait for a claim each
//! ```
//!
//! Promises: nothing is claimed that would wait long here; what can never fit fails with the
//! numbers; what a stopping worker has claimed is handed back.
//! Never: a claim while something claimed waits for memory for longer than it may be passed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::admit::{self, PASSED_MAX, Waiting};
use super::idle::{Idle, Say};
use super::shared::{Admitted, Limits, Phase, Shared, Waits};
use crate::control::Control;
use crate::error::Result;
use crate::floors::Places;
use crate::job::Claimed;
use crate::own::{OWN_KINDS, and_own};
use crate::policy::{Ended, judge};
use crate::queue::{Claim, Within};
use crate::sparingly::Sparingly;

/// Work that is claimed ahead, at most.
const AHEAD_MICROS: u64 = 50_000;
/// Jobs of each runner that are claimed ahead at most.
const AHEAD_PER_RUNNER: u64 = 31;
/// Claims of a queue that gave nothing take one part in so many of the time.
const IN_VAIN_SHARE: u32 = 20;
/// And the next one is no later: a claim may have waited for a slow disk, and not for itself.
const IN_VAIN_MAX: Duration = Duration::from_secs(1);

/// The thread's whole life.
pub(super) fn run(shared: &Shared) {
    let mut idle = Idle::new(shared.steady());
    let mut in_vain = vec![Sparingly::default(); shared.options.queues.len()];
    loop {
        let room = {
            let mut state = shared.lock();
            while state.phase == Phase::Working && !(state.heard && room(shared, &state) > 0) {
                let heard = state.heard;
                let options = &shared.options;
                let pause = idle.pause(shared.steady(), options.poll_every, options.told_every);
                state = shared.wait(state, pause);
                // A poll is a look without having heard.
                state.heard |= !heard;
                admit_all(shared, &mut state);
                if is_spent(shared, &state) {
                    state.phase = Phase::Quiet;
                }
            }
            if state.phase != Phase::Working {
                break;
            }
            state.heard = false;
            room(shared, &state)
        };
        let came = claim(shared, room, &mut in_vain).unwrap_or_else(|error| {
            tracing::warn!(%error, "claiming jobs");
            Came { left: room, any_ready: false }
        });
        let mut state = shared.lock();
        // Where all that was asked for came, more may be there.
        state.heard |= came.left == 0;
        admit_all(shared, &mut state);
        drop(state);
        shared.notify();
        let (told, now) = (shared.queue.bell.is_told(), shared.steady());
        // What is ready and waits for a limit is looked for: nobody tells that there is room.
        let say = idle.looked(now, came.any_ready, told);
        if tell(shared, say) {
            idle.said(now, say);
        }
    }
    if idle.waits() {
        tell(shared, Say::Looks);
    }
    // Whoever waits for its end looks whether this was it.
    shared.notify();
    give_back(shared);
}

/// Says at the database whether it waits to be told; whether that could be said.
fn tell(shared: &Shared, say: Say) -> bool {
    let (queue, options) = (&shared.queue, &shared.options);
    let said = match say {
        Say::Nothing => return true,
        Say::Waits => queue.waits_to_be_told(&options.name, &options.queues),
        Say::Looks => queue.looks_by_itself(&options.name),
    };
    said.map_err(|error| tracing::warn!(%error, "saying whether jobs are waited for")).is_ok()
}

/// It has run its jobs, or its time is over.
fn is_spent(shared: &Shared, state: &super::shared::State) -> bool {
    let ran = shared.options.jobs_max.is_some_and(|most| state.ended >= most);
    let lasted = shared.steady().saturating_sub(shared.began);
    ran || shared.options.time_max.is_some_and(|most| lasted >= most)
}

fn room(shared: &Shared, state: &super::shared::State) -> u32 {
    let runners = u64::from(shared.options.concurrency);
    let ahead = (AHEAD_MICROS * runners / state.job_micros.max(1)).min(runners * AHEAD_PER_RUNNER);
    let blocked = state
        .waiting
        .front()
        .is_some_and(|first| shared.steady().saturating_sub(first.since) >= PASSED_MAX);
    let left = shared
        .options
        .jobs_max
        .map(|most| most.saturating_sub(state.ended + state.held.len() as u64));
    if blocked {
        return 0;
    }
    let room = (runners + ahead).saturating_sub(state.held.len() as u64);
    u32::try_from(room.min(left.unwrap_or(u64::MAX))).unwrap_or(u32::MAX)
}

/// What came of a claim.
struct Came {
    /// Room that is left.
    left: u32,
    any_ready: bool,
}

/// Claims from the queues in turn. Where jobs are ready that this worker may not take, a claim
/// passes all behind them: such ones that are slow take their share of the time alone.
fn claim(shared: &Shared, room: u32, in_vain: &mut [Sparingly]) -> Result<Came> {
    let limits = shared.limits.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut came = Came { left: room, any_ready: false };
    for (queue, in_vain) in shared.options.queues.iter().zip(in_vain) {
        if came.left == 0 {
            break;
        }
        let is_due = in_vain.is_due_within(shared.steady(), IN_VAIN_SHARE, IN_VAIN_MAX);
        if limits.paused.contains(queue) || !is_due {
            continue;
        }
        let Some(from) = shared.queue.begin(queue).wait()? else { continue };
        came.any_ready = true;
        let began = shared.steady();
        let taken = claim_of(shared, &limits, (queue, &from), came.left)?;
        came.left -= taken;
        if taken == 0 {
            in_vain.done(began, shared.steady());
        }
    }
    Ok(came)
}

fn claim_of(
    shared: &Shared,
    limits: &Limits,
    (queue, from): (&str, &Places),
    jobs_max: u32,
) -> Result<u32> {
    let only = shared.registry.kinds();
    let without = and_own(&limits.kinds, &shared.registry.named());
    let in_limited = limits.queues.contains(queue);
    let mut claim = Claim {
        worker: &shared.options.name,
        queue,
        jobs_max,
        without: &without,
        only: only.as_deref(),
        within: if in_limited { Within::Queue } else { Within::All },
    };
    let mut taken = hold(shared, shared.queue.claim_from(&claim, from).wait()?);
    claim.without = &[];
    // A kind with limits in a queue with limits keeps those of its own.
    for kind in &limits.kinds {
        let others = OWN_KINDS.contains(&&**kind) && !shared.registry.named().contains(kind);
        if taken < jobs_max && !others && shared.registry.declared(kind).is_some() {
            claim.jobs_max = jobs_max - taken;
            claim.within = Within::Kind(kind);
            taken += hold(shared, shared.queue.claim_from(&claim, from).wait()?);
        }
    }
    Ok(taken)
}

/// Notes what was claimed; what can never fit fails at once.
fn hold(shared: &Shared, claimed: Vec<Claimed>) -> u32 {
    let count = u32::try_from(claimed.len()).unwrap_or(u32::MAX);
    let since = shared.steady();
    for job in claimed {
        if let Some(why) = never_fits(shared, &job) {
            refuse(shared, &job, &why);
            continue;
        }
        let control = Arc::new(Control::new(job.lease));
        let mut state = shared.lock();
        state.held.insert(job.lease.id, Arc::clone(&control));
        state.waiting.push_back(Waits { job, control, since });
    }
    count
}

/// Gives memory to those that wait, as far as there is some.
fn admit_all(shared: &Shared, state: &mut super::shared::State) {
    loop {
        let now = shared.steady();
        let waiting: Vec<Waiting> = state
            .waiting
            .iter()
            .map(|one| Waiting {
                bytes: Shared::bytes_of(&one.job),
                alone: one.job.crashes > 0,
                waited: now.saturating_sub(one.since),
            })
            .collect();
        let mut memory = None;
        let at_work = state.busy + state.ready.len();
        let next = admit::next(&waiting, at_work, state.one_is_alone, |bytes| {
            let Some(consumer) = &shared.consumer else { return true };
            memory = consumer.try_reserve(bytes).ok();
            memory.is_some()
        });
        let Some(Waits { job, control, .. }) = next.and_then(|at| state.waiting.remove(at)) else {
            return;
        };
        state.one_is_alone = job.crashes > 0;
        state.ready.push_back(Admitted { job, control, memory });
    }
}

/// Behind the last claim: a quiet worker ends what it has, a stopping one hands back what no
/// runner has begun.
fn give_back(shared: &Shared) {
    loop {
        let mut state = shared.lock();
        while state.phase == Phase::Quiet && !state.held.is_empty() {
            admit_all(shared, &mut state);
            shared.notify();
            state = shared.wait(state, shared.options.poll_every);
        }
        let ready = state.ready.pop_front().map(|one| one.job);
        let Some(job) = ready.or_else(|| state.waiting.pop_front().map(|one| one.job)) else {
            return;
        };
        drop(state);
        if let Err(error) = shared.queue.hand_back(job.lease, 0).wait() {
            tracing::warn!(%error, job = job.lease.id, "handing a job back");
        }
        shared.let_go(job.lease.id);
    }
}

/// Why no worker of this size can ever run it, if that is so.
fn never_fits(shared: &Shared, job: &Claimed) -> Option<String> {
    let most = shared.options.memory.as_ref()?.cap_bytes();
    let asked = Shared::bytes_of(job);
    (asked > most).then(|| {
        format!(
            "the job needs {asked} bytes and jobs have {most} together: give the worker more with \
             --memory, or the job a smaller chunk"
        )
    })
}

fn refuse(shared: &Shared, job: &Claimed, why: &str) {
    let before = (job.attempts, job.exceptions);
    let now = shared.queue.now_micros();
    let verdict = judge(Ended::Hopeless, job.trying, before, now, 0);
    if let Err(error) = shared.queue.fail(job.lease, &verdict, ("memory", why), 0).wait() {
        tracing::warn!(%error, job = job.lease.id, "failing a job that does not fit");
    }
}
