//! Collections: what a plain one would hold, within a threshold and a budget.

mod elements;
mod map;
mod queue;
mod vec;

use std::sync::Arc;

use plimsoll::budget::{Budget, Consumer, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::spill::{Codec, SpillArea, SpillOptions};
use plimsoll::storage::Disk;

/// A budget, somebody who reserves from it, and a place on disk.
struct Place {
    consumer: Consumer,
    area: SpillArea,
    budget: Budget,
    _root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::with(64 << 20, SpillOptions::default())
    }

    fn with(limit_bytes: u64, options: SpillOptions) -> Self {
        let budget = Budget::new(limit_bytes, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let area = SpillArea::open(Arc::new(Disk), root.path(), options).unwrap();
        Self { consumer: budget.consumer("test").unwrap(), area, budget, _root: root }
    }

    /// Nothing is held and nothing is on disk.
    fn assert_given_back(&self) {
        assert_eq!(self.consumer.held_bytes(), 0, "reserved bytes leaked");
        assert_eq!(self.area.stats().used_bytes, 0, "bytes on disk leaked");
    }
}

const CODECS: [Codec; 2] = [Codec::None, Codec::Lz4];

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

/// A text of a length that is mostly short, at times longer than a block.
fn text(random: &mut Random) -> String {
    let len = match random.below(400) {
        0 => 70_000 + random.below(100_000),
        1..20 => random.below(5_000),
        _ => random.below(40),
    };
    let letter = char::from(b'a' + u8::try_from(random.below(26)).unwrap());
    std::iter::repeat_n(letter, len).collect()
}
