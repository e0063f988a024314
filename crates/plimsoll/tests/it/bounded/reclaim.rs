//! Before a refusal: memory is measured again, purged, and asked back from those who can spare it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use plimsoll::budget::{Budget, Consumer, Reclaimer, RefusalCause, Reservation};
use plimsoll::limits::BUDGET_RECLAIMERS_MAX;

use super::{MIB, SetProbe, budget, fault};

/// A cache that gives up reservations when asked, and writes down that it was.
struct Cache {
    name: &'static str,
    cost: u32,
    held: Mutex<Option<Reservation>>,
    asked: Arc<Mutex<Vec<(&'static str, u64)>>>,
}

impl Cache {
    fn new(
        name: &'static str,
        cost: u32,
        held: Option<Reservation>,
        asked: &Arc<Mutex<Vec<(&'static str, u64)>>>,
    ) -> Arc<Self> {
        Arc::new(Self { name, cost, held: Mutex::new(held), asked: Arc::clone(asked) })
    }
}

impl Reclaimer for Cache {
    fn name(&self) -> &str {
        self.name
    }

    fn cost(&self) -> u32 {
        self.cost
    }

    fn reclaim(&self, wanted_bytes: u64) -> u64 {
        self.asked.lock().unwrap().push((self.name, wanted_bytes));
        let mut held = self.held.lock().unwrap();
        let Some(reservation) = held.as_mut() else {
            return 0;
        };
        let freed = wanted_bytes.min(reservation.bytes());
        reservation.shrink(freed);
        freed
    }
}

fn weak(cache: &Arc<Cache>) -> Weak<dyn Reclaimer> {
    let cache: Arc<dyn Reclaimer> = cache.clone();
    Arc::downgrade(&cache)
}

#[test]
fn reclaimers_are_asked_the_cheapest_first_and_only_for_what_is_short() {
    let budget = budget();
    let asked = Arc::default();
    let pool = budget.consumer("pool").unwrap();
    let dear = Cache::new("dear", 9, pool.try_reserve(20 * MIB).ok(), &asked);
    let cheap = Cache::new("cheap", 1, pool.try_reserve(2 * MIB).ok(), &asked);
    let empty = Cache::new("empty", 1, None, &asked);
    for cache in [&dear, &cheap, &empty] {
        budget.root().register_reclaimer(weak(cache)).unwrap();
    }
    let sort = budget.consumer("sort").unwrap();
    let first = sort.try_reserve(30 * MIB).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 0);
    // 64 - 5.1 - 22 - 30 leaves 6.9 MiB: 3.1 short, of which the cheap one has 2.
    let left = budget.reservable_bytes() - budget.reserved_bytes();
    let second = sort.try_reserve(10 * MIB).unwrap();
    let short = 10 * MIB - left;
    assert_eq!(
        *asked.lock().unwrap(),
        [("cheap", short), ("empty", short - 2 * MIB), ("dear", short - 2 * MIB)]
    );
    assert_eq!(fault(&budget.ledger()), None);
    drop((first, second));
}

#[test]
fn a_reclaimer_elsewhere_in_the_tree_is_left_alone() {
    let budget = budget();
    let asked = Arc::default();
    let http = budget.child("http", 4 * MIB).unwrap();
    let cache_node = budget.child("cache", 4 * MIB).unwrap();
    let cache = Cache::new("cache", 1, None, &asked);
    cache_node.register_reclaimer(weak(&cache)).unwrap();
    let list = http.consumer("list").unwrap();
    let held = list.try_reserve(4 * MIB).unwrap();
    assert!(list.try_reserve(MIB).is_err());
    assert!(asked.lock().unwrap().is_empty());
    // The whole process is short: now it can help.
    let rest = budget.consumer("rest").unwrap();
    let most = rest.try_reserve(54 * MIB).unwrap();
    assert!(rest.try_reserve(4 * MIB).is_err());
    assert_eq!(asked.lock().unwrap().len(), 1);
    // Where the caller's own cap refuses, a cache would lose its bytes in vain.
    assert!(list.try_reserve(2 * MIB).is_err());
    assert_eq!(asked.lock().unwrap().len(), 1);
    // An ask beyond everything is refused without taking anything from anybody.
    assert!(rest.try_reserve(60 * MIB).is_err());
    assert_eq!(asked.lock().unwrap().len(), 1);
    drop((held, most));
}

#[test]
fn a_dropped_reclaimer_is_forgotten_and_their_number_is_bounded() {
    let budget = budget();
    let asked = Arc::default();
    let mut caches = Vec::new();
    for _ in 0..BUDGET_RECLAIMERS_MAX {
        caches.push(Cache::new("cache", 1, None, &asked));
        let cache = caches.last().unwrap();
        budget.root().register_reclaimer(weak(cache)).unwrap();
    }
    let late = Cache::new("late", 1, None, &asked);
    let error = budget.root().register_reclaimer(weak(&late)).unwrap_err();
    assert_eq!(error.kind(), plimsoll::ErrorKind::TooLarge);
    drop(caches);
    budget.root().register_reclaimer(weak(&late)).unwrap();
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(50 * MIB).unwrap();
    assert!(sort.try_reserve(10 * MIB).is_err());
    assert_eq!(asked.lock().unwrap().len(), 1);
    drop(held);
}

/// A reclaimer that asks the budget itself.
struct Asks(Consumer, Mutex<Option<RefusalCause>>);

impl Reclaimer for Asks {
    fn name(&self) -> &str {
        "asks"
    }

    fn cost(&self) -> u32 {
        1
    }

    fn reclaim(&self, _wanted_bytes: u64) -> u64 {
        let refusal = self.0.try_reserve(30 * MIB).unwrap_err();
        *self.1.lock().unwrap() = Some(refusal.cause);
        0
    }
}

#[test]
fn a_reclaimer_that_asks_the_budget_is_answered_at_once() {
    let budget = budget();
    let asks = Arc::new(Asks(budget.consumer("own").unwrap(), Mutex::default()));
    let shared: Arc<dyn Reclaimer> = asks.clone();
    budget.root().register_reclaimer(Arc::downgrade(&shared)).unwrap();
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(40 * MIB).unwrap();
    assert!(sort.try_reserve(20 * MIB).is_err());
    assert_eq!(*asks.1.lock().unwrap(), Some(RefusalCause::Full));
    drop(held);
}

#[test]
fn the_longest_waiting_ask_gets_what_a_cache_has_gathered_since() {
    let budget = budget();
    let asked = Arc::default();
    let cache = Cache::new("cache", 1, None, &asked);
    budget.root().register_reclaimer(weak(&cache)).unwrap();
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(40 * MIB).unwrap();
    let waits = budget.consumer("waits").unwrap();
    let mut ask = pin!(waits.acquire(45 * MIB));
    let mut context = Context::from_waker(Waker::noop());
    assert!(ask.as_mut().poll(&mut context).is_pending());
    // Holding bytes already, the owner of the cache passes the line.
    *cache.held.lock().unwrap() = sort.try_reserve(15 * MIB).ok();
    drop(held);
    assert!(ask.as_mut().poll(&mut context).is_pending());
    budget.measure();
    match ask.poll(&mut context) {
        Poll::Ready(answer) => assert_eq!(answer.unwrap().bytes(), 45 * MIB),
        Poll::Pending => panic!("the cache was not asked"),
    }
}

fn measured(resident: u64, allocator: u64, allocated: u64) -> (Arc<SetProbe>, Budget) {
    let probe = Arc::new(SetProbe::default());
    probe.set(resident, allocator, allocated);
    let budget = Budget::new(64 * MIB, 16 * MIB, Arc::clone(&probe) as _).unwrap();
    (probe, budget)
}

#[test]
fn memory_is_measured_again_before_a_refusal() {
    let (probe, budget) = measured(60, 50, 50);
    let sort = budget.consumer("sort").unwrap();
    assert!(sort.try_reserve(20 * MIB).is_err());
    probe.set(14, 8, 8);
    // No reading in between: the ask itself takes one.
    let held = sort.try_reserve(20 * MIB).unwrap();
    assert_eq!(probe.purges.load(Ordering::SeqCst), 0);
    drop(held);
}

#[test]
fn unused_pages_are_purged_before_a_cache_loses_anything() {
    let (probe, budget) = measured(44, 38, 7);
    probe.purged_allocator.store(8, Ordering::SeqCst);
    let asked = Arc::default();
    let cache = Cache::new("cache", 1, None, &asked);
    budget.root().register_reclaimer(weak(&cache)).unwrap();
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(40 * MIB).unwrap();
    assert_eq!(probe.purges.load(Ordering::SeqCst), 1);
    assert!(asked.lock().unwrap().is_empty());
    drop(held);
}

#[test]
fn refusals_in_a_row_do_not_purge_in_a_row() {
    let (probe, budget) = measured(60, 50, 40);
    let sort = budget.consumer("sort").unwrap();
    for _ in 0..100 {
        assert!(sort.try_reserve(20 * MIB).is_err());
    }
    assert_eq!(probe.purges.load(Ordering::SeqCst), 1);
}
