//! A process that is killed leaves nothing that the next one takes for a value.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::cache::Cache;
use plimsoll::spill::{SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use rustix::process::{Signal, getpid, kill_process};

use super::{MIB, an_hour, key, small, value};

/// Where the child fills a cache.
const FOLDER: &str = "PLIMSOLL_TEST_CACHE_IN";

fn cache(root: &Path) -> Cache {
    let budget = Budget::new(64 * MIB, 16 * MIB, Arc::new(Unmeasured)).unwrap();
    let area = SpillArea::open(Arc::new(Disk), root, SpillOptions::default()).unwrap();
    let node = budget.child("cache", 32 * MIB).unwrap();
    small().memory_bytes(MIB).cold(&area, 16 * MIB).build(&node).unwrap()
}

fn fill_and_die(root: &Path) {
    let cache = cache(root);
    for n in 0..1_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    assert!(cache.stats().cold_items > 700);
    kill_process(getpid(), Signal::KILL).unwrap();
}

#[test]
fn what_a_killed_process_cached_is_swept_and_never_served() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return fill_and_die(Path::new(&folder));
    }
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let test = "caches::killed::what_a_killed_process_cached_is_swept_and_never_served";
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(FOLDER, root.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(9), "{status}");
    let left = || std::fs::read_dir(root.path()).unwrap().count();
    assert_eq!(left(), 1, "the killed process's directory");
    let cache = cache(root.path());
    assert_eq!(left(), 1, "the new one's, and the other is swept");
    for n in 0..1_000 {
        assert!(cache.get(&key(n), 0).is_none());
    }
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.damaged), (1_000, 0));
}
