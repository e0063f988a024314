//! A whole selection from one snapshot.
//!
//! Promises: one transaction for all ranges; nothing is sorted but the few rows of a search, and
//! what a query gives; the reading ends within some rows of its time limit, or of nobody waiting
//! for it.
//! Never: an order of a table that no index has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::record::ColumnType;
use rusqlite::Connection;

use super::dialect::{self, Select};
use super::failure::explain;
use super::reader::unindexed;
use super::row::CursorRow;
use super::search::found;
use super::value::Bind;
use crate::error::{Error, ErrorKind, Result};
use crate::fields::append;
use crate::plan::{access, phases};
use crate::search::Search;
use crate::snapshot::SnapshotRequest;

/// Rows between two looks at the clock.
const ROWS_PER_LOOK: u64 = 256;

/// Reads all of it and says how many rows there were.
pub(super) fn snapshot(
    connection: &Connection,
    mut request: SnapshotRequest,
    abandoned: &dyn Fn() -> bool,
) -> Result<u64> {
    let resource = request.resource.clone();
    let what = format!("reading a snapshot of {}", resource.name);
    let fail = |e: rusqlite::Error| explain(&what, &e);
    let (filter, order, columns) =
        (request.filter.clone(), request.order.clone(), request.columns.clone());
    let access = access(&resource, &order, filter.as_deref());
    let find = |search: &Arc<Search>| found(connection, &resource, search, &order, &access);
    let search = request.search.clone();
    let found = search.as_ref().map(find).transpose()?;
    if found.is_none() && !access.served && resource.query.is_none() {
        return Err(unindexed(&resource, &order));
    }
    let ranges = phases(&resource, &order, request.from.as_ref(), false)?;
    let select = Select {
        resource: &resource,
        index: access.index.as_deref(),
        columns: &columns,
        flag: filter.as_deref(),
        equal: &access.equal,
        bounds: &access.bounds,
        order: &order,
        backwards: false,
    };
    let kinds: Vec<ColumnType> = columns.iter().map(|&c| resource.schema.columns[c].kind).collect();
    let until = Instant::now() + Duration::from_millis(request.timeout_ms);
    // Its first statement takes the snapshot; that it ends, and how, changes nothing.
    let transaction = connection.unchecked_transaction().map_err(fail)?;
    let (mut written, mut scanned) = (0, 0_u64);
    for range in &ranges {
        let sql = match &found {
            Some(found) => found.select(&select, range, false),
            None => dialect::select(&select, range),
        };
        let mut statement = transaction.prepare_cached(&sql.text).map_err(fail)?;
        let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
        let mut rows = statement.query(params).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            scanned += 1;
            if scanned.is_multiple_of(ROWS_PER_LOOK) {
                look(until, abandoned, &what)?;
            }
            let wanted =
                matches!(row.get_ref(0), Ok(rusqlite::types::ValueRef::Integer(v)) if v != 0);
            if wanted {
                let row = CursorRow { row, kinds: &kinds, first: 1 };
                let SnapshotRequest { encoder, out, extra, .. } = &mut request;
                append(&row, &what, &mut **encoder, out, extra)?;
                written += 1;
                request.hand_over(false)?;
            }
        }
    }
    request.hand_over(true)?;
    Ok(written)
}

fn look(until: Instant, abandoned: &dyn Fn() -> bool, what: &str) -> Result<()> {
    if abandoned() {
        return Err(Error::new(ErrorKind::Stopped, "the reader of this snapshot has gone"));
    }
    if Instant::now() >= until {
        return Err(Error::new(ErrorKind::Busy, format!("{what}: the time limit was reached")));
    }
    Ok(())
}
