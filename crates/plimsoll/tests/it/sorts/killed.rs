//! A process that is killed at any one call to the disk: the next one leaves no trace of it.
//!
//! ```text
//!   test ──starts──> itself, as a child: sorts, SIGKILL at call 1, 2, 3 .. ──> what is left
//!     └── then sorts there itself: the same bytes, no file beside input and output
//! ```

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use plimsoll::storage::testing::Fault;
use rustix::process::{Signal, getpid, kill_process};

use super::{Desk, numbered};

/// Where the child sorts, and the call it dies at.
const FOLDER: &str = "PLIMSOLL_TEST_KILLED_IN";
const CALL: &str = "PLIMSOLL_TEST_KILLED_AT";
/// Calls a sort of these tests makes at most.
const CALLS_MAX: u64 = 400;

fn desk(folder: &Path, resume: bool) -> Desk {
    let mut desk = Desk::at(folder, "in.csv", "out.csv", "k:num").fixed_runs(900);
    desk.job.resume = resume;
    desk
}

/// Sorts and is killed at the call it was told, or ends well before it.
fn sort_and_die(folder: &Path, resume: bool) {
    let call = std::env::var(CALL).unwrap().parse().unwrap();
    let desk = desk(folder, resume);
    let die = || kill_process(getpid(), Signal::KILL).unwrap();
    desk.disk.at(None, call, Fault::Hook(Arc::new(die)));
    desk.sort().unwrap();
}

/// Runs the named test of this binary as a child; whether it was killed.
fn was_killed(test: &str, folder: &Path, call: u64) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(FOLDER, folder)
        .env(CALL, call.to_string())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.signal() == Some(9), "call {call}: {status}");
    !status.success()
}

/// Kills a child at each call in turn, sorts after it, and gives the runs that were taken over.
fn kill_at_every_call(test: &str, resume: bool) -> u64 {
    let (input, sorted) = numbered(6000, 11);
    let mut resumed = 0;
    for call in 1..CALLS_MAX {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("in.csv"), &input).unwrap();
        std::fs::create_dir(folder.path().join("spill")).unwrap();
        let killed = was_killed(test, folder.path(), call);
        let desk = desk(folder.path(), resume);
        if desk.output().exists() {
            assert!(desk.sorted() == sorted, "call {call}: an output is whole from the start");
        } else {
            assert!(killed, "call {call}: a child that ended well wrote no output");
        }
        if !killed {
            desk.assert_given_back();
            assert!(call > 40, "a spilling sort calls the disk more than {call} times");
            return resumed;
        }
        resumed += desk.sort().unwrap().segments_resumed;
        assert!(desk.sorted() == sorted, "call {call}: other bytes than without a kill");
        desk.assert_given_back();
    }
    panic!("a sort makes fewer than {CALLS_MAX} calls");
}

#[test]
fn a_sort_killed_at_any_call_is_swept_by_the_next() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return sort_and_die(Path::new(&folder), false);
    }
    let test = "sorts::killed::a_sort_killed_at_any_call_is_swept_by_the_next";
    assert_eq!(kill_at_every_call(test, false), 0);
}

#[test]
fn a_resumable_sort_killed_at_any_call_goes_on_to_the_same_bytes() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return sort_and_die(Path::new(&folder), true);
    }
    let test = "sorts::killed::a_resumable_sort_killed_at_any_call_goes_on_to_the_same_bytes";
    let resumed = kill_at_every_call(test, true);
    assert!(resumed > 20, "runs were taken over {resumed} times");
}
