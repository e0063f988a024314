//! Measures in PostgreSQL's words.
//!
//! ```text
//!   sum   int: numeric -> bigint, or out of range      money: numeric, checked     float: its own
//!   avg   int: sum / count as floats      money: sum of units, div count, half to even
//!   min, max   text by bytes; of booleans and and or; of bytes by their digits
//!   quantiles  in a file of their own
//! ```
//!
//! Promises: sums of ints and amounts are exact whatever the order of the rows.
//! Never: an average of amounts through a float.

use plimsoll::expr::Expr;
use plimsoll::record::ColumnType;

use super::dialect::{Source, Sql};
use super::quantiles;
use super::translate::translate;
use crate::aggregate::{AggregateFunction, Measure};

/// Appends one measure, the one with this number.
pub(super) fn push(sql: &mut Sql, source: Source<'_>, place: usize, measure: &Measure) {
    let Some(argument) = &measure.argument else {
        sql.push("count(*)");
        return;
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
        // Not every server has a least of bytes; their digits compare as they do.
        (AggregateFunction::Min, ColumnType::Bytes) => {
            around(sql, "decode(min(encode(", ", 'hex') collate \"C\"), 'hex')");
        }
        (AggregateFunction::Max, ColumnType::Bytes) => {
            around(sql, "decode(max(encode(", ", 'hex') collate \"C\"), 'hex')");
        }
        (AggregateFunction::Min, _) => around(sql, "min(", ")"),
        (AggregateFunction::Max, _) => around(sql, "max(", ")"),
        (AggregateFunction::Quantile(_), kind) => quantiles::push(sql, place, kind),
    }
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
