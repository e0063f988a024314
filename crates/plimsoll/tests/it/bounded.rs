//! Bounded: nothing is reserved above a cap, nothing leaks, and a refusal says what to do.

mod line;
mod model;
mod reclaim;
mod refusal;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll::budget::{Budget, Ledger, LedgerNode, MemoryProbe, MemorySample, Unmeasured};

const MIB: u64 = 1 << 20;

/// A budget of 64 MiB whose memory is not measured.
fn budget() -> Budget {
    Budget::new(64 * MIB, 16 * MIB, Arc::new(Unmeasured)).unwrap()
}

/// A probe whose readings a test sets, in MiB.
#[derive(Default)]
struct SetProbe {
    resident: AtomicU64,
    allocator: AtomicU64,
    allocated: AtomicU64,
    purges: AtomicU64,
    /// Allocator's resident after a purge.
    purged_allocator: AtomicU64,
}

impl SetProbe {
    fn set(&self, resident: u64, allocator: u64, allocated: u64) {
        self.resident.store(resident, Ordering::SeqCst);
        self.allocator.store(allocator, Ordering::SeqCst);
        self.allocated.store(allocated, Ordering::SeqCst);
        self.purged_allocator.store(allocator, Ordering::SeqCst);
    }
}

impl MemoryProbe for SetProbe {
    fn sample(&self) -> MemorySample {
        MemorySample {
            resident_bytes: self.resident.load(Ordering::SeqCst) * MIB,
            allocator_resident_bytes: self.allocator.load(Ordering::SeqCst) * MIB,
            allocator_allocated_bytes: self.allocated.load(Ordering::SeqCst) * MIB,
        }
    }

    fn purge(&self) {
        self.purges.fetch_add(1, Ordering::SeqCst);
        let allocator = self.purged_allocator.load(Ordering::SeqCst);
        let given_back = self.allocator.swap(allocator, Ordering::SeqCst) - allocator;
        self.resident.fetch_sub(given_back, Ordering::SeqCst);
    }
}

/// What is wrong with a ledger: a sum that is off, or a cap that is exceeded.
fn fault(ledger: &Ledger) -> Option<String> {
    fn node_fault(node: &LedgerNode) -> Option<String> {
        let consumers: u64 = node.consumers.iter().map(|c| c.held_bytes).sum();
        let children: u64 = node.children.iter().map(|c| c.held_bytes).sum();
        if consumers + children != node.held_bytes {
            return Some(format!("{} does not hold the sum of its parts", node.name));
        }
        let holding = node.consumers.iter().filter(|c| c.held_bytes > 0).count();
        let below: usize = node.children.iter().map(|c| c.active_consumers).sum();
        if holding + below != node.active_consumers {
            return Some(format!("{} counts its active consumers wrongly", node.name));
        }
        if node.peak_bytes > node.cap_bytes || node.held_bytes > node.peak_bytes {
            return Some(format!("{} was above its cap or its peak", node.name));
        }
        node.children.iter().find_map(node_fault)
    }
    node_fault(&ledger.root)
}

#[test]
fn the_check_of_a_ledger_catches_each_fault() {
    let budget = budget();
    let http = budget.child("http", 8 * MIB).unwrap();
    let held = http.consumer("list").unwrap().try_reserve(MIB).unwrap();
    let sound = budget.ledger();
    assert_eq!(fault(&sound), None);
    for damage in [
        |node: &mut LedgerNode| node.held_bytes += 1,
        |node: &mut LedgerNode| node.active_consumers = 2,
        |node: &mut LedgerNode| node.cap_bytes = node.held_bytes - 1,
        |node: &mut LedgerNode| node.peak_bytes = node.held_bytes - 1,
        |node: &mut LedgerNode| node.consumers[0].held_bytes = 0,
    ] {
        let mut ledger = sound.clone();
        damage(&mut ledger.root.children[0]);
        assert!(fault(&ledger).is_some(), "{ledger:?}");
    }
    drop(held);
}

#[test]
fn a_limit_below_the_minimum_is_refused_with_the_minimum() {
    let error = Budget::new(16 * MIB, 32 * MIB, Arc::new(Unmeasured)).unwrap_err();
    assert_eq!(error.kind(), plimsoll::ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "cannot run under a limit of 16 MiB: the minimum is 32 MiB; raise the limit"
    );
    let budget = budget();
    assert!(budget.set_limit(15 * MIB).is_err());
    assert_eq!(budget.limit_bytes(), 64 * MIB);
    assert!(Budget::new(0, 0, Arc::new(Unmeasured)).is_err());
}

#[test]
fn a_cap_of_nothing_or_above_the_parents_is_refused() {
    let budget = budget();
    let jobs = budget.child("jobs", 32 * MIB).unwrap();
    assert_eq!(
        jobs.child("import", 33 * MIB).unwrap_err().to_string(),
        "cannot give import a cap of 33 MiB: below jobs it is at least 1 B and at most 32 MiB"
    );
    for cap in [0, 64 * MIB + 1, u64::MAX] {
        let error = budget.child("http", cap).unwrap_err();
        assert_eq!(error.kind(), plimsoll::ErrorKind::Invalid);
    }
}

#[test]
fn a_name_that_would_not_survive_a_path_is_refused() {
    let budget = budget();
    let long = "x".repeat(65);
    for name in ["", "a/b", "a\nb", "process", &long] {
        assert!(budget.child(name, MIB).is_err(), "{name:?}");
    }
    for name in ["", "a/b", "a\0b", &long] {
        assert!(budget.consumer(name).is_err(), "{name:?}");
    }
    let _http = budget.child("http", MIB).unwrap();
    assert!(budget.child("http", MIB).is_err());
}

#[test]
fn nodes_levels_and_consumers_are_bounded_and_come_back() {
    use plimsoll::limits::{BUDGET_CONSUMERS_MAX, BUDGET_DEPTH_MAX, BUDGET_NODES_MAX};
    let budget = budget();
    let mut chain = vec![budget.root().clone()];
    while chain.len() < BUDGET_DEPTH_MAX {
        chain.push(chain[chain.len() - 1].child("down", MIB).unwrap());
    }
    let deepest = chain.pop().unwrap();
    let error = deepest.child("down", MIB).unwrap_err();
    assert_eq!(error.kind(), plimsoll::ErrorKind::TooLarge);
    // A consumer keeps its node, and that one its parents.
    let consumer = deepest.consumer("rows").unwrap();
    drop((deepest, chain));
    assert_eq!(consumer.path(), "down/down/down/down/down/down/down/rows");
    drop(consumer);

    let nodes: Vec<_> =
        (1..BUDGET_NODES_MAX).map(|n| budget.child(&format!("n{n}"), MIB).unwrap()).collect();
    assert!(budget.child("one more", MIB).is_err());
    drop(nodes);
    let consumers: Vec<_> =
        (0..BUDGET_CONSUMERS_MAX).map(|_| budget.consumer("request").unwrap()).collect();
    assert!(budget.consumer("one more").is_err());
    drop(consumers);
    assert!(budget.ledger().root.children.is_empty());
    assert!(budget.ledger().root.consumers.is_empty());
}

#[test]
fn a_reservation_moves_to_another_thread_and_gives_back_there() {
    let budget = budget();
    let frames = budget.consumer("frames").unwrap();
    let frame = frames.try_reserve(MIB).unwrap();
    std::thread::spawn(move || drop(frame)).join().unwrap();
    assert_eq!(frames.held_bytes(), 0);
}

#[test]
#[should_panic(expected = "cannot take 2 B out of a reservation of 1 B")]
fn splitting_more_than_is_held_is_a_bug() {
    let mut held = budget().consumer("rows").unwrap().try_reserve(1).unwrap();
    let _two = held.split(2);
}

#[test]
#[should_panic(expected = "cannot merge reservations of two consumers")]
fn merging_two_accounts_is_a_bug() {
    let budget = budget();
    let mut a = budget.consumer("rows").unwrap().try_reserve(1).unwrap();
    a.merge(budget.consumer("rows").unwrap().try_reserve(1).unwrap());
}

#[test]
fn a_lowered_limit_refuses_until_enough_is_given_back_and_takes_nothing_away() {
    let budget = budget();
    let sort = budget.consumer("sort").unwrap();
    let mut held = sort.try_reserve(50 * MIB).unwrap();
    budget.set_limit(32 * MIB).unwrap();
    assert_eq!(held.bytes(), 50 * MIB);
    assert!(held.try_grow(1).is_err());
    held.shrink(30 * MIB);
    held.try_grow(8 * MIB).unwrap();
    assert!(held.try_grow(MIB).is_err());
    budget.set_limit(64 * MIB).unwrap();
    held.try_grow(MIB).unwrap();
}

#[test]
fn asks_at_the_edge_of_the_number_range_are_refused() {
    let budget = Budget::new(u64::MAX, 16 * MIB, Arc::new(Unmeasured)).unwrap();
    let sort = budget.consumer("sort").unwrap();
    assert!(sort.try_reserve(u64::MAX).is_err());
    let mut held = sort.try_reserve(budget.reservable_bytes()).unwrap();
    assert!(held.try_grow(u64::MAX).is_err());
    assert!(held.try_grow(1).is_err());
    held.try_grow(0).unwrap();
}

#[test]
fn the_ledger_lists_everybody_in_order_of_name() {
    let budget = budget();
    let jobs = budget.child("jobs", 32 * MIB).unwrap();
    let http = budget.child("http", 16 * MIB).unwrap();
    let sort = jobs.spilling_consumer("sort").unwrap();
    let group = jobs.consumer("group").unwrap();
    let mut sorted = sort.try_reserve(9 * MIB).unwrap();
    sorted.shrink(8 * MIB);
    let root = budget.ledger().root;
    assert_eq!((root.held_bytes, root.peak_bytes), (MIB, 9 * MIB));
    let names: Vec<&str> = root.children.iter().map(|n| &*n.name).collect();
    assert_eq!(names, ["http", "jobs"]);
    let listed: Vec<(&str, u64, u64, bool)> = root.children[1]
        .consumers
        .iter()
        .map(|c| (&*c.name, c.held_bytes, c.peak_bytes, c.can_spill))
        .collect();
    assert_eq!(listed, [("group", 0, 0, false), ("sort", MIB, 9 * MIB, true)]);
    drop((http, group));
}
