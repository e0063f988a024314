//! Waiting: first come, first served, and nobody is forgotten.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use plimsoll::budget::{Acquire, Refusal, RefusalCause, Reservation};
use plimsoll::limits::BUDGET_WAITERS_MAX;

use super::{MIB, SetProbe, budget, fault};

/// Long enough that only a lost wake-up reaches it.
const NEVER: Duration = Duration::from_secs(60);

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An ask with the count of its wake-ups.
struct Ask {
    acquire: Acquire,
    woken: Arc<Count>,
}

impl Ask {
    fn new(acquire: Acquire) -> Self {
        Self { acquire, woken: Arc::default() }
    }

    /// An ask that was polled once and stands in line.
    fn in_line(acquire: Acquire) -> Self {
        let mut ask = Self::new(acquire);
        assert!(ask.poll().is_pending());
        ask
    }

    fn poll(&mut self) -> Poll<Result<Reservation, Refusal>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.woken.0.load(Ordering::SeqCst)
    }

    /// The reservation of an ask that was woken for it.
    fn granted(mut self) -> Reservation {
        assert_eq!(self.wakes(), 1);
        match self.poll() {
            Poll::Ready(answer) => answer.unwrap(),
            Poll::Pending => panic!("woken without an answer"),
        }
    }
}

#[test]
fn a_small_later_ask_does_not_overtake_a_big_earlier_one() {
    let budget = budget();
    let jobs = budget.child("jobs", 10 * MIB).unwrap();
    let mut held = jobs.consumer("sort").unwrap().try_reserve(8 * MIB).unwrap();
    let big = Ask::in_line(jobs.consumer("big").unwrap().acquire(6 * MIB));
    // 2 MiB are left, and still the small one waits.
    let small_consumer = jobs.consumer("small").unwrap();
    let small = Ask::in_line(small_consumer.acquire(MIB));
    held.shrink(3 * MIB);
    assert_eq!((big.wakes(), small.wakes()), (0, 0));
    held.shrink(MIB);
    assert_eq!((big.wakes(), small.wakes()), (1, 0));
    held.shrink(MIB);
    assert_eq!(small.wakes(), 1);
    let both = (big.granted(), small.granted());
    assert_eq!(jobs.held_bytes(), 10 * MIB);
    drop((both, held));
    assert_eq!(budget.reserved_bytes(), 0);
}

#[test]
fn asks_of_one_size_are_served_in_order_of_arrival() {
    let budget = budget();
    let jobs = budget.child("jobs", 4 * MIB).unwrap();
    let consumer = jobs.consumer("sort").unwrap();
    let mut held = consumer.try_reserve(4 * MIB).unwrap();
    let asks: Vec<Ask> = (0..8).map(|_| Ask::in_line(consumer.acquire(MIB))).collect();
    for served in 1..=4 {
        held.shrink(MIB);
        let wakes: Vec<usize> = asks.iter().map(Ask::wakes).collect();
        let expected: Vec<usize> = (0..8).map(|n| usize::from(n < served)).collect();
        assert_eq!(wakes, expected);
    }
}

#[test]
fn an_ask_passes_those_that_wait_for_another_level() {
    let budget = budget();
    let http = budget.child("http", 4 * MIB).unwrap();
    let jobs = budget.child("jobs", 4 * MIB).unwrap();
    let held = http.consumer("list").unwrap().try_reserve(4 * MIB).unwrap();
    let waits = Ask::in_line(http.consumer("stream").unwrap().acquire(MIB));
    let mut other = Ask::new(jobs.consumer("sort").unwrap().acquire(MIB));
    assert!(matches!(other.poll(), Poll::Ready(Ok(_))));
    drop(held);
    assert_eq!(waits.wakes(), 1);
}

#[test]
fn a_newcomer_stands_behind_the_line_and_running_work_passes_it() {
    let budget = budget();
    let jobs = budget.child("jobs", 10 * MIB).unwrap();
    let running = jobs.consumer("running").unwrap();
    let mut held = running.try_reserve(8 * MIB).unwrap();
    let big = Ask::in_line(jobs.consumer("big").unwrap().acquire(6 * MIB));
    let newcomer = jobs.consumer("newcomer").unwrap();
    let refusal = newcomer.try_reserve(MIB).unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::Behind { waiting: 1 });
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 1 MiB for jobs/newcomer, which holds 0 B: 2 MiB is left of jobs's 10 MiB, \
         and 1 earlier ask waits for it; most is held by jobs/running 8 MiB; wait in line, or \
         raise the cap of jobs"
    );
    held.try_grow(MIB).unwrap();
    let more = running.try_reserve(MIB / 2).unwrap();
    drop((more, held));
    assert_eq!(big.granted().bytes(), 6 * MIB);
}

#[test]
fn a_dropped_ask_leaves_the_line_and_lets_the_next_go() {
    let budget = budget();
    let jobs = budget.child("jobs", 10 * MIB).unwrap();
    let held = jobs.consumer("sort").unwrap().try_reserve(8 * MIB).unwrap();
    let consumer = jobs.consumer("waits").unwrap();
    let big = Ask::in_line(consumer.acquire(6 * MIB));
    let middle = Ask::in_line(consumer.acquire(2 * MIB));
    let last = Ask::in_line(consumer.acquire(2 * MIB));
    drop(middle);
    assert_eq!(budget.ledger().waiting, 2);
    assert_eq!(last.wakes(), 0);
    drop(big);
    assert_eq!(last.granted().bytes(), 2 * MIB);
    assert_eq!(budget.ledger().waiting, 0);
    drop(held);
}

#[test]
fn bytes_granted_to_an_ask_that_is_dropped_go_to_the_next() {
    let budget = budget();
    let jobs = budget.child("jobs", 4 * MIB).unwrap();
    let consumer = jobs.consumer("waits").unwrap();
    let held = consumer.try_reserve(4 * MIB).unwrap();
    let first = Ask::in_line(consumer.acquire(4 * MIB));
    let second = Ask::in_line(consumer.acquire(4 * MIB));
    drop(held);
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    drop(first);
    drop(second.granted());
    assert_eq!(budget.reserved_bytes(), 0);
}

#[test]
fn giving_up_takes_what_was_granted_meanwhile() {
    let budget = budget();
    let jobs = budget.child("jobs", 4 * MIB).unwrap();
    let consumer = jobs.consumer("waits").unwrap();
    let held = consumer.try_reserve(4 * MIB).unwrap();
    let granted = Ask::in_line(consumer.acquire(MIB));
    let waits = Ask::in_line(consumer.acquire(4 * MIB));
    drop(held);
    let taken = granted.acquire.give_up().unwrap();
    assert_eq!(taken.bytes(), MIB);
    let refusal = waits.acquire.give_up().unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::Deadline { waiting: 0 });
    assert_eq!(consumer.acquire(MIB).give_up().unwrap().bytes(), MIB);
}

#[test]
fn only_the_last_waker_is_woken() {
    let budget = budget();
    let consumer = budget.child("jobs", MIB).unwrap().consumer("c").unwrap();
    let held = consumer.try_reserve(MIB).unwrap();
    let mut ask = Ask::in_line(consumer.acquire(MIB));
    let before = std::mem::take(&mut ask.woken);
    assert!(ask.poll().is_pending());
    drop(held);
    assert_eq!(before.0.load(Ordering::SeqCst), 0);
    drop(ask.granted());
}

#[test]
fn an_ask_that_can_never_be_served_does_not_wait() {
    let budget = budget();
    let consumer = budget.child("jobs", MIB).unwrap().consumer("c").unwrap();
    let refusal = consumer.acquire(MIB + 1).wait(NEVER).unwrap_err();
    assert_eq!(refusal.cause, RefusalCause::Never);
    // Nor does one that a lowered limit has made impossible.
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(30 * MIB).unwrap();
    let mut ask = Ask::in_line(budget.consumer("big").unwrap().acquire(40 * MIB));
    budget.set_limit(32 * MIB).unwrap();
    assert_eq!(ask.wakes(), 1);
    match ask.poll() {
        Poll::Ready(Err(refusal)) => assert_eq!(refusal.cause, RefusalCause::Never),
        other => panic!("{other:?}"),
    }
    drop(held);
}

#[test]
fn the_line_is_bounded_and_says_so() {
    let budget = budget();
    let consumer = budget.child("jobs", MIB).unwrap().consumer("c").unwrap();
    let held = consumer.try_reserve(MIB).unwrap();
    let asks: Vec<Ask> =
        (0..BUDGET_WAITERS_MAX).map(|_| Ask::in_line(consumer.acquire(1))).collect();
    let refusal = consumer.acquire(1).wait(NEVER).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 1 B for jobs/c, which holds 1 MiB: 0 B is left of jobs's 1 MiB, and the \
         line is full: 512 asks wait; most is held by jobs/c 1 MiB; try again later, or raise \
         the cap of jobs"
    );
    drop(asks);
    assert_eq!(budget.ledger().waiting, 0);
    drop(held);
}

#[test]
fn a_raised_limit_and_a_new_reading_serve_the_line() {
    let probe = Arc::new(SetProbe::default());
    probe.set(40, 10, 10);
    let budget =
        plimsoll::budget::Budget::new(64 * MIB, 16 * MIB, Arc::clone(&probe) as _).unwrap();
    let consumer = budget.consumer("sort").unwrap();
    // 64 - 5.1 headroom - 30 outside - 10 unreserved.
    let first = Ask::in_line(consumer.acquire(25 * MIB));
    let second = Ask::in_line(consumer.acquire(25 * MIB));
    probe.set(20, 10, 10);
    budget.measure();
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    budget.set_limit(96 * MIB).unwrap();
    assert_eq!(second.wakes(), 1);
    drop((first.granted(), second.granted()));
}

#[test]
fn blocked_threads_are_all_served_and_nothing_leaks() {
    let budget = budget();
    let jobs = budget.child("jobs", 3 * MIB).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let consumer = jobs.consumer(&format!("t{thread}")).unwrap();
            scope.spawn(move || {
                for round in 0..200u64 {
                    let bytes = (thread + round) % 3 * MIB + 1;
                    let held = consumer.acquire(bytes).wait(NEVER).unwrap();
                    assert_eq!(held.bytes(), bytes);
                }
            });
        }
    });
    let ledger = budget.ledger();
    assert_eq!(fault(&ledger), None);
    assert_eq!((ledger.root.held_bytes, ledger.waiting), (0, 0));
}
