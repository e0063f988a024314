//! Sorts a file by some of its columns.
//!
//! ```text
//!   Segments ─┬─> generator 0: arena: keys, sort ─> lane: run ─┐
//!             └─> generator 1: arena: keys, sort ─> lane: run ─┴─> runs in input order
//!   runs ─> passes, if they are too many ─> split by keys ─┬─> worker 0: merge ─> output range
//!                                                          └─> worker 1: merge ─> output range
//! ```
//!
//! Promises: rows come out byte for byte as they went in, equal keys in input order; the output
//! appears whole or not at all.
//! Never: a field parsed that no key names; more memory than the workspace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::generate::{Generator, Made};
use super::input::{Input, OpenInput};
use super::output::{Output, Packing, PartialFile};
use super::range_writer::RangeWriter;
use super::resume::Resumable;
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use crate::error::{Error, Result};
use crate::format::{Delimiter, Format};
use crate::record::key::{ByTerm, KeyTerm, resolve};
use crate::scan::{ScanOptions, ScanStart, Segments};
use crate::sort::{
    Arena, ChunkStrategy, LANE_SPARES, Merge, Passes, Range, SortInput, SortPlan, SortedRun, ahead,
    plan, split,
};
use crate::spill::{BlockTarget as _, SpillArea, SpillFile};

/// What to sort and how.
#[derive(Clone, Debug)]
pub struct SortFile {
    /// From where.
    pub input: Input,
    /// To where.
    pub output: Output,
    /// CSV or NDJSON.
    pub format: Format,
    /// Between fields of CSV.
    pub delimiter: Delimiter,
    /// By which columns.
    pub by: Vec<ByTerm>,
    /// How run sizes are chosen.
    pub strategy: ChunkStrategy,
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
    /// Keep finished runs, and take over those of the same sort that was killed.
    pub resume: bool,
}

/// A sort that was planned and not begun.
pub struct PlannedSort<'a> {
    job: &'a SortFile,
    tool: Tool<'a>,
    segments: Segments,
    terms: Vec<KeyTerm>,
    bytes_len: Option<u64>,
    plan: SortPlan,
    options: ScanOptions,
    _scan: crate::budget::Reservation,
}

impl SortFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, an output that is the input, or too
    /// little memory, with the least that is needed; those of opening and scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedSort<'a>> {
        self.output.check_against(&[&self.input])?;
        let OpenInput { bytes, bytes_len, source_bytes, .. } = self.input.open()?;
        let mut options = ScanOptions::new(self.format);
        options.delimiter = self.delimiter;
        options.record_bytes_max = self.record_bytes_max;
        options.sniff_bytes = options.sniff_bytes.min(self.record_bytes_max.max(SNIFF_BYTES_MIN));
        let tool = tool.with_threads_for(tool.workspace_bytes);
        let scan = scan_bytes(&options, source_bytes, tool.threads);
        let reservation = tool.consumer.try_reserve(scan)?;
        let segments = Segments::open(bytes, options.clone())?;
        let terms = resolve(&self.by, segments.columns(), segments.kinds())?;
        let plan = plan(SortInput {
            bytes: bytes_len,
            row_bytes: segments.row_bytes(),
            workspace_bytes: tool.workspace_bytes.saturating_sub(scan),
            threads: tool.threads,
            strategy: self.strategy,
        })?;
        if self.resume && bytes_len.is_none() {
            return Err(Error::invalid(format!(
                "{} cannot be entered in the middle, so a sort of it cannot be resumed: \
                 decompress it or write it to a file first, or take --resume away",
                self.input
            )));
        }
        let (job, _scan) = (self, reservation);
        Ok(PlannedSort { job, tool, segments, terms, bytes_len, plan, options, _scan })
    }
}

/// What reading the input holds.
pub(super) fn scan_bytes(options: &ScanOptions, source_bytes: usize, threads: usize) -> u64 {
    (options.workspace_bytes() + threads * options.worker_bytes() + source_bytes) as u64
}

impl PlannedSort<'_> {
    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &SortPlan {
        &self.plan
    }

    /// The columns it sorts by.
    #[must_use]
    pub fn terms(&self) -> &[KeyTerm] {
        &self.terms
    }

    /// Names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[Box<str>] {
        self.segments.columns()
    }

    /// Sorts.
    ///
    /// # Errors
    /// Those of the input, of spilling and of the output; then no output exists, but for
    /// [`PartialFile::finish`]'s last step.
    pub fn run(mut self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.bytes_len);
        let mut made = if self.job.resume { self.take_over()? } else { self.generate()? };
        let rows = made.rows;
        let summary = Summary {
            rows_in: rows,
            rows_out: rows,
            bytes_in: made.bytes,
            segments_resumed: made.resumed,
            ..Summary::default()
        };
        match made.spilled.take() {
            None => self.write_memory(made, summary),
            Some((area, file)) => self.write_runs(made.runs, &area, &file, summary),
        }
    }

    /// Makes sorted runs of all of the input, or one sorted arena where it is short.
    fn generate(&self) -> Result<Made> {
        let mut first = self.generator(0)?;
        // An input of no rows fits as well: only the header is written.
        if !first.fill()? || first.is_all() {
            return Ok(first.keep());
        }
        let area = self.tool.area()?;
        let file = area.file("sort")?;
        let mut made = self.generate_all(first, &file, &area, None)?;
        made.spilled = Some((area, file));
        Ok(made)
    }

    /// Goes on behind the runs that an earlier process finished.
    fn take_over(&mut self) -> Result<Made> {
        let keys = format!("{:?} {:?} {:?}", self.terms, self.job.format, self.job.delimiter);
        let resumable = Resumable::open(&self.tool, &self.job.input, &keys)?;
        let found = &resumable.found;
        let before = found.segments;
        let (rows, bytes, runs) = (found.rows, found.input_offset, found.runs.clone());
        if let (Input::File(path), true) = (&self.job.input, before > 0) {
            let mut options = self.options.clone();
            options.start = Some(ScanStart {
                input_offset: found.input_offset,
                line: found.line,
                header: self.segments.header().into(),
            });
            let kinds = self.segments.columns().iter().cloned().zip(self.segments.kinds().iter());
            options.kinds = kinds.map(|(name, kind)| (name, *kind)).collect();
            let input = self.job.input.open_at(path, found.input_offset)?;
            self.segments = Segments::open(input, options)?;
            self.tool.watch.add(found.input_offset);
        }
        let (area, file) = (resumable.area.clone(), Arc::clone(&resumable.file));
        let notes = Mutex::new(resumable);
        let first = self.generator(before)?;
        let mut made = self.generate_all(first, &file, &area, Some(&notes))?;
        made.runs.splice(0..0, runs);
        made.rows += rows;
        made.bytes += bytes.saturating_sub(self.segments.header().len() as u64);
        made.resumed = before;
        made.spilled = Some((area, file));
        Ok(made)
    }

    fn generator(&self, segments_before: u64) -> Result<Generator<'_>> {
        Generator::new(&self.tool, &self.plan, &self.segments, &self.terms, segments_before)
    }

    /// All generators, until the input ends.
    fn generate_all<'s>(
        &'s self,
        first: Generator<'s>,
        file: &Arc<SpillFile>,
        area: &SpillArea,
        notes: Option<&Mutex<Resumable>>,
    ) -> Result<Made> {
        let made = Mutex::new(Made::default());
        let failure = Mutex::new(None::<Error>);
        let failed = || lock(&failure).is_some();
        let before = first.segments_before();
        let work = |generator: Result<Generator<'_>>| match generator
            .and_then(|g| g.run(file, area.codec(), notes, &failed))
        {
            Ok(more) => lock(&made).add(more),
            Err(error) => drop(lock(&failure).get_or_insert(error)),
        };
        std::thread::scope(|scope| {
            for _ in 1..self.plan.generators {
                scope.spawn(|| work(self.generator(before)));
            }
            work(Ok(first));
        });
        if let Some(error) = lock(&failure).take() {
            return Err(error);
        }
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        made.runs.sort_unstable_by_key(|run| run.order());
        Ok(made)
    }

    fn write_memory(&self, made: Made, mut summary: Summary) -> Result<Summary> {
        let header = self.segments.header();
        self.tool.watch.begin(Phase::Write, Some(made.bytes));
        let mut sink = Sink::create(&self.job.output, &self.tool, self.plan.out_block_bytes)?;
        sink.push(header)?;
        for (n, sorted) in made.arena.iter().flat_map(Arena::iter).enumerate() {
            sink.push(sorted.row)?;
            if n.is_multiple_of(CHECK_ROWS) {
                self.tool.watch.check()?;
            }
        }
        summary.bytes_out = sink.finish()?;
        Ok(summary)
    }

    fn write_runs(
        &self,
        mut runs: Vec<Arc<SortedRun>>,
        area: &SpillArea,
        file: &Arc<SpillFile>,
        mut summary: Summary,
    ) -> Result<Summary> {
        summary.runs = runs.len() as u64;
        let plan = self.plan.with_runs(summary.runs, self.tool.threads);
        self.tool.consumer.purge();
        let row_bytes: u64 = runs.iter().map(|run| run.row_bytes()).sum();
        summary.passes = plan.passes.unwrap_or(1);
        if runs.len() > plan.fan_in {
            self.tool.watch.begin(Phase::Pass, None);
            let passes = Passes {
                consumer: self.tool.consumer,
                file,
                codec: area.codec(),
                block_bytes: plan.block_bytes,
                fan_in: plan.fan_in,
                ahead: ahead(plan.fan_in),
            };
            passes.reduce(&mut runs, plan.fan_in, &|_| self.tool.watch.check())?;
            self.tool.consumer.purge();
        }
        self.tool.watch.begin(Phase::Write, Some(row_bytes));
        summary.bytes_out = match (&self.job.output, self.job.output.packing()) {
            (Output::File { path, fsync }, Packing::Plain) => {
                let partial = PartialFile::create(self.tool.storage, path, *fsync)?;
                self.write_ranges(&runs, &plan, row_bytes, partial)?
            }
            _ => self.write_stream(&runs, &plan)?,
        };
        let stats = area.stats();
        summary.spill_bytes = stats.written_bytes;
        summary.spill_peak_bytes = stats.peak_bytes;
        Ok(summary)
    }

    fn write_ranges(
        &self,
        runs: &[Arc<SortedRun>],
        plan: &SortPlan,
        row_bytes: u64,
        partial: PartialFile,
    ) -> Result<u64> {
        let header = self.segments.header();
        let total = header.len() as u64 + row_bytes;
        partial.allocate(total)?;
        let partial = Arc::new(partial);
        let ranges = split(runs, plan.merge_workers, self.tool.consumer)?;
        if ranges.is_empty() {
            // With rows the first range writes it.
            partial.write(header, 0)?;
        }
        let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
            let work: Vec<_> = ranges
                .into_iter()
                .enumerate()
                .map(|(n, range)| {
                    let partial = Arc::clone(&partial);
                    scope.spawn(move || {
                        let done = self.write_range(n, range, plan, partial);
                        if done.is_err() {
                            self.tool.watch.stop();
                        }
                        done
                    })
                })
                .collect();
            work.into_iter().map(|w| w.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        first_fault(outcomes)?;
        let partial = Arc::into_inner(partial).expect("the workers' handles are gone");
        partial.finish(total)?;
        Ok(total)
    }

    fn write_range(
        &self,
        number: usize,
        range: Range,
        plan: &SortPlan,
        partial: Arc<PartialFile>,
    ) -> Result<()> {
        let header = self.segments.header();
        let (offset, end) = (range.row_bytes_before, range.row_bytes_before + range.row_bytes);
        let begin = if number == 0 { 0 } else { header.len() as u64 + offset };
        let block = plan.out_block_bytes;
        let mut writer =
            RangeWriter::start(partial, begin, self.tool.consumer, block, LANE_SPARES)?;
        if number == 0 {
            writer.push(header)?;
        }
        let mut merge = range.merge(ahead(plan.fan_in), self.tool.consumer)?;
        let mut rows = 0_usize;
        let mut told = writer.position();
        while let Some(sorted) = merge.next()? {
            writer.push(sorted.row)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                self.tool.watch.check()?;
                self.tool.watch.add(writer.position() - told);
                told = writer.position();
            }
        }
        let written = writer.finish()?;
        assert_eq!(written, header.len() as u64 + end, "a range ends where the next one begins");
        Ok(())
    }

    fn write_stream(&self, runs: &[Arc<SortedRun>], plan: &SortPlan) -> Result<u64> {
        let mut sink = Sink::create(&self.job.output, &self.tool, plan.out_block_bytes)?;
        sink.push(self.segments.header())?;
        let mut merge = Merge::of_runs(runs, ahead(plan.fan_in), self.tool.consumer)?;
        let mut rows = 0_usize;
        let mut told = 0;
        while let Some(sorted) = merge.next()? {
            sink.push(sorted.row)?;
            rows += 1;
            if rows.is_multiple_of(CHECK_ROWS) {
                self.tool.watch.check()?;
                self.tool.watch.add(sink.bytes() - told);
                told = sink.bytes();
            }
        }
        sink.finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sample below this says little about the types.
pub(super) const SNIFF_BYTES_MIN: usize = 64 << 10;

/// Rows between two looks at the wish to stop.
const CHECK_ROWS: usize = 4096;

/// The fault to tell: one that is not the stop that followed it.
pub(super) fn first_fault(outcomes: Vec<Result<()>>) -> Result<()> {
    let mut faults: Vec<Error> = outcomes.into_iter().filter_map(Result::err).collect();
    faults.sort_by_key(|e| e.kind() == crate::ErrorKind::Stopped);
    faults.into_iter().next().map_or(Ok(()), Err)
}

pub(super) fn panicked() -> Error {
    Error::corrupt("a worker panicked; its message is above")
}
