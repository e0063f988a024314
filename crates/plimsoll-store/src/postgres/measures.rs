//! Measures in PostgreSQL's words.
//!
//! ```text
//!   sum   int: numeric -> bigint, or out of range      money: numeric, checked     float: its own
//!   avg   int: sum / count as floats      money: sum of units, div count, half to even
//!   min, max   text by bytes; of booleans and and or
//! ```
//!
//! Promises: sums of ints and amounts are exact whatever the order of the rows.
//! Never: an average of amounts through a float.

use plimsoll::expr::Expr;
use plimsoll::record::ColumnType;

use super::dialect::{Source, Sql};
use super::translate::translate;
use crate::aggregate::{AggregateFunction, Measure};
use crate::error::{Error, Result};

/// Appends one measure.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] for a measure this database has no exact words for.
pub(super) fn push(sql: &mut Sql, source: Source<'_>, measure: &Measure) -> Result<()> {
    let Some(argument) = &measure.argument else {
        sql.push("count(*)");
        return Ok(());
    };
    let kind = argument.kind(&source.resource.schema);
    let around = |sql: &mut Sql, before: &str, after: &str| {
        sql.push(before);
        translate(sql, source, argument);
        sql.push(after);
    };
    match (measure.function, kind) {
        (AggregateFunction::CountAll | AggregateFunction::Count, _) => around(sql, "count(", ")"),
        (AggregateFunction::CountDistinct, _) => around(sql, "count(distinct ", ")"),
        (AggregateFunction::Sum, ColumnType::Float) => around(sql, "sum(", ")"),
        (AggregateFunction::Sum, ColumnType::Money) => {
            around(sql, "((sum(", ")*10000)::bigint*0.0001)");
        }
        (AggregateFunction::Sum, _) => around(sql, "sum(", ")::bigint"),
        (AggregateFunction::Avg, ColumnType::Money) => average_of_money(sql, source, argument),
        (AggregateFunction::Avg, _) => {
            around(sql, "(sum(", ")::double precision / nullif(");
            around(sql, "count(", "), 0))");
        }
        (AggregateFunction::Min, ColumnType::Bool) => around(sql, "bool_and(", ")"),
        (AggregateFunction::Max, ColumnType::Bool) => around(sql, "bool_or(", ")"),
        (AggregateFunction::Min | AggregateFunction::Max, ColumnType::Bytes) => {
            return Err(refused(measure, "bytes"));
        }
        (AggregateFunction::Min, _) => around(sql, "min(", ")"),
        (AggregateFunction::Max, _) => around(sql, "max(", ")"),
        (AggregateFunction::Quantile(_), _) => return Err(refused(measure, "a group")),
    }
    Ok(())
}

fn refused(measure: &Measure, of: &str) -> Error {
    Error::invalid(format!(
        "the measure '{}' is the {} of {of}, which is not made on PostgreSQL: leave it out, or \
         group the exported rows with `plimsoll group`",
        plimsoll::error::excerpt(&measure.name),
        measure.function.name()
    ))
}

/// With S the sum in units, c the count and r = S mod c, never negative: (S - r) / c, and one more
/// where 2 r is above c, or equal to it and the quotient odd.
fn average_of_money(sql: &mut Sql, source: Source<'_>, argument: &Expr) {
    let sum = |sql: &mut Sql| {
        sql.push("(sum(");
        translate(sql, source, argument);
        sql.push(")*10000)");
    };
    let count = |sql: &mut Sql| {
        sql.push("nullif(count(");
        translate(sql, source, argument);
        sql.push("), 0)::numeric");
    };
    let rest = |sql: &mut Sql| {
        sql.push("mod(mod(");
        sum(sql);
        sql.push(", ");
        count(sql);
        sql.push(") + ");
        count(sql);
        sql.push(", ");
        count(sql);
        sql.push(")");
    };
    let quotient = |sql: &mut Sql| {
        sql.push("div(");
        sum(sql);
        sql.push(" - ");
        rest(sql);
        sql.push(", ");
        count(sql);
        sql.push(")");
    };
    sql.push("((");
    quotient(sql);
    sql.push(" + case when 2 * ");
    rest(sql);
    sql.push(" > ");
    count(sql);
    sql.push(" then 1 when 2 * ");
    rest(sql);
    sql.push(" = ");
    count(sql);
    sql.push(" then mod(abs(");
    quotient(sql);
    sql.push("), 2) else 0 end)::bigint*0.0001)");
}
