//! Keeps the sums by day: works out again what was written since.
//!
//! Promises: a day that is written meanwhile stays marked, and is worked out next time.
//! Never: a day whose mark nobody left.

use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll_store::catalogue::Analytics;
use plimsoll_store::rollup::{Refresh, refresh};

use crate::handler::{Declared, Ending, JobError, Registry};
use crate::job::{NewJob, Progress};
use crate::run::Run;
use crate::schedule::NewSchedule;
use crate::warming::WARM_QUEUE;

/// The kind, and the name of its schedule.
pub const REFRESH: &str = "rollup.refresh";

/// Adds the kind.
///
/// # Errors
/// Where it is there already.
pub fn add_refreshing(registry: &mut Registry, analytics: Arc<Analytics>) -> crate::Result<()> {
    let declared = Declared { queue: WARM_QUEUE, ..Declared::default() };
    registry.add(REFRESH, declared, move |run: &mut Run<'_>| work(&analytics, run))
}

/// Every minute, one at a time.
#[must_use]
pub fn refreshing_schedule() -> NewSchedule {
    let job = NewJob { queue: WARM_QUEUE.into(), ..NewJob::new(REFRESH, "{}") };
    NewSchedule::new(REFRESH, "* * * * *", job)
}

fn work(analytics: &Arc<Analytics>, run: &mut Run<'_>) -> Result<Ending, JobError> {
    let wanted = Refresh { analytics: Arc::clone(analytics), now_micros: run.queue().now_micros() };
    let done = refresh(run.store(), &wanted, &mut |_, _| {
        if run.stop().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if done.stopped {
        return Ok(Ending::Stopped);
    }
    if done.days > 0 {
        let days = Progress { done: done.days, total: Some(done.days), unit: Some("days".into()) };
        let _asked = run.progress(&days)?;
    }
    Ok(Ending::done())
}
