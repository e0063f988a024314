//! The ranges that an order is read in, and the refusal of one that no index has.
//!
//! Promises: disjoint, in order, and together the rows behind a position.
//! Never: a statement.

use std::fmt::Write as _;

use plimsoll::limits::UNINDEXED_SORT_ROWS_MAX;

use super::dialect::{Source, quote};
use crate::catalogue::{Nulls, Order, Resource, SortTerm};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Condition, ServedTerm, phases, with_nulls_apart};
use crate::read::Position;

/// The ranges behind a position, each in the order of the index.
pub(super) fn ranges(
    resource: &Resource,
    order: &Order,
    terms: &[ServedTerm],
    from: Option<&Position>,
    backwards: bool,
) -> Result<Vec<Vec<Condition>>> {
    let ranges = phases(resource, order, from, backwards)?;
    Ok(match terms.first() {
        Some(first)
            if first.nulls == Nulls::Largest
                && resource.schema.columns[first.term.column].nullable =>
        {
            with_nulls_apart(ranges, first.term, backwards)
        }
        _ => ranges,
    })
}

/// The refusal, with the index to make where one can be made.
pub(super) fn unindexed(source: Source<'_>, order: &Order) -> Error {
    let resource = source.resource;
    if resource.is_view {
        return Error::new(
            ErrorKind::Unindexed,
            format!(
                "{} is a view without an index, and has more than {} rows: serve a materialized \
                 view with a unique index, or a table, in its place",
                resource.name, UNINDEXED_SORT_ROWS_MAX
            ),
        );
    }
    let terms: Vec<&str> = order.terms().iter().map(|t| source.name(t.column)).collect();
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
    .with_remedy(create_index(source, order))
}

/// The refusal of rows that no index finds, with the index to make.
pub(super) fn unsought(source: Source<'_>, column: usize) -> Result<Error> {
    let order = Order::new(source.resource, &[SortTerm { column, descending: false }])?;
    let error = Error::new(
        ErrorKind::Unindexed,
        format!(
            "no index of {} begins with {}, and it has more than {UNINDEXED_SORT_ROWS_MAX} rows: \
             create the index to include what goes by it",
            source.resource.name,
            source.name(column)
        ),
    );
    Ok(error.with_remedy(create_index(source, &order)))
}

/// `create index … on table (columns)` that would serve `order`, and does not stop writers.
fn create_index(source: Source<'_>, order: &Order) -> String {
    let (mut names, mut words) = (String::new(), String::new());
    for term in order.terms() {
        let column = &source.resource.schema.columns[term.column];
        let glue = if names.is_empty() { "" } else { ", " };
        let direction = match (term.descending, column.nullable) {
            (false, true) => " NULLS FIRST",
            (false, false) => "",
            (true, true) => " DESC NULLS LAST",
            (true, false) => " DESC",
        };
        // Writing to a String cannot fail.
        let _ = write!(names, "{glue}{}{direction}", quote(&column.name));
        let _ = write!(words, "_{}{}", column.name, if term.descending { "_desc" } else { "" });
    }
    // PostgreSQL cuts names at 63 bytes.
    let mut name = format!("{}_by{words}", source.table.name);
    while name.len() > 63 {
        name.pop();
    }
    format!("CREATE INDEX CONCURRENTLY {} ON {} ({names});", quote(&name), source.qualified())
}
