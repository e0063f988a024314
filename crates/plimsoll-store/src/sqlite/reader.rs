//! One slice of reading on one connection.
//!
//! ```text
//!   for each phase (range of the index):
//!     step ─> flag false ─────────────────────────────┐
//!          └> flag true ─> encode into `out` ─────────┤
//!                                                     v
//!             stop?  rows_max | bytes_max | 50 ms | nobody waits any more
//!                └─> Position of this row, End::More
//!   ranges used up ─> End::Exhausted
//! ```
//!
//! Promises: a slice ends within its time, or one row after it; a row is encoded wholly or not at
//! all; nothing is allocated per row beyond what `out` already has.
//! Never: a snapshot kept between slices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::limits::{SLICE_MS_MAX, UNINDEXED_SORT_ROWS_MAX};
use plimsoll::record::{ColumnType, Value};
use rusqlite::Connection;

use super::among::among;
use super::dialect::{self, Select, Sql};
use super::failure::explain;
use super::row::CursorRow;
use super::search::found;
use super::value::{Bind, typed};
use crate::catalogue::{BoundQuery, Order, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::fields::append;
use crate::plan::{access, phases};
use crate::read::{Page, PageEnd, PageRequest, Position, Scope};
use crate::search::Search;

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: u64 = 32;

/// Reads one slice.
pub(super) fn slice(
    connection: &Connection,
    request: PageRequest,
    abandoned: &dyn Fn() -> bool,
) -> Result<Page> {
    let what = format!("reading {}", request.resource.name);
    match &request.scope {
        Scope::Key(key) => {
            let sql = dialect::select_key(&request.resource, &request.columns, key)?;
            let mut slice = Slice::new(request, None, &what, abandoned);
            let stopped = slice.run(connection, &sql)?;
            slice.finish(stopped)
        }
        Scope::Among { column, values, each_max } => {
            let (column, values, each_max) = (*column, Arc::clone(values), *each_max);
            let slice = Slice::new(request, None, &what, abandoned);
            among(connection, slice, column, &values, each_max)
        }
        Scope::Range { filter, search, order, from, backwards } => {
            let (filter, order, backwards) = (filter.clone(), order.clone(), *backwards);
            let access = access(&request.resource, &order, filter.as_deref());
            let find = |search: &Arc<Search>| {
                found(connection, &request.resource, search, &order, &access)
            };
            let found = search.as_ref().map(find).transpose()?;
            if found.is_none() && !access.served && request.resource.query.is_none() {
                refuse_unindexed(connection, &request.resource, &order)?;
            }
            let ranges = phases(&request.resource, &order, from.as_ref(), backwards)?;
            let columns = order.columns_behind(&request.columns);
            let resource = request.resource.clone();
            let select = Select {
                resource: &resource,
                index: access.index.as_deref(),
                columns: &columns,
                flag: filter.as_deref(),
                equal: &access.equal,
                bounds: &access.bounds,
                order: &order,
                backwards,
            };
            let mut slice = Slice::new(request, Some((&order, &columns)), &what, abandoned);
            if let Some(found) = &found {
                slice.request.rows_max = slice.request.rows_max.min(found.rows_max());
            }
            for range in &ranges {
                let sql = match &found {
                    Some(found) => found.select(&select, range, true),
                    None => dialect::select(&select, range),
                };
                if slice.run(connection, &sql)? {
                    return slice.finish(true);
                }
            }
            slice.finish(false)
        }
    }
}

/// A small table may be sorted without an index; a large one is refused with the index to make.
fn refuse_unindexed(connection: &Connection, resource: &Resource, order: &Order) -> Result<()> {
    if is_small(connection, resource)? { Ok(()) } else { Err(unindexed(resource, order)) }
}

/// Whether a table may be read whole for a page.
pub(super) fn is_small(connection: &Connection, resource: &Resource) -> Result<bool> {
    let text = format!(
        "select count(*) from (select 1 from {} limit {})",
        dialect::quote(&resource.name),
        UNINDEXED_SORT_ROWS_MAX + 1
    );
    let counted: rusqlite::Result<i64> =
        connection.prepare_cached(&text).and_then(|mut s| s.query_row([], |r| r.get(0)));
    let rows = counted.map_err(|e| explain(&format!("counting {}", resource.name), &e))?;
    Ok(rows <= i64::try_from(UNINDEXED_SORT_ROWS_MAX).unwrap_or(i64::MAX))
}

/// The refusal, with the index to make where one can be made.
pub(super) fn unindexed(resource: &Resource, order: &Order) -> Error {
    if resource.is_view {
        return Error::new(
            ErrorKind::Unindexed,
            format!(
                "{} is a view without an index, and has more than {} rows: serve a table \
                 in its place",
                resource.name, UNINDEXED_SORT_ROWS_MAX
            ),
        );
    }
    let terms: Vec<&str> =
        order.terms().iter().map(|t| &*resource.schema.columns[t.column].name).collect();
    Error::new(
        ErrorKind::Unindexed,
        format!(
            "no index of {} runs in the order of {}, and it has more than {} rows: create the \
             index, or sort by one there is",
            resource.name,
            terms.join(", "),
            UNINDEXED_SORT_ROWS_MAX
        ),
    )
    .with_remedy(dialect::create_index(resource, order))
}

pub(super) struct Slice<'a> {
    pub(super) request: PageRequest,
    kinds: Vec<ColumnType>,
    /// Where each term of the order stands in the selected columns.
    terms: Vec<usize>,
    position_kinds: Vec<ColumnType>,
    pub(super) what: &'a str,
    pub(super) abandoned: &'a dyn Fn() -> bool,
    pub(super) until: Instant,
    pub(super) rows: u64,
    pub(super) places: Vec<u32>,
    scanned: u64,
    first: Option<Position>,
    last: Option<Position>,
    /// The row limit is reached: only look whether another row follows.
    looking_ahead: bool,
    pub(super) stopped_at: Option<Position>,
}

impl<'a> Slice<'a> {
    fn new(
        request: PageRequest,
        range: Option<(&Order, &[usize])>,
        what: &'a str,
        abandoned: &'a dyn Fn() -> bool,
    ) -> Self {
        let slice_ms = request.resource.query.as_ref().map_or(SLICE_MS_MAX, BoundQuery::time_ms);
        let schema = &request.resource.schema;
        let kinds = request.columns.iter().map(|&c| schema.columns[c].kind).collect();
        let terms: Vec<usize> = range
            .map(|(order, selected)| {
                let stand = |column| selected.iter().position(|&s| s == column);
                order.terms().iter().filter_map(|t| stand(t.column)).collect()
            })
            .unwrap_or_default();
        let position_kinds = range
            .map(|(order, _)| order.terms().iter().map(|t| schema.columns[t.column].kind).collect())
            .unwrap_or_default();
        Self {
            request,
            kinds,
            terms,
            position_kinds,
            what,
            abandoned,
            until: Instant::now() + Duration::from_millis(slice_ms),
            rows: 0,
            places: Vec::new(),
            scanned: 0,
            first: None,
            last: None,
            looking_ahead: false,
            stopped_at: None,
        }
    }

    /// Steps through one statement. True when the slice is to stop here.
    pub(super) fn run(&mut self, connection: &Connection, sql: &Sql) -> Result<bool> {
        let fail = |e: rusqlite::Error| explain(self.what, &e);
        let mut statement = connection.prepare_cached(&sql.text).map_err(fail)?;
        let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
        let mut rows = statement.query(params).map_err(fail)?;
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    if self.take(row)? {
                        return Ok(true);
                    }
                }
                Ok(None) => return Ok(false),
                Err(e) => return Err(explain(self.what, &e)),
            }
        }
    }

    /// Handles one row. True when the slice is to stop after it.
    fn take(&mut self, row: &rusqlite::Row<'_>) -> Result<bool> {
        self.scanned += 1;
        let wanted = matches!(row.get_ref(0), Ok(rusqlite::types::ValueRef::Integer(v)) if v != 0);
        if wanted {
            if self.looking_ahead {
                self.stopped_at = self.last.clone();
                return Ok(true);
            }
            self.encode(row)?;
            if self.first.is_none() {
                self.first = Some(self.position(row)?);
            }
            if self.rows >= self.request.rows_max {
                self.last = Some(self.position(row)?);
                self.looking_ahead = true;
            } else if self.request.out.len() >= self.request.bytes_max {
                self.last = Some(self.position(row)?);
                self.stopped_at = self.last.clone();
                return Ok(true);
            }
        }
        if self.scanned.is_multiple_of(ROWS_PER_LOOK) {
            if (self.abandoned)() {
                return Err(Error::new(ErrorKind::Stopped, "the reader of this page has gone"));
            }
            if Instant::now() >= self.until {
                self.stopped_at = Some(self.position(row)?);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn encode(&mut self, row: &rusqlite::Row<'_>) -> Result<()> {
        let request = &mut self.request;
        let row = CursorRow { row, kinds: &self.kinds, first: 1 };
        append(&row, self.what, &mut *request.encoder, &mut request.out, &mut request.extra)?;
        if let Some(ends) = &mut request.row_ends {
            ends.push(request.out.len());
        }
        self.rows += 1;
        Ok(())
    }

    fn position(&self, row: &rusqlite::Row<'_>) -> Result<Position> {
        let values = self.terms.iter().zip(&self.position_kinds).map(|(&stand, &kind)| {
            let stored = row.get_ref(stand + 1).map_err(|e| explain(self.what, &e))?;
            Ok::<Value, Error>(typed(kind, stored)?.to_owned())
        });
        Ok(Position(values.collect::<Result<_>>()?))
    }

    pub(super) fn finish(self, stopped: bool) -> Result<Page> {
        let end = match self.stopped_at {
            Some(position) if stopped => PageEnd::More(position),
            _ => PageEnd::Exhausted,
        };
        Ok(Page {
            out: self.request.out,
            extra: self.request.extra,
            encoder: self.request.encoder,
            row_ends: self.request.row_ends,
            places: self.places,
            rows: self.rows,
            rows_scanned: self.scanned,
            first: self.first,
            last: self.last,
            end,
            rest: Duration::ZERO,
            horizon: None,
        })
    }
}
