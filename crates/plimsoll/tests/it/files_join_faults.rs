//! A disk that fails at any one call of a join: it is right, or refuses and leaves nothing.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use plimsoll::ErrorKind;
use plimsoll::expr::testing::Random;
use plimsoll::files::{JoinFile, JoinKind, JoinMode};
use plimsoll::spill::{SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault, Faulty};

use crate::files_join::{csv, found, job, rows, run_in_least};
use crate::files_join_sorted::sorted;
use crate::files_small::Bench;

/// Calls a join of these tests makes at most.
const CALLS_MAX: u64 = 900;
const INPUTS: [&str; 2] = ["l.csv", "r.csv"];

/// A join that spills, with its answer and the workspace it has that in.
struct Case {
    bench: Bench,
    job: JoinFile,
    answer: (String, Vec<String>),
    spill_bytes: u64,
}

impl Case {
    fn new(mode: JoinMode, kind: JoinKind) -> Self {
        let mut random = Random::new(7);
        let mut bench = Bench::new();
        bench.threads = 1;
        let merged = mode == JoinMode::Merge;
        let heavy = if merged { 90 } else { 0 };
        let (lefts, rights) = if merged { (3, 3_500) } else { (4_500, 4_500) };
        let left = rows(&mut random, lefts, 9_000, heavy, 150);
        let right = rows(&mut random, rights, 9_000, heavy, 150);
        let mut l = bench.write("l.csv", csv("id,note,n", &left).as_bytes());
        let mut r = bench.write("r.csv", csv("id,word,m", &right).as_bytes());
        if merged {
            (l, r) = (sorted(&bench, &l, "id", "l2"), sorted(&bench, &r, "id", "r2"));
            for name in ["l", "r"] {
                std::fs::rename(
                    bench.path(&format!("{name}2")),
                    bench.path(&format!("{name}.csv")),
                )
                .unwrap();
            }
            l.input = plimsoll::files::Input::File(bench.path("l.csv"));
            r.input = plimsoll::files::Input::File(bench.path("r.csv"));
        }
        let job = JoinFile { sorted: merged, ..job(&bench, l, r, "id", kind) };
        let (planned, summary) = run_in_least(&mut bench, &job).unwrap();
        assert_eq!(planned, mode);
        assert!(summary.spill_bytes > 0, "{mode:?} {kind:?} stayed in memory");
        let answer = found(&bench);
        std::fs::remove_file(bench.path("out")).unwrap();
        Self { bench, job, answer, spill_bytes: summary.spill_bytes }
    }

    /// Joins on a disk that `rule` was told. Whether it was refused, and what fired.
    fn under(&mut self, rule: impl FnOnce(&Faulty)) -> (bool, Vec<Call>) {
        let disk = Faulty::new(Arc::new(Disk));
        rule(&disk);
        self.bench.storage = Arc::new(disk.clone());
        let outcome = self.job.plan(self.bench.tool()).and_then(|planned| planned.run());
        let fired = disk.fired();
        // What could not be removed or was not known to be ours is the next one's to remove.
        let kept = [Call::RemoveFile, Call::RemoveDirectory, Call::List, Call::TryLock, Call::IsAt];
        if fired.iter().any(|call| kept.contains(call)) {
            let options = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
            let root = self.bench.path("");
            drop(SpillArea::open(Arc::new(Disk), &root, options).unwrap());
        }
        let refused = match &outcome {
            Ok(summary) => {
                assert!(found(&self.bench) == self.answer, "{fired:?}");
                assert_eq!(summary.spill_bytes, self.spill_bytes);
                std::fs::remove_file(self.bench.path("out")).unwrap();
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{fired:?}: {error}");
                assert_eq!(fired.len(), 1, "{error}");
                true
            }
        };
        self.bench.assert_clean(&INPUTS);
        // A fault stops whoever watches the same run.
        self.bench.watch_anew();
        (refused, fired)
    }

    fn fail_every_call(&mut self, number: i32) -> u64 {
        let mut refused = 0;
        for nth in 1..CALLS_MAX {
            let (stopped, fired) = self.under(|disk| disk.at(None, nth, Fault::Errno(number)));
            if fired.is_empty() {
                return refused;
            }
            refused += u64::from(stopped);
        }
        panic!("a join makes fewer than {CALLS_MAX} calls");
    }
}

#[test]
fn every_call_of_a_join_over_partitions_may_fail() {
    let mut case = Case::new(JoinMode::Partitions, JoinKind::Left);
    for number in [ENOSPC, EIO] {
        let refused = case.fail_every_call(number);
        assert!(refused > 20, "{refused}");
    }
}

#[test]
fn every_call_of_a_join_of_sorted_files_may_fail() {
    let mut case = Case::new(JoinMode::Merge, JoinKind::Inner);
    for number in [ENOSPC, EIO] {
        let refused = case.fail_every_call(number);
        assert!(refused > 10, "{refused}");
    }
}

#[test]
fn a_join_with_short_reads_is_right() {
    for (mode, kind) in [(JoinMode::Partitions, JoinKind::Left), (JoinMode::Merge, JoinKind::Left)]
    {
        let mut case = Case::new(mode, kind);
        assert_eq!(case.under(|disk| disk.shorten_reads(777)), (false, Vec::new()));
    }
}
