//! The text that reads the rows going with some values, in PostgreSQL's words.
//!
//! ```text
//!   select m.plimsoll_bytes, true, k.place, m."id", ..
//!   from (values ($1::bigint, 0::bigint), ($2::bigint, 1)) as k(v, place)
//!   cross join lateral
//!     (select .. from "public"."lines" as t where t."sale_id" = k.v limit 101) as m
//!   order by k.place, m."id" limit 2001
//! ```
//!
//! Promises: one statement for all values; of each value no more rows are touched than its bound.
//! Never: a value in the text.

use std::fmt::Write as _;

use plimsoll::record::Value;

use super::dialect::{Source, Sql, push_columns, push_field, searched_as};
use crate::read::PageRequest;

/// The rows of each value, in the order of the key.
pub(super) fn select_among(
    source: Source<'_>,
    request: &PageRequest,
    column: usize,
    values: &[Value],
    each_max: u64,
) -> Sql {
    let mut sql = Sql::new();
    sql.push("select m.plimsoll_bytes, true, k.place");
    for &column in &*request.columns {
        sql.push(", ");
        push_field(&mut sql, source, column);
    }
    sql.push(" from ");
    let cast = searched_as(&source.table.columns[column]);
    let mut glue = "(values ";
    for (place, value) in values.iter().enumerate() {
        sql.push(glue).push("(").bind(value.clone(), cast);
        // Writing to a String cannot fail.
        let _ = write!(sql.text, ", {place}::bigint)");
        glue = ", ";
    }
    sql.push(") as k(v, place) cross join lateral (select ");
    let key = &source.resource.key;
    let columns: Vec<usize> = request.columns.iter().chain(key).copied().collect();
    push_columns(&mut sql, source, &columns, &request.columns);
    sql.push(" where ").column("t", source, column);
    let _ = write!(sql.text, " = k.v limit {each_max}) as m order by k.place");
    for &column in key {
        sql.push(", ").column("m", source, column);
    }
    // One row more than is wanted tells whether more follow.
    let rows = i64::try_from(request.rows_max.saturating_add(1)).unwrap_or(i64::MAX);
    let _ = write!(sql.text, " limit {rows}");
    sql
}
