//! One import from its first byte to its last.
//!
//! ```text
//!   read batch 2 ──────────> read batch 3 ──────────>
//!        │ wait for 1, send 2     │ wait for 2, send 3
//!   write batch 1 ─ commit   write batch 2 ─ commit
//! ```
//!
//! Promises: one unit is on its way while the next batch is read, never two, so a checkpoint never
//! stands beyond a batch that failed; what the summary counts is committed.
//! Never: goes on behind a batch that failed.

use std::ops::ControlFlow;

use plimsoll::format::{Mapping, Position, ReadError, RecordReader, Source};
use plimsoll::record::Value;

use super::batch::{Batch, Rejected, without};
use super::checkpoint::Checkpoint;
use super::columns::{file_schema, filled};
use super::keep::{ADVICE, Keep, Named};
use super::options::{Import, ImportOptions, OnError, Progress};
use super::rejects::Rejects;
use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Pending;
use crate::store::Store;
use crate::write::{OnConflict, Priority, Write, WriteOutcome, WriteUnit};

/// A batch whose refused rows were taken out can meet new ones only if somebody else writes too.
const TRIES_MAX: usize = 8;

/// What an import did, over all its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The counts.
    pub total: Checkpoint,
    /// Rows this run found committed by an earlier one.
    pub resumed_rows: u64,
    /// The file had been imported before; nothing was done.
    pub was_done: bool,
}

struct InFlight {
    pending: Pending<WriteOutcome>,
    batch: Batch,
    sent: Checkpoint,
}

struct Run<'a> {
    store: &'a Store,
    import: &'a Import,
    keep: Option<&'a dyn Keep>,
    /// What the next unit will say.
    next: Checkpoint,
    /// What the last commit said.
    committed: Checkpoint,
    rejects: Option<Rejects>,
    in_flight: Option<InFlight>,
    /// The last commit told how many of its rows were there, which its own checkpoint cannot say.
    recounted: bool,
}

/// Imports. `progress` is called after every commit; breaking stops there, to be resumed.
///
/// # Errors
/// The first wrong row under [`OnError::Stop`], with its line; whatever the file or the store
/// gives. What was committed stands.
pub fn run(
    store: &Store,
    import: Import,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ImportSummary> {
    let before = earlier(store, &import)?;
    let named = import.identity.clone().map(Named);
    let keep = named.as_ref().map(|named| named as &dyn Keep);
    from(store, import, keep, before, progress)
}

/// Imports as [`run`] does, from a checkpoint on that is kept elsewhere than under an identity.
///
/// # Errors
/// Those of [`run`].
pub fn go_on(
    store: &Store,
    import: Import,
    keep: &dyn Keep,
    before: Checkpoint,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ImportSummary> {
    from(store, import, Some(keep), before, progress)
}

/// Whether the beginning of a file is that of an import into the resource: its compression, its
/// format, and its header where it has one. No row is read.
///
/// # Errors
/// What [`run`] would fail with before its first row.
pub fn check(
    resource: &Resource,
    input: Box<dyn std::io::Read + Send>,
    options: &ImportOptions,
) -> Result<()> {
    open(resource, input, options).map(drop)
}

pub(super) fn open(
    resource: &Resource,
    input: Box<dyn std::io::Read + Send>,
    options: &ImportOptions,
) -> Result<(Box<dyn RecordReader>, Mapping)> {
    let source = Source::open(input, options.output_bytes_max)?;
    let reader = options.format.reader(source, options.reader)?;
    let schema = file_schema(resource, options.number_column);
    let mapping = options.mapping.clone();
    let mapping = if options.format == plimsoll::format::Format::Csv {
        Mapping::from_header(reader.columns(), &schema, mapping)?
    } else {
        Mapping::by_name(&schema, mapping)?
    };
    Ok((reader, mapping))
}

fn from(
    store: &Store,
    mut import: Import,
    keep: Option<&dyn Keep>,
    before: Checkpoint,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ImportSummary> {
    if import.options.on_error == OnError::Continue && import.options.rejects.is_none() {
        return Err(Error::invalid(
            "to continue behind a wrong row needs a file for rejected rows",
        ));
    }
    if before.done {
        return Ok(ImportSummary { total: before, resumed_rows: before.rows, was_done: true });
    }
    let input = std::mem::replace(&mut import.input, Box::new(std::io::empty()));
    let (mut reader, mapping) = open(&import.resource, input, &import.options)?;
    if before.record > 0 {
        reader.resume_at(before.position())?;
    }
    let rejects = match &import.options.rejects {
        Some(path) => Some(Rejects::open(path, before.rejects_bytes)?),
        None => None,
    };
    let mut run = Run {
        store,
        import: &import,
        keep,
        next: before,
        committed: before,
        rejects,
        in_flight: None,
        recounted: false,
    };
    let aside = run.set_indexes_aside()?;
    let read = run.read(&mut *reader, mapping, progress);
    if aside {
        run.restore_indexes()?;
    }
    read?;
    Ok(ImportSummary { total: run.committed, resumed_rows: before.rows, was_done: false })
}

fn earlier(store: &Store, import: &Import) -> Result<Checkpoint> {
    match &import.identity {
        Some(identity) if !import.options.dry_run => store
            .state(Checkpoint::KIND, identity)
            .wait()?
            .map_or(Ok(Checkpoint::default()), |json| Checkpoint::from_json(&json)),
        _ => Ok(Checkpoint::default()),
    }
}

impl Run<'_> {
    /// True when there is something to build in the end. A killed import leaves it to the next
    /// process that opens the database.
    fn set_indexes_aside(&self) -> Result<bool> {
        let Import { options, resource, now_micros, .. } = self.import;
        if !options.set_indexes_aside || options.dry_run || self.next.record > 0 {
            return Ok(false);
        }
        let unit = WriteUnit::of(Write::SetIndexesAside(resource.clone()), *now_micros);
        let outcome = self.store.write(unit, Priority::Bulk).wait()?;
        Ok(outcome.rows.iter().any(|&indexes| indexes > 0))
    }

    fn restore_indexes(&self) -> Result<()> {
        let Import { resource, now_micros, .. } = self.import;
        let unit = WriteUnit::of(Write::RestoreIndexes(resource.clone()), *now_micros);
        self.store.write(unit, Priority::Bulk).wait().map(drop)
    }

    fn read(
        &mut self,
        reader: &mut dyn RecordReader,
        mut mapping: Mapping,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let keeps_raw = self.rejects.is_some();
        let number_column = self.import.options.number_column;
        let (mut batch, mut row, mut columns) = (Batch::default(), Vec::new(), Vec::new());
        let mut fed = Vec::new();
        loop {
            let at = reader.position();
            let number = at.record + 1;
            let line = match reader.next_record() {
                Ok(None) => break,
                Ok(Some(record)) => mapping.apply(&record, &mut row).map(|()| {
                    mapping.fed_by(&record, &mut fed);
                    fed.extend(number_column);
                    record.line()
                }),
                Err(ReadError::Record(error)) => Err(error),
                Err(ReadError::Fatal(error)) => {
                    self.send(batch, at)?;
                    self.pause()?;
                    return Err(error.into());
                }
            };
            match line {
                Ok(line) => {
                    if let Some(column) = number_column {
                        row[column] = Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
                    }
                    filled(&self.import.resource, &fed, &row, &mut columns);
                    let raw = if keeps_raw { reader.raw() } else { &[] };
                    batch.push(&columns, &mut row, line, raw);
                }
                Err(error) if self.may_reject(1 + batch.rejects()) => {
                    batch.reject(error.line, error.to_string(), reader.raw());
                }
                Err(error) => {
                    // Everything before it is committed, and the next run meets it again.
                    self.send(batch, at)?;
                    self.pause()?;
                    return Err(self.stopped(&error.to_string()));
                }
            }
            if batch.is_full(self.import.options.batch_bytes_max) {
                self.send(std::mem::take(&mut batch), reader.position())?;
                if progress(&self.progress()).is_break() {
                    return self.pause();
                }
            }
        }
        self.send(batch, reader.position())?;
        self.settle()?;
        // The counts are exact only now; the end is marked with them.
        self.next = Checkpoint { done: true, ..self.committed };
        let unit = self.unit(Vec::new())?;
        self.store.write(unit, Priority::Bulk).wait()?;
        self.committed = self.next;
        let _shown = progress(&self.progress());
        Ok(())
    }

    fn progress(&self) -> Progress {
        let Checkpoint { byte_offset: bytes, rows, rejected, .. } = self.committed;
        Progress { bytes, rows, rejected }
    }

    fn stopped(&self, reason: &str) -> Error {
        if self.import.options.dry_run {
            return Error::invalid(format!("{reason}; nothing was changed: this was a dry run"));
        }
        let advice = self.keep.map_or(ADVICE, Keep::advice);
        let rows = self.committed.rows;
        Error::invalid(format!("{reason}; the {rows} rows committed before it stand: {advice}"))
    }

    /// Whether so many more rows may be rejected.
    fn may_reject(&self, more: usize) -> bool {
        let options = &self.import.options;
        let rejected = self.next.rejected.saturating_add(more as u64);
        self.rejects.is_some()
            && options.on_error == OnError::Continue
            && options.rejects_max.is_none_or(|most| rejected <= most)
    }

    /// Waits for the batch before, then hands this one to the writer with its checkpoint.
    fn send(&mut self, mut batch: Batch, position: Position) -> Result<()> {
        self.settle()?;
        (self.next.byte_offset, self.next.line) = (position.byte_offset, position.line);
        self.next.record = position.record;
        self.next.rows += batch.rows() as u64;
        for Rejected { line, reason, raw } in batch.take_rejected() {
            self.next.rejected += 1;
            if let Some(rejects) = &mut self.rejects {
                rejects.add(line, &reason, &raw)?;
            }
        }
        let writes = batch.take_writes(&self.import.resource, self.import.options.on_conflict);
        self.hand_over(batch, writes)
    }

    fn hand_over(&mut self, batch: Batch, writes: Vec<Write>) -> Result<()> {
        if let Some(rejects) = &mut self.rejects {
            self.next.rejects_bytes = rejects.sync()?;
        }
        let unit = self.unit(writes)?;
        let pending = self.store.write(unit, Priority::Bulk);
        self.in_flight = Some(InFlight { pending, batch, sent: self.next });
        Ok(())
    }

    fn unit(&self, mut writes: Vec<Write>) -> Result<WriteUnit> {
        if let Some(keep) = self.keep {
            writes.push(keep.write(&self.next)?);
        }
        Ok(WriteUnit {
            writes,
            now_micros: self.import.now_micros,
            trial: self.import.options.dry_run,
            report_conflicts: true,
            ..WriteUnit::default()
        })
    }

    /// Waits for the unit on its way, and sends it again without the rows it could not take.
    fn settle(&mut self) -> Result<()> {
        for _ in 0..TRIES_MAX {
            let Some(InFlight { pending, batch, sent }) = self.in_flight.take() else {
                return Ok(());
            };
            let outcome = pending.wait()?;
            if outcome.refused.is_empty() {
                self.commit(sent, &batch, &outcome);
                return Ok(());
            }
            self.without_refused(batch, outcome)?;
        }
        Err(Error::new(ErrorKind::Busy, "others keep writing conflicting rows; run it again"))
    }

    fn commit(&mut self, sent: Checkpoint, batch: &Batch, outcome: &WriteOutcome) {
        self.committed = sent;
        if self.import.options.on_conflict == OnConflict::Skip {
            // The last statement is the checkpoint's own.
            let statements = outcome.rows.len() - usize::from(self.keep.is_some());
            let inserted: u64 = outcome.rows[..statements].iter().sum();
            let skipped = (batch.rows() as u64).saturating_sub(inserted);
            self.committed.skipped += skipped;
            self.committed.rows -= skipped;
            self.next = self.committed;
            self.recounted = skipped > 0;
        }
    }

    /// Waits for what is on its way, so that another run can go on exactly there.
    fn pause(&mut self) -> Result<()> {
        self.settle()?;
        if self.recounted {
            self.next = self.committed;
            let unit = self.unit(Vec::new())?;
            self.store.write(unit, Priority::Bulk).wait()?;
            self.recounted = false;
        }
        Ok(())
    }

    fn without_refused(&mut self, mut batch: Batch, outcome: WriteOutcome) -> Result<()> {
        let reason = |row: usize, message: &str| format!("line {}: {message}", batch.line(row));
        if !self.may_reject(outcome.refused.len()) {
            let first = &outcome.refused[0];
            return Err(self.stopped(&reason(first.row, &first.message)));
        }
        let places: Vec<usize> = outcome.refused.iter().map(|r| r.row).collect();
        if let Some(rejects) = &mut self.rejects {
            for refused in &outcome.refused {
                let reason = reason(refused.row, &refused.message);
                rejects.add(batch.line(refused.row), &reason, batch.raw(refused.row))?;
            }
        }
        self.next.rejected += places.len() as u64;
        self.next.rows -= places.len() as u64;
        let mut writes = outcome.returned;
        writes.retain(|w| matches!(w, Write::Insert { .. }));
        without(&mut writes, &places);
        batch.forget(&places);
        self.hand_over(batch, writes)
    }
}
