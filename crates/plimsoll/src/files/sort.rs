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

use std::sync::Arc;

use super::input::{Input, OpenInput};
use super::output::Output;
use super::reading::check_room;
use super::row_filter::RowFilter;
use super::runs::kept_where_short;
use super::scanning::Scanning;
use super::sorted_output::SortedOutput;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Delimiter, Format};
use crate::record::key::{ByTerm, KeyTerm, resolve};
use crate::scan::ScanOptions;
use crate::sort::{ChunkStrategy, RunList, SortInput, SortPlan, plan};

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
    /// Only rows for which this is true, e.g. `qty > 0`.
    pub filter: Option<String>,
    /// How run sizes are chosen.
    pub strategy: ChunkStrategy,
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
    /// Keep finished runs, and take over those of the same sort that was killed.
    pub resume: bool,
}

/// A sort that was planned and not begun.
pub struct PlannedSort<'a> {
    pub(super) job: &'a SortFile,
    pub(super) tool: Tool<'a>,
    pub(super) scanning: Scanning,
    pub(super) terms: Vec<KeyTerm>,
    pub(super) filter: RowFilter,
    pub(super) bytes_len: Option<u64>,
    pub(super) plan: SortPlan,
    pub(super) list: Arc<RunList>,
}

impl SortFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, a filter that is none, an output that is
    /// the input, or too little memory, with the least that is needed; those of opening and
    /// scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedSort<'a>> {
        self.output.check_against(&[&self.input])?;
        let OpenInput { bytes, bytes_len, source_bytes, .. } = self.input.open()?;
        let mut options = ScanOptions::new(self.format);
        options.delimiter = self.delimiter;
        options.record_bytes_max = self.record_bytes_max;
        options.sniff_bytes = options.sniff_bytes.min(self.record_bytes_max.max(SNIFF_BYTES_MIN));
        let tool = tool.with_threads_for(tool.workspace_bytes);
        let scan = scan_bytes(&options, source_bytes, 1);
        let scanning = Scanning::open(bytes, options, source_bytes, tool.consumer);
        if scanning.as_ref().is_err_and(|error| error.kind() == ErrorKind::OutOfBudget) {
            check_room(&tool, scan + self.record_bytes_max as u64, self.record_bytes_max)?;
        }
        let scanning = scanning?;
        let segments = &scanning.segments;
        let filter = RowFilter::parse(self.filter.as_deref(), segments)?;
        let terms = resolve(&self.by, segments.columns(), segments.kinds())?;
        let plan = plan(SortInput {
            bytes: bytes_len,
            row_bytes: segments.row_bytes(),
            workspace_bytes: tool.workspace_bytes.saturating_sub(scanning.held_bytes()),
            scan_bytes: scanning.held_bytes(),
            generator_bytes: scanning.worker_bytes(&filter),
            threads: tool.threads,
            strategy: self.strategy,
            codec: tool.spill.codec,
        })?;
        if self.resume && bytes_len.is_none() {
            return Err(Error::invalid(format!(
                "{} cannot be entered in the middle, so a sort of it cannot be resumed: \
                 decompress it or write it to a file first, or take --resume away",
                self.input
            )));
        }
        // One more than there are, for the run that others are merged into.
        let list = RunList::new(tool.consumer, plan.runs_max + 1)?;
        Ok(PlannedSort { job: self, tool, scanning, terms, filter, bytes_len, plan, list })
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
        self.scanning.segments.columns()
    }

    /// Sorts.
    ///
    /// # Errors
    /// Those of the input, of spilling and of the output; then no output exists, but for
    /// [`super::PartialFile::finish`]'s last step. Of several faults of the input the first in it
    /// is told, whatever the number of threads. Where memory or the quota were too small, the runs
    /// of a sort that can be resumed stay for the same sort with more.
    pub fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.bytes_len);
        let (sort, mut made) = if self.job.resume {
            self.take_over()?
        } else {
            let made = self.generate()?;
            (self, made)
        };
        let summary = Summary {
            rows_in: made.read,
            rows_out: made.rows,
            bytes_in: made.bytes,
            runs: made.runs_made,
            segments_resumed: made.resumed,
            ..Summary::default()
        };
        let Self { job, tool, scanning, plan, list, .. } = sort;
        let (header, _header) = scanning.into_header();
        let output = SortedOutput { job, tool, plan, header: &header, list };
        match made.spilled.take() {
            None => output.write_memory(made, summary),
            Some((area, file)) => {
                let written = output.write_runs(made.runs, &area, &file, summary);
                if job.resume { kept_where_short(&area, written) } else { written }
            }
        }
    }
}

/// A sample below this says little about the types.
pub(super) const SNIFF_BYTES_MIN: usize = 64 << 10;

/// The fault to tell: one that is not the stop that followed it.
pub(super) fn first_fault(outcomes: Vec<Result<()>>) -> Result<()> {
    let mut faults: Vec<Error> = outcomes.into_iter().filter_map(Result::err).collect();
    faults.sort_by_key(|e| e.kind() == ErrorKind::Stopped);
    faults.into_iter().next().map_or(Ok(()), Err)
}

pub(super) fn panicked() -> Error {
    Error::corrupt("a worker panicked; its message is above")
}
