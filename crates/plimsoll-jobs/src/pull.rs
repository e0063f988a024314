//! The queue for whoever works outside this process, e.g. over HTTP.
//!
//! ```text
//!   take ─> lease ─> renew_one, progress, checkpoint ... ─> complete, fail_attempt, hand_back
//! ```
//!
//! Promises: limits of queues and kinds hold here as they do in a worker; nothing is taken from a
//! queue that is paused.
//! Never: a wait; whoever asks comes again.

use crate::error::Result;
use crate::floors::Places;
use crate::job::{Claimed, Lease};
use crate::own::{OWN_KINDS, and_own};
use crate::policy::{Ended, judge};
use crate::queue::{Claim, Queue, Within};
use crate::state::State;

impl Queue {
    /// Takes ready jobs of these queues, the first queue first; of these kinds, or of all but
    /// those that Plimsoll does itself.
    ///
    /// # Errors
    /// What the store gives.
    ///
    /// # Cancel safety
    /// None: a claim whose answer is dropped holds its lease until that is over.
    pub async fn take(
        &self,
        worker: &str,
        queues: &[Box<str>],
        kinds: Option<&[Box<str>]>,
        jobs_max: u32,
    ) -> Result<Vec<Claimed>> {
        let mut taken = Vec::new();
        for queue in queues {
            let left = jobs_max.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break;
            }
            if let Some(from) = self.begin(queue).await? {
                self.take_of(worker, (queue, &from), kinds, left, &mut taken).await?;
            }
        }
        Ok(taken)
    }

    async fn take_of(
        &self,
        worker: &str,
        (queue, from): (&str, &Places),
        kinds: Option<&[Box<str>]>,
        jobs_max: u32,
        taken: &mut Vec<Claimed>,
    ) -> Result<()> {
        let settings = self.queue_settings().await?;
        let setting = settings.get(queue);
        if setting.is_some_and(|queue| queue.paused_micros.is_some()) {
            return Ok(());
        }
        let limited = self.limited_kinds().await?;
        let in_limited = setting.is_some_and(|queue| queue.concurrency_max.is_some());
        let without = and_own(&limited, &[]);
        let mut claim = Claim {
            worker,
            queue,
            jobs_max,
            without: &without,
            only: kinds,
            within: if in_limited { Within::Queue } else { Within::All },
        };
        let mut left = jobs_max;
        let some = self.claim_from(&claim, from).await?;
        left = left.saturating_sub(u32::try_from(some.len()).unwrap_or(u32::MAX));
        taken.extend(some);
        claim.without = &[];
        let wanted = |kind: &str| kinds.is_none_or(|kinds| kinds.iter().any(|one| &**one == kind));
        let own = |kind: &str| OWN_KINDS.contains(&kind);
        for kind in limited.iter().filter(|kind| wanted(kind) && !own(kind)) {
            if left == 0 {
                break;
            }
            claim.jobs_max = left;
            claim.within = Within::Kind(kind);
            let some = self.claim_from(&claim, from).await?;
            left = left.saturating_sub(u32::try_from(some.len()).unwrap_or(u32::MAX));
            taken.extend(some);
        }
        Ok(())
    }

    /// An attempt of a job failed. Gives what becomes of it. `random` is uniform over all its
    /// values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::LeaseLost`] where the lease is another's by now, and
    /// [`crate::ErrorKind::NotFound`].
    pub async fn fail_attempt(
        &self,
        lease: Lease,
        ended: Ended,
        message: &str,
        random: u64,
    ) -> Result<State> {
        let job = self.show(lease.id).await?;
        let before = (job.attempts, job.exceptions);
        let verdict = judge(ended, job.trying, before, self.now_micros(), random);
        let what = if matches!(ended, Ended::Later { .. }) { "later" } else { "error" };
        self.fail(lease, &verdict, (what, message), 0).await
    }
}
