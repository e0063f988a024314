//! The statements of the queue are the machine of [`State`], pair by pair.

use std::time::Duration;

use plimsoll_jobs::{ErrorKind, JobId, NewJob, Rescuer, State, Step, Trying, Verdict};

use crate::fixture::{Fixture, NOW, claim};

const STEPS: [Step; 12] = [
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
    Step::Restart,
];

fn verdict(state: State) -> Verdict {
    let not_before_micros = (state == State::Retrying).then_some(NOW + 1_000_000);
    Verdict { state, not_before_micros, attempts: 1, exceptions: 1 }
}

/// A job in a state, by ways that a job goes.
fn put(fixture: &Fixture, state: State) -> JobId {
    let later = (state == State::Scheduled).then_some(NOW + 1_000_000);
    let job = NewJob { not_before_micros: later, ..NewJob::new("step", "{}") };
    let id = fixture.enqueue(&job);
    if matches!(state, State::Scheduled | State::Ready) {
        return id;
    }
    if state == State::Paused {
        fixture.queue.pause(id).expect("paused");
        return id;
    }
    if state == State::Cancelled {
        fixture.queue.cancel(id).expect("cancelled");
        return id;
    }
    let claimed = fixture.claim(1);
    let lease = claimed[0].lease;
    assert_eq!(lease.id, id, "the only one that is ready");
    match state {
        State::Running => {}
        State::Completed => {
            fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
        }
        State::Retrying | State::Failed => {
            let what = ("error", "wrong");
            fixture.queue.fail(lease, &verdict(state), what, 0).wait().expect("failed");
        }
        State::Quarantined => {
            rescue(fixture);
            for _ in 0..2 {
                assert_eq!(fixture.claim(1).len(), 1);
                rescue(fixture);
            }
        }
        other => panic!("{other:?}"),
    }
    id
}

/// Rescues what runs: nobody renews it.
fn rescue(fixture: &Fixture) -> usize {
    let mut rescuer = Rescuer::new(Duration::from_secs(12));
    let mut rescued = 0;
    for seconds in [1, 14] {
        let at = Duration::from_secs(seconds);
        rescued += rescuer.look(&fixture.queue, at, u64::MAX >> 1).expect("looked").len();
    }
    rescued
}

/// Lets an event happen to a job, whatever it is; whether it did.
fn happen(fixture: &Fixture, id: JobId, event: Step) -> bool {
    let queue = &fixture.queue;
    let lease = plimsoll_jobs::Lease { id, token: queue.show(id).wait().expect("a job").token };
    let answer = match event {
        Step::Due => {
            fixture.clock.pass(Duration::from_secs(2));
            let met = queue.due().wait().expect("due");
            fixture.clock.set_back(Duration::from_secs(2));
            return met == 1;
        }
        Step::Claim => return claim(queue, "w2", "default", 10).len() == 1,
        Step::Rescue => return rescue(fixture) == 1,
        // The same statement, behind two crashes.
        Step::Quarantine => return State::Running == fixture.state(id) && twice_crashed(fixture),
        Step::Complete => queue.complete(lease, Vec::new(), None, 0).wait(),
        Step::Retry => {
            queue.fail(lease, &verdict(State::Retrying), ("error", "e"), 0).wait().map(drop)
        }
        Step::GiveUp => {
            queue.fail(lease, &verdict(State::Failed), ("error", "e"), 0).wait().map(drop)
        }
        Step::HandBack => queue.hand_back(lease, 0).wait().map(drop),
        Step::Pause => queue.pause(id).map(drop),
        Step::Resume => queue.resume(id).map(drop),
        Step::Cancel => queue.cancel(id).map(drop),
        Step::Restart => queue.restart(id).map(drop),
    };
    match answer {
        Ok(()) => true,
        Err(e) => {
            assert!(matches!(e.kind(), ErrorKind::Conflict | ErrorKind::LeaseLost), "{e}");
            false
        }
    }
}

fn twice_crashed(fixture: &Fixture) -> bool {
    for _ in 0..2 {
        assert_eq!(rescue(fixture), 1);
        assert_eq!(fixture.claim(1).len(), 1);
    }
    rescue(fixture) == 1
}

#[test]
fn every_statement_is_one_step_of_the_machine_and_no_other() {
    for state in State::ALL {
        for event in STEPS {
            let fixture = Fixture::new();
            let id = put(&fixture, state);
            assert_eq!(fixture.state(id), state, "put");
            let happened = happen(&fixture, id, event);
            let expected = state.after(event);
            let now = fixture.state(id);
            let asked = matches!(event, Step::Pause | Step::Cancel) && state == State::Running;
            if asked {
                // A running job is asked, and does it where it stops next.
                assert_eq!((happened, now), (true, State::Running), "{state:?} {event:?}");
                assert!(happen(&fixture, id, Step::HandBack));
                assert_eq!(Some(fixture.state(id)), expected, "{state:?} {event:?}");
                continue;
            }
            assert_eq!(happened, expected.is_some(), "{state:?} {event:?}");
            assert_eq!(now, expected.unwrap_or(state), "{state:?} {event:?}");
        }
    }
}

#[test]
fn a_failed_attempt_of_a_job_that_was_paused_or_cancelled_ends_there() {
    for (event, expected) in [(Step::Pause, State::Paused), (Step::Cancel, State::Cancelled)] {
        let fixture = Fixture::new();
        let id = put(&fixture, State::Running);
        assert!(happen(&fixture, id, event));
        assert!(happen(&fixture, id, Step::Retry));
        assert_eq!(fixture.state(id), expected);
        let job = fixture.queue.show(id).wait().expect("a job");
        assert_eq!((job.wish, job.error.as_deref()), (None, Some("e")));
    }
}

#[test]
fn a_job_is_tried_as_its_kind_says() {
    let fixture = Fixture::new();
    let trying = Trying { tries_max: 7, exceptions_max: 2, timeout_ms: 5 };
    fixture.enqueue(&NewJob { trying, ..NewJob::new("step", "{}") });
    assert_eq!(fixture.claim(1)[0].trying, trying);
}
