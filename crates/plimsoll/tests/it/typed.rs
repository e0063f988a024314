//! Typed operators: the answer of a model in memory, in a fraction of its bytes.

mod adaptors;
mod bounds;
mod distinct;
mod group;
mod join;
mod merge_join;
mod rounds;
mod sort;

use std::path::Path;
use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::typed::Engine;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// An engine, what it draws on and where it spills.
pub(crate) struct Bench {
    pub(crate) budget: Budget,
    pub(crate) engine: Engine,
    pub(crate) root: tempfile::TempDir,
}

impl Bench {
    /// Operators of `memory_bytes` each, under a process limit of 64 MiB.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let budget = Budget::new(64 * MIB, 8 * MIB, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir().unwrap();
        let consumer = budget.consumer("typed").unwrap();
        let engine = Engine::new(consumer, memory_bytes, root.path()).unwrap();
        Self { budget, engine, root }
    }

    /// Nothing is reserved, and no spilled file is left.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.budget.reserved_bytes(), 0);
        assert_eq!(self.engine.spill_stats().used_bytes, 0);
        assert_eq!(spilled_files(self.root.path()), Vec::<String>::new());
    }

    /// The spill root was never touched.
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(std::fs::read_dir(self.root.path()).unwrap().count(), 0);
    }
}

/// Names of files in spill directories, beside those of their owners.
pub(crate) fn spilled_files(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for directory in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name != "owner" {
                names.push(name);
            }
        }
    }
    names
}

/// A generator whose seed is printed and can be given in `TEST_SEED`.
#[allow(clippy::print_stdout, reason = "a failed run is replayed from it")]
pub(crate) fn random() -> Random {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("TEST_SEED={seed}");
    Random::new(seed)
}

#[test]
fn the_check_for_leftovers_finds_what_an_open_stream_holds() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = plimsoll::typed::Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap();
    (0..50_000).for_each(|n| sorter.push(n).unwrap());
    let stream = sorter.finish().unwrap();
    assert!(bench.budget.reserved_bytes() > 0);
    assert!(bench.engine.spill_stats().used_bytes > 0);
    assert_eq!(spilled_files(bench.root.path()), ["typed-0"]);
    drop(stream);
    bench.assert_clean();
}

#[test]
fn memory_below_the_minimum_is_refused_with_the_minimum() {
    let budget = Budget::new(64 * MIB, 8 * MIB, Arc::new(Unmeasured)).unwrap();
    let error = Engine::new(budget.consumer("typed").unwrap(), KIB, "/nowhere").unwrap_err();
    assert_eq!(error.kind(), plimsoll::ErrorKind::Invalid);
    assert!(error.to_string().contains("the minimum is 128 KiB"), "{error}");
}
