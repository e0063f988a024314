//! A grouping from its job to its summary: by tables that spill partitions, or by values.
//!
//! Promises: what is planned is what is run.
//! Never: an output that exists after a fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Work;
use super::emit::{Emit, Style};
use super::grouper::Grouper;
use super::plan::{GroupInput, GroupPlan, plan};
use super::reading::{into_inner, lock};
use super::spilling::Spilling;
use crate::budget::Reservation;
use crate::error::Result;
use crate::files::input::OpenInput;
use crate::files::output::Output;
use crate::files::reading::Reading;
use crate::files::sort::{SNIFF_BYTES_MIN, scan_bytes};
use crate::files::tool::{Summary, Tool};
use crate::files::watch::Phase;
use crate::format::Format;
use crate::record::ColumnType;
use crate::scan::{ScanOptions, Segments};
use crate::spill::Run;

/// Parts of a job that `group` and `distinct` have both.
pub(in crate::files) struct Job<'a> {
    pub(in crate::files) reading: &'a Reading,
    pub(in crate::files) kinds: &'a [(Box<str>, ColumnType)],
    /// Columns of the key; none are all.
    pub(in crate::files) keys: &'a [Box<str>],
    pub(in crate::files) measures: Option<&'a str>,
    pub(in crate::files) filter: Option<&'a str>,
    /// `None` counts the groups.
    pub(in crate::files) output: Option<(&'a Output, Format)>,
}

/// A grouping, or a search for distinct rows, that was planned and not begun.
pub struct PlannedGrouping<'a> {
    pub(super) tool: Tool<'a>,
    pub(super) segments: Segments,
    pub(super) work: Work,
    pub(super) plan: GroupPlan,
    bytes_len: Option<u64>,
    pub(super) output: Option<(&'a Output, Style)>,
    _scan: Reservation,
}

/// Runs of one partition, by all who wrote it, and the level they are on.
type Part = (Vec<Arc<Run>>, u32);

impl<'a> PlannedGrouping<'a> {
    pub(in crate::files) fn new(job: &Job<'a>, tool: Tool<'a>) -> Result<Self> {
        if let Some((output, _)) = job.output {
            output.check_against(&[&job.reading.input])?;
        }
        let Reading { input, format, delimiter, record_bytes_max } = job.reading;
        let OpenInput { bytes, bytes_len, source_bytes, .. } = input.open()?;
        let mut options = ScanOptions::new(*format);
        options.delimiter = *delimiter;
        options.record_bytes_max = *record_bytes_max;
        options.kinds = job.kinds.to_vec();
        options.sniff_bytes = options.sniff_bytes.min(SNIFF_BYTES_MIN.max(*record_bytes_max));
        let tool = tool.with_threads_for(tool.workspace_bytes);
        let scan = scan_bytes(&options, source_bytes, tool.threads);
        let mut reservation = tool.consumer.try_reserve(scan)?;
        let header_bytes_max = 2 * options.record_bytes_max;
        let segments = Segments::open(bytes, options)?;
        // Most of what was held for the header's sake was not needed.
        let header_bytes = 2 * segments.header().len();
        reservation.shrink(header_bytes_max.saturating_sub(header_bytes) as u64);
        let scan = reservation.bytes();
        let work = Work::new(&segments, job.keys, job.measures, job.filter)?;
        let work = if job.output.is_none() { work.skipping_null() } else { work };
        let layout = work.division.layout();
        let plan = plan(GroupInput {
            bytes: bytes_len,
            row_bytes: segments.row_bytes(),
            state_bytes: layout.state_bytes(),
            sketch_bytes: layout.sketch_bytes(),
            value_columns: work.division.columns().len(),
            reads: work.reads.len(),
            workspace_bytes: tool.workspace_bytes.saturating_sub(scan),
            threads: tool.threads,
            codec: tool.spill.codec,
        })?;
        let line_end: &[u8] = if segments.header().ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        let output = job.output.map(|(output, format)| {
            let csv = Style::Csv { delimiter: *delimiter, line_end };
            (output, if format == Format::Csv { csv } else { Style::Ndjson })
        });
        Ok(Self { tool, segments, work, plan, bytes_len, output, _scan: reservation })
    }

    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &GroupPlan {
        &self.plan
    }

    /// Names and types of the columns that make a group, or that are distinct.
    pub fn keys(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.work.keys.iter().map(|key| (&*key.column.name, key.column.kind))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of the input, with the line; of spilling and of the output; then no output exists.
    pub fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.bytes_len);
        if self.plan.sort.is_some() { self.run_values() } else { self.run_partitions() }
    }

    fn run_partitions(self) -> Result<Summary> {
        let spilling = Spilling::new(&self.tool, true);
        let parts = Mutex::new(Vec::new());
        let (mut groupers, mut summary) = self.read(
            || Grouper::new(&self.tool, &self.work, &self.plan, &spilling),
            |mut grouper| {
                if grouper.has_spilled() {
                    add(&mut lock(&parts), grouper.end_level()?, 1);
                }
                Ok(grouper)
            },
        )?;
        let mut parts = into_inner(parts);
        if spilling.stats().is_some() {
            for grouper in groupers.iter_mut().filter(|g| !g.table().is_empty()) {
                add(&mut parts, grouper.end_level()?, 1);
            }
        } else {
            let (first, others) = groupers.split_first_mut().expect("one thread at least");
            for other in others {
                first.absorb(other.table())?;
                other.begin_level(0);
            }
            if first.has_spilled() {
                add(&mut parts, first.end_level()?, 1);
            }
        }
        self.tool.consumer.purge();
        parts.iter_mut().for_each(|part| part.0.retain(|run| run.records() > 0));
        summary.runs = parts.iter().map(|part| part.0.len() as u64).sum();
        summary.passes = u32::from(summary.runs > 0);
        let total = parts.iter().flat_map(|p| &p.0).map(|run| run.disk_bytes()).sum();
        let parts = Mutex::new(parts);
        self.write(groupers, total, &mut summary, |grouper, emit, failed| {
            self.finish(grouper, &parts, emit, failed)
        })?;
        if let Some(stats) = spilling.stats() {
            summary.spill_bytes = stats.written_bytes;
            summary.spill_peak_bytes = stats.peak_bytes;
        }
        Ok(summary)
    }

    /// Groups of a worker's table, and of the partitions it takes; gives the deepest level.
    fn finish(
        &self,
        mut grouper: Grouper<'_>,
        parts: &Mutex<Vec<Part>>,
        emit: &mut Emit<'_>,
        failed: &AtomicBool,
    ) -> Result<u32> {
        emit.table(&self.work, grouper.table())?;
        let (mut own, mut deepest) = (Vec::new(), 0);
        while !failed.load(Ordering::Relaxed) {
            let Some((runs, level)) = own.pop().or_else(|| lock(parts).pop()) else { break };
            deepest = deepest.max(level);
            grouper.begin_level(level);
            for run in runs {
                grouper.merge_run(&run)?;
            }
            if grouper.has_spilled() {
                let runs = grouper.end_level()?;
                own.extend(runs.into_iter().map(|run| (vec![run], level + 1)));
                own.retain(|(runs, _)| runs[0].records() > 0);
            } else {
                emit.table(&self.work, grouper.table())?;
            }
        }
        Ok(deepest)
    }
}

/// Puts one run a partition to those of the others.
fn add(parts: &mut Vec<Part>, runs: Vec<Arc<Run>>, level: u32) {
    parts.resize_with(runs.len(), || (Vec::new(), level));
    for (part, run) in parts.iter_mut().zip(runs) {
        part.0.push(run);
    }
}
