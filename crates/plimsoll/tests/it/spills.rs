//! Spilled runs and the directories they are in: what was written comes back, or is refused.
//!
//! Promises: every damage a test does is seen to have been done.
//! Never: a test that waits for a time.

mod areas;
mod blocks;
mod damaged;
mod pace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::budget::{Budget, Consumer, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::spill::{Codec, SpillArea, SpillFile, SpillOptions};
use plimsoll::spill::{Run, RunWriter, WriteLane};
use plimsoll::storage::testing::Faulty;
use plimsoll::storage::{Disk, Storage};
use plimsoll::{Error, Result};

const BLOCK: usize = 16 << 10;
const CODECS: [Codec; 4] = [Codec::None, Codec::Lz4, Codec::Zstd, Codec::Gzip];

/// A budget and a directory to make areas in.
struct Place {
    budget: Budget,
    consumer: Consumer,
    root: tempfile::TempDir,
    disk: Faulty,
}

impl Place {
    fn new() -> Self {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let consumer = budget.consumer("test").unwrap();
        Self { budget, consumer, root, disk: Faulty::new(Arc::new(Disk)) }
    }

    fn area(&self, options: SpillOptions) -> Result<SpillArea> {
        let options = SpillOptions { memory_file_system: true, ..options };
        let storage: Arc<dyn Storage> = Arc::new(self.disk.clone());
        SpillArea::open(storage, self.root.path(), options)
    }

    fn plain(&self) -> SpillArea {
        self.area(SpillOptions::default()).unwrap()
    }

    fn write(&self, file: &Arc<SpillFile>, codec: Codec, records: &[Vec<u8>]) -> Result<Arc<Run>> {
        let mut lane = WriteLane::start(&self.consumer, BLOCK, 2, codec)?;
        let mut writer = RunWriter::new(file, &self.consumer, BLOCK)?;
        for record in records {
            writer.push(&mut lane, &[record])?;
        }
        writer.finish(&mut lane).map(Arc::new)
    }

    fn read(&self, run: &Arc<Run>) -> Result<Vec<Vec<u8>>> {
        let mut reader = run.reader(&self.consumer)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next()? {
            records.push(record.to_vec());
        }
        Ok(records)
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.budget.reserved_bytes(), 0, "reserved bytes leaked");
        assert_eq!(names(self.root.path()), Vec::<PathBuf>::new(), "files leaked");
    }
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The only file of an area beside its lock.
fn spilled_file(area: &SpillArea) -> PathBuf {
    let mut files = names(area.directory());
    files.retain(|path| !path.ends_with("owner"));
    assert_eq!(files.len(), 1);
    files.remove(0)
}

/// The error; what came instead is not shown, for it is large.
fn refused<T>(outcome: Result<T>) -> Error {
    outcome.err().expect("refused")
}

/// The stream of a seed that a failing test's output names; `TEST_SEED` replays one.
#[allow(clippy::print_stdout, reason = "the output of a test")]
fn random(default: u64) -> Random {
    let told = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = told.unwrap_or(default);
    println!("TEST_SEED={seed}");
    Random::new(seed)
}

fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    // Half of a record compresses.
    (0..length).map(|n| if n % 2 == 0 { b'a' } else { random.bits().to_le_bytes()[0] }).collect()
}
