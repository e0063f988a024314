//! The rows of a resource as a stream of the library.
//!
//! ```text
//!   Store::stream(query) ─> Stream ── each reading ──> LazyIterator ──> StoredRows
//!                                      offset, limit, prefetch             │ page(after cursor)
//!      filter, chunk, sort, group_by, to_csv <── TypedRecord <── RowBytes ─┘ slice of 50 ms
//! ```
//!
//! A cursor holds the values of the order's columns of the last row, as [`RowBytes`] writes them.
//!
//! Promises: nothing is read before the first row is asked for, and no page that is not needed;
//! every reading starts at the first row; memory is 288 KiB, and the rows of a page.
//! Never: a snapshot. A row that is there throughout comes exactly once; one that comes, goes or
//! moves meanwhile may or may not.

use std::mem::take;
use std::sync::Arc;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::expr::Expr;
use plimsoll::format::RowEncoder;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll::record::{Row, Value, ValueRef, ValueRow};
use plimsoll::stream::{
    Cursor, LazyIterator, LazyOptions, Page as Rows, PageSource, Passed, RowBytes, Stream,
    TypedRecord,
};
use plimsoll::typed::Engine;

use crate::catalogue::{Order, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::read::{Page, PageEnd, PageRequest, Position, ReadLane, Scope};
use crate::store::Store;

/// A page's buffer.
const PAGE_BYTES: usize = FRAME_BYTES + FRAME_SLACK_BYTES;
/// Rows of a page at most: narrow ones end it here and not at its bytes.
const PAGE_ROWS_MAX: usize = 8 << 10;
/// The page's buffer, as much for the rows taken out of it, and where each ends in a vector that
/// doubles.
const BUFFERS_BYTES: usize = 2 * PAGE_BYTES + 2 * size_of::<usize>() * PAGE_ROWS_MAX;

/// Which rows of a resource, in what order, and how they are read.
#[derive(Clone, Debug)]
pub struct RowQuery {
    /// The table or view to read.
    pub resource: Arc<Resource>,
    /// Positions in the resource's schema: the fields of each record; all of them by default.
    pub columns: Arc<[usize]>,
    /// Only rows for which this is true; all by default.
    pub filter: Option<Arc<Expr>>,
    /// The order to give them out in; the key's by default. One that no index has is read for
    /// small tables only: read by the key, and sort the stream.
    pub order: Arc<Order>,
    /// Rows of a page, rows passed over first, rows in all, and whether a thread reads ahead. A
    /// page also ends at 64 KiB. Passing over reads the keys of `offset` rows and nothing else of
    /// them: its time grows with `offset`, its memory does not.
    pub pages: LazyOptions,
}

impl RowQuery {
    /// All rows of `resource` with all columns, by its key.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a resource whose key has more columns than an order may.
    pub fn new(resource: &Arc<Resource>) -> Result<Self> {
        Ok(Self {
            resource: Arc::clone(resource),
            columns: resource.all_columns().into(),
            filter: None,
            order: Arc::new(Order::new(resource, &[])?),
            pages: LazyOptions::default(),
        })
    }

    /// Only rows for which `filter` is true, e.g. `price > 10 and name like 'tea%'`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with a caret under what is wrong.
    pub fn filtered(mut self, filter: &str) -> Result<Self> {
        self.filter = Some(Arc::new(plimsoll::expr::parse(filter, &self.resource.schema)?));
        Ok(self)
    }

    /// In this order, e.g. `-price,name`; the key decides between equals.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] listing the columns there are.
    pub fn ordered(mut self, order: &str) -> Result<Self> {
        self.order = Arc::new(Order::parse(&self.resource, order)?);
        Ok(self)
    }

    /// With these columns only, e.g. `["id", "price"]`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] listing the columns there are.
    pub fn with_columns(mut self, names: &[&str]) -> Result<Self> {
        let columns: Result<Vec<usize>> =
            names.iter().map(|name| self.resource.column(name)).collect();
        self.columns = columns?.into();
        Ok(self)
    }
}

impl Store {
    /// The rows of `query` as a stream, read anew for each reading of it: a second epoch has all
    /// rows again. Costs nothing until it is read; then 288 KiB, the rows of a page, and with
    /// prefetch those of two more.
    ///
    /// Reading blocks its thread for each page, so it must not be done inside an async runtime.
    /// The errors of its items are those of the store with their sentence: an order without an
    /// index, for one, names the index to create.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for pages of no rows.
    ///
    /// ```no_run
    /// # fn dear(store: &plimsoll_store::Store, engine: &plimsoll::typed::Engine)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use plimsoll::record::compare;
    /// use plimsoll_store::RowQuery;
    /// let products = store.catalogue().table("products")?;
    /// let query = RowQuery::new(products)?.filtered("price > 10")?;
    /// let rows = store.stream(engine, query)?;
    /// for batch in &rows.clone().batch(100) {
    ///     println!("{} rows", batch?.len());
    /// }
    /// let name = products.column("name")?;
    /// rows.sort_by(move |a, b| compare(a.field(name), b.field(name))).to_csv("dear.csv")?;
    /// # Ok(()) }
    /// ```
    pub fn stream(&self, engine: &Engine, query: RowQuery) -> Result<Stream<TypedRecord>> {
        if query.pages.batch_size == 0 {
            return Err(Error::invalid("reading pages of 0 rows: batch_size is at least 1"));
        }
        let (store, opener) = (self.clone(), engine.clone());
        Ok(Stream::from_source(engine, move || {
            let source = StoredRows::open(store.clone(), &query, opener.consumer())?;
            LazyIterator::new(&opener, source, query.pages)
        }))
    }
}

/// One reading, page by page.
struct StoredRows {
    store: Store,
    query: RowQuery,
    consumer: Consumer,
    /// A record with the names and no values, whose names all others share.
    names: TypedRecord,
    /// Of the page's buffer, the ends of its rows, and the rows taken out of it.
    _buffers: Reservation,
    out: Vec<u8>,
    ends: Vec<usize>,
    /// Where the reading began.
    horizon: Option<Horizon>,
}

impl StoredRows {
    fn open(store: Store, query: &RowQuery, consumer: &Consumer) -> plimsoll::Result<Self> {
        let buffers = consumer.try_reserve(BUFFERS_BYTES as u64)?;
        let columns = &query.resource.schema.columns;
        let names: Vec<&str> = query.columns.iter().map(|at| &*columns[*at].name).collect();
        Ok(Self {
            store,
            query: query.clone(),
            consumer: consumer.clone(),
            names: TypedRecord::new(&names, &vec![Value::Null; names.len()])?,
            _buffers: buffers,
            out: Vec::with_capacity(PAGE_BYTES),
            ends: Vec::new(),
            horizon: None,
        })
    }

    /// Reads slices until one has rows, or there are no more.
    fn slice(
        &mut self,
        after: Option<&Cursor>,
        columns: &Arc<[usize]>,
        rows_max: u64,
        encode: impl Fn() -> Box<dyn RowEncoder>,
    ) -> plimsoll::Result<Page> {
        let mut from = after.map(position).transpose()?;
        loop {
            let (mut out, mut ends) = (take(&mut self.out), take(&mut self.ends));
            out.clear();
            ends.clear();
            if out.capacity() != PAGE_BYTES {
                out = Vec::with_capacity(PAGE_BYTES);
            }
            let request = PageRequest {
                resource: Arc::clone(&self.query.resource),
                scope: Scope::Range {
                    filter: self.query.filter.clone(),
                    search: None,
                    order: Arc::clone(&self.query.order),
                    from,
                    backwards: false,
                },
                columns: Arc::clone(columns),
                rows_max,
                bytes_max: FRAME_BYTES,
                encoder: encode(),
                out,
                extra: Some(self.consumer.try_reserve(0)?),
                row_ends: Some(ends),
                lane: ReadLane::Bulk,
                horizon: self.horizon,
            };
            let mut page = self.store.page(request).wait().map_err(into_library)?;
            self.ends = page.row_ends.take().unwrap_or_default();
            self.horizon = page.horizon;
            match (page.rows, page.end) {
                (0, PageEnd::More(position)) => from = Some(position),
                (_, end) => return Ok(Page { end, ..page }),
            }
            self.out = page.out;
        }
    }
}

impl PageSource<TypedRecord> for StoredRows {
    fn page(
        &mut self,
        after: Option<&Cursor>,
        limit: usize,
    ) -> plimsoll::Result<Rows<TypedRecord>> {
        let columns = Arc::clone(&self.query.columns);
        let rows_max = limit.min(PAGE_ROWS_MAX) as u64;
        let page = self.slice(after, &columns, rows_max, || Box::new(RowBytes))?;
        // A row larger than a page stands in the buffer and beside it.
        let larger = page.out.len().saturating_sub(PAGE_BYTES) as u64;
        let _larger = self.consumer.try_reserve(larger)?;
        let mut items = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for &end in &self.ends {
            items.push(self.names.with_bytes(&page.out[start..end])?);
            start = end;
        }
        self.out = page.out;
        Ok(Rows { items, next: next(&page.end)? })
    }

    /// Reads the order's columns only.
    fn pass(
        &mut self,
        after: Option<&Cursor>,
        count: u64,
        _limit: usize,
    ) -> plimsoll::Result<Passed> {
        let rows_max = count.min(PAGE_ROWS_MAX as u64);
        let page = self.slice(after, &Arc::from([]), rows_max, || Box::new(NoBytes))?;
        self.out = page.out;
        Ok(Passed { items: page.rows, next: next(&page.end)? })
    }
}

fn next(end: &PageEnd) -> plimsoll::Result<Option<Cursor>> {
    let PageEnd::More(Position(values)) = end else { return Ok(None) };
    let mut bytes = Vec::new();
    RowBytes.row(&ValueRow(values), &mut bytes)?;
    Ok(Some(Cursor::new(bytes)))
}

fn position(cursor: &Cursor) -> plimsoll::Result<Position> {
    let values = RowBytes::values(cursor.as_bytes())?;
    Ok(Position(values.into_iter().map(ValueRef::to_owned).collect()))
}

/// Writes nothing of rows that are passed over.
struct NoBytes;

impl RowEncoder for NoBytes {
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    fn row(&mut self, _row: &dyn Row, _out: &mut Vec<u8>) -> plimsoll::Result<()> {
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) {}

    fn row_bytes_max(&self, _row: &dyn Row) -> plimsoll::Result<usize> {
        Ok(0)
    }
}

/// The store's error as the library's, with what would mend it.
fn into_library(error: Error) -> plimsoll::Error {
    let mut message = error.to_string();
    if let Some(remedy) = error.remedy() {
        message = format!("{message}; run: {remedy}");
    }
    match error.kind() {
        ErrorKind::TooLarge => plimsoll::Error::too_large(message),
        ErrorKind::OutOfBudget => plimsoll::Error::out_of_budget(message),
        ErrorKind::Corrupt => plimsoll::Error::corrupt(message),
        ErrorKind::Invalid
        | ErrorKind::NotFound
        | ErrorKind::Unindexed
        | ErrorKind::Unsearchable => plimsoll::Error::invalid(message),
        ErrorKind::DiskFull => {
            let full = std::io::Error::new(std::io::ErrorKind::StorageFull, message);
            plimsoll::Error::io("reading a stream of rows", full)
        }
        _ => plimsoll::Error::io("reading a stream of rows", std::io::Error::other(message)),
    }
}
