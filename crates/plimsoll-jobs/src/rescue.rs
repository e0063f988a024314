//! Jobs whose worker is not heard of any more.
//!
//! ```text
//!   every second: id, token, beat of all that run
//!     another token or beat than at the last look ─> noted, with the steady clock's time
//!     the same for a whole lease                  ─> rescued: token + 1, crashes + 1
//! ```
//!
//! The time that counts is that of whoever looks, by a clock that does not jump: a wall clock that
//! is set, or another machine's, rescues nothing that lives.
//!
//! Promises: what its worker renewed within a lease is never rescued; of two who rescue the same,
//! one does.
//! Never: more than [`RUNNING_MAX`] jobs in mind.

use std::collections::HashMap;
use std::time::Duration;

use plimsoll::record::Value;
use plimsoll_store::Priority;

use crate::error::{ErrorKind, Result};
use crate::job::{Fields, JobId, Lease};
use crate::queue::{Queue, fenced, int, keep_error, state_of, text};
use crate::sparingly::Sparingly;
use crate::state::State;
use crate::statements as sql;

/// How long a lease holds that is not renewed.
pub const LEASE: Duration = Duration::from_secs(12);
/// How often it is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Crashes with which a job is put aside.
pub const CRASHES_MAX: i64 = 3;
/// Jobs that run at a time, of all workers together.
pub const RUNNING_MAX: usize = 10_000;
/// Looks at all of them take one part in so many of the time, where they are dear.
const SHARE: u32 = 10;

#[derive(Clone, Copy, Debug)]
struct Noted {
    token: i64,
    beat: i64,
    since: Duration,
}

/// One that runs.
#[derive(Clone, Debug)]
struct Running {
    lease: Lease,
    beat: i64,
    worker: Option<Box<str>>,
}

/// A job that was taken from its worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// Which.
    pub id: JobId,
    /// Who had it.
    pub worker: Option<Box<str>>,
    /// What it is now.
    pub state: State,
}

/// Who looks for jobs that nobody works at.
#[derive(Debug)]
pub struct Rescuer {
    lease: Duration,
    noted: HashMap<JobId, Noted>,
    all: Sparingly,
}

impl Rescuer {
    /// Rescues what was not renewed for so long.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self { lease, noted: HashMap::new(), all: Sparingly::default() }
    }

    /// Looks once. `steady` is now, by a clock that does not jump; no job is given more than
    /// `memory_bytes_max` afterwards.
    ///
    /// # Errors
    /// What the store gives.
    pub fn look(
        &mut self,
        queue: &Queue,
        steady: Duration,
        memory_bytes_max: u64,
    ) -> Result<Vec<Rescued>> {
        let clock = queue.clock();
        let began = clock.steady();
        if !self.all.is_due(began, SHARE) {
            return Ok(Vec::new());
        }
        let running = queue.read(&sql::RUNNING, Vec::new(), RUNNING_MAX, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                Ok(Running {
                    lease: Lease { id: fields.int()?, token: fields.int()? },
                    beat: fields.int()?,
                    worker: fields.text_or_null()?,
                })
            });
            each.collect::<Result<Vec<Running>>>()
        });
        let running = running.wait()?;
        let ended = clock.steady();
        self.all.done(began, ended);
        let silent = self.note(running, steady, ended.saturating_sub(began));
        let mut rescued = Vec::new();
        for job in silent {
            if let Some(one) = rescue(queue, &job, self.lease, memory_bytes_max)? {
                self.noted.remove(&one.id);
                rescued.push(one);
            }
        }
        Ok(rescued)
    }

    /// Those that were not renewed for a whole lease, by a look that began at `steady` and `took`
    /// so long. What is seen for the first time was so at its end at the latest, and what is the
    /// same was so at its beginning at least.
    fn note(&mut self, running: Vec<Running>, steady: Duration, took: Duration) -> Vec<Running> {
        let mut noted = HashMap::with_capacity(running.len());
        let mut silent = Vec::new();
        for job in running {
            let now = Noted { token: job.lease.token, beat: job.beat, since: steady + took };
            let same = |n: &&Noted| n.token == now.token && n.beat == now.beat;
            let kept = self.noted.get(&job.lease.id).filter(same).copied().unwrap_or(now);
            noted.insert(job.lease.id, kept);
            if steady.saturating_sub(kept.since) >= self.lease {
                silent.push(job);
            }
        }
        self.noted = noted;
        silent
    }
}

fn rescue(
    queue: &Queue,
    job: &Running,
    lease: Duration,
    memory_bytes_max: u64,
) -> Result<Option<Rescued>> {
    let worker = job.worker.as_deref().unwrap_or("nobody");
    let message = format!("{worker} did not renew its lease for {} s", lease.as_secs());
    let now = queue.now_micros();
    let id = job.lease.id;
    let params = vec![
        Value::Int(id),
        Value::Int(job.lease.token),
        Value::Int(job.beat),
        Value::Int(now),
        Value::Int(CRASHES_MAX),
        text(&message),
        int(memory_bytes_max),
    ];
    let mut writes = vec![fenced(&sql::RESCUE, params)];
    writes.extend(keep_error(id, now, "crash", &message));
    match queue.write(writes, Priority::Normal, state_of).wait() {
        Ok(state) => {
            tracing::warn!(job = id, worker, state = state.name(), "rescued a job");
            Ok(Some(Rescued { id, worker: job.worker.clone(), state }))
        }
        // It was renewed, or another did it.
        Err(error) if error.kind() == ErrorKind::LeaseLost => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(token: i64, beat: i64) -> Vec<Running> {
        vec![Running { lease: Lease { id: 7, token }, beat, worker: None }]
    }

    #[test]
    fn only_what_is_the_same_for_a_whole_lease_is_silent() {
        let secs = Duration::from_secs;
        let mut rescuer = Rescuer::new(secs(12));
        let mut silent =
            |token, beat, at| rescuer.note(running(token, beat), secs(at), secs(0)).len();
        assert_eq!(silent(1, 0, 100), 0, "seen for the first time");
        assert_eq!(silent(1, 0, 111), 0);
        assert_eq!(silent(1, 1, 111), 0, "renewed");
        assert_eq!(silent(1, 1, 122), 0);
        assert_eq!(silent(1, 1, 123), 1);
        assert_eq!(silent(2, 1, 124), 0, "another's by now");
        assert_eq!(silent(2, 1, 50), 0, "no clock that goes back rescues");
    }

    #[test]
    fn what_a_look_waited_for_is_not_time_in_which_a_worker_was_silent() {
        let secs = Duration::from_secs;
        let mut rescuer = Rescuer::new(secs(12));
        assert_eq!(rescuer.note(running(1, 0), secs(100), secs(10)).len(), 0);
        assert_eq!(rescuer.note(running(1, 0), secs(112), secs(0)).len(), 0, "claimed at 109");
        assert_eq!(rescuer.note(running(1, 0), secs(122), secs(0)).len(), 1);
    }
}
