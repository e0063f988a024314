//! Kept sums by day and channel with what of them is out of date, in PostgreSQL's words.
//!
//! ```text
//!   select date, channel, sums.., 0 from sums  where date in the range
//!   union all
//!   select date, channel, 0, .., 1  from marks where date in the range
//! ```
//!
//! Promises: one statement, so what is not marked is as the orders are at that moment.
//! Never: a value in the text.

use plimsoll::record::{Schema, Value};

use super::dialect::{Sql, quote};
use crate::catalogue::Resource;
use crate::error::Result;
use crate::report::{ReportRequest, rollup_schema};

/// Writes the statement; `qualified` is what the server calls a table.
pub(super) fn rollup(
    request: &ReportRequest,
    qualified: &dyn Fn(&Resource) -> Result<String>,
) -> Result<(Sql, Schema)> {
    let mapping = request.rollup()?;
    let (sums, marks) = (&mapping.resource, &mapping.marks.resource);
    let name = |resource: &Resource, column: usize| quote(&resource.schema.columns[column].name);
    let mut sql = Sql::new();
    let (date, channel) = (name(sums, mapping.date), name(sums, mapping.channel));
    sql.push(&format!("select r.{date}, r.{channel}, r.{}::numeric", name(sums, mapping.revenue)));
    for column in [mapping.orders, mapping.items, mapping.quantity] {
        sql.push(&format!(", r.{}::bigint", name(sums, column)));
    }
    sql.push(", 0::bigint from ").push(&qualified(sums)?).push(" as r");
    push_range(&mut sql, request, &date);
    let (date, channel) = (name(marks, mapping.marks.date), name(marks, mapping.marks.channel));
    sql.push(&format!(
        " union all select distinct r.{date}, r.{channel}, 0::numeric, 0::bigint, 0::bigint, \
         0::bigint, 1::bigint from "
    ));
    sql.push(&qualified(marks)?).push(" as r");
    push_range(&mut sql, request, &date);
    sql.push(" limit ").bind(Value::Int(ReportRequest::rollup_rows()), "bigint");
    Ok((sql, rollup_schema()))
}

fn push_range(sql: &mut Sql, request: &ReportRequest, date: &str) {
    let mut glue = " where r.";
    for (bound, operator) in [(request.from, " >= "), (request.until, " < ")] {
        if let Some(instant) = bound {
            sql.push(glue).push(date).push(operator).bind(Value::Time(instant), "timestamptz");
            glue = " and r.";
        }
    }
}
