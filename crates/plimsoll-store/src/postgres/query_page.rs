//! One page of a named query.
//!
//! ```text
//!   explain ─> cost ─> select .. from (the SQL) as t where behind the position order by .. limit n
//! ```
//!
//! Promises: one statement a range, each with its own snapshot and the query's time limit; a row
//! is encoded wholly or not at all.
//! Never: a statement whose cost was not asked for.

use std::fmt::Write as _;

use super::connection::Link;
use super::dialect::{self, Select, Sql};
use super::failure::explain;
use super::pace::Pace;
use super::part::Part;
use super::queries::{explaining, refuse_costly, settings};
use super::ranges::ranges;
use super::reader::{Came, Slice};
use super::transaction::fetch;
use crate::catalogue::{BoundQuery, Nulls};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Watch;
use crate::plan::ServedTerm;
use crate::read::{Page, PageRequest, Position};

/// Reads rows until the request has what it wants, or there are no more.
pub(super) fn page(
    link: &mut Link,
    watch: &Watch,
    pace: &Pace,
    what: &str,
    (query, part, request, from): (&BoundQuery, Part<'_>, PageRequest, Option<Position>),
) -> Result<Page> {
    let Part { source, order, filter, found, backwards, .. } = part;
    let by_hand = |&term| ServedTerm { term, nulls: Nulls::Smallest };
    let terms: Vec<ServedTerm> = order.terms().iter().map(by_hand).collect();
    let columns = order.columns_behind(&request.columns);
    let select = Select {
        source,
        columns: &columns,
        flag: filter,
        found,
        walks: false,
        equal: &[],
        bounds: &[],
        terms: &terms,
        backwards,
    };
    let stand = |column: usize| columns.iter().position(|&c| c == column);
    let stands: Vec<usize> = order.terms().iter().filter_map(|t| stand(t.column)).collect();
    let begin = settings(query).begin();
    let mut slice = Slice::new(request, source, columns.clone(), &stands, what, pace);
    // One that takes too long is not run again.
    slice.gathers = true;
    for range in ranges(source.resource, order, &terms, from.as_ref(), backwards)? {
        // One row more than is wanted tells whether more follow.
        let wanted = (slice.request.rows_max - slice.rows).saturating_add(1);
        let mut sql = dialect::select_all(&select, &range);
        // Writing to a String cannot fail.
        let _ = write!(sql.text, " limit {wanted}");
        ask_cost(link, watch, &sql, query, what)?;
        match slice.window(link, watch, &sql, &begin, wanted)? {
            Came::All(_) => {}
            Came::Full => {
                let position = slice.stopped_at()?;
                return Ok(slice.finish(Some(position)));
            }
            Came::TooSlow => {
                let (time_ms, late) = (query.time_ms(), "the time limit was reached");
                return Err(Error::new(ErrorKind::Busy, format!("{what}: {late} ({time_ms} ms)")));
            }
            // Without an order nobody could say where to go on.
            Came::Broken if stands.is_empty() => {
                let lost = "the connection was lost in the middle; try again";
                return Err(Error::new(ErrorKind::Busy, format!("{what}: {lost}")));
            }
            Came::Broken => {
                let position = slice.position()?;
                return Ok(slice.finish(Some(position)));
            }
        }
    }
    Ok(slice.finish(None))
}

fn ask_cost(
    link: &mut Link,
    watch: &Watch,
    sql: &Sql,
    query: &BoundQuery,
    what: &str,
) -> Result<()> {
    let explaining = explaining(sql);
    link.run(watch, async |client| {
        let rows = fetch(client, &explaining, settings(query)).await;
        refuse_costly(rows.map_err(|e| explain(what, &e))?, query).await
    })
}
