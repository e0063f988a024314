//! The cache: what was put and nothing else, within memory, disk and time.

mod between;
mod damaged;
mod flights;
mod killed;
mod model;
mod pressure;
mod resident;
mod threads;
mod tiers;

use std::sync::Arc;
use std::time::Duration;

use plimsoll::budget::{Budget, Node, Unmeasured};
use plimsoll::cache::{Cache, CacheBuilder, Terms};
use plimsoll::expr::testing::Random;
use plimsoll::spill::{SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use plimsoll::storage::testing::Faulty;

const MIB: u64 = 1 << 20;
const SECOND: u64 = 1_000_000;
/// Longer than any of these tests runs.
const DEADLINE: Duration = Duration::from_secs(30);

/// A budget with a node for a cache, and a place on a disk that fails as told.
struct Place {
    node: Node,
    area: SpillArea,
    disk: Faulty,
    budget: Budget,
    _root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with(64 * MIB, SpillOptions::default())
    }

    fn with(limit_bytes: u64, options: SpillOptions) -> Self {
        let budget = Budget::new(limit_bytes, 16 * MIB, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let disk = Faulty::new(Arc::new(Disk));
        let area = SpillArea::open(Arc::new(disk.clone()), root.path(), options).unwrap();
        let node = budget.child("cache", limit_bytes / 2).unwrap();
        Self { node, area, disk, budget, _root: root }
    }

    /// A cache in memory alone.
    fn hot(&self, memory_bytes: u64) -> Cache {
        small().memory_bytes(memory_bytes).build(&self.node).unwrap()
    }

    /// A cache in both tiers.
    fn tiered(&self, memory_bytes: u64, quota_bytes: u64) -> Cache {
        let builder = small().memory_bytes(memory_bytes).cold(&self.area, quota_bytes);
        builder.build(&self.node).unwrap()
    }

    /// Nothing is held and nothing is on disk.
    fn assert_given_back(&self) {
        assert_eq!(self.node.held_bytes(), 0, "reserved bytes leaked");
        assert_eq!(self.area.stats().used_bytes, 0, "bytes on disk leaked");
    }
}

fn small() -> CacheBuilder {
    Cache::builder().value_bytes_max(64 << 10)
}

fn an_hour() -> Terms {
    Terms::fresh_for(Duration::from_secs(3600))
}

fn key(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

/// A value that tells which one it is at every place.
fn value(n: u64, bytes: usize) -> Vec<u8> {
    n.to_le_bytes().into_iter().cycle().take(bytes).collect()
}

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed)
}

/// The stream of a seed that a failing test's output names.
#[allow(clippy::print_stdout, reason = "the output of a test")]
fn told(seed: u64) -> Random {
    println!("seed {seed}");
    Random::new(seed)
}

#[test]
fn bounds_that_do_not_fit_each_other_are_refused_with_what_would() {
    let place = Place::new();
    let refused = [
        (Cache::builder().memory_bytes(1000), "the least is 1 MiB"),
        (Cache::builder().key_bytes_max(0), "they have 1 to 4096"),
        (Cache::builder().key_bytes_max(5000), "use a digest"),
        (Cache::builder().value_bytes_max(3 << 20), "at most a 4th of the memory"),
        (Cache::builder().cold(&place.area, MIB), "raise the quota"),
        (Cache::builder().memory_bytes(40 << 20), "below cache with a cap of 32 MiB"),
    ];
    for (builder, words) in refused {
        let error = builder.build(&place.node).unwrap_err();
        assert_eq!(error.kind(), plimsoll::ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{error}");
    }
    place.assert_given_back();
}

#[test]
fn a_key_a_value_and_tags_beyond_their_bounds_are_refused_and_leave_nothing() {
    let place = Place::new();
    let cache = place.hot(2 * MIB);
    let many = (0..17).fold(an_hour(), |terms, n| terms.tag(n.to_string()));
    cache.put(b"k", b"old", &an_hour(), 0).unwrap();
    for (key, bytes, terms) in [
        (&[b'k'; 513][..], 1, an_hour()),
        (b"k", (64 << 10) + 1, an_hour()),
        (b"k", 1, many),
        (b"k", 1, an_hour().tag("x".repeat(257))),
    ] {
        let error = cache.put(key, &value(1, bytes), &terms, 0).unwrap_err();
        assert_eq!(error.kind(), plimsoll::ErrorKind::TooLarge, "{error}");
        assert!(cache.get(key, 0).is_none(), "what was there is not what the caller says it is");
    }
    assert!(cache.turn(&[b'k'; 513], 0).is_err());
    drop(cache);
    place.assert_given_back();
}
