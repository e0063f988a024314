//! A disk that fails at any one call: groups are right, or refused, and nothing is left.

use plimsoll::spill::SpillArea;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault, Faulty};

use super::*;

/// Calls that a job of these tests makes at most.
const CALLS_MAX: u64 = 1_200;
/// What could not be removed or was not known to be ours is the next one's to remove.
const KEPT: [Call; 5] =
    [Call::RemoveFile, Call::RemoveDirectory, Call::List, Call::TryLock, Call::IsAt];

/// A job that spills, by name.
type Job = Box<dyn Fn(&Place, Tool<'_>) -> Result<Summary>>;

fn jobs() -> [(&'static str, Job); 3] {
    let measured = |measures: &'static str| -> Job {
        Box::new(move |place, tool| {
            let mut job = place.group(&["k"], measures);
            job.output = Output::File { path: place.path("out.csv"), fsync: true };
            job.plan(tool)?.run()
        })
    };
    [
        ("group", measured("count(*) as n, max(t) as hi")),
        ("values", measured("count(*) as n, count(distinct t) as d, median(v) as m")),
        ("distinct", Box::new(|place, tool| place.distinct(&[], false).plan(tool)?.run())),
    ]
}

/// More groups than the least memory holds, each of two rows.
fn input() -> String {
    let mut text = String::from("k,v,t\n");
    for n in 0..9_000 {
        let key = n % 4_500;
        writeln!(text, "the long name of key {key:06},{n}.5,{}", "t".repeat(n % 60)).unwrap();
    }
    text
}

/// Runs `job` on `disk`; whatever comes of it, nothing is left.
fn run(place: &Place, disk: &Faulty, job: &Job) -> Result<Summary> {
    let sweep = || {
        if disk.fired().iter().any(|call| KEPT.contains(call)) {
            let spill =
                SpillOptions { quota_bytes: None, codec: Codec::None, memory_file_system: true };
            drop(SpillArea::open(Arc::new(Disk), &place.path("spill"), spill).unwrap());
        }
    };
    place.stored(TINY, &Watch::default(), Arc::new(disk.clone()), |tool| job(place, tool), sweep)
}

/// One fault at each `step`th call in turn. Returns how many jobs were refused.
fn fail_calls(text: &str, job: &Job, fault: &Fault, step: usize, expected: &[String]) -> u64 {
    let mut refused = 0;
    for nth in (1..CALLS_MAX).step_by(step) {
        let (place, disk) = (Place::new(text), Faulty::new(Arc::new(Disk)));
        disk.at(None, nth, fault.clone());
        let outcome = run(&place, &disk, job);
        let fired = disk.fired();
        let how = format!("call {nth}, {fired:?}");
        match outcome {
            Ok(summary) => {
                assert!(place.lines() == expected, "{how}");
                if fired.is_empty() {
                    assert!(summary.passes > 0, "{summary:?}");
                    return refused;
                }
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{how}: {error}");
                assert_eq!(fired.len(), 1, "{how}: {error}");
                // Then the output has its name, and all its bytes.
                let named = fired == [Call::SyncDirectory];
                assert_eq!(place.has_output(), named, "{how}: {error}");
                refused += 1;
            }
        }
    }
    panic!("a job makes fewer than {CALLS_MAX} calls");
}

/// Each call of the job fails once for want of room, and every seventh as a broken disk does.
fn every_call_may_fail(name: &str) {
    let text = input();
    let (_, job) = jobs().into_iter().find(|(known, _)| *known == name).unwrap();
    let (place, disk) = (Place::new(&text), Faulty::new(Arc::new(Disk)));
    let summary = run(&place, &disk, &job).unwrap();
    assert!(summary.passes > 0, "{summary:?}");
    let (expected, calls) = (place.lines(), disk.calls(None));
    for (number, step) in [(ENOSPC, 1), (EIO, 7)] {
        let refused = fail_calls(&text, &job, &Fault::Errno(number), step, &expected);
        assert!(refused * step as u64 > calls / 3, "{refused} of {calls} were refused");
    }
}

#[test]
fn every_call_of_a_spilling_group_by_may_fail() {
    every_call_may_fail("group");
}

#[test]
fn every_call_of_a_spilling_group_by_of_values_may_fail() {
    every_call_may_fail("values");
}

#[test]
fn every_call_of_a_spilling_distinct_may_fail() {
    every_call_may_fail("distinct");
}

#[test]
fn groups_of_short_reads_are_right_and_damaged_ones_are_refused() {
    let text = input();
    for (name, job) in jobs() {
        let (place, disk) = (Place::new(&text), Faulty::new(Arc::new(Disk)));
        run(&place, &disk, &job).unwrap();
        let expected = place.lines();
        disk.shorten_reads(777);
        run(&place, &disk, &job).unwrap();
        assert!(place.lines() == expected, "{name}");
        assert!(disk.calls(Some(Call::Read)) > 20, "{name}");
        for fault in [Fault::Flip(9_000), Fault::Tear] {
            let (place, disk) = (Place::new(&text), Faulty::new(Arc::new(Disk)));
            disk.at(Some(Call::Write), 3, fault);
            let error = run(&place, &disk, &job).expect_err("the damage is seen");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error}");
            assert!(!place.has_output(), "{name}");
        }
    }
}

#[test]
fn a_thread_that_panics_while_it_reads_partitions_ends_the_grouping() {
    let text = input();
    for (name, job) in jobs() {
        let (place, disk) = (Place::new(&text), Faulty::new(Arc::new(Disk)));
        run(&place, &disk, &job).unwrap();
        let reads = disk.calls(Some(Call::Read));
        let (place, disk) = (Place::new(&text), Faulty::new(Arc::new(Disk)));
        let bug = || panic!("a bug that the test brings along");
        disk.at(Some(Call::Read), reads / 2, Fault::Hook(Arc::new(bug)));
        let error = run(&place, &disk, &job).expect_err("a block never came");
        assert!(error.to_string().contains("the reading thread"), "{name}: {error}");
        assert!(!place.has_output(), "{name}");
    }
}

#[test]
fn a_quota_of_groups_that_is_reached_is_too_large_and_leaves_nothing() {
    let text = input();
    for (name, job) in jobs() {
        let place = Place::new(&text);
        for quota in [0, 4096, 64 << 10] {
            let limited = |tool: Tool<'_>| {
                let spill = SpillOptions { quota_bytes: Some(quota), ..tool.spill };
                job(&place, Tool { spill, ..tool })
            };
            let error = place.run(TINY, limited).expect_err("it is reached");
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{name}: {error}");
            assert!(!place.has_output(), "{name}");
        }
    }
}
