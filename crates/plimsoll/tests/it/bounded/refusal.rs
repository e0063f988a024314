//! A refusal names who asked, what is left of which limit, the holders, and what to do.

use std::time::Duration;

use plimsoll::budget::{Holder, RefusalCause};

use super::{MIB, budget};

#[test]
fn a_refusal_names_the_largest_holders() {
    let budget = budget();
    let http = budget.child("http", 16 * MIB).unwrap();
    let jobs = budget.child("jobs", 32 * MIB).unwrap();
    let elsewhere = jobs.consumer("import").unwrap().try_reserve(20 * MIB);
    let export = http.spilling_consumer("export").unwrap();
    let list = http.consumer("list").unwrap();
    let stream = http.consumer("stream").unwrap();
    let held = (
        export.try_reserve(10 * MIB).unwrap(),
        list.try_reserve(4 * MIB).unwrap(),
        stream.try_reserve(MIB + MIB / 2).unwrap(),
    );
    let refusal = stream.try_reserve(2 * MIB).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 2 MiB for http/stream, which holds 1.5 MiB: 512 KiB is left of http's \
         16 MiB; most is held by http/export 10 MiB (can spill), http/list 4 MiB, http/stream \
         1.5 MiB; wait until they finish, ask for less, or raise the cap of http"
    );
    assert_eq!(refusal.cause, RefusalCause::Full);
    assert_eq!(
        refusal.holders[0],
        Holder { path: "http/export".into(), held_bytes: 10 * MIB, can_spill: true }
    );
    let error = plimsoll::Error::from(refusal.clone());
    assert_eq!(error.kind(), plimsoll::ErrorKind::OutOfBudget);
    assert_eq!(error.refusal(), Some(&refusal));
    drop((held, elsewhere));
}

#[test]
fn a_refusal_names_at_most_five_holders_the_older_first_among_equals() {
    let budget = budget();
    let held: Vec<_> = (0..9)
        .map(|n| {
            let consumer = budget.consumer(&format!("c{n}")).unwrap();
            consumer.try_reserve(MIB).unwrap()
        })
        .collect();
    let refusal = budget.consumer("late").unwrap().try_reserve(58 * MIB).unwrap_err();
    let names: Vec<&str> = refusal.holders.iter().map(|h| &*h.path).collect();
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4"]);
    drop(held);
}

#[test]
fn a_refusal_by_the_process_speaks_of_its_limit() {
    let budget = budget();
    let sort = budget.consumer("sort").unwrap();
    let held = sort.try_reserve(40 * MIB).unwrap();
    let refusal = sort.try_reserve(20 * MIB).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 20 MiB for sort, which holds 40 MiB: 18.9 MiB is left under the process \
         limit of 64 MiB; most is held by sort 40 MiB; wait until they finish, ask for less, or \
         raise the memory limit"
    );
    let refusal = sort.try_reserve(64 * MIB).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 64 MiB for sort, which holds 40 MiB: the process never gives more than \
         58.9 MiB; ask for less, or raise the memory limit"
    );
    drop(held);
}

#[test]
fn a_refusal_by_a_few_bytes_shows_them() {
    let budget = budget();
    let http = budget.child("http", MIB).unwrap();
    let held = http.consumer("list").unwrap().try_reserve(1).unwrap();
    let refusal = http.consumer("stream").unwrap().try_reserve(MIB).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 1 MiB for http/stream, which holds 0 B: 1048575 of 1048576 B are left of \
         http's 1 MiB; most is held by http/list 1 B; wait until they finish, ask for less, or \
         raise the cap of http"
    );
    drop(held);
}

#[test]
fn a_passed_deadline_is_told_apart_from_a_full_level() {
    let budget = budget();
    let jobs = budget.child("jobs", 8 * MIB).unwrap();
    let held = jobs.consumer("sort").unwrap().try_reserve(7 * MIB).unwrap();
    let late = jobs.consumer("late").unwrap();
    let refusal = late.acquire(2 * MIB).wait(Duration::ZERO).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "cannot reserve 2 MiB for jobs/late, which holds 0 B: its deadline passed in line; 1 MiB \
         is left of jobs's 8 MiB; most is held by jobs/sort 7 MiB; try again later, or raise the \
         cap of jobs"
    );
    assert_eq!(refusal.cause, RefusalCause::Deadline { waiting: 0 });
    drop(held);
}
