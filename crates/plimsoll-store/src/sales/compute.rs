//! Documents of many periods and channels from one reading.
//!
//! Promises: one pass over the orders from the earliest beginning of a previous period to the
//! latest end, see [`SalesRead`]; nothing is held afterwards but the documents.
//! Never: more than [`memory_bytes`].

use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::budget::Consumer;
use plimsoll::record::{Money, Timestamp, Value};
use plimsoll::stream::RowBytes;
use plimsoll::typed::Engine;

use super::cells::{Cells, Sums};
use super::document::{Document, Ranked, Source};
use super::lines::{ALONE_BYTES_MAX, LINE_BYTES, LINES_MAX, PAGE_BYTES};
use super::period::{DAY_MICROS, Period};
use super::ranking::{Place, Ranking};
use super::scan::{SCAN_BYTES, SalesRead, Scan, Sold, scan};
use crate::catalogue::SalesMapping;
use crate::error::{Error, ErrorKind, Result};
use crate::read::{PageEnd, PageRequest, ReadLane, Scope};
use crate::store::Store;

/// Documents of one pass at most: each line is ranked once for each it belongs to.
pub const DOCUMENTS_MAX: usize = 64;
/// Places of a top list at most.
pub const TOP_ROWS_MAX: usize = 100;
/// A place of a top list: its slot, its key, and both while slots are copied.
const PLACE_BYTES: u64 = 256;

/// One document that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of which time.
    pub period: Period,
    /// Of which channel; all by default.
    pub channel: Option<Box<str>>,
}

/// What is to be worked out.
#[derive(Clone, Debug)]
pub struct SalesRequest {
    /// From what.
    pub mapping: Arc<SalesMapping>,
    /// Documents, at most [`DOCUMENTS_MAX`].
    pub wanted: Vec<Wanted>,
    /// Places of each top list, at most [`TOP_ROWS_MAX`]; 0 makes none.
    pub top: usize,
    /// What the documents say of when they were made.
    pub now: Timestamp,
}

impl SalesRequest {
    /// Every period in every channel, `None` being all of them together, with ten places.
    #[must_use]
    pub fn of(
        mapping: &Arc<SalesMapping>,
        periods: &[Period],
        channels: &[Option<Box<str>>],
        now: Timestamp,
    ) -> Self {
        let each = |period: &Period| {
            let period = period.clone();
            channels
                .iter()
                .map(move |channel| Wanted { period: period.clone(), channel: channel.clone() })
        };
        let wanted = periods.iter().flat_map(each).collect();
        Self { mapping: Arc::clone(mapping), wanted, top: 10, now }
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Computed {
    /// In the order they were wanted.
    pub documents: Vec<Document>,
    /// What was read for all of them together.
    pub read: SalesRead,
}

/// Bytes that [`compute`] holds of the engine's consumer at most, whatever the number of orders,
/// but for single rows and texts of more than 16 KiB.
#[must_use]
pub fn memory_bytes(request: &SalesRequest, engine: &Engine) -> u64 {
    let spans = request.wanted.iter().map(|wanted| &wanted.period);
    let until = spans.clone().map(|period| period.span().until).max().unwrap_or_default();
    let from = spans.map(|period| period.previous().from).min().unwrap_or_default();
    let days = (until.saturating_sub(from) / DAY_MICROS).unsigned_abs() + 2;
    let groups = if request.top > 0 { engine.memory_bytes() } else { 0 };
    let places = (request.wanted.len() * request.top.max(1)) as u64 * PLACE_BYTES;
    let order = LINES_MAX as u64 * LINE_BYTES + ALONE_BYTES_MAX as u64;
    let labels = PAGE_BYTES as u64;
    groups + SCAN_BYTES as u64 + Cells::bytes_max(days) + places + order + labels
}

/// Works the documents out. Blocks this thread; `progress` is asked after each page of orders
/// whether to go on. Nothing is kept of a pass that was stopped: begin again.
///
/// # Errors
/// [`ErrorKind::Invalid`] for nothing or too much wanted; [`ErrorKind::Unindexed`] where no index
/// has the orders by time; [`ErrorKind::Stopped`]; [`ErrorKind::TooLarge`] for a sum beyond 64
/// bits, an order with more than 10,000 lines or more than 200 channels;
/// [`ErrorKind::OutOfBudget`]; those of reading and spilling.
///
/// # Panics
/// Inside an async runtime.
///
/// ```no_run
/// # fn warm(store: &plimsoll_store::Store, engine: &plimsoll::typed::Engine)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use std::ops::ControlFlow;
/// use plimsoll_store::sales::{Period, SalesRequest, compute};
/// let mapping = store.catalogue().sales().ok_or("no mapping")?;
/// let now = "2026-01-31T12:00:00Z".parse()?;
/// let periods = Period::NAMES.iter().map(|name| Period::named(name, now));
/// let periods = periods.collect::<Result<Vec<_>, _>>()?;
/// let request = SalesRequest::of(mapping, &periods, &[None], now);
/// let computed = compute(store, &request, engine, &mut |_| ControlFlow::Continue(()))?;
/// for document in &computed.documents {
///     println!("{}", String::from_utf8(document.to_json()?)?);
/// }
/// # Ok(()) }
/// ```
pub fn compute(
    store: &Store,
    request: &SalesRequest,
    engine: &Engine,
    progress: &mut dyn FnMut(&SalesRead) -> ControlFlow<()>,
) -> Result<Computed> {
    check(request)?;
    let consumer = engine.consumer();
    let mut cells = Cells::new(request.wanted.iter().map(|wanted| &wanted.period), consumer)?;
    let span = cells.span();
    let mut ranking = if request.top > 0 { Some(Ranking::new(engine)?) } else { None };
    let mapping = &*request.mapping;
    let read = scan(Scan { store, mapping, consumer, progress }, &[span], &mut |sold| {
        cells.add(sold.micros, sold.channel, &sums(sold)?)?;
        let Some(ranking) = &mut ranking else { return Ok(()) };
        let within = |(_, wanted): &(u16, &Wanted)| {
            let span = wanted.period.span();
            (span.from..span.until).contains(&sold.micros)
                && wanted.channel.as_deref().is_none_or(|channel| sold.channel == Some(channel))
        };
        let documents = (0..).zip(&request.wanted).filter(within).map(|(place, _)| place);
        ranking.add(documents, sold.lines)
    })?;
    let mut documents = Vec::with_capacity(request.wanted.len());
    for wanted in &request.wanted {
        documents.push(Document::new(&cells, wanted, request.now, Source::Live)?);
    }
    drop(cells);
    if let Some(ranking) = ranking {
        let tops = ranking.finish(engine, documents.len(), request.top)?;
        for (document, top) in documents.iter_mut().zip(tops) {
            document.top = Some(labelled(store, &request.mapping, top.collect(), consumer)?);
        }
    }
    Ok(Computed { documents, read })
}

fn check(request: &SalesRequest) -> Result<()> {
    let documents = request.wanted.len();
    if documents == 0 || documents > DOCUMENTS_MAX || request.top > TOP_ROWS_MAX {
        return Err(Error::invalid(format!(
            "{documents} documents with {} places each are wanted; it is 1 to {DOCUMENTS_MAX} with \
             at most {TOP_ROWS_MAX}",
            request.top
        )));
    }
    Ok(())
}

/// The sums of one order.
///
/// # Errors
/// [`ErrorKind::TooLarge`] beyond 64 bits.
pub(crate) fn sums(sold: &Sold<'_>) -> Result<Sums> {
    let mut sums = Sums { orders: 1, unreadable: sold.unreadable, ..Sums::default() };
    for line in sold.lines {
        let (revenue, quantity) = (line.amount, line.quantity);
        sums.add(&Sums { revenue, quantity, items: 1, ..Sums::default() })?;
    }
    Ok(sums)
}

/// The places with what tells a person what they are.
fn labelled(
    store: &Store,
    mapping: &SalesMapping,
    places: Vec<Place>,
    consumer: &Consumer,
) -> Result<Vec<Ranked>> {
    let mut ranked = places.into_iter().map(ranked).collect::<Result<Vec<_>>>()?;
    let Some(subject) = &mapping.subject else { return Ok(ranked) };
    let columns = &subject.resource.schema.columns;
    let mut by_key: Vec<usize> = (0..ranked.len()).collect();
    by_key.sort_by(|&a, &b| ranked[a].subject.cmp(&ranked[b].subject));
    if ranked.is_empty() {
        return Ok(ranked);
    }
    let request = PageRequest {
        resource: Arc::clone(&subject.resource),
        scope: Scope::Among {
            column: subject.key,
            values: by_key.iter().map(|&at| ranked[at].subject.value()).collect(),
            each_max: 1,
        },
        columns: subject.label.as_slice().into(),
        rows_max: TOP_ROWS_MAX as u64,
        bytes_max: PAGE_BYTES,
        encoder: Box::new(RowBytes),
        out: Vec::new(),
        extra: Some(consumer.try_reserve(0).map_err(plimsoll::Error::from)?),
        row_ends: Some(Vec::new()),
        lane: ReadLane::Bulk,
        horizon: None,
    };
    let page = store.page(request).wait()?;
    if page.end != PageEnd::Exhausted {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the labels of {} from {} do not fit 80 KiB",
                ranked.len(),
                subject.resource.name
            ),
        ));
    }
    let nothing = subject.label.iter().map(|&at| (columns[at].name.clone(), Value::Null));
    for ranked in &mut ranked {
        ranked.label = nothing.clone().collect();
    }
    let (ends, mut begin) = (page.row_ends.unwrap_or_default(), 0);
    for (&end, &place) in ends.iter().zip(&page.places) {
        let values = RowBytes::values(&page.out[begin..end])?;
        let label = &mut ranked[by_key[place as usize]].label;
        for ((_, shown), value) in label.iter_mut().zip(values) {
            *shown = value.to_owned();
        }
        begin = end;
    }
    Ok(ranked)
}

fn ranked(Place { subject, gained }: Place) -> Result<Ranked> {
    let fits = |value: i128| {
        i64::try_from(value).map_err(|_| {
            let text = format!("the sums of {subject:?} leave 64 bits: ask for less");
            Error::new(ErrorKind::TooLarge, text)
        })
    };
    let (revenue, quantity) = (Money::from_units(fits(gained.revenue)?), fits(gained.quantity)?);
    let orders = fits(gained.orders.into())?;
    Ok(Ranked { label: Vec::new(), revenue, quantity, orders, subject })
}
