//! Bringing marked days up to date.
//!
//! Promises: each batch's sums and the removal of its marks stand or fall together; a write that
//! comes at any moment leaves its day marked or is in its sums; stopping anywhere loses nothing.
//! Never: more than one pass over the marks: what is marked meanwhile waits for the next.

use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::record::{Timestamp, Value, ValueRef};

use super::marks::{Batch, Marked, batch, request, rows, unlike};
use crate::catalogue::{Analytics, RollupMapping};
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::read::{Position, Scope};
use crate::report::{ReportKind, ReportRequest};
use crate::sales::DAY_MICROS;
use crate::store::Store;
use crate::write::{OnConflict, Priority, Write, WriteUnit};

/// Summing one day up gives up after this long.
const SUM_TIMEOUT_MS: u64 = 60_000;

/// What is refreshed.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The mapping with the rollup.
    pub analytics: Arc<Analytics>,
    /// What writes take as now, microseconds UTC.
    pub now_micros: i64,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshStep {
    /// Its marks are claimed; nothing was read.
    Claimed,
    /// Its days are summed up; nothing was written.
    Summed,
    /// Its sums are written and its marks are gone.
    Written,
}

/// What a refresh did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Days of channels whose sums were replaced.
    pub days: u64,
    /// Those that another refresh took over; they are its to write.
    pub taken_over: u64,
    /// Whether it was stopped, or bounded, before the last mark.
    pub stopped: bool,
}

/// Batches of one refresh at most; with 256 marks each that is all of any shop, and what is left
/// waits for the next.
const BATCHES_MAX: usize = 100_000;

/// Brings all days up to date that are marked when it comes to them. Blocks this thread;
/// `progress` is asked after each step of each batch whether to go on.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a mapping without a rollup; those of reading and writing. What was
/// written before stands.
///
/// # Panics
/// Inside an async runtime.
pub fn refresh(
    store: &Store,
    refresh: &Refresh,
    progress: &mut dyn FnMut(RefreshStep, &Refreshed) -> ControlFlow<()>,
) -> Result<Refreshed> {
    let mapping = refresh.analytics.rollup.as_ref().ok_or_else(|| {
        Error::invalid("refreshing sums by day: the analytics mapping has no [analytics.rollup]")
    })?;
    let work = Work { store, mapping, refresh };
    let (mut done, mut from) = (Refreshed::default(), None::<Position>);
    for _ in 0..BATCHES_MAX {
        let mut batch = batch(store, &mapping.marks, from)?;
        if batch.marked.is_empty() {
            return Ok(done);
        }
        from = batch.next.take();
        if work.batch(&batch, &mut done, progress)?.is_break() {
            return Ok(Refreshed { stopped: true, ..done });
        }
        if from.is_none() {
            return Ok(done);
        }
    }
    Ok(Refreshed { stopped: true, ..done })
}

struct Work<'a> {
    store: &'a Store,
    mapping: &'a RollupMapping,
    refresh: &'a Refresh,
}

impl Work<'_> {
    fn batch(
        &self,
        batch: &Batch,
        done: &mut Refreshed,
        progress: &mut dyn FnMut(RefreshStep, &Refreshed) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let marks = &self.mapping.marks;
        let claims = batch.marked.iter().flat_map(|marked| marked.claim(marks));
        let Some(claimed) = self.write(claims.chain([self.count_up(&batch.marked)]).collect())?
        else {
            done.taken_over += batch.marked.len() as u64;
            return Ok(ControlFlow::Continue(()));
        };
        if progress(RefreshStep::Claimed, done).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        // A host that has the claim has the marks too, and what they stand for.
        let horizon = claimed.or(batch.horizon);
        let mut writes = Vec::new();
        for marked in &batch.marked {
            let version = self.version(marked, horizon)?;
            writes.push(self.replace(marked, version, horizon)?);
            writes.extend(marked.remove(marks));
        }
        if progress(RefreshStep::Summed, done).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        match self.write(writes)? {
            Some(_) => done.days += batch.marked.len() as u64,
            None => done.taken_over += batch.marked.len() as u64,
        }
        Ok(progress(RefreshStep::Written, done))
    }

    /// Writes a unit; `None` where another refresh came between.
    fn write(&self, writes: Vec<Write>) -> Result<Option<Option<Horizon>>> {
        let now_micros = self.refresh.now_micros;
        let unit = WriteUnit { writes, now_micros, ..WriteUnit::default() };
        match self.store.write(unit, Priority::Bulk).wait() {
            Ok(outcome) => Ok(Some(outcome.horizon)),
            Err(error) if matches!(error.kind(), ErrorKind::Stale | ErrorKind::NotFound) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the rows that are not there, and counts the version of the others up.
    fn count_up(&self, marked: &[Marked]) -> Write {
        let values =
            marked.iter().flat_map(|m| [Value::Time(m.date), Value::Text(m.channel.clone())]);
        Write::Insert {
            resource: Arc::clone(&self.mapping.resource),
            columns: [self.mapping.date, self.mapping.channel].into(),
            values: values.collect(),
            on_conflict: OnConflict::Update,
        }
    }

    /// The row's key in the order of the resource's key.
    fn key(&self, marked: &Marked) -> Vec<Value> {
        let value = |column: &usize| {
            if *column == self.mapping.date {
                Value::Time(marked.date)
            } else {
                Value::Text(marked.channel.clone())
            }
        };
        self.mapping.resource.key.iter().map(value).collect()
    }

    fn version(&self, marked: &Marked, horizon: Option<Horizon>) -> Result<i64> {
        let resource = &self.mapping.resource;
        let columns: Arc<[usize]> = resource.version.into_iter().collect();
        let scope = Scope::Key(self.key(marked));
        let page = self.store.page(request(resource, scope, &columns, horizon)).wait()?;
        match rows(&page).next().transpose()?.as_deref() {
            Some([ValueRef::Int(version)]) => Ok(*version),
            // Somebody took the row away after the claim: the write finds no row either.
            None => Ok(0),
            Some(_) => Err(unlike(resource)),
        }
    }

    /// The statement that puts a day's sums in the place of what was there.
    fn replace(&self, marked: &Marked, version: i64, horizon: Option<Horizon>) -> Result<Write> {
        let until = Timestamp::from_micros(marked.date.micros().saturating_add(DAY_MICROS));
        let request = ReportRequest {
            analytics: Arc::clone(&self.refresh.analytics),
            kind: ReportKind::Summary,
            from: Some(marked.date),
            until: Some(until),
            channel: Some(marked.channel.clone()),
            timeout_ms: SUM_TIMEOUT_MS,
            horizon,
        };
        let report = self.store.report(request).wait()?;
        // Revenue, orders, items and quantity stand first.
        let Some([revenue, orders, items, quantity, ..]) = report.rows.first().map(Vec::as_slice)
        else {
            return Err(unlike(&self.refresh.analytics.orders.resource));
        };
        let mapping = self.mapping;
        Ok(Write::Update {
            resource: Arc::clone(&mapping.resource),
            key: self.key(marked),
            set: vec![
                (mapping.revenue, revenue.clone()),
                (mapping.orders, orders.clone()),
                (mapping.items, items.clone()),
                (mapping.quantity, quantity.clone()),
            ],
            if_version: Some(version),
        })
    }
}
