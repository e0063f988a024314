//! Sales of periods without a pass over their orders, where the kept sums are up to date.
//!
//! ```text
//!        now-7d                                     now
//!   ...|...[::|######|######|######|######|######|::]      #  whole days: kept sums
//!             midnight                                     :  parts of days: from the orders
//! ```
//!
//! Promises: whole days are read in one snapshot with what of them is marked; a document says
//! whether it came from kept sums; where a day of it is marked, all of it comes from the orders.
//! Never: a top list; that needs the lines.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::budget::Consumer;
use plimsoll::record::{Timestamp, Value};
use plimsoll::typed::Engine;

use crate::catalogue::{Analytics, SalesMapping};
use crate::error::{Error, ErrorKind, Result};
use crate::report::{ROLLUP_ROWS_MAX, ReportKind, ReportRequest};
use crate::sales::{
    Cells, Computed, DAY_MICROS, Document, Period, SalesRead, SalesRequest, Scan, Sold, Source,
    Span, Sums, Wanted, compute, scan, sums,
};
use crate::store::Store;

/// Reading the kept sums gives up after this long.
const TIMEOUT_MS: u64 = 30_000;
/// What a row of kept sums takes while it is taken over.
const ROW_BYTES: u64 = 256;

/// The documents that are wanted, without top lists. Blocks this thread; `progress` is asked after
/// each page of orders whether to go on.
///
/// Without a rollup in the mapping all of them are [`Source::Live`].
///
/// # Errors
/// Those of [`compute`].
///
/// # Panics
/// Inside an async runtime.
pub fn summary(
    store: &Store,
    analytics: &Arc<Analytics>,
    wanted: &[Wanted],
    now: Timestamp,
    engine: &Engine,
    progress: &mut dyn FnMut(&SalesRead) -> ControlFlow<()>,
) -> Result<Computed> {
    let mapping = Arc::new(SalesMapping::from(&**analytics));
    let consumer = engine.consumer();
    let mut all: Vec<Kept> = Vec::new();
    for Wanted { period, .. } in wanted {
        if !all.iter().any(|kept| kept.period == *period) {
            all.push(Kept::new(period, consumer)?);
        }
    }
    let marked = if analytics.rollup.is_some() {
        let _held = consumer
            .try_reserve(ROLLUP_ROWS_MAX as u64 * ROW_BYTES)
            .map_err(plimsoll::Error::from)?;
        take_over(&mut all, store, analytics)?
    } else {
        None
    };
    let of = |wanted: &Wanted| all.iter().find(|kept| kept.period == wanted.period);
    let from_kept: Vec<bool> = wanted
        .iter()
        .map(|wanted| {
            let (marked, kept) = (marked.as_ref(), of(wanted));
            marked.zip(kept).is_some_and(|(marked, kept)| kept.serves(wanted, marked))
        })
        .collect();
    let mut read = SalesRead::default();
    if from_kept.contains(&true) {
        let parts = united(
            wanted
                .iter()
                .zip(&from_kept)
                .filter(|(_, kept)| **kept)
                .filter_map(|(wanted, _)| of(wanted).map(|kept| kept.parts.as_slice())),
        );
        let scanned = Scan { store, mapping: &mapping, consumer, progress: &mut *progress };
        read = scan(scanned, &parts, &mut |sold| {
            let sums = sums(sold)?;
            all.iter_mut().try_for_each(|kept| kept.add(sold, &sums))
        })?;
    }
    let live: Vec<Wanted> = wanted
        .iter()
        .zip(&from_kept)
        .filter(|(_, kept)| !**kept)
        .map(|(wanted, _)| wanted.clone())
        .collect();
    let request = SalesRequest { mapping, wanted: live, top: 0, now };
    let mut computed = from_orders(store, &request, engine, progress, &mut read)?.into_iter();
    let each = wanted.iter().zip(from_kept).map(|(wanted, kept)| {
        if kept {
            let of = all.iter().find(|kept| kept.period == wanted.period);
            let cells = of.map(|kept| &kept.cells).ok_or_else(unlike)?;
            return Document::new(cells, wanted, now, Source::Rollup);
        }
        computed.next().ok_or_else(|| Error::invalid("a document that was wanted was not made"))
    });
    Ok(Computed { documents: each.collect::<Result<_>>()?, read })
}

/// The documents that no kept sums serve, if there are any.
fn from_orders(
    store: &Store,
    request: &SalesRequest,
    engine: &Engine,
    progress: &mut dyn FnMut(&SalesRead) -> ControlFlow<()>,
    read: &mut SalesRead,
) -> Result<Vec<Document>> {
    if request.wanted.is_empty() {
        return Ok(Vec::new());
    }
    let made = compute(store, request, engine, progress)?;
    read.orders += made.read.orders;
    read.lines += made.read.lines;
    read.pages += made.read.pages;
    Ok(made.documents)
}

type Marks = BTreeSet<(i64, Box<str>)>;

/// One period's sums: whole days that none of its ends divides, and the parts of days between.
struct Kept {
    period: Period,
    cells: Cells,
    days: Vec<i64>,
    parts: Vec<Span>,
}

impl Kept {
    fn new(period: &Period, consumer: &Consumer) -> Result<Self> {
        let cells = Cells::new([period].into_iter(), consumer)?;
        let (days, parts) = cells.pieces();
        Ok(Self { period: period.clone(), cells, days, parts })
    }

    /// Adds an order of a part of a day; whole days have theirs.
    fn add(&mut self, sold: &Sold<'_>, sums: &Sums) -> Result<()> {
        let within = |part: &Span| (part.from..part.until).contains(&sold.micros);
        if self.parts.iter().any(within) {
            self.cells.add(sold.micros, sold.channel, sums)?;
        }
        Ok(())
    }

    /// Whether there is a whole day, and none that is marked.
    fn serves(&self, wanted: &Wanted, marked: &Marks) -> bool {
        let channel = wanted.channel.as_deref();
        let stale = |(day, name): &(i64, Box<str>)| {
            self.days.binary_search(day).is_ok() && channel.is_none_or(|channel| channel == &**name)
        };
        !self.days.is_empty() && !marked.iter().any(stale)
    }
}

/// Spans that hold each instant of some others once.
fn united<'s>(all: impl Iterator<Item = &'s [Span]>) -> Vec<Span> {
    let mut sorted: Vec<Span> = all.flatten().copied().collect();
    sorted.sort_unstable();
    let mut out: Vec<Span> = Vec::new();
    for span in sorted {
        match out.last_mut().filter(|last| span.from <= last.until) {
            Some(last) => last.until = last.until.max(span.until),
            None => out.push(span),
        }
    }
    out
}

fn rows(store: &Store, analytics: &Arc<Analytics>, span: Span) -> Result<Vec<Vec<Value>>> {
    let request = ReportRequest {
        analytics: Arc::clone(analytics),
        kind: ReportKind::Rollup,
        from: Some(Timestamp::from_micros(span.from)),
        until: Some(Timestamp::from_micros(span.until)),
        channel: None,
        timeout_ms: TIMEOUT_MS,
        horizon: None,
    };
    Ok(store.report(request).wait()?.rows)
}

/// Puts the sums of whole days into their cells; what is marked, or `None` where there is no whole
/// day or too many rows.
fn take_over(all: &mut [Kept], store: &Store, analytics: &Arc<Analytics>) -> Result<Option<Marks>> {
    let days = || all.iter().flat_map(|kept| &kept.days);
    let (Some(&from), Some(&last)) = (days().min(), days().max()) else { return Ok(None) };
    let rows = rows(store, analytics, Span { from, until: last + DAY_MICROS })?;
    if rows.len() > ROLLUP_ROWS_MAX {
        return Ok(None);
    }
    let mut marked = Marks::new();
    for row in rows {
        let [Value::Time(date), Value::Text(channel), Value::Money(revenue), counts @ ..] = &*row
        else {
            return Err(unlike());
        };
        let [Value::Int(orders), Value::Int(items), Value::Int(quantity), Value::Int(mark)] =
            counts
        else {
            return Err(unlike());
        };
        let date = date.micros();
        if *mark != 0 {
            marked.insert((date, channel.clone()));
            continue;
        }
        let (orders, items, quantity) = (*orders, *items, *quantity);
        let sums = Sums { revenue: revenue.units(), orders, items, quantity, unreadable: 0 };
        // A day whose orders are gone keeps its row: its channel is not there for that.
        if sums == Sums::default() {
            continue;
        }
        for kept in all.iter_mut().filter(|kept| kept.days.binary_search(&date).is_ok()) {
            kept.cells.add(date, Some(channel), &sums)?;
        }
    }
    Ok(Some(marked))
}

fn unlike() -> Error {
    Error::new(ErrorKind::Corrupt, "a row of kept sums has other fields than it was asked for")
}
