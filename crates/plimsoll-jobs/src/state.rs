//! What a job may be, and what makes it something else.
//!
//! ```text
//!  enqueue, later ─> scheduled ── its time ──> ready ── claim ──> running ── done ──> completed
//!  enqueue, now ─────────────────────────────> ready                │
//!                                                ^ ^                │
//!                 retrying ──── its time ────────┘ │                │
//!                    ^                             │                │
//!                    └── error, tries left ────────┼────────────────┤
//!                                                  │                │
//!                     handed back, or rescued ─────┴────────────────┤
//!                                                                   ├── error, none left ─> failed
//!                                                                   └── third crash ─> quarantined
//!
//!  pause    scheduled, ready, retrying ─> paused    running ─> paused, where it stops next
//!  resume   paused ─> ready
//!  cancel   all but what is over ─> cancelled       running ─> cancelled, where it stops next
//!  retry    failed, cancelled, quarantined ─> ready
//! ```
//!
//! A rescue is what happens to a running job whose worker does not renew its lease: an event, not
//! a state.
//!
//! Promises: [`State::after`] is the whole machine; the statements of the queue are tested against
//! it, pair by pair, on both databases.
//! Never: a job that is over and becomes something without being asked for.

/// What a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its time has not come.
    Scheduled,
    /// Waits for a worker.
    Ready,
    /// A worker has it, under a lease.
    Running,
    /// It failed, and is tried again at its time.
    Retrying,
    /// Waits until it is resumed.
    Paused,
    /// Done.
    Completed,
    /// Failed for good.
    Failed,
    /// Was cancelled.
    Cancelled,
    /// Its workers died three times: somebody has to look.
    Quarantined,
}

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Its time has come.
    Due,
    /// A worker took it.
    Claim,
    /// Its work is done.
    Complete,
    /// Its work failed, and it has tries left.
    Retry,
    /// Its work failed, and nothing is left.
    GiveUp,
    /// Its worker gave it back: it stops, or the memory is needed.
    HandBack,
    /// Its worker was not heard of.
    Rescue,
    /// The same for the last time that is allowed.
    Quarantine,
    /// It is to stop until it is resumed.
    Pause,
    /// It is to go on.
    Resume,
    /// It is not wanted any more.
    Cancel,
    /// It is wanted again.
    Restart,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Ready,
        Self::Running,
        Self::Retrying,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Quarantined,
    ];

    /// As it stands in the database and in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to it by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Quarantined)
    }

    /// What a job in this state is after an event; `None` where that cannot happen to it.
    #[must_use]
    pub fn after(self, event: Step) -> Option<Self> {
        use Step as E;
        Some(match (self, event) {
            (Self::Scheduled | Self::Retrying, E::Due) => Self::Ready,
            (Self::Ready, E::Claim) => Self::Running,
            (Self::Running, E::Complete) => Self::Completed,
            (Self::Running, E::Retry) => Self::Retrying,
            (Self::Running, E::GiveUp) => Self::Failed,
            (Self::Running, E::HandBack | E::Rescue) => Self::Ready,
            (Self::Running, E::Quarantine) => Self::Quarantined,
            (Self::Scheduled | Self::Ready | Self::Retrying | Self::Running, E::Pause) => {
                Self::Paused
            }
            (Self::Paused, E::Resume) => Self::Ready,
            (state, E::Cancel) if !state.is_over() => Self::Cancelled,
            (Self::Failed | Self::Cancelled | Self::Quarantined, E::Restart) => Self::Ready,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_becomes_something_only_when_it_is_asked_for() {
        let events = [
            Step::Due,
            Step::Claim,
            Step::Complete,
            Step::Retry,
            Step::GiveUp,
            Step::HandBack,
            Step::Rescue,
            Step::Quarantine,
            Step::Pause,
            Step::Resume,
            Step::Cancel,
        ];
        for state in State::ALL.into_iter().filter(|state| state.is_over()) {
            assert!(events.iter().all(|event| state.after(*event).is_none()), "{state:?}");
        }
        assert_eq!(State::Completed.after(Step::Restart), None);
    }

    #[test]
    fn every_state_is_reached_and_every_name_is_its_own() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
        assert_eq!(State::named("rescued"), None);
    }
}
