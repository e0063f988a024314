//! What all file tools do around their work: settings, memory, signals, progress, summary.
//!
//! ```text
//!   args ─> limit, workspace ─> signals, bar ─> the tool ─> summary
//! ```
//!
//! Promises: nothing but data on standard output; a bar only on a terminal.
//! Never: a data directory made for a file tool.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use plimsoll::budget::Consumer;
use plimsoll::files::{Input, Output, Phase, Reading, Summary, Tool, Watch};
use plimsoll::format::{Delimiter, Format};
use plimsoll::limits::{LINE_BYTES_MAX, TOOL_LIMIT_BYTES_MIN};
use plimsoll::spill::{Codec, SpillOptions, write_rate};
use plimsoll::storage::{Disk, Storage};
use plimsoll::units::ByteSize;

use crate::args::{Global, ToolArgs};
use crate::config::{Config, Origin};
use crate::exit::Usage;
use crate::setup::{self, Setup};
use crate::{interrupt, process, progress};

/// Threads where nobody says how many: more wait for the disk.
const THREADS_DEFAULT_MAX: usize = 8;
/// What the process itself still grows by: code that was not run yet, stacks, page tables.
const GROWTH_BYTES: u64 = 1216 << 10;
/// The same for each thread beyond two: its stack and its helpers', and what the allocator keeps
/// for them.
const THREAD_GROWTH_BYTES: u64 = 96 << 10;
/// Below this every part of the memory counts.
const SMALL_LIMIT_BYTES: u64 = 32 << 20;
/// The word for a codec that is chosen by the disk's pace.
const ADAPTIVE: &str = "adaptive";
/// How much larger than its file a compressed input is taken for.
const UNPACKED_BY: u64 = 8;
/// Between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_millis(125);

/// A file tool that is ready to begin.
pub(crate) struct Ready {
    setup: Setup,
    consumer: Consumer,
    storage: Arc<dyn Storage>,
    spill_root: PathBuf,
    spill: SpillOptions,
    /// The codec is chosen by the disk's pace.
    adaptive: bool,
    threads: usize,
    watch: Arc<Watch>,
    began: Instant,
    json: bool,
}

impl Ready {
    /// Reads the settings and finds the limit.
    pub(crate) fn new(global: &Global, args: &ToolArgs, name: &str) -> anyhow::Result<Self> {
        let began = Instant::now();
        let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
        let consumer = setup.memory.budget.consumer(name)?;
        let codec = match &*args.spill_codec {
            ADAPTIVE => None,
            name => Some(Codec::from_name(name).ok_or_else(|| {
                Usage(format!("--spill-codec {name}: allowed are adaptive, none, lz4, zstd, gzip"))
            })?),
        };
        let spill = SpillOptions {
            quota_bytes: args
                .spill_quota
                .as_deref()
                .map(|t| size("--spill-quota", t))
                .transpose()?,
            codec: codec.unwrap_or_default(),
            memory_file_system: args.spill_in_memory,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = args.threads.map_or(cores.min(THREADS_DEFAULT_MAX), usize::from);
        let spill_root = spill_root(&setup.config);
        let watch = Arc::new(Watch::default());
        interrupt::stops(&watch)?;
        let storage: Arc<dyn Storage> = Arc::new(Disk);
        let json = args.json;
        let adaptive = codec.is_none();
        crate::allocator::forget_code();
        Ok(Self {
            setup,
            consumer,
            storage,
            spill_root,
            spill,
            adaptive,
            threads,
            watch,
            began,
            json,
        })
    }

    /// What the library's tools are given. All that is left of the limit is theirs.
    pub(crate) fn tool(&self) -> Tool<'_> {
        self.setup.memory.budget.measure();
        let budget = &self.setup.memory.budget;
        let left = budget.reservable_bytes().saturating_sub(budget.reserved_bytes());
        // A tool takes no more threads than a mebibyte each feeds.
        let threads = (self.threads as u64).min(left >> 20);
        let threads = threads.saturating_sub(2) * THREAD_GROWTH_BYTES;
        Tool {
            storage: &self.storage,
            spill_root: &self.spill_root,
            spill: self.spill,
            consumer: &self.consumer,
            workspace_bytes: left.saturating_sub(GROWTH_BYTES + left / 64 + threads),
            threads: self.threads,
            watch: &self.watch,
        }
    }

    /// Where nobody chose a codec and these inputs do not fit into memory, chooses one by the
    /// pace of the disk that is spilled to. Inputs of unknown length are not waited for: they
    /// spill as they are, and so does all under a small limit, where a codec's buffers cost passes.
    pub(crate) fn adapt(&mut self, inputs: &[&Input]) {
        let bytes: u64 = inputs.iter().map(|input| expected_bytes(input)).sum();
        let tool = self.tool();
        let small = self.setup.memory.limit.bytes < SMALL_LIMIT_BYTES;
        if !self.adaptive || small || bytes <= tool.workspace_bytes {
            return;
        }
        let (root, options) = (tool.spill_root, tool.spill);
        let clock = || self.began.elapsed();
        let rate = write_rate(&self.storage, root, options, &self.consumer, &clock);
        // A disk that fails here fails again where it matters, and is told there.
        self.spill.codec = rate.map_or(Codec::None, Codec::where_the_disk_takes);
        self.consumer.purge();
    }

    /// The codec of spilled blocks, for `--explain`.
    pub(crate) fn codec(&self) -> String {
        let name = self.spill.codec.name();
        if self.adaptive { format!("{name} (adaptive)") } else { name.to_owned() }
    }

    /// The limit the plan was made under, for `--explain`.
    pub(crate) fn limit(&self) -> String {
        let limit = &self.setup.memory.limit;
        format!("{} ({})", ByteSize::new(limit.bytes), limit.source)
    }

    /// Does the work with a bar beside it, and prints the summary.
    pub(crate) fn run(
        &self,
        work: impl FnOnce() -> plimsoll::Result<Summary> + Send,
    ) -> anyhow::Result<Summary> {
        let (stop, stopped) = sync_channel::<()>(1);
        let summary = std::thread::scope(|scope| {
            let bar = scope.spawn(move || {
                let bar = progress::Bar::bytes(Phase::Read.name(), 0);
                while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let (phase, done, total) = self.watch.now();
                    bar.restart(phase.name(), total.unwrap_or(0));
                    bar.at(done);
                }
                bar.finish();
            });
            let summary = work();
            drop(stop);
            let _panicked = bar.join();
            summary
        })?;
        if self.json {
            self.print(&summary)?;
        }
        Ok(summary)
    }

    fn print(&self, summary: &Summary) -> anyhow::Result<()> {
        let line = serde_json::json!({
            "rows": summary.rows_in, "rows_out": summary.rows_out,
            "bytes": summary.bytes_in, "bytes_out": summary.bytes_out,
            "spill_bytes": summary.spill_bytes, "spill_peak_bytes": summary.spill_peak_bytes,
            "spill_codec": self.spill.codec.name(), "runs": summary.runs, "passes": summary.passes,
            "segments_resumed": summary.segments_resumed,
            "peak_bytes": process::resident_peak_bytes(),
            "seconds": self.began.elapsed().as_secs_f64(),
        });
        writeln!(std::io::stderr(), "{line}")?;
        Ok(())
    }
}

/// The output that the flags name.
pub(crate) fn output(args: &ToolArgs) -> Output {
    match &args.output {
        Some(path) if path.as_os_str() != "-" => {
            Output::File { path: path.clone(), fsync: args.fsync }
        }
        _ => Output::Stdout,
    }
}

/// Format and delimiter of the input.
pub(crate) fn format(args: &ToolArgs, input: &Input) -> anyhow::Result<(Format, Delimiter)> {
    let format = match &args.format {
        None => input.format(),
        Some(name) => Format::from_name(name)
            .ok_or_else(|| Usage(format!("--format {name}: allowed are csv, ndjson")))?,
    };
    let delimiter = Delimiter::from_name(&args.delimiter).ok_or_else(|| {
        let name = &args.delimiter;
        Usage(format!("--delimiter {name}: allowed are comma, semicolon, tab, pipe"))
    })?;
    Ok((format, delimiter))
}

/// Prints a plan.
pub(crate) fn explain(lines: &[(&str, String)]) -> anyhow::Result<()> {
    let mut out = crate::exit::stdout();
    for (name, value) in lines {
        writeln!(out, "{name:<18}{value}")?;
    }
    Ok(())
}

/// A filter as a plan shows it.
pub(crate) fn filter(filter: Option<&str>) -> String {
    filter.unwrap_or("none").to_owned()
}

/// A size given to a flag.
pub(crate) fn size(flag: &str, text: &str) -> anyhow::Result<u64> {
    let size: ByteSize = text.parse().map_err(|e| anyhow!(Usage(format!("{flag} {text}: {e}"))))?;
    Ok(size.bytes())
}

impl Ready {
    /// An input and how the flags say to read it. Under a small limit the longest record where
    /// nobody says is a quarter of the usual part: a tool holds several.
    pub(crate) fn reading(&self, args: &ToolArgs, path: &Path) -> anyhow::Result<Reading> {
        let input = Input::from_argument(path);
        let (format, delimiter) = format(args, &input)?;
        let mut record_bytes_max = self.record_bytes_max(args)?;
        if args.record_max.is_none() && self.setup.memory.limit.bytes < SMALL_LIMIT_BYTES {
            record_bytes_max /= 4;
        }
        Ok(Reading { input, format, delimiter, record_bytes_max })
    }

    /// The longest record: as `--record-max` says, else the usual one, or a 64th of a small limit.
    pub(crate) fn record_bytes_max(&self, args: &ToolArgs) -> anyhow::Result<usize> {
        let bytes = match &args.record_max {
            Some(text) => size("--record-max", text)?,
            None => (self.setup.memory.limit.bytes / 64).min(LINE_BYTES_MAX as u64),
        };
        Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
    }
}

/// Bytes that are read from an input, as far as its name and length tell.
fn expected_bytes(input: &Input) -> u64 {
    let Input::File(path) = input else { return 0 };
    let bytes = std::fs::metadata(path).map_or(0, |data| data.len());
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz" | "zst") => bytes.saturating_mul(UNPACKED_BY),
        _ => bytes,
    }
}

/// Where spilled data goes: as set, else the system's directory for large temporary files.
fn spill_root(config: &Config) -> PathBuf {
    match config.path("spill.dir") {
        Some(directory) if *config.origin("spill.dir") != Origin::Default => directory.to_owned(),
        _ => std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from),
    }
}
