//! A disk that fails at any one call: the sort is right, or refuses and leaves nothing.

use std::sync::Arc;

use plimsoll::ErrorKind;
use plimsoll::spill::{Codec, SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault};

use super::{Desk, numbered};

/// Calls a sort of these tests makes at most.
const CALLS_MAX: u64 = 800;

/// What a sort under one fault came to.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The fault did not happen.
    Clear,
    /// It happened and did no harm.
    Unharmed,
    Refused,
}

/// Sorts with `fault` at the `nth` call and looks at what is left.
fn end_of(desk: &Desk, nth: u64, fault: Fault, sorted: &[u8]) -> End {
    desk.disk.at(None, nth, fault);
    let outcome = desk.sort();
    let fired = desk.disk.fired();
    let how = format!("call {nth}, {fired:?}");
    // What could not be removed or was not known to be ours is the next one's to remove.
    let kept = [Call::RemoveFile, Call::RemoveDirectory, Call::List, Call::TryLock, Call::IsAt];
    if fired.iter().any(|call| kept.contains(call)) {
        drop(SpillArea::open(Arc::new(Disk), &desk.spill_root(), desk.spill).unwrap());
    }
    match outcome {
        Ok(_) => {
            desk.assert_given_back();
            assert!(desk.sorted() == sorted, "{how}");
            if fired.is_empty() { End::Clear } else { End::Unharmed }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Io, "{how}: {error}");
            assert_eq!(fired.len(), 1, "{how}: {error}");
            if fired == [Call::SyncDirectory] {
                // The output has its name then, and all its bytes.
                desk.assert_given_back();
                assert!(desk.sorted() == sorted, "{how}");
                assert!(error.to_string().contains("has its name"), "{how}: {error}");
            } else {
                desk.assert_given_back();
                assert!(!desk.output().exists(), "{how}: an output was left");
            }
            End::Refused
        }
    }
}

/// One fault at each call of a sort in turn. Returns how many sorts were refused.
fn fail_every_call(make: &dyn Fn() -> Desk, fault: &Fault, sorted: &[u8]) -> u64 {
    let mut refused = 0;
    for nth in 1..CALLS_MAX {
        match end_of(&make(), nth, fault.clone(), sorted) {
            End::Clear => return refused,
            End::Unharmed => {}
            End::Refused => refused += 1,
        }
    }
    panic!("a sort makes fewer than {CALLS_MAX} calls");
}

#[test]
fn every_call_of_a_spilling_sort_may_fail() {
    let (input, sorted) = numbered(900, 1);
    let make = || Desk::new(&input, "k:num").fixed_runs(300);
    for number in [ENOSPC, EIO] {
        let refused = fail_every_call(&make, &Fault::Errno(number), &sorted);
        assert!(refused > 20, "{refused}");
    }
}

#[test]
fn every_call_of_a_sort_with_several_threads_and_a_codec_may_fail() {
    let (input, sorted) = numbered(900, 2);
    let make = || {
        let mut desk = Desk::new(&input, "k:num").fixed_runs(300).threads(2);
        desk.workspace_bytes = 6 << 20;
        desk.spill = SpillOptions { codec: Codec::Lz4, ..desk.spill };
        desk
    };
    let refused = fail_every_call(&make, &Fault::Errno(ENOSPC), &sorted);
    assert!(refused > 10, "{refused}");
}

#[test]
fn every_call_of_a_sort_in_several_passes_may_fail() {
    let (input, sorted) = numbered(640, 3);
    let make = || {
        let mut desk = Desk::new(&input, "k:num").fixed_runs(12);
        desk.workspace_bytes = 850 << 10;
        desk
    };
    let passes = make().sort().unwrap().passes;
    assert!(passes > 1, "{passes}");
    let refused = fail_every_call(&make, &Fault::Errno(EIO), &sorted);
    assert!(refused > 20, "{refused}");
}

#[test]
fn every_call_of_a_sort_in_memory_may_fail() {
    let (input, sorted) = numbered(900, 4);
    let make = || Desk::new(&input, "k:num");
    assert_eq!(make().sort().unwrap().runs, 0);
    let refused = fail_every_call(&make, &Fault::Kind(std::io::ErrorKind::Other), &sorted);
    assert!(refused > 3, "{refused}");
}

#[test]
fn every_call_of_a_sort_to_a_compressed_output_may_fail() {
    let (input, _) = numbered(900, 5);
    for (name, rows) in [("out.csv.gz", 400), ("out.csv.zst", 400), ("out.csv.gz", 9000)] {
        let make = || Desk::named("in.csv", &input, name, "k:num").fixed_runs(rows);
        let whole = make();
        whole.sort().unwrap();
        let refused = fail_every_call(&make, &Fault::Errno(ENOSPC), &whole.sorted());
        assert!(refused > 4, "{name}: {refused}");
    }
}

#[test]
fn a_full_disk_below_a_compressor_is_told() {
    // Half of it does not compress: the output is several blocks, and the compressor has more to
    // write when one of them fails.
    let mut random = super::random(5);
    let mut input = b"k,n,filling\n".to_vec();
    for n in 0..5000 {
        let noise: String = (0..8).map(|_| format!("{:016x}", random.bits())).collect();
        input.extend(format!("{},{n},{noise}\n", random.below(9)).bytes());
    }
    for name in ["out.csv.gz", "out.csv.zst"] {
        let make = || Desk::named("in.csv", &input, name, "k:num");
        let whole = make();
        whole.sort().unwrap();
        let writes = whole.disk.calls(Some(Call::Write));
        assert!(whole.sorted().len() > 5 * (64 << 10), "several blocks");
        for nth in writes - 5..=writes {
            let desk = make();
            desk.disk.at(Some(Call::Write), nth, Fault::Errno(ENOSPC));
            let error = desk.sort().expect_err("the disk is full");
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert_eq!(desk.disk.fired(), [Call::Write]);
            desk.assert_nothing_left();
        }
    }
}

#[test]
fn a_sort_with_short_reads_is_right() {
    let (input, sorted) = numbered(900, 6);
    for most in [777, 4096] {
        let desk = Desk::new(&input, "k:num").fixed_runs(300);
        desk.disk.shorten_reads(most);
        assert!(desk.sort().unwrap().runs >= 3);
        assert!(desk.disk.calls(Some(Call::Read)) > 20);
        assert!(desk.sorted() == sorted);
        desk.assert_given_back();
    }
}

#[test]
fn a_thread_that_panics_while_it_reads_a_run_ends_the_sort() {
    let (input, _) = numbered(900, 9);
    let reads = {
        let desk = Desk::new(&input, "k:num").fixed_runs(100);
        desk.sort().unwrap();
        desk.disk.calls(Some(Call::Read))
    };
    for nth in [1, reads / 2, reads] {
        let desk = Desk::new(&input, "k:num").fixed_runs(100);
        let bug = || panic!("a bug that the test brings along");
        desk.disk.at(Some(Call::Read), nth, Fault::Hook(Arc::new(bug)));
        let error = desk.sort().expect_err("a block never came");
        assert!(error.to_string().contains("the reading thread ended"), "{error}");
        desk.assert_nothing_left();
    }
}

#[test]
fn a_damaged_run_is_corrupt_and_gives_no_output() {
    let (input, sorted) = numbered(900, 7);
    // Every write of a block of rows or of a page of the index has its 10th byte, but not all
    // have a 9000th or anything but zeros in their second half: such damage does no harm.
    for (fault, always) in
        [(Fault::Flip(77), true), (Fault::Flip(9000 * 8), false), (Fault::Tear, false)]
    {
        let mut seen = 0;
        for nth in 1..=6 {
            let desk = Desk::new(&input, "k:num").fixed_runs(300);
            desk.disk.at(Some(Call::Write), nth, fault.clone());
            match desk.sort() {
                Ok(_) => {
                    assert!(!always, "{fault:?} {nth}: the damage is seen");
                    assert!(desk.sorted() == sorted, "{fault:?} {nth}: the damage does no harm");
                    desk.assert_given_back();
                }
                Err(error) => {
                    seen += 1;
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{fault:?} {nth}: {error}");
                    desk.assert_nothing_left();
                }
            }
        }
        assert!(seen > 0, "{fault:?} is never seen");
    }
}

#[test]
fn a_quota_that_is_reached_is_too_large_and_leaves_nothing() {
    let (input, sorted) = numbered(900, 8);
    let whole = Desk::new(&input, "k:num").fixed_runs(300);
    let needed = whole.sort().unwrap().spill_peak_bytes;
    for quota in [0, 4096, needed / 2, needed - 1, needed] {
        for threads in [1, 2] {
            let mut desk = Desk::new(&input, "k:num").fixed_runs(300).threads(threads);
            desk.spill.quota_bytes = Some(quota);
            match desk.sort() {
                Ok(_) => {
                    assert_eq!(quota, needed);
                    desk.assert_given_back();
                    assert!(desk.sorted() == sorted);
                }
                Err(error) => {
                    assert!(quota < needed);
                    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
                    desk.assert_nothing_left();
                }
            }
        }
    }
}
