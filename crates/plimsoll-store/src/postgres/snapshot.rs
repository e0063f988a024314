//! A whole selection from one snapshot.
//!
//! ```text
//!   begin isolation level repeatable read read only ─ range ─ range ─ .. ─ commit
//! ```
//!
//! Promises: one transaction for all ranges, and it ends with the last row that was sent, not with
//! the last that a client took; nothing is sorted but what is searched for and what a query gives.
//! Never: an order of a table that no index has, or a transaction left open behind an error.

use tokio_postgres::Client;

use super::connection::Link;
use super::dialect::{self, FIELDS_IN_FRONT, Select, Source};
use super::failure::explain;
use super::native::{Codec, Table};
use super::queries::{explaining, refuse_costly};
use super::ranges::{ranges, unindexed};
use super::row::MessageRow;
use super::search::{Found, gather_whole};
use super::transaction::{rows_of, whole};
use crate::catalogue::{BoundQuery, Nulls};
use crate::error::Result;
use crate::fields::{append, too_large};
use crate::pending::Watch;
use crate::plan::{ServedTerm, access};
use crate::snapshot::SnapshotRequest;

/// Reads all of it and says how many rows there were.
pub(super) fn snapshot(
    link: &mut Link,
    watch: &Watch,
    table: &Table,
    mut request: SnapshotRequest,
) -> Result<u64> {
    let resource = request.resource.clone();
    let source = Source { resource: &resource, table };
    let what = format!("reading a snapshot of {}", resource.name);
    let (filter, order, columns) =
        (request.filter.clone(), request.order.clone(), request.columns.clone());
    let access = access(&resource, &order, filter.as_deref());
    let search = request.search.clone();
    let found = search.as_ref().map(|search| Found::new(&resource, search)).transpose()?;
    let query = resource.query.as_ref();
    if !access.served && query.is_none() {
        return Err(unindexed(source, &order));
    }
    let by_hand = |&term| ServedTerm { term, nulls: Nulls::Smallest };
    let terms = match query {
        // What a query gives is sorted by the server, as its plan has it.
        Some(_) => order.terms().iter().map(by_hand).collect(),
        None => access.terms.clone(),
    };
    let ranges = ranges(&resource, &order, &terms, request.from.as_ref(), false)?;
    let select = Select {
        source,
        columns: &columns,
        flag: filter.as_deref(),
        found: found.as_ref(),
        walks: false,
        equal: &access.equal,
        bounds: &access.bounds,
        terms: &terms,
        backwards: false,
    };
    let texts: Vec<dialect::Sql> =
        ranges.iter().map(|range| dialect::select_all(&select, range)).collect();
    let codecs: Vec<Codec> = columns.iter().map(|&c| table.columns[c].codec).collect();
    let fail = |e: tokio_postgres::Error| explain(&what, &e);
    let read = link.run(watch, async |client| {
        let timeout_ms = query.map_or(request.timeout_ms, BoundQuery::time_ms);
        let begin = match &found {
            Some(_) => gather_whole(client, timeout_ms),
            None => whole(client, timeout_ms, query.is_some()),
        };
        client.batch_execute(&begin).await.map_err(fail)?;
        if let Some(query) = query {
            for sql in &texts {
                let rows = rows_of(client, &explaining(sql)).await.map_err(fail)?;
                refuse_costly(rows, query).await?;
            }
        }
        let shape = (&*codecs, table.row_bytes_max);
        let written = all(client, &texts, shape, &what, &mut request).await?;
        client.batch_execute("commit").await.map_err(fail)?;
        Ok(written)
    });
    link.swelled();
    if read.is_err() {
        // Rows that nobody takes any more would be read to the end, and the snapshot kept for them.
        link.cut_off();
    }
    read
}

async fn all(
    client: &Client,
    texts: &[dialect::Sql],
    (codecs, row_bytes_max): (&[Codec], u64),
    what: &str,
    request: &mut SnapshotRequest,
) -> Result<u64> {
    let fail = |e: tokio_postgres::Error| explain(what, &e);
    let mut written = 0;
    for sql in texts {
        let mut rows = rows_of(client, sql).await.map_err(fail)?;
        while let Some(row) = rows.next().await.map_err(fail)? {
            let bytes: i64 = row.try_get(0).map_err(fail)?;
            if bytes.cast_unsigned() > row_bytes_max {
                return Err(too_large(what, bytes.cast_unsigned(), row_bytes_max));
            }
            let row = MessageRow { row: &row, codecs, first: FIELDS_IN_FRONT };
            let SnapshotRequest { encoder, out, extra, .. } = &mut *request;
            append(&row, what, &mut **encoder, out, extra)?;
            written += 1;
            request.hand_over(false)?;
        }
    }
    request.hand_over(true)?;
    Ok(written)
}
