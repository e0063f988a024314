//! A range in an order that no index has: read once by the key, sorted, and given out in pieces.
//!
//! ```text
//!   slice by key ──> | key bytes u32 | key | row | ... ──> RowSorter ─ spills ─> SortedRange
//!   at most 50 ms      written by the reader thread          workspace            fill, fill, ..
//! ```
//!
//! The key bytes compare like the order's columns under [`plimsoll::record::compare`], so that no
//! value is looked at again once its row is written.
//!
//! Promises: a row that is there throughout comes exactly once, where it belongs by what it held
//! when it was read; memory is the workspace and one page; nothing is left on disk afterwards.
//! Never: a snapshot longer than a slice, or a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::expr::Expr;
use plimsoll::format::RowEncoder;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll::record::key::{Nulls, encode_value};
use plimsoll::record::{Row, ValueRef};
use plimsoll::sort::{RowSorter, SortedRows};
use plimsoll::spill::SpillOptions;
use plimsoll::storage::Storage;

use crate::catalogue::{Order, Resource, SortTerm};
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::read::{Page, PageEnd, PageRequest, Position, ReadLane, Scope};
use crate::search::Search;
use crate::store::Store;

/// Least workspace a sort is given: the engine's own least is about half of it.
pub const SORT_WORKSPACE_BYTES_MIN: u64 = 1 << 20;
/// Share of the limit one sort takes: two of them leave three quarters to everybody else.
const WORKSPACE_PART: u64 = 8;
/// A page's buffer.
const PAGE_BYTES: usize = FRAME_BYTES + FRAME_SLACK_BYTES;
/// The ends of a page's rows, eight bytes each in a vector that doubles: with its key a row has
/// eight bytes at least.
const ENDS_BYTES: usize = 2 * PAGE_BYTES;
/// The length in front of a key.
const LENGTH_BYTES: usize = size_of::<u32>();
/// Longest key of a value of fixed size.
const SCALAR_KEY_BYTES_MAX: usize = 12;

/// What is to be read and how its rows are written.
pub struct SortRequest {
    /// The resource to read.
    pub resource: Arc<Resource>,
    /// Only rows for which this is true.
    pub filter: Option<Arc<Expr>>,
    /// Only rows with these words in what of the resource is searched.
    pub search: Option<Arc<Search>>,
    /// The order to give the rows out in.
    pub order: Arc<Order>,
    /// Only rows behind this place of the order.
    pub from: Option<Position>,
    /// Positions in the resource's schema, in the order the encoder expects.
    pub columns: Arc<[usize]>,
    /// Writes each row the same whatever rows came before it.
    pub encoder: Box<dyn RowEncoder>,
    /// Stands between two rows.
    pub separator: &'static [u8],
    /// What has to be seen.
    pub horizon: Option<Horizon>,
}

/// Where a sort works.
pub struct SortSpace {
    /// The disk.
    pub storage: Arc<dyn Storage>,
    /// An existing directory; what is spilled lies in a directory of its own below it.
    pub directory: PathBuf,
    /// How it spills.
    pub options: SpillOptions,
    /// Who pays.
    pub consumer: Consumer,
    /// Bytes the sort may hold, see [`sort_workspace_bytes`].
    pub workspace_bytes: u64,
}

/// The workspace of one sort under a memory limit.
#[must_use]
pub fn sort_workspace_bytes(limit_bytes: u64) -> u64 {
    (limit_bytes / WORKSPACE_PART).max(SORT_WORKSPACE_BYTES_MIN)
}

/// Reads and sorts. Blocks this thread until the last row is read; holds the workspace and 240 KiB
/// meanwhile.
///
/// # Errors
/// [`ErrorKind::OutOfBudget`], [`ErrorKind::TooLarge`] for a row larger than the workspace,
/// [`ErrorKind::Stopped`] once `stopped` says so, which is asked before every slice; those of
/// reading and spilling.
///
/// # Panics
/// Inside an async runtime.
pub fn sort(
    store: &Store,
    request: SortRequest,
    space: &SortSpace,
    stopped: &dyn Fn() -> bool,
) -> Result<SortedRange> {
    let SortRequest { resource, filter, search, order, from, .. } = request;
    let SortRequest { columns, encoder, separator, horizon, .. } = request;
    let mut sorter = RowSorter::new(
        Arc::clone(&space.storage),
        &space.directory,
        space.options,
        space.consumer.clone(),
        space.workspace_bytes,
    )?;
    let behind = from.map(|from| position_key(&order, &from)).transpose()?;
    let keyed = Keyed { terms: order.terms().into(), width: columns.len(), rows: encoder };
    let mut reading = Reading {
        store,
        scope: (filter, search, Arc::new(Order::new(&resource, &[])?)),
        columns: columns.iter().copied().chain(order.terms().iter().map(|t| t.column)).collect(),
        resource,
        horizon,
        consumer: &space.consumer,
        _page: reserve(&space.consumer, (PAGE_BYTES + ENDS_BYTES) as u64)?,
    };
    let mut encoder: Box<dyn RowEncoder> = Box::new(keyed);
    let (mut out, mut ends, mut from) = (Vec::with_capacity(PAGE_BYTES), Vec::new(), None);
    loop {
        if stopped() {
            return Err(Error::new(ErrorKind::Stopped, "nobody waits for these sorted rows"));
        }
        let page = reading.slice(from, encoder, out, ends)?;
        ends = page.row_ends.unwrap_or_default();
        push(&mut sorter, &page.out, &ends, behind.as_deref())?;
        (out, encoder) = (page.out, page.encoder);
        from = match page.end {
            PageEnd::More(position) => Some(position),
            PageEnd::Exhausted => break,
        };
        out.clear();
        ends.clear();
        if out.capacity() > PAGE_BYTES {
            out = Vec::with_capacity(PAGE_BYTES);
        }
    }
    drop((reading, out));
    Ok(SortedRange { rows: sorter.finish()?, separator, started: false })
}

/// Pushes a page's rows that stand behind a key.
fn push(sorter: &mut RowSorter, page: &[u8], ends: &[usize], behind: Option<&[u8]>) -> Result<()> {
    let mut start = 0;
    for &end in ends {
        let (length, rest) = page[start..end].split_first_chunk().expect("a length is in front");
        let (key, row) = rest.split_at(u32::from_le_bytes(*length) as usize);
        if behind.is_none_or(|behind| key > behind) {
            sorter.push(key, row)?;
        }
        start = end;
    }
    Ok(())
}

fn reserve(consumer: &Consumer, bytes: u64) -> Result<Reservation> {
    Ok(consumer.try_reserve(bytes).map_err(plimsoll::Error::from)?)
}

/// The key of the row a position stands at.
fn position_key(order: &Order, Position(values): &Position) -> Result<Vec<u8>> {
    if values.len() != order.terms().len() {
        return Err(Error::invalid(format!(
            "the position has {} values, the order {} columns: start again without a cursor",
            values.len(),
            order.terms().len()
        )));
    }
    let mut key = Vec::new();
    for (term, value) in order.terms().iter().zip(values) {
        push_part(term.descending, value.borrow(), &mut key);
    }
    Ok(key)
}

fn push_part(descending: bool, value: ValueRef<'_>, key: &mut Vec<u8>) {
    encode_value(value, descending, Nulls::smallest(descending), key);
}

/// Slices by the resource's key.
struct Reading<'a> {
    store: &'a Store,
    resource: Arc<Resource>,
    scope: (Option<Arc<Expr>>, Option<Arc<Search>>, Arc<Order>),
    columns: Arc<[usize]>,
    horizon: Option<Horizon>,
    consumer: &'a Consumer,
    _page: Reservation,
}

impl Reading<'_> {
    fn slice(
        &mut self,
        from: Option<Position>,
        encoder: Box<dyn RowEncoder>,
        out: Vec<u8>,
        ends: Vec<usize>,
    ) -> Result<Page> {
        let (filter, search, order) = self.scope.clone();
        let request = PageRequest {
            resource: Arc::clone(&self.resource),
            scope: Scope::Range { filter, search, order, from, backwards: false },
            columns: Arc::clone(&self.columns),
            rows_max: u64::MAX,
            bytes_max: FRAME_BYTES,
            encoder,
            out,
            extra: Some(reserve(self.consumer, 0)?),
            row_ends: Some(ends),
            lane: ReadLane::Bulk,
            horizon: self.horizon,
        };
        let page = self.store.page(request).wait()?;
        self.horizon = page.horizon;
        Ok(page)
    }
}

/// Writes a row's key in front of it. The order's columns stand behind the row's own.
struct Keyed {
    terms: Box<[SortTerm]>,
    /// Columns of the row itself.
    width: usize,
    rows: Box<dyn RowEncoder>,
}

impl Keyed {
    fn append(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        for (place, term) in self.terms.iter().enumerate() {
            push_part(term.descending, row.value(self.width + place)?, out);
        }
        let length = out.len() - start - LENGTH_BYTES;
        let length = u32::try_from(length)
            .map_err(|_| plimsoll::Error::too_large("the sorted columns of a row take 4 GiB"))?;
        out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        self.rows.row(&Front { row, width: self.width }, out)
    }
}

impl RowEncoder for Keyed {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        let start = out.len();
        let appended = self.append(row, out);
        if appended.is_err() {
            out.truncate(start);
        }
        appended
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, row: &dyn Row) -> plimsoll::Result<usize> {
        let mut bytes = self.rows.row_bytes_max(&Front { row, width: self.width })?;
        bytes = bytes.saturating_add(LENGTH_BYTES);
        for place in 0..self.terms.len() {
            let value = match row.value(self.width + place)? {
                ValueRef::Text(text) | ValueRef::Json(text) => text.len().saturating_mul(2),
                ValueRef::Bytes(value) => value.len().saturating_mul(2),
                _ => 0,
            };
            bytes = bytes.saturating_add(value).saturating_add(SCALAR_KEY_BYTES_MAX);
        }
        Ok(bytes)
    }
}

/// The first columns of a row.
struct Front<'a> {
    row: &'a dyn Row,
    width: usize,
}

impl Row for Front<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        self.row.value(position)
    }
}

/// Sorted rows with what stands between them. Holds the workspace, and files, until it is dropped.
pub struct SortedRange {
    rows: SortedRows,
    separator: &'static [u8],
    started: bool,
}

impl SortedRange {
    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.rows()
    }

    /// Appends rows until `out` has `bytes_max` bytes or there are no more; whether there may be
    /// more. What a row takes beyond `out`'s capacity is added to `extra` first.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBudget`]; those of reading spilled rows. The range is of no use then.
    pub fn fill(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
        extra: &mut Reservation,
    ) -> Result<bool> {
        while out.len() < bytes_max {
            let Some(row) = self.rows.next()? else { return Ok(false) };
            let separator = if self.started { self.separator } else { &[] };
            self.started = true;
            let bytes = separator.len() + row.len();
            let missing = (out.len() + bytes).saturating_sub(out.capacity());
            if missing > 0 {
                extra.try_grow(missing as u64).map_err(plimsoll::Error::from)?;
                out.reserve_exact(bytes);
            }
            out.extend_from_slice(separator);
            out.extend_from_slice(row);
        }
        Ok(true)
    }
}
