//! The lines of a page's orders out of their own table: read at once, given order by order.
//!
//! ```text
//!   keys of a page ──> Among ──> rows, place by place ──> lines of order 0, 1, 2, .. k
//!                         └─ full within k: again from k on, alone and larger if k is the first
//! ```
//!
//! Promises: no request per order unless one fills a page alone; one order's lines in memory.
//! Never: an order with some of its lines.

use std::mem::take;
use std::sync::Arc;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::heap_size::HeapSize;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll::record::{Money, Value, ValueRef};
use plimsoll::stream::RowBytes;

use super::ranking::Gained;
use super::subject::Subject;
use crate::catalogue::ItemMapping;
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::read::{Page, PageEnd, PageRequest, ReadLane, Scope};
use crate::store::Store;

/// Lines of one order at most: their subjects are held together, to count an order once for each.
pub(super) const LINES_MAX: usize = 10_000;
/// A line as it is gathered and as it is ranked; vectors double, and copy while they do.
pub(super) const LINE_BYTES: u64 = 3 * (size_of::<Line>() + size_of::<(Subject, Gained)>()) as u64;
/// Bytes of the lines of an order that fills a page alone.
pub(super) const ALONE_BYTES_MAX: usize = 1 << 20;
/// A page's buffer.
pub(super) const PAGE_BYTES: usize = FRAME_BYTES + FRAME_SLACK_BYTES;

/// One line of an order.
pub(crate) struct Line {
    pub(crate) subject: Subject,
    pub(crate) quantity: i64,
    /// In units of [`Money`].
    pub(crate) amount: i64,
}

/// The lines of the order at hand.
pub(super) struct Gathered {
    pub(super) lines: Vec<Line>,
    pub(super) unreadable: i64,
    held: Reservation,
    bytes: u64,
}

impl Gathered {
    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        let held = consumer.try_reserve(0).map_err(plimsoll::Error::from)?;
        Ok(Self { lines: Vec::new(), unreadable: 0, held, bytes: 0 })
    }

    pub(super) fn clear(&mut self) {
        self.lines.clear();
        (self.unreadable, self.bytes) = (0, 0);
    }

    /// # Errors
    /// [`ErrorKind::TooLarge`] for too many; [`ErrorKind::OutOfBudget`].
    pub(super) fn push(&mut self, line: Option<Line>) -> Result<()> {
        let Some(line) = line else {
            self.unreadable += 1;
            return Ok(());
        };
        if self.lines.len() == LINES_MAX {
            return Err(too_many(&format!("an order about {:?}", line.subject)));
        }
        self.bytes += LINE_BYTES + 2 * line.subject.heap_bytes() as u64;
        if let Some(short) = self.bytes.checked_sub(self.held.bytes()).filter(|short| *short > 0) {
            self.held.try_grow(short).map_err(plimsoll::Error::from)?;
        }
        self.lines.push(line);
        Ok(())
    }
}

fn too_many(what: &str) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("summing up sales: {what} has more than {LINES_MAX} lines or 1 MiB of them"),
    )
}

/// Reads lines from a table.
pub(super) struct Joined<'a> {
    pub(super) store: &'a Store,
    pub(super) items: &'a ItemMapping,
    pub(super) consumer: &'a Consumer,
    pub(super) out: Vec<u8>,
    pub(super) horizon: Option<Horizon>,
    /// Requests so far.
    pub(super) pages: u64,
}

impl Joined<'_> {
    /// Gives the lines of each order to `each` with its place among `keys`, which are different.
    ///
    /// # Errors
    /// Those of reading and of `each`; [`ErrorKind::TooLarge`] for an order with too many lines.
    pub(super) fn each(
        &mut self,
        keys: &[Value],
        gathered: &mut Gathered,
        each: &mut dyn FnMut(usize, &Gathered) -> Result<()>,
    ) -> Result<()> {
        let (mut at, mut alone) = (0, false);
        while at < keys.len() {
            let end = if alone { at + 1 } else { keys.len() };
            let page = self.page(&keys[at..end], alone)?;
            // Where the page is full, the order it ended in may have more.
            let whole = match page.end {
                PageEnd::Exhausted => end - at,
                PageEnd::More(_) => page.places.last().map_or(0, |&place| place as usize),
            };
            if whole == 0 {
                if alone {
                    return Err(too_many(&format!("the order {:?}", keys[at])));
                }
                alone = true;
                self.out = page.out;
                continue;
            }
            give(&page, at, whole, gathered, each)?;
            (at, alone) = (at + whole, false);
            self.out = page.out;
        }
        Ok(())
    }

    fn page(&mut self, keys: &[Value], alone: bool) -> Result<Page> {
        let ItemMapping { resource, order, subject, quantity, amount } = self.items;
        let mut out = take(&mut self.out);
        out.clear();
        if out.capacity() != PAGE_BYTES {
            out = Vec::with_capacity(PAGE_BYTES);
        }
        let request = PageRequest {
            resource: Arc::clone(resource),
            scope: Scope::Among {
                column: *order,
                values: keys.into(),
                // One more tells that there are too many.
                each_max: LINES_MAX as u64 + 1,
            },
            columns: [*subject, *quantity, *amount].into(),
            rows_max: LINES_MAX as u64 + 1,
            bytes_max: if alone { ALONE_BYTES_MAX } else { FRAME_BYTES },
            encoder: Box::new(RowBytes),
            out,
            extra: Some(self.consumer.try_reserve(0).map_err(plimsoll::Error::from)?),
            row_ends: Some(Vec::new()),
            lane: ReadLane::Bulk,
            horizon: self.horizon,
        };
        let page = self.store.page(request).wait()?;
        self.pages += 1;
        self.horizon = page.horizon;
        Ok(page)
    }
}

/// Gives the orders of a page that are whole.
fn give(
    page: &Page,
    first: usize,
    whole: usize,
    gathered: &mut Gathered,
    each: &mut dyn FnMut(usize, &Gathered) -> Result<()>,
) -> Result<()> {
    let ends = page.row_ends.as_deref().unwrap_or_default();
    let mut row = 0;
    for place in 0..whole {
        gathered.clear();
        while page.places.get(row).is_some_and(|&of| of as usize == place) {
            let begin = row.checked_sub(1).map_or(0, |before| ends[before]);
            gathered.push(line(&RowBytes::values(&page.out[begin..ends[row]])?))?;
            row += 1;
        }
        each(first + place, gathered)?;
    }
    Ok(())
}

fn line(fields: &[ValueRef<'_>]) -> Option<Line> {
    let &[subject, ValueRef::Int(quantity), amount] = fields else { return None };
    let amount = match amount {
        ValueRef::Money(amount) => amount,
        ValueRef::Int(whole) => Money::from_units(10_000).checked_mul(whole)?,
        _ => return None,
    };
    Some(Line { subject: Subject::of(subject)?, quantity, amount: amount.units() })
}
