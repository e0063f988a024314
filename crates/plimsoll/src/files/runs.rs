//! All runs of a sort's input, by all its generators.
//!
//! ```text
//!   round:  generators, until the input ends or the list of runs is full
//!             │ full                                   │ end
//!             └─> arenas given back ─> some merged ─┐  └─> runs in the order of the input
//!                 next round  <─────────────────────┘
//! ```
//!
//! Promises: the list of runs is bounded whatever the input; of several faults the one of the
//! earliest segment is told.
//! Never: arenas beside a merge.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::generate::{Ended, Generator, Made};
use super::input::Input;
use super::resume::Resumable;
use super::sort::PlannedSort;
use super::watch::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::sort::{
    LANE_SPARES, Passes, ReaderShape, RunList, SortPlan, SortedRun, SortedRunWriter,
};
use crate::spill::{Codec, SpillArea, SpillFile, WriteLane};

/// Where runs go.
#[derive(Clone, Copy)]
pub(super) struct RunPlace<'a> {
    pub(super) area: &'a SpillArea,
    pub(super) file: &'a Arc<SpillFile>,
    pub(super) list: &'a Arc<RunList>,
    pub(super) notes: Option<&'a Mutex<Resumable>>,
}

/// What the generators of a round have in common.
pub(super) struct Round {
    failed: AtomicBool,
    /// Runs there are, those of earlier rounds too.
    runs: AtomicU64,
    runs_max: u64,
}

impl Round {
    /// Whether another generator failed, so that further segments are not needed: earlier ones are
    /// with generators that look after them.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.runs.load(Ordering::Relaxed) >= self.runs_max
    }

    pub(super) fn add_run(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
}

impl PlannedSort<'_> {
    /// Makes sorted runs of all of the input, or sorted arenas where it is short.
    pub(super) fn generate(&self) -> Result<Made> {
        let mut first = self.generator(0)?;
        // An input of no rows fits as well: only the header is written.
        if !first.fill().map_err(|fault| fault.error)? || first.is_all() {
            return Ok(first.keep());
        }
        let (mut made, mut generators) = (Made::default(), vec![first]);
        if self.plan.arenas > 1 {
            let ended;
            (made, generators, ended) = self.keep_all(generators.pop().expect("the first"))?;
            if ended == Ended::Input {
                return Ok(made);
            }
        }
        let area = self.tool.area()?;
        let file = area.file("sort")?;
        let place = RunPlace { area: &area, file: &file, list: &self.list, notes: None };
        self.spill_arenas(&mut made, place)?;
        let mut made = self.generate_all(generators, made, 0, place)?;
        made.spilled = Some((area, file));
        Ok(made)
    }

    /// Sorted arenas of all of the input, by all threads; where it does not fit, generators with
    /// the segments that did not.
    fn keep_all<'s>(&'s self, first: Generator<'s>) -> Result<(Made, Vec<Generator<'s>>, Ended)> {
        let arenas = AtomicUsize::new(self.plan.generators);
        let kept = Mutex::new((Made::default(), Vec::new()));
        let faults = Mutex::new(Vec::new());
        let work = |generator: Result<Generator<'s>>| {
            let worked = generator.map_err(|error| Fault { segment: u64::MAX, error });
            match worked.and_then(|generator| generator.keep_all(&arenas)) {
                Ok((mut generator, ended)) => {
                    let mut kept = lock(&kept);
                    kept.0.add(generator.take_made());
                    if ended == Ended::Full {
                        kept.1.push(generator);
                    }
                }
                Err(fault) => lock(&faults).push(fault),
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.plan.generators {
                scope.spawn(|| work(self.generator(0)));
            }
            work(Ok(first));
        });
        if let Some(error) = first_in_input(into_inner(faults)) {
            return Err(error);
        }
        let (mut made, generators) = into_inner(kept);
        made.arenas.sort_unstable_by_key(|(segment, _)| *segment);
        let ended = if generators.is_empty() { Ended::Input } else { Ended::Full };
        Ok((made, generators, ended))
    }

    /// Makes runs of arenas that were to stay in memory.
    fn spill_arenas(&self, made: &mut Made, place: RunPlace<'_>) -> Result<()> {
        let consumer = self.tool.consumer;
        let blocks = (self.plan.block_bytes, self.plan.request_bytes);
        let arenas = std::mem::take(&mut made.arenas);
        if arenas.is_empty() {
            return Ok(());
        }
        let mut lane = WriteLane::start(consumer, blocks.1, LANE_SPARES, Codec::None)?;
        let codec = place.area.codec();
        let writer = SortedRunWriter::new(place.file, codec, consumer, blocks)?;
        let mut writer = writer.listed(&self.list);
        for (segment, arena) in arenas {
            writer.push_all(&mut lane, &arena)?;
            made.runs.push(Arc::new(writer.cut(&mut lane, (segment, 0))?));
            made.runs_made += 1;
            self.tool.watch.check()?;
        }
        Ok(())
    }

    /// Goes on behind the runs that an earlier process finished.
    pub(super) fn take_over(self) -> Result<(Self, Made)> {
        let (format, delimiter) = (&self.job.format, &self.job.delimiter);
        let filter = self.job.filter.as_deref().unwrap_or_default();
        let keys = format!("{:?} {format:?} {delimiter:?}{filter}", self.terms);
        let runs_max = self.plan.runs_max;
        let resumable =
            Resumable::open(&self.tool, &self.job.input, &keys, runs_max, &|runs, area, file| {
                let place = RunPlace { area, file, list: &self.list, notes: None };
                kept_where_short(area, self.make_room(runs, place))
            })?;
        let found = &resumable.found;
        let before = found.segments;
        let header_bytes = self.scanning.segments.header().len() as u64;
        let made = Made {
            runs: found.runs.clone(),
            runs_made: found.runs_made,
            read: found.rows,
            rows: found.rows,
            bytes: found.input_offset.saturating_sub(header_bytes),
            resumed: before,
            ..Made::default()
        };
        let sort = self.entered(found.segments, found.input_offset, found.line)?;
        let (area, file) = (resumable.area.clone(), Arc::clone(&resumable.file));
        let notes = Mutex::new(resumable);
        let place = RunPlace { area: &area, file: &file, list: &sort.list, notes: Some(&notes) };
        let made = sort.generate_all(Vec::new(), made, before, place);
        let mut made = kept_where_short(&area, made)?;
        made.spilled = Some((area, file));
        Ok((sort, made))
    }

    /// The same sort, with its input read from behind so many segments on.
    fn entered(self, segments: u64, offset: u64, line: u64) -> Result<Self> {
        let (Input::File(path), true) = (&self.job.input, segments > 0) else { return Ok(self) };
        let input = self.job.input.open_at(path, offset)?;
        self.tool.watch.add(offset);
        Ok(Self { scanning: self.scanning.enter(input, offset, line)?, ..self })
    }

    fn generator(&self, segments_before: u64) -> Result<Generator<'_>> {
        let wanted = (&self.terms[..], &self.filter);
        Generator::new(&self.tool, &self.plan, &self.scanning, wanted, segments_before)
    }

    /// Rounds of generators until the input ends; the runs come behind those of `made`.
    fn generate_all<'s>(
        &'s self,
        mut begun: Vec<Generator<'s>>,
        mut made: Made,
        segments_before: u64,
        place: RunPlace<'_>,
    ) -> Result<Made> {
        loop {
            let round = Round {
                failed: AtomicBool::new(false),
                runs: AtomicU64::new(made.runs.len() as u64),
                runs_max: self.plan.runs_max,
            };
            let ended = self.generate_round(
                std::mem::take(&mut begun),
                &mut made,
                segments_before,
                place,
                &round,
            )?;
            made.runs.sort_unstable_by_key(|run| run.order());
            if ended == Ended::Input {
                return Ok(made);
            }
            self.make_room(&mut made.runs, place)?;
        }
    }

    /// All generators, until the input ends or the list of runs is full.
    fn generate_round<'s>(
        &'s self,
        begun: Vec<Generator<'s>>,
        made: &mut Made,
        segments_before: u64,
        place: RunPlace<'_>,
        round: &Round,
    ) -> Result<Ended> {
        let faults = Mutex::new(Vec::new());
        let all = Mutex::new((made, Ended::Full));
        let work = |generator: Result<Generator<'_>>| {
            let worked = generator.map_err(|error| Fault { segment: u64::MAX, error });
            match worked.and_then(|generator| generator.run(place, round)) {
                Ok((more, ended)) => {
                    let mut all = lock(&all);
                    all.0.add(more);
                    if ended == Ended::Input {
                        all.1 = ended;
                    }
                }
                Err(fault) => {
                    round.failed.store(true, Ordering::Relaxed);
                    lock(&faults).push(fault);
                }
            }
        };
        std::thread::scope(|scope| {
            let work = &work;
            let mut begun = begun.into_iter();
            let first = begun.next();
            for _ in 1..self.plan.generators {
                let next = begun.next();
                let make = move || next.map_or_else(|| self.generator(segments_before), Ok);
                scope.spawn(move || work(make()));
            }
            work(first.map_or_else(|| self.generator(segments_before), Ok));
        });
        match first_in_input(into_inner(faults)) {
            Some(error) => Err(error),
            None => Ok(into_inner(all).1),
        }
    }

    /// Merges runs of a full list until it has room for as many again as are left.
    fn make_room(&self, runs: &mut Vec<Arc<SortedRun>>, place: RunPlace<'_>) -> Result<()> {
        let reader = ReaderShape::of(runs.iter().map(|run| &**run));
        // The input is still open.
        let merge_bytes = self.plan.merge_bytes.saturating_sub(self.scanning.held_bytes());
        let plan = SortPlan { merge_bytes, ..self.plan };
        let plan = plan.with_runs(runs.len() as u64, 1, reader)?;
        let most = usize::try_from(self.plan.runs_max / 2).unwrap_or(usize::MAX);
        self.tool.consumer.purge();
        self.tool.watch.begin(Phase::Pass, None);
        let (codec, consumer) = (place.area.codec(), self.tool.consumer);
        let passes =
            Passes { consumer, file: place.file, codec, plan: &plan, list: Some(&self.list) };
        passes.reduce(runs, plan.fan_in.min(most).max(1), &|_| self.tool.watch.check())?;
        self.tool.consumer.purge();
        self.tool.watch.begin(Phase::Read, self.bytes_len);
        Ok(())
    }
}

/// What came of a step of a sort that can be resumed: where memory was short, its runs stay for
/// the same command with more of it.
pub(super) fn kept_where_short<T>(area: &SpillArea, outcome: Result<T>) -> Result<T> {
    outcome.inspect_err(|error| {
        if matches!(error.kind(), ErrorKind::OutOfBudget | ErrorKind::TooLarge) {
            area.keep();
        }
    })
}

/// A generator's fault, and the segment it was at: beyond all where it was at none.
pub(super) struct Fault {
    pub(super) segment: u64,
    pub(super) error: Error,
}

/// The fault to tell: of the earliest segment, and no stop that followed it.
fn first_in_input(faults: Vec<Fault>) -> Option<Error> {
    let rank = |fault: &Fault| (fault.error.kind() == ErrorKind::Stopped, fault.segment);
    faults.into_iter().min_by_key(rank).map(|fault| fault.error)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
