//! Files sorted in little memory: what a model in plenty gives, or a clean refusal.
//!
//! Promises: every sort, however it ends, is looked at for what it left behind.
//! Never: a test that waits for a time.

mod faults;
mod killed;
mod model;
mod refused;
mod resumed;
mod stopped;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::Result;
use plimsoll::budget::{Budget, Consumer, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::files::{Input, Output, SortFile, Summary, Tool, Watch};
use plimsoll::format::{Delimiter, Format};
use plimsoll::record::key::parse_by;
use plimsoll::sort::{ChunkStrategy, SortPlan};
use plimsoll::spill::SpillOptions;
use plimsoll::storage::testing::Faulty;
use plimsoll::storage::{Disk, Storage};

/// Longest record of these sorts: with it a scan holds little.
const RECORD_BYTES_MAX: usize = 4 << 10;
/// Near the least that a sort of such records works in.
const WORKSPACE: u64 = 1 << 20;
/// What each further thread scans with.
const SCAN: u64 = 320 << 10;

/// A directory with an input, an output and a root for spills.
struct Desk {
    budget: Budget,
    consumer: Consumer,
    root: PathBuf,
    /// Removes the root with the desk, but for one that a test holds itself.
    _folder: Option<tempfile::TempDir>,
    disk: Faulty,
    watch: Arc<Watch>,
    job: SortFile,
    spill: SpillOptions,
    workspace_bytes: u64,
    threads: usize,
}

impl Desk {
    /// Sorts `input` by `by`.
    fn new(input: &[u8], by: &str) -> Self {
        Self::named("in.csv", input, "out.csv", by)
    }

    fn named(name: &str, input: &[u8], output: &str, by: &str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join(name), input).unwrap();
        std::fs::create_dir(folder.path().join("spill")).unwrap();
        let root = folder.path().to_path_buf();
        Self { _folder: Some(folder), ..Self::at(&root, name, output, by) }
    }

    /// Over what is in `root`: the input, and a directory to spill to.
    fn at(root: &Path, name: &str, output: &str, by: &str) -> Self {
        let budget = Budget::new(64 << 20, 8 << 20, Arc::new(Unmeasured)).unwrap();
        Self {
            consumer: budget.consumer("sort").unwrap(),
            budget,
            disk: Faulty::new(Arc::new(Disk)),
            watch: Arc::default(),
            job: SortFile {
                input: Input::File(root.join(name)),
                output: Output::File { path: root.join(output), fsync: true },
                format: Format::Csv,
                delimiter: Delimiter::Comma,
                by: parse_by(by).unwrap(),
                filter: None,
                strategy: ChunkStrategy::Adaptive,
                record_bytes_max: RECORD_BYTES_MAX,
                resume: false,
            },
            root: root.to_path_buf(),
            _folder: None,
            spill: SpillOptions { memory_file_system: true, ..SpillOptions::default() },
            workspace_bytes: WORKSPACE,
            threads: 1,
        }
    }

    fn fixed_runs(mut self, rows: u64) -> Self {
        self.job.strategy = ChunkStrategy::Fixed(rows);
        self
    }

    fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    fn sort(&self) -> Result<Summary> {
        self.planned_sort().map(|(_, summary)| summary)
    }

    /// Sorts; with what was done, what was planned.
    fn planned_sort(&self) -> Result<(SortPlan, Summary)> {
        self.sort_after(&|| ())
    }

    /// The same, with something done between plan and sort.
    fn sort_after(&self, meanwhile: &dyn Fn()) -> Result<(SortPlan, Summary)> {
        let storage: Arc<dyn Storage> = Arc::new(self.disk.clone());
        let spill_root = self.spill_root();
        let tool = Tool {
            storage: &storage,
            spill_root: &spill_root,
            spill: self.spill,
            consumer: &self.consumer,
            workspace_bytes: self.workspace_bytes + (self.threads as u64 - 1) * SCAN,
            threads: self.threads,
            watch: &self.watch,
        };
        let planned = self.job.plan(tool)?;
        meanwhile();
        Ok((*planned.plan(), planned.run()?))
    }

    fn spill_root(&self) -> PathBuf {
        self.root.join("spill")
    }

    fn output(&self) -> PathBuf {
        match &self.job.output {
            Output::File { path, .. } => path.clone(),
            Output::Stdout => panic!("these sorts write files"),
        }
    }

    fn sorted(&self) -> Vec<u8> {
        std::fs::read(self.output()).unwrap()
    }

    /// Nothing is held, and beside input and output nothing is on disk.
    fn assert_given_back(&self) {
        assert_eq!(self.budget.reserved_bytes(), 0, "reserved bytes leaked");
        let spilled: Vec<_> = std::fs::read_dir(self.spill_root()).unwrap().collect();
        assert!(spilled.is_empty(), "left in the spill root: {spilled:?}");
        for entry in std::fs::read_dir(&self.root).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().ends_with(".partial"), "{name:?} was left");
        }
    }

    /// As [`Desk::assert_given_back`], and there is no output.
    fn assert_nothing_left(&self) {
        self.assert_given_back();
        assert!(!self.output().exists(), "an output was left");
    }
}

/// The stream of a seed that a failing test's output names; `TEST_SEED` replays one.
#[allow(clippy::print_stdout, reason = "the output of a test")]
fn random(default: u64) -> Random {
    let told = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = told.unwrap_or(default);
    println!("TEST_SEED={seed}");
    Random::new(seed)
}

/// `rows` of about a hundred bytes under a number below 1000, and the same sorted by it.
fn numbered(rows: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::new(seed);
    let mut lines: Vec<(usize, String)> = (0..rows)
        .map(|n| {
            let key = random.below(1000);
            let filling = "x".repeat(random.below(160));
            (key, format!("{key},{n},{filling}\n"))
        })
        .collect();
    let text = |lines: &[(usize, String)]| {
        let lines = lines.iter().map(|(_, line)| line.as_str());
        std::iter::once("k,n,filling\n").chain(lines).collect::<String>().into_bytes()
    };
    let input = text(&lines);
    lines.sort_by_key(|(key, _)| *key);
    (input, text(&lines))
}
