//! Orders by time with their lines, each once.
//!
//! Promises: keyset pages of at most 500 orders, each in a slice of its own; what is read is
//! counted; whoever looks on may stop it after each page.
//! Never: a large table without an index on the time: the refusal has the index to create.

use std::mem::take;
use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::expr::Expr;
use plimsoll::limits::{FRAME_BYTES, PAGE_ROWS_MAX};
use plimsoll::record::{Timestamp, Value, ValueRef};
use plimsoll::stream::RowBytes;

use super::json_lines::each_line;
use super::lines::{Gathered, Joined, Line, PAGE_BYTES};
use super::period::Span;
use crate::catalogue::{Lines, Order, SalesMapping, SortTerm};
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::read::{Page, PageEnd, PageRequest, Position, ReadLane, Scope};
use crate::store::Store;

/// Bytes held while reading: two pages, their rows' ends, and the orders of one while their lines
/// come. What single large rows take beyond is reserved as they come.
pub(super) const SCAN_BYTES: usize =
    2 * PAGE_BYTES + ORDERS_MAX * (size_of::<Head>() + size_of::<Value>() + 64);
/// Orders of a page: as many as their lines may be asked for at once.
const ORDERS_MAX: usize = 500;

const _: () = assert!(ORDERS_MAX as u64 <= PAGE_ROWS_MAX);

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SalesRead {
    /// Orders.
    pub orders: u64,
    /// Lines of them.
    pub lines: u64,
    /// Requests to the database.
    pub pages: u64,
}

/// An order with its lines.
pub(crate) struct Sold<'a> {
    pub(crate) micros: i64,
    pub(crate) channel: Option<&'a str>,
    pub(crate) lines: &'a [Line],
    pub(crate) unreadable: i64,
}

/// What is read, and who pays and looks on.
pub(crate) struct Scan<'a> {
    pub(crate) store: &'a Store,
    pub(crate) mapping: &'a SalesMapping,
    pub(crate) consumer: &'a Consumer,
    pub(crate) progress: &'a mut dyn FnMut(&SalesRead) -> ControlFlow<()>,
}

/// Reads the orders of `spans`, in order of time within each.
///
/// # Errors
/// [`ErrorKind::Stopped`] when whoever looks on says so; [`ErrorKind::Unindexed`]; those of
/// reading and of `each`.
pub(crate) fn scan(
    scan: Scan<'_>,
    spans: &[Span],
    each: &mut dyn FnMut(&Sold<'_>) -> Result<()>,
) -> Result<SalesRead> {
    let mut reading = Reading::begin(scan)?;
    for span in spans {
        reading.span(*span, each)?;
    }
    Ok(reading.read)
}

/// An order without its lines.
struct Head {
    micros: i64,
    channel: Option<Box<str>>,
}

struct Reading<'a> {
    scan: Scan<'a>,
    order: Arc<Order>,
    columns: Arc<[usize]>,
    out: Vec<u8>,
    lines_out: Vec<u8>,
    gathered: Gathered,
    horizon: Option<Horizon>,
    read: SalesRead,
    _held: Reservation,
}

impl<'a> Reading<'a> {
    fn begin(scan: Scan<'a>) -> Result<Self> {
        let orders = &scan.mapping.orders;
        let by_time = SortTerm { column: orders.time, descending: false };
        let mut columns = vec![orders.time, orders.key, orders.channel];
        if let Lines::Json(json) = &scan.mapping.lines {
            columns.push(json.column);
        }
        let held = scan.consumer.try_reserve(SCAN_BYTES as u64).map_err(plimsoll::Error::from)?;
        Ok(Self {
            order: Arc::new(Order::new(&orders.resource, &[by_time])?),
            columns: columns.into(),
            out: Vec::new(),
            lines_out: Vec::new(),
            gathered: Gathered::new(scan.consumer)?,
            horizon: None,
            read: SalesRead::default(),
            _held: held,
            scan,
        })
    }

    fn span(&mut self, span: Span, each: &mut dyn FnMut(&Sold<'_>) -> Result<()>) -> Result<()> {
        let mut filter = Arc::new(self.within(Some(span.from), span.until)?);
        let (mut from, mut begun) = (None, false);
        loop {
            let page = self.page(&filter, from)?;
            self.read.orders += page.rows;
            match &self.scan.mapping.lines {
                Lines::Table(_) => self.joined(&page, each)?,
                Lines::Json(_) => self.inside(&page, each)?,
            }
            if (self.scan.progress)(&self.read).is_break() {
                return Err(Error::new(
                    ErrorKind::Stopped,
                    format!("summing up sales was stopped after {} orders", self.read.orders),
                ));
            }
            self.out = page.out;
            match page.end {
                PageEnd::Exhausted => return Ok(()),
                PageEnd::More(position) => {
                    if !begun {
                        // Two lower bounds would be one too many: SQLite seeks to the first it
                        // sees, and would read from the beginning of the span for each page.
                        filter = Arc::new(self.within(None, span.until)?);
                    }
                    (from, begun) = (Some(position), true);
                }
            }
        }
    }

    /// `time < until and time >= from`
    fn within(&self, from: Option<i64>, until: i64) -> Result<Expr> {
        let orders = &self.scan.mapping.orders;
        let schema = &orders.resource.schema;
        let time = schema.columns[orders.time].name.replace('"', "\"\"");
        let mut text = format!("\"{time}\" < '{}'", Timestamp::from_micros(until));
        if let Some(from) = from {
            text = format!("{text} and \"{time}\" >= '{}'", Timestamp::from_micros(from));
        }
        Ok(plimsoll::expr::parse(&text, schema)?)
    }

    fn page(&mut self, filter: &Arc<Expr>, from: Option<Position>) -> Result<Page> {
        let mut out = take(&mut self.out);
        out.clear();
        if out.capacity() != PAGE_BYTES {
            out = Vec::with_capacity(PAGE_BYTES);
        }
        let request = PageRequest {
            resource: Arc::clone(&self.scan.mapping.orders.resource),
            scope: Scope::Range {
                filter: Some(Arc::clone(filter)),
                search: None,
                order: Arc::clone(&self.order),
                from,
                backwards: false,
            },
            columns: Arc::clone(&self.columns),
            rows_max: ORDERS_MAX as u64,
            bytes_max: FRAME_BYTES,
            encoder: Box::new(RowBytes),
            out,
            extra: Some(self.scan.consumer.try_reserve(0).map_err(plimsoll::Error::from)?),
            row_ends: Some(Vec::new()),
            lane: ReadLane::Bulk,
            horizon: self.horizon,
        };
        let page = self.scan.store.page(request).wait()?;
        self.read.pages += 1;
        self.horizon = page.horizon;
        Ok(page)
    }

    /// Orders whose lines stand in them.
    fn inside(&mut self, page: &Page, each: &mut dyn FnMut(&Sold<'_>) -> Result<()>) -> Result<()> {
        let Lines::Json(json) = &self.scan.mapping.lines else { return Ok(()) };
        for fields in rows(page) {
            let fields = fields?;
            let (micros, channel) = head(&fields)?;
            self.gathered.clear();
            let text = match fields.get(3) {
                Some(ValueRef::Text(text) | ValueRef::Json(text)) => Some(*text),
                _ => None,
            };
            each_line(json, text, &mut |line| self.gathered.push(line))?;
            let Gathered { lines, unreadable, .. } = &self.gathered;
            self.read.lines += lines.len() as u64 + unreadable.unsigned_abs();
            each(&Sold { micros, channel, lines, unreadable: *unreadable })?;
        }
        Ok(())
    }

    /// Orders whose lines have a table.
    fn joined(&mut self, page: &Page, each: &mut dyn FnMut(&Sold<'_>) -> Result<()>) -> Result<()> {
        let Lines::Table(items) = &self.scan.mapping.lines else { return Ok(()) };
        let (mut heads, mut keys) = (Vec::new(), Vec::new());
        for fields in rows(page) {
            let fields = fields?;
            let (micros, channel) = head(&fields)?;
            heads.push(Head { micros, channel: channel.map(Into::into) });
            keys.push(fields[1].to_owned());
        }
        let mut joined = Joined {
            store: self.scan.store,
            items,
            consumer: self.scan.consumer,
            out: take(&mut self.lines_out),
            horizon: self.horizon,
            pages: 0,
        };
        let read = &mut self.read;
        joined.each(&keys, &mut self.gathered, &mut |place, gathered| {
            let Gathered { lines, unreadable, .. } = gathered;
            read.lines += lines.len() as u64 + unreadable.unsigned_abs();
            let Head { micros, channel } = &heads[place];
            let channel = channel.as_deref();
            each(&Sold { micros: *micros, channel, lines, unreadable: *unreadable })
        })?;
        read.pages += joined.pages;
        (self.lines_out, self.horizon) = (joined.out, joined.horizon);
        Ok(())
    }
}

/// The rows of a page as values.
fn rows(page: &Page) -> impl Iterator<Item = Result<Vec<ValueRef<'_>>>> {
    let mut begin = 0;
    page.row_ends.as_deref().unwrap_or_default().iter().map(move |&end| {
        let row = &page.out[begin..end];
        begin = end;
        Ok(RowBytes::values(row)?)
    })
}

/// When an order came, and through which channel.
fn head<'r>(fields: &[ValueRef<'r>]) -> Result<(i64, Option<&'r str>)> {
    match fields {
        [ValueRef::Time(time), _, ValueRef::Text(channel), ..] => {
            Ok((time.micros(), Some(*channel)))
        }
        [ValueRef::Time(time), _, ValueRef::Null, ..] => Ok((time.micros(), None)),
        _ => Err(Error::invalid(
            "summing up sales: an order's time has to be an instant and its channel a text; see \
             the analytics mapping",
        )),
    }
}
