//! Sorts that go on behind what a killed process had finished, in other memory, on a disk that
//! fails.
//!
//! A kill is a copy of the spill directory, made in the middle of a write: what a process leaves.

use std::path::Path;
use std::sync::Arc;

use plimsoll::ErrorKind;
use plimsoll::sort::ChunkStrategy;
use plimsoll::storage::Disk;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault, Faulty};

use super::{Desk, numbered};

fn copy(from: &Path, to: &Path) {
    let _made_before = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &name);
        } else {
            std::fs::copy(&path, &name).unwrap();
        }
    }
}

impl Desk {
    fn resumable(input: &[u8], rows: u64, workspace_bytes: u64) -> Self {
        let mut desk = Self::new(input, "k:num").fixed_runs(rows);
        desk.job.resume = true;
        desk.workspace_bytes = workspace_bytes;
        desk
    }

    /// Sorts, and leaves what a kill leaves after so many percent of a whole sort's `writes`.
    fn killed_at(&mut self, percent: u64, writes: u64) -> bool {
        self.killed((writes * percent / 100).max(1))
    }

    /// Writes of a sort that nothing interrupts.
    fn writes(&mut self) -> u64 {
        self.disk = Faulty::new(Arc::new(Disk));
        self.sort().unwrap();
        std::fs::remove_file(self.output()).unwrap();
        self.disk.calls(Some(Call::Write))
    }

    /// Sorts, and leaves what a kill at the `nth` write leaves; whether there was one.
    fn killed(&mut self, nth: u64) -> bool {
        self.disk = Faulty::new(Arc::new(Disk));
        let (spill, aside) = (self.spill_root(), self.root.join("aside"));
        let _before = std::fs::remove_dir_all(&aside);
        let (from, to) = (spill.clone(), aside.clone());
        self.disk.at(Some(Call::Write), nth, Fault::Hook(Arc::new(move || copy(&from, &to))));
        self.sort().unwrap();
        std::fs::remove_file(self.output()).unwrap();
        self.disk = Faulty::new(Arc::new(Disk));
        let killed = aside.exists();
        if killed {
            copy(&aside, &spill);
        }
        killed
    }

    fn assert_sorted(&self, sorted: &[u8]) {
        assert!(self.sorted() == sorted, "not the order of a sort without a kill");
        self.assert_given_back();
    }
}

#[test]
fn a_sort_resumed_in_other_memory_gives_the_same_bytes() {
    // Blocks of the larger workspace are larger than the smaller one wishes.
    let (input, sorted) = numbered(12_000, 41);
    let (small, large) = (1 << 20, 16 << 20);
    let (mut resumed, mut again) = (0, 0);
    for [first, second, last] in
        [[large, small, small], [small, large, small], [small, small, large]]
    {
        let mut desk = Desk::resumable(&input, 700, first);
        desk.threads = 2;
        let writes = desk.writes();
        for percent in [10, 40, 70] {
            desk.workspace_bytes = first;
            assert!(desk.killed_at(percent, writes));
            desk.workspace_bytes = second;
            again += u64::from(desk.killed_at(percent / 2, writes));
            desk.workspace_bytes = last;
            let summary = desk.sort().unwrap();
            assert_eq!(summary.rows_out, 12_000);
            resumed += summary.segments_resumed;
            desk.assert_sorted(&sorted);
        }
    }
    assert!(resumed > 0 && again > 0, "{resumed} taken over, {again} killed twice");
}

#[test]
fn runs_whose_blocks_are_too_large_for_the_memory_wait_for_more_of_it() {
    let (input, sorted) = numbered(60_000, 42);
    // Runs of about 1.7 MB in blocks of 512 KiB.
    let mut desk = Desk::resumable(&input, 1, 40 << 20);
    desk.job.strategy = ChunkStrategy::SqrtN;
    let writes = desk.writes();
    assert!(desk.killed_at(60, writes));
    for _ in 0..2 {
        desk.workspace_bytes = 1 << 20;
        let error = desk.sort().expect_err("two blocks do not fit");
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("at least"), "{error}");
        assert_eq!(desk.budget.reserved_bytes(), 0);
        assert!(!desk.output().exists());
    }
    desk.workspace_bytes = 4 << 20;
    let summary = desk.sort().unwrap();
    assert!(summary.segments_resumed > 0, "{summary:?}");
    desk.assert_sorted(&sorted);
}

#[test]
fn more_noted_runs_than_the_list_has_room_for_are_merged_when_they_are_taken_over() {
    let (input, sorted) = numbered(6000, 43);
    let mut desk = Desk::resumable(&input, 50, 1 << 20);
    let writes = desk.writes();
    assert!(desk.killed_at(85, writes));
    desk.workspace_bytes = 850 << 10;
    desk.job.strategy = ChunkStrategy::Adaptive;
    let (plan, summary) = desk.planned_sort().unwrap();
    assert!(summary.segments_resumed > 0, "{summary:?}");
    assert!(summary.runs > plan.runs_max, "{summary:?}");
    desk.assert_sorted(&sorted);
}

#[test]
fn every_call_of_a_resumed_sort_may_fail_and_the_next_one_ends_it() {
    // Few calls: runs of about 700 KB in large requests.
    let (input, sorted) = numbered(16_000, 44);
    let mut desk = Desk::resumable(&input, 1, 6 << 20);
    desk.job.strategy = ChunkStrategy::SqrtN;
    let (spill, aside) = (desk.spill_root(), desk.root.join("aside"));
    let writes = desk.writes();
    let taken_over = (20..90).step_by(10).any(|percent| {
        let _before = std::fs::remove_file(desk.output());
        desk.killed_at(percent, writes) && desk.sort().unwrap().segments_resumed > 0
    });
    assert!(taken_over, "some kill comes behind a segment");
    let calls = desk.disk.calls(None);
    assert!((40..300).contains(&calls), "{calls}");
    let (mut refused, mut unharmed) = (0, 0);
    for fault in [Fault::Errno(ENOSPC), Fault::Errno(EIO)] {
        for nth in (1..=calls).step_by(2) {
            let nth = nth + u64::from(matches!(fault, Fault::Errno(EIO)));
            copy(&aside, &spill);
            std::fs::remove_file(desk.output()).unwrap();
            desk.disk = Faulty::new(Arc::new(Disk));
            desk.disk.at(None, nth, fault.clone());
            match desk.sort() {
                Ok(_) => {
                    unharmed += 1;
                    assert!(desk.sorted() == sorted, "call {nth}, {:?}", desk.disk.fired());
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.kind(), ErrorKind::Io, "call {nth}: {error}");
                    let whole = desk.disk.fired() == [Call::SyncDirectory];
                    assert_eq!(desk.output().exists(), whole, "call {nth}: {error}");
                }
            }
            assert_eq!(desk.budget.reserved_bytes(), 0, "call {nth}");
            desk.disk = Faulty::new(Arc::new(Disk));
            desk.watch = Arc::default();
            desk.sort().unwrap_or_else(|error| panic!("after call {nth}: {error}"));
            desk.assert_sorted(&sorted);
        }
    }
    assert!(refused > 20, "{refused} refused, {unharmed} unharmed");
}

#[test]
fn a_resumed_sort_with_short_reads_is_right() {
    let (input, sorted) = numbered(12_000, 45);
    for most in [777, 4096] {
        let mut desk = Desk::resumable(&input, 3000, 1 << 20);
        let writes = desk.writes();
        assert!(desk.killed_at(60, writes));
        desk.disk.shorten_reads(most);
        assert!(desk.sort().unwrap().segments_resumed > 0);
        desk.assert_sorted(&sorted);
    }
}

#[test]
fn a_damaged_journal_or_run_file_never_gives_other_bytes() {
    let (input, sorted) = numbered(12_000, 46);
    let mut desk = Desk::resumable(&input, 3000, 1 << 20);
    let (spill, aside) = (desk.spill_root(), desk.root.join("aside"));
    let writes = desk.writes();
    assert!(desk.killed_at(60, writes));
    let mut random = super::random(46);
    let (mut right, mut corrupt) = (0, 0);
    for round in 0..24 {
        copy(&aside, &spill);
        let name = if round % 2 == 0 { "journal" } else { "runs" };
        let directory = std::fs::read_dir(&spill).unwrap().next().unwrap().unwrap().path();
        let path = directory.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let written = if name == "runs" { bytes.len().min(600 << 10) } else { bytes.len() };
        let at = random.below(written);
        bytes[at] ^= 1 << random.below(8);
        std::fs::write(&path, &bytes).unwrap();
        match desk.sort() {
            Ok(_) => {
                right += 1;
                desk.assert_sorted(&sorted);
                std::fs::remove_file(desk.output()).unwrap();
            }
            Err(error) => {
                corrupt += 1;
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} byte {at}: {error}");
                desk.assert_nothing_left();
                desk.watch = Arc::default();
            }
        }
    }
    assert!(right > 0 && corrupt > 0, "{right} right, {corrupt} corrupt");
}
