//! A sort that is asked to stop, or whose budget shrinks while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll::ErrorKind;
use plimsoll::budget::headroom_bytes;
use plimsoll::storage::Disk;
use plimsoll::storage::testing::{Call, Fault, Faulty};

use super::{Desk, numbered};

const LIMIT_BYTES_LOW: u64 = 8 << 20;

/// Does `act` at the `nth` call of a kind in the middle of `desk`'s work.
fn at(desk: &Desk, call: Call, nth: u64, act: impl Fn() + Send + Sync + 'static) {
    desk.disk.at(Some(call), nth, Fault::Hook(Arc::new(act)));
}

#[test]
fn a_stop_in_the_middle_leaves_nothing() {
    // More rows than lie between two looks at the wish to stop.
    let (input, _) = numbered(9000, 11);
    for (call, nth) in [
        (Call::CreateDirectory, 1),
        (Call::Write, 1),
        (Call::Write, 20),
        (Call::Read, 1),
        (Call::Read, 8),
    ] {
        for threads in [1, 2] {
            let desk = Desk::new(&input, "k:num").threads(threads);
            let watch = desk.watch.clone();
            at(&desk, call, nth, move || watch.stop());
            let error = desk.sort().expect_err("it was asked to stop");
            assert_eq!(error.kind(), ErrorKind::Stopped, "{call:?} {nth}: {error}");
            assert_eq!(desk.disk.fired(), [call]);
            desk.assert_nothing_left();
        }
    }
}

#[test]
fn a_stop_before_the_start_reads_nothing() {
    let (input, _) = numbered(900, 12);
    for rows in [100, 10_000] {
        let desk = Desk::new(&input, "k:num").fixed_runs(rows);
        desk.watch.stop();
        assert_eq!(desk.sort().expect_err("stopped").kind(), ErrorKind::Stopped);
        assert_eq!(desk.disk.calls(None), 0);
        desk.assert_nothing_left();
    }
}

#[test]
fn a_budget_lowered_in_the_middle_is_obeyed() {
    let (input, sorted) = numbered(3000, 13);
    let (mut right, mut refused) = (0, 0);
    for (call, nth) in [(Call::Create, 1), (Call::Create, 2), (Call::Create, 3), (Call::Write, 1)]
        .into_iter()
        .chain((2..18).step_by(3).map(|nth| (Call::Write, nth)))
        .chain((1..14).step_by(4).map(|nth| (Call::Read, nth)))
    {
        // With the room of somebody else the low limit leaves little or just enough.
        let low = LIMIT_BYTES_LOW - headroom_bytes(LIMIT_BYTES_LOW);
        for others in [0, low - (300 << 10)] {
            let desk = Desk::new(&input, "k:num").fixed_runs(700);
            let other = desk.consumer.try_reserve(others).unwrap();
            let budget = desk.budget.clone();
            at(&desk, call, nth, move || budget.set_limit(LIMIT_BYTES_LOW).unwrap());
            let outcome = desk.sort();
            assert_eq!(desk.disk.fired(), [call]);
            drop(other);
            match outcome {
                Ok(_) => {
                    right += 1;
                    desk.assert_given_back();
                    assert!(desk.sorted() == sorted, "{call:?} {nth}");
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{call:?} {nth}: {error}");
                    assert!(error.refusal().is_some());
                    desk.assert_nothing_left();
                }
            }
        }
    }
    assert!(right > 0 && refused > 0, "{right} were right, {refused} refused");
}

#[test]
fn a_merge_under_a_lowered_budget_gives_memory_back_and_goes_on() {
    let (input, sorted) = numbered(60_000, 15);
    let (mut narrowed, mut refused) = (0, 0);
    for (threads, left) in [(1, 2000 << 10), (1, 1200 << 10), (2, 1800 << 10), (1, 60 << 10)] {
        let mut desk = Desk::new(&input, "k:num").fixed_runs(1000).threads(threads);
        desk.workspace_bytes = 5 << 20;
        let whole = desk.sort().unwrap();
        let reads = desk.disk.calls(Some(Call::Read));
        std::fs::remove_file(desk.output()).unwrap();
        // In the middle of the last merge what the sort may hold becomes `left`.
        desk.disk = Faulty::new(Arc::new(Disk));
        let other = desk.consumer.try_reserve(desk.budget.reservable_bytes() / 2).unwrap();
        let (budget, consumer) = (desk.budget.clone(), desk.consumer.clone());
        let lowered = Arc::new(AtomicU64::new(0));
        let (told, others) = (lowered.clone(), other.bytes());
        at(&desk, Call::Read, reads / 3, move || {
            told.store(consumer.held_bytes() - others, Ordering::Relaxed);
            // The limit stays above 32 MiB.
            budget.set_limit(others + left + headroom_bytes(32 << 20)).unwrap();
        });
        let consumer = desk.consumer.clone();
        let least = Arc::new(AtomicU64::new(u64::MAX));
        for nth in 1..4000 {
            let (consumer, least, lowered) = (consumer.clone(), least.clone(), lowered.clone());
            at(&desk, Call::Write, nth, move || {
                if lowered.load(Ordering::Relaxed) > 0 {
                    least.fetch_min(consumer.held_bytes() - others, Ordering::Relaxed);
                }
            });
        }
        let outcome = desk.sort();
        let held = lowered.load(Ordering::Relaxed);
        assert!(held > left, "{held} were held when {left} were left");
        drop(other);
        match outcome {
            Ok(summary) => {
                assert!(desk.sorted() == sorted, "{threads} threads, {left} left");
                let least = least.load(Ordering::Relaxed);
                assert!(least <= left, "{least} held of {left}, {held} before");
                narrowed += u64::from(summary.spill_bytes > whole.spill_bytes);
                desk.assert_given_back();
            }
            Err(error) => {
                refused += 1;
                assert!(left < 300 << 10, "{left}: {error}");
                assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{error}");
                assert!(error.refusal().is_some());
                desk.assert_nothing_left();
            }
        }
    }
    assert!(narrowed > 0 && refused == 1, "{narrowed} narrowed, {refused} refused");
}

#[test]
fn a_budget_too_small_from_the_start_is_refused() {
    let (input, _) = numbered(900, 14);
    let desk = Desk::new(&input, "k:num");
    let free = desk.budget.reservable_bytes() - desk.budget.reserved_bytes();
    for left in [0, 100 << 10, 500 << 10] {
        let other = desk.consumer.try_reserve(free - left).unwrap();
        let error = desk.sort().expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{error}");
        drop(other);
        desk.assert_nothing_left();
    }
    desk.sort().unwrap();
}
