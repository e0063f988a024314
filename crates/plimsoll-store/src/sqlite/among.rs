//! The rows that go with some values, value by value, on one connection.
//!
//! Promises: ends at the row bound, the byte bound or the time limit with what there is until then;
//! one statement, run for each value.
//! Never: a large table read whole for want of an index.

use std::time::{Duration, Instant};

use plimsoll::limits::UNINDEXED_SORT_ROWS_MAX;
use plimsoll::record::Value;
use rusqlite::Connection;

use super::dialect::{create_index, select_among};
use super::reader::{Slice, is_small};
use crate::catalogue::{Order, SortTerm};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::seek;
use crate::read::{Page, Position};

/// How long one request may look, on a connection that others wait for.
const LOOKING_MAX: Duration = Duration::from_secs(1);

/// Reads the rows of each value.
pub(super) fn among(
    connection: &Connection,
    mut slice: Slice<'_>,
    column: usize,
    values: &[Value],
    each_max: u64,
) -> Result<Page> {
    let resource = slice.request.resource.clone();
    let index = seek(&resource, column).map(|index| &*index.name);
    if index.is_none() && !is_small(connection, &resource)? {
        let order = Order::new(&resource, &[SortTerm { column, descending: false }])?;
        let name = &resource.schema.columns[column].name;
        let refused = Error::new(
            ErrorKind::Unindexed,
            format!(
                "no index of {} begins with {name}, and it has more than {UNINDEXED_SORT_ROWS_MAX} \
                 rows: create the index to include what goes by it",
                resource.name
            ),
        );
        return Err(refused.with_remedy(create_index(&resource, &order)));
    }
    let mut sql = select_among(&resource, &slice.request.columns, column, index);
    slice.until = Instant::now() + LOOKING_MAX;
    for (place, value) in (0..).zip(values) {
        if (slice.abandoned)() {
            return Err(Error::new(ErrorKind::Stopped, "the reader of this page has gone"));
        }
        if Instant::now() >= slice.until {
            slice.stopped_at = Some(Position(Vec::new()));
            return slice.finish(true);
        }
        sql.params = vec![value.clone(), Value::Int(each_max.cast_signed())];
        let stopped = slice.run(connection, &sql)?;
        let rows = usize::try_from(slice.rows).unwrap_or(usize::MAX);
        slice.places.resize(rows, place);
        if stopped {
            return slice.finish(true);
        }
    }
    slice.finish(false)
}
