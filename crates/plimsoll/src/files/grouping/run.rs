//! The two phases of a grouping: reading, and partition by partition to the output.
//!
//! ```text
//!   read    N workers ─> Groupers with tables or with runs        fault: the lowest segment's
//!   write   N workers ─> frames ─> this thread ─> Sink
//! ```
//!
//! Promises: every worker has ended when a phase ends; the first fault is told.
//! Never: an output that exists after a fault.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Work;
use super::batch::Batch;
use super::emit::{Emit, Rows, Style, header};
use super::grouper::Grouper;
use super::plan::{FRAMES, GroupInput, GroupPlan, plan};
use super::spilling::Spilling;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::files::input::{Input, OpenInput};
use crate::files::output::Output;
use crate::files::sink::Sink;
use crate::files::sort::{SNIFF_BYTES_MIN, first_fault, panicked, scan_bytes};
use crate::files::tool::{Summary, Tool};
use crate::files::watch::Phase;
use crate::format::{Delimiter, Format};
use crate::record::ColumnType;
use crate::scan::{Records, ScanOptions, Segments};
use crate::spill::Run;

/// Parts of a job that `group` and `distinct` have both.
pub(in crate::files) struct Job<'a> {
    pub(in crate::files) input: &'a Input,
    pub(in crate::files) format: Format,
    pub(in crate::files) delimiter: Delimiter,
    pub(in crate::files) record_bytes_max: usize,
    pub(in crate::files) kinds: &'a [(Box<str>, ColumnType)],
    /// Columns of the key; none are all.
    pub(in crate::files) keys: &'a [Box<str>],
    pub(in crate::files) measures: Option<&'a str>,
    pub(in crate::files) filter: Option<&'a str>,
    /// `None` counts the groups.
    pub(in crate::files) output: Option<(&'a Output, Format)>,
}

/// A job that was planned and not begun.
pub(in crate::files) struct Planned<'a> {
    tool: Tool<'a>,
    segments: Segments,
    work: Work,
    plan: GroupPlan,
    bytes_len: Option<u64>,
    output: Option<(&'a Output, Style)>,
    _scan: Reservation,
}

/// Runs of one partition, by all who wrote it, and the level they are on.
type Part = (Vec<Arc<Run>>, u32);

impl<'a> Planned<'a> {
    pub(in crate::files) fn new(job: &Job<'a>, tool: Tool<'a>) -> Result<Self> {
        if let Some((output, _)) = job.output {
            output.check_against(&[job.input])?;
        }
        let OpenInput { bytes, bytes_len, source_bytes, .. } = job.input.open()?;
        let mut options = ScanOptions::new(job.format);
        options.delimiter = job.delimiter;
        options.record_bytes_max = job.record_bytes_max;
        options.kinds = job.kinds.to_vec();
        options.sniff_bytes = options.sniff_bytes.min(job.record_bytes_max.max(SNIFF_BYTES_MIN));
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
        let plan = plan(GroupInput {
            bytes: bytes_len,
            row_bytes: segments.row_bytes(),
            state_bytes: work.layout.state_bytes(),
            reads: work.reads.len(),
            workspace_bytes: tool.workspace_bytes.saturating_sub(scan),
            threads: tool.threads,
            codec: tool.spill.codec,
        })?;
        let line_end: &[u8] = if segments.header().ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        let output = job.output.map(|(output, format)| {
            let csv = Style::Csv { delimiter: job.delimiter, line_end };
            (output, if format == Format::Csv { csv } else { Style::Ndjson })
        });
        Ok(Self { tool, segments, work, plan, bytes_len, output, _scan: reservation })
    }

    pub(in crate::files) fn plan(&self) -> &GroupPlan {
        &self.plan
    }

    pub(in crate::files) fn keys(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.work.keys.iter().map(|key| (&*key.column.name, key.column.kind))
    }

    pub(in crate::files) fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.bytes_len);
        let spilling = Spilling::new(&self.tool);
        let read = Reading::default();
        let mut groupers = self.read(&spilling, &read)?;
        let mut parts = into_inner(read.parts);
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
        let counts = into_inner(read.counts);
        let mut summary =
            Summary { rows_in: counts.rows, bytes_in: counts.bytes, ..Summary::default() };
        self.tool.consumer.purge();
        parts.iter_mut().for_each(|part| part.0.retain(|run| run.records() > 0));
        summary.runs = parts.iter().map(|part| part.0.len() as u64).sum();
        summary.passes = u32::from(summary.runs > 0);
        self.write(groupers, parts, &mut summary)?;
        if let Some(stats) = spilling.stats() {
            summary.spill_bytes = stats.written_bytes;
            summary.spill_peak_bytes = stats.peak_bytes;
        }
        Ok(summary)
    }

    /// Reads everything; the groupers hold what was not spilled.
    fn read<'s>(&'s self, spilling: &'s Spilling<'s>, read: &Reading) -> Result<Vec<Grouper<'s>>> {
        let groupers = Mutex::new(Vec::new());
        let work = || {
            let mut segment = u64::MAX;
            let worked = Grouper::new(&self.tool, &self.work, &self.plan, spilling).and_then(
                |mut grouper| {
                    self.read_segments(&mut grouper, read, &mut segment)?;
                    if grouper.has_spilled() {
                        add(&mut lock(&read.parts), grouper.end_level()?, 1);
                    }
                    lock(&groupers).push(grouper);
                    Ok(())
                },
            );
            if let Err(error) = worked {
                read.failed.store(true, Ordering::Relaxed);
                lock(&read.faults).push((segment, error));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.plan.threads {
                scope.spawn(work);
            }
            work();
        });
        let mut faults = std::mem::take(&mut *lock(&read.faults));
        faults.sort_by_key(|(segment, _)| *segment);
        match faults.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(into_inner(groupers)),
        }
    }

    fn read_segments(
        &self,
        grouper: &mut Grouper<'_>,
        read: &Reading,
        number: &mut u64,
    ) -> Result<()> {
        let _segment = self.tool.consumer.try_reserve(self.plan.segment_bytes as u64)?;
        let mut memory = vec![0; self.plan.segment_bytes];
        let mut batch = Batch::new(self.work.reads.len(), self.tool.consumer)?;
        let needed = self.work.keys.iter().chain(&self.work.reads).map(|s| s.position);
        let mut records = Records::new(&self.segments, &needed.collect::<Vec<_>>());
        let (mut rows, mut bytes_read) = (0, 0);
        while !read.failed.load(Ordering::Relaxed) {
            self.tool.watch.check()?;
            let Some(segment) = self.segments.next(&mut memory, 0)? else { break };
            *number = segment.number;
            records.begin(segment.first_line);
            let bytes = &memory[..segment.bytes];
            while let Some(record) = records.next(bytes)? {
                rows += 1;
                batch.push(&self.work, &record)?;
                if batch.is_full() {
                    grouper.add(&batch)?;
                    batch.clear();
                }
            }
            bytes_read += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        grouper.add(&batch)?;
        let mut counts = lock(&read.counts);
        counts.rows += rows;
        counts.bytes += bytes_read;
        Ok(())
    }

    /// Finishes all groups, partition by partition where there are any.
    fn write(
        &self,
        groupers: Vec<Grouper<'_>>,
        parts: Vec<Part>,
        summary: &mut Summary,
    ) -> Result<()> {
        let total = parts.iter().flat_map(|p| &p.0).map(|run| run.disk_bytes()).sum();
        self.tool.watch.begin(Phase::Write, Some(total));
        let workers = groupers.len();
        let frames = if self.output.is_some() { FRAMES * workers } else { 0 };
        let bytes = frames * self.plan.frame_bytes;
        let _frames = self.tool.consumer.try_reserve(bytes as u64)?;
        let (back, empty) = sync_channel(frames.max(1));
        for _ in 0..frames {
            let frame = Vec::with_capacity(self.plan.frame_bytes);
            back.send(frame).expect("the channel holds them all");
        }
        let (empty, parts) = (Mutex::new(empty), Mutex::new(parts));
        let failed = AtomicBool::new(false);
        let (full, filled) = sync_channel(frames.max(1));
        let groups = Mutex::new((0, 0));
        let mut outcomes = std::thread::scope(|scope| {
            let workers: Vec<_> = groupers
                .into_iter()
                .map(|grouper| {
                    let (full, empty, parts) = (full.clone(), &empty, &parts);
                    let (failed, groups) = (&failed, &groups);
                    scope.spawn(move || {
                        let done = self.finish(grouper, parts, failed, full, empty);
                        let (more, passes) = done.inspect_err(|_| {
                            failed.store(true, Ordering::Relaxed);
                        })?;
                        let mut groups = lock(groups);
                        *groups = (groups.0 + more, groups.1.max(passes));
                        Ok(())
                    })
                })
                .collect();
            drop(full);
            let written = self.drain(filled, &back, summary);
            drop(back);
            let join = |worker: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                worker.join().unwrap_or_else(|_| Err(panicked()))
            };
            let mut outcomes: Vec<Result<()>> = workers.into_iter().map(join).collect();
            let sink = written.map_err(|error| outcomes.push(Err(error))).ok().flatten();
            (outcomes, sink)
        });
        first_fault(std::mem::take(&mut outcomes.0))?;
        let (groups, passes) = into_inner(groups);
        (summary.rows_out, summary.passes) = (groups, summary.passes.max(passes));
        if let Some(sink) = outcomes.1 {
            summary.bytes_out = sink.finish()?;
        }
        Ok(())
    }

    /// Writes frames until no worker is left; the output is not finished yet.
    fn drain(
        &self,
        filled: Receiver<Vec<u8>>,
        back: &SyncSender<Vec<u8>>,
        summary: &mut Summary,
    ) -> Result<Option<Sink>> {
        let Some((output, style)) = self.output else { return Ok(None) };
        let mut sink = Sink::create(output, &self.tool, self.plan.out_block_bytes)?;
        sink.push(&header(style, &self.work))?;
        for mut frame in filled {
            sink.push(&frame)?;
            frame.clear();
            // The worker that would take it may have ended.
            let _last = back.try_send(frame);
        }
        summary.bytes_out = sink.bytes();
        Ok(Some(sink))
    }

    /// A worker's part of [`Planned::write`]: the groups it wrote, and the deepest level.
    fn finish(
        &self,
        mut grouper: Grouper<'_>,
        parts: &Mutex<Vec<Part>>,
        failed: &AtomicBool,
        full: SyncSender<Vec<u8>>,
        empty: &Mutex<Receiver<Vec<u8>>>,
    ) -> Result<(u64, u32)> {
        let mut emit = match self.output {
            None => Emit::Count(0),
            Some((_, style)) => {
                let rows = Rows::new(style, &self.work, full, empty, self.tool.consumer)?;
                Emit::Rows(Box::new(rows))
            }
        };
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
        Ok((emit.finish()?, deepest))
    }
}

/// What workers leave behind while they read.
#[derive(Default)]
struct Reading {
    failed: AtomicBool,
    /// With the segment in which they were met.
    faults: Mutex<Vec<(u64, Error)>>,
    parts: Mutex<Vec<Part>>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    rows: u64,
    bytes: u64,
}

/// Puts one run a partition to those of the others.
fn add(parts: &mut Vec<Part>, runs: Vec<Arc<Run>>, level: u32) {
    parts.resize_with(runs.len(), || (Vec::new(), level));
    for (part, run) in parts.iter_mut().zip(runs) {
        part.0.push(run);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
